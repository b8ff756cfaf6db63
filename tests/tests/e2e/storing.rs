//! Backups of a serving and of a stopped broker, brought back to life by a real one.

use partner_sim::profile::ProfileName::Instant;
use schemas::event::NotificationOutcome::Ordered;
use tests::harness::{Order, book};

use crate::command_line::run;
use crate::stage::{start, world};

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_the_store_that_is_put_back_is_refused_by_what_it_sent_since() {
    let mut stage = start(world("cli rollback", 157).partners(Instant, 2)).await;
    let ann = stage.requester("ann");
    let first = Order::of(book(1510)).build();
    ann.publish_create(&first).await.unwrap();
    stage.told(first.request_id, Ordered).await;
    stage.settle(crate::stage::SETTLED).await.unwrap();
    stage.broker.terminate().await.unwrap();
    let (home, copy) = (stage.broker.store_dir().to_owned(), stage.dir().join("copy"));
    let copied = std::process::Command::new("cp").arg("-a").args([&home, &copy]).status();
    assert!(copied.unwrap().success());

    // The copy is the latest state, so far.
    stage.broker.start().await.unwrap();
    let second = Order::of(book(1511)).build();
    ann.publish_create(&second).await.unwrap();
    stage.told(second.request_id, Ordered).await;
    stage.settle(crate::stage::SETTLED).await.unwrap();
    stage.broker.terminate().await.unwrap();
    let late = stage.dir().join("late");
    std::fs::rename(&home, &late).unwrap();
    std::fs::rename(&copy, &home).unwrap();
    let refused = stage.broker.start().await.unwrap_err().to_string();
    assert!(refused.contains("Store: it is older than what it sent"), "{refused}");

    std::fs::rename(&home, &copy).unwrap();
    std::fs::rename(&late, &home).unwrap();
    stage.broker.start().await.unwrap();
    assert!(ann.get(second.request_id).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_is_checked_copied_and_brought_back_by_the_command_line() {
    let mut stage = start(world("cli store", 156).partners(Instant, 2)).await;
    let file = stage.dir().join("broker.toml").display().to_string();
    let config = ["--config", &file, "--json"];
    let store = async |words: &[&str]| run(&[&["store"], words, &config].concat()).await;
    let ann = stage.requester("ann");
    let first = Order::of(book(1500)).build();
    ann.publish_create(&first).await.unwrap();
    stage.told(first.request_id, Ordered).await;

    // While it serves: only it can.
    assert!(store(&["verify"]).await.ends(1).err.contains("another process"));
    let made = store(&["backup"]).await.ok().json();
    let warm = made["path"].as_str().unwrap().to_owned();
    assert!(warm.starts_with(&stage.dir().join("backups").display().to_string()), "{warm}");
    let elsewhere = stage.dir().join("x").display().to_string();
    assert!(store(&["backup", "--to", &elsewhere]).await.ends(2).err.contains("--to"));

    let second = Order::of(book(1501)).build();
    ann.publish_create(&second).await.unwrap();
    stage.told(second.request_id, Ordered).await;
    stage.settle(crate::stage::SETTLED).await.unwrap();
    stage.broker.terminate().await.unwrap();
    let checked = store(&["verify"]).await.ok().json();
    assert_eq!((&checked["damages"], &checked["requests"]), (&0.into(), &2.into()));
    let seen = store(&["inspect"]).await.ok().json();
    assert_eq!(seen["requests"]["ordered"], 2, "{seen:#}");
    let cold = stage.dir().join("cold").display().to_string();
    store(&["backup", "--to", &cold]).await.ok();

    // A backup does not serve: it would use the message ids of the life that went on.
    let its_dir = format!("store.dir={warm}");
    let refused = run(&["serve", "--config", &file, "--set", &its_dir]).await.ends(1);
    assert!(refused.err.contains("broker store restore --from"), "{refused:#?}");
    // Into a directory that holds a store nothing is restored.
    store(&["restore", "--from", &cold]).await.ends(1);
    let home = stage.broker.store_dir().to_owned();
    std::fs::rename(&home, stage.dir().join("lost")).unwrap();
    // The broker bought a book after this one.
    let stale = store(&["restore", "--from", &warm]).await.ends(6);
    assert!(stale.err.contains("went on") && !home.exists(), "{stale:#?}");
    store(&["restore", "--from", &cold]).await.ok();

    stage.broker.start().await.unwrap();
    let found = ann.get(second.request_id).await.unwrap().unwrap();
    assert_eq!(found.request_id, second.request_id);
    let third = Order::of(book(1502)).build();
    ann.publish_create(&third).await.unwrap();
    stage.told(third.request_id, Ordered).await;
    // The auditor reads the messages of one life, and this store has had two: what counts here is
    // that the second bought nothing again.
    stage.settle(crate::stage::SETTLED).await.unwrap();
    let ledger = stage.partners.partner_ledger().await.unwrap();
    for create in [&first, &second, &third] {
        assert_eq!(ledger.orders_of(create.request_id).count(), 1);
    }
}
