"""Writes one search problem for both sides: noisy observations of the sparse 34-dimensional test function.

32 layer switches, the number of LoRAs 0...32 and five ranks; six layers matter. Both objectives are maximised. The
function is the one that `engram` knows as the analytic problem `sparse34`.

Files in OUT: space.yaml, observations.jsonl and candidates.jsonl (what Engram reads), problem.json with the same numbers
encoded in the unit cube, {"X": N x 34, "Y": N x 2, "candidates": C x 34, "reference": [2]} (what the peer reads).

With --layers above 32 the further switches only count towards the load m. test.json holds the noise-free values of the
candidates: {"values": C x 2}.

usage: make_search_data.py OUT [--points 100] [--candidates 1000] [--seed 1] [--layers 32]
"""

import argparse, json, math, os, random

RANKS = [8, 16, 32, 64, 96]
REFERENCE = (-1.90, 0.22)
SPACE = """space: {layers: LAYERS, count: {min: 0, max: 32}, ranks: [8, 16, 32, 64, 96]}
objectives: [{name: negativeLoss, direction: maximize}, {name: rougeL, direction: maximize}]
"""


def objectives(bits, count, rank):
    important, weights = (2, 7, 13, 18, 23, 29), (0.9, 0.6, 1.0, 0.8, 0.5, 0.7)
    a = [bits[layer] for layer in important]
    g = sum(w * x for w, x in zip(weights, a)) / 4.5
    synergy = 0.35 * a[0] * a[2] - 0.30 * a[1] * a[4] + 0.25 * a[3] * a[5]
    m, h, t = sum(bits) / len(bits), math.log2(rank / 8) / math.log2(12), count / 32
    u = 0.5 * h * g + 0.45 * math.exp(-(((t - (0.25 + 0.3 * h)) / 0.20) ** 2)) * (0.4 + 0.6 * g)
    cap = g + synergy + u
    over = 2.2 * max(0, m - 0.4) ** 2 + 0.6 * max(0, h * m - 0.3)
    memory = 0.6 * a[2] + 0.5 * a[5] - 0.3 * a[0] - 0.2 * a[1]
    loss = 2.2 - 0.85 * math.tanh(0.9 * cap) + 0.25 * over + 0.10 * a[2] * t + 0.06 * a[5] * h
    rouge = (
        0.16 + 0.10 / (1 + math.exp(-3 * (cap - 0.9))) + 0.09 * memory * math.exp(-(((t - 0.80) / 0.30) ** 2))
        + 0.02 * h - 0.05 * over)
    return -loss, rouge


def draw(generator, layers=32):
    """A random configuration that is not NULL (no layers or no LoRAs)."""
    while True:
        bits = [generator.randint(0, 1) for _ in range(layers)]
        count, rank = generator.randint(0, 32), generator.choice(RANKS)
        if any(bits) and count > 0:
            return bits, count, rank


def encoded(bits, count, rank):
    return bits + [count / 32, RANKS.index(rank) / 4]


def configuration(bits, count, rank):
    return {"layers": [layer for layer, bit in enumerate(bits) if bit], "count": count, "rank": rank}


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("out")
    arguments.add_argument("--points", type=int, default=100)
    arguments.add_argument("--candidates", type=int, default=1000)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--layers", type=int, default=32)
    options = arguments.parse_args()
    generator = random.Random(options.seed)
    points = [draw(generator, options.layers) for _ in range(options.points)]
    values = []
    for point in points:
        loss, rouge = objectives(*point)
        values.append([loss + 0.02 * generator.gauss(0, 1), rouge + 0.004 * generator.gauss(0, 1)])
    candidates = [draw(generator, options.layers) for _ in range(options.candidates)]
    os.makedirs(options.out, exist_ok=True)

    def write(name, text):
        with open(os.path.join(options.out, name), "w") as file:
            file.write(text)

    write("space.yaml", SPACE.replace("LAYERS", str(options.layers)))
    write("observations.jsonl", "".join(
        json.dumps({"configuration": configuration(*point),
                    "objectives": {"negativeLoss": value[0], "rougeL": value[1]}}) + "\n"
        for point, value in zip(points, values)))
    write("candidates.jsonl", "".join(json.dumps(configuration(*point)) + "\n" for point in candidates))
    write("problem.json", json.dumps({
        "X": [encoded(*point) for point in points], "Y": values,
        "candidates": [encoded(*point) for point in candidates], "reference": REFERENCE}))
    write("test.json", json.dumps({"values": [objectives(*point) for point in candidates]}))


if __name__ == "__main__":
    main()
