#!/usr/bin/env bash
# Runs the archive in bare root file systems, as an ordinary user and without network: nothing of this machine but the kernel.
#   test.sh DIST_FOLDER [SUITE…]      default: bullseye bookworm (Debian 11 and 12); needs root and debootstrap
# ENGRAM_ROOTS keeps the root file systems between runs (default: a temporary folder). MIRROR is the Debian mirror.
set -euo pipefail
dist=$(readlink -f "$1")
shift
[ $# -gt 0 ] || set -- bullseye bookworm
archives=("$dist"/engram-*-linux-*.tar.gz)
archive=${archives[-1]}
[ -f "$archive" ] || { echo "no archive in $dist; make one with: make dist" >&2; exit 2; }
[ "$(id -u)" -eq 0 ] || { echo "bare root file systems need root" >&2; exit 2; }
command -v debootstrap >/dev/null 2>&1 || { echo "run: apt-get install debootstrap" >&2; exit 2; }

kept=${ENGRAM_ROOTS:-}
roots=${kept:-$(mktemp -d)}
if [ -z "$kept" ]; then trap 'rm -rf "$roots"' EXIT; fi

for suite in "$@"; do
  root=$roots/$suite
  [ -x "$root/bin/sh" ] || debootstrap --variant=minbase "$suite" "$root" "${MIRROR:-http://deb.debian.org/debian}" >/dev/null
  rm -rf "$root/home/someone"
  mkdir -p "$root/home/someone"
  tar -C "$root/home/someone" -xzf "$archive"
  mv "$root/home/someone"/engram-* "$root/home/someone/engram"
  chown -R 1000:1000 "$root/home/someone"
  echo "== $suite: $(chroot "$root" getconf GNU_LIBC_VERSION), $(chroot "$root" sh -c '. /etc/os-release; echo "$PRETTY_NAME"')"
  # Mounts and processes of the run end with it; loopback is the only network.
  unshare --mount --pid --net --fork --kill-child bash -euc '
    root=$1
    ip link set lo up 2>/dev/null || true
    mount -t proc proc "$root/proc"
    mount -t tmpfs tmpfs "$root/tmp"
    mount --bind /dev "$root/dev"
    exec chroot --userspec=1000:1000 "$root" /usr/bin/env -i HOME=/home/someone PATH=/usr/bin:/bin sh -euc "
      cd ~
      engram/bin/engram --version
      engram/bin/engram doctor
      start=\$(date +%s)
      engram/bin/engram search engram/configs/quickstart.yaml --runs ~/runs --workers 2
      echo \"first quickstart: \$(( \$(date +%s) - start )) s from the unpacked archive\"
      engram/bin/engram study show quickstart --runs ~/runs
    "' bash "$root"
done
echo "the archive runs in: $*"
