//! The planner: a request is durable, its sweep is planned and the questions of its first round are
//! written, with stores that have answered before.
//!
//! `cargo bench -p broker-core --bench planner`

mod market;

use broker_core::engine::Engine;
use broker_core::engine::input::{Input, Origin};
use broker_core::engine::output::Output;
use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use schemas::purchase::Strategy;

use market::{NOW, answer, engine, measured, searching, submission};

/// Sweeps of every store before, so that the ranking has something to go by.
const SWEEPS_BEFORE: usize = 20;
const STRATEGIES: [(Strategy, &str); 3] =
    [(Strategy::Cheapest, "cheapest"), (Strategy::Balanced, "balanced"), (Strategy::Fast, "fast")];

/// An engine that knows its stores, and the commit that a new request waits for.
fn about_to_search(partners: usize, strategy: Strategy) -> (Engine, Input) {
    let mut engine = engine(partners);
    for ((partner, question), salt) in searching(&mut engine, SWEEPS_BEFORE).iter().zip(0u64..) {
        engine.handle(answer(partner, question, salt * 37), NOW);
    }
    while engine.poll_output().is_some() {}
    let submission = Box::new(submission(1 << 32, strategy));
    let request = submission.id;
    engine.handle(Input::Create { origin: Origin(1 << 32), source: None, submission }, NOW);
    let mut commit = None;
    engine.handle(Input::Loaded { request, stored: None }, NOW);
    while let Some(output) = engine.poll_output() {
        if let Output::Commit { token, .. } = output {
            commit = Some(Input::Committed { token });
        }
    }
    (engine, commit.expect("the request is written"))
}

fn open(mut engine: Engine, committed: Input) -> (Engine, usize) {
    engine.handle(committed, NOW);
    let mut asked = 0;
    while let Some(output) = engine.poll_output() {
        if let Output::Ask { questions, .. } = output {
            asked += questions.len();
        }
    }
    assert!(asked > 0, "a sweep was opened");
    (engine, asked)
}

fn sweeps(c: &mut Criterion) {
    let mut group = c.benchmark_group("sweep_opened");
    for partners in [50, 200] {
        for (strategy, label) in STRATEGIES {
            group.bench_function(BenchmarkId::new(label, partners), |b| {
                b.iter_batched(
                    || about_to_search(partners, strategy),
                    |(engine, committed)| measured(|| open(engine, committed)),
                    BatchSize::SmallInput,
                );
            });
        }
    }
    group.finish();
}

criterion_group!(benches, sweeps);
criterion_main!(benches);
