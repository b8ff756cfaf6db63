//! The main job through the door: submit, follow, receipt, change, cancel, accept.

use futures_util::StreamExt;
use reqwest::Method;
use schemas::event::NotificationOutcome::{Canceled, Ordered, Quoted};
use schemas::purchase::PurchaseStatus;
use schemas::subject::filter;
use serde_json::{Map, json};
use tests::harness::{Order, book};

use super::http::{Http, of, said, wish};
use super::open;
use crate::stage::{books, flat, start};

#[tokio::test(flavor = "multi_thread")]
async fn a_book_is_bought_over_http_and_its_receipt_says_why() {
    let mut stage = start(open("http buys", 801)).await;
    let ann = Http::of(&stage, "ann");
    let create = Order::of(book(801)).build();
    let (key, body) = of(&create);
    let made = ann.create(&key, &body).await;
    assert_eq!(made.status, 202, "{made:?}");
    assert_eq!(made.view().request_id, create.request_id);
    let place = format!("/v1/purchase-requests/{}", create.request_id);
    assert_eq!(made.header("location"), place);
    let told = stage.told(create.request_id, Ordered).await;

    let seen = ann.get(&place).await;
    assert_eq!(seen.view().status, PurchaseStatus::Ordered);
    assert_eq!(seen.header("etag"), format!("\"{}\"", seen.view().version));
    let again = ann.call(Method::GET, &place).header("If-None-Match", seen.header("etag"));
    assert_eq!(said(again).await.status, 304);
    let receipt = ann.get(&format!("{place}/receipt")).await;
    assert_eq!(receipt.body["receipt"], serde_json::to_value(told.receipt).unwrap());
    let evidence = stage.judge().await;
    assert!(books(&evidence, &create).paid() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_read_page_by_page_and_by_status() {
    let mut stage = start(open("http list", 802)).await;
    let ann = Http::of(&stage, "ann");
    let mut mine = Vec::new();
    for n in 0..3 {
        let create = Order::of(book(810 + n)).build();
        let (key, body) = of(&create);
        assert_eq!(ann.create(&key, &body).await.status, 202);
        stage.told(create.request_id, Ordered).await;
        mine.push(create.request_id.to_string());
    }
    mine.reverse();
    let mut path = "/v1/purchase-requests?limit=2&status=ordered".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = ann.get(&path).await;
        let requests = page.body["requests"].as_array().unwrap();
        seen.extend(requests.iter().map(|one| one["request_id"].as_str().unwrap().to_owned()));
        let Some(link) = page.header("link").strip_prefix('<') else { break };
        path = link.split('>').next().unwrap().to_owned();
    }
    assert_eq!(seen, mine);
    let none = ann.get("/v1/purchase-requests?status=failed").await;
    assert_eq!(none.body, json!({ "requests": [] }));
    for bad in ["status=lost", "limit=0", "limit=101", "cursor=1", "page=2"] {
        let refused = ann.get(&format!("/v1/purchase-requests?{bad}")).await;
        refused.refused(400, "parameter_invalid");
    }
    stage.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quote_is_accepted_and_bought_over_http() {
    let isbn = book(820);
    let mut stage = start(open("http accept", 803).price_everywhere(isbn, flat(2500))).await;
    let ann = Http::of(&stage, "ann");
    let create = Order::of(isbn).max_total(2000).build();
    let (key, body) = of(&create);
    ann.create(&key, &body).await;
    let quoted = stage.told(create.request_id, Quoted).await;
    let request = create.request_id;
    let path = format!("/v1/purchase-requests/{request}/accept-quote");
    let unkeyed = ann.post(&path, &json!({ "accept_token": "0" })).await;
    unkeyed.refused(400, "idempotency_key_missing");
    let wrong = ann.accept(request, "guess", "00000000000000000000000000000000").await;
    wrong.refused(422, "token_invalid");
    let token = quoted.accept_token.unwrap();
    let accepted = ann.accept(request, "yes", &token).await;
    assert_eq!(accepted.status, 200, "{accepted:?}");
    stage.told_later(request, Ordered).await;
    let again = ann.accept(request, "yes", &token).await;
    assert_eq!((again.status.as_u16(), again.header("idempotent-replayed")), (200, "true"));
    stage.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_changed_only_as_it_was_seen_and_canceled_once() {
    let isbn = book(830);
    let mut stage = start(open("http changes", 804).price_everywhere(isbn, flat(2500))).await;
    let ann = Http::of(&stage, "ann");
    let create = Order::of(isbn).max_total(2000).build();
    let request = create.request_id;
    let (key, body) = of(&create);
    ann.create(&key, &body).await;
    stage.told(request, Quoted).await;
    let place = format!("/v1/purchase-requests/{request}");
    let tag = ann.get(&place).await.header("etag").to_owned();
    let raised = |to: u64| {
        let limit = json!({ "amount": to, "currency": "USD" });
        Map::from_iter([("max_total".to_owned(), limit)])
    };
    let stale = ann.update(request, "u-1", Some("\"1\""), raised(2100)).await;
    stale.refused(412, "version_conflict");
    let changed = ann.update(request, "u-2", Some(&tag), raised(2100)).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    assert_eq!(changed.view().max_total.minor(), 2100);
    let again = ann.update(request, "u-2", Some(&tag), raised(2100)).await;
    assert_eq!((again.status.as_u16(), again.header("idempotent-replayed")), (200, "true"));
    let other = ann.update(request, "u-2", Some(&tag), raised(2200)).await;
    other.refused(422, "conflict");
    let ours = ann.call(Method::PATCH, &place).json(&json!({ "if_version": 3 }));
    let ours = said(ours).await;
    ours.refused(422, "field_invalid");
    assert_eq!(ours.body["errors"][0]["pointer"], "#/if_version");

    let canceled = ann.cancel(request, "c-1").await;
    assert_eq!(canceled.view().status, PurchaseStatus::Canceled);
    stage.told_later(request, Canceled).await;
    let late = ann.update(request, "u-3", None, raised(2300)).await;
    late.refused(409, "transition_not_allowed");
    stage.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_caller_s_trace_goes_on_behind_the_door() {
    let mut stage = start(open("http trace", 805)).await;
    let ann = Http::of(&stage, "ann");
    let mut events = stage.client().subscribe(filter::purchase_events()).await.unwrap();
    stage.client().flush().await.unwrap();
    let (key, body) = wish(840);
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let call = ann.call(Method::POST, "/v1/purchase-requests").header("Idempotency-Key", &key);
    let made = said(call.header("traceparent", parent).json(&body)).await;
    assert_eq!(made.header("traceparent"), parent);
    stage.told(made.view().request_id, Ordered).await;
    let created = events.next().await.unwrap();
    let headers = created.headers.unwrap();
    let trace = headers.get("traceparent").unwrap().as_str();
    assert!(trace.starts_with("00-0af7651916cd43dd8448eb211c80319c-"), "{trace}");
}
