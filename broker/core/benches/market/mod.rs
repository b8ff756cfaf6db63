//! A small market of stores and what a customer asks of it, shared by the benches of the core.

#![expect(clippy::unwrap_used, reason = "a bench may stop at the first surprise")]

use std::collections::VecDeque;

use broker_core::Policy;
use broker_core::engine::input::{Input, Origin, QuoteAnswer, QuoteOutcome};
use broker_core::engine::output::{Output, Question};
use broker_core::engine::ranking::RankingStart;
use broker_core::engine::{Engine, EngineConfig};
use broker_core::partner::{PartnerProfile, Partners};
use broker_core::policy::Overload;
use broker_core::quote::{Cost, Quote};
use broker_core::request::{Submission, Terms};
use schemas::destination::{Country, Destination};
use schemas::id::{PaymentToken, QuoteId};
use schemas::purchase::{Mode, Strategy};
use schemas::text::Text;
use schemas::{
    Condition, Currency, CustomerId, Digest, Isbn13, Money, PartnerId, RequestId, Timestamp,
};

pub(crate) const NOW: Timestamp = Timestamp::from_unix_ms(1_790_000_000_000);

pub(crate) fn partner(index: usize) -> PartnerId {
    PartnerId::parse(&format!("store-{index:03}")).unwrap()
}

pub(crate) fn engine(partners: usize) -> Engine {
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

pub(crate) fn submission(index: u128, strategy: Strategy) -> Submission {
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
        trace: None,
        terms: Terms {
            max_total: Money::new(3000, Currency::USD).unwrap(),
            expires_at: NOW.saturating_add(schemas::DurationMs::from_secs(600)),
            strategy,
        },
    }
}

/// Creates `requests` and returns the questions that their sweeps asked.
pub(crate) fn searching(engine: &mut Engine, requests: usize) -> Vec<(PartnerId, Question)> {
    for index in 0..requests {
        let submission = Box::new(submission(index as u128, Strategy::Cheapest));
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

pub(crate) fn answer(partner: &PartnerId, question: &Question, salt: u64) -> Input {
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

/// What is counted by `tests/instructions.sh`: nothing outside of it is.
#[inline(never)]
pub(crate) fn measured<R>(work: impl FnOnce() -> R) -> R {
    work()
}
