//! Dead letters that an operator drops: who, why and what is in the audit log before they go.

use broker::store::{AuditBody, DroppedLetter};
use partner_sim::profile::ProfileName::Instant;
use schemas::stream::name;
use schemas::{Digest, RejectReason};
use tests::harness::book;

use crate::command_line::{Said, run};
use crate::dead_letters::still_buys;
use crate::stage::{Stage, start, world};

async fn letters(stage: &Stage, words: &[&str]) -> Said {
    let url = stage.nats().url();
    run(&[&["dead-letters"], words, &["--server", &url, "--json"]].concat()).await
}

/// Something that nobody can read, and the letter about it as its stream keeps it.
async fn given_up(stage: &Stage, customer: &str) -> (String, Digest) {
    let subject = format!("purchase.create.{customer}");
    stage.client().publish(subject.clone(), "{".into()).await.unwrap();
    stage.dead_letter(customer, |letter| letter.subject == subject).await;
    let jetstream = async_nats::jetstream::new(stage.client().clone());
    let stream = jetstream.get_stream(name::DEAD_LETTERS).await.unwrap();
    let number = stream.cached_info().state.last_sequence;
    let letter = stream.get_raw_message(number).await.unwrap();
    (number.to_string(), Digest::of(&letter.payload))
}

/// What the audit log says of dropped letters.
fn dropped(log: &[broker::store::AuditRecord]) -> Vec<&DroppedLetter> {
    let dropped = log.iter().filter_map(|record| match &record.body {
        AuditBody::Dropped(letter) => Some(letter),
        AuditBody::Request { .. } | AuditBody::DeadLetter { .. } | AuditBody::Steered(_) => None,
    });
    dropped.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_letter_is_in_the_audit_log_with_who_and_why_however_often_it_is_dropped() {
    let isbn = book(1550);
    let mut stage = start(world("dropping", 161).partners(Instant, 2)).await;
    let (number, digest) = given_up(&stage, "ann").await;
    let (kept, _) = given_up(&stage, "bob").await;
    let drop = ["drop", &number, "--reason", "told the sender", "--actor", "eve"];
    let first = letters(&stage, &drop).await.ok().json();
    assert_eq!((&first["actor"], &first["given_up_for"]), (&"eve".into(), &"malformed".into()));
    letters(&stage, &["show", &number]).await.ends(4);
    letters(&stage, &["show", &kept]).await.ok();
    // The first word stands, also against another and after a crash.
    let other = ["drop", &number, "--reason", "something else", "--actor", "mallory"];
    assert_eq!(letters(&stage, &other).await.ok().json(), first);
    stage.broker.kill_9().unwrap();
    stage.broker.start().await.unwrap();
    assert_eq!(letters(&stage, &drop).await.ok().json(), first);

    still_buys(&mut stage, isbn).await;
    let evidence = stage.judge().await;
    let [letter] = dropped(&evidence.log)[..] else { panic!("{:#?}", dropped(&evidence.log)) };
    assert_eq!((letter.number.to_string(), letter.digest), (number, digest));
    assert_eq!(
        (letter.subject.as_str(), letter.reason),
        ("purchase.create.ann", RejectReason::Malformed)
    );
    assert_eq!((letter.by.as_str(), letter.why.as_str()), ("eve", "told the sender"));
    assert!(letter.said_at > schemas::Timestamp::ZERO);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_there_is_not_cannot_be_dropped_and_nobody_drops_without_a_reason() {
    let stage = start(world("dropping refused", 162).partners(Instant, 2)).await;
    let (number, _) = given_up(&stage, "ann").await;
    let says = ["--reason", "x", "--actor", "eve"];
    let unknown = letters(&stage, &[&["drop", "99"], says.as_slice()].concat()).await.ends(4);
    assert!(unknown.err.contains("no dead letter 99"), "{unknown:#?}");
    let unreasoned = letters(&stage, &["drop", &number, "--actor", "eve"]).await.ends(2);
    assert!(unreasoned.err.contains("--reason"), "{unreasoned:#?}");
    let unreasoned = letters(&stage, &["replay", &number, "--drop"]).await.ends(2);
    assert!(unreasoned.err.contains("--reason"), "{unreasoned:#?}");
    letters(&stage, &["show", &number]).await.ok();
    assert_eq!(dropped(&stage.judge().await.log), Vec::<&DroppedLetter>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_is_replayed_and_dropped_is_in_the_audit_log_too() {
    let stage = start(world("replayed and dropped", 163).partners(Instant, 2)).await;
    let (number, digest) = given_up(&stage, "ann").await;
    let says = ["--drop", "--reason", "sent again", "--actor", "eve"];
    letters(&stage, &[&["replay", &number], says.as_slice()].concat()).await.ok();
    letters(&stage, &["show", &number]).await.ends(4);
    // What is still wrong becomes a new letter.
    let again = stage.dead_letter("the replay", |letter| {
        letter.headers.get("Broker-Replay-Of").is_some_and(|of| *of == number)
    });
    again.await;
    let evidence = stage.judge().await;
    let [letter] = dropped(&evidence.log)[..] else { panic!("{:#?}", dropped(&evidence.log)) };
    assert_eq!((letter.number.to_string(), letter.digest), (number, digest));
}
