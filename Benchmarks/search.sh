#!/bin/bash
# The search core beside BoTorch in one run: the same observations, the same candidates, the same two cores.
#
#   Benchmarks/search.sh [OUT]
#
#   ENGRAM   the binary            (default .build/release/engram)
#   PYTHON   the peers' Python     (default python3; see README.md for its packages; PYTHON=none leaves the peer out)
#   POINTS   sizes of the table    (default "50 100 200 500"; 1000 takes several minutes)
#   SEED     of the data           (default 1)
#   PEER     extra options of botorch_search.py, such as "--warmup 8 --samples 16 --thinning 4" to try the script
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
engram=${ENGRAM:-$here/../.build/release/engram}
python=${PYTHON:-python3}
points=${POINTS:-50 100 200 500}
seed=${SEED:-1}
out=${1:-$(mktemp -d)}
mkdir -p "$out"
pin=()
if command -v taskset >/dev/null; then pin=(taskset -c 0,1); fi
maker=$python
if [ "$python" = none ]; then maker=python3; fi

date -u +"%Y-%m-%d %H:%M UTC" >"$out/machine.txt"
lscpu | sed -n 's/^Model name: */cpu: /p' >>"$out/machine.txt"
echo "load before: $(cut -d' ' -f1-3 /proc/loadavg)" >>"$out/machine.txt"

ours() { # N repetitions
  local folder=$out/n$1
  "$maker" "$here/peers/make_search_data.py" "$folder" --points "$1" --seed "$seed"
  "${pin[@]}" "$engram" bench proposal --space "$folder/space.yaml" --observations "$folder/observations.jsonl" \
    --candidates "$folder/candidates.jsonl" --reference negativeLoss=-1.9,rougeL=0.22 --threads 2 \
    --repetitions "$2" --format json >"$folder/engram.json"
  echo "Engram, N = $1: done (load $(cut -d' ' -f1 /proc/loadavg))" >&2
}

ours 100 9
if [ "$python" != none ]; then
  # shellcheck disable=SC2086
  "${pin[@]}" "$python" "$here/peers/botorch_search.py" "$out/n100/problem.json" ${PEER:-} >"$out/n100/botorch.json"
  echo "BoTorch, N = 100: done (load $(cut -d' ' -f1 /proc/loadavg))" >&2
fi
for n in $points; do
  if [ "$n" -eq 100 ]; then continue; fi
  if [ "$n" -ge 500 ]; then ours "$n" 1; else ours "$n" 5; fi
done
echo "load after: $(cut -d' ' -f1-3 /proc/loadavg)" >>"$out/machine.txt"
"$maker" "$here/search_report.py" "$out"
