//! What the broker says unasked.

use super::purchase::{ACCEPT_TOKEN, ordered, quote, quoted};
use super::{at, customer, message_id, partner_id, request_id, usd};
use crate::event::{
    AnswerSource, AskedPartner, CallOutcome, DeadLetter, Notification, NotificationOutcome,
    PurchaseEvent, PurchaseEventKind, Receipt, RoundReason, RunningOffer, RunningSweep, Search,
    SearchEnding, SearchRound, SkipReason, SkippedPartners, UnaffordableQuote, UnaffordableReason,
    Verdict,
};
use crate::purchase::{PurchaseStatus, PurchaseView, Strategy};
use crate::stream::name;
use crate::subject::{PurchaseOperation, purchase_command};
use crate::{Currency, Digest, DurationMs, RejectReason};

pub fn purchase_event() -> PurchaseEvent {
    PurchaseEvent {
        request_id: request_id(),
        customer_id: customer(),
        version: 6,
        status: PurchaseStatus::Ordered,
        event: PurchaseEventKind::Ordered,
        at: at("12:00:01.250"),
        request: ordered(),
    }
}

pub(super) fn running() -> RunningSweep {
    let stated = RunningOffer {
        partner_id: partner_id("acme-books"),
        offered_at: at("12:00:00.412"),
        currency: Currency::USD,
        total: Some(usd(2811)),
        affordable: true,
    };
    let unstated = RunningOffer {
        partner_id: partner_id("quiet-books"),
        total: None,
        affordable: false,
        ..stated
    };
    RunningSweep {
        sweep: 2,
        started_at: at("12:00:00.250"),
        ends_by: at("12:00:02.250"),
        max_total: usd(3000),
        eligible: 6,
        asked: 4,
        answered: 3,
        offers: vec![stated, unstated],
    }
}

pub(super) fn receipt() -> Receipt {
    let above = UnaffordableQuote {
        partner_id: partner_id("river-books"),
        why: UnaffordableReason::AboveLimit,
        currency: Currency::USD,
        total: Some(usd(3511)),
        item: 2900,
        shipping: Some(399),
        tax: Some(212),
        fee: None,
        valid_until: at("12:10:00"),
    };
    let unstated = UnaffordableQuote {
        partner_id: partner_id("quiet-books"),
        why: UnaffordableReason::ComponentMissing,
        total: None,
        item: 1900,
        shipping: None,
        ..above
    };
    Receipt {
        sweep: 1,
        decided_at: at("12:00:00.875"),
        strategy: Strategy::Balanced,
        max_total: usd(3000),
        verdict: Verdict::Buy,
        eligible: 6,
        asked: 6,
        answered: 5,
        coverage_permille: 833,
        directory_version: Digest::of(b"directory").to_string(),
        winner: Some(quote("acme-books", 2150)),
        beaten: vec![quote("corner-books", 2300)],
        unaffordable: vec![above, unstated],
        search: Some(search()),
    }
}

fn search() -> Search {
    let asked = |id, outcome, took_ms| AskedPartner {
        partner_id: partner_id(id),
        outcome,
        source: AnswerSource::Asked,
        age_ms: None,
        took_ms: DurationMs(took_ms),
    };
    let remembered = AskedPartner {
        source: AnswerSource::Remembered,
        age_ms: Some(DurationMs(12_000)),
        ..asked("empty-books", CallOutcome::NoStock, 0)
    };
    let first = SearchRound {
        after_ms: DurationMs(0),
        why: RoundReason::BestRanked,
        asked: vec![
            asked("acme-books", CallOutcome::Ok, 120),
            asked("corner-books", CallOutcome::Ok, 180),
            asked("river-books", CallOutcome::Ok, 210),
            asked("quiet-books", CallOutcome::Ok, 90),
            remembered,
        ],
        unlisted: 0,
    };
    let far = SkippedPartners {
        why: SkipReason::NotServed,
        count: 1,
        partner_ids: vec![partner_id("far-books")],
    };
    let last = SkippedPartners {
        why: SkipReason::SkippedEarlyExit,
        count: 1,
        partner_ids: vec![partner_id("last-books")],
    };
    Search {
        ranking: 4711,
        ended: SearchEnding::NotWorthAsking,
        rounds: vec![first],
        skipped: vec![far, last],
        passed_over: Vec::new(),
        degraded: None,
    }
}

pub fn notifications() -> Vec<(&'static str, Notification)> {
    let notification = |outcome, number, request: PurchaseView| Notification {
        notification_id: message_id(3),
        request_id: request_id(),
        customer_id: customer(),
        number,
        outcome,
        at: at("12:00:01.250"),
        request,
        accept_token: None,
        receipt: None,
    };
    let ordered = Notification {
        receipt: Some(receipt()),
        ..notification(NotificationOutcome::Ordered, 1, ordered())
    };
    let too_dear =
        Receipt { verdict: Verdict::TooDear, winner: None, beaten: Vec::new(), ..receipt() };
    let quoted = Notification {
        accept_token: Some(ACCEPT_TOKEN.to_owned()),
        receipt: Some(too_dear),
        ..notification(NotificationOutcome::Quoted, 0, quoted())
    };
    vec![("ordered", ordered), ("quoted", quoted)]
}

pub fn dead_letters() -> Vec<(&'static str, DeadLetter)> {
    let letter = |reason, detail: &str, payload: &[u8]| {
        DeadLetter::new(
            (name::PURCHASE_CREATES, &purchase_command(PurchaseOperation::Create, &customer())),
            (reason, detail.to_owned()),
            at("12:00:00"),
            payload,
            [("Nats-Msg-Id", "create-1")],
        )
    };
    let missing = "max_total: this field is required";
    let binary = "the message is not JSON: expected value at line 1 column 1";
    let card = "note: looks like a payment card number";
    vec![
        ("text", letter(RejectReason::FieldInvalid, missing, br#"{"quantity":1}"#)),
        ("binary", letter(RejectReason::Malformed, binary, &[0xff, 0xfe, 0x00])),
        ("withheld", letter(RejectReason::PanNotAccepted, card, b"")),
    ]
}
