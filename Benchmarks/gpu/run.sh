#!/usr/bin/env bash
# One step, or all, on a machine with an NVIDIA GPU. usage: gpu/run.sh STEP [RESULTS, default ./gpu-results]
#   check        what is there and what is missing: driver, libraries, Python packages, disk
#   conformance  the backend's contract and the golden models on the device, 32 bits and bf16; the 200-step loss curve
#   sanitizer    the contract once more under compute-sanitizer
#   ceiling      the measured bf16 matrix product rate and copy bandwidth
#   gpt2         GPT-2-small shape: training, generation, against PyTorch + PEFT
#   llama        LLaMA-2-7B shape: training 8 x 256, generation 8 x 64, turnover, against PyTorch + PEFT
#   search       a short search over 2 configurations on the quickstart, its worker killed once and started again
#   table        all figures in one table
#   all          the steps above in this order
# Each step stays below ten minutes, `all` takes about half an hour. A step that fails or lacks something is recorded as
# such, and the others go on. The 7B shape takes 14 GB of disk, its weights 14 GB of the device.
#
# Without a GPU every step says what is missing and measures nothing. ENGRAM_GPU_REHEARSAL=1 goes through all of them on the
# processor instead, with tiny shapes and the emulated device: the script is tried, its figures mean nothing and say so.
set -uo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
step=${1:?step: check, conformance, sanitizer, ceiling, gpt2, llama, search, table or all}
results=$(mkdir -p "${2:-gpu-results}" && cd "${2:-gpu-results}" && pwd)
python=${PYTHON:-python3}
number=${ENGRAM_CUDA_DEVICE:-0}
rehearsal=${ENGRAM_GPU_REHEARSAL:-}
# Numbers as nvidia-smi gives them; otherwise CUDA counts the fastest first.
export CUDA_DEVICE_ORDER=${CUDA_DEVICE_ORDER:-PCI_BUS_ID}
export LD_LIBRARY_PATH=$here/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
# The libraries that PyTorch brought, unless the user named others.
if [ -z "${ENGRAM_CUDA_HOME:-}" ]; then
  ENGRAM_CUDA_HOME=$("$python" -c 'import nvidia; print(next(iter(nvidia.__path__)) + "/..")' 2>/dev/null) && export ENGRAM_CUDA_HOME
fi
scratch=${ENGRAM_GPU_SCRATCH:-$results/scratch}
mkdir -p "$scratch"
engram() { "$here/engram" "$@"; }
engram_bench() { "$here/engram-bench" "$@"; }
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
has() { "$python" -c "import $1" > /dev/null 2>&1; }
# What a step needs and this machine has not, one per line.
missing() {
  for need in "$@"; do
    case $need in
      gpu) [ -n "$rehearsal" ] || ls /dev/nvidia[0-9]* /dev/dxg > /dev/null 2>&1 ||
        echo "no NVIDIA GPU: no device file /dev/nvidia0 (install the driver, or pass the GPU on: docker run --gpus all)" ;;
      nvidia-smi) [ -n "$rehearsal" ] || nvidia-smi -L > /dev/null 2>&1 ||
        echo "nvidia-smi $(command -v nvidia-smi > /dev/null && nvidia-smi -L 2>&1 | head -n 1 || echo 'is not in PATH') (it comes with the driver)" ;;
      program) engram --version > /dev/null 2>&1 || echo "the program does not run here: $(engram --version 2>&1 | head -n 1)" ;;
      libraries) [ -n "$rehearsal" ] || engram doctor 2> /dev/null | grep -q 'CUDA.*cuda:' ||
        echo "CUDA cannot be used: $(engram doctor 2> /dev/null | grep -m1 CUDA || echo 'engram doctor does not run here')" ;;
      torch) has torch || echo "no PyTorch for $python (set PYTHON, or pip install torch)" ;;
      torch-gpu) [ -n "$rehearsal" ] || ! has torch || "$python" -c 'import torch; assert torch.cuda.is_available()' > /dev/null 2>&1 ||
        echo "the PyTorch of $python sees no GPU" ;;
      peers) for package in transformers peft safetensors; do has $package || echo "no Python package $package"; done ;;
      sanitizer) [ -n "$rehearsal" ] || command -v compute-sanitizer > /dev/null ||
        echo "no compute-sanitizer in PATH (it comes with the CUDA toolkit)" ;;
      disk) [ -n "$rehearsal" ] || [ "$(df -Pk "$scratch" | awk 'NR == 2 {print $4}')" -gt $((16 << 20)) ] || [ -d "$scratch/llama7b" ] ||
        echo "less than 16 GB free in $scratch (set ENGRAM_GPU_SCRATCH)" ;;
    esac
  done
}
# can NAME NEED…: whether the step can run; otherwise says and records why not.
can() {
  local name=$1 lacks; shift
  lacks=$(missing "$@")
  [ -z "$lacks" ] && return 0
  echo "== $name: not run"
  echo "$lacks" | sed 's/^/   /'
  "$python" -c 'import json, sys; print(json.dumps({"step": sys.argv[1], "missing": sys.argv[2].splitlines()}))' "$name" "$lacks" 2> /dev/null |
    record > /dev/null || echo "{\"step\":\"$name\",\"missing\":[\"see the output\"]}" | record > /dev/null
  return 1
}

# What an earlier run of everything left must not be taken for this one's.
put_aside() {
  [ -e "$results/figures.jsonl" ] || return 0
  local earlier; earlier=$results/earlier-$(date +%Y%m%d-%H%M%S)
  mkdir -p "$earlier"
  find "$results" -maxdepth 1 -type f -exec mv {} "$earlier/" \;
  echo "The results of an earlier run are in $earlier."
}
[ "$step" != all ] || put_aside

if [ -n "$rehearsal" ]; then
  device=cpu peer_device=cpu small=-tiny length=32 steps=2 quick=(--quick) suite=EmulatedCUDATests
  echo '{"rehearsal":true}' | record > /dev/null
  echo "REHEARSAL on the processor: no figure below is one of a GPU."
else
  # PyTorch and Engram must mean the same device: where the user has chosen none, only this one is visible, as number 0;
  # where CUDA_VISIBLE_DEVICES is set, the number counts among those.
  if [ -z "${CUDA_VISIBLE_DEVICES:-}" ]; then export CUDA_VISIBLE_DEVICES=$number; number=0; fi
  device=cuda:$number peer_device=cuda:$number small="" length=256 steps=20 quick=() suite=CUDADeviceTests
fi
tests() { (cd "$here" && ENGRAM_CUDA_DEVICE=$number "$@" "$here/engram-tests.xctest" --testing-library swift-testing --filter "$suite"); }
peers() { "$python" "$here/gpu/peers.py" "$@" --device "$peer_device" --output "$results/figures.jsonl"; }

check() {
  nvidia-smi > "$results/nvidia-smi.txt" 2>&1
  echo "== check"
  [ -z "$rehearsal" ] || echo "(A rehearsal wants the Python packages and a C++ compiler only.)"
  echo "Wanted: an NVIDIA GPU (Ampere or later; the weights of the 7B shape alone take 14 GB of it) with its driver and nvidia-smi; NVRTC and"
  echo "cuBLASLt (PyTorch brings them); Python with torch, transformers, peft and safetensors; compute-sanitizer for that one"
  echo "step; 16 GB free in $scratch."
  local lacks; lacks=$(missing program gpu nvidia-smi libraries torch torch-gpu peers sanitizer disk)
  if [ -n "$lacks" ]; then echo "Missing:"; echo "$lacks" | sed 's/^/   /'; else echo "Everything is there."; fi
  say doctor engram doctor
}
conformance() { can conformance program gpu libraries && say conformance tests env; }
sanitizer() {
  [ -z "$rehearsal" ] || return 0
  can sanitizer gpu libraries sanitizer && say sanitizer tests compute-sanitizer --error-exitcode 9
}
ceiling() { can ceiling gpu torch torch-gpu && say ceiling peers ceiling; }
# shape NAME PEERS' SHAPE STEPS: a base of that shape, Engram on it, the peers on it.
shape() {
  local name=$1 model=$scratch/$2$small
  can "$name" program gpu torch torch-gpu peers || return
  [ -d "$model" ] || say "make-$name" peers make --shape "$2$small" --model "$model"
  if can "$name-engram" libraries; then
    local options=(--model "$model" --device "$device" --dtype bf16)
    say "$name-train" engram_bench model "${options[@]}" --length $length --steps "$3"
    say "$name-generate" engram_bench model "${options[@]}" --case generate
  fi
  say "$name-peers" timeout 570 "$python" "$here/gpu/peers.py" train --model "$model" --length $length \
    ${quick[@]+"${quick[@]}"} --device "$peer_device" --output "$results/figures.jsonl"
}
gpt2() { shape gpt2 gpt2 $steps; }
llama() { can llama disk && shape llama llama$([ -n "$small" ] || echo 7b) $((steps / 2)); }
search() {
  can search program gpu libraries || return
  local study=$scratch/study
  rm -rf "$study" && mkdir -p "$study"
  sed -e 's/budget: 40/budget: 2/' -e 's/initial: 14/initial: 2/' "$here/configs/quickstart.yaml" > "$study/quick.yaml"
  # The coordinator and one worker on the device; the worker is killed while its first trial runs and started again.
  cat > "$study/run.sh" <<'INNER'
set -u
engram=$1 study=$2 device=$3
cd "$study"
socket=$(mktemp -u "${TMPDIR:-/tmp}/engram-XXXXXX")
"$engram" coordinator quick.yaml --bind "ipc://$socket" --runs runs & coordinator=$!
work() { "$engram" worker quick.yaml --connect "ipc://$socket" --device "$device" --name gpu --state "$study/state" & worker=$!; }
sleep 2
work
# Until a trial of the worker's is under way; the quickstart's base has to be made first.
for _ in $(seq 1000); do
  if "$engram" worker list quick --runs runs --format json 2>/dev/null | grep -q '"running"'; then
    "$engram" worker list quick --runs runs
    kill -9 $worker; wait $worker 2>/dev/null
    echo "the worker was killed"
    work
    break
  fi
  kill -0 $coordinator 2>/dev/null || break
  sleep 0.5
done
wait $coordinator; status=$?
kill $worker 2>/dev/null; wait $worker 2>/dev/null
"$engram" trial list quick --runs runs
exit $status
INNER
  say search timeout 570 bash "$study/run.sh" "$here/engram" "$study" "$device"
}
table() { "$python" "$here/gpu/report.py" "$results" | tee "$results/table.md"; }

echo "Results go to $results: table.md (all figures), figures.jsonl (the same for programs), STEP.log (what each step printed)."
case $step in
check | conformance | sanitizer | ceiling | gpt2 | llama | search | table) $step ;;
all)
  for each in check conformance sanitizer ceiling gpt2 llama search table; do $each; done
  echo "The table is in $results/table.md." ;;
*) echo "unknown step '$step'" >&2; exit 2 ;;
esac
