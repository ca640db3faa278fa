#!/usr/bin/env bash
# Compares each stack of a program with that of the compiler's own unwinder; fails on any difference.
#   compare.sh PROGRAM EMULATOR OPTION...
set -euo pipefail
program=$1
shift
figures=$(mktemp)
trap 'rm -f "$figures"' EXIT
"$@" -E UNWIND_TRUTH_OUT="$figures" "$program"
cat "$figures"
awk '$1 == "compared" { total += $2; differing += $4; lost += $8; wrong += $16 }
    END { exit !(total >= 700 && differing == 0 && lost == 0 && wrong == 0) }' "$figures"
