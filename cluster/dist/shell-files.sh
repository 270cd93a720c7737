#!/usr/bin/env bash
# Writes completion for bash, zsh and fish, and the manual pages when they have been made, below SHARE.
#   shell-files.sh PROGRAM SHARE      (called by `make install` and `make dist`)
set -euo pipefail
program=$1 share=$2
mkdir -p "$share/bash-completion/completions" "$share/zsh/site-functions" "$share/fish/vendor_completions.d"
"$program" --generate-completion-script bash > "$share/bash-completion/completions/engram"
"$program" --generate-completion-script zsh > "$share/zsh/site-functions/_engram"
"$program" --generate-completion-script fish > "$share/fish/vendor_completions.d/engram.fish"
