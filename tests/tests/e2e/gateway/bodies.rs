//! What people and programs send by mistake or on purpose.

use std::net::SocketAddr;
use std::time::Duration;

use broker_gateway::GatewayConfig;
use reqwest::Method;
use schemas::DurationMs;
use schemas::event::NotificationOutcome::Ordered;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::http::{Http, said, wish};
use super::{open, unlimited};
use crate::stage::{Stage, start};

const PATH: &str = "/v1/purchase-requests";

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_no_request_is_refused_and_says_why() {
    let stage = start(open("http bodies", 851)).await;
    let ann = Http::of(&stage, "ann");
    let send = async |kind: &str, body: Vec<u8>| {
        let call = ann.call(Method::POST, PATH).header("Idempotency-Key", "b");
        said(call.header("Content-Type", kind).body(body)).await
    };
    send("text/plain", b"{}".to_vec()).await.refused(415, "content_type_unsupported");
    send("application/xml", b"<a/>".to_vec()).await.refused(415, "content_type_unsupported");
    for bad in ["", "{", "[]", "7", "{}{}", "\u{0}"] {
        send("application/json", bad.as_bytes().to_vec()).await.refused(400, "malformed");
    }
    let mut deep = vec![b'['; 100_000];
    deep.extend(vec![b']'; 100_000]);
    send("application/json", deep).await.refused(413, "payload_too_large");
    send("application/json", vec![b'['; 10_000]).await.refused(400, "malformed");
    stage.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_fields_that_are_wrong_are_told_at_once_with_their_pointers() {
    let stage = start(open("http fields", 852)).await;
    let ann = Http::of(&stage, "ann");
    let (key, mut body) = wish(890);
    body.insert("quantity".to_owned(), json!(0));
    body.insert("max_total".to_owned(), json!({ "amount": "ten", "currency": "USD" }));
    body["destination"]["country"] = json!("us");
    body.remove("payment_token");
    let refused = ann.create(&key, &body).await;
    refused.refused(422, "field_invalid");
    let errors = refused.body["errors"].as_array().unwrap();
    let mut pointers: Vec<&str> = errors.iter().map(|e| e["pointer"].as_str().unwrap()).collect();
    pointers.sort_unstable();
    let wanted = ["#/destination/country", "#/max_total/amount", "#/payment_token", "#/quantity"];
    assert_eq!(pointers, wanted, "{refused:?}");
    for (name, value, status, code) in [
        ("expires_at", json!("2020-01-01T00:00:00Z"), 422, "expiry_out_of_range"),
        ("item", json!({ "scheme": "isbn", "value": "9780306406158" }), 422, "identifier_invalid"),
        (
            "item",
            json!({ "scheme": "title", "value": "nobody wrote it" }),
            422,
            "identifier_unknown",
        ),
        ("max_total", json!({ "amount": 10, "currency": "XXX" }), 422, "currency_unsupported"),
    ] {
        let (key, mut body) = wish(891);
        body.insert(name.to_owned(), value);
        ann.create(&key, &body).await.refused(status, code);
    }
    stage.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_number_is_refused_and_stands_nowhere() {
    let mut scenario = open("http card", 853);
    // The client of NATS itself tells every byte at `trace`.
    scenario.log_filter = Some("trace,async_nats=debug".to_owned());
    let stage = start(scenario).await;
    let ann = Http::of(&stage, "ann");
    let card = "4111111111111111";
    for field in ["payment_token", "note", "condition"] {
        let (key, mut body) = wish(892);
        body.insert(field.to_owned(), json!(card));
        let refused = ann.create(&key, &body).await;
        refused.refused(422, "pan_not_accepted");
        assert!(!refused.body.to_string().contains(card), "{refused:?}");
    }
    let log = std::fs::read_to_string(stage.broker.process.log_path()).unwrap();
    let leak = log.lines().find(|line| line.contains(card));
    assert_eq!(leak, None);
    assert!(!log.contains(&stage.broker.gateway.as_ref().unwrap().tokens["ann"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_slowly_loses_the_connection_and_keeps_nobody_waiting() {
    let config = GatewayConfig {
        header_timeout_ms: DurationMs(300),
        call_timeout_ms: DurationMs(1000),
        connections_max: 64,
        ..unlimited()
    };
    let mut stage = start(open("http slow", 854).gateway(config)).await;
    let gateway = stage.broker.gateway.as_ref().unwrap();
    let (address, token) = (gateway.address, gateway.tokens["ann"].clone());
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\
         Idempotency-Key: slow\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{{"
    );
    // Heads that never end, and bodies that never end; more of them than a careless server has
    // threads.
    let mut slow = Vec::new();
    for n in 0..40 {
        let text = if n % 2 == 0 { &head[..40] } else { &head };
        slow.push(connect(address, text).await);
    }
    let ann = Http::of(&stage, "ann");
    let (key, body) = wish(893);
    let made = ann.create(&key, &body).await;
    assert_eq!(made.status, 202, "{made:?}");
    stage.told(made.view().request_id, Ordered).await;
    for (n, mut stream) in slow.into_iter().enumerate() {
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer);
        let ended = tokio::time::timeout(Duration::from_secs(20), read).await;
        assert!(ended.is_ok(), "connection {n} is still open");
        let text = String::from_utf8_lossy(&answer);
        let told =
            text.is_empty() || text.starts_with("HTTP/1.1 4") || text.starts_with("HTTP/1.1 504");
        assert!(told, "{text}");
    }
    stage.judge().await;
}

async fn connect(address: SocketAddr, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_is_no_text_names_nobody_and_is_told_in_the_same_form() {
    let stage = start(open("http no text", 856)).await;
    let olga = Http::of(&stage, "olga");
    for (method, path, code) in [
        (Method::GET, "/v1/partners/%ff", "unknown_partner"),
        (Method::POST, "/v1/partners/%ff/callbacks", "unknown_partner"),
        (Method::POST, "/v1/operator/dead-letters/%ff/replay", "not_found"),
        (Method::POST, "/v1/operator/dead-letters/%ff/drop", "not_found"),
        (Method::POST, "/v1/operator/incidents/%ff/resolve", "not_found"),
    ] {
        let call = olga.call(method, path).json(&json!({ "reason": "a test" }));
        said(call).await.refused(404, code);
    }
    Http::of(&stage, "ann").get(&format!("{PATH}/%ff")).await.refused(404, "not_found");
    stage.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_told_in_the_same_form() {
    let stage = start(open("http paths", 855)).await;
    let ann = Http::of(&stage, "ann");
    ann.get("/v2/anything").await.refused(404, "no_such_page");
    let wrong = said(ann.call(Method::DELETE, PATH)).await;
    wrong.refused(405, "method_not_allowed");
    let page = ann.get("/").await;
    assert_eq!(page.status, 200);
    assert!(page.header("content-security-policy").contains("default-src 'none'"));
    let document: Value = ann.get("/openapi.json").await.body;
    assert_eq!(document["openapi"], "3.1.1");
    pages_are_small(&stage, &ann).await;
    stage.judge().await;
}

/// What a browser needs for the first look, together.
async fn pages_are_small(stage: &Stage, ann: &Http) {
    let mut bytes = 0;
    for path in ["/", "/page/style.css", "/page/api.js", "/page/app.js", "/page/plot.js"] {
        let url = format!("{}{path}", stage.broker.gateway.as_ref().unwrap().url());
        bytes += reqwest::get(url).await.unwrap().bytes().await.unwrap().len();
        assert_eq!(ann.get(path).await.status, 200);
    }
    assert!(bytes < 100_000, "{bytes}");
}
