//! Customer ⇄ broker.

use super::{at, customer, isbn, order_id, partner_id, payment_token, request_id, text, usd};
use crate::destination::{Address, Country};
use crate::id::CommandId;
use crate::item::ItemIdentifier;
use crate::problem::Problem;
use crate::purchase::{
    AcceptQuote, CancelPurchase, CheckoutStatus, CheckoutView, CommandReply, CreatePurchase,
    GetPurchase, ListPurchases, ListReply, Mode, PurchaseStatus, PurchaseView, QuoteView,
    ReceiptReply, Strategy, UpdatePurchase,
};
use crate::{Condition, Destination, DurationMs, RejectReason};

pub(in crate::generate) const ACCEPT_TOKEN: &str = "9f86d081884c7d659a2feaa0c55ad015";

pub fn destination() -> Destination {
    Destination {
        country: Country::parse("US").expect(super::VALID),
        postal_code: text("10001"),
        address: Some(Address {
            name: text("Ada Lovelace"),
            line1: text("12 Analytical Row"),
            line2: None,
            city: text("New York"),
            region: Some(text("NY")),
        }),
    }
}

pub fn create() -> Vec<(&'static str, CreatePurchase)> {
    let by_isbn = CreatePurchase {
        request_id: request_id(),
        item: ItemIdentifier::Isbn(text("978-0-306-40615-7")),
        quantity: 1,
        max_total: usd(3000),
        expires_at: at("18:00:00"),
        destination: destination(),
        payment_token: payment_token(),
        condition: Condition::VeryGood,
        strategy: Strategy::Balanced,
        mode: Mode::OneShot,
        rebuy: false,
    };
    let by_title = CreatePurchase {
        item: ItemIdentifier::Title(text("Principles of Neural Science")),
        quantity: 2,
        condition: Condition::New,
        strategy: Strategy::Cheapest,
        mode: Mode::Watch,
        rebuy: true,
        ..by_isbn.clone()
    };
    let by_other =
        CreatePurchase { item: ItemIdentifier::Other(text("oclc:1234")), ..by_isbn.clone() };
    vec![("isbn", by_isbn), ("title", by_title), ("other", by_other)]
}

fn command_id(text: &str) -> CommandId {
    CommandId::parse(text).expect(super::VALID)
}

pub fn update() -> UpdatePurchase {
    UpdatePurchase {
        request_id: request_id(),
        command_id: command_id("raise-1"),
        if_version: Some(3),
        max_total: Some(usd(3500)),
        expires_at: Some(at("20:00:00")),
        strategy: Some(Strategy::Fast),
    }
}

pub fn cancel() -> CancelPurchase {
    CancelPurchase {
        request_id: request_id(),
        command_id: command_id("cancel-1"),
        reason: Some(text("found it at home")),
    }
}

pub fn accept() -> AcceptQuote {
    AcceptQuote {
        request_id: request_id(),
        command_id: command_id("accept-1"),
        accept_token: text(ACCEPT_TOKEN),
    }
}

pub fn get() -> GetPurchase {
    GetPurchase { request_id: request_id() }
}

pub fn list() -> ListPurchases {
    ListPurchases {
        status: Some(PurchaseStatus::Ordered),
        after: Some(request_id()),
        limit: Some(20),
    }
}

pub fn quote(partner: &str, item: u64) -> QuoteView {
    QuoteView {
        partner_id: partner_id(partner),
        total: usd(item + 399 + 212),
        item,
        shipping: Some(399),
        tax: Some(212),
        fee: None,
        valid_until: at("12:10:00"),
    }
}

pub fn ordered() -> PurchaseView {
    PurchaseView {
        request_id: request_id(),
        version: 6,
        status: PurchaseStatus::Ordered,
        isbn: isbn(),
        quantity: 1,
        max_total: usd(3000),
        created_at: at("12:00:00.125"),
        expires_at: at("18:00:00"),
        strategy: Strategy::Balanced,
        mode: Mode::OneShot,
        checkout: Some(CheckoutView {
            attempt: 1,
            status: CheckoutStatus::Completed,
            quote: quote("acme-books", 2150),
            order_id: Some(order_id()),
            order_total: Some(usd(2761)),
            action_url: None,
        }),
        best_quote: None,
        failure: None,
        failure_detail: None,
        cancel_requested: false,
        incident: false,
    }
}

pub fn quoted() -> PurchaseView {
    PurchaseView {
        version: 3,
        status: PurchaseStatus::Quoted,
        checkout: None,
        best_quote: Some(quote("river-books", 2900)),
        ..ordered()
    }
}

pub fn failed() -> PurchaseView {
    PurchaseView {
        version: 5,
        status: PurchaseStatus::Failed,
        checkout: None,
        failure: Some(RejectReason::PaymentDeclined),
        ..ordered()
    }
}

fn problem() -> Problem {
    let detail = format!("request {} of {} has another body", request_id(), customer());
    Problem::new(RejectReason::Conflict, detail)
        .with_request(request_id())
        .with_field("max_total.amount")
}

fn too_many() -> Problem {
    let detail = "too many requests were created; try again in 6000 ms";
    Problem::new(RejectReason::RateLimited, detail)
        .with_request(request_id())
        .with_retry_after(DurationMs(6000))
}

pub fn command_replies() -> Vec<(&'static str, CommandReply)> {
    let accepted = |request| CommandReply::Accepted { replayed: true, request: Box::new(request) };
    vec![
        ("accepted", accepted(ordered())),
        ("accepted_failed", accepted(failed())),
        ("rejected", CommandReply::Rejected(problem())),
        ("rejected_for_now", CommandReply::Rejected(too_many())),
    ]
}

pub fn list_replies() -> Vec<(&'static str, ListReply)> {
    let page = ListReply::Page { requests: vec![ordered(), quoted()], next: Some(request_id()) };
    vec![("page", page), ("rejected", ListReply::Rejected(problem()))]
}

pub fn receipt_replies() -> Vec<(&'static str, ReceiptReply)> {
    let found =
        |receipt, running| ReceiptReply::Found { request_id: request_id(), receipt, running };
    vec![
        ("found", found(Some(Box::new(super::event::receipt())), None)),
        ("under_way", found(None, Some(Box::new(super::event::running())))),
        ("not_yet", found(None, None)),
        ("rejected", ReceiptReply::Rejected(problem())),
    ]
}
