"""Tables (Markdown) and curves (SVG) of a folder that search_quality.sh made.

usage: search_quality_report.py OUT SVG-FOLDER
"""

import glob, json, math, os, statistics, sys

TITLES = {
    "saas-nehvi": "Engram", "nsga2": "Engram's NSGA-II", "sobol": "Sobol", "random": "random",
    "pymoo-nsga2": "pymoo NSGA-II", "pymoo-nsga2-mixed": "pymoo NSGA-II, mixed operators", "botorch": "BoTorch"}
# Okabe and Ito: apart for colour-blind readers.
COLORS = {
    "saas-nehvi": "#0072b2", "pymoo-nsga2": "#d55e00", "pymoo-nsga2-mixed": "#e69f00", "botorch": "#009e73",
    "nsga2": "#cc79a7", "sobol": "#56b4e9", "random": "#8a8f98"}


def student(freedom):
    """The 97.5 % quantile of Student's t, by bisection on its distribution function (Simpson's rule)."""
    def below(t, steps=400):
        scale = math.gamma((freedom + 1) / 2) / math.sqrt(freedom * math.pi) / math.gamma(freedom / 2)
        density = lambda x: scale * (1 + x * x / freedom) ** (-(freedom + 1) / 2)
        h = t / steps
        inner = sum((4 if k % 2 else 2) * density(k * h) for k in range(1, steps))
        return 0.5 + h / 3 * (density(0) + inner + density(t))
    low, high = 0.0, 100.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) < 0.975 else (low, middle)
    return low


def interval(values):
    """Mean, half-width of its 95 % interval."""
    if len(values) < 2:
        return statistics.fmean(values), float("nan")
    return statistics.fmean(values), student(len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values))


def paired(runs, sampler, step):
    """Differences of the first sampler to this one over the sets that both searched."""
    first = runs["samplers"][0]
    return [run["curves"][first][step - 1] - run["curves"][sampler][step - 1]
            for run in runs["sets"] if sampler in run["curves"]]


def names(runs):
    found = {name for run in runs["sets"] for name in run["curves"]}
    return [name for name in COLORS if name in found]


def table(runs):
    initial, budget, count = runs["initial"], runs["budget"], len(runs["sets"])
    steps = [initial] + [step for step in (25, 30, 40, 50, 60, 80, 100) if initial < step <= budget]
    print(f"\n### {runs['problem']}: {count} sets of {initial}, rounds of {runs['batch']}\n")
    print("| | n | " + " | ".join(f"{step}" for step in steps) + " |")
    print("|---|---|" + "---|" * len(steps))
    for name in names(runs):
        curves = [run["curves"][name] for run in runs["sets"] if name in run["curves"]]
        cells = ["{:.3f} ± {:.3f}".format(*interval([curve[step - 1] for curve in curves])) for step in steps]
        print(f"| {TITLES[name]} | {len(curves)} | " + " | ".join(cells) + " |")
    for name in names(runs)[1:]:
        rows = [paired(runs, name, step) for step in steps]
        cells = ["{:+.3f} ± {:.3f}".format(*interval(row)) for row in rows]
        print(f"| **ahead of {TITLES[name]}** | {len(rows[0])} | " + " | ".join(cells) + " |")
    for name, counts in runs.get("evaluationsToReach", {}).items():
        numbers = sorted(math.inf if value is None else value for value in counts)
        middle = statistics.median(numbers)
        print(f"\n{TITLES[name]} needs {'more than ' + str(runs['long']) if middle == math.inf else f'{middle:.0f}'} "
              f"evaluations (median; {sum(value < math.inf for value in numbers)} of {len(numbers)} get there within "
              f"{runs['long']}) for Engram's hypervolume at {budget}.")
    seconds = [run["seconds"][runs["samplers"][0]] for run in runs["sets"]]
    per = statistics.fmean(seconds) / (budget - initial)
    print(f"\nEngram: {per:.3f} s per proposal on one thread; "
          f"{sum(run['fallbacks'][runs['samplers'][0]] for run in runs['sets'])} fallbacks.")


def summary(all_runs):
    """One line per problem and number of evaluations: Engram, and how far it is ahead of the others."""
    others = [name for name in COLORS if name != "saas-nehvi" and any(name in names(runs) for runs in all_runs)]
    print("| problem | evaluations | Engram | " + " | ".join(f"ahead of {TITLES[name]}" for name in others) + " |")
    print("|---|---|---|" + "---|" * len(others))
    for runs in all_runs:
        for step in (25, 30, 40, 60, 100):
            if not runs["initial"] < step <= runs["budget"]:
                continue
            cells = ["{:.3f} ± {:.3f}".format(
                *interval([run["curves"][runs["samplers"][0]][step - 1] for run in runs["sets"]]))]
            for name in others:
                row = paired(runs, name, step)
                cells.append(("{:+.3f} ± {:.3f}".format(*interval(row)) if len(row) > 1 else f"{row[0]:+.3f}")
                             + (f" (n = {len(row)})" if len(row) < len(runs["sets"]) else "") if row else "")
            print(f"| {runs['problem']} | {step} | " + " | ".join(cells) + " |")


def picture(runs):
    """Mean curves with 95 % bands."""
    width, height, left, right, top, bottom = 720, 440, 70, 20, 86, 54
    series = []
    for name in names(runs):
        curves = [run["curves"][name] for run in runs["sets"] if name in run["curves"]]
        if len(curves) < len(runs["sets"]):
            continue  # A mean over fewer sets is no curve beside the others.
        rows = [interval([curve[step] for curve in curves]) for step in range(runs["budget"])]
        series.append((name, rows))
    begin = runs["initial"]
    low = min(mean - half for _, rows in series for mean, half in rows[begin - 1:])
    high = max(mean + half for _, rows in series for mean, half in rows[begin - 1:])
    low, high = max(0, low - 0.03 * (high - low)), min(1.02, high + 0.03 * (high - low))
    x = lambda k: left + (k - begin) / (runs["budget"] - begin) * (width - left - right)
    y = lambda v: height - bottom - (v - low) / (high - low) * (height - top - bottom)
    body = [f'<rect width="{width}" height="{height}" fill="#ffffff"/>']

    def text(string, px, py, size=11, anchor="start", color="#6b7280", extra=""):
        body.append(f'<text x="{px:.1f}" y="{py:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{color}"{extra}>'
                    f'{string}</text>')

    text(f"Search on {runs['problem']}", left, 26, 17, color="#111827", extra=' font-weight="600"')
    text(f"mean of {len(runs['sets'])} initial sets of {begin}, 95 % interval; rounds of {runs['batch']}", left, 45, 12)
    step = 10 ** math.floor(math.log10(high - low))
    step = next(step * f for f in (0.1, 0.2, 0.5, 1, 2) if (high - low) / (step * f) <= 8)
    for k in range(math.ceil(low / step), math.floor(high / step) + 1):
        body.append(f'<line x1="{left}" x2="{width - right}" y1="{y(k * step):.1f}" y2="{y(k * step):.1f}" '
                    'stroke="#f0f1f3"/>')
        text(f"{k * step:.3g}", left - 8, y(k * step) + 4, anchor="end")
    for k in range(begin, runs["budget"] + 1, 10):
        text(str(k), x(k), height - bottom + 18, anchor="middle")
    body.append(f'<path d="M{left} {top}V{height - bottom}H{width - right}" fill="none" stroke="#9ca3af"/>')
    text("evaluations", (left + width - right) / 2, height - 14, 12.5, "middle", "#374151")
    text("normalised hypervolume", 18, (top + height - bottom) / 2, 12.5, "middle", "#374151",
         f' transform="rotate(-90 18 {(top + height - bottom) / 2})"')
    column = left
    for name, rows in reversed(series):
        points = list(range(begin, runs["budget"] + 1))
        upper = [(x(k), y(min(high, rows[k - 1][0] + rows[k - 1][1]))) for k in points]
        lower = [(x(k), y(max(low, rows[k - 1][0] - rows[k - 1][1]))) for k in reversed(points)]
        line = " ".join(f"{a:.1f},{b:.1f}" for a, b in upper + lower)
        body.append(f'<polygon points="{line}" fill="{COLORS[name]}" fill-opacity="0.13"/>')
        line = " ".join(f"{x(k):.1f},{y(rows[k - 1][0]):.1f}" for k in points)
        body.append(f'<polyline points="{line}" fill="none" stroke="{COLORS[name]}" stroke-width="2.2"/>')
    for name, _ in series:
        title = TITLES[name].replace(", mixed operators", " (mixed)")
        body.append(f'<circle cx="{column + 5}" cy="64" r="4.5" fill="{COLORS[name]}"/>')
        text(title, column + 14, 68, 11.5, color="#374151")
        column += 6.3 * len(title) + 28
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
            'role="img" font-family="ui-sans-serif, system-ui, Arial, sans-serif">\n' + "\n".join(body) + "\n</svg>\n")


def main(out, pictures):
    os.makedirs(pictures, exist_ok=True)
    all_runs = []
    for path in sorted(glob.glob(os.path.join(out, "*.json"))):
        with open(path) as file:
            all_runs.append(json.load(file))
    summary(all_runs)
    for runs in all_runs:
        table(runs)
        with open(os.path.join(pictures, runs["problem"] + ".svg"), "w") as file:
            file.write(picture(runs))


main(*sys.argv[1:3])
