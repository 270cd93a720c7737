#!/bin/bash
# The search core beside BoTorch in one run: the same observations, the same candidates, the same two cores.
#
#   Benchmarks/search.sh [OUT]
#
#   ENGRAM_BENCH   the program     (default .build/release/engram-bench)
#   PYTHON   the peers' Python     (default python3; see README.md for its packages; PYTHON=none leaves the peer out)
#   POINTS   sizes of the table    (default "50 100 200 500"; 1000 takes several minutes)
#   SEED     of the data           (default 1)
#   WAIT     seconds to wait, before every step, until nothing else runs (default 0: only write down how busy it is)
#   PEER     extra options of botorch_search.py, such as "--warmup 8 --samples 16 --thinning 4" to try the script
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
bench=${ENGRAM_BENCH:-$here/../.build/release/engram-bench}
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

# Processor time that others use, in per cent of two cores, over one second.
others() {
  awk '/^cpu / { print $2 + $3 + $4 + $7 + $8; exit }' /proc/stat >"$out/.before"
  sleep 1
  awk -v before="$(cat "$out/.before")" -v hertz="$(getconf CLK_TCK)" \
    '/^cpu / { printf "%d", ($2 + $3 + $4 + $7 + $8 - before) / hertz / 2 * 100; exit }' /proc/stat
}

quiet() { # what
  local left=${WAIT:-0} busy
  busy=$(others)
  while [ "$busy" -gt 4 ] && [ "$left" -gt 0 ]; do
    left=$((left - 1))
    busy=$(others)
  done
  echo "busy with other work before $1: $busy %" | tee -a "$out/machine.txt" >&2
}

ours() { # N repetitions
  local folder=$out/n$1
  "$maker" "$here/peers/make_search_data.py" "$folder" --points "$1" --seed "$seed"
  quiet "Engram, N = $1"
  "${pin[@]}" "$bench" proposal --space "$folder/space.yaml" --observations "$folder/observations.jsonl" \
    --candidates "$folder/candidates.jsonl" --reference negativeLoss=-1.9,rougeL=0.22 --threads 2 \
    --repetitions "$2" --format json >"$folder/engram.json"
}

ours 100 9
if [ "$python" != none ]; then
  quiet "BoTorch, N = 100"
  # shellcheck disable=SC2086
  "${pin[@]}" "$python" "$here/peers/botorch_search.py" "$out/n100/problem.json" ${PEER:-} >"$out/n100/botorch.json"
fi
for n in $points; do
  if [ "$n" -eq 100 ]; then continue; fi
  if [ "$n" -ge 500 ]; then ours "$n" 1; else ours "$n" 5; fi
done
echo "load after: $(cut -d' ' -f1-3 /proc/loadavg)" >>"$out/machine.txt"
"$maker" "$here/search_report.py" "$out"
