"""All figures of a run in one table. usage: report.py RESULTS"""

import json, os, sys

folder = sys.argv[1]


def lines(name):
    path = os.path.join(folder, name)
    for line in open(path) if os.path.exists(path) else []:
        if line.startswith("{"):
            try:
                yield json.loads(line)
            except ValueError:
                pass


figures = list(lines("figures.jsonl"))
print("| step | outcome | seconds |\n|---|---|---|")
for item in figures:
    if "step" in item:
        print(f"| {item['step']} | {'done' if item['status'] == 0 else 'FAILED (%d)' % item['status']} | {item['seconds']} |")

product = next((item["tflops"] for item in figures if item.get("measured") == "bf16 product"), None)
copy = next((item["terabytesPerSecond"] for item in figures if item.get("measured") == "copy"), None)
if product:
    print(f"\nMeasured ceilings: {product:.0f} TFLOP/s in bf16 products, {copy or 0:.2f} TB/s copied.")


def peer(shape, case):
    return [item for item in figures if item.get("shape") == shape and item.get("case") == case and "tokensPerSecond" in item]


# FLOPs of LoRA training per token: forward 2 N, gradients of the activations 2 N; no gradients of frozen weights.
parameters = {"llama7b": 32 * (4 * 4096**2 + 3 * 4096 * 11008) + 32000 * 4096, "gpt2": 12 * 12 * 768**2 + 50257 * 768}
print("\n| shape | case | engram tok/s | best peer tok/s | ratio | engram MiB | peer MiB | % of the product ceiling | other |")
print("|---|---|---|---|---|---|---|---|---|")
for shape in ["gpt2", "llama7b"]:
    for case, log in [("train", "train"), ("generate", "generate")]:
        name = "llama" if shape == "llama7b" else shape
        own = next(iter(lines(f"{name}-{log}.log")), None)
        rivals = peer(shape, case)
        best = max(rivals, key=lambda item: item["tokensPerSecond"], default=None)
        if not own and not best:
            continue
        rate = own and own["usefulTokensPerSecond"]
        share = ""
        if rate and product and case == "train":
            share = f"{100 * 4 * parameters[shape] * rate / (product * 1e12):.0f} %"
        other = [f"load {own['loadSeconds']:.1f} s"] if own else []
        if own and own.get("turnoverSeconds") is not None:
            other.append(f"turnover {own['turnoverSeconds']:.2f} s")
        if best and best.get("mode"):
            other.append(f"peer: {best['mode']}")
        print(f"| {shape} | {case} | {'%.0f' % rate if rate else '-'} | {'%.0f' % best['tokensPerSecond'] if best else '-'} "
              f"| {'%.2f' % (rate / best['tokensPerSecond']) if rate and best else '-'} | {own['peakMegabytes'] if own else '-'} "
              f"| {best.get('peakMegabytes', '-') if best else '-'} | {share} | {', '.join(other)} |")
