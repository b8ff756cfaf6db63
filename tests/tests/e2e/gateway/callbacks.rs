//! Bookstores that call back: proven, stored once, and nothing else is let in.

use data_encoding::BASE64;
use ring::hmac;
use schemas::json::COMMAND_BYTES_MAX;
use schemas::stream::name::PARTNER_CALLBACKS;
use tests::harness::{CALLBACK_SECRET, StreamTail, now};

use super::http::{Said, client, said};
use super::open;
use crate::stage::{Stage, start};

/// Signed here, by the text of the standard, not by the code that is tested.
fn signature(id: &str, at_s: u64, body: &[u8]) -> String {
    let secret = BASE64.decode(CALLBACK_SECRET.trim_start_matches("whsec_").as_bytes()).unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
    let signed = [format!("{id}.{at_s}.").as_bytes(), body].concat();
    format!("v1,{}", BASE64.encode(hmac::sign(&key, &signed).as_ref()))
}

async fn call(stage: &Stage, store: &str, head: (&str, u64, &str), body: &[u8]) -> Said {
    let url = stage.broker.gateway.as_ref().unwrap().url();
    let (id, at, signature) = head;
    let call = client().build().unwrap().post(format!("{url}/v1/partners/{store}/callbacks"));
    let call = call.header("webhook-id", id).header("webhook-timestamp", at.to_string());
    let call =
        call.header("webhook-signature", signature).header("Content-Type", "application/json");
    said(call.body(body.to_vec())).await
}

fn seconds() -> u64 {
    now().as_unix_ms() / 1000
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_call_back_is_stored_once_with_the_bytes_as_they_came() {
    let stage = start(open("http call-back", 841)).await;
    let (body, at) = (br#"{"order":"1",  "state":"shipped"}"#.as_slice(), seconds());
    let mut tail = StreamTail::new(stage.client(), PARTNER_CALLBACKS);
    for copy in 0..3 {
        let sign = signature("msg_1", at, body);
        let said = call(&stage, "acme", ("msg_1", at, &sign), body).await;
        let replayed = if copy == 0 { "" } else { "true" };
        assert_eq!((said.status.as_u16(), said.header("idempotent-replayed")), (202, replayed));
    }
    tail.poll().await.unwrap();
    let stored = tail.seen();
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0].subject, "callback.acme");
    assert_eq!(stored[0].body, body);
    assert_eq!(stored[0].message_id.as_deref(), Some("acme.msg_1"));
    stage.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_proven_is_not_let_in() {
    let stage = start(open("http forged", 842)).await;
    let (body, at) = (b"{}".as_slice(), seconds());
    let good = signature("msg_2", at, body);
    let refused = |said: Said| said.refused(401, "signature_invalid");
    // Another body, another id, another store, another key.
    refused(call(&stage, "acme", ("msg_2", at, &good), b"{ }").await);
    refused(call(&stage, "acme", ("msg_3", at, &good), body).await);
    refused(call(&stage, "instant-01", ("msg_2", at, &good), body).await);
    refused(call(&stage, "acme", ("msg_2", at, "v1,AAAA"), body).await);
    refused(call(&stage, "acme", ("msg_2", at, ""), body).await);
    // By a clock that is wrong, or recorded and played again later.
    for skewed in [at - 301, at + 400] {
        let sign = signature("msg_2", skewed, body);
        refused(call(&stage, "acme", ("msg_2", skewed, &sign), body).await);
    }
    let long = vec![b'x'; COMMAND_BYTES_MAX + 1];
    let sign = signature("msg_2", at, &long);
    call(&stage, "acme", ("msg_2", at, &sign), &long).await.refused(413, "payload_too_large");
    call(&stage, "a.b", ("msg_2", at, &good), body).await.refused(404, "unknown_partner");
    let mut tail = StreamTail::new(stage.client(), PARTNER_CALLBACKS);
    tail.poll().await.unwrap();
    assert_eq!(tail.seen().len(), 0);
    stage.judge().await;
}
