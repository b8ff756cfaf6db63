//! The permissions that are shipped (`ops/nats/permissions.conf`), on a real server: everybody can
//! do their work, and nobody can hear or speak for another.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use async_nats::jetstream::{self, consumer::PullConsumer};
use async_nats::{Client, ConnectOptions, Event};
use futures_util::StreamExt;
use schemas::stream::{self, name};
use tests::harness::{Order, Process, Program, book, wait};
use tests::nats_server::shipped::{USERS, password_variable, permissions};
use tests::nats_server::{NatsServer, NatsServerOptions, resolve_once};

use crate::command_line::{Said, run};
use crate::stage::SOON;

fn shipped(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../ops").join(file)
}

/// A server with the shipped permissions and a password for everybody.
pub(crate) async fn guarded() -> NatsServer {
    let extra_config = permissions().unwrap();
    let options = NatsServerOptions { extra_config, ..NatsServerOptions::default() };
    tokio::task::spawn_blocking(|| NatsServer::start(options)).await.unwrap().unwrap()
}

/// The shipped production configuration, brought to this machine.
fn production(server: &NatsServer, dir: &Path) -> Vec<String> {
    let partners = "[[partner]]\nid = \"acme-books\"\n[[partner]]\nid = \"corner-books\"\n\
                    transport = \"queued\"\n";
    std::fs::write(dir.join("partners.toml"), partners).unwrap();
    std::fs::write(dir.join("catalog.jsonl"), "").unwrap();
    // The password and the certificate's absence are this test's; everything else is as shipped.
    let text = std::fs::read_to_string(shipped("config/production.toml")).unwrap();
    let text: String = text
        .lines()
        .filter(|line| !line.starts_with("tls_"))
        .map(|line| format!("{line}\n"))
        .collect();
    let file = dir.join("broker.toml");
    std::fs::write(&file, text).unwrap();
    let mut words = vec!["--config".to_owned(), file.display().to_string()];
    for (key, value) in [
        ("nats.urls", server.url()),
        ("nats.password", "pw-broker".to_owned()),
        ("nats.monitoring_url", server.monitor_url()),
        ("partners_file", dir.join("partners.toml").display().to_string()),
        ("catalog_file", dir.join("catalog.jsonl").display().to_string()),
        ("store.dir", dir.join("store").display().to_string()),
        ("store.backup_dir", dir.join("backups").display().to_string()),
        ("http_bind", "127.0.0.1:0".to_owned()),
    ] {
        words.extend(["--set".to_owned(), format!("{key}={value}")]);
    }
    words
}

/// Runs a command as one of the users.
async fn command(server: &NatsServer, user: &str, words: &[&str]) -> Said {
    let url = server.url();
    let (password, inbox) = (format!("pw-{user}"), format!("_INBOX.{user}"));
    let mut all = words.to_vec();
    all.extend(["--server", &url, "--user", user, "--password", &password]);
    all.extend(["--inbox-prefix", &inbox]);
    run(&all).await
}

/// One user's connection, and what the server forbade it.
struct Actor {
    client: Client,
    forbidden: Arc<Mutex<Vec<String>>>,
}

impl Actor {
    async fn of(server: &NatsServer, user: &str) -> Self {
        let forbidden = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&forbidden);
        let client = ConnectOptions::with_user_and_password(user.to_owned(), format!("pw-{user}"))
            .custom_inbox_prefix(format!("_INBOX.{user}"))
            .event_callback(move |event| {
                let heard = Arc::clone(&heard);
                async move {
                    if let Event::ServerError(error) = event {
                        heard.lock().unwrap().push(error.to_string());
                    }
                }
            })
            .connect(server.url())
            .await
            .unwrap();
        Self { client, forbidden }
    }

    async fn is_forbidden(&self, what: &str, subject: &str) {
        let complaint = format!("{what} to \"{subject}\"").to_lowercase();
        wait::until(format!("{complaint} is forbidden"), SOON, async || {
            let heard = self.forbidden.lock().unwrap();
            let found = heard.iter().any(|error| error.to_lowercase().contains(&complaint));
            Ok(found.then_some(()))
        })
        .await
        .unwrap();
    }

    async fn cannot_publish(&self, subject: &str) {
        self.client.publish(subject.to_owned(), "{}".into()).await.unwrap();
        self.is_forbidden("publish", subject).await;
    }

    async fn cannot_subscribe(&self, subject: &str) {
        let _ears = self.client.subscribe(subject.to_owned()).await.unwrap();
        self.is_forbidden("subscription", subject).await;
    }

    fn was_never_forbidden(&self) {
        assert_eq!(*self.forbidden.lock().unwrap(), Vec::<String>::new());
    }

    async fn consumer(&self, stream: &str, durable: &str) -> PullConsumer {
        let jetstream = jetstream::new(self.client.clone());
        let stream = jetstream.get_stream_no_info(stream).await.unwrap();
        stream.get_consumer(durable).await.unwrap()
    }
}

/// The broker on the guarded server, with everybody's consumers made.
pub(crate) async fn serving(server: &NatsServer, dir: &Path) -> Process {
    let words = production(server, dir);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    // As the broker itself: its inbox prefix comes from the file.
    let customers = ["--customer", "alice", "--customer", "bob"];
    let provision = [&["streams", "provision"], customers.as_slice(), words.as_slice()].concat();
    run(&provision).await.ok();
    let check = run(&[&["check-config", "--json"], words.as_slice()].concat()).await.ok();
    for finding in check.json().as_array().unwrap() {
        let missing = finding["what"] == "store" || finding["what"] == "backups";
        let expected = if missing { "change" } else { "fine" };
        let catalog = finding["what"] == "catalog" && finding["verdict"] == "warning";
        assert!(finding["verdict"] == expected || catalog, "{finding:#}");
    }
    let mut arguments = vec!["serve".to_owned()];
    arguments.extend(words.iter().map(|word| (*word).to_owned()));
    let program = Program::new(env!("CARGO_BIN_EXE_test-broker"));
    let mut process = Process::new("broker", program, arguments, dir.join("broker.log"));
    process.start().unwrap();
    let log = dir.join("broker.log");
    wait::until("the broker is ready", SOON, async || {
        Ok(std::fs::read_to_string(&log).unwrap().contains("\"ready\"").then_some(()))
    })
    .await
    .unwrap();
    process
}

#[test]
fn the_shipped_server_configuration_is_accepted_by_the_server() {
    let dir = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(shipped("nats/nats-server.conf")).unwrap();
    // Certificates are the operator's own.
    let (before, rest) = text.split_once("tls {").unwrap();
    let (_certificates, after) = rest.split_once("\n}\n").unwrap();
    let file = dir.path().join("nats-server.conf");
    std::fs::write(&file, format!("{before}{after}")).unwrap();
    std::fs::copy(shipped("nats/permissions.conf"), dir.path().join("permissions.conf")).unwrap();
    let mut check = std::process::Command::new(&resolve_once().unwrap().binary);
    check.arg("-t").arg("--config").arg(&file);
    for user in USERS {
        check.env(password_variable(user), "pw");
    }
    let said = check.output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_shipped_permissions_everybody_can_work() {
    let (server, dir) = (guarded().await, tempfile::tempdir().unwrap());
    let _broker = serving(&server, dir.path()).await;
    let acme = Actor::of(&server, "acme-books").await;
    let corner = Actor::of(&server, "corner-books").await;
    let mut questions = acme.client.subscribe("partner.acme-books.quote").await.unwrap();
    acme.client.flush().await.unwrap();

    let create = Order::of(book(1450)).build();
    let file = dir.path().join("create.json");
    std::fs::write(&file, schemas::json::encode(&create)).unwrap();
    let submit = ["submit", "-c", "alice", "--json", "--file", file.to_str().unwrap()];
    assert_eq!(command(&server, "alice", &submit).await.ok().json()["status"], "searching");
    let id = create.request_id.to_string();
    let got = command(&server, "alice", &["get", &id, "-c", "alice"]).await.ok();
    assert!(got.out.contains(&id), "{got:#?}");

    // Each partner is asked in its own way, and hears of its own orders only.
    let asked = tokio::time::timeout(SOON, questions.next()).await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&asked.payload).contains("call_id"));
    let queued = corner.consumer(name::PARTNER_QUOTES, "partner_corner-books").await;
    let queued = queued.messages().await.unwrap().next().await.unwrap().unwrap();
    queued.ack().await.unwrap();
    let boss = Actor::of(&server, "broker").await;
    let orders = jetstream::new(boss.client.clone());
    orders.publish("partner.acme-books.lookup", "x".into()).await.unwrap().await.unwrap();
    let mine = acme.consumer(name::PARTNER_COMMANDS, "partner_acme-books").await;
    let order = mine.messages().await.unwrap().next().await.unwrap().unwrap();
    order.double_ack().await.unwrap();
    let theirs = corner.consumer(name::PARTNER_COMMANDS, "partner_corner-books").await;
    assert_eq!(theirs.cached_info().num_pending, 0);
    let answers = jetstream::new(acme.client.clone());
    answers.publish("partner.acme-books.reply.0.lookup", "x".into()).await.unwrap().await.unwrap();
    for actor in [&acme, &corner, &boss] {
        actor.was_never_forbidden();
    }
    // A customer hears in its own consumer, without the right to make one.
    let alice = Actor::of(&server, "alice").await;
    let told = alice.consumer(name::NOTIFICATIONS, "customer_alice").await;
    orders.publish("notify.bob.ordered", "theirs".into()).await.unwrap().await.unwrap();
    orders.publish("notify.alice.ordered", "mine".into()).await.unwrap().await.unwrap();
    let told = told.messages().await.unwrap().next().await.unwrap().unwrap();
    assert_eq!(told.payload, "mine");
    told.double_ack().await.unwrap();
    alice.was_never_forbidden();
    let letters = wait::until("the operator sees the dead answer", SOON, async || {
        let said = command(&server, "operator", &["dead-letters", "list", "--json"]).await.ok();
        let letters = said.json();
        Ok((!letters.as_array().unwrap().is_empty()).then_some(letters))
    });
    assert_eq!(letters.await.unwrap()[0]["subject"], "partner.acme-books.reply.0.lookup");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_partner_can_hear_or_answer_as_another() {
    let (server, dir) = (guarded().await, tempfile::tempdir().unwrap());
    let _broker = serving(&server, dir.path()).await;
    let acme = Actor::of(&server, "acme-books").await;
    for subject in [
        "partner.corner-books.quote",
        "partner.*.quote",
        "partner.corner-books.place",
        "partner.>",
        "partner.corner-books.reply.0.quote",
        "purchase.event.>",
        "notify.alice.>",
        "_INBOX.>",
        "_INBOX.corner-books.>",
        ">",
    ] {
        acme.cannot_subscribe(subject).await;
    }
    for subject in [
        "partner.corner-books.reply.0.place",
        "partner.corner-books.reply.0.quote",
        "partner.acme-books.place",
        "payment.simpay.reply.0.authorize",
        "notify.alice.ordered",
        "purchase.create.alice",
        "_INBOX.alice.x",
        "$JS.API.CONSUMER.MSG.NEXT.PARTNER_COMMANDS.partner_corner-books",
        "$JS.API.CONSUMER.CREATE.PARTNER_COMMANDS.spy",
        "$JS.API.CONSUMER.CREATE.PARTNER_COMMANDS.partner_acme-books",
        "$JS.API.CONSUMER.DURABLE.CREATE.PARTNER_COMMANDS.partner_acme-books",
        "$JS.API.STREAM.MSG.GET.PARTNER_COMMANDS",
        "$JS.API.STREAM.PURGE.PARTNER_COMMANDS",
        "$JS.API.STREAM.DELETE.PURCHASE_CREATES",
        "$JS.ACK.PARTNER_COMMANDS.partner_corner-books.1.1.1.1.1",
        "$JS.ACK.PARTNER_REPLIES.broker_partner_replies.1.1.1.1.1",
        "broker.admin.backup",
        "broker.admin.partners",
        "broker.admin.steer_partner",
        "broker.admin.drop_dead_letter",
        "$JS.API.STREAM.MSG.DELETE.DEAD_LETTERS",
    ] {
        acme.cannot_publish(subject).await;
    }
    for spec in stream::all() {
        acme.cannot_publish(&format!("$JS.API.STREAM.UPDATE.{}", spec.name)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_customer_can_see_or_speak_for_another() {
    let (server, dir) = (guarded().await, tempfile::tempdir().unwrap());
    let _broker = serving(&server, dir.path()).await;
    let alice = Actor::of(&server, "alice").await;
    for subject in [
        "purchase.event.bob.>",
        "purchase.event.*.*.ordered",
        "notify.bob.>",
        "notify.>",
        "_INBOX.bob.>",
        "_INBOX.*.x",
        "purchase.api.get.bob",
        "partner.acme-books.quote",
        "dead_letter.>",
    ] {
        alice.cannot_subscribe(subject).await;
    }
    for subject in [
        "purchase.create.bob",
        "purchase.cancel.bob",
        "purchase.api.get.bob",
        "purchase.event.alice.x.ordered",
        "partner.acme-books.place",
        "partner.acme-books.reply.0.quote",
        "payment.simpay.capture",
        "_INBOX.bob.x",
        "broker.admin.partners",
        "broker.admin.steer_partner",
        "broker.admin.drop_dead_letter",
        "$JS.API.STREAM.MSG.DELETE.DEAD_LETTERS",
        "$JS.API.STREAM.INFO.PURCHASE_EVENTS",
        "$JS.API.CONSUMER.CREATE.NOTIFICATIONS.spy",
        "$JS.API.CONSUMER.CREATE.NOTIFICATIONS.customer_alice",
        "$JS.API.CONSUMER.MSG.NEXT.NOTIFICATIONS.customer_bob",
        "$JS.ACK.NOTIFICATIONS.customer_bob.1.1.1.1.1",
    ] {
        alice.cannot_publish(subject).await;
    }
    // Whoever tries is told why nothing comes back.
    let id = Order::of(book(1451)).build().request_id.to_string();
    let said = command(&server, "alice", &["get", &id, "-c", "bob", "--timeout", "1s"]).await;
    let said = said.ends(5);
    assert!(said.err.to_lowercase().contains("permissions violation for publish"), "{said:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_may_ask_for_a_backup_and_nobody_else_is_left_waiting() {
    let (server, dir) = (guarded().await, tempfile::tempdir().unwrap());
    let _broker = serving(&server, dir.path()).await;
    let words = production(&server, dir.path());
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let backup = [&["store", "backup", "--json"], words.as_slice()].concat();
    let made = command(&server, "operator", &backup).await.ok().json();
    assert_eq!(made["result"], "done", "{made:#}");
    let refused = command(&server, "alice", &backup).await.ends(5);
    assert!(refused.err.contains("broker.admin.backup"), "{refused:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_may_steer_partners_and_a_partner_may_not_ban_its_rivals() {
    let (server, dir) = (guarded().await, tempfile::tempdir().unwrap());
    let _broker = serving(&server, dir.path()).await;
    let ban = ["partners", "ban", "acme-books", "--for", "1h", "--reason", "x", "--actor", "me"];
    command(&server, "operator", &ban).await.ok();
    let shown = command(&server, "operator", &["partners", "standing"]).await.ok().out;
    assert!(shown.contains("ban until"), "{shown}");
    let words = [ban.as_slice(), &["--timeout", "1s"]].concat();
    let refused = command(&server, "corner-books", &words).await.ends(5);
    assert!(refused.err.contains("broker.admin.steer_partner"), "{refused:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_go_by_the_broker_only_and_by_the_word_of_an_operator() {
    let (server, dir) = (guarded().await, tempfile::tempdir().unwrap());
    let _broker = serving(&server, dir.path()).await;
    let acme = Actor::of(&server, "acme-books").await;
    let answers = jetstream::new(acme.client.clone());
    answers.publish("partner.acme-books.reply.0.lookup", "x".into()).await.unwrap().await.unwrap();
    let list = ["dead-letters", "list", "--json"];
    let number = wait::until("the operator sees the letter", SOON, async || {
        let letters = command(&server, "operator", &list).await.ok().json();
        Ok(letters.get(0).map(|letter| letter["number"].to_string()))
    });
    let number = number.await.unwrap();
    let drop = ["dead-letters", "drop", &number, "--reason", "told them", "--actor", "ann"];
    for user in ["acme-books", "corner-books", "alice", "simpay"] {
        let words = [drop.as_slice(), &["--timeout", "1s"]].concat();
        let refused = command(&server, user, &words).await.ends(5);
        assert!(refused.err.contains("broker.admin.drop_dead_letter"), "{user}: {refused:#?}");
    }
    // Nor may the operator pass the broker over: that would leave no trace.
    let operator = Actor::of(&server, "operator").await;
    for request in ["STREAM.MSG.DELETE", "STREAM.PURGE", "STREAM.DELETE"] {
        operator.cannot_publish(&format!("$JS.API.{request}.DEAD_LETTERS")).await;
    }
    let still = command(&server, "operator", &list).await.ok().json();
    assert_eq!(still[0]["number"].to_string(), number);
    command(&server, "operator", &drop).await.ok();
    assert_eq!(command(&server, "operator", &list).await.ok().json(), serde_json::json!([]));
}
