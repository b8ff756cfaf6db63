//! What operators see and do through the door; the broker's own state says whether it was done.

use async_nats::jetstream;
use partner_sim::profile::ProfileName::Instant;
use reqwest::Method;
use schemas::subject::{PurchaseOperation, purchase_command};
use schemas::{CustomerId, RejectReason};
use serde_json::json;
use tests::harness::wait;

use super::http::{Http, said};
use super::open;
use crate::stage::{SOON, Stage, start};

/// Something that the broker gives up.
async fn nonsense(stage: &Stage) -> u64 {
    let ann = CustomerId::parse("ann").unwrap();
    let subject = purchase_command(PurchaseOperation::Create, &ann);
    let context = jetstream::new(stage.client().clone());
    context.publish(subject, "{oops".into()).await.unwrap().await.unwrap();
    let letter = |letter: &schemas::event::DeadLetter| letter.reason == RejectReason::Malformed;
    stage.dead_letter("nonsense", letter).await;
    1
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_is_looked_at_replayed_and_dropped_by_name() {
    let stage = start(open("http letters", 881)).await;
    let olga = Http::of(&stage, "olga");
    let empty = olga.get("/v1/operator/dead-letters").await;
    assert_eq!(empty.body, json!({ "letters": [] }));
    let number = nonsense(&stage).await;
    let seen = olga.get("/v1/operator/dead-letters?limit=5").await.body;
    let letter = &seen["letters"][0];
    assert_eq!((&letter["number"], &letter["reason"]), (&json!(number), &json!("malformed")));
    assert_eq!(letter["payload"], json!({ "encoding": "text", "data": "{oops" }));

    let path = |rest: &str| format!("/v1/operator/dead-letters/{number}/{rest}");
    let replayed = said(olga.call(Method::POST, &path("replay"))).await;
    assert_eq!(replayed.body, json!({ "replayed": 1, "subject": "purchase.create.ann" }));
    // It goes the normal way, and what is still wrong becomes a new letter.
    let is_second =
        |letter: &schemas::event::DeadLetter| letter.headers.contains_key("Broker-Replay-Of");
    stage.dead_letter("the replayed one", is_second).await;

    for bad in ["cursor=0", "cursor=-1", "limit=0", "limit=101"] {
        let refused = olga.get(&format!("/v1/operator/dead-letters?{bad}")).await;
        refused.refused(400, "parameter_invalid");
    }
    olga.post(&path("drop"), &json!({})).await.refused(422, "field_invalid");
    let dropped = olga.post(&path("drop"), &json!({ "reason": "a test" })).await;
    assert_eq!(
        (&dropped.body["actor"], &dropped.body["reason"]),
        (&json!("olga"), &json!("a test"))
    );
    let again = olga.post(&path("drop"), &json!({ "reason": "another" })).await;
    assert_eq!(again.body["reason"], "a test", "what the audit log says");
    for missing in ["99", "0", "x", "%2B1", "%201"] {
        let path = format!("/v1/operator/dead-letters/{missing}/replay");
        said(olga.call(Method::POST, &path)).await.refused(404, "not_found");
    }
    stage.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn partners_and_incidents_are_shown_and_nothing_is_resolved_that_is_not_there() {
    let stage = start(open("http operators", 882)).await;
    let olga = Http::of(&stage, "olga");
    let partners = olga.get("/v1/operator/partners").await.body;
    assert_eq!(partners["partners"].as_array().unwrap().len(), 3);
    assert_eq!(olga.get("/v1/operator/incidents").await.body["incidents"], json!([]));
    let path = "/v1/operator/incidents/01890a5d-ac96-774b-bcce-b302099a8057/resolve";
    let word = json!({ "resolution": "not_found", "attempt": 1, "reason": "asked" });
    olga.post(path, &word).await.refused(404, "not_found");
    olga.post(path, &json!({ "resolution": "maybe" })).await.refused(422, "field_invalid");
    stage.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_under_way_is_seen_by_its_customer_and_by_operators_and_nobody_else() {
    let slow = toml::toml! {
        response_ms = 3000
        quotes = { latency = { p50_ms = 2800, p99_ms = 2800 } }
    };
    let world = open("http sweeps", 884).partner_with("far", Instant, slow);
    let stage = start(world).await;
    let (ann, olga) = (Http::of(&stage, "ann"), Http::of(&stage, "olga"));
    let (id, mut wish) = super::http::wish(884);
    // Nobody has it so cheap: the slow one is waited for.
    wish["max_total"] = json!({ "amount": 1, "currency": "USD" });
    ann.create(&id, &wish).await;
    let seen = wait::until("a sweep under way", SOON, async || {
        let all = olga.get("/v1/operator/sweeps").await.body;
        Ok(all["sweeps"].as_array().and_then(|sweeps| sweeps.first().cloned()))
    });
    let seen = seen.await.unwrap();
    assert_eq!((&seen["customer_id"], &seen["sweep"]), (&json!("ann"), &json!(1)));
    let path = format!("/v1/purchase-requests/{}/receipt", seen["request_id"].as_str().unwrap());
    let own = wait::until("three offers", SOON, async || {
        let body = ann.get(&path).await.body;
        let offers = body["running"]["offers"].as_array().map_or(0, Vec::len);
        Ok((offers == 3).then_some(body))
    });
    let own = own.await.unwrap();
    assert_eq!((&own["running"]["eligible"], &own["running"]["answered"]), (&json!(4), &json!(3)));
    Http::of(&stage, "bob").get(&path).await.refused(404, "not_found");
    ann.get("/v1/operator/sweeps").await.refused(403, "forbidden");
    stage.judge().await;
}
