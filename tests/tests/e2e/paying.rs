//! Money: declined, authenticated, unanswered, captured late.

use partner_sim::profile::ProfileName::Instant;
use schemas::RejectReason;
use schemas::event::NotificationOutcome::{ActionRequired, Failed, Ordered};
use tests::auditor::Evidence;
use tests::harness::{Order, Scenario, book};

use crate::stage::{Stage, books, flat, start, world};

const PRICE: u64 = 1500;

fn one_store(test: &str, seed: u64, isbn: schemas::Isbn13) -> Scenario {
    world(test, seed).partner("alpha", Instant).price_everywhere(isbn, flat(PRICE))
}

/// Steps that moved money for one request: authorise, capture, void, refund.
fn moves(evidence: &Evidence, request: schemas::RequestId) -> usize {
    evidence.payments.payments_of(request).map(|payment| payment.steps.len()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declined_payment_fails_the_request_and_frees_the_stock() {
    let isbn = book(701);
    let mut stage = start(one_store("declined", 81, isbn).stock("alpha", isbn, 1)).await;
    let ann = stage.requester("ann");
    let create = Order::of(isbn).payment_token("tok_declined").build();
    ann.publish_create(&create).await.unwrap();
    let told = stage.told(create.request_id, Failed).await;
    assert_eq!(told.request.failure, Some(RejectReason::PaymentDeclined));
    let evidence = stage.judge().await;
    let books = books(&evidence, &create);
    assert_eq!((books.ever_ordered(), books.paid()), (vec![], 0));
    assert!(books.nothing_held());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authorisation_of_less_or_of_other_money_is_a_refusal_and_given_back() {
    let isbn = book(708);
    let scenario = one_store("short", 88, isbn).partner("beta", Instant);
    let scenario = scenario.price("beta", isbn, flat(PRICE + 100));
    let mut stage = start(scenario).await;
    let ann = stage.requester("ann");
    let mut creates = Vec::new();
    for (token, amount) in [("tok_short", "14.99 USD"), ("tok_foreign", "15.00 EUR")] {
        let create = Order::of(isbn).payment_token(token).build();
        ann.publish_create(&create).await.unwrap();
        let told = stage.told(create.request_id, Failed).await;
        assert_eq!(told.request.failure, Some(RejectReason::PaymentDeclined), "{token}");
        let detail = told.request.failure_detail.unwrap();
        for part in [amount, "15.00 USD"] {
            assert!(detail.contains(part), "{token}: {detail}");
        }
        assert_eq!(told.request.checkout.unwrap().attempt, 1, "{token}: no other store is tried");
        creates.push((create, token));
    }
    let evidence = stage.judge().await;
    for (create, token) in &creates {
        let books = books(&evidence, create);
        assert_eq!((books.ever_ordered(), books.paid()), (vec![], 0), "{token}");
        assert!(books.nothing_held(), "{token}");
        assert_eq!(moves(&evidence, create.request_id), 2, "{token}: authorised and given back");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_who_authenticates_gets_the_book() {
    let isbn = book(702);
    let mut stage = start(one_store("authenticate", 82, isbn)).await;
    let create = Order::of(isbn).payment_token("tok_action_required").build();
    stage.requester("ann").publish_create(&create).await.unwrap();
    let told = stage.told(create.request_id, ActionRequired).await;
    assert!(told.request.checkout.unwrap().action_url.is_some());
    stage.told_later(create.request_id, Ordered).await;
    let evidence = stage.judge().await;
    assert_eq!(books(&evidence, &create).paid(), PRICE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_who_fails_to_authenticate_pays_nothing() {
    let isbn = book(703);
    let mut stage = start(one_store("authentication fails", 83, isbn)).await;
    let create = Order::of(isbn).payment_token("tok_action_declined").build();
    stage.requester("ann").publish_create(&create).await.unwrap();
    stage.told(create.request_id, ActionRequired).await;
    let told = stage.told_later(create.request_id, Failed).await;
    assert_eq!(told.request.failure, Some(RejectReason::PaymentDeclined));
    let evidence = stage.judge().await;
    let books = books(&evidence, &create);
    assert_eq!((books.ever_ordered(), books.paid()), (vec![], 0));
    assert!(books.nothing_held());
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_and_captures_that_get_lost_move_the_money_exactly_once() {
    let isbn = book(704);
    let mut stage = start(one_store("lost answers", 84, isbn)).await;
    let ann = stage.requester("ann");
    let tokens = ["tok_silent_once", "tok_capture_fails_once", "tok_capture_silent_once"];
    let creates = tokens.map(|token| Order::of(isbn).payment_token(token).build());
    for create in &creates {
        ann.publish_create(create).await.unwrap();
    }
    for create in &creates {
        stage.told(create.request_id, Ordered).await;
    }
    let evidence = stage.judge().await;
    for (create, token) in creates.iter().zip(tokens) {
        assert_eq!(books(&evidence, create).paid(), PRICE, "{token}");
        assert_eq!(moves(&evidence, create.request_id), 2, "{token}: authorised and captured");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authorisation_of_unknown_outcome_is_proven_away_before_anything_else() {
    let isbn = book(705);
    let mut stage = start(one_store("lost authorise", 85, isbn)).await;
    let create = Order::of(isbn).payment_token("tok_lost_once").build();
    stage.requester("ann").publish_create(&create).await.unwrap();
    let told = stage.outcome(create.request_id, crate::stage::SOON).await.unwrap();
    let evidence = stage.judge().await;
    let books = books(&evidence, &create);
    let wanted = if told.outcome == Ordered { PRICE } else { 0 };
    assert_eq!(books.paid(), wanted, "{:?}", told.outcome);
    assert!(books.nothing_held());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_void_that_fails_is_tried_until_the_money_is_back() {
    let isbn = book(706);
    let mut stage = start(refusing_place("void fails", 86, isbn)).await;
    let create = Order::of(isbn).payment_token("tok_void_fails_once").build();
    stage.requester("ann").publish_create(&create).await.unwrap();
    stage.told(create.request_id, Failed).await;
    let evidence = stage.judge().await;
    assert!(books(&evidence, &create).nothing_held());
    let voids = evidence.payments.payments_of(create.request_id).next().unwrap();
    assert!(voids.decisions.of(partner_sim::ledger::Asked::Void).count() >= 2);
}

fn refusing_place(test: &str, seed: u64, isbn: schemas::Isbn13) -> Scenario {
    let greedy = toml::toml! { faults = { price_raised_permille = 1000 } };
    world(test, seed).partner_with("greedy", Instant, greedy).price_everywhere(isbn, flat(PRICE))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_whose_money_cannot_be_taken_is_an_incident_and_stands() {
    let isbn = book(707);
    let mut stage = start(one_store("capture never", 87, isbn)).await;
    let create = Order::of(isbn).payment_token("tok_capture_never").build();
    let ann = stage.requester("ann");
    ann.publish_create(&create).await.unwrap();
    stage.told(create.request_id, Ordered).await;
    incident(&stage, &ann, create.request_id).await;
    let evidence = stage.judge().await;
    let books = books(&evidence, &create);
    assert_eq!((books.standing().len(), books.paid()), (1, 0));
}

async fn incident(stage: &Stage, ann: &tests::harness::Requester, request: schemas::RequestId) {
    let seed = stage.seed();
    let what = format!("request {request} becomes an incident (seed {seed})");
    tests::harness::wait::until(what, crate::stage::SOON, async || {
        let view = ann.get(request).await?;
        Ok(view.is_some_and(|view| view.incident).then_some(()))
    })
    .await
    .unwrap();
}
