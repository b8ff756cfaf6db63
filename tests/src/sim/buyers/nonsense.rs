//! What no careful customer sends: bytes that are no command, and commands that say nothing
//! possible. All of it is refused and leaves no trace.

use bytes::Bytes;
use schemas::catalog::CatalogEntry;
use schemas::item::ItemIdentifier;
use schemas::json::{COMMAND_BYTES_MAX, encode};
use schemas::purchase::CreatePurchase;
use schemas::subject::PurchaseOperation;
use schemas::{DurationMs, Timestamp};
use serde_json::{Value, json};

use super::desk::{Desk, by_isbn, text};
use super::plan::Plan;
use crate::auditor::Command;

/// A title that two editions share.
const SHARED_TITLE: &str = "Two of a Kind";

/// A command that is refused, said around the instant of `plan`.
pub(super) fn say_something(desk: &mut Desk<'_>, plan: &mut Plan) {
    let at = plan.at.saturating_add(DurationMs(desk.within(0, 2_000)));
    let command = command(desk, at);
    let route = desk.route();
    plan.say(at, command, route);
}

fn command(desk: &mut Desk<'_>, at: Timestamp) -> Command {
    match desk.below(4) {
        0 => raw(PurchaseOperation::Create, bad_create(desk, at)),
        1 => Command::Create(Box::new(impossible_create(desk, at))),
        2 => {
            let bytes = desk.pick(&GARBAGE);
            let operation = desk.pick(&CHANGES);
            raw(operation, bytes.to_vec())
        }
        _ => {
            let operation = desk.pick(&CHANGES[1..]);
            let body = bad_change(desk, at);
            raw(operation, body.to_string().into_bytes())
        }
    }
}

fn raw(operation: PurchaseOperation, body: Vec<u8>) -> Command {
    Command::Raw { operation, body: Bytes::from(body) }
}

const CHANGES: [PurchaseOperation; 4] = [
    PurchaseOperation::Create,
    PurchaseOperation::Update,
    PurchaseOperation::Cancel,
    PurchaseOperation::AcceptQuote,
];

const GARBAGE: [&[u8]; 6] =
    [b"", b"{", b"null", b"[[[[[[[[", b"\xff\xfe\x00", b"{\"request_id\":1e400}"];

/// A proper command with one thing wrong in it.
fn bad_create(desk: &mut Desk<'_>, at: Timestamp) -> Vec<u8> {
    let create = fresh(desk, at);
    let mut body: Value =
        serde_json::from_slice(&encode(&create)).expect("we have just encoded it");
    let (field, value) = match desk.below(12) {
        0 => ("quantity", json!(0)),
        1 => ("quantity", json!(100)),
        2 => ("max_total", json!({"amount": -1, "currency": "USD"})),
        3 => ("max_total", json!({"amount": 1e30, "currency": "USD"})),
        4 => ("max_total", json!({"amount": 1_000_000_000_001_u64, "currency": "USD"})),
        5 => ("max_total", json!({"amount": 12.5, "currency": "USD"})),
        6 => ("max_total", json!({"amount": 1000, "currency": "ZZZ"})),
        7 => ("payment_token", json!("4111111111111111")),
        8 => ("note", json!("charge 4111 1111 1111 1111 please")),
        9 => ("request_id", json!("0b8f2c6e-4d4e-4b7a-9d8e-0f6a3c1b2d4e")),
        10 => ("expires_at", json!("tomorrow")),
        _ => ("note", json!("x".repeat(COMMAND_BYTES_MAX))),
    };
    body[field] = value;
    body.to_string().into_bytes()
}

/// Every field is proper, and together they cannot be.
fn impossible_create(desk: &mut Desk<'_>, at: Timestamp) -> CreatePurchase {
    let mut create = fresh(desk, at);
    let day = DurationMs::from_secs(24 * 3600);
    match desk.below(7) {
        0 => create.item = ItemIdentifier::Isbn(text("9780306406158")),
        1 => create.item = ItemIdentifier::Title(text("Unheard Of")),
        2 => create.item = ItemIdentifier::Other(text("oclc:0")),
        3 => create.item = ItemIdentifier::Title(ambiguous(desk)),
        4 => create.expires_at = at.saturating_sub(day),
        5 => create.expires_at = at.saturating_add(DurationMs(day.0 * 365)),
        _ => {
            let years = DurationMs(day.0 * 365);
            let made_at =
                if desk.strikes(500) { at.saturating_sub(years) } else { at.saturating_add(day) };
            create.request_id = desk.id(made_at);
        }
    }
    create
}

fn fresh(desk: &mut Desk<'_>, at: Timestamp) -> CreatePurchase {
    let id = desk.id(at);
    let plan = Plan::new(super::desk::customer(0), id, at);
    let isbn = desk.new_book();
    desk.create(&plan, by_isbn(isbn), 1_000)
}

fn ambiguous(desk: &mut Desk<'_>) -> schemas::text::Text<300> {
    let title = text(SHARED_TITLE);
    let known = desk.shelves.catalog.iter().any(|entry| entry.title == title);
    if !known {
        for _ in 0..2 {
            let isbn13 = desk.new_book();
            desk.shelves.catalog.push(CatalogEntry {
                isbn13,
                title: title.clone(),
                authors: Vec::new(),
                edition: None,
                other_ids: Vec::new(),
            });
        }
    }
    title
}

/// Wrong for every change; what else a change needs is there.
fn bad_change(desk: &mut Desk<'_>, at: Timestamp) -> Value {
    let request = desk.id(at);
    match desk.below(4) {
        0 => json!({"request_id": request}),
        1 => json!({"request_id": request, "command_id": "no spaces, please"}),
        2 => json!({"request_id": request, "command_id": "c", "max_total": 5, "reason": 5}),
        _ => json!({"command_id": "c", "accept_token": "0"}),
    }
}
