//! Idempotency-Key: whatever is sent again is done once.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use reqwest::Method;
use schemas::event::NotificationOutcome::Ordered;
use schemas::purchase::{ListPurchases, ListReply};
use serde_json::json;

use super::http::{Http, said, wish};
use super::open;
use crate::stage::{Stage, start};

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_with_the_same_body_is_one_request_whatever_the_key_looks_like() {
    let mut stage = start(open("http keys", 811)).await;
    let ann = Http::of(&stage, "ann");
    let (uuid, body) = wish(850);
    for key in [uuid.as_str(), "order-7", "\"a \\\"quoted\\\" one\"", "x/y?z=1"] {
        let quoted = key.contains(' ');
        let first = ann.create(key, &body).await;
        if quoted {
            first.refused(400, "idempotency_key_malformed");
            continue;
        }
        assert_eq!((first.status.as_u16(), first.header("idempotent-replayed")), (202, ""));
        let request = first.view().request_id;
        stage.told(request, Ordered).await;
        let again = ann.create(key, &body).await;
        assert_eq!((again.status.as_u16(), again.header("idempotent-replayed")), (202, "true"));
        assert_eq!(again.view().request_id, request);
        // The same key as a structured string.
        let same = ann.create(&format!("\"{key}\""), &body).await;
        assert_eq!(same.header("idempotent-replayed"), "true");
        let mut other = body.clone();
        other.insert("quantity".to_owned(), json!(2));
        ann.create(key, &other).await.refused(422, "conflict");
    }
    assert_eq!(how_many(&stage, "ann").await, 3);
    stage.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_belongs_to_one_customer() {
    let mut stage = start(open("http keys of two", 812)).await;
    let (ann, bob) = (Http::of(&stage, "ann"), Http::of(&stage, "bob"));
    let (_, body) = wish(851);
    let first = ann.create("mine", &body).await.view().request_id;
    let second = bob.create("mine", &body).await.view().request_id;
    assert_ne!(first, second);
    stage.told(first, Ordered).await;
    stage.told(second, Ordered).await;
    stage.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_without_a_key_or_with_a_bad_one_is_refused() {
    let stage = start(open("http no key", 813)).await;
    let ann = Http::of(&stage, "ann");
    let (_, body) = wish(852);
    let path = "/v1/purchase-requests";
    let none = said(ann.call(Method::POST, path).json(&body)).await;
    none.refused(400, "idempotency_key_missing");
    let long = "k".repeat(256);
    for bad in ["", "\"open", "two words", &long] {
        let call = ann.call(Method::POST, path).header("Idempotency-Key", bad).json(&body);
        said(call).await.refused(400, "idempotency_key_malformed");
    }
    let twice = ann.call(Method::POST, path).json(&body);
    let twice = twice.header("Idempotency-Key", "a").header("Idempotency-Key", "b");
    said(twice).await.refused(400, "idempotency_key_malformed");
    let (key, mut named) = wish(853);
    named.insert("request_id".to_owned(), json!(key));
    ann.create("x", &named).await.refused(422, "field_invalid");
    assert_eq!(how_many(&stage, "ann").await, 0);
    stage.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_meet_are_one_request_and_the_others_are_told_to_come_back() {
    let mut stage = start(open("http at once", 814)).await;
    let ann = Http::of(&stage, "ann");
    let (_, body) = wish(854);
    let answers = join_all((0..16).map(|_| ann.create("at-once", &body))).await;
    let mut requests = BTreeSet::new();
    for answer in answers {
        match answer.status.as_u16() {
            202 => drop(requests.insert(answer.view().request_id)),
            409 => {
                answer.refused(409, "request_in_progress");
                assert_eq!(answer.header("retry-after"), "1");
            }
            _ => panic!("{answer:?}"),
        }
    }
    assert_eq!(requests.len(), 1);
    assert_eq!(how_many(&stage, "ann").await, 1);
    stage.told(requests.pop_first().unwrap(), Ordered).await;
    stage.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_without_an_answer_because_of_a_kill_are_done_once_when_sent_again() {
    let mut stage = start(open("http killed", 815)).await;
    let wishes: Vec<_> = (0..12).map(|n| (format!("killed-{n}"), wish(860 + n).1)).collect();
    let ann = Http::of(&stage, "ann");
    let calls = wishes.iter().map(|(key, body)| {
        let call = ann.call(Method::POST, "/v1/purchase-requests");
        call.header("Idempotency-Key", key).json(body).send()
    });
    let calls = tokio::spawn(join_all(calls.collect::<Vec<_>>()));
    stage.heard("the first of them", |seen| seen.subject.contains(".created")).await;
    stage.broker.kill_9().unwrap();
    let _ = calls.await.unwrap();
    stage.broker.start().await.unwrap();
    let ann = Http::of(&stage, "ann");
    let mut requests = BTreeSet::new();
    for (key, body) in &wishes {
        let made = ann.create(key, body).await;
        assert_eq!(made.status, 202, "{made:?}");
        requests.insert(made.view().request_id);
    }
    assert_eq!((requests.len(), how_many(&stage, "ann").await), (12, 12));
    for request in requests {
        stage.told(request, Ordered).await;
    }
    stage.judge().await;
}

/// Requests that this customer has.
async fn how_many(stage: &Stage, customer: &str) -> usize {
    let all = ListPurchases { status: None, after: None, limit: Some(100) };
    match stage.requester(customer).list(&all).await.unwrap() {
        ListReply::Page { requests, .. } => requests.len(),
        ListReply::Rejected(problem) => panic!("{problem:?}"),
    }
}
