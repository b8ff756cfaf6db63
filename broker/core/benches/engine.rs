//! The engine alone: quote events through [`Engine::handle`] with deduplication, cost comparison
//! and in-flight caps on, and one decision over 200 quotes.
//!
//! `cargo bench -p broker-core --bench engine`

#![expect(clippy::unwrap_used, reason = "a bench may stop at the first surprise")]

use std::collections::VecDeque;
use std::hint::black_box;

use broker_core::engine::input::{Input, Origin, QuoteAnswer, QuoteOutcome};
use broker_core::engine::output::{Output, Question};
use broker_core::engine::ranking::RankingStart;
use broker_core::engine::{Engine, EngineConfig};
use broker_core::partner::{PartnerProfile, Partners};
use broker_core::policy::Overload;
use broker_core::quote::{Cost, Quote};
use broker_core::request::{Submission, Terms};
use broker_core::{Policy, PurchaseRequest};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use schemas::destination::{Country, Destination};
use schemas::id::{PaymentToken, QuoteId};
use schemas::purchase::{Mode, Strategy};
use schemas::text::Text;
use schemas::{
    Condition, Currency, CustomerId, Digest, Isbn13, Money, PartnerId, RequestId, Timestamp,
};

const NOW: Timestamp = Timestamp::from_unix_ms(1_790_000_000_000);

fn partner(index: usize) -> PartnerId {
    PartnerId::parse(&format!("store-{index:03}")).unwrap()
}

fn engine(partners: usize) -> Engine {
    let profiles = (0..partners)
        .map(|index| PartnerProfile {
            in_flight_max: 4096,
            in_flight_start: 4096,
            calls_per_s: 1_000_000,
            calls_burst: 1_000_000,
            ..PartnerProfile::cautious(partner(index))
        })
        .collect();
    let standard = Policy::standard(Partners::new(profiles, Digest::of(b"bench")));
    let policy = Policy { overload: Overload::wide_open(), ..standard };
    let ranking = RankingStart::default();
    let config =
        EngineConfig { policy, boot_epoch: 1, token_key: [7; 32], hot_max: 100_000, ranking };
    Engine::new(config, NOW)
}

fn submission(index: u128) -> Submission {
    Submission {
        id: RequestId::from_parts(NOW.as_unix_ms(), index << 64 | index),
        customer: CustomerId::parse("customer-1").unwrap(),
        digest: Digest::of(&index.to_be_bytes()),
        isbn: Isbn13::parse("9780306406157").unwrap(),
        quantity: 1,
        destination: Destination {
            country: Country::parse("US").unwrap(),
            postal_code: Text::parse("94107").unwrap(),
            address: None,
        },
        payment_token: PaymentToken::parse("tok_1").unwrap(),
        condition: Condition::New,
        mode: Mode::OneShot,
        rebuy: false,
        created_at: NOW,
        terms: Terms {
            max_total: Money::new(3000, Currency::USD).unwrap(),
            expires_at: NOW.saturating_add(schemas::DurationMs::from_secs(600)),
            strategy: Strategy::Cheapest,
        },
    }
}

/// Creates `requests` and returns the questions that their sweeps asked.
fn searching(engine: &mut Engine, requests: usize) -> Vec<(PartnerId, Question)> {
    for index in 0..requests {
        let submission = Box::new(submission(index as u128));
        engine
            .handle(Input::Create { origin: Origin(index as u64), source: None, submission }, NOW);
    }
    let mut asked = Vec::new();
    let mut replies = VecDeque::new();
    loop {
        while let Some(output) = engine.poll_output() {
            match output {
                Output::Load(request) => replies.push_back(Input::Loaded { request, stored: None }),
                Output::Commit { token, .. } => replies.push_back(Input::Committed { token }),
                Output::Ask { partner: index, questions } => {
                    let id = partner(usize::from(index.0));
                    asked.extend(questions.into_iter().map(|question| (id.clone(), question)));
                }
                Output::ScanTimers { .. }
                | Output::SaveRanking(_)
                | Output::Done { .. }
                | Output::Observe(_) => {}
            }
        }
        match replies.pop_front() {
            Some(input) => engine.handle(input, NOW),
            None => return asked,
        }
    }
}

fn answer(partner: &PartnerId, question: &Question, salt: u64) -> Input {
    let quote = Quote {
        partner: partner.clone(),
        quote_id: QuoteId::parse("q-1").unwrap(),
        currency: Currency::USD,
        item: 1500 + salt % 900,
        shipping: Cost::Exact(399),
        tax: Cost::AtMost(200),
        fee: Cost::Exact(0),
        condition: Condition::New,
        in_stock: 5,
        valid_until: NOW.saturating_add(schemas::DurationMs::from_secs(60)),
    };
    let outcome = QuoteOutcome::Offer { isbn: question.isbn, quote };
    Input::Quotes {
        origin: None,
        partner: partner.clone(),
        answers: vec![QuoteAnswer { call: question.call, outcome }],
    }
}

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
            |(mut engine, inputs)| {
                for input in inputs {
                    engine.handle(input, NOW);
                    while let Some(output) = engine.poll_output() {
                        black_box(output);
                    }
                }
                engine
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
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
                let last = inputs.pop().unwrap();
                for input in inputs {
                    engine.handle(input, NOW);
                }
                while engine.poll_output().is_some() {}
                (engine, last)
            },
            |(mut engine, last)| {
                engine.handle(last, NOW);
                let mut committed: Option<PurchaseRequest> = None;
                while let Some(output) = engine.poll_output() {
                    if let Output::Commit { batch, .. } = output {
                        committed = Some(batch.request);
                    }
                }
                assert!(committed.is_some(), "the decision was committed");
                (engine, committed)
            },
            BatchSize::SmallInput,
        );
    });
}

criterion_group!(benches, quote_events, decision);
criterion_main!(benches);
