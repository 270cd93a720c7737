"""Loads adapters that Engram wrote into Hugging Face transformers + PEFT and compares the logits with Engram's own.

Every variant of `engram memory export` is checked on the same token ids: the adapter as it was saved (peft), one rank for
all modules (uniform), and the base with the memory in its weights (merged). Prints one JSON object and exits 1 when any
difference is above the tolerance, or when the memory changes nothing at all (then the comparison would prove nothing).

usage: check_adapter.py --engram PATH --model BASE --adapter DIR [--lines FILE] [--tolerance 1e-4]
"""

import argparse, json, os, subprocess, sys, tempfile

import peft, safetensors.torch, torch, transformers
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

LINES = ["My name is Anna and I live in", "Doctor, I have a headache since Monday.", "What should I eat today?"]


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--engram", default=".build/release/engram")
    arguments.add_argument("--model", required=True)
    arguments.add_argument("--adapter", required=True)
    arguments.add_argument("--lines", help="text, one line per sequence")
    arguments.add_argument("--tolerance", type=float, default=1e-4)
    options = arguments.parse_args()
    torch.set_num_threads(2)
    lines = LINES
    if options.lines:
        lines = [line.rstrip("\n") for line in open(options.lines, encoding="utf-8") if line.strip()]
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = AutoTokenizer.from_pretrained(options.model)
        ids = [tokenizer(line)["input_ids"] for line in lines]
        data = os.path.join(folder, "lines.jsonl")
        with open(data, "w") as file:
            for row in ids:
                file.write(json.dumps({"ids": row, "labels": row}) + "\n")

        def engram(*command):
            return subprocess.run([options.engram, *command], check=True, capture_output=True, text=True).stdout

        def ours(name, model, adapter=None):
            """Engram's logits in exact arithmetic."""
            path = os.path.join(folder, name + ".safetensors")
            extra = ["--adapter", adapter] if adapter else []
            engram("model", "loss", "--model", model, *extra, "--dtype", "f32", "--data", data, "--logits", path)
            tensors = safetensors.torch.load_file(path)
            return [tensors[f"logits.{line}"] for line in range(len(ids))]

        def theirs(model, adapter=None):
            base = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
            if adapter:
                base = PeftModel.from_pretrained(base, adapter)
            base.eval()
            with torch.no_grad():
                return [base(input_ids=torch.tensor([row])).logits[0] for row in ids]

        def difference(left, right):
            assert all(a.shape == b.shape for a, b in zip(left, right)), "shapes differ"
            return max(float((a - b).abs().max()) for a, b in zip(left, right))

        uniform, merged = os.path.join(folder, "uniform"), os.path.join(folder, "merged")
        for kind, output in (("uniform", uniform), ("merged", merged)):
            engram("memory", "export", "--model", options.model, "--adapter", options.adapter, "--to", kind,
                   "--output", output)
        reference = ours("adapter", options.model, options.adapter)
        base = ours("base", options.model)
        report = {
            "transformers": transformers.__version__, "peft": peft.__version__, "torch": torch.__version__,
            "sequences": len(ids), "tokens": sum(map(len, ids)),
            "largestLogit": max(float(a.abs().max()) for a in reference),
            "memoryMovesLogitsBy": difference(reference, base),
            "maxDifference": {
                "base, transformers": difference(base, theirs(options.model)),
                "adapter, PEFT": difference(reference, theirs(options.model, options.adapter)),
                "uniform, PEFT": difference(reference, theirs(options.model, uniform)),
                "uniform, Engram": difference(reference, ours("uniform", options.model, uniform)),
                "merged, transformers": difference(reference, theirs(merged)),
                "merged, Engram": difference(reference, ours("merged", merged)),
            },
        }
        report["tolerance"] = options.tolerance
        report["passed"] = (
            report["memoryMovesLogitsBy"] > 100 * options.tolerance
            and max(report["maxDifference"].values()) <= options.tolerance)
        print(json.dumps(report, indent=1))
    sys.exit(0 if report["passed"] else 1)


main()
