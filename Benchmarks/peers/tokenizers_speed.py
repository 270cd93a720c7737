"""Tokenizing throughput beside the Hugging Face `tokenizers` library, both on one core, and the ids compared.

Two comparisons of the same lines:
- encoding alone, each in its own process: `engram-bench tokenizer`, and loops of `encode` and of `encode_batch_fast` (which
  computes no offsets) in this process;
- JSON strings in, arrays of ids out: `engram model tokenize` less the time of the same command on one line, and the same loops
  with `json`.
The peer's best counts in each. Prints one JSON object; exits 1 when any ids differ.

usage (engram-bench beside engram): tokenizers_speed.py --engram PATH --model DIR [--repeat 3] [--random 20000] FILE...
  (text files; every line is one text; --random adds lines of random characters of all scripts)
"""

import os

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"

import argparse, json, random, subprocess, sys, tempfile, time

import tokenizers


def random_lines(count):
    generator = random.Random(1)
    ranges = [(32, 127), (32, 127), (0xA0, 0x3000), (0x4E00, 0x9FFF), (0x1F300, 0x1FAFF), (0x20, 0x21), (0xAC00, 0xD7A3)]

    def character():
        low, high = generator.choice(ranges)
        return chr(generator.randrange(low, high))

    return ["".join(character() for _ in range(generator.randrange(1, 60))).strip() or "x" for _ in range(count)]


def best(repeat, run):
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        result = run()
        times.append(time.perf_counter() - start)
    return min(times), result


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--engram", default=".build/release/engram")
    arguments.add_argument("--model", required=True)
    arguments.add_argument("--repeat", type=int, default=3)
    arguments.add_argument("--random", type=int, default=0)
    arguments.add_argument("files", nargs="*")
    options = arguments.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    lines = []
    for path in options.files:
        lines += [line for line in open(path, encoding="utf-8", newline="").read().split("\n") if line.strip()]
    lines += random_lines(options.random)
    size = sum(len(line.encode()) for line in lines)
    with tempfile.TemporaryDirectory() as folder:
        def write(name, texts, convert):
            path = os.path.join(folder, name)
            with open(path, "w", encoding="utf-8", newline="") as file:
                file.writelines(convert(text) + "\n" for text in texts)
            return path

        def engram(*words, program=options.engram):
            return subprocess.run([program, *words], check=True, capture_output=True).stdout

        as_json = lambda text: json.dumps(text, ensure_ascii=False)
        everything, one = write("all.jsonl", lines, as_json), write("one.jsonl", lines[:1], as_json)
        tokenize = ["model", "tokenize", "--model", options.model]
        start_up, _ = best(options.repeat, lambda: engram(*tokenize, one))
        with_json, output = best(options.repeat, lambda: engram(*tokenize, everything))
        with_json -= start_up
        ids = [json.loads(line) for line in output.splitlines()]
        alone = json.loads(engram(
            "tokenizer", "--model", options.model, "--repeat", str(options.repeat),
            write("all.txt", lines, str), program=options.engram + "-bench"))

    tokenizer = tokenizers.Tokenizer.from_file(os.path.join(options.model, "tokenizer.json"))
    texts = [as_json(line) for line in lines]
    loop, theirs = best(options.repeat, lambda: [tokenizer.encode(line).ids for line in lines])
    fast, _ = best(options.repeat, lambda: [item.ids for item in tokenizer.encode_batch_fast(lines)])
    loop_json, _ = best(options.repeat, lambda: "\n".join(json.dumps(tokenizer.encode(json.loads(text)).ids) for text in texts))
    fast_json, _ = best(options.repeat, lambda: "\n".join(
        json.dumps(item.ids) for item in tokenizer.encode_batch_fast([json.loads(text) for text in texts])))
    tokens = sum(map(len, theirs))
    different = sum(a != b for a, b in zip(ids, theirs)) + abs(len(ids) - len(theirs))
    print(json.dumps({
        "tokenizers": tokenizers.__version__, "texts": len(lines), "megabytes": size / 1e6, "tokens": tokens,
        "textsThatDiffer": different, "load": os.getloadavg()[0],
        "engram": {
            "seconds": alone["seconds"], "firstSeconds": alone["firstSeconds"], "secondsWithJSON": with_json,
            "startSeconds": start_up, "tokensPerSecond": tokens / alone["seconds"],
            "tokensPerSecondWithJSON": tokens / with_json},
        "peer": {
            "encodeSeconds": loop, "encodeBatchFastSeconds": fast, "encodeSecondsWithJSON": loop_json,
            "encodeBatchFastSecondsWithJSON": fast_json, "tokensPerSecond": tokens / min(loop, fast),
            "tokensPerSecondWithJSON": tokens / min(loop_json, fast_json)},
        "ratio": min(loop, fast) / alone["seconds"], "ratioFirstPass": min(loop, fast) / alone["firstSeconds"],
        "ratioWithJSON": min(loop_json, fast_json) / with_json}, indent=1))
    sys.exit(0 if different == 0 else 1)


main()
