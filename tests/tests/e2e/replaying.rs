//! What was given up is looked at, mended and sent once more by the command line: it goes the
//! normal way, and however often it is sent, it is one request.

use partner_sim::profile::ProfileName::Instant;
use schemas::RejectReason;
use schemas::catalog::CatalogEntry;
use schemas::event::NotificationOutcome::Ordered;
use serde_json::Value;
use tests::harness::Order;

use crate::command_line::{Said, run};
use crate::stage::{Stage, books, edition, flat, start, world};

const PRICE: u64 = 1200;

async fn letters(stage: &Stage, words: &[&str]) -> Said {
    let url = stage.nats().url();
    run(&[&["dead-letters"], words, &["--server", &url, "--json"]].concat()).await
}

/// The catalog has learned one more edition; the broker reads it at its start.
async fn learn(stage: &mut Stage, entry: &CatalogEntry) {
    stage.broker.terminate().await.unwrap();
    let file = stage.broker.config().catalog_file.clone().unwrap();
    let mut text = std::fs::read(&file).unwrap();
    text.extend(schemas::json::encode(entry));
    text.push(b'\n');
    std::fs::write(&file, text).unwrap();
    stage.broker.start().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mended_title_is_replayed_twice_and_bought_once() {
    let (known, new) = (edition(1220, "Known"), edition(1221, "Just Printed"));
    let scenario = world("replay", 147)
        .partners(Instant, 2)
        .price_everywhere(new.isbn13, flat(PRICE))
        .catalog(vec![known]);
    let mut stage = start(scenario).await;
    let create = Order::titled(&new).build();
    stage.requester("ann").publish_create(&create).await.unwrap();
    let unknown = |reason| reason == RejectReason::IdentifierUnknown;
    stage.dead_letter("an unknown title", |letter| unknown(letter.reason)).await;

    let listed = letters(&stage, &["list", "--reason", "identifier_unknown"]).await.ok().json();
    let [letter] = listed.as_array().unwrap().as_slice() else { panic!("{listed:#}") };
    let number = letter["number"].to_string();
    let shown = letters(&stage, &["show", &number]).await.ok().json();
    assert_eq!(shown["payload"]["encoding"], "text");
    let original: Value = serde_json::from_str(shown["payload"]["data"].as_str().unwrap()).unwrap();
    assert_eq!(original, serde_json::to_value(&create).unwrap());
    assert_eq!(shown["violations"][0]["field"], "item.value");
    assert!(shown["headers"].as_object().unwrap().contains_key("Nats-Msg-Id"), "{shown:#}");

    learn(&mut stage, &new).await;
    for _ in 0..2 {
        let said = letters(&stage, &["replay", &number]).await.ok().json();
        assert_eq!(said["subject"], "purchase.create.ann");
    }
    stage.told(create.request_id, Ordered).await;
    // A letter that stays: without any the auditor takes the stream for one that lost its tail.
    let ann = "purchase.create.ann";
    stage.client().publish(ann, "{".into()).await.unwrap();
    stage.dead_letter("another", |letter| letter.reason == RejectReason::Malformed).await;
    let drop = ["drop", &number, "--reason", "bought", "--actor", "ann"];
    let dropped = letters(&stage, &drop).await.ok().json();
    assert_eq!(dropped["dropped"].to_string(), number);
    letters(&stage, &["show", &number]).await.ends(4);
    letters(&stage, &["replay", &number]).await.ends(4);

    let evidence = stage.judge().await;
    assert_eq!(evidence.heads.len(), 1, "one request");
    let books = books(&evidence, &create);
    assert_eq!((books.ever_ordered().len(), books.paid()), (1, PRICE));
}
