"""Random tokenizer.json files and strings: Engram against `tokenizers` and AutoTokenizer, encode and decode.

Every tokenizer is put together from random components (normalizers, pre-tokenizers, patterns, added tokens, decoders,
templates, options of BPE). Half of them lie alone in a folder (the reference is `tokenizers`), half beside a random
tokenizer_config.json, special_tokens_map.json and config.json (the reference is AutoTokenizer of Transformers 5). For each,
many strings are encoded with and without special tokens and decoded with and without them.

What Engram refuses by design and the reference accepts is counted by message. Ends with status 1 on any difference.

    python tokenizers_fuzz.py --engram .build/release/engram --tokenizers 2000 --strings 50 --seed 1
"""
import argparse
import collections
import json
import logging
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import warnings

os.environ["TRANSFORMERS_VERBOSITY"] = "critical"
os.environ["HF_HUB_OFFLINE"] = "1"
warnings.filterwarnings("ignore")

import tokenizers  # noqa: E402
import transformers  # noqa: E402

logging.disable(logging.CRITICAL)

LETTERS = "abcdest'  "
WORDS = [
    "the", "it's", "I'LL", "don't", "we'Re", "abc", "cab", "bad", "  ", "   ", "\n", "\n\n", "\r\n", "\t", " \n ", "12", "1234567",
    "٣٤", "½", "x²", "Ⅷ", "é", "e\u0301", "É", "ß", "ſ", "K", "İ", "ﬁ", "Å", "ñandú", "naïve", "日本語", "カ\u3099", "か", "한국어",
    "\u1112\u1161\u11ab", "Привет", "ΑΣ", "שלום", "नमस्ते", "ไทย", "😀", "👩‍👩‍👧", "🇩🇪", "—", "…", "«»", "!!", "?", "..", "``", "''",
    "_", "a_b", "$", "+", "©", "\u00a0", "\u2003", "\u3000", "\u200b", "\u200d", "\ufeff", "\u0000", "\x07", "\x7f", "▁", "▁▁",
    "Ġ", "<s>", "</s>", "<unk>", "<pad>", "<0x41>", "<|endoftext|>", "<|x|>", "[A]", "[AB]", "[B]", "ab", "Ab", "\u0327\u0301",
    "\U00010940", "\U0001e030", "\u32ff", "㎏", "Ω", "\ufffd", "ﷺ", "#version", "don", "'s", "'S", "'ſ", " a", " b", "a b", "ab ab",
]
SPECIALS = ["<s>", "</s>", "<unk>", "<pad>", "<|endoftext|>", "<|x|>", "<mask>", "[A]", "[AB]", "[B]", "ab", "Ab", "it's", " ", "\n", "é",
            "e\u0301", "  ", "▁", "x", "abc", "\n\n", "日", "İ", "_", "a b"]
PATTERNS = [
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r"\p{N}{1,3}", r"\d{3}(?=\d)", r"\s+", r"\s?\p{L}+", r"[\r\n]", r"\s?\p{P}+", r"[一-龥ࠀ-一가-퟿]+", r"\w+|[^\w\s]+", r"\b\w", r"(?<=a)b",
    r"(?<!a)b+?", r"a++b", r"(?>ab|a)c?b", r"(?:ab|a)(?:c|b)*", r"[^a-c]{2,}", r"(?i)[a-c]d", r"^a|b$", r"\Aa|b\z", r"[ab&&[^b]]",
    r".b", r"(?m:.)b", r"\P{L}+", r"[\p{Lu}\p{N}_]+", r"\p{^L}{2}", r"(a|b|c)+?d", r"\x{e9}|\u0301", r"a{,2}b", r"a{2}?b", r"[\-\]]", r"\S+",
]


class Source:
    """Random choices of one tokenizer."""

    def __init__(self, seed):
        self.r = random.Random(seed)

    def some(self, chance=0.5):
        return self.r.random() < chance

    def of(self, items):
        return self.r.choice(items)

    def text(self):
        parts = []
        for _ in range(self.r.randint(0, 9)):
            k = self.r.random()
            if k < 0.45:
                parts.append("".join(self.r.choice(LETTERS) for _ in range(self.r.randint(1, 8))))
            elif k < 0.95:
                parts.append(self.r.choice(WORDS))
            else:
                c = self.r.choice([self.r.randint(0x20, 0x24F), self.r.randint(0x250, 0xD7FF), self.r.randint(0xE000, 0x1FFFF)])
                parts.append(chr(c))
        return self.of(["", "", " "]).join(parts)


def alphabet():
    bs = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    cs, n = bs[:], 0
    for b in range(256):
        if b not in bs:
            bs.append(b)
            cs.append(256 + n)
            n += 1
    return {b: chr(c) for b, c in zip(bs, cs)}


ALPHABET = alphabet()


def pattern(s):
    if s.some(0.7):
        return {"Regex": s.of(PATTERNS)}
    return {"String": s.of([" ", "a", "ab", "\n", "▁", "'s", ".", "é"])}


BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]


def sequence(s, make, name, most):
    n = s.r.choice([0, 1, 1, 2, most])
    if n == 0:
        return None
    parts = [make(s) for _ in range(n)]
    if n == 1 and s.some(0.7):
        return parts[0]
    if s.some(0.1):
        parts = [{"type": "Sequence", name: parts}]
    return {"type": "Sequence", name: parts}


def normalizer(s):
    k = s.of(["NFC", "NFD", "NFKC", "NFKD", "Lowercase", "Strip", "StripAccents", "Replace", "Replace", "Prepend", "Nmt", "ByteLevel"])
    if k == "Strip":
        return {"type": k, "strip_left": s.some(), "strip_right": s.some()}
    if k == "Replace":
        return {"type": k, "pattern": pattern(s), "content": s.of(["", "▁", "b", " ", "ab"])}
    if k == "Prepend":
        return {"type": k, "prepend": s.of(["▁", " ", "ab"])}
    return {"type": k}


def metaspace(s):
    m = {"type": "Metaspace", "replacement": s.of(["▁", "▁", "▁", "_"])}
    if s.some(0.8):
        m["prepend_scheme"] = s.of(["always", "first", "never"])
    if s.some(0.7):
        m["split"] = s.some()
    if s.some(0.2):
        m["add_prefix_space"] = s.some()
    if s.some(0.1):
        m["str_rep"] = m["replacement"]
    return m


def byte_level(s):
    b = {"type": "ByteLevel", "add_prefix_space": s.some(0.3), "trim_offsets": s.some()}
    if s.some(0.8):
        b["use_regex"] = s.some()
    return b


def pre_tokenizer(s):
    k = s.of(["ByteLevel", "Metaspace", "Metaspace", "Split", "Split", "Digits", "Punctuation", "Whitespace", "WhitespaceSplit",
              "BertPreTokenizer", "FixedLength"])
    if k == "ByteLevel":
        return byte_level(s)
    if k == "Metaspace":
        return metaspace(s)
    if k == "Split":
        return {"type": k, "pattern": pattern(s), "behavior": s.of(BEHAVIORS), "invert": s.some(0.2)}
    if k == "Digits":
        return {"type": k, "individual_digits": s.some()}
    if k == "Punctuation":
        return {"type": k, "behavior": s.of(BEHAVIORS)} if s.some(0.8) else {"type": k}
    if k == "FixedLength":
        return {"type": k, "length": s.r.randint(1, 4)}
    return {"type": k}


def decoder(s):
    k = s.of(["ByteLevel", "Metaspace", "Replace", "ByteFallback", "Fuse", "Strip", "BPEDecoder"])
    if k == "ByteLevel":
        return byte_level(s)
    if k == "Metaspace":
        return metaspace(s)
    if k == "Replace":
        return {"type": k, "pattern": pattern(s), "content": s.of(["", " ", "b"])}
    if k == "Strip":
        return {"type": k, "content": s.of([" ", "a"]), "start": s.r.randint(0, 2), "stop": 0}
    if k == "BPEDecoder":
        return {"type": k, "suffix": s.of(["</w>", "b", "Ġ"])}
    return {"type": k}


LLAMA_DECODER = {"type": "Sequence", "decoders": [
    {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
    {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}


def model(s, bytes_level):
    vocab, merges = {}, []

    def add(t):
        if t not in vocab:
            vocab[t] = len(vocab)

    if s.some():
        for t in s.r.sample(["<unk>", "<s>", "</s>", "<|endoftext|>", "<pad>"], s.r.randint(1, 5)):
            add(t)
    prefix = s.of([None, "", "", "##"]) if s.some(0.15) else None
    suffix = s.of([None, "", "</w>"]) if s.some(0.15) else None
    base = [ALPHABET[b] for b in range(256)] if bytes_level else list("abcdest'AB12éΣ日_.!▁ Ġ\n") + ["e\u0301"]
    s.r.shuffle(base)
    for t in base:
        add(t)
        if prefix and s.some(0.9):
            add(prefix + t)
        if suffix and s.some(0.9):
            add(t + suffix)
            if prefix:
                add(prefix + t + suffix)
    fallback = s.some(0.4)
    if fallback:
        for b in range(256):
            if s.some(0.999) or b < 128:
                add(f"<0x{b:02X}>")
    if not bytes_level:
        add("<unk>")
    frequent = list("abcdest'") + (["Ġ", "Ċ", "Ã", "©"] if bytes_level else ["▁", "▁", " ", "é"])
    pool = frequent[:]
    plain = [t for t in vocab if len(t) == 1 and t in pool] + ([prefix + t for t in frequent if prefix + t in vocab] if prefix else [])
    pool = plain[:]
    for _ in range(s.r.randint(0, 60)):
        a, b = s.of(pool), s.of(pool)
        cut = b[len(prefix):] if prefix and b.startswith(prefix) else b
        if prefix and not b.startswith(prefix):
            continue
        if len(a + cut) > 12 or [a, b] in merges:
            continue
        add(a + cut)
        merges.append([a, b])
        pool += [a + cut] * 2
    if s.some(0.3):
        for t in ["abc", "cab", "Ġabc", "▁abc", "12", "bad"]:
            add(t)
    unk = None if bytes_level and s.some(0.7) else "<unk>"
    if unk and unk not in vocab:
        unk = None
    m = {"type": "BPE", "dropout": s.of([None, None, 0.0]), "unk_token": unk, "continuing_subword_prefix": prefix,
         "end_of_word_suffix": suffix, "fuse_unk": s.some(), "byte_fallback": fallback, "vocab": vocab}
    if s.some(0.8):
        m["ignore_merges"] = s.some(0.3)
    if s.some() and not any(" " in a or " " in b for a, b in merges):
        m["merges"] = [f"{a} {b}" for a, b in merges]
        if s.some(0.2):
            m["merges"].insert(0, "#version: 0.2")
    else:
        m["merges"] = merges
    return m


def flags(s, content):
    special = s.some()
    return {"content": content, "single_word": s.some(0.25), "lstrip": s.some(0.3), "rstrip": s.some(0.3),
            "normalized": s.some(0.4), "special": special}


def template(s, ids):
    known = [t for t in ids if t.startswith("<") and not t.startswith("<0x")]
    k = s.of([None, "ByteLevel", "Template", "Template", "Roberta", "Bert", "Sequence"])
    if k is None or not known:
        return None
    if k == "ByteLevel":
        return byte_level(s)
    if k in ("Roberta", "Bert"):
        a, b = s.of(known), s.of(known)
        p = {"type": k + "Processing", "sep": [a, ids[a]], "cls": [b, ids[b]]}
        if k == "Roberta":
            p |= {"trim_offsets": True, "add_prefix_space": s.some()}
        return p
    used = [s.of(known) for _ in range(s.r.randint(0, 3))]
    single = [{"SpecialToken": {"id": t, "type_id": 0}} for t in used]
    single.insert(s.r.randint(0, len(single)), {"Sequence": {"id": "A", "type_id": 0}})
    t = {"type": "TemplateProcessing", "single": single, "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
         "special_tokens": {t: {"id": t, "ids": [ids[t]], "tokens": [t]} for t in used}}
    return {"type": "Sequence", "processors": [byte_level(s), t] if s.some() else [t, byte_level(s)]} if k == "Sequence" else t


def make_tokenizer(s):
    style = s.of(["bytes", "bytes", "llama", "free", "free", "pattern"])
    bytes_level = style in ("bytes", "pattern") or (style == "free" and s.some())
    m = model(s, bytes_level)
    ids = dict(m["vocab"])
    added = []
    for t in s.r.sample(SPECIALS, s.r.randint(0, 9)):
        if t not in ids:
            ids[t] = max(len(m["vocab"]), max(ids.values()) + 1)
        added.append({"id": ids[t]} | flags(s, t))
    norm, pre, dec = None, None, None
    if style == "llama":
        if s.some():
            norm = {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]}
        else:
            pre = metaspace(s)
        dec = s.of([LLAMA_DECODER, metaspace(s)])
    elif style == "bytes":
        norm = {"type": "NFC"} if s.some(0.3) else None
        pre, dec = byte_level(s), byte_level(s)
    elif style == "pattern":
        norm = sequence(s, normalizer, "normalizers", 2) if s.some(0.3) else None
        before = [pre_tokenizer(s) for _ in range(s.r.randint(0, 1))] + [{"type": "Split", "pattern": pattern(s), "behavior": s.of(["Isolated", s.of(BEHAVIORS)]), "invert": s.some(0.1)}]
        before = [p for p in before if p["type"] not in ("ByteLevel", "Metaspace")]
        pre, dec = {"type": "Sequence", "pretokenizers": before + [byte_level(s)]}, byte_level(s)
    else:
        norm = sequence(s, normalizer, "normalizers", 3)
        pre = sequence(s, pre_tokenizer, "pretokenizers", 3)
        dec = sequence(s, decoder, "decoders", 4)
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": sorted(added, key=lambda t: t["id"]), "normalizer": norm,
            "pre_tokenizer": pre, "post_processor": template(s, ids), "decoder": dec, "model": m}, ids


MODEL_TYPES = ["gpt2", "gpt2", "llama", "llama", "roberta", "mistral", "qwen2", "gemma2", "gpt_neox", "phi3", "olmo2", "smollm3"]
CLASSES = [None, "PreTrainedTokenizerFast", "TokenizersBackend", "GPT2Tokenizer", "GPT2TokenizerFast", "LlamaTokenizer", "LlamaTokenizerFast",
           "RobertaTokenizer", "Qwen2Tokenizer", "GemmaTokenizer", "GPTNeoXTokenizer", "NoSuchTokenizer"]
ROLES = ["bos_token", "eos_token", "unk_token", "pad_token", "cls_token", "sep_token", "mask_token"]


def role(s):
    t = s.of(["<s>", "</s>", "<unk>", "<pad>", "<|endoftext|>", "<|x|>", "<mask>", "[NEW]"])
    k = s.r.random()
    if k < 0.7:
        return t
    if k < 0.8:
        return None
    return {"__type": "AddedToken"} | flags(s, t) | {"special": True}


def write_settings(s, root, ids, folder):
    """The files beside tokenizer.json; they lie about nothing that would shift ids."""
    config = {"model_type": s.of(MODEL_TYPES), "vocab_size": 400}
    settings = {k: role(s) for k in ROLES if s.some(0.3)}
    name = s.of(CLASSES)
    if name:
        settings["tokenizer_class"] = name
    for key, values in {"add_prefix_space": [True, False, None], "add_bos_token": [True, False], "add_eos_token": [True, False],
                        "clean_up_tokenization_spaces": [True, False], "legacy": [True, False, None], "model_max_length": [10, 1e30],
                        "split_special_tokens": [True, False], "errors": ["replace"], "padding_side": ["left"]}.items():
        if s.some(0.3 if key != "split_special_tokens" else 0.05):
            settings[key] = s.of(values)
    if s.some(0.6):
        decoder = {}
        for t in root["added_tokens"]:
            t = {k: v for k, v in t.items() if k != "id"} if s.some(0.7) else flags(s, t["content"])
            decoder[str(ids[t["content"]])] = t
        settings["added_tokens_decoder"] = decoder
    if s.some(0.2):
        settings[s.of(["additional_special_tokens", "extra_special_tokens"])] = s.r.sample(["[A]", "<|x|>", "[EXTRA]", "ab"], 2)
    if s.some(0.05):
        settings["image_token"] = "<image>"
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump(config, f)
    if s.some(0.9):
        with open(os.path.join(folder, "tokenizer_config.json"), "w") as f:
            json.dump(settings, f)
    if s.some(0.3):
        with open(os.path.join(folder, "special_tokens_map.json"), "w") as f:
            specials = {k: role(s) for k in ROLES[:4] if s.some(0.4)}
            json.dump({k: {a: b for a, b in v.items() if a != "__type"} if isinstance(v, dict) else v for k, v in specials.items() if v}, f)


class Reference:
    """What `tokenizers` alone, or AutoTokenizer, says."""

    def __init__(self, folder, alone):
        if alone:
            with open(os.path.join(folder, "tokenizer.json"), encoding="utf-8") as f:
                self.backend = tokenizers.Tokenizer.from_str(f.read())
            self.auto = None
        else:
            self.auto = transformers.AutoTokenizer.from_pretrained(folder)
            self.backend = self.auto.backend_tokenizer

    def drops_prepend(self, root):
        steps = [n.get("type") for n in (root["normalizer"] or {}).get("normalizers", [])]
        return (type(self.auto).__name__ == "LlamaTokenizer" and root["pre_tokenizer"] is None and steps == ["Prepend", "Replace"]
                and self.auto.init_kwargs.get("legacy") is True and self.auto.init_kwargs.get("add_prefix_space") is not False)

    def ids(self, text, special):
        if self.auto is not None:
            return self.auto(text, add_special_tokens=special)["input_ids"]
        return self.backend.encode(text, add_special_tokens=special).ids

    def text(self, ids, skip):
        if self.auto is not None:
            return self.auto.decode(ids, skip_special_tokens=skip)
        return self.backend.decode(ids, skip_special_tokens=skip)


class Engram:
    """What `engram model tokenize` says: one run per direction, however many strings."""

    def __init__(self, program, folder):
        self.program, self.folder = program, folder

    def _run(self, lines, *options):
        data = "".join(json.dumps(l) + "\n" for l in lines).encode()
        run = subprocess.run([self.program, "model", "tokenize", "--model", self.folder, *options], input=data, capture_output=True, timeout=120)
        if run.returncode != 0:
            raise ValueError(run.stderr.decode("utf-8", "replace").strip() or f"status {run.returncode}")
        return [json.loads(l) for l in run.stdout.decode().splitlines()]

    def ids(self, texts, special):
        return self._run(texts, *([] if special else ["--no-special-tokens"]))

    def texts(self, lists, skip):
        return self._run(lists, "--decode", *(["--skip-special-tokens"] if skip else []))


def quiet(call):
    """The reference panics on some files; its text on standard error is no use here."""
    sys.stderr.flush()
    kept, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        return call()
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(null)


def compare(seed, program, strings, counts, make_engram=Engram):
    s = Source(seed)
    root, ids = make_tokenizer(s)
    folder = tempfile.mkdtemp(prefix="engram-fuzz-")
    try:
        with open(os.path.join(folder, "tokenizer.json"), "w", encoding="utf-8") as f:
            json.dump(root, f, ensure_ascii=s.some())
        alone = s.some()
        if not alone:
            write_settings(s, root, ids, folder)
        texts = [s.text() for _ in range(strings)]
        engram = make_engram(program, folder)
        try:
            ours = engram.ids(texts, False)
            refusal = None
        except ValueError as error:
            ours, refusal = None, str(error)
        try:
            reference = quiet(lambda: Reference(folder, alone))
            theirs = quiet(lambda: [reference.ids(t, False) for t in texts])
        except BaseException as error:  # a panic of the library is no Exception
            if isinstance(error, KeyboardInterrupt):
                raise
            counts["both refuse" if refusal else "only the reference refuses"] += 1
            if not refusal:
                counts["by message: reference: " + re.sub(r"'[^']*'|\d+", "…", str(error))[:90]] += 1
            return []
        if refusal:
            counts["only Engram refuses"] += 1
            counts["by message: " + re.sub(r"'[^']*'|\d+", "…", refusal.split(": ", 2)[-1])[:150]] += 1
            return []
        if reference.drops_prepend(root):
            counts["by design: Engram keeps LLaMA's Prepend normalizer with legacy true; AutoTokenizer drops it"] += 1
            return []
        counts["tokenizers"] += 1
        counts["pairs"] += len(texts)
        found = []

        def check(what, a, b):
            for text, x, y in zip(texts, a, b):
                if x != y:
                    found.append((seed, folder if alone else folder + " auto", what, text, x, y))

        check("ids", ours, theirs)
        special = quiet(lambda: [reference.ids(t, True) for t in texts])
        check("ids with specials", engram.ids(texts, True), special)
        r = random.Random(seed)
        known = sorted(reference.backend.get_vocab(with_added_tokens=True).values())
        lists = [l if r.random() < 0.6 else [r.choice(known) for _ in range(r.randint(0, 12))] for l in special]
        for skip in (False, True):
            check(f"text, skip {skip}", engram.texts(lists, skip), quiet(lambda: [reference.text(l, skip) for l in lists]))
        return found
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main():
    # The reference takes all memory for about one tokenizer in 4,000; better that this run ends. Go on with another seed.
    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engram", default=".build/release/engram")
    parser.add_argument("--tokenizers", type=int, default=2000)
    parser.add_argument("--strings", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    counts, differences = collections.Counter(), []
    for n in range(options.tokenizers):
        differences += compare(options.seed * 1_000_000 + n, options.engram, options.strings, counts)
        if len(differences) > 50:
            break
    print(f"tokenizers {tokenizers.__version__}, transformers {transformers.__version__}, seed {options.seed}")
    for key, count in sorted(counts.items(), key=lambda item: (item[0].startswith("by message"), -item[1])):
        print(f"{count:8} {key}")
    print(f"{len(differences):8} differences")
    for difference in differences[:20]:
        print("  seed {} ({}): {}: {!r}: Engram {!r}, reference {!r}".format(*difference))
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
