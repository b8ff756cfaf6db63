//! Too many calls, no broker, other people's pages, encrypted calls.

use broker_gateway::GatewayConfig;
use broker_gateway::tokens::{ScopeName, create, to_toml};
use reqwest::Method;
use schemas::CustomerId;
use schemas::text::Text;
use serde_json::json;
use tests::nats_server::{NatsServer, NatsServerOptions};

use super::http::{Http, client, said, wish};
use super::{open, unlimited};
use crate::stage::start;

#[tokio::test(flavor = "multi_thread")]
async fn who_calls_too_often_is_told_when_to_come_back() {
    let config = GatewayConfig { per_token_per_s: 5, per_address_per_s: 50, ..unlimited() };
    let stage = start(open("http limits", 861).gateway(config)).await;
    let ann = Http::of(&stage, "ann");
    let mut refused = None;
    for _ in 0..40 {
        let said = ann.get("/v1/me").await;
        if said.status == 429 {
            refused = Some(said);
            break;
        }
        assert!(said.header("ratelimit").starts_with("\"address\";r="), "{said:?}");
        assert_eq!(said.header("ratelimit-policy"), "\"address\";q=100;w=2");
    }
    let refused = refused.unwrap();
    refused.refused(429, "quota_exceeded");
    assert_eq!(refused.header("retry-after"), "1");
    let kind = refused.body["type"].as_str().unwrap();
    assert!(kind.ends_with("http-problem-types#quota-exceeded"), "{kind}");
    // Another token, and another group of endpoints of the same one, have limits of their own.
    assert_eq!(Http::of(&stage, "bob").get("/v1/me").await.status, 200);
    let (key, body) = wish(900);
    assert_eq!(ann.create(&key, &body).await.status, 202);
    stage.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_somebody_else_may_call_only_where_an_operator_says_so() {
    let config = GatewayConfig { cors_origins: vec!["https://shop.example".into()], ..unlimited() };
    let stage = start(open("http cors", 862).gateway(config)).await;
    let ann = Http::of(&stage, "ann");
    let ask = async |origin: &str| {
        let call = ann.call(Method::OPTIONS, "/v1/purchase-requests").header("Origin", origin);
        let call = call.header("Access-Control-Request-Method", "POST");
        let said = said(call.header("Access-Control-Request-Headers", "idempotency-key")).await;
        said.header("access-control-allow-origin").to_owned()
    };
    assert_eq!(ask("https://shop.example").await, "https://shop.example");
    assert_eq!(ask("https://evil.example").await, "");
    stage.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_word_of_the_operator_no_other_page_may_call() {
    let stage = start(open("http no cors", 863)).await;
    let ann = Http::of(&stage, "ann");
    let call = ann.call(Method::GET, "/v1/me").header("Origin", "https://shop.example");
    assert_eq!(said(call).await.header("access-control-allow-origin"), "");
    stage.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_of_its_own_goes_on_without_the_broker_and_says_so() {
    let stage = start(open("http alone", 864)).await;
    let mut alone = super::alone::Alone::start(&stage).await;
    let ann = alone.caller(&stage, "ann");
    let (key, body) = wish(901);
    assert_eq!(ann.create(&key, &body).await.status, 202);
    let mut stage = stage;
    stage.broker.kill_9().unwrap();
    let (key, body) = wish(902);
    // Somebody hears it and nobody answers: the test's own ear.
    ann.create(&key, &body).await.refused(504, "deadline_exceeded");
    stage.broker.start().await.unwrap();
    assert_eq!(ann.create(&key, &body).await.status, 202);
    alone.stop().await;
    stage.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_broker_serves_calls_are_told_to_come_back() {
    let server = || NatsServer::start(NatsServerOptions::default()).unwrap();
    let server = tokio::task::spawn_blocking(server).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (ann, name) = (CustomerId::parse("ann").ok(), Text::parse("ann").unwrap());
    let (token, entry) = create(name, ScopeName::Requester, ann, None).unwrap();
    std::fs::write(dir.path().join("tokens.toml"), to_toml(&entry)).unwrap();
    let alone = super::alone::Alone::start_at(&[server.url()], dir.path()).await;
    let path = format!("{}/v1/purchase-requests", alone.url());
    let call = client().build().unwrap().get(path).bearer_auth(token);
    let refused = said(call).await;
    refused.refused(503, "broker_unavailable");
    assert_eq!(refused.header("retry-after"), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_encrypted_where_there_is_a_certificate() {
    let dir = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let config =
        GatewayConfig { tls_cert_file: Some(cert.clone()), tls_key_file: Some(key), ..unlimited() };
    let stage = start(open("http tls", 865).gateway(config)).await;
    let gateway = stage.broker.gateway.as_ref().unwrap();
    let ca = reqwest::Certificate::from_pem(&std::fs::read(cert).unwrap()).unwrap();
    let client = client().tls_certs_only([ca]).build().unwrap();
    let me = client.get(format!("{}/v1/me", gateway.url())).bearer_auth(&gateway.tokens["ann"]);
    let me = said(me).await;
    assert_eq!(me.body, json!({ "name": "ann", "scope": "requester", "customer_id": "ann" }));
    assert!(reqwest::get(format!("http://{}/", gateway.address)).await.is_err());
    stage.judge().await;
}
