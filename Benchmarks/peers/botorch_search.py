"""BoTorch's side of the search benchmark: fit two SAAS Gaussian processes, score candidates, propose once.

Stock calls (`fit_fully_bayesian_model_nuts`, `qNoisyExpectedHypervolumeImprovement`, `prune_baseline`). The fit call
compiles its model every time it is called, so compiling is part of a proposal; the time of the Markov chain without
compiling is reported beside it (a second run of the same compiled sampler). Prints one JSON object.

usage: botorch_search.py PROBLEM.json [--warmup 256 --samples 128 --thinning 16] [--repetitions 3] [--threads 2]
PROBLEM.json: see make_search_data.py.
"""

import os

# One BLAS thread: with two on two cores one JAX gradient is several times slower than with one.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse, json, resource, statistics, time, warnings

import botorch, gpytorch, jax, numpy, numpyro, torch
from botorch.acquisition.multi_objective.monte_carlo import qNoisyExpectedHypervolumeImprovement
from botorch.fit import fit_fully_bayesian_model_nuts
from botorch.models import ModelListGP
from botorch.models.fully_bayesian import SaasFullyBayesianSingleTaskGP
from botorch.models.transforms import Standardize
from botorch.sampling.normal import SobolQMCNormalSampler

NORMAL = statistics.NormalDist()


def bulk_effective_sample_size(chains):
    """Vehtari et al. 2021 as Engram computes it: split chains, normal scores of the ranks, Geyer's monotone sequence."""
    length = min(map(len, chains)) // 2
    halves = numpy.array([part for chain in chains for part in (chain[:length], chain[-length:])], dtype=float)
    flat = halves.ravel()
    unique, inverse, counts = numpy.unique(flat, return_inverse=True, return_counts=True)
    rank = (numpy.cumsum(counts) - (counts - 1) / 2)[inverse]
    z = numpy.array([NORMAL.inv_cdf(p) for p in (rank - 0.375) / (len(flat) + 0.25)]).reshape(halves.shape)
    means = z.mean(axis=1)
    within = z.var(axis=1, ddof=1).mean()
    total = within * (length - 1) / length + means.var(ddof=1)
    if within <= 0 or total <= 0:
        return 1.0
    centred = z - means[:, None]
    covariance = [(centred[:, lag:] * centred[:, :length - lag]).sum(axis=1).mean() / length for lag in range(length)]
    correlation = lambda lag: 1 - (within - covariance[lag] * length / (length - 1)) / total
    sum_, previous, lag = -1.0, float("inf"), 0
    while lag + 1 < length:
        pair = (1.0 if lag == 0 else correlation(lag)) + correlation(lag + 1)
        if pair <= 0:
            break
        previous = min(previous, pair)
        sum_ += 2 * previous
        lag += 2
    count = z.size
    return count / max(sum_, 1 / numpy.log10(max(count, 10)))


def fit(X, y, options, seed):
    """The fitted model, its seconds and the effective sample size of every parameter before thinning."""
    model = SaasFullyBayesianSingleTaskGP(X, y, outcome_transform=Standardize(1))
    draws = {}
    original = model.pyro_model.postprocess_mcmc_samples

    def keep(mcmc_samples):
        draws.update({name: numpy.asarray(value) for name, value in mcmc_samples.items()})
        return original(mcmc_samples=mcmc_samples)

    model.pyro_model.postprocess_mcmc_samples = keep
    start = time.perf_counter()
    fit_fully_bayesian_model_nuts(
        model, warmup_steps=options.warmup, num_samples=options.samples, thinning=options.thinning,
        disable_progbar=True, seed=seed)
    seconds = time.perf_counter() - start
    # Engram's coordinates: log rho_d = log tau + log lambda_d. Ranks do not care for the logarithm.
    columns = [draws["kernel_tausq"]]
    columns += [draws["kernel_tausq"] * row for row in draws["_kernel_inv_length_sq"].T]
    columns += [draws[name] for name in ("mean", "outputscale", "noise") if name in draws]
    return model, seconds, [bulk_effective_sample_size([column]) for column in columns]


def chain_seconds(X, y, options, seed):
    """Seconds of warm-up and samples alone, the sampler being compiled already."""
    from numpyro.infer import MCMC, NUTS

    model = SaasFullyBayesianSingleTaskGP(X, y, outcome_transform=Standardize(1))
    model.train()
    sampler = MCMC(
        NUTS(model.pyro_model.sample, dense_mass=True, max_tree_depth=6), num_warmup=options.warmup,
        num_samples=options.samples, progress_bar=False)
    sampler.run(jax.random.PRNGKey(seed + 50))
    start = time.perf_counter()
    sampler.run(jax.random.PRNGKey(seed), extra_fields=("num_steps",))
    jax.block_until_ready(sampler.get_samples())
    return time.perf_counter() - start


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("problem")
    arguments.add_argument("--warmup", type=int, default=256)
    arguments.add_argument("--samples", type=int, default=128)
    arguments.add_argument("--thinning", type=int, default=16)
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--repetitions", type=int, default=3, help="fits of both outcomes, each with its own seeds")
    arguments.add_argument("--evaluations", type=int, default=2000)
    arguments.add_argument("--chain-only", action="store_true", help="also time one chain without compiling")
    options = arguments.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(options.threads)
    problem = json.load(open(options.problem))
    X = torch.tensor(problem["X"], dtype=torch.double)
    Y = torch.tensor(problem["Y"], dtype=torch.double)
    candidates = torch.tensor(problem["candidates"], dtype=torch.double).unsqueeze(1)
    report = {
        "versions": {module.__name__: module.__version__ for module in (botorch, gpytorch, numpyro, jax, torch)},
        "observations": len(X), "dimensions": X.shape[1], "warmup": options.warmup, "samples": options.samples,
        "loadBefore": os.getloadavg()[0]}

    # Imports and start-up of JAX are paid once, outside of the measurement.
    throwaway = argparse.Namespace(warmup=2, samples=4, thinning=2)
    fit(torch.rand(8, X.shape[1], dtype=torch.double), torch.rand(8, 1, dtype=torch.double), throwaway, seed=0)
    repetitions, models = [], []
    for repetition in range(options.repetitions):
        models, run = [], {"seconds": [], "minimumEffectiveSampleSize": [], "medianEffectiveSampleSize": []}
        processor = time.process_time()
        for outcome in range(Y.shape[1]):
            model, seconds, sizes = fit(X, Y[:, outcome:outcome + 1], options, seed=100 * repetition + outcome)
            models.append(model)
            run["seconds"].append(seconds)
            run["minimumEffectiveSampleSize"].append(min(sizes))
            run["medianEffectiveSampleSize"].append(statistics.median(sizes))
        run["processorSeconds"] = time.process_time() - processor
        repetitions.append(run)
    report["fits"] = repetitions
    report["fitSeconds"] = statistics.median(sum(run["seconds"]) for run in repetitions)
    report["fitProcessorSeconds"] = statistics.median(run["processorSeconds"] for run in repetitions)
    report["minimumEffectiveSampleSize"] = statistics.median(
        min(run["minimumEffectiveSampleSize"]) for run in repetitions)
    report["megabytesAfterFit"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if options.chain_only:
        report["chainSecondsWithoutCompiling"] = chain_seconds(X, Y[:, :1], options, seed=0)

    start = time.perf_counter()
    acquisition = qNoisyExpectedHypervolumeImprovement(
        model=ModelListGP(*models), ref_point=problem["reference"], X_baseline=X, prune_baseline=True,
        sampler=SobolQMCNormalSampler(sample_shape=torch.Size([128]), seed=0))
    report["buildSeconds"] = time.perf_counter() - start
    report["anchors"] = acquisition.X_baseline.shape[0]

    def score(count):
        """`count` values in batches of a one-exchange neighbourhood (34), the fastest of the measured ways."""
        start = time.perf_counter()
        with torch.no_grad():
            for begin in range(0, count, 34):
                rows = [index % len(candidates) for index in range(begin, min(begin + 34, count))]
                acquisition(candidates[rows])
        return time.perf_counter() - start

    score(34)
    report["candidatesSeconds"] = statistics.median(score(len(candidates)) for _ in range(3))
    report["candidates"] = len(candidates)
    report["searchSeconds"] = score(options.evaluations)
    report["evaluations"] = options.evaluations
    report["proposalSeconds"] = report["fitSeconds"] + report["buildSeconds"] + report["searchSeconds"]
    report["peakMegabytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    report["loadAfter"] = os.getloadavg()[0]
    print(json.dumps(report))


main()
