#!/bin/bash
# Search quality per trial beside pymoo's NSGA-II (and BoTorch) in one run: the same initial sets, the same noise.
#
#   Benchmarks/search_quality.sh [OUT]
#
#   ENGRAM_BENCH    the program      (default .build/release/engram-bench)
#   PYTHON    the peers' Python      (default python3; needs pymoo and, for BOTORCH, the packages of README.md)
#   PROBLEMS  (default "sparse34-factors zdt1 zdt2 dtlz2 branin-currin")
#   SETS      initial sets           (default 20)
#   BOTORCH   sets on which BoTorch searches too (default 0: minutes each)
#   LONG      evaluations of a longer search of pymoo (default 1000)
#   SVG       where the curves go    (default Benchmarks/search)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
bench=${ENGRAM_BENCH:-$here/../.build/release/engram-bench}
python=${PYTHON:-python3}
out=${1:-$(mktemp -d)}
mkdir -p "$out"
export OPENBLAS_NUM_THREADS=1
for problem in ${PROBLEMS:-sparse34-factors zdt1 zdt2 dtlz2 branin-currin}; do
  budget=60
  if [ "$problem" = sparse34-factors ]; then budget=100; fi
  "$bench" quality --problem "$problem" --sets "${SETS:-20}" --initial 20 --budget "$budget" --batch 5 \
    --seed 11 --threads 1 --format json >"$out/$problem.json"
  for kind in "" --mixed; do
    # shellcheck disable=SC2086
    "$python" "$here/peers/pymoo_search.py" "$out/$problem.json" $kind
    # shellcheck disable=SC2086
    "$python" "$here/peers/pymoo_search.py" "$out/$problem.json" $kind --long "${LONG:-1000}"
  done
  if [ "${BOTORCH:-0}" -gt 0 ]; then
    "$python" "$here/peers/botorch_quality.py" "$out/$problem.json" --sets "$BOTORCH"
  fi
done
"$python" "$here/search_quality_report.py" "$out" "${SVG:-$here/search}"
