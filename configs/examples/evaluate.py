#!/usr/bin/env python3
"""A program for the `command` evaluator: trains a small model of its own, in plain Python.

It fits a polynomial to noisy points by gradient descent. The search looks for the degree, the learning rate and the
penalty with the smallest error on held-out points and the fewest parameters.
"""
import json
import math
import os
import random
import signal
import sys


class Preempted(Exception):
    """The worker wants the machine back."""


def leave(number, frame):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a scheduler may send it as well; once is enough
    raise Preempted


def features(x, degree):
    return [x**power for power in range(degree + 1)]


def points(random_numbers, count):
    xs = [random_numbers.uniform(-1, 1) for _ in range(count)]
    return [(x, math.sin(3 * x) + random_numbers.gauss(0, 0.1)) for x in xs]


def error(weights, data, degree):
    squares = [(sum(w * f for w, f in zip(weights, features(x, degree))) - y) ** 2 for x, y in data]
    mean = sum(squares) / len(squares)
    variance = sum((square - mean) ** 2 for square in squares) / max(1, len(squares) - 1)
    return mean, math.sqrt(variance / len(squares))


def train(factors, seed, checkpoint):
    degree, rate, penalty = factors["degree"], factors["rate"], factors["penalty"]
    data, held_out = points(random.Random(1), 40), points(random.Random(2), 40)
    start, weights = 0, [random.Random(seed).gauss(0, 0.1) for _ in range(degree + 1)]
    if os.path.exists(checkpoint):  # an earlier attempt on this worker was interrupted
        with open(checkpoint) as file:
            start, weights = json.load(file)
    for step in range(start, 200):
        gradient = [2 * penalty * weight for weight in weights]
        for x, y in data:
            f = features(x, degree)
            residual = sum(w * v for w, v in zip(weights, f)) - y
            for index, value in enumerate(f):
                gradient[index] += 2 * residual * value / len(data)
        weights = [weight - rate * slope for weight, slope in zip(weights, gradient)]
        if step % 50 == 49:
            mean, _ = error(weights, held_out, degree)
            # A line such as this before the last one is an intermediate report.
            print(json.dumps({"step": step + 1, "report": {"error": mean}}), flush=True)
            with open(checkpoint + ".new", "w") as file:
                json.dump([step + 1, weights], file)
            os.replace(checkpoint + ".new", checkpoint)
    return error(weights, held_out, degree)


def main():
    signal.signal(signal.SIGTERM, leave)
    trial = json.load(sys.stdin)
    print("trial", trial["trial"], "begins", file=sys.stderr)  # goes to the worker's log
    factors = trial["configuration"]["factors"]
    try:
        mean, standard_error = train(factors, trial["seed"], os.path.join(trial["scratch"], "checkpoint.json"))
    except Preempted:
        sys.exit(75)  # given back: not counted, runs again
    # The last line is the result. A mean that is NaN or Infinity makes the trial diverged.
    print(
        json.dumps(
            {
                "objectives": {"error": mean, "size": factors["degree"] + 1},
                "standardErrors": {"error": standard_error},
                "metrics": {"rate": factors["rate"]},
            }
        )
    )


if __name__ == "__main__":
    main()
