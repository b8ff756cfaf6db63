//! Bytes to meaning and back: JSON on the wire, postcard in the store.
//!
//! `cargo bench -p broker --bench codec`

#![expect(clippy::unwrap_used, reason = "a bench may stop at the first surprise")]

#[path = "../tests/store/samples.rs"]
#[allow(dead_code)]
mod samples;

use std::sync::Arc;

use broker::store::disk::head::DiskHead;
use broker::store::disk::seal::{open, seal};
use broker::store::disk::{decode, encode, receipt};
use broker::wire::{command, partner, quote};
use broker_core::Policy;
use broker_core::engine::output::Question;
use broker_core::horizon::Horizon;
use broker_core::partner::Partners;
use broker_core::receipt::Receipt;
use broker_core::request::PurchaseRequest;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use schemas::catalog::Catalog;
use schemas::event::Notification;
use schemas::partner::{QuoteAnswers, QuoteRequests};
use schemas::subject::PartnerOperation;
use schemas::{CustomerId, Digest, PartnerId, RequestId, TraceContext, json};

const CREATE: &[u8] = include_bytes!("../../schemas/golden/v1/create_purchase.isbn.json");
const QUESTIONS: &[u8] = include_bytes!("../../schemas/golden/v1/quote_requests.json");
const ANSWERS: &[u8] = include_bytes!("../../schemas/golden/v1/quote_answers.json");
const RESERVED: &[u8] = include_bytes!("../../schemas/golden/v1/partner_reply.reserved.json");
const NOTIFICATION: &[u8] = include_bytes!("../../schemas/golden/v1/notification.ordered.json");

/// Items in a message about quotes: what a shared connection carries at `loadtest ceiling`.
const ITEMS: usize = 18;
/// Quotes behind a decision.
const QUOTES: u64 = 50;
const KEY: &[u8] = b"key";

/// Counted by `tests/instructions.sh`; nothing outside of it is.
#[inline(never)]
fn measured<R>(work: impl FnOnce() -> R) -> R {
    work()
}

/// As many offers as fit in a message of the usual size.
fn answers() -> Vec<u8> {
    let mut answers: QuoteAnswers = json::decode(ANSWERS, ANSWERS.len()).unwrap();
    let offer = answers.items[0].clone();
    answers.items = vec![offer; ITEMS];
    json::encode(&answers)
}

fn questions() -> (String, Vec<Question>) {
    let asked: QuoteRequests = json::decode(QUESTIONS, QUESTIONS.len()).unwrap();
    let item = &asked.items[0];
    let question = Question {
        call: item.call_id,
        isbn: item.isbn,
        quantity: item.quantity,
        condition: item.condition,
        currency: item.currency,
        destination: item.destination.clone(),
        not_after: item.not_after,
        trace: TraceContext::of_request(RequestId::from_parts(1, 2)),
    };
    (asked.reply_to, vec![question; ITEMS])
}

fn wire(c: &mut Criterion) {
    let mut group = c.benchmark_group("wire");
    let catalog = Catalog::parse("").unwrap();
    let customer = CustomerId::parse("ann").unwrap();
    let nobody = Partners::new(Vec::new(), Digest::of(b"directory"));
    let horizon = Horizon::of(&Policy::standard(nobody));
    let partner_id = PartnerId::parse("acme-books").unwrap();
    group.bench_function("create_read", |b| {
        let read = || {
            command::create(customer.clone(), CREATE, &catalog, &horizon, samples::at(0)).unwrap()
        };
        b.iter(|| measured(read));
    });
    group.bench_function("reply_read", |b| {
        let reply =
            || partner::reply(partner_id.clone(), PartnerOperation::Reserve, RESERVED).unwrap();
        b.iter(|| measured(reply));
    });
    let notification: Notification = json::decode(NOTIFICATION, NOTIFICATION.len()).unwrap();
    group.bench_function("notification_written", |b| {
        b.iter(|| measured(|| json::encode(&notification)));
    });
    group.throughput(Throughput::Elements(ITEMS as u64));
    let body = answers();
    group.bench_function("answers_read", |b| {
        b.iter(|| measured(|| quote::answers(&partner_id, &body).unwrap()));
    });
    let (reply_to, asked) = questions();
    group.bench_function("questions_written", |b| {
        b.iter_batched(
            || asked.clone(),
            |asked| measured(|| quote::request(&reply_to, asked)),
            criterion::BatchSize::SmallInput,
        );
    });
    group.finish();
}

fn disk(c: &mut Criterion) {
    let mut group = c.benchmark_group("disk");
    let request: PurchaseRequest = samples::request(1);
    let submission = Arc::clone(&request.submission);
    let head = || seal(KEY, &encode(&DiskHead::from(&request)));
    let written = head();
    group.bench_function("head_written", |b| b.iter(|| measured(head)));
    group.bench_function("head_read", |b| {
        let read = || {
            let head: DiskHead<'_> = decode("head", open(KEY, &written).unwrap()).unwrap();
            head.into_domain(Arc::clone(&submission)).unwrap()
        };
        b.iter(|| measured(read));
    });
    let decision: Receipt = samples::receipt(1, QUOTES);
    let kept = receipt::write(&decision);
    group.bench_function("receipt_written", |b| b.iter(|| measured(|| receipt::write(&decision))));
    group.bench_function("receipt_read", |b| b.iter(|| measured(|| receipt::read(&kept).unwrap())));
    group.finish();
}

criterion_group!(benches, wire, disk);
criterion_main!(benches);
