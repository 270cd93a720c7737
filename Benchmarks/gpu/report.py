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
is_rehearsal = any(item.get("rehearsal") for item in figures)
if is_rehearsal:
    print("**Rehearsal on the processor with tiny shapes: the figures mean nothing.**\n")
machine = os.path.join(folder, "nvidia-smi.txt")
if not is_rehearsal and os.path.exists(machine):
    names = [line.strip("| \n") for line in open(machine) if "NVIDIA" in line and "|" in line]
    print("\n".join(names[:2]) + "\n")

# The last word on each step counts.
steps = {item["step"]: item for item in figures if "step" in item}
print("| step | outcome | seconds |\n|---|---|---|")
for name, item in steps.items():
    if "missing" in item:
        print(f"| {name} | not run: {'; '.join(item['missing'])} | |")
    else:
        print(f"| {name} | {'done' if item['status'] == 0 else 'FAILED (%d), see %s.log' % (item['status'], name)} | {item['seconds']} |")

product = next((item["tflops"] for item in reversed(figures) if item.get("measured") == "bf16 product"), None)
copy = next((item["terabytesPerSecond"] for item in reversed(figures) if item.get("measured") == "copy"), None)
if product and not is_rehearsal:
    print(f"\nMeasured ceilings: {product:.0f} TFLOP/s in bf16 products, {copy or 0:.2f} TB/s copied.")


def peer(shape, case):
    return [item for item in figures if item.get("shape") == shape and item.get("case") == case and "tokensPerSecond" in item]


# FLOPs of LoRA training per token: forward 2 N, gradients of the activations 2 N; no gradients of frozen weights.
parameters = {"llama7b": 32 * (4 * 4096**2 + 3 * 4096 * 11008) + 32000 * 4096, "gpt2": 12 * 12 * 768**2 + 50257 * 768}
rows = []
shapes = {"gpt2": "gpt2-tiny", "llama": "llama-tiny"} if is_rehearsal else {"gpt2": "gpt2", "llama": "llama7b"}
for name, shape in shapes.items():
    for case in ["train", "generate"]:
        own = next(iter(lines(f"{name}-{case}.log")), None)
        best = max(peer(shape, case), key=lambda item: item["tokensPerSecond"], default=None)
        if not own and not best:
            continue
        rate = own and own["usefulTokensPerSecond"]
        share = ""
        if rate and product and case == "train" and not is_rehearsal:
            share = f"{100 * 4 * parameters[shape] * rate / (product * 1e12):.0f} %"
        other = [f"load {own['loadSeconds']:.1f} s"] if own else []
        if own and own.get("turnoverSeconds") is not None:
            other.append(f"turnover {own['turnoverSeconds']:.2f} s")
        if best:
            other.append(f"peer: {best['mode']}, PyTorch {best.get('torch', '?')}")
        memory = own and best and best.get("peakMegabytes") and own["peakMegabytes"] / best["peakMegabytes"]
        rows.append([
            shape, case, f"{rate:.0f}" if rate else "-", f"{best['tokensPerSecond']:.0f}" if best else "-",
            f"{rate / best['tokensPerSecond']:.2f}" if rate and best else "-", own["peakMegabytes"] if own else "-",
            best.get("peakMegabytes", "-") if best else "-", f"{memory:.2f}" if memory else "-", share, ", ".join(other)])
if rows:
    print("\n| shape | case | engram tok/s | best peer tok/s | ratio | engram MiB | peer MiB | ratio | % of the product ceiling | other |")
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|---|")
    for row in rows:
        print("| " + " | ".join(str(value) for value in row) + " |")
else:
    print("\nNothing was measured.")
for item in figures:
    if "failed" in item:
        print(f"\n{item.get('peer')} ({item.get('mode')}), {item.get('shape')}, {item.get('case')}: {item['failed']}")
