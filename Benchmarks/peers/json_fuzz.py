"""Random JSON and near-JSON lines: the reader of Engram's JSON lines against Python's `json`.

Every line goes through `engram model tokenize` with a tokenizer whose ids are bytes, so the ids of a string are its UTF-8, and
the refusal of any other value names its kind. Accepted and refused must agree with `json.loads`, and strings must be equal.
Stricter by design, and counted: keys that stand twice, nesting beyond 64, NaN and Infinity, numbers beyond double precision,
unpaired surrogates. A byte order mark is passed over. Ends with status 1 on any difference.

    python json_fuzz.py --engram .build/release/engram --inputs 100000 --seed 1
"""
import argparse
import collections
import json
import math
import os
import random
import re
import subprocess
import sys
import tempfile

from tokenizers_fuzz import ALPHABET

PIECES = ['"', "\\", "\\n", "\\u0041", "\\ud83d\\ude00", "\\ud800", "\\udc00", "\\u12", "\\x", "\\/", "é", "日", "😀", "\t", "\x00", "\x1f", "\x7f",
          "{", "}", "[", "]", ":", ",", "null", "true", "false", "nul", "NaN", "-Infinity", "0", "-0", "01", "1.", ".5", "1e5", "1E+400", "-", "+1",
          "1e", "12345678901234567890", "1.5e-300", " ", "\r", "\u00a0", "\ufeff", "'a'", "//", "a", "\u2028"]


def value(r, depth=0):
    """A JSON value in a random but valid notation."""
    k = r.random()
    pad = lambda: r.choice(["", "", "", " ", "\t", " \r"])
    if depth < 4 and k < 0.25:
        items = [value(r, depth + 1) for _ in range(r.randint(0, 4))]
        return "[" + ",".join(pad() + i + pad() for i in items) + (pad() if not items else "") + "]"
    if depth < 4 and k < 0.5:
        items = [string(r) + pad() + ":" + pad() + value(r, depth + 1) for _ in range(r.randint(0, 4))]
        return "{" + pad() + ",".join(pad() + i for i in items) + pad() + "}"
    if k < 0.8:
        return string(r)
    return r.choice(["null", "true", "false", "0", "-0", "17", "-3.5", "1e5", "2E-3", "1.0", "123456789012345678901234567890", "1e400", "NaN",
                     str(r.uniform(-1e9, 1e9)), str(r.randint(-2**70, 2**70))])


def string(r):
    parts = []
    for _ in range(r.randint(0, 6)):
        c = r.choice([r.randint(0x20, 0x7E), r.randint(0xA0, 0x2FF), r.randint(0x2000, 0xD7FF), r.randint(0xE000, 0xFFFF), r.randint(0x10000, 0x10FFFF)])
        k = r.random()
        if k < 0.5 and chr(c) not in '"\\':
            parts.append(chr(c))
        elif k < 0.8:
            parts.append(json.dumps(chr(c))[1:-1])
        else:
            parts.append(r.choice(["\\n", "\\\"", "\\\\", "\\/", "\\b", "\\u00e9", "\\uD83D\\uDE00", "\\ud800", "\\udfff", "\\ud800\\u0041", "\\ud800\\ud800"]))
    return '"' + "".join(parts) + '"'


def line(r):
    k = r.random()
    if k < 0.35:
        text = string(r)
    elif k < 0.65:
        text = value(r)
    elif k < 0.8:
        text = "".join(r.choice(PIECES) for _ in range(r.randint(1, 8)))
    else:
        text = list(value(r) if k < 0.9 else string(r))
        for _ in range(r.randint(1, 3)):
            place = r.randint(0, len(text))
            text[place:place + r.randint(0, 2)] = r.choice(PIECES)
        text = "".join(text)
    if r.random() < 0.01:
        text = "[" * r.randint(60, 70) + "]" * r.randint(60, 70)
    data = text.encode("utf-8", "surrogatepass").replace(b"\n", b" ")
    if r.random() < 0.05 and data:
        place = r.randint(0, len(data) - 1)
        data = data[:place] + bytes([r.choice([0x80, 0xC3, 0xFF, 0xED, 0xF8])]) + data[place:]
    return data


class Twice(ValueError):
    pass


def reference(data):
    """('string', bytes), (kind, None) or ('refused', reason); reasons in brackets are stricter by design."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return "refused", "UTF-8"
    text = text.removeprefix("\ufeff")

    def pairs(items):
        if len({k.encode("utf-8", "surrogatepass") for k, _ in items}) < len(items):
            raise Twice
        return dict(items)

    def constant(_):
        raise Twice

    try:
        json.loads(text)
    except ValueError:
        return "refused", "JSON"
    except RecursionError:
        return "refused", "(depth)"
    try:
        found = json.loads(text, object_pairs_hook=pairs, parse_constant=constant)
    except Twice:
        return "refused", "(twice or NaN)"
    if not finite(found):
        return "refused", "(range)"
    if depth(found) > 64:
        return "refused", "(depth)"
    if re.search("[\ud800-\udfff]", json.dumps(found, ensure_ascii=False)):
        return "refused", "(surrogate)"
    if isinstance(found, str):
        return "string", found.encode()
    if found is None:
        return "null", None
    if isinstance(found, bool):
        return "a boolean", None
    if isinstance(found, int):
        return ("an integer" if -2**63 <= found < 2**63 else "a number"), None
    return {float: "a number", list: "an array", dict: "an object"}[type(found)], None


def finite(found):
    if isinstance(found, float):
        return math.isfinite(found)
    if isinstance(found, int) and abs(found) > 10**308:
        return False
    if isinstance(found, list):
        return all(map(finite, found))
    return all(map(finite, found.values())) if isinstance(found, dict) else True


def depth(found):
    if isinstance(found, list):
        return 1 + max(map(depth, found), default=0)
    return 1 + max(map(depth, found.values()), default=0) if isinstance(found, dict) else 1


class Engram:
    """Answers of `engram model tokenize`; it stops at the first refused line, so it is started again behind that."""

    def __init__(self, program):
        self.program = program
        self.folder = tempfile.mkdtemp(prefix="engram-json-")
        vocab = {ALPHABET[b]: b for b in range(256)}
        byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
        with open(os.path.join(self.folder, "tokenizer.json"), "w") as f:
            json.dump({"version": "1.0", "added_tokens": [], "pre_tokenizer": byte_level, "decoder": byte_level,
                       "model": {"type": "BPE", "vocab": vocab, "merges": []}}, f)

    def answers(self, lines):
        result = []
        while len(result) < len(lines):
            run = subprocess.run([self.program, "model", "tokenize", "--model", self.folder], input=b"\n".join(lines[len(result):]) + b"\n",
                                 capture_output=True)
            result += [("string", bytes(json.loads(l))) for l in run.stdout.splitlines()]
            if run.returncode != 0:
                result.append(self.refusal(run.stderr.decode("utf-8", "replace")))
        return result

    @staticmethod
    def refusal(message):
        kind = re.search(r"expected a JSON string, found (null|an? \w+)", message)
        return (kind.group(1), None) if kind else ("refused", message.strip())


def main(make_engram=Engram):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engram", default=".build/release/engram")
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    sys.setrecursionlimit(10_000)
    r = random.Random(options.seed)
    # Blank lines are no input for either side.
    lines = [l for l in (line(r) for _ in range(options.inputs)) if l.strip(b" \t\r")]
    counts, differences = collections.Counter(), []
    for text, ours in zip(lines, make_engram(options.engram).answers(lines)):
        theirs = reference(text)
        counts[f"{theirs[0]} {theirs[1] if theirs[0] == 'refused' else ''}".strip()] += 1
        if ours[0] != theirs[0] or (ours[0] == "string" and ours[1] != theirs[1]):
            differences.append((text, ours, theirs))
    print(f"{len(lines)} inputs, seed {options.seed}, Python {sys.version.split()[0]}")
    for key, count in counts.most_common():
        print(f"{count:8} {key}")
    print(f"{len(differences):8} differences")
    for text, ours, theirs in differences[:20]:
        print(f"  {text!r}: Engram {ours!r}, Python {theirs!r}")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
