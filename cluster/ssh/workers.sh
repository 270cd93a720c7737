#!/usr/bin/env bash
# Starts one worker on every host of a list and stops them all on Ctrl-C.
# usage: workers.sh STUDY.yaml tcp://HEAD:7700 host1 host2 …   (the study's file and the program at the same path everywhere)
set -euo pipefail
[ $# -ge 3 ] || { echo "usage: workers.sh STUDY.yaml tcp://HEAD:7700 host1 host2 …" >&2; exit 2; }
study=$1 address=$2
shift 2
pids=()
for host in "$@"; do
  # -tt: the remote worker gets SIGHUP/SIGTERM when this script ends.
  ssh -tt -o BatchMode=yes "$host" "cd $(printf %q "$PWD") && exec ${ENGRAM:-engram} worker $(printf %q "$study") \
    --connect $(printf %q "$address") ${ENGRAM_KEYS:+--keys $(printf %q "$ENGRAM_KEYS")} --name $host" </dev/null \
    > >(sed -u "s/^/$host: /") 2>&1 &
  pids+=($!)
done
trap 'kill -TERM "${pids[@]}" 2>/dev/null || true' INT TERM
wait
