# Lists the recipes below.
default:
    @just --list --unsorted

# Everything CI checks; reads only, changes no tracked file.
verify:
    .ci/run

# Formats, applies the lints' own fixes, regenerates generated files.
fix:
    cargo fmt --all
    cargo clippy --workspace --all-targets --fix --allow-dirty --allow-staged
    cargo run -q -p schemas --bin schemas-gen
    cargo fmt --all

# All tests, on real nats-server processes; arguments go to cargo test.
test *args:
    cargo test --workspace {{ args }}

# The show: 30 requests, 20 partners, a ledger check at the end.
demo *args:
    cargo demo {{ args }}

# The examples in docs/examples, each run against real processes and compared with the broker.
test-clients:
    cargo test-clients

# The gateway's page in a browser, and its contract against what it answers; "page" or "api" for one.
test-web *args:
    cargo test-web {{ args }}

# The simulator: one seed, many, the same one twice; see `just sim --help`.
sim *args:
    cargo sim {{ args }}

# Looks for a seed that breaks a promise, on all cores; what fails is shrunk and can be replayed.
hunt minutes="5" *args:
    cargo sim --minutes {{ minutes }} {{ args }}

# Feeds a fuzz target for so many seconds; targets: wire_decoder, wire_messages, store, files, scenario.
fuzz target seconds="60":
    mkdir -p tests/fuzz/corpus/{{ target }}
    cargo fuzz run --fuzz-dir tests/fuzz --sanitizer none {{ target }} \
        tests/fuzz/corpus/{{ target }} tests/corpus/{{ target }} -- \
        -max_total_time={{ seconds }} -timeout=20 -rss_limit_mb=2048

# Adds to the committed corpus of a target what reaches code that nothing in it reaches.
fuzz-merge target:
    tests/fuzz-merge.sh {{ target }}

# Real processes, everything broken that can be broken, for so many minutes; see `cargo chaos --help`.
chaos minutes="10" *args:
    cargo chaos {{ minutes }} {{ args }}

# The same for an hour, flooded all the while; every kind of fault must be proven.
soak minutes="60" *args:
    cargo chaos {{ minutes }} --flood --require all {{ args }}

# Only the end-to-end suite: processes, kill -9, restarts.
e2e *args:
    cargo test -p tests --test e2e {{ args }}

# Alerts, their tests and a real broker's pages, judged by promtool (which is fetched if it is missing).
test-ops:
    ops/test.sh

# Grades the core's own tests by small changes they must notice; "3/8" is one shard of eight.
mutants shard="0/1":
    tests/mutants.sh {{ shard }}

# Plants twelve bugs, one at a time; the simulator, not told which, must find each.
bugbase seeds="20000":
    tests/bugbase/run.sh {{ seeds }}

# The speed figures, each beside a calibration of the machine it ran on.
bench:
    cargo bench -p broker-core --bench engine --bench planner
    cargo bench -p broker --bench codec --bench store
    cargo run --release -p loadtest -- closed-loop
    cargo run --release -p loadtest -- latency
    cargo run --release -p loadtest -- recovery

# The same work as instructions, counted by valgrind: comparable on a busy machine, too.
instructions name="":
    tests/instructions.sh {{ name }}

# The whole broker under load, audited at the end; profiles: peak, flash, soak, ceiling.
loadtest *args:
    cargo run --release -p loadtest -- {{ args }}

# 200 requests/s to 100 unreliable partners; a page with plots is left in target/loadtest.
peak *args:
    mkdir -p target/loadtest
    cargo run --release -p loadtest -- peak --html target/loadtest/peak.html {{ args }}

# 2,000 requests/s for one book of which there are 500 copies.
flash *args:
    cargo run --release -p loadtest -- flash {{ args }}

# As many orders as this machine carries, and what NATS alone would carry.
ceiling *args:
    cargo run --release -p loadtest -- ceiling --baseline raw {{ args }}

# Rewrites the golden files from what the code does now; review the diff before committing it.
golden-accept:
    GOLDEN_ACCEPT=1 cargo test --workspace
    git status --short
