#!/bin/sh
# Instructions that each bench executes, counted by callgrind: on a busy machine times scatter, these do
# not. Only what the benches wrap in `measured` counts.
#
#     tests/instructions.sh [NAME]      benches whose name contains NAME
set -eu
cd "$(dirname "$0")/.."
command -v valgrind >/dev/null || { echo "valgrind is missing: apt-get install valgrind" >&2; exit 1; }
wanted=${1:-}
out=$(mktemp)
trap 'rm -f "$out"' EXIT

# "Executable benches/engine.rs (target/release/deps/engine-…)"
programs=$(cargo bench --no-run -p broker-core --bench engine --bench planner -p broker --bench codec 2>&1 |
    sed -n 's/.*Executable .*(\(.*\))$/\1/p')
[ -n "$programs" ] || { echo "no bench was built: see cargo bench --no-run" >&2; exit 1; }
for program in $programs; do
    for bench in $("$program" --bench --list | sed -n 's/: benchmark$//p'); do
        case $bench in *"$wanted"*) ;; *) continue ;; esac
        valgrind --tool=callgrind --callgrind-out-file=/dev/null --toggle-collect='*measured*' \
            "$program" --test --exact "$bench" >"$out" 2>&1 || { cat "$out" >&2; exit 1; }
        # A process that the bench starts reports, too: nothing.
        count=$(sed -n 's/.*Collected : \([0-9]*\).*/\1/p' "$out" | sort -n | tail -1)
        [ "${count:-0}" -gt 0 ] || { echo "$bench: nothing was counted" >&2; exit 1; }
        printf '%-50s %12s\n' "$bench" "$count"
    done
done
