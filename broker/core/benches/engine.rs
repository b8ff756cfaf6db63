//! The engine alone: quote events through [`Engine::handle`] with deduplication, cost comparison
//! and in-flight caps on, and one decision over 200 quotes.
//!
//! `cargo bench -p broker-core --bench engine`

mod market;

use std::hint::black_box;

use broker_core::PurchaseRequest;
use broker_core::engine::Engine;
use broker_core::engine::input::Input;
use broker_core::engine::output::Output;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

use market::{NOW, answer, engine, measured, partner, searching};

/// Questions come partner by partner, so consecutive answers belong to different requests.
fn quote_events(c: &mut Criterion) {
    const REQUESTS: usize = 1000;
    const PARTNERS: usize = 50;
    let mut group = c.benchmark_group("engine");
    group.sample_size(20);
    group.throughput(Throughput::Elements((REQUESTS * (PARTNERS - 1)) as u64));
    group.bench_function("quote_events_1000_interleaved_requests", |b| {
        b.iter_batched(
            || {
                let mut engine = engine(PARTNERS);
                let asked = searching(&mut engine, REQUESTS);
                assert_eq!(asked.len(), REQUESTS * PARTNERS);
                // The last answer of each request is held back: decisions are measured apart.
                let inputs: Vec<Input> = asked
                    .iter()
                    .zip(0u64..)
                    .filter(|((partner, _), _)| *partner != self::partner(PARTNERS - 1))
                    .map(|((partner, question), salt)| answer(partner, question, salt))
                    .collect();
                (engine, inputs)
            },
            |(engine, inputs)| measured(|| take_all(engine, inputs)),
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

fn take_all(mut engine: Engine, inputs: Vec<Input>) -> Engine {
    for input in inputs {
        engine.handle(input, NOW);
        while let Some(output) = engine.poll_output() {
            black_box(output);
        }
    }
    engine
}

/// The last of 200 answers arrives: rank, decide, transition, batch.
fn decision(c: &mut Criterion) {
    c.bench_function("decision_over_200_quotes", |b| {
        b.iter_batched(
            || {
                let mut engine = engine(200);
                let asked = searching(&mut engine, 1);
                let mut inputs: Vec<Input> = asked
                    .iter()
                    .zip(0u64..)
                    .map(|((partner, question), salt)| answer(partner, question, salt * 37))
                    .collect();
                let last = inputs.pop().expect("everybody was asked");
                for input in inputs {
                    engine.handle(input, NOW);
                }
                while engine.poll_output().is_some() {}
                (engine, last)
            },
            |(engine, last)| measured(|| decide(engine, last)),
            BatchSize::SmallInput,
        );
    });
}

fn decide(mut engine: Engine, last: Input) -> (Engine, PurchaseRequest) {
    engine.handle(last, NOW);
    let mut committed: Option<PurchaseRequest> = None;
    while let Some(output) = engine.poll_output() {
        if let Output::Commit { batch, .. } = output {
            committed = Some(batch.request);
        }
    }
    (engine, committed.expect("the decision was committed"))
}

criterion_group!(benches, quote_events, decision);
criterion_main!(benches);
