"""BoTorch's side of the search benchmark: fit two SAAS-GPs, score 1,000 candidates, propose one.

Prints one JSON object. Data: a JSON file {"X": N x D in [0,1], "Y": N x 2 maximised, "ref": [2]} that
`engram bench search --write-data FILE` made, so that both sides see the same numbers.
usage: botorch_search.py DATA.json [--warmup 256 --samples 128 --thinning 16] [--skip-proposal]
"""

import argparse, json, resource, time

import torch
from botorch.acquisition.multi_objective.monte_carlo import qNoisyExpectedHypervolumeImprovement
from botorch.fit import fit_fully_bayesian_model_nuts
from botorch.models import ModelListGP
from botorch.models.fully_bayesian import SaasFullyBayesianSingleTaskGP
from botorch.models.transforms import Standardize
from botorch.sampling.normal import SobolQMCNormalSampler
import botorch


def effective_sample_size(chain):
    """Geyer's initial positive sequence on one chain."""
    x = chain - chain.mean()
    n = len(x)
    var = (x * x).mean()
    if var <= 0:
        return float("nan")
    rho, total, t = 1.0, 0.0, 1
    while t + 1 < n:
        pair = float((x[t:] * x[:-t]).mean() / var) + float((x[t + 1:] * x[:-t - 1]).mean() / var)
        if pair < 0:
            break
        total += pair
        t += 2
    return n / (1 + 2 * total)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("data")
    arguments.add_argument("--warmup", type=int, default=256)
    arguments.add_argument("--samples", type=int, default=128)
    arguments.add_argument("--thinning", type=int, default=16)
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--skip-proposal", action="store_true")
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)
    data = json.load(open(options.data))
    X = torch.tensor(data["X"], dtype=torch.double)
    Y = torch.tensor(data["Y"], dtype=torch.double)
    report = {"botorch": botorch.__version__, "torch": torch.__version__, "N": X.shape[0], "D": X.shape[1]}

    models, fits, ess = [], [], []
    for m in range(Y.shape[1]):
        model = SaasFullyBayesianSingleTaskGP(X, Y[:, m:m + 1], outcome_transform=Standardize(1))
        start = time.perf_counter()
        fit_fully_bayesian_model_nuts(
            model, warmup_steps=options.warmup, num_samples=options.samples, thinning=options.thinning,
            disable_progbar=True)
        fits.append(time.perf_counter() - start)
        models.append(model)
    report["fitSeconds"] = fits
    model = ModelListGP(*models)

    if not options.skip_proposal:
        generator = torch.Generator().manual_seed(0)
        candidates = torch.rand(1000, 1, X.shape[1], generator=generator, dtype=torch.double)
        start = time.perf_counter()
        acquisition = qNoisyExpectedHypervolumeImprovement(
            model=model, ref_point=data["ref"], X_baseline=X, prune_baseline=True,
            sampler=SobolQMCNormalSampler(sample_shape=torch.Size([128]), seed=0))
        report["buildSeconds"] = time.perf_counter() - start
        start = time.perf_counter()
        with torch.no_grad():
            for begin in range(0, 1000, 34):
                acquisition(candidates[begin:begin + 34])
        report["thousandCandidatesSeconds"] = time.perf_counter() - start
        report["proposalSeconds"] = sum(fits) + report["buildSeconds"] + 2 * report["thousandCandidatesSeconds"]
    report["peakMegabytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(report))


main()
