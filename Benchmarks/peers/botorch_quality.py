"""BoTorch's search from the initial sets of `engram-bench quality`: the same sets, the same noise by evaluation.

The settings of the stored reference runs on the sparse function: SAAS by NUTS 128 + 64, every 8th kept; qNEHVI with 64
Sobol samples, pruned baseline, known reference point; rounds chosen one point after the other, the earlier ones of a
round pending. The points stay on the grid: BoTorch's own `optimize_acqf_discrete_local_search` (Hamming neighbours),
observed points excluded. Adds the curves to the file under "botorch" and saves after every set.

usage: botorch_quality.py RUNS.json [--sets 1] [--warmup 128 --samples 64 --thinning 8] [--restarts 5 --raw 256]
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse, json, time, warnings

import botorch, torch
from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
from botorch.acquisition.multi_objective.monte_carlo import qNoisyExpectedHypervolumeImprovement
from botorch.fit import fit_fully_bayesian_model_nuts
from botorch.models import ModelListGP
from botorch.models.fully_bayesian import SaasFullyBayesianSingleTaskGP
from botorch.models.transforms import Standardize
from botorch.optim.optimize import optimize_acqf_discrete_local_search
from botorch.sampling.normal import SobolQMCNormalSampler

from search_problems import PROBLEMS, check, curve


def models(X, Y, options, seed):
    found = []
    for outcome in range(Y.shape[1]):
        model = SaasFullyBayesianSingleTaskGP(X, Y[:, outcome:outcome + 1], outcome_transform=Standardize(1))
        fit_fully_bayesian_model_nuts(
            model, warmup_steps=options.warmup, num_samples=options.samples, thinning=options.thinning,
            disable_progbar=True, seed=seed + outcome)
        found.append(model)
    return ModelListGP(*found)


def propose(X, Y, runs, options, seed, count):
    """`count` new points in the unit cube."""
    model = models(X, Y, options, seed)
    kind = qLogNoisyExpectedHypervolumeImprovement if options.log else qNoisyExpectedHypervolumeImprovement
    acquisition = kind(
        model=model, ref_point=runs["reference"], X_baseline=X, prune_baseline=True,
        sampler=SobolQMCNormalSampler(sample_shape=torch.Size([64]), seed=seed))
    choices = [torch.linspace(0, 1, levels, dtype=torch.double) for levels in runs["levels"]]
    torch.manual_seed(seed)
    points, _ = optimize_acqf_discrete_local_search(
        acquisition, discrete_choices=choices, q=count, num_restarts=options.restarts, raw_samples=options.raw,
        X_avoid=X, max_batch_size=64, unique=True)
    return points


def search(runs, run, options, seed):
    function = PROBLEMS[runs["problem"]]
    top = torch.tensor([levels - 1 for levels in runs["levels"]], dtype=torch.double)
    rows, observed, exact = [], [], []

    def evaluate(levels):
        values = function(levels)
        noise = run["noise"][len(rows)]
        rows.append(levels)
        exact.append(values)
        observed.append([error - value for value, error in zip(values, noise)])

    for levels in run["initial"]:
        evaluate(levels)
    while len(rows) < runs["budget"]:
        begin = time.perf_counter()
        X = torch.tensor(rows, dtype=torch.double) / top
        count = min(runs["batch"], runs["budget"] - len(rows))
        for point in propose(X, torch.tensor(observed, dtype=torch.double), runs, options, seed + len(rows), count):
            evaluate([round(value) for value in (point * top).tolist()])
        print(f"{runs['problem']}: {len(rows)} evaluations, {time.perf_counter() - begin:.1f} s", flush=True)
    return curve(exact, [-value for value in runs["reference"]], runs["scale"])


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("runs")
    arguments.add_argument("--sets", type=int, default=1)
    arguments.add_argument("--budget", type=int)
    arguments.add_argument("--warmup", type=int, default=128)
    arguments.add_argument("--samples", type=int, default=64)
    arguments.add_argument("--thinning", type=int, default=8)
    arguments.add_argument("--restarts", type=int, default=5)
    arguments.add_argument("--raw", type=int, default=256)
    arguments.add_argument("--log", action="store_true", help="qLogNEHVI instead of qNEHVI")
    options = arguments.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(int(os.environ.get("THREADS", "1")))
    with open(options.runs) as file:
        runs = json.load(file)
    check(PROBLEMS[runs["problem"]], runs)
    runs["budget"] = options.budget or runs["budget"]
    for index, run in enumerate(runs["sets"][:options.sets]):
        if "botorch" in run["curves"]:
            continue
        start = time.perf_counter()
        values = search(runs, run, options, seed=1000 * (index + 1))
        run["curves"]["botorch"] = values
        run["seconds"]["botorch"] = time.perf_counter() - start
        with open(options.runs) as file:
            stored = json.load(file)
        stored["sets"][index] = run
        stored.setdefault("versions", {})["botorch"] = botorch.__version__
        with open(options.runs, "w") as file:
            json.dump(stored, file)
        print(f"{runs['problem']}, set {index + 1}: {values[-1]:.4f} beside "
              f"{run['curves'][runs['samplers'][0]][runs['budget'] - 1]:.4f}", flush=True)


main()
