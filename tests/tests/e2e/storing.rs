//! Backups of a serving and of a stopped broker, brought back to life by a real one.

use partner_sim::profile::ProfileName::Instant;
use schemas::event::NotificationOutcome::{Ordered, Quoted};
use tests::harness::{Order, book};
use tests::nats_server::{NatsServer, NatsServerOptions};

use crate::command_line::run;
use crate::stage::{flat, start, world};

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
    // A directory that cannot be used costs the broker nothing.
    let backups = stage.dir().join("backups");
    std::fs::write(&backups, "").unwrap();
    let failed = store(&["backup"]).await.ends(1);
    assert!(failed.err.contains("the broker made no backup: creating"), "{failed:#?}");
    std::fs::remove_file(&backups).unwrap();
    let made = store(&["backup"]).await.ok().json();
    let warm = made["path"].as_str().unwrap().to_owned();
    assert!(warm.starts_with(&stage.dir().join("backups").display().to_string()), "{warm}");
    let elsewhere = stage.dir().join("x").display().to_string();
    assert!(store(&["backup", "--to", &elsewhere]).await.ends(2).err.contains("--offline"));
    let locked = store(&["backup", "--offline", "--to", &elsewhere]).await.ends(1);
    assert!(locked.err.contains("another process"), "{locked:#?}");

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
    // Nobody answers, and that alone is no reason to touch the files.
    assert!(store(&["backup"]).await.ends(5).err.contains("--offline"));
    store(&["backup", "--offline", "--to", &cold]).await.ok();

    // A backup does not serve: it would use the message ids of the life that went on.
    let its_dir = format!("store.dir={warm}");
    let refused = run(&["serve", "--config", &file, "--set", &its_dir]).await.ends(1);
    assert!(refused.err.contains("broker store restore --from"), "{refused:#?}");
    // Into a directory that holds a store nothing is restored.
    assert!(store(&["restore", "--from", &cold]).await.ends(2).err.contains("must be empty"));
    let home = stage.broker.store_dir().to_owned();
    std::fs::rename(&home, stage.dir().join("lost")).unwrap();
    // The broker bought a book after this one.
    let stale = store(&["restore", "--from", &warm]).await.ends(6);
    assert!(stale.err.contains("went on") && !home.exists(), "{stale:#?}");
    // Whether it went on cannot be found out: nobody answers, or the streams are gone.
    let nobody = ["restore", "--from", &cold, "--server", "nats://127.0.0.1:1"];
    store(&nobody).await.ends(5);
    let fresh = || NatsServer::start(NatsServerOptions::default());
    let fresh = tokio::task::spawn_blocking(fresh).await.unwrap().unwrap();
    let wiped = store(&["restore", "--from", &cold, "--server", &fresh.url()]).await.ends(6);
    assert!(wiped.err.contains("PURCHASE_EVENTS is gone") && !home.exists(), "{wiped:#?}");
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

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restore_that_forgets_nothing_is_bought_before_a_human_says_so() {
    let isbn = book(1520);
    let scenario = world("frozen", 160).partners(Instant, 2).price_everywhere(isbn, flat(5000));
    let mut stage = start(scenario).await;
    let file = stage.dir().join("broker.toml").display().to_string();
    let config = ["--config", &file, "--json"];
    let store = async |words: &[&str]| run(&[&["store"], words, &config].concat()).await;
    let url = stage.nats().url();
    let server = ["--server", &url, "--json"];
    let incidents = async |words: &[&str]| run(&[&["incidents"], words, &server].concat()).await;
    let ann = stage.requester("ann");
    // Too dear when the backup is made, bought afterwards.
    let create = Order::of(isbn).max_total(3000).watch().build();
    ann.publish_create(&create).await.unwrap();
    stage.told(create.request_id, Quoted).await;
    let backup = store(&["backup"]).await.ok().json()["path"].as_str().unwrap().to_owned();
    ann.raise_limit(create.request_id, 6000).await.unwrap();
    stage.told_later(create.request_id, Ordered).await;
    stage.settle(crate::stage::SETTLED).await.unwrap();

    // While it serves nothing is restored beside it, whatever is accepted.
    let home = stage.broker.store_dir().to_owned();
    let elsewhere = format!("store.dir={}", stage.dir().join("beside").display());
    let beside = ["restore", "--from", &backup, "--accept-second-orders", "--set", &elsewhere];
    let beside = store(&beside).await.ends(6);
    assert!(beside.err.contains("a broker serves on this server"), "{beside:#?}");

    stage.broker.kill_9().unwrap();
    std::fs::rename(&home, stage.dir().join("lost")).unwrap();
    store(&["restore", "--from", &backup]).await.ends(6);
    let restored = store(&["restore", "--from", &backup, "--accept-second-orders"]).await.ok();
    assert_eq!(restored.json()["frozen"], 1, "{restored:#?}");

    stage.broker.start().await.unwrap();
    let listed = incidents(&["list"]).await.ok().json();
    assert_eq!(listed[0]["request_id"], create.request_id.to_string(), "{listed:#}");
    assert!(listed[0]["frozen_at"].is_string(), "{listed:#}");
    // The limit in the backup is the old one: raising it again would buy a second book.
    let refused = ann.raise_limit(create.request_id, 6000).await.unwrap();
    assert!(format!("{refused:?}").contains("frozen"), "{refused:?}");
    let orders = async || {
        let ledger = stage.partners.partner_ledger().await.unwrap();
        ledger.orders_of(create.request_id).count()
    };
    assert_eq!(orders().await, 1);

    let who = ["--actor", "ann", "--reason", "its order stands: closing it"];
    incidents(&[["release", "--all"].as_slice(), &who].concat()).await.ok();
    assert!(incidents(&["list"]).await.ok().json().as_array().unwrap().is_empty());
    let canceled = ann.cancel(create.request_id).await.unwrap();
    assert!(format!("{canceled:?}").contains("Accepted"), "{canceled:?}");
    assert_eq!(orders().await, 1, "nothing was bought again");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asked_for_a_backup_is_told_when_the_broker_has_gone() {
    let start = || NatsServer::start(NatsServerOptions::default());
    let server = tokio::task::spawn_blocking(start).await.unwrap().unwrap();
    // Takes the question and never answers, as a broker that is killed while it copies.
    let client = async_nats::connect(server.url()).await.unwrap();
    let _asked = client.subscribe("broker.admin.backup").await.unwrap();
    client.flush().await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("broker.toml");
    let config = format!(
        "partners_file = \"partners.toml\"\npayment_provider = \"simpay\"\n\
         [nats]\nurls = [\"{}\"]\n[store]\ndir = \"store\"\n",
        server.url()
    );
    std::fs::write(&file, config).unwrap();
    let said = run(&["store", "backup", "--config", file.to_str().unwrap()]).await.ends(5);
    assert!(said.err.contains("the broker has gone"), "{said:#?}");
}
