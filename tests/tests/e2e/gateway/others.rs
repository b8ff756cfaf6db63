//! Who may call what: nobody sees or changes anything of somebody else, and what is not theirs looks
//! like what is not there.

use reqwest::Method;
use schemas::event::NotificationOutcome::Ordered;
use serde_json::json;
use tests::harness::wait;

use super::http::{Http, client, said, wish};
use super::open;
use crate::stage::{SOON, start};

#[tokio::test(flavor = "multi_thread")]
async fn somebody_else_s_request_looks_like_one_that_is_not_there() {
    let mut stage = start(open("http others", 821)).await;
    let (ann, bob) = (Http::of(&stage, "ann"), Http::of(&stage, "bob"));
    let (key, body) = wish(870);
    let request = ann.create(&key, &body).await.view().request_id;
    stage.told(request, Ordered).await;
    let (nobody, _) = wish(871);
    let hers = request.to_string();
    for (method, rest) in [
        (Method::GET, ""),
        (Method::GET, "/receipt"),
        (Method::GET, "/events"),
        (Method::PATCH, ""),
        (Method::POST, "/cancel"),
        (Method::POST, "/accept-quote"),
    ] {
        let mut answers = Vec::new();
        for id in [&hers, &nobody, &"no-uuid".to_owned()] {
            let path = format!("/v1/purchase-requests/{id}{rest}");
            let mut call = bob.call(method.clone(), &path).header("Idempotency-Key", "k");
            if method != Method::GET && rest != "/cancel" {
                call = call.json(&match rest {
                    "" => json!({ "strategy": "fast" }),
                    _ => json!({ "accept_token": "00000000000000000000000000000000" }),
                });
            }
            let mut said = said(call).await;
            said.refused(404, "not_found");
            said.body.as_object_mut().unwrap().remove("request_id");
            answers.push(said.body);
        }
        assert_eq!(answers[0], answers[1], "{method} {rest}");
        assert_eq!(answers[0], answers[2], "{method} {rest}");
    }
    stage.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_good_for_its_scope_and_nothing_else() {
    let stage = start(open("http scopes", 822)).await;
    let (_, body) = wish(872);
    let create = |http: &Http| {
        let call = http.call(Method::POST, "/v1/purchase-requests").json(&body);
        said(call.header("Idempotency-Key", "k"))
    };
    let looks = Http::of(&stage, "ann-looks");
    assert_eq!(looks.get("/v1/purchase-requests").await.status, 200);
    create(&looks).await.refused(403, "forbidden");
    let olga = Http::of(&stage, "olga");
    create(&olga).await.refused(403, "forbidden");
    olga.get("/v1/purchase-requests").await.refused(403, "forbidden");
    assert_eq!(olga.get("/v1/operator/partners").await.status, 200);
    let ann = Http::of(&stage, "ann");
    for path in ["partners", "incidents", "dead-letters"] {
        ann.get(&format!("/v1/operator/{path}")).await.refused(403, "forbidden");
    }
    let acme = Http::of(&stage, "acme");
    acme.get("/v1/partners/instant-01").await.refused(403, "forbidden");
    acme.get("/v1/partners/acme").await.refused(404, "unknown_partner");
    assert_eq!(olga.get("/v1/partners/instant-01").await.body["partner_id"], "instant-01");
    let me = looks.get("/v1/me").await.body;
    assert_eq!(me, json!({ "name": "ann-looks", "scope": "read_only", "customer_id": "ann" }));
    stage.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_calls_without_a_token_that_is_in_force() {
    let stage = start(open("http tokens", 823)).await;
    let ann = Http::of(&stage, "ann");
    let path = "/v1/purchase-requests";
    let url = format!("{}{path}", stage.broker.gateway.as_ref().unwrap().url());
    let client = client().build().unwrap();
    for header in [None, Some("Bearer "), Some("Bearer bpb_wrong"), Some("Basic YTpi")] {
        let call = client.get(&url);
        let call = match header {
            Some(text) => call.header("Authorization", text),
            None => call,
        };
        let refused = said(call).await;
        refused.refused(401, "unauthenticated");
        assert!(refused.header("www-authenticate").starts_with("Bearer"));
    }
    assert_eq!(ann.get(path).await.status, 200);
    // Taken out of the file, it is no longer in force; a broken file changes nothing.
    let file = stage.dir().join("tokens.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let without: String = text
        .split("[[token]]")
        .filter(|entry| !entry.contains("\"ann\"\nscope = \"requester\""))
        .collect::<Vec<_>>()
        .join("[[token]]");
    std::fs::write(&file, without).unwrap();
    wait::until("the token is not in force", SOON, async || {
        Ok((ann.get(path).await.status == 401).then_some(()))
    })
    .await
    .unwrap();
    assert_eq!(Http::of(&stage, "bob").get(path).await.status, 200);
    stage.judge().await;
}
