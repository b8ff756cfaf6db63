//! Every named crash point of the broker: reached twice (at work, and again while recovering from
//! the first time), and recovered from without a trace.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;

use broker::crash::{self, CrashPoint};
use partner_sim::profile::ProfileName::NoReservation;
use schemas::Timestamp;
use schemas::event::NotificationOutcome::Ordered;
use schemas::subject::{parse_partner_command, parse_payment_command};
use tests::auditor::Seen;
use tests::harness::{Order, book, now, wait};

use crate::load::{Load, load_world};
use crate::stage::{SETTLED, SOON, Stage, flat, prepare, world};

/// Requests of the load that is at work while the broker dies twice.
const REQUESTS: u32 = 12;
/// Signal that `abort` ends a process with.
const SIGABRT: i32 = 6;

/// Declares one test per point: its name, the point, and how often it is reached before the first
/// crash. The second life crashes at the first time it gets there.
macro_rules! crash_points {
    ($($test:ident: $point:ident, $nth:literal;)*) => {
        const TESTED: &[CrashPoint] = &[$(crash::$point,)*];

        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                recovers_from(crash::$point, $nth).await;
            }
        )*
    };
}

crash_points! {
    a_crash_before_a_commit_is_recovered_from: STORE_BEFORE_COMMIT, 6;
    a_crash_after_a_commit_is_recovered_from: STORE_AFTER_COMMIT, 8;
    a_crash_between_acknowledging_writers_is_recovered_from: STORE_BETWEEN_ACKS, 1;
    a_crash_before_engine_and_egress_know_of_a_commit_is_recovered_from: DRIVER_AFTER_COMMIT, 10;
    a_crash_before_acknowledging_an_input_is_recovered_from: INGRESS_BEFORE_ACK, 4;
    a_crash_before_answering_a_caller_is_recovered_from: SERVICE_BEFORE_REPLY, 1;
    a_crash_before_publishing_is_recovered_from: EGRESS_BEFORE_PUBLISH, 9;
    a_crash_after_publishing_is_recovered_from: EGRESS_AFTER_PUBLISH, 7;
    a_crash_before_the_cursor_moves_is_recovered_from: EGRESS_BEFORE_CURSOR, 1;
}

#[test]
fn every_crash_point_of_the_broker_is_tested_here() {
    let names = |points: &[CrashPoint]| -> BTreeSet<&str> {
        points.iter().map(|point| point.name()).collect()
    };
    assert_eq!(names(crash::ALL), names(TESTED));
}

/// Rows of one purchase that are published before the order is confirmed, the order among them.
const PUBLISHES_UP_TO_THE_ORDER: std::ops::RangeInclusive<u32> = 2..=5;

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_lapsed_in_the_outbox_is_not_sent_and_the_book_is_bought_all_the_same() {
    let isbn = book(9101);
    let scenario = world("lapsed order", 151)
        .partner("walk-in", NoReservation)
        .price_everywhere(isbn, flat(700));
    let mut stage = prepare(scenario).await;
    let ann = stage.requester("ann");
    let mut lapsed_operations = BTreeSet::new();
    for nth in PUBLISHES_UP_TO_THE_ORDER {
        let point = crash::EGRESS_BEFORE_PUBLISH.name();
        stage.broker.arm(&format!("{point}:{nth}"));
        stage.broker.start().await.unwrap();
        let create = Order::of(isbn).build();
        ann.publish_create(&create).await.unwrap();
        stage.broker.wait_for_crash(SETTLED).await.unwrap();
        let lapsed = now().saturating_add(stage.broker.config().policy.place_window_ms.unwrap());
        let what = format!("whatever was decided before publish {nth} has lapsed");
        wait::until(what, SOON, async || Ok((now() > lapsed).then_some(()))).await.unwrap();
        stage.broker.start().await.unwrap();
        stage.told(create.request_id, Ordered).await;
        lapsed_operations.extend(lapsed_by_now(&stage).await);
        stage.broker.terminate().await.unwrap();
    }
    for operation in ["authorize", "place"] {
        let says = |line: &String| line.contains(&format!("operation=\"{operation}\""));
        assert!(lapsed_operations.iter().any(says), "{operation}: {lapsed_operations:?}");
    }
    stage.broker.start().await.unwrap();
    let evidence = stage.judge().await;
    let late: Vec<&Seen> = evidence.messages.iter().filter(|seen| was_sent_late(seen)).collect();
    assert!(late.is_empty(), "{late:?}");
}

/// What the running broker did not send because its time had passed.
async fn lapsed_by_now(stage: &Stage) -> Vec<String> {
    let (_, page) = stage.broker.page("/metrics").await.unwrap();
    let lapsed = page.lines().filter(|line| line.starts_with("broker_outbox_lapsed_total{"));
    lapsed.map(str::to_owned).collect()
}

/// A command that was stored after the instant it carries.
fn was_sent_late(seen: &Seen) -> bool {
    let to_partner = parse_partner_command(&seen.subject).is_some();
    if !to_partner && parse_payment_command(&seen.subject).is_none() {
        return false;
    }
    let body: serde_json::Value = serde_json::from_slice(&seen.body).unwrap();
    let not_after = body.get("not_after").cloned();
    not_after.is_some_and(|at| serde_json::from_value::<Timestamp>(at).unwrap() < seen.at)
}

async fn recovers_from(point: CrashPoint, nth: u32) {
    let name = point.name();
    let seed = u64::from(nth);
    let mut stage = prepare(load_world(name, seed).crash_at(&format!("{name}:{nth}"))).await;
    let load = Load::new(&stage).run(REQUESTS);
    let dying = async {
        stage.broker.process.start().unwrap();
        crashed(&mut stage, name, 1).await;
        stage.broker.arm(&format!("{name}:1"));
        stage.broker.process.start().unwrap();
        crashed(&mut stage, name, 2).await;
        stage.broker.start().await.unwrap();
    };
    let (load, ()) = tokio::join!(load, dying);
    let evidence = stage.judge().await;
    load.check(&evidence);
}

/// The broker aborted, at this very point, for the `times`-th time.
async fn crashed(stage: &mut Stage, name: &str, times: usize) {
    let status = stage.broker.wait_for_crash(SETTLED).await.unwrap();
    assert_eq!(status.signal(), Some(SIGABRT), "{status}");
    let log = std::fs::read_to_string(stage.broker.process.log_path()).unwrap();
    let said = format!("crash point {name} reached");
    assert_eq!(log.matches(&said).count(), times, "{log}");
}
