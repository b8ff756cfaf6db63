//! A real nats-server, a mail server, an endpoint, and the notifier as a process of its own, with
//! schedules of milliseconds instead of hours.

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_nats::jetstream::{self, Context};
use async_nats::{Client, HeaderMap};
use broker_notifier::config::{EmailConfig, NotifierConfig, SmtpSecurity};
use broker_notifier::operator::{Desk, Wanted};
use broker_notifier::record::Delivery;
use schemas::event::{Notification, NotificationOutcome};
use schemas::id::MessageId;
use schemas::stream::{by_name, name};
use schemas::{CustomerId, DurationMs, json, subject};
use tempfile::TempDir;
use tests::harness::{Process, wait};
use tests::mail_server::{Mail, MailServer};
use tests::nats_server::{NatsServer, NatsServerOptions};

use crate::hook::{Hook, Received};

/// For what takes milliseconds; long only for a loaded machine.
pub(crate) const SOON: Duration = Duration::from_secs(30);
pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
pub(crate) const NEW_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

pub(crate) struct Stage {
    // Dropped first: whoever calls goes before what it calls.
    pub(crate) notifier: Process,
    pub(crate) hook: Hook,
    pub(crate) mail: MailServer,
    pub(crate) config: NotifierConfig,
    pub(crate) context: Context,
    pub(crate) nats: NatsServer,
    pub(crate) dir: TempDir,
}

pub(crate) fn ms(values: &[u64]) -> Vec<DurationMs> {
    values.iter().copied().map(DurationMs).collect()
}

pub(crate) fn customer(id: &str) -> CustomerId {
    CustomerId::parse(id).unwrap()
}

/// The standard schedules, a thousand times as fast.
pub(crate) fn quick(mail_port: u16, dir: &Path) -> NotifierConfig {
    let mut config = NotifierConfig {
        subscribers_file: Some(dir.join("subscribers.toml")),
        reload_ms: DurationMs(50),
        breaker_open_ms: DurationMs(300),
        email: Some(EmailConfig {
            port: mail_port,
            security: SmtpSecurity::None,
            timeout_ms: DurationMs(2000),
            schedule_ms: ms(&[0, 50, 100, 200, 400, 800, 1600, 3200, 6400, 12_800]),
            ..EmailConfig::new("127.0.0.1", "Book Shop <shop@example.com>")
        }),
        ..NotifierConfig::default()
    };
    config.webhook.timeout_ms = DurationMs(1000);
    config.webhook.schedule_ms = ms(&[0, 50, 100, 200, 400, 800, 1600, 3200, 6400]);
    config.webhook.allow_private_hosts = vec!["127.0.0.1".to_owned()];
    config
}

/// A customer with both channels.
pub(crate) fn both(customer: &str, hook: &Hook) -> String {
    format!("{}{}", mailed(customer), hooked_only(&hook.url(), &[SECRET]))
}

pub(crate) fn mailed(customer: &str) -> String {
    format!(
        "[[subscriber]]\ncustomer_id = \"{customer}\"\n[subscriber.email]\naddress = \"{customer}@example.org\"\n"
    )
}

fn hooked_only(url: &str, secrets: &[&str]) -> String {
    format!("[subscriber.webhook]\nurl = \"{url}\"\nsecrets = {secrets:?}\n")
}

pub(crate) fn hooked(customer: &str, url: &str, secrets: &[&str]) -> String {
    format!("[[subscriber]]\ncustomer_id = \"{customer}\"\n{}", hooked_only(url, secrets))
}

/// The notification number `n` to a customer; with each outcome what belongs to it.
pub(crate) fn notification(who: &str, n: u32, outcome: NotificationOutcome) -> Notification {
    let examples = schemas::generate::example::event::notifications();
    let wanted = if outcome == NotificationOutcome::Quoted { "quoted" } else { "ordered" };
    let (_, example) = examples.into_iter().find(|(name, _)| *name == wanted).unwrap();
    Notification {
        notification_id: MessageId::parse(&format!("test-{who}-{n}")).unwrap(),
        customer_id: customer(who),
        outcome,
        ..example
    }
}

/// Who subscribes is written by `subscribers` from the endpoint.
pub(crate) async fn prepare(
    subscribers: impl FnOnce(&Hook) -> String,
    change: impl FnOnce(&mut NotifierConfig),
) -> Stage {
    let connect = async |url: String| async_nats::connect(url).await.unwrap();
    prepare_on(String::new(), connect, subscribers, change).await
}

/// On a server with a further configuration, as somebody who may make the streams.
pub(crate) async fn prepare_on(
    extra_config: String,
    connect: impl AsyncFnOnce(String) -> Client,
    subscribers: impl FnOnce(&Hook) -> String,
    change: impl FnOnce(&mut NotifierConfig),
) -> Stage {
    let options = NatsServerOptions { extra_config, ..NatsServerOptions::default() };
    let started = tokio::task::spawn_blocking(|| NatsServer::start(options));
    let nats = started.await.unwrap().unwrap();
    let client = connect(nats.url()).await;
    let context = jetstream::new(client.clone());
    ensure_streams(&context, &client).await;
    let dir = tempfile::tempdir().unwrap();
    let (hook, mail) = (Hook::start().await, MailServer::start(None).await.unwrap());
    let mut config = quick(mail.port(), dir.path());
    change(&mut config);
    std::fs::write(dir.path().join("subscribers.toml"), subscribers(&hook)).unwrap();
    let notifier = notifier(&nats, &config, dir.path(), "notifier");
    Stage { notifier, hook, mail, config, context, nats, dir }
}

/// A notifier that is not started yet.
pub(crate) fn notifier(
    nats: &NatsServer,
    config: &NotifierConfig,
    dir: &Path,
    name: &'static str,
) -> Process {
    let url = nats.url();
    let file: PathBuf = dir.join(format!("{name}.toml"));
    let notifier = toml::Value::try_from(config).unwrap();
    let nats = toml::toml! { urls = ["URL"] };
    let text = toml::to_string(&toml::Table::from_iter([
        ("roles".to_owned(), toml::Value::from(vec!["notifier"])),
        ("nats".to_owned(), toml::Value::Table(nats)),
        ("notifier".to_owned(), notifier),
    ]));
    std::fs::write(&file, text.unwrap().replace("URL", &url)).unwrap();
    let program = tests::programs!().broker;
    let arguments = ["serve", "--config", &file.to_string_lossy()].map(str::to_owned).to_vec();
    let mut process = Process::new(name, program, arguments, dir.join(format!("{name}.log")));
    process.set_env("RUST_LOG", "trace,async_nats=debug,hyper=debug,rustls=info");
    process
}

pub(crate) async fn start(subscribers: impl FnOnce(&Hook) -> String) -> Stage {
    start_with(subscribers, |_| {}).await
}

pub(crate) async fn start_with(
    subscribers: impl FnOnce(&Hook) -> String,
    change: impl FnOnce(&mut NotifierConfig),
) -> Stage {
    let mut stage = prepare(subscribers, change).await;
    stage.notifier.start().unwrap();
    stage
}

async fn ensure_streams(context: &Context, client: &Client) {
    let specs = [name::NOTIFICATIONS, name::DEAD_LETTERS].map(|name| by_name(name).unwrap());
    broker::nats::streams::ensure_all(context, client, &specs).await.unwrap();
}

impl Stage {
    /// Puts a notification into the stream, as the broker does.
    pub(crate) async fn tell(&self, told: &Notification) {
        self.tell_raw(told, json::encode(told), told.notification_id.as_str()).await;
    }

    /// The same once more; the server does not know it for a copy.
    pub(crate) async fn tell_again(&self, told: &Notification) {
        let id = format!("{}-again", told.notification_id);
        self.tell_raw(told, json::encode(told), &id).await;
    }

    pub(crate) async fn tell_raw(&self, about: &Notification, body: Vec<u8>, id: &str) {
        let subject = subject::notification(&about.customer_id, about.outcome.label());
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Msg-Id", id);
        let stored = self.context.publish_with_headers(subject, headers, body.into()).await;
        stored.unwrap().await.unwrap();
    }

    /// Waits until so many mails are there.
    pub(crate) async fn mails(&self, count: usize) -> Vec<Mail> {
        self.until(&format!("{count} mails"), async || {
            let mails = self.mail.mails();
            (mails.len() >= count).then_some(mails)
        })
        .await
    }

    /// Waits until the endpoint was called so often.
    pub(crate) async fn calls(&self, count: usize) -> Vec<Received> {
        calls(&self.hook, count, &self.notifier).await
    }

    /// Waits until every delivery of a customer is in this state, and there are so many.
    pub(crate) async fn all(&self, who: &str, count: usize, status: &str) -> Vec<Delivery> {
        let wanted = Wanted { customer: Some(customer(who)), ..Wanted::default() };
        self.until(&format!("{count} {status} deliveries of {who}"), async || {
            let found = self.desk().await?.list(&wanted).await.ok()?;
            let found: Vec<Delivery> = found.into_iter().map(|(found, _)| found).collect();
            let done = found.iter().all(|delivery| delivery.state.label() == status);
            (found.len() == count && done).then_some(found)
        })
        .await
    }

    /// The buckets; there are none before the first notifier.
    pub(crate) async fn desk(&self) -> Option<Desk> {
        Desk::open(&self.context).await.ok()
    }

    /// Waits until the notifier has dealt with every notification that is in the stream.
    pub(crate) async fn all_taken(&self) {
        self.until("every notification is acknowledged", async || {
            let stream = self.context.get_stream(name::NOTIFICATIONS).await.ok()?;
            let consumer = stream.consumer_info("notifier").await.ok()?;
            (consumer.num_pending == 0 && consumer.num_ack_pending == 0).then_some(())
        })
        .await;
    }

    pub(crate) async fn until<T>(&self, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
        let found = wait::until(what, SOON, async || Ok(look().await)).await;
        found.unwrap_or_else(|e| panic!("{e}\n{}", self.worth_reading()))
    }

    /// The log without what the client of NATS says of each message.
    fn worth_reading(&self) -> String {
        let log = self.log();
        let lines: Vec<_> = log.lines().filter(|line| !line.contains("DEBUG async_nats")).collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.notifier.log_path()).unwrap_or_default()
    }

    pub(crate) async fn log_has(&self, text: &str) {
        self.until(&format!("the log has {text:?}"), async || {
            self.log().contains(text).then_some(())
        })
        .await;
    }

    pub(crate) fn subscribe(&self, text: &str) {
        // As an operator's tools do: the new file takes the place of the old one as a whole.
        let (file, new) = (self.dir.path().join("subscribers.toml"), self.dir.path().join("new"));
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, file).unwrap();
    }

    /// `broker <words>` against this server.
    pub(crate) async fn broker(&self, words: &[&str]) -> String {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_test-broker"));
        command.args(words).env("NATS_URL", self.nats.url()).kill_on_drop(true);
        let output = command.output().await.unwrap();
        assert!(output.status.success(), "{words:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

pub(crate) async fn calls(hook: &Hook, count: usize, notifier: &Process) -> Vec<Received> {
    let found = wait::until(format!("{count} calls"), SOON, async || {
        let received = hook.received();
        Ok((received.len() >= count).then_some(received))
    });
    found.await.unwrap_or_else(|e| panic!("{e}\n{}", notifier.log_tail()))
}
