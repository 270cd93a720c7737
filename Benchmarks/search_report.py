"""Prints the tables of a folder that search.sh made, as Markdown. usage: search_report.py OUT"""

import glob, json, math, os, sys


def main(out):
    print(open(os.path.join(out, "machine.txt")).read())
    ours = sorted((json.load(open(path)) for path in glob.glob(os.path.join(out, "n*", "engram.json"))),
                  key=lambda run: run["observations"])
    peer_file = os.path.join(out, "n100", "botorch.json")
    if os.path.exists(peer_file) and os.path.getsize(peer_file):
        beside(next(run for run in ours if run["observations"] == 100), json.load(open(peer_file)))
    print("| N | gradient µs | GFLOP/s (% of the limit) | gradients | fit, cold s | worst ESS | worst R-hat "
          "| 1,000 candidates s | proposal, cold s | warm s | peak MB |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for run in ours:
        m, g = run["median"], run["gradient"]
        print(f"| {run['observations']} | {g['medianMicroseconds']:.0f} "
              f"| {g['gigaflops']:.1f} ({100 * g['gigaflops'] / g['limitGigaflops']:.0f} %) "
              f"| {m['gradients']} | {m['fitSeconds']:.3f} | {m['minimumEffectiveSampleSize']:.0f} "
              f"| {m['maximumRHat']:.3f} | {m['candidatesSeconds']:.4f} | {m['coldProposalSeconds']:.3f} "
              f"| {m['warmProposalSeconds']:.3f} | {run['peakMegabytes']:.0f} |")
    for name, value in (("gradient", lambda run: run["gradient"]["medianMicroseconds"]),
                        ("cold fit", lambda run: run["median"]["fitSeconds"]),
                        ("cold proposal", lambda run: run["median"]["coldProposalSeconds"])):
        steps = [f"{math.log(value(b) / value(a)) / math.log(b['observations'] / a['observations']):.2f} "
                 f"({a['observations']} to {b['observations']})" for a, b in zip(ours, ours[1:])]
        if steps:
            print(f"\nGrowth exponent, {name}: {', '.join(steps)}")


def beside(ours, peer):
    m = ours["median"]
    print("versions:", ", ".join(f"{name} {version}" for name, version in peer["versions"].items()))
    print(f"load of the machine around the peer: {peer['loadBefore']:.1f} to {peer['loadAfter']:.1f}\n")
    print(f"| N = 100, D = {ours['dimensions']}, two outcomes | Engram | BoTorch | ratio |")
    print("|---|---|---|---|")

    def row(name, left, right, ratio, digits=3):
        print(f"| {name} | {left:.{digits}f} | {right:.{digits}f} | {ratio:.1f} |")

    row("fit, cold, s", m["fitSeconds"], peer["fitSeconds"], peer["fitSeconds"] / m["fitSeconds"])
    row("the same, processor seconds", m["fitProcessorSeconds"], peer["fitProcessorSeconds"],
        peer["fitProcessorSeconds"] / m["fitProcessorSeconds"])
    row("worst-parameter ESS", m["minimumEffectiveSampleSize"], peer["minimumEffectiveSampleSize"],
        m["minimumEffectiveSampleSize"] / peer["minimumEffectiveSampleSize"], 1)
    left = m["minimumEffectiveSampleSize"] / m["fitSeconds"]
    right = peer["minimumEffectiveSampleSize"] / peer["fitSeconds"]
    row("worst-parameter ESS per second", left, right, left / right)
    row("pruning and baseline samples, s", m["buildSeconds"], peer["buildSeconds"],
        peer["buildSeconds"] / m["buildSeconds"], 4)
    row("NEHVI of 1,000 candidates, s", m["candidatesSeconds"], peer["candidatesSeconds"],
        peer["candidatesSeconds"] / m["candidatesSeconds"], 4)
    row(f"whole proposal, cold, {peer['evaluations']} evaluations, s", m["coldProposalSeconds"],
        peer["proposalSeconds"], peer["proposalSeconds"] / m["coldProposalSeconds"])
    row("whole proposal, warm, s (the peer has no warm start)", m["warmProposalSeconds"], peer["proposalSeconds"],
        peer["proposalSeconds"] / m["warmProposalSeconds"])
    row("peak memory, MB", ours["peakMegabytes"], peer["peakMegabytes"],
        peer["peakMegabytes"] / ours["peakMegabytes"], 0)
    print(f"\nBaseline points left: {m['anchors']} and {peer['anchors']}. "
          f"Acquisition values of a cold proposal: {m['evaluations']} and {peer['evaluations']}.")
    fits = sorted(run["fitSeconds"] for run in ours["repetitions"])
    sizes = sorted(run["minimumEffectiveSampleSize"] for run in ours["repetitions"])
    print(f"Engram: medians of {len(fits)} seeds; fit {fits[0]:.3f} to {fits[-1]:.3f} s, "
          f"worst ESS {sizes[0]:.0f} to {sizes[-1]:.0f}.")
    fits = sorted(sum(run["seconds"]) for run in peer["fits"])
    sizes = sorted(min(run["minimumEffectiveSampleSize"]) for run in peer["fits"])
    chain = peer.get("chainSecondsWithoutCompiling")
    print(f"BoTorch: medians of {len(fits)} seeds; fit {fits[0]:.1f} to {fits[-1]:.1f} s, "
          f"worst ESS {sizes[0]:.1f} to {sizes[-1]:.1f}"
          + (f"; one chain without compiling {chain:.1f} s" if chain else "") + ".\n")


main(sys.argv[1])
