#!/usr/bin/env bash
# Makes one relocatable archive: the program with Swift's runtime inside, the C libraries that it needs beside it, study files,
# cluster files, man pages, shell completion and every licence. It runs where no package can be installed.
#   dist.sh BUILD_FOLDER OUTPUT_FOLDER      (called by `make dist`)
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$1 output=$2

for tool in patchelf strip ldd dpkg-query; do
  command -v "$tool" >/dev/null 2>&1 || {
    echo "engram: making a release needs $tool: apt-get install patchelf binutils" >&2
    exit 2
  }
done

version=$("$build/engram" --version | tail -1)
name=engram-$version-linux-$(uname -m)
tree=$output/$name
rm -rf "$tree"
mkdir -p "$tree"/{bin,libexec,lib/glibc,share/man/man1,share/bash-completion/completions,share/zsh/site-functions,share/fish/vendor_completions.d} \
  "$tree"/share/licenses

strip -o "$tree/libexec/engram" "$build/engram"
patchelf --set-rpath '$ORIGIN/../lib' "$tree/libexec/engram"

# OpenBLAS is opened at run time and is no dependency of the program that ldd could show.
openblas=$(ldconfig -p | sed -n 's/^\s*libopenblas\.so\.0 .*=> //p' | head -1)
[ -n "$openblas" ] || { echo "engram: libopenblas.so.0 was not found; run: apt-get install libopenblas0" >&2; exit 2; }
libraries=$({ echo "$openblas"; for file in "$build/engram" "$openblas"; do ldd "$file" | sed -n 's/.* => \(\/[^ ]*\) .*/\1/p'; done; } | sort -u)

packages=()
for library in $libraries; do
  base=$(basename "$library")
  case $base in
    libc.so.6 | libm.so.6 | libpthread.so.0 | libdl.so.2 | librt.so.1 | libresolv.so.2 | libutil.so.1) place=lib/glibc ;;
    *) place=lib ;;
  esac
  cp -L "$library" "$tree/$place/$base"
  chmod 644 "$tree/$place/$base"
  if [ $place = lib ]; then patchelf --set-rpath '$ORIGIN' "$tree/lib/$base"; fi
  # With a merged /usr the package may know the file by either path.
  real=$(readlink -f "$library")
  package=$({ dpkg-query -S "$real" "${real#/usr}" 2>/dev/null || true; } | head -1 | cut -d: -f1)
  [ -n "$package" ] || { echo "engram: no package owns $real: its licence cannot be added" >&2; exit 1; }
  packages+=("$package")
done
cp -L /lib64/ld-linux-x86-64.so.2 "$tree/lib/glibc/"
chmod 755 "$tree/lib/glibc/ld-linux-x86-64.so.2"

glibc=$(getconf GNU_LIBC_VERSION | sed 's/^glibc //')
sed "s/@GLIBC@/$glibc/" cluster/dist/engram.sh > "$tree/bin/engram"
chmod 755 "$tree/bin/engram"

for package in $(printf '%s\n' "${packages[@]}" libc6 | sort -u); do
  if [ -f "/usr/share/doc/$package/copyright" ]; then
    cp -L "/usr/share/doc/$package/copyright" "$tree/share/licenses/$package"
  else
    echo "engram: no licence was found for the package $package" >&2
    exit 1
  fi
done
cp LICENSE "$tree/share/licenses/engram"
for checkout in "$build"/../../checkouts/* "$build"/../checkouts/*; do
  [ -d "$checkout" ] || continue
  for licence in "$checkout"/LICENSE* "$checkout"/NOTICE*; do
    if [ -f "$licence" ]; then cp "$licence" "$tree/share/licenses/$(basename "$checkout")-$(basename "$licence")"; fi
  done
done
swift_licence=$(dirname "$(dirname "$(readlink -f "$(command -v swift)")")")/share/swift/LICENSE.txt
if [ -f "$swift_licence" ]; then cp "$swift_licence" "$tree/share/licenses/swift"; fi

cluster/dist/shell-files.sh "$build/engram" "$tree/share"
cp -R configs cluster README.md LICENSE "$tree/"
rm -rf "$tree/cluster/dist"

tar -C "$output" --owner=0 --group=0 --sort=name -czf "$output/$name.tar.gz" "$name"
(cd "$output" && sha256sum "$name.tar.gz" > "$name.tar.gz.sha256")
echo "made $output/$name.tar.gz ($(du -h "$output/$name.tar.gz" | cut -f1), $(du -sh "$tree" | cut -f1) unpacked)"
