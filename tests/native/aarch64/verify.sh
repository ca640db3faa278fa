#!/usr/bin/env bash
# Runs a program under nativeheap_compared, which ends it where a stack that was verified is not what a walk tells.
#   verify.sh PROGRAM EMULATOR OPTION...
set -euo pipefail
program=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$@" -E NATIVEHEAP_OUT="$work/raw" "$program" 2>"$work/said" || { cat "$work/said"; exit 1; }
cat "$work/said"
awk '$1 == "compared" { most = $2 > most ? $2 : most } END { exit !(most >= 200) }' "$work/said"
