//! The two routes of the older API.

use reqwest::Method;
use schemas::RequestId;
use schemas::event::NotificationOutcome::{Ordered, OutOfStock, Quoted};
use serde_json::{Value, json};
use tests::harness::book;

use super::http::{Http, said};
use super::open;
use crate::stage::{flat, start};

fn wish(name: &str, price: &Value) -> Value {
    json!({
        "book_name": name, "max_price": price,
        "customer_info": {
            "shipping_address": { "country": "US", "postal_code": "10001" },
            "credit_card_info": "tok_ok",
        },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_book_is_bought_the_old_way_and_its_status_is_polled() {
    let (cheap, dear, none) = (book(880), book(881), book(882));
    let mut scenario = open("http compat", 831);
    scenario = scenario.price_everywhere(cheap, flat(1990)).price_everywhere(dear, flat(2500));
    let mut stage = start(scenario.stock_everywhere(none, 0)).await;
    let ann = Http::of(&stage, "ann");
    let mut ids = Vec::new();
    for isbn in [cheap, dear, none] {
        let made = ann.post("/purchase-request", &wish(&isbn.to_string(), &json!(20.5))).await;
        assert_eq!(made.status, 202, "{made:?}");
        assert_eq!(made.body["status"], "PENDING");
        ids.push(RequestId::parse(made.body["request_id"].as_str().unwrap()).unwrap());
    }
    stage.told(ids[0], Ordered).await;
    stage.told(ids[1], Quoted).await;
    stage.told(ids[2], OutOfStock).await;
    let status = async |id: RequestId| {
        let call = ann.call(Method::GET, &format!("/request-status?request_id={id}"));
        call.send().await.unwrap().text().await.unwrap()
    };
    let bought: Value = serde_json::from_str(&status(ids[0]).await).unwrap();
    assert_eq!(bought["status"], "SUCCESS");
    assert!(bought["resolved_seller"].as_str().unwrap().starts_with("instant-"));
    // Two decimals, as text: no binary fraction was anywhere on the way.
    assert!(status(ids[0]).await.contains("\"resolved_price\":19.90"), "{bought}");
    let dear = "{\"status\":\"NOT_AVAILABLE\",\"lowest_available_price\":25.00}";
    assert_eq!(status(ids[1]).await, dear);
    let none = "{\"status\":\"NOT_AVAILABLE\",\"lowest_available_price\":null}";
    assert_eq!(status(ids[2]).await, none);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_old_way_gets_wrong_is_told_and_a_card_number_is_kept_nowhere() {
    let stage = start(open("http compat bad", 832)).await;
    let ann = Http::of(&stage, "ann");
    let isbn = book(883).to_string();
    for price in [json!("20"), json!(0), json!(-1), json!(1.999), json!(null)] {
        let refused = ann.post("/purchase-request", &wish(&isbn, &price)).await;
        refused.refused(422, "field_invalid");
        assert_eq!(refused.body["errors"][0]["pointer"], "#/max_price");
    }
    let card = "4111111111111111";
    let mut with_card = wish(&isbn, &json!(20));
    with_card["customer_info"]["credit_card_info"] = card.into();
    let refused = ann.post("/purchase-request", &with_card).await;
    refused.refused(422, "pan_not_accepted");
    assert!(!refused.body.to_string().contains(card));
    ann.post("/purchase-request", &json!({ "book_name": isbn })).await.refused(400, "malformed");
    let nobody = ann.get("/request-status?request_id=7").await;
    nobody.refused(404, "not_found");
    ann.get("/request-status").await.refused(400, "parameter_invalid");
    let log = std::fs::read_to_string(stage.broker.process.log_path()).unwrap();
    assert!(!log.contains(card));
    // With a key the same call is one request, also when it is sent again later.
    let call = || {
        let call = ann.call(Method::POST, "/purchase-request").header("Idempotency-Key", "old-1");
        said(call.json(&wish("no such title", &json!(20))))
    };
    call().await.refused(422, "identifier_unknown");
    call().await.refused(422, "identifier_unknown");
}
