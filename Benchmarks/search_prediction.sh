#!/bin/bash
# Predictions on held-out points where the hyperparameter posterior has two modes (N = 200, D = 42): Engram's pooled short
# chains, its No-U-Turn sampler with the peer's schedule, and BoTorch, on the same data.
#
#   Benchmarks/search_prediction.sh [OUT]
#
#   ENGRAM  the binary (default .build/release/engram)   PYTHON  the peers' Python (PYTHON=none leaves the peer out)
#   SEEDS   seeds of Engram's fits (default 10)          PEERSEEDS  of BoTorch's (default 3)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
engram=${ENGRAM:-$here/../.build/release/engram}
python=${PYTHON:-python3}
out=${1:-$(mktemp -d)}
maker=$python
if [ "$python" = none ]; then maker=python3; fi
export OPENBLAS_NUM_THREADS=1
"$maker" "$here/peers/make_search_data.py" "$out" --points 200 --candidates 500 --seed 1 --layers 40
for schedule in default timings; do
  { cat "$out/space.yaml"; echo "sampler: {schedule: $schedule}"; } >"$out/$schedule.yaml"
  for seed in $(seq 1 "${SEEDS:-10}"); do
    "$engram" suggest --space "$out/$schedule.yaml" --observations "$out/observations.jsonl" --seed "$seed" \
      --posterior "$out/candidates.jsonl" --threads 2 >"$out/$schedule.$seed.jsonl"
  done
done
if [ "$python" != none ]; then
  "$python" "$here/peers/botorch_prediction.py" "$out" --seeds "${PEERSEEDS:-3}"
fi
"$maker" "$here/search_prediction_report.py" "$out"
