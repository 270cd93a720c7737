"""NSGA-II of pymoo from the initial sets of `engram-bench quality`: the same sets, the same noise by evaluation.

Whole-number variables as pymoo's guide for discrete problems has them: simulated binary crossover and polynomial
mutation (eta 3, probability 1) on real numbers, rounded; `--mixed` uses its mixed-variable operators instead (uniform
crossover and bit flips for switches). Population = the initial set, as many children per generation as Engram has
proposals per round, duplicates removed. Adds the curves to the file under "pymoo-nsga2" or "pymoo-nsga2-mixed".

`--long B` searches with B evaluations instead and only notes how many it takes to the first sampler's last value.

usage: pymoo_search.py RUNS.json [--mixed] [--long B]
"""

import argparse, json, time

import numpy
import pymoo
from pymoo.algorithms.moo.nsga2 import NSGA2, RankAndCrowdingSurvival
from pymoo.core.mixed import MixedVariableDuplicateElimination, MixedVariableGA
from pymoo.core.population import Population
from pymoo.core.problem import ElementwiseProblem
from pymoo.core.termination import NoTermination
from pymoo.core.variable import Binary, Integer
from pymoo.operators.crossover.sbx import SBX
from pymoo.operators.mutation.pm import PM
from pymoo.operators.repair.rounding import RoundingRepair

from search_problems import PROBLEMS, check, curve


class Grid(ElementwiseProblem):
    """Counts evaluations, adds the noise of each and remembers the noise-free values."""

    def __init__(self, function, runs, noise, mixed):
        self.function, self.noise, self.mixed, self.points = function, noise, mixed, []
        top = [count - 1 for count in runs["levels"]]
        if mixed:
            variables = {f"x{i}": Binary() if t == 1 else Integer(bounds=(0, t)) for i, t in enumerate(top)}
            super().__init__(vars=variables, n_obj=2)
        else:
            super().__init__(n_var=len(top), n_obj=2, xl=0, xu=numpy.array(top), vtype=int)

    def _evaluate(self, x, out, *args, **kwargs):
        levels = [int(x[f"x{i}"]) for i in range(len(x))] if self.mixed else [int(value) for value in x]
        values = self.function(levels)
        self.points.append(values)
        # The file's noise is added to maximised objectives. Past its end there is none left: begin again.
        noise = self.noise[(len(self.points) - 1) % len(self.noise)]
        out["F"] = [value - error for value, error in zip(values, noise)]


def algorithm(runs, initial, mixed):
    size, children = len(initial), runs["batch"]
    if mixed:
        rows = [{f"x{i}": bool(level) if runs["levels"][i] == 2 else level for i, level in enumerate(row)}
                for row in initial]
        return MixedVariableGA(
            pop_size=size, n_offsprings=children, sampling=Population.new("X", rows),
            survival=RankAndCrowdingSurvival(), eliminate_duplicates=MixedVariableDuplicateElimination())
    return NSGA2(
        pop_size=size, n_offsprings=children, sampling=numpy.array(initial),
        crossover=SBX(prob=1.0, eta=3.0, vtype=float, repair=RoundingRepair()),
        mutation=PM(prob=1.0, eta=3.0, vtype=float, repair=RoundingRepair()), eliminate_duplicates=True)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("runs")
    arguments.add_argument("--mixed", action="store_true")
    arguments.add_argument("--long", type=int)
    options = arguments.parse_args()
    runs = json.load(open(options.runs))
    function = PROBLEMS[runs["problem"]]
    check(function, runs)
    budget = options.long or runs["budget"]
    name = "pymoo-nsga2-mixed" if options.mixed else "pymoo-nsga2"
    counts = []
    reference = [-value for value in runs["reference"]]
    for index, run in enumerate(runs["sets"]):
        problem = Grid(function, runs, run["noise"], options.mixed)
        search = algorithm(runs, run["initial"], options.mixed)
        search.setup(problem, seed=runs["seed"] + index, termination=NoTermination())
        start = time.perf_counter()
        while len(problem.points) < budget and search.has_next():
            search.next()
        seconds = time.perf_counter() - start
        values = curve(problem.points[:budget], reference, runs["scale"])
        given = len(run["initial"])
        ours = run["curves"][runs["samplers"][0]]
        if options.long:
            reached = next((k + 1 for k, value in enumerate(values) if value >= ours[-1]), None)
            counts.append(reached)
        else:
            run["seconds"][name] = seconds
            run["curves"][name] = values + [values[-1]] * (budget - len(values))
        if max(abs(a - b) for a, b in zip(values[:given], ours[:given])) > 1e-9:
            raise SystemExit("the curves differ at the initial points: the peer did not start from them")
    if options.long:
        runs["long"] = budget
        runs.setdefault("evaluationsToReach", {})[name] = counts
    runs.setdefault("versions", {})["pymoo"] = pymoo.__version__
    with open(options.runs, "w") as file:
        json.dump(runs, file)


main()
