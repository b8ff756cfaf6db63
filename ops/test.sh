#!/usr/bin/env bash
# Has Prometheus' own tool judge what operators are given: configuration, alerts and their tests, and
# the pages that a real broker shows, alone and with all its doors. Needs python3.
#
# Takes promtool from PROMTOOL or PATH, else out of Debian's package `prometheus`, which is unpacked
# into .cache/ and not installed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cache=$PWD/.cache/promtool
log=$(mktemp)
trap 'rm -f "$log"' EXIT

say() { printf '%s\n' "$*" >&2; }

# Leaves the package's promtool in the cache. A directory of its own, put in place by a rename: two of
# these may run at once.
unpack() {
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || return 1
    local scratch
    mkdir -p "$cache"
    scratch=$(mktemp -d "$cache/new.XXXXXX")
    # Otherwise apt, run as root, warns that its own user may not write here.
    chmod 755 "$scratch"
    say "promtool is not here: taking it out of Debian's package prometheus"
    if ! (cd "$scratch" && apt-get -o APT::Sandbox::User=root download -q prometheus) >"$log" 2>&1; then
        # A machine whose package lists were never fetched; only root may do that.
        if ! apt-get update -q >>"$log" 2>&1 ||
            ! (cd "$scratch" && apt-get -o APT::Sandbox::User=root download -q prometheus) >>"$log" 2>&1; then
            rm -rf "$scratch"
            return 1
        fi
    fi
    dpkg-deb -x "$scratch"/prometheus_*.deb "$scratch/package"
    mv -f "$scratch/package/usr/bin/promtool" "$cache/promtool"
    rm -rf "$scratch"
}

promtool=${PROMTOOL:-$(command -v promtool || true)}
if [ -z "$promtool" ]; then
    if [ ! -x "$cache/promtool" ] && ! unpack; then
        cat "$log" >&2
        say "ops/test.sh needs promtool: put it on PATH, name it by PROMTOOL, or use a Debian machine"
        say "whose apt can download the package prometheus."
        exit 1
    fi
    promtool=$cache/promtool
fi
"$promtool" --version 2>&1 | head -n 1

echo "-- configuration and alerts"
"$promtool" check config ops/prometheus/prometheus.yml
# Its rules lie beside it only in the container.
"$promtool" check config --syntax-only ops/container/prometheus.yml
"$promtool" test rules ops/prometheus/alerts.test.yml ops/prometheus/doors.test.yml

echo "-- the page of a broker that has sold a book"
page=$PWD/target/metrics-page.txt
mkdir -p target
rm -f "$page"
# With the features of the whole workspace: what its tests built is taken as it is.
METRICS_PAGE_TO=$page cargo test -q --workspace --test e2e -- --exact \
    surfaces::the_pages_say_how_the_broker_is
"$promtool" check metrics <"$page"
echo "$(grep -c '^# TYPE' "$page") metrics, nothing to complain about"

echo "-- the page of a broker with all its doors, and what is made of it"
# The demo was built with the tests above; each kind of request, and
# enough of them that a bookstore calls back.
doors=$PWD/target/metrics-page-doors.txt
rm -f "$doors"
ops/doors.py "$doors" "${CARGO_TARGET_DIR:-target}/debug/demo" --plain --requests 20
"$promtool" check metrics <"$doors"
echo "$(grep -c '^# TYPE' "$doors") metrics, nothing to complain about"
