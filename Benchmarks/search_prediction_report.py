"""Root mean square error and log predictive density of the predictions in a folder that search_prediction.sh made.

The log density is that of a new noisy observation, in expectation over its noise (whose size is known here).

usage: search_prediction_report.py OUT
"""

import glob, json, math, os, statistics, sys

NOISE = {"negativeLoss": 0.02, "rougeL": 0.004}
TITLES = {"default": "Engram, four pooled chains (default)", "timings": "Engram, NUTS 256 + 128",
          "botorch": "BoTorch, NUTS 256 + 128"}


def scores(path, name, truth):
    with open(path) as file:
        rows = [json.loads(line) for line in file]
    noise, squares, densities = NOISE[name], [], []
    for row, value in zip(rows, truth):
        square, variance = (row["mean"][name] - value) ** 2, row["variance"][name] + noise**2
        squares.append(square)
        densities.append(-0.5 * math.log(2 * math.pi * variance) - 0.5 * (square + noise**2) / variance)
    return math.sqrt(statistics.fmean(squares)), statistics.fmean(densities)


def spread(values, digits):
    error = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else float("nan")
    return f"{statistics.fmean(values):.{digits}f} ± {error:.{digits}f}"


def main(out):
    with open(os.path.join(out, "test.json")) as file:
        values = json.load(file)["values"]
    print("| | seeds | " + " | ".join(f"{name}: error | log density" for name in NOISE) + " |")
    print("|---|---|" + "---|" * 4)
    for kind, title in TITLES.items():
        paths = sorted(glob.glob(os.path.join(out, kind + ".*.jsonl")))
        if not paths:
            continue
        cells = []
        for column, name in enumerate(NOISE):
            found = [scores(path, name, [row[column] for row in values]) for path in paths]
            cells += [spread([error for error, _ in found], 5), spread([density for _, density in found], 3)]
        print(f"| {title} | {len(paths)} | " + " | ".join(cells) + " |")
    print("\nMean over the seeds ± standard error.")


main(sys.argv[1])
