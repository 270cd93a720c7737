"""Tokenizing throughput beside the Hugging Face `tokenizers` library, both on one core, and the ids compared.

Engram is measured as its command (JSON strings in, arrays of ids out) less the time of the same command on one line; the
peer as a loop of `encode` in this process, without and with the same JSON. Prints one JSON object; exits 1 when any ids differ.

usage: tokenizers_speed.py --engram PATH --model DIR [--repeat 3] FILE...   (text files; every line is one text)
"""

import os

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"

import argparse, json, subprocess, sys, tempfile, time

import tokenizers


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--engram", default=".build/release/engram")
    arguments.add_argument("--model", required=True)
    arguments.add_argument("--repeat", type=int, default=3)
    arguments.add_argument("files", nargs="+")
    options = arguments.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    lines = []
    for path in options.files:
        lines += [line for line in open(path, encoding="utf-8").read().split("\n") if line.strip()]
    size = sum(len(line.encode()) for line in lines)
    with tempfile.TemporaryDirectory() as folder:
        def write(name, texts):
            path = os.path.join(folder, name)
            with open(path, "w", encoding="utf-8") as file:
                file.writelines(json.dumps(text, ensure_ascii=False) + "\n" for text in texts)
            return path

        def ours(path):
            start = time.perf_counter()
            output = subprocess.run(
                [options.engram, "model", "tokenize", "--model", options.model, path], check=True, capture_output=True)
            return time.perf_counter() - start, output.stdout

        everything, one = write("all.jsonl", lines), write("one.jsonl", lines[:1])
        start_up = min(ours(one)[0] for _ in range(options.repeat))
        runs = [ours(everything) for _ in range(options.repeat)]
        seconds = min(run[0] for run in runs) - start_up
        ids = [json.loads(line) for line in runs[0][1].splitlines()]

    tokenizer = tokenizers.Tokenizer.from_file(os.path.join(options.model, "tokenizer.json"))
    texts = [json.dumps(line, ensure_ascii=False) for line in lines]
    times, with_json = [], []
    for _ in range(options.repeat):
        start = time.perf_counter()
        theirs = [tokenizer.encode(line).ids for line in lines]
        times.append(time.perf_counter() - start)
        start = time.perf_counter()
        "\n".join(json.dumps(tokenizer.encode(json.loads(text)).ids) for text in texts)
        with_json.append(time.perf_counter() - start)
    tokens = sum(map(len, theirs))
    different = sum(a != b for a, b in zip(ids, theirs)) + abs(len(ids) - len(theirs))
    print(json.dumps({
        "tokenizers": tokenizers.__version__, "texts": len(lines), "megabytes": size / 1e6, "tokens": tokens,
        "textsThatDiffer": different, "load": os.getloadavg()[0],
        "engram": {"seconds": seconds, "startSeconds": start_up, "tokensPerSecond": tokens / seconds},
        "peer": {"seconds": min(times), "tokensPerSecond": tokens / min(times), "secondsWithJSON": min(with_json)},
        "ratio": min(times) / seconds, "ratioWithJSON": min(with_json) / seconds}, indent=1))
    sys.exit(0 if different == 0 else 1)


main()
