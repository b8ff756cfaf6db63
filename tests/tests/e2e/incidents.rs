//! Orders that nobody can look up, and the human who does.

use broker::config::PolicyOverrides;
use broker::store::{AuditBody, AuditRecord};
use broker_core::event::{Event, OperatorWord};
use partner_sim::profile::ProfileName::Instant;
use schemas::event::NotificationOutcome::{Incident, Ordered};
use schemas::purchase::CreatePurchase;
use schemas::{DurationMs, Isbn13};
use tests::harness::{Order, book};

use crate::command_line::{Said, run};
use crate::stage::{Stage, books, flat, quick, start, world};
use crate::surfaces::metric;

const CHEAP: u64 = 1000;
const DEAR: u64 = 1100;
const LIMIT: u64 = 1150;

/// An order at a store that cannot be asked, `fault`y in every case, left to a human.
async fn left_to_a_human(
    test: &str,
    seed: u64,
    isbn: Isbn13,
    fault: &str,
) -> (Stage, CreatePurchase) {
    let flaw = format!(
        "key_first = false\nreservation = false\nlookup = \"none\"\nfences_lookup = false\n\
         fences_cancel = false\nfaults = {{ {fault}_permille = 1000 }}"
    );
    let policy = PolicyOverrides { human_after_ms: Some(DurationMs(1500)), ..quick() };
    let scenario = world(test, seed)
        .partner_with("flawed", Instant, flaw.parse().unwrap())
        .partner("sound", Instant)
        .price("flawed", isbn, flat(CHEAP))
        .price("sound", isbn, flat(DEAR))
        .policy(policy);
    let mut stage = start(scenario).await;
    let create = Order::of(isbn).max_total(LIMIT).build();
    stage.requester("ann").publish_create(&create).await.unwrap();
    stage.told(create.request_id, Incident).await;
    (stage, create)
}

async fn incidents(stage: &Stage, words: &[&str]) -> Said {
    let url = stage.nats().url();
    run(&[&["incidents"], words, &["--server", &url, "--json"]].concat()).await
}

const WHO: [&str; 4] = ["--actor", "ann of support", "--reason", "asked the store by telephone"];

fn words_of_humans(log: &[AuditRecord]) -> Vec<&OperatorWord> {
    let rows = log.iter().flat_map(|record| match &record.body {
        AuditBody::Request { rows, .. } => rows.as_slice(),
        _ => &[],
    });
    let events = rows.filter_map(|row| row.change.event());
    events
        .filter_map(|event| match event {
            Event::Operator(word) => Some(word),
            _ => None,
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_a_human_found_is_paid_and_told() {
    let isbn = book(920);
    let (mut stage, create) =
        left_to_a_human("found by a human", 158, isbn, "accepted_without_answer").await;
    let id = create.request_id.to_string();
    let listed = incidents(&stage, &["list"]).await.ok().json();
    let [incident] = listed.as_array().unwrap().as_slice() else { panic!("{listed:#}") };
    assert_eq!(
        (&incident["request_id"], &incident["incident"]),
        (&id.as_str().into(), &"placement_unknown".into())
    );
    assert_eq!(incident["attempt"]["partner"], "flawed");
    // What the list shows is what the store knows it by.
    let ledger = stage.partners.partner_ledger().await.unwrap();
    let order = ledger.orders_of(create.request_id).next().unwrap();
    assert_eq!(incident["attempt"]["placement_key"], order.placement_key.as_str());

    let found = ["resolve", &id, "--attempt", "1", "--found", "o-77", "--total", "10.00 USD"];
    let found = [found.as_slice(), &WHO].concat();
    assert_eq!(incidents(&stage, &found).await.ok().json()["status"], "ordered");
    stage.told_later(create.request_id, Ordered).await;
    let again = incidents(&stage, &found).await.ends(3);
    assert!(again.err.contains("nothing is unknown about attempt 1"), "{again:#?}");
    assert!(incidents(&stage, &["list"]).await.ok().json().as_array().unwrap().is_empty());

    stage.settle(crate::stage::SETTLED).await.unwrap();
    stage.broker.terminate().await.unwrap();
    let log = stage.broker.open_store().unwrap().log;
    let [word] = words_of_humans(&log)[..] else { panic!("one word") };
    assert_eq!((word.actor.as_str(), word.reason.as_str()), (WHO[1], WHO[3]));
    let ledger = stage.partners.partner_ledger().await.unwrap();
    assert_eq!(ledger.orders_of(create.request_id).count(), 1, "nothing was bought elsewhere");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_human_is_counted_also_after_a_restart() {
    let (waiting, unknown) =
        ("broker_open_incidents{kind=\"placement_unknown\"}", "broker_placements_unknown");
    let (mut stage, create) = left_to_a_human("counted", 161, book(922), "lost").await;
    for restarted in [false, true] {
        if restarted {
            stage.broker.kill_9().unwrap();
            stage.broker.start().await.unwrap();
        }
        for line in [waiting, unknown, "broker_open_requests"] {
            metric(&stage, &format!("{line} 1")).await;
        }
    }
    let id = create.request_id.to_string();
    let absent = ["resolve", &id, "--attempt", "1", "--not-found"];
    incidents(&stage, &[absent.as_slice(), &WHO].concat()).await.ok();
    stage.told_later(create.request_id, Ordered).await;
    for line in [waiting, unknown, "broker_open_requests"] {
        metric(&stage, &format!("{line} 0")).await;
    }
    stage.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_a_human_ruled_out_is_bought_elsewhere() {
    let isbn = book(921);
    let (mut stage, create) = left_to_a_human("ruled out by a human", 159, isbn, "lost").await;
    let id = create.request_id.to_string();
    let other = ["resolve", &id, "--attempt", "2", "--not-found"];
    incidents(&stage, &[other.as_slice(), &WHO].concat()).await.ends(3);
    let nobody = Order::of(isbn).build().request_id.to_string();
    let nobody = ["resolve", &nobody, "--attempt", "1", "--not-found"];
    incidents(&stage, &[nobody.as_slice(), &WHO].concat()).await.ends(4);
    let absent = ["resolve", &id, "--attempt", "1", "--not-found"];
    incidents(&stage, &absent).await.ends(2);
    incidents(&stage, &[absent.as_slice(), &WHO].concat()).await.ok();
    stage.told_later(create.request_id, Ordered).await;
    let evidence = stage.judge().await;
    let books = books(&evidence, &create);
    assert_eq!(books.standing(), [("sound".to_owned(), DEAR)]);
    assert_eq!((books.ever_ordered().len(), books.paid()), (1, DEAR));
    assert_eq!(words_of_humans(&evidence.log).len(), 1);
}
