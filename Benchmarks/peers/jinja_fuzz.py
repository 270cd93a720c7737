"""Random templates and values, rendered by `engram model chat-template` and by Jinja 2 as Transformers sets it up.

    pip install transformers jinja2
    python jinja_fuzz.py --engram PATH --model DIR [--cases 20000] [--seed 1]

DIR is any model folder with a tokenizer.json. The templates go into the folder `additional_chat_templates` of a copy of it, so that
one process renders a thousand of them. A case agrees where both give the same text, or both fail. Other messages are
counted; what engram refuses as not supported or too large is counted, too. Ends with status 1 where a text differs or only
one fails.
"""
import argparse
import collections
import datetime
import json
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile

NOW = "2025-03-14T15:09:26"
WORDS = ["a", "ab", "Hello World", " x ", "", "it's", 'say "hi"', "é漢😀", "ß", "ΑΣ", "ǆ", "a-b_c", "1", "-2.5", "0x1f", "a,b,,c",
         "line\nline\r\n\n x", "\t", "%s", "{}", "<b>&</b>", "ÀB c", "aXbXc", "  two  words ", "\u00a0z", "\u2028", "\x07", "İi", "٣"]
NAMES = ["x", "y", "l", "d", "s", "n", "m", "items", "deep"]
KEYS = ["role", "content", "k", "items", "a b", "_p", "0", "get"]


class Generator:
    """Templates that are mostly right: the types of values guide what is done with them."""

    def __init__(self, random):
        self.random = random
        self.macros = []
        self.loops = 0
        self.budget = 0

    def pick(self, *choices):
        return self.random.choice(choices)

    def chance(self, p):
        return self.random.random() < p

    # Values

    def value(self, depth=3):
        kind = self.random.randrange(10 if depth else 7)
        if kind < 3:
            return self.random.choice(WORDS)
        if kind == 3:
            return self.pick(0, 1, 2, 3, -1, -7, 10, 255, 1000, 2**31, 2**53 + 1, -(2**63), 2**63 - 1)
        if kind == 4:
            return self.pick(0.0, 1.0, -0.5, 2.5, 3.14159, 1e20, 1e-7, 1e16, 123456.789, 0.1, -0.0, 2.675, 1e300)
        if kind == 5:
            return self.pick(True, False)
        if kind == 6:
            return None
        if kind < 9:
            return [self.value(depth - 1) for _ in range(self.random.randrange(5))]
        return {self.random.choice(KEYS): self.value(depth - 1) for _ in range(self.random.randrange(4))}

    def context(self):
        r = self.random
        return {
            "x": self.value(), "y": self.value(), "s": r.choice(WORDS), "n": self.pick(0, 1, 2, 3, 7, -4, 2.5),
            "l": [self.value(1) for _ in range(r.randrange(5))] if self.chance(0.5)
            else [self.pick(3, 1, 2, 1.0, True, 5, -1) for _ in range(r.randrange(6))] if self.chance(0.5)
            else [r.choice(WORDS) for _ in range(r.randrange(6))],
            "d": {r.choice(KEYS): self.value(2) for _ in range(r.randrange(5))},
            "m": [{"role": self.pick("user", "assistant", "system", "tool"), "content": self.value(1)}
                  for _ in range(r.randrange(4))],
            "deep": {"a": {"b": [{"c": self.value(1)}, [1, [2, [3]]]]}},
        }

    # Expressions

    def string(self):
        text = self.random.choice(WORDS + ["\\n", "\\x41", "\\u00e9", "\\'", "\\q", "%d|%5.2f|%s", "{0} {x!r:>6}", "{:,}|{:08.3f}"])
        quote = self.pick("'", '"')
        return quote + text.replace("\n", "\\n").replace("\r", "\\r").replace(quote, "\\" + quote if "\\" not in text else "") + quote

    def number(self):
        return self.pick("0", "1", "2", "3", "7", "10", "-1", "2.5", "1e3", "0.1", "1_000", "0x1f", "0b11", "0o17", "1.5e-3",
                         "100000000000000000000", "9007199254740993")

    def atom(self):
        r = self.random.randrange(14)
        if r < 4:
            return self.random.choice(NAMES + ["nope", "loop", "i", "z"])
        if r < 6:
            return self.string()
        if r < 8:
            return self.number()
        if r == 8:
            return self.pick("true", "false", "none", "True", "None")
        if r == 9:
            return "[" + ", ".join(self.expression(1) for _ in range(self.random.randrange(4))) + "]"
        if r == 10:
            return "{" + ", ".join(f"{self.string()}: {self.expression(1)}" for _ in range(self.random.randrange(3))) + "}"
        if r == 11:
            return "(" + ", ".join(self.expression(1) for _ in range(self.random.randrange(4))) + self.pick(")", ",)")
        if r == 12 and self.macros:
            return self.call(self.random.choice(self.macros))
        return self.pick("range(3)", "range(5, 0, -2)", "range(n)", "namespace(a=1, b=x)", "dict(a=1)", "dict(d)", "ns", "ns.a",
                         "cycler('o', 'e').next()", "joiner('|')", "strftime_now('%d %b %Y %j %U')",
                         "raise_exception('no ' ~ s)" if self.chance(0.1) else "s")

    def call(self, name):
        arguments = [self.expression(1) for _ in range(self.random.randrange(3))]
        arguments += [f"{self.pick('a', 'b', 'c', 'k')}={self.expression(1)}" for _ in range(self.random.randrange(2))]
        return f"{name}({', '.join(arguments)})"

    def expression(self, depth=3):
        self.budget -= 1
        if depth <= 0 or self.budget < 0:
            return self.atom()
        sub = lambda: self.expression(depth - 1)
        r = self.random.randrange(24)
        if r < 4:
            return self.atom()
        if r < 6:
            return f"{sub()} {self.pick('+', '-', '*', '/', '//', '%', '~', '~', '~')} {sub()}"
        if r == 6:
            return f"{self.pick('2', '3', '-2', 'n', '2.5')} ** {self.pick('2', '3', '-1', '0', '0.5')}"
        if r == 7:
            return f"{sub()} {self.pick('==', '!=', '<', '<=', '>', '>=', 'in', 'not in')} {sub()}"
        if r == 8:
            return f"{sub()} {self.pick('and', 'or')} {sub()}"
        if r == 9:
            return f"{self.pick('not ', '-', '+')}{sub()}"
        if r == 10:
            return f"({sub()} if {sub()}" + (f" else {sub()})" if self.chance(0.7) else ")")
        if r == 11:
            return f"({sub()})"
        if r < 17:
            return f"{self.operand(sub)} | {self.filter()}"
        if r < 19:
            return f"{self.operand(sub)} is {self.pick('', '', 'not ')}{self.test()}"
        if r < 21:
            return f"{self.operand(sub)}.{self.method()}"
        if r == 21:
            return f"{self.operand(sub)}.{self.random.choice(KEYS[:4] + ['a', 'b', 'nope', '0', '__class__', 'append', 'update', 'real'])}"
        if r == 22:
            return f"{self.operand(sub)}[{sub()}]"
        bounds = [self.pick("", "1", "2", "-1", "-2", "n", "5") for _ in range(self.random.randrange(2, 4))]
        # A slice of a constant that has no items is undefined in Jinja, as it is folded; elsewhere it is an error, and here.
        return f"{self.random.choice(NAMES)}[{':'.join(bounds)}]"

    def operand(self, sub):
        return self.random.choice(NAMES) if self.chance(0.5) else f"({sub()})" if self.chance(0.6) else self.atom()

    def filter(self):
        e = lambda: self.expression(1)
        attribute = lambda: self.pick("'role'", "'content'", "'k'", "'a.b.0'", "0", "'0'")
        test = lambda: self.pick("'string'", "'none'", "'defined'", "'equalto', 'user'", "'in', ['user', 1]", "'gt', 1", "'mapping'", "'odd'")
        return self.pick(
            "upper", "lower", "title", "capitalize", "trim", f"trim({self.string()})", "length", "count", "list", "string", "first", "last",
            "reverse", "reverse | list", "sort", "sort(reverse=true)", "sort(case_sensitive=true)", f"sort(attribute={attribute()})", "unique | list",
            "min", "max", "sum", f"sum(start={e()})", f"sum(attribute={attribute()})", "abs", "int", f"int({e()})", "int(base=16)", "float",
            f"float({e()})", "round", f"round({self.pick('1', '2', '-1', '0')})", f"round(1, {self.pick(chr(39) + 'ceil' + chr(39), chr(39) + 'floor' + chr(39))})",
            "tojson", f"tojson(indent={self.pick('2', '4', '0', 'none', 'true')})", "tojson(sort_keys=true)", "tojson(ensure_ascii=true)",
            "tojson(separators=(',', ':'))", f"default({e()})", f"default({e()}, true)", f"d({e()}, boolean=true)", f"join({self.string()})", "join",
            f"join({self.string()}, attribute={attribute()})", f"replace({self.string()}, {self.string()})", f"replace('a', {self.string()}, 1)",
            "dictsort", "dictsort(by='value')", "dictsort(true, reverse=true)", "items | list", f"map({self.pick(*map(repr, ['upper', 'string', 'length', 'int', 'trim', 'list', 'first', 'nofilter']))}) | list",
            f"map(attribute={attribute()}) | list", f"map(attribute={attribute()}, default={e()}) | list", f"select({test()}) | list", f"reject({test()}) | list",
            "select | list", "reject | list", f"selectattr({attribute()}, {test()}) | list", f"rejectattr({attribute()}, {test()}) | list", f"selectattr({attribute()}) | list",
            f"groupby({attribute()})", f"groupby({attribute()}, default='') | map('first') | list", f"batch({self.pick('1', '2', '3')}) | list", f"batch(2, {e()}) | list", f"slice(2) | list", f"slice(3, {e()}) | list",
            f"indent({self.pick('2', '4', 'first=true', 'blank=true', repr('> '))})", f"truncate({self.pick('5', '9', '3', '20, true', '6, leeway=0', '7, end=' + repr('!'))})",
            "wordcount", f"center({self.pick('5', '10', '11')})", "e", "escape", "safe", "striptags", "urlencode", "filesizeformat", "xmlattr", "pprint",
            f"attr({self.pick(repr('upper'), repr('role'), repr('real'), repr('a'))})", f"format({e()}, {e()})", f"format(x={e()})", "forceescape", "nofilter" if self.chance(0.1) else "upper")

    def test(self):
        return self.pick(
            "defined", "undefined", "none", "boolean", "true", "false", "integer", "float", "number", "string", "mapping", "iterable", "sequence",
            "callable", "odd", "even", "divisibleby 3", "divisibleby(2)", "lower", "upper", "escaped", f"sameas {self.pick('x', 'true', 'none')}",
            f"in {self.pick('l', 'd', 's', '[1, 2]')}", "eq 1", "equalto 'user'", "ne none", "gt 1", "lt 2", "ge(1)", "<= 3" if self.chance(0.01) else "le 3", "filter", "test", "notest" if self.chance(0.1) else "none")

    def method(self):
        s = self.string
        return self.pick(
            "upper()", "lower()", "title()", "capitalize()", "swapcase()", "casefold()", "strip()", "lstrip()", "rstrip()", f"strip({s()})", f"lstrip({s()})",
            f"rstrip({s()})", "split()", f"split({s()})", f"split({s()}, 1)", "split(none, 1)", "split(maxsplit=1)", f"rsplit({s()}, 1)", "rsplit(none, 1)", "splitlines()",
            "splitlines(true)", f"partition({s()})", f"rpartition({s()})", f"startswith({s()})", f"endswith(({s()}, {s()}))", f"find({s()})", f"rfind({s()})",
            f"index({s()})", f"count({s()})", f"replace({s()}, {s()})", f"replace({s()}, {s()}, 1)", f"join({self.expression(1)})", f"join(l)", "zfill(5)", "center(9)", "center(8, '*')",
            "ljust(6)", "rjust(6, '.')", "isdigit()", "isalpha()", "isalnum()", "isspace()", "islower()", "isupper()", "istitle()", "isnumeric()", "isdecimal()",
            "isidentifier()", "isascii()", "isprintable()", f"removeprefix({s()})", f"removesuffix({s()})", "expandtabs(4)", f"format({self.expression(1)}, x={self.expression(1)})", "keys()", "values()",
            "items()", "items() | list", "keys() | list", f"get({s()})", f"get({s()}, {self.expression(1)})", "copy()", "index(1)", "count(1)", "bit_length()", "is_integer()", "pop()", "update({})", "nope()", "fromkeys(l)")

    # Statements

    def open(self):
        return "{%" + self.pick("", "", "", "-", "+")

    def close(self):
        return self.pick("", "", "", "-", "+") + "%}"

    def tag(self, text):
        return f"{self.open()} {text} {self.close()}"

    def text(self):
        return self.pick("", " ", "\n", "  \n", "\n  ", "x", "a b\n", "\n\n", "\t", "{", "}", "é", "# ", "\r\n", "%")

    def body(self, depth):
        return "".join(self.statement(depth) for _ in range(self.random.randrange(1, 4)))

    def statement(self, depth):
        r = self.random.randrange(28)
        if r < 5:
            return self.text()
        if r < 13 or depth <= 0:
            return "{{" + self.pick("", "", "-") + f" {self.expression()} " + self.pick("", "", "-") + "}}"
        if r < 16:
            return self.tag(f"set {self.pick('x', 'y', 'z', 'i', 'a, b', 'ns.a')} = {self.expression()}")
        if r < 18:
            parts = self.tag(f"if {self.expression()}") + self.body(depth - 1)
            if self.chance(0.3):
                parts += self.tag(f"elif {self.expression()}") + self.body(depth - 1)
            if self.chance(0.5):
                parts += self.tag("else") + self.body(depth - 1)
            return parts + self.tag("endif")
        if r < 22:
            return self.loop(depth)
        if r == 22:
            name = f"f{len(self.macros)}"
            parameters = self.pick("", "a", "a, b", "a, b='B'", "a=x, b=a")
            saved, self.loops = self.loops, 0
            extra = self.pick("", "{{ varargs }}", "{{ kwargs }}", "{{ caller() }}", "{{ caller(1) if caller }}")
            result = self.tag(f"macro {name}({parameters})") + self.body(depth - 1) + extra + self.tag("endmacro")
            self.loops = saved
            self.macros.append(name)
            return result
        if r == 23 and self.macros:
            saved, self.loops = self.loops, 0
            result = self.tag(f"call{self.pick('', '(a)', '(i=1)')} {self.call(self.random.choice(self.macros))}") + self.body(depth - 1) + self.tag("endcall")
            self.loops = saved
            return result
        if r == 24:
            return self.tag(f"set {self.pick('x', 'z', 'ns.a')}{self.pick('', ' | upper', ' | trim')}") + self.body(depth - 1) + self.tag("endset")
        if r == 25:
            return self.tag(f"filter {self.pick('upper', 'trim', 'replace(s, n)', 'indent(2)', 'length')}") + self.body(depth - 1) + self.tag("endfilter")
        if r == 26:
            return self.tag(f"with {self.pick('x', 'i', 'z')} = {self.expression()}, y = x") + self.body(depth - 1) + self.tag("endwith")
        return self.pick(
            lambda: self.generation(depth), lambda: "{# " + self.text() + self.pick(" #}", " -#}", " +#}"),
            lambda: self.tag("raw") + "{{ x }}{% " + self.text() + self.tag("endraw"), lambda: "{%- set ns = namespace(a=1, b=[]) %}",
            lambda: self.tag("block b%d" % self.random.randrange(10**6)) + self.body(depth - 1) + self.tag("endblock"))()

    def generation(self, depth):
        saved, self.loops = self.loops, 0
        result = self.tag("generation") + self.body(depth - 1) + self.tag("endgeneration")
        self.loops = saved
        return result

    def loop(self, depth):
        target = self.pick("i", "i", "x", "a, b", "i, (a, b)")
        source = self.pick("l", "d", "m", "s", "range(4)", "d.items()", "d | dictsort", "l | batch(2)", f"({self.expression(2)})")
        head = f"for {target} in {source}"
        if self.chance(0.2):
            head += f" if {self.expression(2)}"
        recursive = self.chance(0.07)
        if recursive:
            head += " recursive"
        self.loops += 1
        body = self.body(depth - 1)
        if self.chance(0.5):
            body += "{{ " + self.pick("loop.index", "loop.index0", "loop.first", "loop.last", "loop.length", "loop.revindex", "loop.previtem", "loop.nextitem",
                                      "loop.cycle('a', 'b')", "loop.changed(i)", "loop.depth", "loop.revindex0", "loop(l)" if recursive else "loop") + " }}"
        if self.chance(0.15):
            body += self.tag(f"if {self.expression(1)}") + self.tag(self.pick("break", "continue")) + self.tag("endif") + self.text()
        self.loops -= 1
        other = self.tag("else") + self.body(depth - 1) if self.chance(0.2) else ""
        return self.tag(head) + body + other + self.tag("endfor")

    def template(self):
        self.macros, self.loops, self.budget = [], 0, self.pick(4, 8, 15, 60)
        text = "{%- set ns = namespace(a=1, b=[]) %}" if self.chance(0.5) else ""
        depth = self.pick(0, 1, 2, 2, 3)
        text += "".join(self.statement(depth) for _ in range(self.random.randrange(1, 4)))
        if self.chance(0.08):
            text = self.damaged(text)
        return text

    def damaged(self, text):
        for _ in range(self.random.randrange(1, 3)):
            at = self.random.randrange(len(text) + 1)
            text = self.random.choice([text[:at] + text[at + 1:], text[:at] + self.pick("{", "}", "%", "'", "|", "(", ")", " end", ".", "-", "#") + text[at:],
                                       text[:at] + text[at + self.random.randrange(8):]])
        return text


class Slow(Exception):
    pass


def reference():
    """Renders as Transformers does; the clock stands still."""
    from transformers.utils import chat_template_utils as utils

    class Still(datetime.datetime):
        @classmethod
        def now(cls, zone=None):
            return cls.fromisoformat(NOW)

    utils.datetime = Still

    def slow(*_):
        raise Slow()

    signal.signal(signal.SIGALRM, slow)

    def render(template, context):
        signal.setitimer(signal.ITIMER_REAL, 2)
        try:
            compiled = utils._compile_jinja_template(template)
            text, generated = utils._render_with_assistant_indices(
                compiled, context.get("messages"), None, None, False, **{k: v for k, v in context.items() if k != "messages"})
            text.encode()
            return {"text": text, "generated": [list(r) for r in generated]}
        except Slow:
            return {"skip": "slow"}
        except UnicodeEncodeError:
            return {"skip": "surrogates"}
        except Exception as error:
            return {"error": type(error).__name__, "message": str(error)}
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    return render


def engram(program, model, cases):
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder) / "model"
        (copy / "additional_chat_templates").mkdir(parents=True)
        for name in ["tokenizer.json", "config.json", "tokenizer_config.json"]:
            if (pathlib.Path(model) / name).exists():
                shutil.copy(pathlib.Path(model) / name, copy / name)
        lines = []
        for index, (template, context) in enumerate(cases):
            (copy / "additional_chat_templates" / f"t{index}.jinja").write_text(template, newline="")
            lines.append(json.dumps({"messages": [{"role": "user"}], "variables": context, "template_name": f"t{index}"}))
        answer = subprocess.run([program, "model", "chat-template", "--model", str(copy), "--now", NOW],
                                input="\n".join(lines) + "\n", capture_output=True, text=True)
    return [json.loads(line) for line in answer.stdout.split("\n") if line]


def compare(cases, wanted, found, counts, show):
    for (template, context), want, got in zip(cases, wanted, found):
        if "skip" in want or " at 0x" in str(want).lower() or "<built-in" in str(want):  # addresses
            counts["skipped"] += 1
        elif "error" in got and re.search("not supported|more than|larger than", got["error"]):
            counts["refused"] += 1
            show("refused", template, context, want, got)
        elif "text" in want and "text" in got:
            same = want["text"] == got["text"] and got.get("generated", want["generated"]) == want["generated"]
            counts["same text" if same else "OTHER TEXT"] += 1
            if not same:
                show("OTHER TEXT", template, context, want, got)
        elif "error" in want and "error" in got:
            kind = "same error" if got.get("kind", want["error"]) == want["error"] else "other kind of error"
            if kind == "same error" and want["message"] not in got["error"]:
                kind = "other message"
            counts[kind] += 1
            show(kind, template, context, want, got)
        else:
            counts["ONE FAILS"] += 1
            show("ONE FAILS", template, context, want, got)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engram", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--cases", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    render, counts = reference(), collections.Counter()

    def show(kind, template, context, want, got):
        if kind.isupper():
            print(json.dumps({"kind": kind, "template": template, "context": context, "want": want, "got": got}, ensure_ascii=False))

    for start in range(0, arguments.cases, 1000):
        generator = Generator(random.Random(arguments.seed * 1_000_003 + start))
        cases = [(generator.template(), generator.context()) for _ in range(min(1000, arguments.cases - start))]
        found = engram(arguments.engram, arguments.model, cases)
        if len(found) != len(cases):
            sys.exit(f"engram answered {len(found)} of {len(cases)} lines from case {start} on")
        compare(cases, [render(t, json.loads(json.dumps(c))) for t, c in cases], found, counts, show)
    print(dict(counts))
    sys.exit(1 if counts["OTHER TEXT"] + counts["ONE FAILS"] else 0)


if __name__ == "__main__":
    main()
