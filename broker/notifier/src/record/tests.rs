use std::path::PathBuf;

use super::*;

const NOTIFICATION: &str = include_str!("../../../../schemas/golden/v1/notification.ordered.json");

fn at(ms: u64) -> Timestamp {
    Timestamp::from_unix_ms(1_795_176_001_000 + ms)
}

fn delivery(channel: Channel) -> Delivery {
    let told = schemas::json::decode(NOTIFICATION.as_bytes(), usize::MAX).unwrap();
    // A field of a later version is in the bytes and must get through.
    let bytes = NOTIFICATION.replacen('{', "{\"later\": 1,", 1);
    Delivery::new(&told, RawValue::from_string(bytes).unwrap(), channel, at(0))
}

fn stages() -> Vec<(&'static str, Delivery)> {
    let fresh = delivery(Channel::Webhook);
    let mut sending = fresh.clone();
    sending.begin(at(30_000));
    let mut waiting = sending.clone();
    let failure = Failure { at: at(10), why: Why::Status, code: Some(503) };
    waiting.failed(failure, Some(at(5000)));
    let mut delivered = waiting.clone();
    delivered.delivered(at(5100));
    let mut failed = delivery(Channel::Email);
    failed.begin(at(30_000));
    failed.failed(Failure { at: at(20), why: Why::MailRefused, code: Some(550) }, None);
    let mut replayed = failed.clone();
    replayed.replay(at(60_000));
    vec![
        ("fresh", fresh),
        ("sending", sending),
        ("waiting", waiting),
        ("delivered", delivered),
        ("failed", failed),
        ("replayed", replayed),
    ]
}

/// `GOLDEN_ACCEPT=1` writes them.
#[test]
fn records_of_this_version_are_written_and_read_as_ever() {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden/v1");
    for (name, delivery) in stages() {
        let file = dir.join(format!("delivery.{name}.json"));
        let bytes = delivery.encode();
        if std::env::var_os("GOLDEN_ACCEPT").is_some() {
            std::fs::write(&file, &bytes).unwrap();
        }
        let golden = std::fs::read(&file).unwrap_or_default();
        assert_eq!(String::from_utf8_lossy(&golden), String::from_utf8_lossy(&bytes), "{name}");
        assert_eq!(Delivery::decode(&golden).unwrap().encode(), bytes, "{name}");
    }
}

#[test]
fn endpoints_are_written_and_read_as_ever() {
    let told = [
        EndpointRecord::Failing { since: at(0) },
        EndpointRecord::Disabled { at: at(0), why: Why::Gone },
        EndpointRecord::Enabled { at: at(0) },
    ];
    let text = told.map(|record| serde_json::to_string(&record).unwrap());
    let golden = [
        r#"{"status":"failing","since":"2026-11-20T12:00:01.000Z"}"#,
        r#"{"status":"disabled","at":"2026-11-20T12:00:01.000Z","why":"gone"}"#,
        r#"{"status":"enabled","at":"2026-11-20T12:00:01.000Z"}"#,
    ];
    assert_eq!(text, golden);
    assert_eq!(golden.map(|text| serde_json::from_str::<EndpointRecord>(text).unwrap()), told);
}

#[test]
fn a_notification_gets_through_byte_for_byte() {
    let mut delivery = delivery(Channel::Webhook);
    let before = delivery.notification.as_ref().unwrap().get().to_owned();
    assert!(before.contains("\"later\": 1"));
    for step in 0..3 {
        delivery.begin(at(step));
        delivery = Delivery::decode(&delivery.encode()).unwrap();
    }
    assert_eq!(delivery.notification.unwrap().get(), before);
}

#[test]
fn the_record_of_a_done_delivery_is_small() {
    let (_, done) = stages().into_iter().find(|(name, _)| *name == "delivered").unwrap();
    assert!(done.encode().len() < 512, "{}", done.encode().len());
    assert_eq!(done.state.due(), None);
}

#[test]
fn a_replay_has_all_its_attempts_and_its_old_id() {
    let stages = stages();
    let of = |name: &str| stages.iter().find(|(n, _)| *n == name).unwrap().1.clone();
    let (failed, replayed) = (of("failed"), of("replayed"));
    assert_eq!((failed.attempts, replayed.attempts), (1, 0));
    assert_eq!(failed.key(), replayed.key());
    assert_eq!(replayed.since(), at(60_000));
}
