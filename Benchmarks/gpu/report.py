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


def outcome(name):
    """(what became of a step, "" where it is done; seconds)."""
    item = steps.get(name)
    if item is None:
        return "was not asked for", ""
    if "missing" in item:
        return "not run: " + "; ".join(item["missing"]), ""
    return "" if item["status"] == 0 else f"FAILED ({item['status']}), see {name}.log", item["seconds"]


order = ["check", "doctor", "conformance", "sanitizer", "ceiling"]
order += ["make-gpt2", "make-llama"]
order += [shape + part for shape in ("gpt2", "llama") for part in ("", "-engram", "-train", "-generate", "-peers")]
order += ["search"]
print("| step | outcome | seconds |\n|---|---|---:|")
for name in sorted(steps, key=lambda name: order.index(name) if name in order else len(order)):
    text, seconds = outcome(name)
    print(f"| {name} | {text or 'done'} | {seconds} |")
if "sanitizer" not in steps:
    print(f"| sanitizer | not run: {'a rehearsal has no device to watch' if is_rehearsal else 'was not asked for'} | |")


def measured(what, key):
    return next((item[key] for item in reversed(figures) if item.get("measured") == what), None)


product, copy = measured("bf16 product", "tflops"), measured("copy", "terabytesPerSecond")
if product and not is_rehearsal:
    print(f"\nMeasured ceilings: {product:.0f} TFLOP/s in bf16 products, {f'{copy:.2f}' if copy else 'not measured'} TB/s copied.")
elif not product:
    print(f"\nCeilings (bf16 products, copies): not measured ({outcome('ceiling')[0] or 'no figure in ceiling.log'}).")


def peer(shape, case):
    return [item for item in figures if item.get("shape") == shape and item.get("case") == case and "peer" in item]


# FLOPs of LoRA training per token: forward 2 N, gradients of the activations 2 N; no gradients of frozen weights.
parameters = {"llama7b": 32 * (4 * 4096**2 + 3 * 4096 * 11008) + 32000 * 4096, "gpt2": 12 * 12 * 768**2 + 50257 * 768}
shapes = {"gpt2": "gpt2-tiny", "llama": "llama-tiny"} if is_rehearsal else {"gpt2": "gpt2", "llama": "llama7b"}
notes = []


def cell(value, form, reason):
    """A figure, or a mark that a note below the table explains."""
    if value is not None:
        return format(value, form)
    if reason not in notes:
        notes.append(reason)
    return f"not measured ({notes.index(reason) + 1})"


print("\n| shape | case | engram tok/s | best peer tok/s | ratio | engram MiB | peer MiB | ratio | % of the product ceiling | other |")
print("|---|---|---:|---:|---:|---:|---:|---:|---:|---|")
for name, shape in shapes.items():
    for case in ["train", "generate"]:
        own = next(iter(lines(f"{name}-{case}.log")), None)
        ways = peer(shape, case)
        best = max((way for way in ways if "tokensPerSecond" in way), key=lambda way: way["tokensPerSecond"], default={})
        # Why there is nothing: the step itself, or what it needed before.
        whole = outcome(name)[0] if not any(step.startswith((name, f"make-{name}")) for step in steps) or name in steps else ""
        why_own = whole or next((outcome(f"{name}-{part}")[0] for part in ("engram", case) if f"{name}-{part}" in steps
                                 and outcome(f"{name}-{part}")[0]), f"step {name} was not asked for")
        failed = "; ".join(f"{way['mode']}: {way['failed']}" for way in ways if "failed" in way)
        why_peer = whole or failed or outcome(f"{name}-peers")[0] or f"no figure in {name}-peers.log"
        # One note for a step that was not run at all.
        why_own = f"step {name} {whole}" if whole else f"{shape}, {case}, engram: {why_own}"
        why_peer = f"step {name} {whole}" if whole else f"{shape}, {case}, peer: {why_peer}"
        rate, other = own and own["usefulTokensPerSecond"], best.get("tokensPerSecond")
        either = why_peer if own else why_own
        no_memory = ("PyTorch counts no memory on a processor" if is_rehearsal else "the peer counted no memory") if best else \
            why_peer
        memory, peer_memory = own and own["peakMegabytes"], best.get("peakMegabytes")
        share = None
        if rate and product and case == "train" and not is_rehearsal:
            share = 100 * 4 * parameters[shape] * rate / (product * 1e12)
        why_share = "of training only" if case == "generate" else "no ceiling in a rehearsal" if is_rehearsal else \
            either if not own else "the ceiling was not measured"
        remarks = [f"load {own['loadSeconds']:.1f} s"] if own else []
        if own and own.get("turnoverSeconds") is not None:
            remarks.append(f"turnover {own['turnoverSeconds']:.2f} s")
        remarks += [f"{way['mode']} {way['tokensPerSecond']:.0f} tok/s{' (not compiled)' if way['mode'] != 'eager' and not way.get('compiledFrames') else ''}"
                    if "failed" not in way else f"{way['mode']} failed" for way in ways]
        if best:
            remarks.append(f"PyTorch {best.get('torch', '?')}")
        row = [shape, case, cell(rate, ".0f", why_own),
               cell(other, ".0f", why_peer),
               cell(rate / other if rate and other else None, ".2f", either), cell(memory, "d", why_own),
               cell(peer_memory, "d", no_memory), cell(memory / peer_memory if memory and peer_memory else None, ".2f",
                                                       either if not own else no_memory),
               "-" if case == "generate" else cell(share, ".0f", why_share), ", ".join(remarks) or "-"]
        print("| " + " | ".join(str(value) for value in row) + " |")
for number, note in enumerate(notes):
    print(f"\n({number + 1}) {note}")
print()
for name, shape in shapes.items():
    for case in ["train", "generate"]:
        for item in peer(shape, case):
            if "failed" in item:
                print(f"\n{item['peer']} ({item['mode']}), {shape}, {case}: {item['failed']}")

# The short search: its trials as they were listed at its end, and whether its worker was killed on the way.
path = os.path.join(folder, "search.log")
print("Search over 2 configurations: ", end="")
if outcome("search")[0] or not os.path.exists(path):
    print(f"not measured ({outcome('search')[0] or 'no search.log'}).")
else:
    text = open(path).read()
    print(f"done in {outcome('search')[1]} s, {'its worker killed once and started again' if 'the worker was killed' in text else 'its worker was not killed: no trial was seen under way'}.")
    listed = text[text.rfind("\ntrial "):] if "\ntrial " in text else ""
    print(f"\n```\n{listed.strip()}\n```" if listed else "No trials were listed: see search.log.")
