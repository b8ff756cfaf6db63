//! `broker check-config`: would `serve` work with this configuration, this server and this login,
//! and what would it change? Nothing is changed here.

use async_nats::jetstream::consumer;
use clap::Args;
use comfy_table::Cell;
use schemas::stream::{self, ConsumerSpec, broker_consumers};
use serde::Serialize;

use super::config::ConfigArgs;
use super::connect::{Connect, Session};
use super::error::CliError;
use super::{out, rights, streams};
use crate::config::Config;
use crate::directory::{load_catalog, load_partners};
use crate::nats::durability::{AckWorth, find_out};
use crate::nats::plan::{self, Setting, Step};
use crate::nats::{SERVER_VERSION_MIN, streams::PERSIST_MODE_SINCE};

/// The server must take our largest message.
const MESSAGE_BYTES_MAX: usize = stream::EVENT_BYTES_MAX;

#[derive(Debug, Args)]
pub(super) struct Check {
    #[command(flatten)]
    from: ConfigArgs,
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: Connect,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    Fine,
    /// `serve` would do it.
    Change,
    /// Works, but not as well as it could.
    Warning,
    /// `serve` would not start, or not work.
    Failure,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    pub(super) what: String,
    pub(super) verdict: Verdict,
    pub(super) detail: String,
}

pub(super) fn finding(
    what: impl Into<String>,
    verdict: Verdict,
    detail: impl Into<String>,
) -> Finding {
    Finding { what: what.into(), verdict, detail: detail.into() }
}

impl Check {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let config = self.from.load()?.config;
        let mut findings = vec![finding("configuration", Verdict::Fine, "every key is known")];
        findings.extend(files(&config));
        let nats = self.connect.over(config.nats.clone());
        match self.connect.session_with(nats, self.json).await {
            Ok(session) => findings.extend(server(&session, &config).await),
            Err(error) => findings.push(finding("server", Verdict::Failure, format!("{error:#}"))),
        }
        out::Out::new(self.json).show(&findings, |findings| table(findings))?;
        let failures = findings.iter().filter(|f| f.verdict == Verdict::Failure).count();
        if failures == 0 {
            return Ok(());
        }
        let what = format!("{failures} of {} checks failed", findings.len());
        Err(CliError::Findings(what).into())
    }
}

fn files(config: &Config) -> Vec<Finding> {
    let partners = match load_partners(&config.partners_file) {
        Ok(partners) if partners.is_empty() => {
            finding("partners", Verdict::Warning, "the directory is empty: nothing can be bought")
        }
        Ok(partners) => finding("partners", Verdict::Fine, format!("{} partners", partners.len())),
        Err(error) => failure("partners", error),
    };
    let catalog = match load_catalog(config.catalog_file.as_deref()) {
        Ok(catalog) if catalog.is_empty() => {
            finding("catalog", Verdict::Warning, "there is none: only ISBNs are understood")
        }
        Ok(_) => finding("catalog", Verdict::Fine, "every line is understood"),
        Err(error) => failure("catalog", error),
    };
    let dir = &config.store.dir;
    let store = match std::fs::metadata(dir) {
        Ok(meta) if meta.is_dir() && meta.permissions().readonly() => {
            finding("store", Verdict::Failure, format!("{} cannot be written", dir.display()))
        }
        Ok(meta) if meta.is_dir() => {
            finding("store", Verdict::Fine, format!("{} exists", dir.display()))
        }
        Ok(_) => finding("store", Verdict::Failure, format!("{} is no directory", dir.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            finding("store", Verdict::Change, format!("would create {}", dir.display()))
        }
        Err(error) => finding("store", Verdict::Failure, format!("{}: {error}", dir.display())),
    };
    [partners, catalog, store].into_iter().chain(backups(config)).collect()
}

/// A backup that cannot be written is noticed on the day of the backup, or of the loss.
fn backups(config: &Config) -> Option<Finding> {
    let into = config.store.backup_dir.as_ref()?;
    let shown = into.display();
    Some(match std::fs::metadata(into) {
        Ok(meta) if !meta.is_dir() => {
            finding("backups", Verdict::Failure, format!("{shown} is no directory"))
        }
        Ok(meta) if meta.permissions().readonly() => {
            finding("backups", Verdict::Failure, format!("{shown} cannot be written"))
        }
        Ok(meta) => {
            use std::os::unix::fs::MetadataExt;
            let store = std::fs::metadata(&config.store.dir);
            if store.is_ok_and(|store| store.dev() == meta.dev()) {
                let detail = format!("{shown} is on the disk of the store: it is lost with it");
                finding("backups", Verdict::Warning, detail)
            } else {
                finding("backups", Verdict::Fine, format!("{shown} exists"))
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            finding("backups", Verdict::Change, format!("would create {shown}"))
        }
        Err(error) => finding("backups", Verdict::Failure, format!("{shown}: {error}")),
    })
}

pub(super) fn failure(what: &str, error: impl Into<anyhow::Error>) -> Finding {
    finding(what, Verdict::Failure, format!("{:#}", error.into()))
}

async fn server(session: &Session, config: &Config) -> Vec<Finding> {
    let mut findings = vec![version(session), room_for_messages(session), sync(config).await];
    findings.push(jetstream(session, config).await);
    findings.extend(rights::check(session, config).await);
    let (major, minor, patch) = PERSIST_MODE_SINCE;
    let can_persist_async = session.client.is_server_compatible(major, minor, patch);
    for spec in config.streams.specs() {
        let what = format!("stream {}", spec.name);
        let step = plan::step(&session.jetstream(), &spec, can_persist_async).await;
        findings.push(match step {
            Ok(Step::Nothing) => finding(what, Verdict::Fine, "as declared"),
            Ok(Step::Create) => finding(what, Verdict::Change, "would be created"),
            Ok(Step::Update(settings)) => finding(what, Verdict::Change, would_change(&settings)),
            Ok(Step::Refuse(error)) | Err(error) => failure(&what, error),
        });
    }
    findings.extend(consumers(session, config).await);
    findings
}

fn would_change(settings: &[Setting]) -> String {
    let all = settings.iter().map(|s| format!("{} {} → {}", s.name, s.found, s.wanted));
    format!("would change {}", all.collect::<Vec<_>>().join(", "))
}

fn version(session: &Session) -> Finding {
    let (major, minor, patch) = SERVER_VERSION_MIN;
    let found = session.client.server_info().version;
    if session.client.is_server_compatible(major, minor, patch) {
        finding("server", Verdict::Fine, format!("nats-server {found}"))
    } else {
        let detail = format!("nats-server {found} is too old: {major}.{minor}.{patch} is needed");
        finding("server", Verdict::Failure, detail)
    }
}

fn room_for_messages(session: &Session) -> Finding {
    let max = session.client.server_info().max_payload;
    if max >= MESSAGE_BYTES_MAX {
        finding("max_payload", Verdict::Fine, format!("{max} bytes"))
    } else {
        let detail = format!("{max} bytes; the largest event has {MESSAGE_BYTES_MAX}: raise it");
        finding("max_payload", Verdict::Failure, detail)
    }
}

async fn sync(config: &Config) -> Finding {
    match find_out(config.nats.monitoring_url.as_deref()).await {
        AckWorth::Durable => {
            finding("sync", Verdict::Fine, "the server syncs before it acknowledges")
        }
        AckWorth::Weak => finding(
            "sync",
            Verdict::Warning,
            "a power cut loses acknowledged publishes of the last two minutes: set sync_interval: \
             always in the jetstream block of the server",
        ),
        AckWorth::Unknown => finding(
            "sync",
            Verdict::Warning,
            "not known: set nats.monitoring_url to the server's monitoring endpoint",
        ),
    }
}

async fn jetstream(session: &Session, config: &Config) -> Finding {
    let account = match session.jetstream().query_account().await {
        Ok(account) => account,
        Err(error) => return failure("jetstream", session.failed("ask for JetStream", error)),
    };
    let needed: u64 = config.streams.specs().iter().map(|spec| spec.max_bytes).sum();
    let limit = u64::try_from(account.limits.max_storage.unwrap_or(-1));
    match limit {
        Ok(limit) if limit < needed => {
            let (limit, needed) = (out::bytes(limit), out::bytes(needed));
            let detail = format!("the account may store {limit}, the streams reserve {needed}");
            finding("jetstream", Verdict::Failure, detail)
        }
        _ => finding("jetstream", Verdict::Fine, format!("reserves {}", out::bytes(needed))),
    }
}

/// Ours are made, or brought up to date, at start; a partner without one never hears of an order.
async fn consumers(session: &Session, config: &Config) -> Vec<Finding> {
    let foreign = match streams::foreign_consumers(config) {
        Ok(foreign) => foreign,
        // Told already, with the directory.
        Err(_) => return Vec::new(),
    };
    let mut findings = Vec::new();
    for spec in broker_consumers() {
        let what = format!("consumer {}", spec.durable);
        match consumer_config_of(session, &spec).await {
            None => findings.push(finding(what, Verdict::Change, "would be created")),
            Some(found) => {
                let settings = plan::consumer_changes(&found, &spec);
                if !settings.is_empty() {
                    findings.push(finding(what, Verdict::Change, would_change(&settings)));
                }
            }
        }
    }
    for spec in foreign {
        if consumer_config_of(session, &spec).await.is_none() {
            let next = "missing: `broker streams provision` makes it, or its reader at first start";
            findings.push(finding(format!("consumer {}", spec.durable), Verdict::Warning, next));
        }
    }
    if findings.is_empty() {
        findings.push(finding("consumers", Verdict::Fine, "all there, as declared"));
    }
    findings
}

async fn consumer_config_of(session: &Session, spec: &ConsumerSpec) -> Option<consumer::Config> {
    let stream = session.jetstream().get_stream_no_info(spec.stream).await.ok()?;
    let info = stream.consumer_info(&spec.durable).await.ok()?;
    Some(info.config)
}

fn table(findings: &[Finding]) -> String {
    let mut table = out::table(["CHECK", "", "DETAIL"]);
    for finding in findings {
        let verdict = match finding.verdict {
            Verdict::Fine => out::verdict("ok", true),
            Verdict::Change => Cell::new("change").fg(comfy_table::Color::Blue),
            Verdict::Warning => Cell::new("warning").fg(comfy_table::Color::Yellow),
            Verdict::Failure => out::verdict("FAILED", false),
        };
        table.add_row([Cell::new(&finding.what), verdict, Cell::new(&finding.detail)]);
    }
    out::trimmed(&table)
}
