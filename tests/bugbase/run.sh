#!/usr/bin/env bash
# Plants each bug of this directory into a copy of the sources, one at a time, and lets the
# simulator, which is not told which one, look for it. Prints how many seeds that took.
#
#   tests/bugbase/run.sh [SEEDS_MAX] [PATCH...]
#
# Fails if a patch does not apply, does not compile, or stays unfound within SEEDS_MAX seeds.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
seeds=${1:-20000}
shift || true
patches=("$@")
if [ ${#patches[@]} -eq 0 ]; then
    patches=("$root"/tests/bugbase/*.patch)
fi

# A copy of what is tracked, beside the build, so that only changed files are built again.
copy=$root/target/bugbase/sources
export CARGO_TARGET_DIR=$root/target/bugbase/build CARGO_PROFILE_DEV_DEBUG=0
mkdir -p "$copy"
sync_sources() {
    git -C "$root" ls-files -z | (cd "$root" && xargs -0 -I{} sh -c '
        cmp -s "$1" "$2/$1" || { mkdir -p "$2/$(dirname "$1")" && cp "$1" "$2/$1"; }
    ' _ {} "$copy")
}

unfound=0
printf '%-36s %10s  %s\n' "planted bug" "seeds" "first broken check"
for patch in "${patches[@]}"; do
    patch=$(realpath "$patch")
    name=$(basename "$patch" .patch)
    sync_sources
    # Inside a repository git passes over files of another directory without a word.
    (cd "$copy" && GIT_CEILING_DIRECTORIES=$root/target git apply "$patch")
    (cd "$copy" && cargo build -q -p tests --bin sim)
    report=$(cd "$copy" && "$CARGO_TARGET_DIR/debug/sim" --seeds "0..$seeds" --no-shrink 2>&1) && found= || found=yes
    if [ -n "$found" ]; then
        seed=$(sed -n 's/.*seed \([0-9][0-9]*\).*/\1/p' <<<"$report" | head -1)
        check=$(grep -o '[A-Z0-9]* [a-z_]*: BROKEN' <<<"$report" | head -1)
        printf '%-36s %10s  %s\n' "$name" "$((seed + 1))" "$check"
    else
        printf '%-36s %10s  %s\n' "$name" "> $seeds" "NOT FOUND"
        unfound=$((unfound + 1))
    fi
done
sync_sources
exit $((unfound > 0))
