"""A table of the lines that engine.sh prints: medians and the extremes of every case, ratios of each pair.

usage: Benchmarks/engine.sh gpt2-small | python3 Benchmarks/engine_report.py
"""

import json, statistics, sys

ours, peers = {}, {}
for line in sys.stdin:
    if line.startswith("#"):
        print(line.strip())
        continue
    name, _, text = line.partition("{")
    if not text:
        continue
    report, words = json.loads("{" + text), name.split()
    case = (report["shape"], report.get("kind") or report["case"])
    rate = report.get("usefulTokensPerSecond") or report["tokensPerSecond"]
    side = ours if words[0] == "engram" else peers
    side.setdefault(case, {}).setdefault(" ".join(words[1:]), []).append((rate, report))


def spread(values):
    values = sorted(values)
    return f"{statistics.median(values):,.0f} ({values[0]:,.0f}-{values[-1]:,.0f})"


print("| shape, case | Engram | tokens/s | peer | tokens/s | ratio of medians | of each pair | MB, Engram / peer "
      "| share of products | product rate / limit, GFLOP/s |")
print("|---|---|---|---|---|---|---|---|---|---|")
for case, kinds in ours.items():
    others = peers.get(case)
    # The peer's fastest way counts.
    best = max(others, key=lambda kind: statistics.median(rate for rate, _ in others[kind])) if others else None
    for kind, runs in kinds.items():
        rates = [rate for rate, _ in runs]
        middle = sorted(runs, key=lambda run: run[0])[len(runs) // 2][1]
        cells = [f"{case[0]}, {case[1]}", kind, spread(rates)]
        if best:
            theirs = [rate for rate, _ in others[best]]
            megabytes = statistics.median(report["peakMegabytes"] for _, report in others[best])
            cells += [
                best, spread(theirs), f"{statistics.median(rates) / statistics.median(theirs):.2f}",
                ", ".join(f"{a / b:.2f}" for a, b in zip(rates, theirs)),
                f"{middle['peakMegabytes']:,} / {megabytes:,.0f}"]
        else:
            cells += ["", "", "", "", f"{middle['peakMegabytes']:,} / -"]
        cells += [f"{middle['productShare']:.2f}", f"{middle['productGigaflops']:,.0f} / {middle['limitGigaflops']:,.0f}"]
        print("| " + " | ".join(cells) + " |")
