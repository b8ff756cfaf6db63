//! The command line as a new user meets it, against a real server and a real broker.

use std::process::{Output, Stdio};

use partner_sim::profile::ProfileName::Instant;
use schemas::event::NotificationOutcome::Ordered;
use schemas::purchase::CreatePurchase;
use schemas::stream::name;
use serde_json::Value;
use tests::auditor::{Answer, Command, Route, Sent};
use tests::harness::{Order, book, now};
use tests::nats_server::{NatsServer, NatsServerOptions};
use tokio::process::Command as Process;

use crate::stage::{Stage, flat, start, world};

/// What a command said and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// The last line, or the whole, as JSON.
    pub(crate) fn json(&self) -> Value {
        let whole = serde_json::from_str(&self.out);
        whole.unwrap_or_else(|_| serde_json::from_str(self.out.lines().last().unwrap()).unwrap())
    }

    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:#?}");
        self
    }

    pub(crate) fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }
}

/// Runs `broker <line>` with the server's URL in the environment; `|` separates words.
async fn broker(url: &str, line: &str) -> Said {
    let words = line.split('|').map(str::trim).filter(|word| !word.is_empty());
    let mut command = Process::new(env!("CARGO_BIN_EXE_test-broker"));
    command.args(words).env("NATS_URL", url).env("BROKER_CUSTOMER", "ann");
    finish(command).await
}

/// Runs the broker's binary with these words and nothing in the environment that it knows.
pub(crate) async fn run(words: &[&str]) -> Said {
    let mut command = Process::new(env!("CARGO_BIN_EXE_test-broker"));
    command.args(words);
    finish(command).await
}

async fn finish(mut command: Process) -> Said {
    let Output { status, stdout, stderr } =
        command.stdin(Stdio::null()).kill_on_drop(true).output().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Said { code: status.code(), out: text(stdout), err: text(stderr) }
}

/// A request as `--dry-run` prints it, kept in a file and in the books of the auditor.
async fn drafted(stage: &Stage, flags: &str) -> (CreatePurchase, String) {
    let line =
        format!("submit|--dry-run|--country|US|--postal-code|10001|--payment-token|tok_ok|{flags}");
    let draft = broker(&stage.nats().url(), &line).await.ok().out;
    let create: CreatePurchase = serde_json::from_str(&draft).unwrap();
    let file = stage.dir().join(format!("{}.json", create.request_id));
    std::fs::write(&file, draft).unwrap();
    stage.ledger().record(Sent {
        customer: stage.requester("ann").customer().clone(),
        command: Command::Create(Box::new(create.clone())),
        route: Route::Service,
        at: now(),
        answered: now(),
        answer: Answer::Silent,
    });
    (create, file.display().to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_book_is_bought_followed_and_found_by_the_command_line() {
    let isbn = book(1400);
    let stage =
        start(world("cli buys", 151).partners(Instant, 2).price_everywhere(isbn, flat(1999))).await;
    let url = stage.nats().url();
    let (create, file) = drafted(&stage, &format!("--isbn|{isbn}|--max-total|20.00 USD")).await;
    assert_eq!(create.max_total.minor(), 2000);

    let story = broker(&url, &format!("submit|--file|{file}|--wait|--json")).await.ok();
    assert_eq!(story.json()["request"]["status"], "ordered", "{story:#?}");
    let id = create.request_id;
    // The same bytes again are the same request.
    let again = broker(&url, &format!("submit|--file|{file}")).await.ok();
    assert!(again.out.starts_with("accepted before"), "{again:#?}");

    let sheet = broker(&url, &format!("get|{id}")).await.ok().out;
    for part in ["ordered", "20.00 USD", "19.99 USD at", &isbn.to_string()] {
        assert!(sheet.contains(part), "{part}\n{sheet}");
    }
    assert!(!sheet.contains('\u{1b}'), "no colours for a file");
    let got = broker(&url, &format!("get|{id}|--json")).await.ok().json();
    assert_eq!(got["request_id"], id.to_string());
    let list = broker(&url, "list|--status|ordered|--json").await.ok().json();
    assert_eq!(list[0]["request_id"], id.to_string());
    assert!(broker(&url, "list").await.ok().out.contains(&id.to_string()));
    assert!(broker(&url, "list|-c|bob").await.ok().out.contains("no requests"));
    let over = broker(&url, &format!("watch|{id}")).await.ok().out;
    assert!(over.contains("ordered"), "{over}");
    let foreign = broker(&url, &format!("get|{id}|-c|bob")).await.ends(4);
    assert!(foreign.err.contains(&id.to_string()), "{foreign:#?}");
    let foreign = broker(&url, &format!("get|{id}|-c|bob|--json")).await.ends(4);
    let error: Value = serde_json::from_str(&foreign.err).unwrap();
    assert_eq!(error["problem"]["number"], 112);
    stage.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_price_above_the_limit_is_raised_accepted_or_canceled_by_the_command_line() {
    let isbn = book(1401);
    let mut stage =
        start(world("cli changes", 152).partners(Instant, 2).price_everywhere(isbn, flat(3000)))
            .await;
    let url = stage.nats().url();
    let limit = format!("--isbn|{isbn}|--max-total|10.00 USD");

    let (accepted, file) = drafted(&stage, &limit).await;
    let quoted = broker(&url, &format!("submit|--file|{file}|--wait")).await.ends(7);
    assert!(quoted.out.contains("30.00 USD"), "{quoted:#?}");
    // The very line that it advises.
    let advice = quoted.out.lines().find(|line| line.contains("broker accept")).unwrap();
    let (_, words) = advice.split_once("broker ").unwrap();
    let wrong = broker(&url, &format!("accept|{}|{}", accepted.request_id, "0".repeat(32))).await;
    assert!(wrong.ends(3).err.contains("token_invalid"));
    let sheet = broker(&url, &words.replace(' ', "|")).await.ok().out;
    assert!(sheet.contains(&accepted.request_id.to_string()), "{sheet}");
    stage.told_later(accepted.request_id, Ordered).await;

    let (raised, file) = drafted(&stage, &limit).await;
    broker(&url, &format!("submit|--file|{file}|--wait|--json")).await.ends(7);
    let nothing = broker(&url, &format!("update|{}", raised.request_id)).await.ends(2);
    assert!(nothing.err.contains("--max-total"), "{nothing:#?}");
    let stale = format!("update|{}|--max-total|31.00 USD|--if-version|1", raised.request_id);
    assert!(broker(&url, &stale).await.ends(3).err.contains("version_conflict"));

    let (canceled, file) = drafted(&stage, &limit).await;
    broker(&url, &format!("submit|--file|{file}|--wait")).await.ends(7);
    let cancel = format!("cancel|{}|--reason|too dear|--json", canceled.request_id);
    assert_eq!(broker(&url, &cancel).await.ok().json()["status"], "canceled");
    let raise = format!("update|{}|--max-total|31.00 USD|--json", raised.request_id);
    assert_eq!(broker(&url, &raise).await.ok().json()["max_total"]["amount"], 3100);
    broker(&url, &format!("watch|{}|--until|outcome", raised.request_id)).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_or_a_server_that_is_not_there_is_told_with_what_to_do() {
    let started = tokio::task::spawn_blocking(|| NatsServer::start(NatsServerOptions::default()));
    let server = started.await.unwrap().unwrap();
    let id = Order::of(book(1402)).build().request_id;
    let alone = broker(&server.url(), &format!("get|{id}")).await.ends(5);
    assert!(alone.err.contains("no broker is connected"), "{alone:#?}");
    let nobody = broker("nats://127.0.0.1:1", &format!("get|{id}|--timeout|1s")).await.ends(5);
    assert!(nobody.err.contains("nats://127.0.0.1:1"), "{nobody:#?}");
    let usage = broker("nats://127.0.0.1:1", "get|7").await.ends(2);
    assert!(usage.err.contains("UUID version 7"), "{usage:#?}");
    let context = broker("", &format!("get|{id}|--nats-context|./none.json")).await.ends(2);
    assert!(context.err.contains("none.json"), "{context:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_listed_shown_replayed_and_dropped() {
    let isbn = book(1403);
    let mut stage = start(world("cli letters", 154).partners(Instant, 1)).await;
    let url = stage.nats().url();
    assert!(broker(&url, "dead-letters|list").await.ok().out.contains("no dead letters"));
    let jetstream = async_nats::jetstream::new(stage.client().clone());
    let broken = "{\"request_id\": oops";
    for _ in 0..2 {
        let stored = jetstream.publish("purchase.create.ann", broken.into()).await.unwrap();
        stored.await.unwrap();
    }
    stage.dead_letter("a broken create", |letter| letter.stream == name::PURCHASE_CREATES).await;
    let list = broker(&url, "dead-letters|list|--json|--reason|malformed").await.ok().json();
    let number = list[0]["number"].as_u64().unwrap();
    let shown = broker(&url, &format!("dead-letters|show|{number}")).await.ok().out;
    assert!(shown.contains("first seen") && shown.contains("last seen"), "{shown}");
    assert!(shown.contains(broken) && shown.contains("purchase.create.ann"), "{shown}");

    // The normal way: what is still wrong becomes a new letter.
    broker(&url, &format!("dead-letters|replay|{number}|--drop|--reason|sent again|--actor|ann"))
        .await
        .ok();
    stage.dead_letter("the replay", |letter| letter.headers.contains_key("Broker-Replay-Of")).await;
    broker(&url, &format!("dead-letters|show|{number}")).await.ends(4);
    let left = broker(&url, "dead-letters|list|--json").await.ok().json();
    for letter in left.as_array().unwrap() {
        broker(&url, &format!("dead-letters|drop|{}|--reason|told|--actor|ann", letter["number"]))
            .await
            .ok();
    }
    assert!(broker(&url, "dead-letters|list").await.ok().out.contains("no dead letters"));

    let create = Order::of(isbn).build();
    stage.requester("ann").publish_create(&create).await.unwrap();
    stage.told(create.request_id, Ordered).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sees_the_streams_and_what_a_start_would_change() {
    let mut stage = crate::stage::prepare(world("cli streams", 155).partners(Instant, 2)).await;
    let url = stage.nats().url();
    let config = stage.dir().join("broker.toml").display().to_string();
    let before = broker(&url, &format!("check-config|--config|{config}|--json")).await.ok().json();
    let verdict = |all: &Value, what: &str| {
        let found = all.as_array().unwrap().iter().find(|f| f["what"] == what);
        found.unwrap_or_else(|| panic!("{what} in {all:#}"))["verdict"].clone()
    };
    assert_eq!(verdict(&before, "stream PURCHASE_CREATES"), "change");
    assert_eq!(verdict(&before, "sync"), "fine");
    assert_eq!(verdict(&before, "permissions"), "fine");
    // It only looked.
    broker(&url, "streams|status").await.ends(4);

    stage.broker.start().await.unwrap();
    let after = broker(&url, &format!("check-config|--config|{config}|--json")).await.ok().json();
    assert_eq!(verdict(&after, "stream PURCHASE_CREATES"), "fine");
    let status = broker(&url, "streams|status").await.ok().out;
    for part in ["PARTNER_REPLIES", "broker_partner_replies", "256.0 MiB"] {
        assert!(status.contains(part), "{part}\n{status}");
    }
    broker(&url, &format!("streams|provision|--config|{config}")).await.ok();
    let status = broker(&url, "streams|status|--json").await.ok().out;
    assert!(status.contains("partner_instant-01"), "{status}");

    let jetstream = async_nats::jetstream::new(stage.client().clone());
    let mut stream =
        jetstream.get_stream(name::NOTIFICATIONS).await.unwrap().cached_info().config.clone();
    stream.max_bytes = 1_000_000;
    jetstream.update_stream(stream).await.unwrap();
    let told = broker(&url, &format!("check-config|--config|{config}")).await.ok().out;
    assert!(told.contains("max_bytes 1000000 → 536870912"), "{told}");

    let partners = broker(&url, &format!("partners|--config|{config}")).await.ok().out;
    assert!(partners.contains("instant-02"), "{partners}");
    let broken = format!("check-config|--config|{config}|--set|partners_file=/nowhere.toml|--json");
    let broken = broker(&url, &broken).await.ends(6);
    assert_eq!(verdict(&broken.json(), "partners"), "failure");
    let script = broker(&url, "completions|bash").await.ok().out;
    assert!(script.contains("dead-letters"), "{script}");
}
