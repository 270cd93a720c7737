"""BoTorch's predictions at the held-out points of search_prediction.sh: latent mean and variance per line.

Stock `fit_fully_bayesian_model_nuts`, 256 + 128 iterations, every 16th kept. Writes OUT/botorch.SEED.jsonl.

usage: botorch_prediction.py OUT [--seeds 3] [--outcomes 2]
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse, json, time, warnings

import torch
from botorch.fit import fit_fully_bayesian_model_nuts
from botorch.models.fully_bayesian import SaasFullyBayesianSingleTaskGP
from botorch.models.transforms import Standardize


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("out")
    arguments.add_argument("--seeds", type=int, default=3)
    options = arguments.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(2)
    with open(os.path.join(options.out, "problem.json")) as file:
        problem = json.load(file)
    X, Y, at = (torch.tensor(problem[name], dtype=torch.double) for name in ("X", "Y", "candidates"))
    for seed in range(1, options.seeds + 1):
        columns = {}
        for outcome, name in enumerate(("negativeLoss", "rougeL")):
            start = time.perf_counter()
            model = SaasFullyBayesianSingleTaskGP(X, Y[:, outcome:outcome + 1], outcome_transform=Standardize(1))
            fit_fully_bayesian_model_nuts(
                model, warmup_steps=256, num_samples=128, thinning=16, disable_progbar=True, seed=100 * seed + outcome)
            with torch.no_grad():
                posterior = model.posterior(at)
                columns[name] = (posterior.mixture_mean.squeeze(-1).tolist(),
                                 posterior.mixture_variance.squeeze(-1).tolist())
            print(f"BoTorch, seed {seed}, {name}: {time.perf_counter() - start:.1f} s", flush=True)
        with open(os.path.join(options.out, f"botorch.{seed}.jsonl"), "w") as file:
            for row in range(len(at)):
                file.write(json.dumps({
                    "mean": {name: column[0][row] for name, column in columns.items()},
                    "variance": {name: column[1][row] for name, column in columns.items()}}) + "\n")


main()
