//! Behind the real broker: what it decides is what customers are told.

use partner_sim::price::ScriptedPrice;
use partner_sim::profile::ProfileName::Instant;
use schemas::event::{Notification, NotificationOutcome};
use tests::harness::{Cluster, Order, Scenario, book};
use tests::mail_server::MailServer;

use crate::hook::Hook;
use crate::stage::{SECRET, SOON, both, calls, notifier, quick};

fn flat(item: u64) -> ScriptedPrice {
    ScriptedPrice { item, ..ScriptedPrice::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_broker_decides_is_told_exactly_so() {
    let (dear, cheap, none) = (book(901), book(902), book(903));
    let scenario = Scenario::new(601)
        .partners(Instant, 2)
        .price_everywhere(dear, flat(5000))
        .price_everywhere(cheap, flat(1000))
        .stock_everywhere(none, 0);
    let mut cluster = Cluster::start(tests::programs!(), scenario).await.unwrap();
    let (hook, mail) = (Hook::start().await, MailServer::start(None).await.unwrap());
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("subscribers.toml"), both("ann", &hook)).unwrap();
    let config = quick(mail.port(), dir.path());
    let mut notifier = notifier(cluster.nats(), &config, dir.path(), "notifier");
    notifier.start().unwrap();

    let ann = cluster.requester("ann");
    for order in [Order::of(cheap), Order::of(dear), Order::of(none)] {
        let order = order.max_total(2000).build();
        ann.publish_create(&order).await.unwrap();
        cluster.outcome(order.request_id, SOON).await.unwrap();
    }
    let watched = Order::of(dear).max_total(2000).watch().build();
    ann.create(&watched).await.unwrap();
    ann.cancel(watched.request_id).await.unwrap();
    let is_canceled = |told: &Notification| told.outcome == NotificationOutcome::Canceled;
    let request = watched.request_id;
    cluster.notification(request, "canceled", SOON, is_canceled).await.unwrap();

    let told = cluster.notifications().await.unwrap();
    let mut outcomes: Vec<_> = told.iter().map(|told| told.outcome.label()).collect();
    outcomes.sort_unstable();
    // The one that was canceled may have been quoted before.
    outcomes.dedup();
    assert_eq!(outcomes, ["canceled", "ordered", "out_of_stock", "quoted"]);
    let received = calls(&hook, told.len(), &notifier).await;
    let mut data: Vec<_> = received.iter().map(|call| call.json()["data"].take()).collect();
    data.sort_by_key(|data| data["at"].as_str().unwrap().to_owned());
    let notified: Vec<_> = told.iter().map(|told| serde_json::to_value(told).unwrap()).collect();
    assert_eq!(data, notified);
    assert!(received.iter().all(|call| call.is_signed_with(SECRET)));
}
