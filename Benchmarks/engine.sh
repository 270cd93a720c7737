#!/bin/sh
# LoRA training and generation, Engram beside PEFT and Transformers: one run, one case after the other, one line of JSON
# each. usage: engine.sh SHAPE [CASE...]   SHAPE: gpt2-small or llama-110m
#
# PYTHON: interpreter with torch, transformers and peft; ENGRAM_BENCH: engram-bench. ENGRAM_DTYPES, PEER_DTYPES ("bf16 f32") and
# BATCHING ("plain bucketed") leave something out. PAIRS: how often each case is measured, both sides in turn (1); a machine
# that is shared needs several. engine_report.py makes a table of medians of the lines.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
shape=${1:-gpt2-small}
[ $# -gt 0 ] && shift
cases=${*:-full dialogue top2 top2-dialogue generate}
python=${PYTHON:-python3}
bench=${ENGRAM_BENCH:-$here/../.build/release/engram-bench}
lengths=$here/dialogue_lengths.json
echo "# $(date -u '+%Y-%m-%d %H:%M UTC'), load $(cut -d' ' -f1-3 /proc/loadavg 2>/dev/null || echo unknown)"
for case in $cases; do
  case $case in
  dialogue | top2-dialogue) steps=8 buckets=${BATCHING:-plain bucketed} ;;
  *) steps=3 buckets=plain ;;
  esac
  pair=0
  while [ $pair -lt "${PAIRS:-1}" ]; do
    pair=$((pair + 1))
    for dtype in ${ENGRAM_DTYPES:-bf16 f32}; do
      echo "engram $dtype $("$bench" model --shape "$shape" --case "$case" --dtype "$dtype" --steps $steps \
        --lengths "$lengths")"
    done
    for dtype in ${PEER_DTYPES:-bf16 f32}; do
      for bucket in $buckets; do
        # The slower type needs no second way of batching.
        [ "$dtype$bucket$buckets" = "f32plainplain bucketed" ] && continue
        flag=
        [ "$bucket" = bucketed ] && flag=--bucketed
        # shellcheck disable=SC2086
        echo "peft $dtype $bucket $("$python" "$here/peers/peft_training.py" --shape "$shape" --case "$case" \
          --dtype "$dtype" --steps $steps --lengths "$lengths" $flag 2>/dev/null)"
      done
    done
  done
done
echo "# load $(cut -d' ' -f1-3 /proc/loadavg 2>/dev/null || echo unknown)"
