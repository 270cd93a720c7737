#!/usr/bin/env bash
# Runs workers.sbatch and coordinator.sbatch under a real Slurm: a cluster of one node in a temporary folder, a study of
# a test function, and a job of higher priority that preempts the workers while they train.
#
# usage: test.sh [ENGRAM]        ENGRAM defaults to .build/release/engram; needs slurmctld, slurmd and munged
#                                (Debian: apt-get install slurm-wlm munge), about a minute, and root.
# Exit status: 0 all held, 1 something did not, 77 skipped (the reason is printed).
set -euo pipefail
cd "$(dirname "$0")/../.."
engram=$(realpath "${1:-.build/release/engram}")
skip() { echo "skipped: $1"; exit 77; }
for program in munged slurmctld slurmd sbatch; do
  command -v "$program" >/dev/null || skip "$program is not installed (apt-get install slurm-wlm munge)"
done
[ -x "$engram" ] || skip "$engram is not built"
[ "$(id -u)" = 0 ] || skip "slurmd starts jobs of users as root only"

slurm=$PWD/cluster/slurm
work=$(mktemp -d)
export HOME=$work/home SLURM_CONF=$work/slurm.conf ENGRAM=$engram ENGRAM_RUNS=$work/runs XDG_STATE_HOME=$work/state
export ENGRAM_KEYS=$work/keys ENGRAM_PORT=$((20000 + $$ % 20000))
node=$(hostname -s)
export ENGRAM_ADDRESS=tcp://127.0.0.1:$ENGRAM_PORT
pids=()
finish() {
  status=$?
  scancel --quiet --user "$(id -un)" 2>/dev/null || true
  # The daemons see their jobs out; whoever does not leave is killed.
  for _ in {1..40}; do
    if [ -z "$(squeue --noheader 2>/dev/null)" ]; then break; fi
    sleep 0.5
  done
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  sleep 2
  for pid in "${pids[@]}"; do kill -9 "$pid" 2>/dev/null || true; done
  if [ -f "$work/munge/pid" ]; then kill "$(cat "$work/munge/pid")" 2>/dev/null || true; fi
  if [ "$status" = 0 ]; then rm -rf "$work" || true; else echo "logs are kept in $work"; fi
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

# --- a cluster of one node; it pretends to have eight processors, so that small machines suffice
mkdir -p "$work"/{home,ctl,spool,munge,runs}
chmod 700 "$work/munge"
dd if=/dev/urandom of="$work/munge/key" bs=1024 count=1 status=none
chmod 400 "$work/munge/key"
munged --force --num-threads=2 --key-file="$work/munge/key" --socket="$work/munge/socket" --pid-file="$work/munge/pid" \
  --log-file="$work/munge/log" --seed-file="$work/munge/seed"
cat >"$SLURM_CONF" <<X
ClusterName=engram-test
SlurmctldHost=$node(127.0.0.1)
SlurmctldPort=$((ENGRAM_PORT + 1))
SlurmdPort=$((ENGRAM_PORT + 2))
AuthType=auth/munge
AuthInfo=socket=$work/munge/socket,cred_expire=5
SlurmUser=root
StateSaveLocation=$work/ctl
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=1,bf_interval=1
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
KillWait=20
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmdParameters=config_overrides
NodeName=$node NodeAddr=127.0.0.1 CPUs=8 State=UNKNOWN
PartitionName=low Nodes=$node Default=YES MaxTime=INFINITE State=UP PriorityTier=1
PartitionName=high Nodes=$node MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=OFF
X
slurmctld -D -f "$SLURM_CONF" >"$work/slurmctld.log" 2>&1 &
pids+=($!)
slurmd -D -f "$SLURM_CONF" >"$work/slurmd.log" 2>&1 &
pids+=($!)

# --- helpers
wait_for() { # SECONDS WHAT COMMAND…
  local limit=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    if [ $SECONDS -ge $limit ]; then echo "FAILED: waited in vain for $what"; exit 1; fi
    sleep 0.3
  done
  echo "ok: $what"
}
check() { # WHAT COMMAND…
  local what=$1
  shift
  if "$@" >/dev/null 2>&1; then echo "ok: $what"; else echo "FAILED: $what"; exit 1; fi
}
workers() { # JSON of the workers, compact
  "$engram" worker list slurm --format json 2>/dev/null | tr -d ' \n'
}
running() { [ "$(workers | grep -o '"running":' | wc -l)" = "$1" ]; }
released() { "$engram" trial list slurm --format json | grep -q '"state" : "released"'; }

cat >"$work/slurm.yaml" <<X
study: {name: slurm, budget: 8}
sampler: {initial: 8}
evaluator: {name: analytic, problem: sparse34, seconds: 3}
coordinator: {heartbeat: 1 s, lease: 60 s}
X
"$engram" keys generate server --keys "$ENGRAM_KEYS" >/dev/null
"$engram" keys generate worker --keys "$ENGRAM_KEYS" >/dev/null
"$engram" keys authorize worker --keys "$ENGRAM_KEYS" >/dev/null

wait_for 20 "the node is up" sh -c "sinfo --noheader -o %T | grep -q idle"
cd "$work"
sbatch --quiet --partition=high --cpus-per-task=2 --mem=0 "$slurm/coordinator.sbatch" "$work/slurm.yaml"
sbatch --quiet --partition=low --array=0-1 --cpus-per-task=3 --mem=0 "$slurm/workers.sbatch" "$work/slurm.yaml"
wait_for 40 "both workers train" running 2

# --- preemption in the middle of a trial
sbatch --quiet --partition=high --cpus-per-task=6 --mem=0 --job-name=urgent --output=/dev/null --wrap 'sleep 4'
wait_for 30 "Slurm preempted the workers" grep -q "preempted JobId" "$work/slurmctld.log"
wait_for 10 "the trials were given back (the lease would have lasted 60 s)" released
check "the workers saw SIGTERM" grep -q "stopped by SIGTERM" "$work"/engram-worker-*_0.log "$work"/engram-worker-*_1.log

# --- the workers come back by themselves and the study ends
finished() { "$engram" study show slurm | grep -q '^8 of 8'; }
wait_for 120 "the study ended after the workers were requeued" finished
check "requeued workers took part again" sh -c "cat '$work'/engram-worker-*.log | grep -c 'connected to study' | grep -qE '^([3-9]|..)'"
"$engram" trial list slurm --format json >"$work/trials.json"
check "no released attempt was counted as a failure" sh -c "! grep -qE '\"state\" : \"(failed|expired)\"' '$work/trials.json'"
check "history and database are sound" "$engram" doctor slurm
echo "passed: coordinator.sbatch and workers.sbatch under $(slurmctld -V)"
