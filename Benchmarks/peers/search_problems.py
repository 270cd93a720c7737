"""Two-objective test problems over discrete grids, as Engram's analytic problems of the same names: for peers.

A point is a list of whole numbers, one level per variable; values are minimised (the values of Engram's file are maximised). Sources: ZDT1, ZDT2 (Zitzler, Deb,
Thiele 2000), DTLZ2 (Deb et al. 2002), Branin-Currin (Belakaria et al. 2019), sparse34 (see make_search_data.py). The
scripts that use them compare their values at every initial point with Engram's.
"""

import math

from make_search_data import RANKS, objectives


def sparse34(levels):
    loss, rouge = objectives(levels[:32], levels[32], RANKS[levels[33]])
    return [-loss, -rouge]


def zdt(number, levels):
    x = [level / 20 for level in levels]
    g = 1 + 9 * sum(x[1:]) / (len(x) - 1)
    return [x[0], g * ((1 - math.sqrt(x[0] / g)) if number == 1 else (1 - (x[0] / g) ** 2))]


def dtlz2(levels):
    x = [level / 20 for level in levels]
    g = sum((value - 0.5) ** 2 for value in x[1:])
    return [(1 + g) * math.cos(x[0] * math.pi / 2), (1 + g) * math.sin(x[0] * math.pi / 2)]


def branin_currin(levels):
    x, y = levels[0] / 100, levels[1] / 100
    a, b = 15 * x - 5, 15 * y
    branin = (b - 5.1 / (4 * math.pi**2) * a * a + 5 / math.pi * a - 6) ** 2
    branin += 10 * (1 - 1 / (8 * math.pi)) * math.cos(a) + 10
    factor = 1 if y == 0 else 1 - math.exp(-1 / (2 * y))
    currin = factor * (2300 * x**3 + 1900 * x * x + 2092 * x + 60) / (100 * x**3 + 500 * x * x + 4 * x + 20)
    return [branin, currin]


PROBLEMS = {
    "sparse34-factors": sparse34, "zdt1": lambda levels: zdt(1, levels), "zdt2": lambda levels: zdt(2, levels),
    "dtlz2": dtlz2, "branin-currin": branin_currin}


def hypervolume(points, reference):
    """Area between minimised points and the reference."""
    area, height = 0.0, reference[1]
    for x, y in sorted(points):
        if x < reference[0] and y < height:
            area += (reference[0] - x) * (height - y)
            height = y
    return area


def curve(points, reference, scale):
    """Normalised hypervolume after each point."""
    result, front = [], []
    for point in points:
        front.append(point)
        result.append(hypervolume(front, reference) / scale)
    return result


def check(problem, runs):
    """The largest difference of this file's values to Engram's at the initial points."""
    difference = 0.0
    for run in runs["sets"]:
        for levels, values in zip(run["initial"], run["values"]):
            difference = max([difference] + [abs(a + b) for a, b in zip(problem(levels), values)])
    if difference > 1e-9:
        raise SystemExit(f"the two sides disagree about {runs['problem']} by {difference}")
