//! nats-server and partners killed, frozen and restarted under a broker that stays.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use schemas::event::NotificationOutcome;
use tests::harness::{Order, book, now, wait};

use crate::kill_broker::traffic;
use crate::load::{load_world, under_load};
use crate::stage::{SOON, Stage, flat, start, world};

const PARTNER_KILLS: u32 = 3;
const MESSAGES_BEFORE_KILL_MAX: usize = 80;

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_the_server_by_its_operator_is_survived() {
    let mut stage = start(load_world("server restart", 112)).await;
    let load = under_load(&mut stage, async |stage| {
        traffic(stage, 60).await;
        stage.stop_nats().unwrap();
        stage.restart_nats().await.unwrap();
        traffic(stage, 60).await;
    })
    .await;
    let evidence = stage.judge().await;
    load.check(&evidence);
}

#[tokio::test(flavor = "multi_thread")]
async fn partners_and_provider_that_die_are_found_out_about_when_they_are_back() {
    let mut stage = start(load_world("partner kills", 113)).await;
    let mut moments = StdRng::seed_from_u64(stage.seed());
    under_load(&mut stage, async |stage| {
        for _ in 0..PARTNER_KILLS {
            traffic(stage, moments.random_range(20..=MESSAGES_BEFORE_KILL_MAX)).await;
            stage.partners.kill_9().unwrap();
            stage.partners.start().await.unwrap();
        }
    })
    .await;
    // What became of each request depends on the moment; that nothing is wrong does not.
    stage.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_server_is_noticed_and_time_goes_on_without_it() {
    let isbn = book(1101);
    let scenario = world("frozen server", 114)
        .partners(partner_sim::profile::ProfileName::Instant, 3)
        .price_everywhere(isbn, flat(2500));
    let mut stage = start(scenario).await;
    let ann = stage.requester("ann");
    let expires_in = Duration::from_secs(4);
    let create = Order::of(isbn).max_total(2000).watch().expires_in(expires_in).build();
    ann.publish_create(&create).await.unwrap();
    stage.told(create.request_id, NotificationOutcome::Quoted).await;

    stage.pause_nats().unwrap();
    not_connected(&stage).await;
    wait::until("the deadline has passed", SOON, async || {
        Ok((now() > create.expires_at).then_some(()))
    })
    .await
    .unwrap();
    let (alive, _) = stage.broker.page("/live").await.unwrap();
    let (ready, _) = stage.broker.page("/ready").await.unwrap();
    assert_eq!((alive, ready), (200, 503));
    stage.resume_nats().unwrap();
    let resumed = now();

    let told = stage.told_later(create.request_id, NotificationOutcome::Expired).await;
    assert!(told.at < resumed, "the timer went on while nothing could be sent");
    let next = Order::of(isbn).max_total(9000).build();
    ann.publish_create(&next).await.unwrap();
    stage.told(next.request_id, NotificationOutcome::Ordered).await;
    stage.judge().await;
}

/// A power cut leaves files that were renamed and not synced full of zeros. The server then knows no
/// such consumer and refuses to make one of that name.
#[tokio::test(flavor = "multi_thread")]
async fn consumers_whose_files_a_power_cut_has_spoilt_are_replaced() {
    let isbn = book(1102);
    let scenario = world("spoilt consumers", 115)
        .partners(partner_sim::profile::ProfileName::Instant, 3)
        .price_everywhere(isbn, flat(2500));
    let mut stage = start(scenario).await;
    let ann = stage.requester("ann");
    for spoilt in [0, 7] {
        let create = Order::of(isbn).max_total(9000).build();
        ann.publish_create(&create).await.unwrap();
        stage.told(create.request_id, NotificationOutcome::Ordered).await;
        stage.stop_nats().unwrap();
        assert_eq!(spoil_consumers(&stage.nats().store_dir()), 7 + spoilt);
        stage.restart_nats().await.unwrap();
    }
    let create = Order::of(isbn).max_total(9000).build();
    ann.publish_create(&create).await.unwrap();
    stage.told(create.request_id, NotificationOutcome::Ordered).await;
    stage.judge().await;
}

/// How many consumers' states were overwritten with zeros.
fn spoil_consumers(dir: &Path) -> usize {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let spoil = |path: PathBuf| {
        if path.is_dir() {
            return spoil_consumers(&path);
        }
        let is_state = path.file_name().is_some_and(|name| name == "o.dat");
        if is_state {
            std::fs::write(&path, [0; 12]).unwrap();
        }
        usize::from(is_state)
    };
    entries.map(spoil).sum()
}

/// The broker says by itself that its server does not answer.
async fn not_connected(stage: &Stage) {
    wait::until("the broker notices that its server is frozen", SOON, async || {
        let (_, metrics) = stage.broker.page("/metrics").await?;
        Ok(metrics.lines().any(|line| line == "broker_nats_connected 0").then_some(()))
    })
    .await
    .unwrap();
}
