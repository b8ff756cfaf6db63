//! Hand-made requests and batches: small, valid, and different where it matters.

use std::sync::Arc;

use broker::store::{DeadLetterRow, DroppedLetter, Write};
use broker_core::batch::{
    AuditRow, Batch, Change, CommandRecord, Expect, IndexOp, OutboxRow, Part, SourceStream,
    StreamPosition,
};
use broker_core::effect::{Effect, EventKind, PartnerCommand};
use broker_core::engine::ranking::prices::Prices;
use broker_core::engine::ranking::rate::Rate;
use broker_core::engine::ranking::snapshot::{PartnerRecord, Snapshot, SnapshotNumber};
use broker_core::engine::ranking::{Standing, Steer, Word};
use broker_core::event::Event;
use broker_core::quote::{Cost, Quote};
use broker_core::receipt::search::{
    Asked, Came, Ending, Opening, Round, Search, SkipReason, Skipped, Source,
};
use broker_core::receipt::{Receipt, Verdict};
use broker_core::request::{PurchaseRequest, Status, Submission, Terms, Version};
use broker_core::timer::{TimerKind, Timers};
use schemas::destination::Country;
use schemas::id::{CommandId, PaymentToken, QuoteId};
use schemas::purchase::{Mode, Strategy};
use schemas::text::Text;
use schemas::{
    Condition, Currency, CustomerId, Destination, Digest, DurationMs, Isbn13, Money, PartnerId,
    RejectReason, RequestId, Timestamp,
};

/// 2026-11-20T12:00:00Z.
pub(crate) const NOON_MS: u64 = 1_795_176_000_000;

pub(crate) fn at(ms_after_noon: u64) -> Timestamp {
    Timestamp::from_unix_ms(NOON_MS + ms_after_noon)
}

pub(crate) fn id(n: u64) -> RequestId {
    RequestId::from_parts(NOON_MS + n, u128::from(n) << 8)
}

pub(crate) fn usd(minor: u64) -> Money {
    Money::new(minor, Currency::USD).unwrap()
}

pub(crate) fn customer(name: &str) -> CustomerId {
    CustomerId::parse(name).unwrap()
}

pub(crate) fn submission(n: u64) -> Submission {
    Submission {
        id: id(n),
        customer: customer("c1"),
        digest: Digest::of(&n.to_be_bytes()),
        isbn: Isbn13::parse("9780306406157").unwrap(),
        quantity: 1,
        destination: Destination {
            country: Country::parse("US").unwrap(),
            postal_code: Text::parse("94103").unwrap(),
            address: None,
        },
        payment_token: PaymentToken::parse("tok_visa").unwrap(),
        condition: Condition::Good,
        mode: Mode::OneShot,
        rebuy: false,
        created_at: at(n),
        trace: None,
        terms: Terms {
            max_total: usd(3000),
            expires_at: at(60_000 + n),
            strategy: Strategy::Balanced,
        },
    }
}

/// Searching, one timer set.
pub(crate) fn request(n: u64) -> PurchaseRequest {
    let submission = submission(n);
    let terms = submission.terms;
    let mut timers = Timers::default();
    timers.set(TimerKind::Expiry, terms.expires_at);
    PurchaseRequest {
        submission: Arc::new(submission),
        version: Version(1),
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
        timers,
        closed_at: None,
        frozen_at: None,
    }
}

pub(crate) fn quote(n: u64) -> Quote {
    Quote {
        partner: PartnerId::parse(&format!("partner-{n:02}")).unwrap(),
        quote_id: QuoteId::parse(&format!("q-{n}")).unwrap(),
        currency: Currency::USD,
        item: 2000 + n,
        shipping: Cost::Exact(399),
        tax: Cost::AtMost(120),
        fee: Cost::Exact(0),
        condition: Condition::New,
        in_stock: 3,
        valid_until: at(30_000),
    }
}

pub(crate) fn receipt(sweep: u32, quotes: u64) -> Receipt {
    Receipt {
        sweep,
        decided_at: at(300),
        strategy: Strategy::Balanced,
        max_total: usd(3000),
        eligible: 60,
        answered: 50,
        directory: Digest::of(b"directory"),
        verdict: Verdict::Buy,
        quotes: (0..quotes).map(quote).collect(),
        search: Some(search(quotes)),
    }
}

/// Every quote of [`receipt`] was asked for at once.
fn search(quotes: u64) -> Search {
    let asked = |n| Asked {
        partner: quote(n).partner,
        came: Came::Offer,
        source: Source::Asked,
        took: DurationMs(90),
    };
    let first = Round {
        after: DurationMs(0),
        why: Opening::BestRanked,
        asked: (0..quotes).map(asked).collect(),
    };
    let idle = PartnerId::parse("idle").unwrap();
    let skipped = Skipped { why: SkipReason::NotNeeded, count: 1, named: vec![idle] };
    Search {
        ranking: 1,
        ended: Ending::GraceOver,
        rounds: vec![first],
        skipped: vec![skipped],
        passed_over: Vec::new(),
        degraded: None,
    }
}

pub(crate) fn command(name: &str, version: u64) -> CommandRecord {
    CommandRecord {
        command: CommandId::parse(name).unwrap(),
        digest: Digest::of(name.as_bytes()),
        version: Version(version),
    }
}

pub(crate) fn row(request: &PurchaseRequest, index: u8, effect: Effect) -> OutboxRow {
    let trace = request.submission.trace;
    OutboxRow { request: request.id(), version: request.version, index, effect, trace }
}

pub(crate) fn event(request: &PurchaseRequest, kind: EventKind) -> Effect {
    Effect::Event { kind, snapshot: Box::new(request.clone()) }
}

pub(crate) fn lookup() -> Effect {
    Effect::Partner {
        partner: PartnerId::parse("acme").unwrap(),
        attempt: 1,
        command: PartnerCommand::Lookup,
    }
}

pub(crate) fn from_stream(stream: SourceStream, sequence: u64) -> StreamPosition {
    StreamPosition { stream, sequence }
}

/// Creation of request `n`: two outbox rows, one timer, both indexes.
pub(crate) fn create(n: u64) -> Batch {
    let request = request(n);
    Batch {
        expect: Expect::Absent,
        parts: vec![Part::Submission],
        outbox: vec![
            row(&request, 0, event(&request, EventKind::Created)),
            row(&request, 1, lookup()),
        ],
        timers: request.timers.diff(&Timers::default()),
        index: vec![IndexOp::AddToCustomer, IndexOp::AddActive],
        audit: vec![AuditRow { version: Version(1), at: at(n), change: Change::Created }],
        source: Some(from_stream(SourceStream::PurchaseCreates, n + 1)),
        request,
    }
}

/// Any later change of `before`: one version on, one event sent.
pub(crate) fn change(before: &PurchaseRequest, change: impl FnOnce(&mut PurchaseRequest)) -> Batch {
    let mut request = before.clone();
    request.version = Version(before.version.0 + 1);
    change(&mut request);
    let mut index = Vec::new();
    match (before.is_active(), request.is_active()) {
        (true, false) => index.push(IndexOp::RemoveActive),
        (false, true) => index.push(IndexOp::AddActive),
        (true, true) | (false, false) => {}
    }
    Batch {
        expect: Expect::Version(before.version),
        parts: Vec::new(),
        outbox: vec![row(&request, 0, event(&request, EventKind::Updated))],
        timers: request.timers.diff(&before.timers),
        index,
        audit: vec![AuditRow {
            version: request.version,
            at: at(1000 + request.version.0),
            change: Change::Applied(Event::Admitted),
        }],
        source: None,
        request,
    }
}

pub(crate) fn write(batch: Batch) -> Write {
    Write::Request(Box::new(batch))
}

pub(crate) fn letter(body: &[u8]) -> DeadLetterRow {
    DeadLetterRow { stream: "PURCHASE_CREATES".into(), at: at(7), body: body.to_vec().into() }
}

/// What was learned about these partners, different in every snapshot.
pub(crate) fn ranking(number: u64, partners: &[&str]) -> Snapshot {
    let rate = |hits| Rate { hits, misses: 3 << 16, at: at(number) };
    let record = |name: &&str| {
        let mut prices = Prices::default();
        (0..number).for_each(|n| prices.observe(900 + n, 1000));
        PartnerRecord {
            id: PartnerId::parse(name).unwrap(),
            in_time: rate(number << 16),
            in_stock: rate(5 << 16),
            near: rate(1 << 16),
            kept: rate(2 << 16),
            prices,
            standing: Standing::Second,
            streak: -1,
            answers: 40 + number,
            wins: 7,
            steering: None,
        }
    };
    Snapshot {
        number: SnapshotNumber(number),
        taken_at: at(number),
        reviewed_at: at(0),
        stream: 99 * number,
        pool: Prices::default(),
        partners: partners.iter().map(record).collect(),
        words: Vec::new(),
    }
}

pub(crate) fn word(steer: Option<Steer>, said_at: u64) -> Word {
    Word {
        partner: PartnerId::parse("acme").unwrap(),
        steer,
        until: at(said_at + 90),
        said_at: at(said_at),
        by: Text::parse("ann").unwrap(),
        why: Text::parse("a known bad actor").unwrap(),
    }
}

pub(crate) fn dropped(number: u64, letter: &[u8]) -> DroppedLetter {
    DroppedLetter {
        number,
        subject: "purchase.create.c1".into(),
        reason: RejectReason::Malformed,
        digest: Digest::of(letter),
        by: Text::parse("ann").unwrap(),
        why: Text::parse("told the sender").unwrap(),
        said_at: at(7),
    }
}
