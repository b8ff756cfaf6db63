#!/usr/bin/env bash
# Adds to the committed corpus of a fuzz target those inputs of tests/fuzz/corpus that reach code
# which nothing in it reaches, the one that reaches most of it first, while there is room.
#
#   tests/fuzz-merge.sh store
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# As in tests/tests/corpus.rs: a corpus is replayed by every `cargo test` and read by people.
readonly FILES_MAX=150
readonly BYTES_MAX=$((300 * 1024))
readonly TARGET=${1:?which target}
readonly COMMITTED=tests/corpus/$TARGET

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cp -r "$COMMITTED" "$scratch/committed"

# The fuzzer's own merge keeps hundreds of inputs for an edge each. It writes them to the scratch
# directory; what it notes of each on its way, which edges were reached, is what is needed here.
cargo fuzz run --fuzz-dir tests/fuzz --sanitizer none "$TARGET" \
    "$scratch/committed" "tests/fuzz/corpus/$TARGET" -- \
    -set_cover_merge=1 -use_counters=0 -merge_control_file="$scratch/notes" 2>"$scratch/log" ||
    { cat "$scratch/log" >&2 && exit 1; }

# The notes: the number of inputs, how many of them are committed, their names, those first and
# otherwise by size; then a line "FT <number of the input> <edge>…" for each.
by_gain() {
    awk '
        NR == 1 { inputs = $1 }
        NR == 2 { committed = $1 }
        NR > 2 && NR <= inputs + 2 { name[NR - 3] = $0 }
        $1 == "FT" && $2 < committed { for (i = 3; i <= NF; i++) reached[$i] }
        $1 == "FT" && $2 >= committed { edges[$2] = $0 }
        END {
            for (;;) {
                best = -1
                most = 0
                for (n = committed; n < inputs; n++) {
                    if (!(n in edges)) continue
                    fields = split(edges[n], edge, " ")
                    gain = 0
                    left = "FT " n
                    for (i = 3; i <= fields; i++)
                        if (!(edge[i] in reached)) { gain++; left = left " " edge[i] }
                    if (gain == 0) delete edges[n]; else edges[n] = left
                    if (gain > most) { most = gain; best = n }
                }
                if (best < 0) exit
                fields = split(edges[best], edge, " ")
                for (i = 3; i <= fields; i++) reached[edge[i]]
                print most, name[best]
            }
        }' "$scratch/notes"
}

files=$(find "$COMMITTED" -type f | wc -l)
bytes=$(cat "$COMMITTED"/* | wc -c)
added=0 edges=0 unused=0 missed=0
while read -r gain input; do
    size=$(wc -c <"$input")
    if ((files < FILES_MAX && bytes + size <= BYTES_MAX)); then
        cp "$input" "$COMMITTED/"
        files=$((files + 1)) bytes=$((bytes + size))
        added=$((added + 1)) edges=$((edges + gain))
    else
        unused=$((unused + 1)) missed=$((missed + gain))
    fi
done < <(by_gain)
echo "$TARGET: $files inputs of $bytes bytes; $added new ones reach $edges new edges"
echo "no room for $unused more, which reach $missed"
