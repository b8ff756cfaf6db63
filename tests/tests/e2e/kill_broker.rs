//! The broker killed, stopped and doubled.

use std::time::Duration;

use partner_sim::profile::ProfileName::{Calm, Instant};
use schemas::event::NotificationOutcome;
use tests::harness::{Order, Process, Program, book, now, wait};

use crate::load::{Load, load_world, under_load};
use crate::stage::{SOON, Stage, accepted, asks_about, flat, prepare, start, world};

/// Waits until `count` more messages were heard: a moment of the run, not of the clock.
pub(crate) async fn traffic(stage: &Stage, count: usize) {
    let before = stage.tap.heard().len();
    wait::until(format!("{count} more messages on the wire"), SOON, async || {
        Ok((stage.tap.heard_after(before).len() >= count).then_some(()))
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_that_was_running_at_the_kill_is_run_again() {
    let isbn = book(1002);
    let slow = toml::toml! {
        response_ms = 2500
        quotes = { latency = { p50_ms = 1500, p99_ms = 1500 } }
    };
    let scenario = world("killed search", 106)
        .partner_with("slow", Calm, slow)
        .price_everywhere(isbn, flat(900));
    let mut stage = start(scenario).await;
    let create = Order::of(isbn).build();
    accepted(stage.requester("ann").create(&create).await.unwrap());
    stage.heard("the store is asked", |seen| asks_about(seen, isbn)).await;
    stage.broker.kill_9().unwrap();
    stage.broker.start().await.unwrap();
    stage.told(create.request_id, NotificationOutcome::Ordered).await;
    let asked = stage.tap.heard().iter().filter(|seen| asks_about(seen, isbn)).count();
    assert!(asked >= 2, "{asked} questions");
    stage.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_expire_while_the_broker_is_down_are_all_told_so() {
    let isbn = book(1001);
    let scenario =
        world("expired while down", 102).partners(Instant, 3).price_everywhere(isbn, flat(2500));
    let mut stage = start(scenario).await;
    let ann = stage.requester("ann");
    let soon = Duration::from_secs(3);
    let watched = Order::of(isbn).max_total(2000).watch().expires_in(soon).build();
    ann.publish_create(&watched).await.unwrap();
    stage.told(watched.request_id, NotificationOutcome::Quoted).await;
    stage.broker.kill_9().unwrap();

    let mut creates = vec![watched];
    for _ in 0..5 {
        let create = Order::of(isbn).max_total(9000).expires_in(Duration::from_secs(1)).build();
        ann.publish_create(&create).await.unwrap();
        creates.push(create);
    }
    let last = creates.iter().map(|create| create.expires_at).max().unwrap();
    wait::until("all of them have expired", SOON, async || Ok((now() > last).then_some(())))
        .await
        .unwrap();
    stage.broker.start().await.unwrap();
    for create in &creates {
        stage.told_later(create.request_id, NotificationOutcome::Expired).await;
    }
    let evidence = stage.judge().await;
    assert_eq!(evidence.partners.orders, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_graceful_stop_is_quick_and_loses_nothing() {
    let mut stage = start(load_world("drain", 103)).await;
    let load = under_load(&mut stage, async |stage| {
        for _ in 0..3 {
            traffic(stage, 60).await;
            let asked = std::time::Instant::now();
            let status = stage.broker.terminate().await.unwrap();
            assert!(status.success(), "{status}\n{}", stage.broker.process.log_tail());
            assert!(asked.elapsed() < Duration::from_secs(10), "it took {:?}", asked.elapsed());
            stage.broker.start().await.unwrap();
        }
    })
    .await;
    let evidence = stage.judge().await;
    load.check(&evidence);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_broker_on_the_same_store_ends_with_a_clear_message() {
    let mut stage = start(load_world("second broker", 104)).await;
    let mut config = stage.broker.config().clone();
    config.http_bind = None;
    let file = stage.dir().join("second.toml");
    std::fs::write(&file, toml::to_string(&config).unwrap()).unwrap();
    let arguments = ["serve", "--config", file.to_str().unwrap()].map(str::to_owned).to_vec();
    let program = Program::new(env!("CARGO_BIN_EXE_test-broker"));
    let log = stage.dir().join("second.log");
    let mut second = Process::new("second broker", program, arguments, log.clone());
    second.start().unwrap();
    let status = second.wait_for_end(SOON).await.unwrap();
    let said = std::fs::read_to_string(&log).unwrap();
    assert!(!status.success(), "{said}");
    let names_the_store = said.contains(&config.store.dir.display().to_string());
    assert!(names_the_store && said.contains("another process"), "{said}");

    // The first one never noticed.
    let load = Load::new(&stage).run(3).await;
    assert!(stage.broker.process.is_running());
    let evidence = stage.judge().await;
    load.check(&evidence);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_starts_after_its_customers_finds_their_requests() {
    let mut stage = prepare(load_world("late start", 105)).await;
    stage.broker.start().await.unwrap();
    stage.broker.terminate().await.unwrap();
    let load = under_load(&mut stage, async |stage| {
        traffic(stage, 1).await;
        stage.broker.start().await.unwrap();
    })
    .await;
    let evidence = stage.judge().await;
    load.check(&evidence);
}
