#!/usr/bin/env bash
# Grades the core's own tests with cargo-mutants: each mutant is a small change of the code that
# some test must notice. Runs one shard (K/N, counted from 0; everything when absent), then prints
# the score over all shards run so far. Fails when less than 95 % of the viable mutants are caught
# or when a survivor is not explained in tests/mutants.md.
#
#   tests/mutants.sh          all, about two hours on one core
#   tests/mutants.sh 3/8      the fourth of eight shards
#   tests/mutants.sh score    only the score of what is there
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly PER_CENT_MIN=95
readonly OUT=target/graded
readonly SHARD=${1:-0/1}

# Few cases: enough to notice, soon. See `config` in broker/core/tests/proof/model.
export PROPTEST_CASES=${PROPTEST_CASES:-200}
# Dependencies are built once, here, not in each copy of the sources.
export CARGO_TARGET_DIR=$PWD/target

# Exit code 2: some were missed, 3: some ran into the time-out. The score below judges both.
graded() {
    local dir=$OUT/$1
    shift
    rm -rf "$dir" && mkdir -p "$dir"
    cargo mutants --no-shuffle --output "$dir" "$@" || [[ $? == 2 || $? == 3 ]]
}

if [[ $SHARD != score ]]; then
    graded "core-${SHARD//\//-of-}" --shard "$SHARD"
    if [[ $SHARD == 0/* ]]; then
        graded money --config tests/mutants-money.toml
    fi
fi

# One line per mutant: file, name without its position, verdict. A later run of it wins.
outcomes() {
    local files
    mapfile -t files < <(ls -tr "$OUT"/*/mutants.out/outcomes.json)
    jq -r '.outcomes[] | select(.scenario | type == "object")
        | [.scenario.Mutant.file, .scenario.Mutant.name, .summary] | @tsv' "${files[@]}" |
        awk -F'\t' '{ seen[$2] = $0 } END { for (name in seen) print seen[name] }' | sort
}

# caught, missed, timeout, unviable and score of the outcomes read, under a name.
line() {
    awk -F'\t' -v name="$1" '
        { n[$3]++ }
        END {
            caught = n["CaughtMutant"] + n["Timeout"]
            viable = caught + n["MissedMutant"]
            printf "%-48s %6d %6d %7d %8d %6.1f %%\n", name, n["CaughtMutant"], n["MissedMutant"],
                n["Timeout"], n["Unviable"], viable ? 100 * caught / viable : 100
        }'
}

all=$(outcomes)
printf '%-48s %6s %6s %7s %8s %8s\n' file caught missed timeout unviable score
for file in $(cut -f1 <<<"$all" | sort -u); do
    grep "^$file"$'\t' <<<"$all" | line "$file"
done
total=$(line all <<<"$all")
echo "$total"
if awk -v min="$PER_CENT_MIN" '{ exit $(NF - 1) < min ? 0 : 1 }' <<<"$total"; then
    echo "less than $PER_CENT_MIN % are caught" >&2
    exit 1
fi

# file.rs:12:3: replace … in … -> file.rs: replace … in …
unexplained=0
while IFS=$'\t' read -r _ name _; do
    key=$(sed -E 's/^([^:]*):[0-9]+:[0-9]+: /\1: /' <<<"$name")
    if ! grep -qF -- "\`${key//|/\\|}\`" tests/mutants.md; then
        echo "survives, not explained in tests/mutants.md: $name" >&2
        unexplained=1
    fi
done < <(grep $'\tMissedMutant$' <<<"$all" || true)
exit "$unexplained"
