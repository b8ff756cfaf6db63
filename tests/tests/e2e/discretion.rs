//! The log at its most talkative: it tells the story of each request under its id, and has no
//! token, no address and no card number.

use partner_sim::profile::ProfileName::Instant;
use schemas::event::NotificationOutcome::{Ordered, Quoted};
use schemas::text::Text;
use schemas::{Address, json};
use tests::harness::{Order, book, wait};

use crate::stage::{SOON, accepted, flat, start, world};

const PAYMENT_TOKEN: &str = "tok_ok_7f3a9c";
const CARD: &str = "4111111111111111";
const NAME: &str = "Wilhelmina Quackenbush";
const LINE: &str = "77 Unmistakable Lane";
const CITY: &str = "Nowhereville";

fn address() -> Address {
    let text = "a test uses valid addresses";
    Address {
        name: Text::parse(NAME).expect(text),
        line1: Text::parse(LINE).expect(text),
        line2: None,
        city: Text::parse(CITY).expect(text),
        region: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_has_every_request_by_its_id_and_nobodys_secrets() {
    let isbn = book(1421);
    let mut scenario = world("discretion", 159).partners(Instant, 2);
    scenario = scenario.price_everywhere(isbn, flat(2000));
    // Everything of ours; of the libraries what one looking for a fault would ask for.
    scenario.log_filter = Some("trace,async_nats=debug,fjall=info,lsm_tree=info".to_owned());
    let mut stage = start(scenario).await;
    let ann = stage.requester("ann");
    let mut create = Order::of(isbn).payment_token(PAYMENT_TOKEN).max_total(1000).build();
    create.destination.address = Some(address());
    accepted(ann.create(&create).await.unwrap());
    let quoted = stage.told(create.request_id, Quoted).await;
    accepted(ann.accept_quote(&quoted).await.unwrap());
    stage.told_later(create.request_id, Ordered).await;

    let good = String::from_utf8(json::encode(&create)).unwrap();
    let bad = good.replace(PAYMENT_TOKEN, CARD);
    let jetstream = async_nats::jetstream::new(stage.client().clone());
    jetstream.publish("purchase.create.ann", bad.into()).await.unwrap().await.unwrap();
    stage.dead_letter("the card", |letter| letter.subject == "purchase.create.ann").await;

    let path = stage.broker.process.log_path().to_owned();
    let log = || std::fs::read_to_string(&path).unwrap();
    let request = format!("request={}", create.request_id);
    wait::until("the log has the whole story", SOON, async || {
        let log = log();
        let mut lines = log.lines().filter(|line| line.contains(&request));
        Ok(lines.any(|line| line.contains("to=\"ordered\"")).then_some(()))
    })
    .await
    .unwrap();
    let token = quoted.accept_token.expect("a quote can be accepted");
    let log = log();
    for secret in [PAYMENT_TOKEN, CARD, NAME, LINE, CITY, &token] {
        let told = log.lines().find(|line| line.contains(secret));
        assert_eq!(told, None, "the log tells {secret}");
    }
    stage.judge().await;
}
