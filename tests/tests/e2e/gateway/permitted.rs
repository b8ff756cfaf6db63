//! The gateway with the rights that the shipped permissions give it, and no others.

use broker_gateway::tokens::{ScopeName, create, to_toml};
use reqwest::{Method, RequestBuilder};
use schemas::CustomerId;
use schemas::text::Text;
use tests::harness::CALLBACK_SECRET;

use super::alone::Alone;
use super::callbacks::{seconds, signature};
use super::http::{client, said, wish};
use crate::permissions::{guarded, serving};

#[tokio::test(flavor = "multi_thread")]
async fn with_the_shipped_permissions_the_gateway_does_its_work() {
    let (server, dir) = (guarded().await, tempfile::tempdir().unwrap());
    let _broker = serving(&server, dir.path()).await;
    let (alice, name) = (CustomerId::parse("alice").ok(), Text::parse("alice").unwrap());
    let (token, entry) = create(name, ScopeName::Requester, alice, None).unwrap();
    let (pass, operator) =
        create(Text::parse("olga").unwrap(), ScopeName::Operator, None, None).unwrap();
    let tokens = to_toml(&entry) + &to_toml(&operator);
    std::fs::write(dir.path().join("tokens.toml"), tokens).unwrap();
    let secrets = format!("[[partner]]\npartner_id = 'acme'\nsecrets = ['{CALLBACK_SECRET}']\n");
    let callbacks = dir.path().join("callbacks.toml");
    std::fs::write(&callbacks, secrets).unwrap();
    let login = [
        ("BROKER__NATS__USER", "gateway"),
        ("BROKER__NATS__PASSWORD", "pw-gateway"),
        ("BROKER__NATS__INBOX_PREFIX", "_INBOX.gateway"),
        ("BROKER__GATEWAY__CALLBACKS_FILE", callbacks.to_str().unwrap()),
    ];
    let alone = Alone::start_at(&[server.url()], dir.path(), &login).await;
    let call = |method: Method, path: &str, token: &str| -> RequestBuilder {
        let client = client().build().unwrap();
        client.request(method, format!("{}{path}", alone.url())).bearer_auth(token)
    };

    // Keys of its own, the broker, events.
    let (_, body) = wish(950);
    let path = "/v1/purchase-requests";
    let wished = || call(Method::POST, path, &token).header("Idempotency-Key", "named").json(&body);
    let made = said(wished()).await;
    assert_eq!(made.status, 202, "{made:?}");
    let again = said(wished()).await;
    assert_eq!((again.status.as_u16(), again.header("idempotent-replayed")), (202, "true"));
    let events = format!("{path}/{}/events", made.view().request_id);
    let mut events = call(Method::GET, &events, &token).send().await.unwrap();
    let mut heard = String::new();
    while !heard.contains("event: created") {
        let chunk = events.chunk().await.unwrap().expect("an event before the end");
        heard.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    // Call-backs and what operators do.
    let at = seconds();
    let sign = signature("msg_9", at, b"{}");
    let back = call(Method::POST, "/v1/partners/acme/callbacks", "").header("webhook-id", "msg_9");
    let back = back.header("webhook-timestamp", at.to_string()).header("webhook-signature", sign);
    assert_eq!(said(back.body("{}")).await.status, 202);
    for what in ["partners", "incidents", "dead-letters"] {
        let seen = said(call(Method::GET, &format!("/v1/operator/{what}"), &pass)).await;
        assert_eq!(seen.status, 200, "{what}: {seen:?}");
    }
    let log = alone.log();
    let refused =
        log.lines().find(|line| line.to_ascii_lowercase().contains("permissions violation"));
    assert_eq!(refused, None);
}
