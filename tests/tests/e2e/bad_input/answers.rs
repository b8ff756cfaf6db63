//! What stores and the payment provider can get wrong around a sound answer: its headers, and the
//! partition that it is sent to.

use async_nats::jetstream::consumer::Info as ConsumerInfo;
use broker::nats::streams::consumer_config;
use futures_util::TryStreamExt;
use partner_sim::profile::ProfileName::Instant;
use schemas::RejectReason::{ContentTypeUnsupported, NotAsked, VersionUnsupported};
use schemas::event::NotificationOutcome::Ordered;
use schemas::stream::{broker_consumers, name};
use tests::auditor::Seen;
use tests::harness::{Order, book};

use super::{Bad, counted, given_up_for};
use crate::command_line::run;
use crate::dead_letters::still_buys;
use crate::stage::{Stage, start, world};

/// Headers that one letter keeps at most, and characters of one value.
const HEADERS_KEPT_MAX: usize = 32;
const VALUE_CHARS_KEPT_MAX: usize = 256;

/// A sound answer, as it was given before.
struct Sound {
    stream: &'static str,
    subject: String,
    body: Vec<u8>,
}

impl Sound {
    /// The first message of this kind on the wire.
    async fn heard(stage: &Stage, stream: &'static str, kind: &str) -> Self {
        let is_one = |seen: &Seen| {
            let ours = schemas::stream::of_subject(&seen.subject) == Some(stream);
            ours && seen.subject.ends_with(kind)
        };
        let seen = stage.heard(&format!("an answer on {kind} in {stream}"), is_one).await;
        Self { stream, subject: seen.subject, body: seen.body.to_vec() }
    }

    fn bad(&self, name: &'static str, reason: schemas::RejectReason) -> Bad {
        Bad::new(name, self.body.clone(), reason)
    }
}

/// A purchase from beginning to end, and one answer of each side of it.
async fn answered(stage: &mut Stage, isbn: schemas::Isbn13) -> [Sound; 2] {
    let create = Order::of(isbn).build();
    stage.requester("ann").publish_create(&create).await.unwrap();
    stage.told(create.request_id, Ordered).await;
    [
        Sound::heard(stage, name::PARTNER_REPLIES, ".place").await,
        Sound::heard(stage, name::PAYMENT_REPLIES, ".authorize").await,
    ]
}

/// Headers say that a sound answer is something else; others only take up room.
fn wrong_headers(sound: &Sound) -> Vec<Bad> {
    const TYPE: &str = "Content-Type";
    const SCHEMA: &str = "ce-dataschema";
    let schema = "https://bpb.example/partner_reply/v2";
    let xml = sound.bad("xml", ContentTypeUnsupported).fields([TYPE]).header(TYPE, "text/xml");
    let event = sound.bad("event", ContentTypeUnsupported).fields(["ce-datacontenttype"]);
    let event = event.header("ce-datacontenttype", "application/cloudevents+json");
    let later = sound.bad("later", VersionUnsupported).fields([SCHEMA]).header(SCHEMA, schema);
    let envelope = sound.bad("later envelope", VersionUnsupported).fields(["ce-specversion"]);
    let envelope = envelope.header("ce-specversion", "2.0");
    let both = sound.bad("both", ContentTypeUnsupported).fields([TYPE, SCHEMA]);
    let both = both.header(TYPE, "text/csv").header(SCHEMA, "urn:bpb:v9");

    let long = sound.bad("long value", ContentTypeUnsupported).fields([TYPE]);
    let long = long.header(TYPE, &"x".repeat(50_000));
    let mut many = sound.bad("many headers", ContentTypeUnsupported).fields([TYPE]);
    for n in 0..200 {
        many = many.header(&format!("A-Bomb-{n}"), &"b".repeat(200));
    }
    let many = many.header(TYPE, "application/xml");
    let beside = sound.bad("long value beside", VersionUnsupported).fields(["ce-specversion"]);
    let beside = beside.header("A-Bomb", &"b".repeat(50_000)).header("ce-specversion", "0.3");
    vec![xml, event, later, envelope, both, long, many, beside]
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_whose_headers_are_wrong_is_given_up_with_the_header_and_the_rule() {
    let isbn = book(1217);
    let mut stage = start(world("bad headers", 140).partners(Instant, 2)).await;
    for sound in answered(&mut stage, isbn).await {
        for bad in wrong_headers(&sound) {
            let at = (sound.stream, sound.subject.clone());
            let letter = given_up_for(&stage, at, &bad).await;
            let (name, kept) = (bad.name, &letter.headers);
            assert!(kept.len() <= HEADERS_KEPT_MAX, "{name}: {} headers", kept.len());
            for one in &letter.violations {
                assert!(one.rule.starts_with("must be "), "{name}: {}", one.rule);
                assert!(kept[&one.field].chars().count() <= VALUE_CHARS_KEPT_MAX, "{name}");
            }
        }
        let types = counted(&stage, sound.stream, ContentTypeUnsupported).await;
        let versions = counted(&stage, sound.stream, VersionUnsupported).await;
        assert!(types >= 5 && versions >= 3, "{types} types, {versions} versions");
    }
    still_buys(&mut stage, isbn).await;
    stage.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_a_partition_that_nobody_serves_is_given_up_and_told_the_right_one() {
    let isbn = book(1218);
    let mut stage = start(world("wrong partition", 141).partners(Instant, 2)).await;
    for sound in answered(&mut stage, isbn).await {
        for (partition, told) in [("7", "partition 7"), ("east", "no partition")] {
            let elsewhere = sound.subject.replace(".reply.0.", &format!(".reply.{partition}."));
            assert_ne!(elsewhere, sound.subject);
            let bad = sound.bad("elsewhere", NotAsked);
            let letter = given_up_for(&stage, (sound.stream, elsewhere), &bad).await;
            for part in [told, "partition 0", &sound.subject] {
                assert!(letter.detail.contains(part), "{part}: {}", letter.detail);
            }
        }
        assert!(counted(&stage, sound.stream, NotAsked).await >= 2);
    }
    still_buys(&mut stage, isbn).await;
    stage.judge().await;
}

/// As a broker before this one left it, which read its own partition only.
async fn narrow(stage: &Stage) -> ConsumerInfo {
    let [_, _, spec, _] = broker_consumers();
    let mut config = consumer_config(&spec);
    for filter in &mut config.filter_subjects {
        *filter = filter.replace(".reply.*.", ".reply.0.");
    }
    let jetstream = async_nats::jetstream::new(stage.client().clone());
    let consumer = jetstream.create_consumer_on_stream(config, spec.stream).await.unwrap();
    consumer.cached_info().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_read_one_partition_only_is_brought_up_to_date_in_its_place() {
    let isbn = book(1219);
    let mut stage = start(world("narrow consumer", 142).partners(Instant, 2)).await;
    let [sound, _] = answered(&mut stage, isbn).await;
    stage.broker.terminate().await.unwrap();
    let before = narrow(&stage).await;
    let (url, config) = (stage.nats().url(), stage.dir().join("broker.toml"));
    let config = config.to_str().unwrap();
    let check = ["check-config", "--config", config, "--server", &url];
    let told = run(&check).await.ok().out;
    let change = "would change filter_subjects partner.*.reply.0.cancel";
    assert!(told.contains(change), "{told}");
    let told = run(&["streams", "status", "--server", &url]).await.ok().out;
    assert!(told.contains("`serve` would change filter_subjects"), "{told}");

    stage.broker.start().await.unwrap();
    let elsewhere = sound.subject.replace(".reply.0.", ".reply.7.");
    given_up_for(&stage, (sound.stream, elsewhere), &sound.bad("elsewhere", NotAsked)).await;
    let told = run(&check).await.ok().out;
    assert!(!told.contains("filter_subjects"), "{told}");
    let jetstream = async_nats::jetstream::new(stage.client().clone());
    let stream = jetstream.get_stream(sound.stream).await.unwrap();
    let consumers: Vec<ConsumerInfo> = stream.consumers().try_collect().await.unwrap();
    let [after] = consumers.as_slice() else { panic!("{consumers:#?}") };
    assert_eq!((&after.name, after.created), (&before.name, before.created));
    still_buys(&mut stage, isbn).await;
    stage.judge().await;
}
