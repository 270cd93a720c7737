"""bf16 against f32: the quickstart's memory trained with both, over paired seeds; curves as SVG, differences as a table.

Every pair has the same seed (LoRA's initial values and the order of the examples), the same base and the same data.
`engram memory train … --precision P --losses FILE` is one training and its measurement on the validation part.

usage: precision.py [--engram PATH] [--study configs/quickstart.yaml] [--seeds 5] [--svg Benchmarks/precision/curves.svg]
"""

import argparse, json, math, subprocess, tempfile, os

# Two-sided 95 % quantiles of Student's t by degrees of freedom.
STUDENT = {2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}
COLORS = {"f32": "#1f5fa8", "bf16": "#c8552b"}


def train(options, precision, seed, folder):
    losses = os.path.join(folder, f"{precision}-{seed}.json")
    command = [
        options.engram, "memory", "train", options.study, "--configuration", options.configuration, "--seed", str(seed),
        "--precision", precision, "--losses", losses]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    return json.load(open(losses)), json.loads(output)


def svg(curves, title):
    width, height, left, bottom, top, right = 720, 420, 60, 50, 40, 20
    steps = max(len(values) for values, _ in curves)
    low = math.log10(min(min(values) for values, _ in curves))
    high = math.log10(max(max(values) for values, _ in curves))
    x = lambda step: left + (width - left - right) * step / max(1, steps - 1)
    y = lambda value: top + (height - top - bottom) * (high - math.log10(value)) / (high - low)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="{left}" y="22" font-size="14">{title}</text>']
    for value in (0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 7, 10):
        if low <= math.log10(value) <= high:
            parts.append(f'<line x1="{left}" x2="{width - right}" y1="{y(value):.1f}" y2="{y(value):.1f}" stroke="#ddd"/>')
            parts.append(f'<text x="{left - 8}" y="{y(value) + 4:.1f}" text-anchor="end">{value:g}</text>')
    for step in range(0, steps, max(1, steps // 6)):
        parts.append(f'<text x="{x(step):.1f}" y="{height - bottom + 18}" text-anchor="middle">{step}</text>')
    parts.append(f'<text x="{(left + width - right) / 2}" y="{height - 10}" text-anchor="middle">step</text>')
    parts.append(f'<text transform="translate(16 {(top + height - bottom) / 2}) rotate(-90)" text-anchor="middle">training loss (nats, log scale)</text>')
    for values, precision in curves:
        points = " ".join(f"{x(step):.1f},{y(value):.1f}" for step, value in enumerate(values))
        dash = ' stroke-dasharray="5 3"' if precision == "bf16" else ""
        parts.append(f'<polyline points="{points}" fill="none" stroke="{COLORS[precision]}" stroke-width="1.2" stroke-opacity="0.7"{dash}/>')
    for index, precision in enumerate(COLORS):
        dash = ' stroke-dasharray="5 3"' if precision == "bf16" else ""
        line = top + 14 + 18 * index
        parts.append(f'<line x1="{width - 150}" x2="{width - 115}" y1="{line}" y2="{line}" stroke="{COLORS[precision]}" stroke-width="2"{dash}/>')
        parts.append(f'<text x="{width - 108}" y="{line + 4}">{precision}</text>')
    return "\n".join(parts + ["</svg>", ""])


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--engram", default=".build/release/engram")
    arguments.add_argument("--study", default="configs/quickstart.yaml")
    arguments.add_argument("--configuration", default='{"layers":[2,3,4,5],"count":1,"rank":16}')
    arguments.add_argument("--seeds", type=int, default=5)
    arguments.add_argument("--svg", default="Benchmarks/precision/curves.svg")
    options = arguments.parse_args()
    curves, rows = [], []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(1, options.seeds + 1):
            results = {}
            for precision in COLORS:
                losses, results[precision] = train(options, precision, seed, folder)
                curves.append((losses, precision))
            pair = [results[precision]["objectives"] for precision in COLORS]
            rows.append((seed, *[(item["loss"], item["rougeL"]) for item in pair]))
    print("| seed | validation loss f32 | bf16 | difference | ROUGE-L f32 | bf16 |\n|---|---|---|---|---|---|")
    for seed, (full, full_rouge), (half, half_rouge) in rows:
        print(f"| {seed} | {full:.4f} | {half:.4f} | {100 * (half - full) / full:+.2f} % | {full_rouge:.3f} | {half_rouge:.3f} |")
    differences = [100 * (half[0] - full[0]) / full[0] for _, full, half in rows]
    count = len(differences)
    mean = sum(differences) / count
    error = math.sqrt(sum((value - mean) ** 2 for value in differences) / (count - 1) / count)
    spread = STUDENT[count - 1] * error
    holds = abs(mean) < 2 or abs(mean) <= spread
    print(f"\nmean difference {mean:+.2f} %, 95 % interval {mean - spread:+.2f} … {mean + spread:+.2f} % (n = {count}): "
          f"{'within' if holds else 'NOT within'} the bar (|mean| < 2 % or the interval contains 0)")
    open(options.svg, "w").write(svg(curves, f"Stage 1 on the quickstart, f32 and bf16, {count} paired seeds"))
    print(options.svg)


main()
