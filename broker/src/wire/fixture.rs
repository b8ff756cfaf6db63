//! Values that the tests of this module share.

use std::sync::Arc;

use broker_core::effect::{Effect, PartnerCommand, PaymentCommand};
use broker_core::engine::output::Question;
use broker_core::quote::{Cost, Quote};
use broker_core::receipt::{Receipt, Verdict};
use broker_core::request::{Checkout, Status, Step, Submission, Terms, Version};
use broker_core::timer::Timers;
use broker_core::{OutboxRow, PurchaseRequest};
use bytes::Bytes;
use schemas::destination::{Address, Country};
use schemas::id::{CallId, PaymentToken, QuoteId};
use schemas::purchase::{Mode, Strategy};
use schemas::text::Text;
use schemas::{
    Condition, Currency, CustomerId, Destination, Digest, DurationMs, Isbn13, Money, PartnerId,
    ProviderId, RequestId, Timestamp, TraceContext,
};
use smol_str::SmolStr;

use super::WireContext;
use crate::store::{DeadLetterRow, Incarnation, OutboxSeq, Outgoing, StoredRow};

pub(crate) fn customer() -> CustomerId {
    CustomerId::parse("c1").unwrap()
}

pub(crate) fn partner() -> PartnerId {
    PartnerId::parse("acme").unwrap()
}

pub(crate) fn provider() -> ProviderId {
    ProviderId::parse("sim").unwrap()
}

pub(crate) fn request_id() -> RequestId {
    RequestId::parse("01890a5d-ac96-774b-bcce-b302099a8057").unwrap()
}

pub(crate) fn other_request_id() -> RequestId {
    RequestId::parse("01890a5d-ac96-774b-bcce-b302099a8058").unwrap()
}

pub(crate) fn isbn() -> Isbn13 {
    Isbn13::parse("9780306406157").unwrap()
}

pub(crate) fn usd(minor: u64) -> Money {
    Money::new(minor, Currency::USD).unwrap()
}

pub(crate) fn at() -> Timestamp {
    Timestamp::from_unix_ms(1_800_000_000_000)
}

pub(crate) fn destination() -> Destination {
    Destination {
        country: Country::parse("US").unwrap(),
        postal_code: Text::parse("10001").unwrap(),
        address: Some(Address {
            name: Text::parse("Ada Reader").unwrap(),
            line1: Text::parse("1 Main Street").unwrap(),
            line2: None,
            city: Text::parse("New York").unwrap(),
            region: None,
        }),
    }
}

/// Costs 15.30 USD at worst.
pub(crate) fn quote() -> Quote {
    Quote {
        partner: partner(),
        quote_id: QuoteId::parse("q1").unwrap(),
        currency: Currency::USD,
        item: 1000,
        shipping: Cost::AtMost(400),
        tax: Cost::Exact(100),
        fee: Cost::Exact(30),
        condition: Condition::New,
        in_stock: 3,
        valid_until: Timestamp::from_unix_ms(1_900_000_000_000),
    }
}

pub(crate) fn receipt(verdict: Verdict, quotes: Vec<Quote>) -> Receipt {
    Receipt {
        sweep: 1,
        decided_at: at(),
        strategy: Strategy::Balanced,
        max_total: usd(2500),
        eligible: 4,
        answered: 2,
        directory: Digest::of(b"partners"),
        verdict,
        quotes,
        search: None,
    }
}

pub(crate) fn request() -> PurchaseRequest {
    let terms = Terms {
        max_total: usd(2500),
        expires_at: Timestamp::from_unix_ms(1_900_000_000_000),
        strategy: Strategy::Balanced,
    };
    let submission = Submission {
        id: request_id(),
        customer: customer(),
        digest: Digest::of(b"body"),
        isbn: isbn(),
        quantity: 1,
        destination: destination(),
        payment_token: PaymentToken::parse("tok_1").unwrap(),
        condition: Condition::New,
        mode: Mode::OneShot,
        rebuy: false,
        created_at: at(),
        terms,
        trace: None,
    };
    PurchaseRequest {
        submission: Arc::new(submission),
        version: Version(3),
        terms,
        status: Status::Searching,
        checkout: None,
        undo: Vec::new(),
        known_orders: Vec::new(),
        cancel_requested: false,
        sweep: 1,
        fruitless: 0,
        tried: Vec::new(),
        notified: 0,
        told_best: None,
        incident: None,
        timers: Timers::default(),
        closed_at: None,
        frozen_at: None,
    }
}

pub(crate) fn checkout(step: Step) -> Checkout {
    Checkout {
        attempt: 1,
        quote: quote(),
        runners_up: Vec::new(),
        step,
        reservation: None,
        authorization: None,
        intent: None,
        order: None,
    }
}

pub(crate) fn question(counter: u64) -> Question {
    Question {
        call: CallId { epoch: 1, counter },
        isbn: isbn(),
        quantity: 1,
        condition: Condition::New,
        currency: Currency::USD,
        destination: destination().zone(),
        not_after: at(),
        trace: TraceContext::of_request(request_id()),
    }
}

pub(crate) fn reserve() -> PartnerCommand {
    PartnerCommand::Reserve {
        quote_id: QuoteId::parse("q1").unwrap(),
        isbn: isbn(),
        quantity: 1,
        ttl: DurationMs::from_secs(60),
        not_after: at(),
    }
}

pub(crate) fn place(reserved: bool) -> PartnerCommand {
    PartnerCommand::Place {
        quote_id: QuoteId::parse("q1").unwrap(),
        reserved,
        isbn: isbn(),
        quantity: 1,
        condition: Condition::New,
        price_cap: usd(2500),
        destination: destination(),
        not_after: at(),
    }
}

pub(crate) fn authorize() -> PaymentCommand {
    PaymentCommand::Authorize {
        amount: usd(1530),
        token: PaymentToken::parse("tok_1").unwrap(),
        not_after: at(),
    }
}

pub(crate) fn lookup_effect() -> Effect {
    Effect::Partner { partner: partner(), attempt: 1, command: PartnerCommand::Lookup }
}

pub(crate) fn stored(effect: Effect) -> StoredRow {
    let (request, version) = (request_id(), Version(3));
    let row = OutboxRow { request, version, index: 1, effect, trace: None };
    StoredRow { seq: OutboxSeq(9), at: at(), outgoing: Outgoing::Effect(row) }
}

pub(crate) fn stored_letter() -> StoredRow {
    let letter = DeadLetterRow {
        stream: SmolStr::new("PURCHASE_CREATES"),
        at: at(),
        body: Bytes::from_static(b"{}"),
    };
    StoredRow { seq: OutboxSeq(10), at: at(), outgoing: Outgoing::DeadLetter(letter) }
}

pub(crate) fn context() -> WireContext {
    WireContext { incarnation: Incarnation(7), provider: provider() }
}
