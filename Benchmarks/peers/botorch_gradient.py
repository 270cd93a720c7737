"""Milliseconds of one gradient of BoTorch's SAAS log joint (NumPyro, JAX, single precision as shipped), by N.

With the 21,500 gradients of a fit of one outcome (256 + 128 iterations, nearly all trees at their depth limit) this
estimates the peer's fit where running it would take hours.

usage: botorch_gradient.py [--points 50,100,200,500,1000] [--dimensions 34]
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse, statistics, time, warnings

import jax, torch
from botorch.models.fully_bayesian import SaasFullyBayesianSingleTaskGP
from botorch.models.transforms import Standardize
from numpyro.infer.util import initialize_model


def milliseconds(points, dimensions):
    torch.manual_seed(1)
    X = torch.rand(points, dimensions, dtype=torch.double).round()
    y = (X[:, :1] - X[:, 1:2] * X[:, 2:3]) + 0.1 * torch.randn(points, 1, dtype=torch.double)
    model = SaasFullyBayesianSingleTaskGP(X, y, outcome_transform=Standardize(1))
    model.train()
    info = initialize_model(jax.random.PRNGKey(0), model.pyro_model.sample)
    gradient = jax.jit(jax.value_and_grad(info.potential_fn))
    position = info.param_info.z
    jax.block_until_ready(gradient(position))
    times = []
    for _ in range(60 if points <= 200 else 15):
        start = time.perf_counter()
        jax.block_until_ready(gradient(position))
        times.append(time.perf_counter() - start)
    return min(times) * 1e3, statistics.median(times) * 1e3


arguments = argparse.ArgumentParser()
arguments.add_argument("--points", default="50,100,200,500,1000")
arguments.add_argument("--dimensions", type=int, default=34)
options = arguments.parse_args()
warnings.filterwarnings("ignore")
for count in map(int, options.points.split(",")):
    shortest, middle = milliseconds(count, options.dimensions)
    print(f"N = {count}: {shortest:.2f} ms (shortest), {middle:.2f} ms (median); "
          f"two outcomes x 21,500 gradients: {2 * 21.5 * shortest:.0f} s", flush=True)
