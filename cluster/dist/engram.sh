#!/bin/sh
# Starts the program with the libraries that came with it. Where the system's C library is older than the one that the program
# was built with, or is another one, the C library in lib/glibc is used as well.
set -eu
here=$(dirname -- "$(readlink -f -- "$0")")
root=${here%/bin}
built_with=@GLIBC@

installed=$(getconf GNU_LIBC_VERSION 2>/dev/null | sed -n 's/^glibc //p')
newest=$(printf '%s\n%s\n' "${installed:-0}" "$built_with" | sort -t. -k1,1n -k2,2n | tail -1)
if [ -n "$installed" ] && [ "$newest" = "$installed" ]; then
  unset ENGRAM_EXECUTABLE
  exec "$root/libexec/engram" "$@"
fi
# The kernel then names the loader as this process's program: workers are started through this script.
export ENGRAM_EXECUTABLE="$here/engram"
exec "$root/lib/glibc/ld-linux-x86-64.so.2" --argv0 engram --library-path "$root/lib/glibc:$root/lib" \
  "$root/libexec/engram" "$@"
