#!/bin/bash
# A model of LLaMA-2-7B's shape on a machine of 24 GiB: random bf16 weights (13.5 GB, three shards), one LoRA training step
# and a generation, with seconds and peak memory. Needs 14 GB of disk in FOLDER; the checkpoint is deleted afterwards.
#
# usage: Benchmarks/llama7b.sh [FOLDER]     ENGRAM_BENCH=.build/release/engram-bench BATCH=1 LENGTH=128 TOKENS=16
set -eu
bench=${ENGRAM_BENCH:-.build/release/engram-bench}
folder=$(mktemp -d "${1:-/tmp}/engram-llama7b.XXXXXX")
trap 'rm -rf "$folder"' EXIT
grep -E 'MemTotal|MemAvailable' /proc/meminfo
"$bench" checkpoint --model "$folder/base" --write llama-7b
du -sh "$folder/base"
echo "one training step:"
"$bench" checkpoint --model "$folder/base" --dtype bf16 --steps 1 --batch "${BATCH:-1}" --length "${LENGTH:-128}"
echo "generation:"
"$bench" checkpoint --model "$folder/base" --dtype bf16 --generate "${TOKENS:-16}"
