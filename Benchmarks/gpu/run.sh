#!/usr/bin/env bash
# One step, or all, on a machine with an NVIDIA GPU. usage: gpu/run.sh STEP [RESULTS, default ./gpu-results]
#   check        what is there: driver, libraries, compiled kernels
#   conformance  the backend's contract and the golden models on the device, 32 bits and bf16; the 200-step loss curve
#   sanitizer    the contract once more under compute-sanitizer
#   ceiling      the measured bf16 matrix product rate and copy bandwidth
#   gpt2         GPT-2-small shape: training, against PyTorch + PEFT
#   llama        LLaMA-2-7B shape: training 8 x 256, generation 8 x 64, turnover, against PyTorch + PEFT
#   search       a short search over 2 configurations on the quickstart, killed once and resumed
#   table        all figures in one table
#   all          the steps above in this order
# Each step stays below ten minutes. The 7B shape takes 14 GB of disk and, of the device, at most what PEFT needs.
set -uo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
step=${1:?step: check, conformance, sanitizer, ceiling, gpt2, llama, search, table or all}
results=$(mkdir -p "${2:-gpu-results}" && cd "${2:-gpu-results}" && pwd)
python=${PYTHON:-python3}
device=${ENGRAM_CUDA_DEVICE:-0}
export LD_LIBRARY_PATH=$here/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
# The libraries that PyTorch brought, unless the user named others.
if [ -z "${ENGRAM_CUDA_HOME:-}" ]; then
  ENGRAM_CUDA_HOME=$("$python" -c 'import nvidia; print(next(iter(nvidia.__path__)) + "/..")' 2>/dev/null) && export ENGRAM_CUDA_HOME
fi
scratch=${ENGRAM_GPU_SCRATCH:-$results/scratch}
mkdir -p "$scratch"
engram() { "$here/engram" "$@"; }
tests() { (cd "$here" && ENGRAM_CUDA_DEVICE=$device "$@" "$here/engram-tests.xctest" --testing-library swift-testing --filter CUDADeviceTests); }
record() { tee -a "$results/figures.jsonl"; }
# say NAME COMMAND…: runs it, keeps its output, and records whether it went well.
say() {
  local name=$1; shift
  echo "== $name"
  local start=$SECONDS status=0
  "$@" > "$results/$name.log" 2>&1 || status=$?
  tail -n 15 "$results/$name.log"
  echo "{\"step\":\"$name\",\"status\":$status,\"seconds\":$((SECONDS - start))}" | record
}

check() {
  nvidia-smi > "$results/nvidia-smi.txt" 2>&1
  say doctor engram doctor
}
conformance() { say conformance tests env; }
sanitizer() { say sanitizer tests compute-sanitizer --error-exitcode 9; }
ceiling() { say ceiling "$python" "$here/gpu/peers.py" ceiling --output "$results/figures.jsonl"; }
gpt2() {
  [ -d "$scratch/gpt2" ] || say make-gpt2 "$python" "$here/gpu/peers.py" make --shape gpt2 --model "$scratch/gpt2"
  local options=(--model "$scratch/gpt2" --device "cuda:$device" --dtype bf16)
  say gpt2-train sh -c '"$0" bench model "$@"' "$here/engram" "${options[@]}" --length 256 --steps 20
  say gpt2-generate sh -c '"$0" bench model "$@"' "$here/engram" "${options[@]}" --case generate
  say gpt2-peft timeout 500 "$python" "$here/gpu/peers.py" train --model "$scratch/gpt2" --output "$results/figures.jsonl"
}
llama() {
  [ -d "$scratch/llama7b" ] || say make-llama "$python" "$here/gpu/peers.py" make --shape llama7b --model "$scratch/llama7b"
  local options=(--model "$scratch/llama7b" --device "cuda:$device" --dtype bf16)
  say llama-train sh -c '"$0" bench model "$@"' "$here/engram" "${options[@]}" --length 256 --steps 10
  say llama-generate sh -c '"$0" bench model "$@"' "$here/engram" "${options[@]}" --case generate
  say llama-peft timeout 500 "$python" "$here/gpu/peers.py" train --model "$scratch/llama7b" --output "$results/figures.jsonl"
}
search() {
  local study=$scratch/study
  rm -rf "$study" && mkdir -p "$study"
  sed -e 's/budget: 40/budget: 2/' -e 's/initial: 14/initial: 2/' "$here/configs/quickstart.yaml" > "$study/quick.yaml"
  # The coordinator and one worker on the device; the worker is killed once and started again.
  cat > "$study/run.sh" <<'INNER'
set -u
engram=$1 study=$2 device=$3
cd "$study"
"$engram" coordinator quick.yaml --bind "ipc://$study/socket" --runs runs & coordinator=$!
sleep 5
"$engram" worker quick.yaml --connect "ipc://$study/socket" --device "cuda:$device" --name gpu & worker=$!
sleep 20
kill -9 $worker; wait $worker 2>/dev/null
"$engram" worker quick.yaml --connect "ipc://$study/socket" --device "cuda:$device" --name gpu & worker=$!
wait $coordinator; status=$?
kill $worker 2>/dev/null; wait $worker 2>/dev/null
"$engram" trial list quick --runs runs
exit $status
INNER
  say search timeout 500 bash "$study/run.sh" "$here/engram" "$study" "$device"
}
table() { "$python" "$here/gpu/report.py" "$results" | tee "$results/table.md"; }

case $step in
check | conformance | sanitizer | ceiling | gpt2 | llama | search | table) $step ;;
all) for each in check conformance sanitizer ceiling gpt2 llama search table; do $each; done ;;
*) echo "unknown step '$step'" >&2; exit 2 ;;
esac
