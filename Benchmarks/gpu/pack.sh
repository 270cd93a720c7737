#!/usr/bin/env bash
# Packs what a bare GPU machine needs (no Swift there): the program, the tests of the language-model engine, the shared
# libraries that both want, fixtures and these scripts. usage: Benchmarks/gpu/pack.sh [FOLDER, default .build/gpu]
set -euo pipefail
cd "$(dirname "$0")/../.."
target=${1:-.build/gpu}
build=(-c release -Xswiftc -enable-testing)

swift build "${build[@]}" --product engram
swift build "${build[@]}" --product engram-bench
swift build "${build[@]}" --build-tests
products=$(swift build "${build[@]}" --show-bin-path)
runtime=$(dirname "$(dirname "$(command -v swift)")")/lib/swift/linux
[ -d "$runtime" ] || runtime=$(dirname "$(dirname "$(readlink -f "$(command -v swift)")")")/lib/swift/linux

rm -rf "$target"
mkdir -p "$target/lib" "$target/Tests"
cp "$products/engram" "$products/engram-bench" "$target/"
cp "$products"/*.xctest "$target/engram-tests.xctest"
strip --strip-unneeded "$target/engram" "$target/engram-bench" "$target/engram-tests.xctest"
# Everything that is not the C library's own; OpenBLAS is opened at run time.
# (Without an early exit of awk: ldconfig would now and then die of it, and the script with it.)
blas=$(ldconfig -p | awk '/libopenblas\.so\.0 / && !found++ {print $NF}')
[ -n "$blas" ] || { echo "no libopenblas.so.0 here: apt-get install libopenblas0" >&2; exit 1; }
{ LD_LIBRARY_PATH=$runtime ldd "$target/engram" "$target/engram-bench" "$target/engram-tests.xctest" "$blas"; echo "x => $blas (y)"; } |
  awk '$2 == "=>" && $3 ~ /^\// {print $3}' |
  grep -vE '/(libc|libm|libpthread|libdl|librt|libresolv|ld-linux[^/]*)\.so' | sort -u |
  while read -r library; do cp -L "$library" "$target/lib/"; done
cp -r Tests/Fixtures "$target/Tests/"
cp -r configs "$target/"
cp -r Benchmarks/gpu "$target/gpu"
tar -C "$target" -cf - . | xz -T2 -3 > "$target.tar.xz"
ls -l "$target.tar.xz"
