//! An operator's word about a partner, by the command line: it holds, survives, ends, and is in
//! the audit log.

use broker::store::AuditBody;
use broker_core::engine::ranking::Steer;
use partner_sim::profile::ProfileName::Instant;
use schemas::event::NotificationOutcome::Ordered;
use schemas::event::SkipReason;
use serde_json::Value;
use tests::harness::{Order, book};

use crate::command_line::{Said, run};
use crate::stage::{Stage, flat, start, world};

async fn partners(stage: &Stage, words: &[&str]) -> Said {
    let url = stage.nats().url();
    run(&[&["partners"], words, &["--server", &url, "--json"]].concat()).await
}

async fn standing(stage: &Stage, partner: &str) -> Value {
    let all = partners(stage, &["standing"]).await.ok().json();
    let mut all = all.as_array().unwrap().iter();
    all.find(|one| one["partner_id"] == partner).unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_banned_partner_is_not_asked_also_after_a_restart_until_the_ban_is_taken_back() {
    let (first, second) = (book(1520), book(1521));
    let mut stage = start(
        world("steering", 158)
            .partner("bait", Instant)
            .partner("shop", Instant)
            .price("bait", first, flat(1000))
            .price("shop", first, flat(1500))
            .price("bait", second, flat(1000))
            .price("shop", second, flat(1500)),
    )
    .await;
    let says = ["--reason", "sells what it has not", "--actor", "ann"];
    let ban = [&["ban", "bait", "--for", "1h"], says.as_slice()].concat();
    assert_eq!(partners(&stage, &ban).await.ok().json()["result"], "kept");
    stage.broker.kill_9().unwrap();
    stage.broker.start().await.unwrap();
    let banned = standing(&stage, "bait").await;
    assert_eq!(banned["steered"]["action"], "ban", "{banned:#}");
    assert_eq!(banned["steered"]["by"], "ann");

    let ann = stage.requester("ann");
    let create = Order::of(first).max_total(2000).build();
    ann.publish_create(&create).await.unwrap();
    let receipt = stage.told(create.request_id, Ordered).await.receipt.unwrap();
    assert_eq!(receipt.winner.unwrap().partner_id.as_str(), "shop");
    let skipped = &receipt.search.unwrap().skipped;
    let [group] = skipped.as_slice() else { panic!("{skipped:?}") };
    assert_eq!((group.why, group.count), (SkipReason::NotConsidered, 1));
    assert!(group.partner_ids.is_empty(), "customers are not told whom an operator bans");

    let unban = [&["unban", "bait"], says.as_slice()].concat();
    partners(&stage, &unban).await.ok();
    assert_eq!(standing(&stage, "bait").await["steered"], Value::Null);
    let create = Order::of(second).max_total(2000).build();
    ann.publish_create(&create).await.unwrap();
    let receipt = stage.told(create.request_id, Ordered).await.receipt.unwrap();
    assert_eq!(receipt.winner.unwrap().partner_id.as_str(), "bait");

    let evidence = stage.judge().await;
    let words = evidence.log.iter().filter_map(|record| match &record.body {
        AuditBody::Steered(word) => Some((word.partner.as_str(), word.steer, word.by.as_str())),
        AuditBody::Request { .. } | AuditBody::DeadLetter { .. } | AuditBody::Dropped(_) => None,
    });
    let words: Vec<_> = words.collect();
    assert_eq!(words, [("bait", Some(Steer::Ban), "ann"), ("bait", None, "ann")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_that_cannot_be_taken_says_why() {
    let stage = start(world("steering refused", 159).partner("shop", Instant)).await;
    let says = ["--reason", "x", "--by", "ann"];
    let nobody = [&["pin", "nobody", "--for", "1h"], says.as_slice()].concat();
    let said = partners(&stage, &nobody).await;
    assert_ne!(said.code, Some(0));
    assert!(said.err.contains("there is no partner nobody"), "{said:#?}");
    let ever = [&["pin", "shop", "--for", "1000d"], says.as_slice()].concat();
    let said = partners(&stage, &ever).await;
    assert!(said.err.contains("for_ms"), "{said:#?}");
    let unreasoned = partners(&stage, &["pin", "shop", "--for", "1h", "--actor", "ann"]).await;
    assert!(unreasoned.ends(2).err.contains("--reason"));
    assert_eq!(standing(&stage, "shop").await["tier"], "first");
}
