//! `broker streams`: how full they are, who lags, and everything a locked-down server needs made.

use async_nats::jetstream::consumer;
use clap::Subcommand;
use comfy_table::Cell;
use futures_util::TryStreamExt;
use schemas::directory::Transport;
use schemas::stream::{
    self, ConsumerSpec, Discard, StreamSpec, customer_notifications_consumer,
    partner_commands_consumer, partner_quotes_consumer, payment_commands_consumer,
};
use schemas::{CustomerId, DurationMs};
use serde::Serialize;

use super::config::ConfigArgs;
use super::connect::{Connect, Session};
use super::error::CliError;
use super::out;
use crate::config::Config;
use crate::directory::load_partners;
use crate::nats::plan::consumer_changes;
use crate::nats::streams;

#[derive(Debug, Subcommand)]
pub(super) enum Streams {
    /// Messages, room and consumers of every stream.
    Status {
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        connect: Connect,
    },
    /// Makes all streams, and the consumers of every partner of the directory and of the payment
    /// provider, so that none of them needs the right to. Safe to repeat.
    Provision {
        #[command(flatten)]
        from: ConfigArgs,
        /// Also a consumer of what this customer is told, `customer_ID`: for a program that must
        /// hear of what happened while it was away. May be repeated.
        #[arg(long = "customer", value_name = "ID")]
        customers: Vec<CustomerId>,
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        connect: Connect,
    },
}

impl Streams {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Status { json, connect } => status(&connect.session(json).await?).await,
            Self::Provision { from, customers, json, connect } => {
                let config = from.load()?.config;
                let session = connect.session_with(connect.over(config.nats.clone()), json).await?;
                provision(&session, &config, &customers).await
            }
        }
    }
}

#[derive(Debug, Serialize)]
struct StreamStatus {
    name: &'static str,
    exists: bool,
    messages: u64,
    bytes: u64,
    /// Of the stream as it is; of one that is missing, the default.
    max_bytes: u64,
    max_age_ms: DurationMs,
    when_full: &'static str,
    consumers: Vec<ConsumerStatus>,
}

#[derive(Debug, Serialize)]
struct ConsumerStatus {
    name: String,
    /// Not yet delivered.
    pending: u64,
    /// Delivered, not yet acknowledged.
    in_flight: usize,
    redelivered: usize,
    /// Settings that `serve` would change at its next start; the broker's own consumers only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    would_change: Vec<&'static str>,
}

async fn status(session: &Session) -> anyhow::Result<()> {
    let mut all = Vec::new();
    for spec in stream::all() {
        all.push(one(session, &spec).await?);
    }
    let missing: Vec<&str> = all.iter().filter(|s| !s.exists).map(|s| s.name).collect();
    session.out.show(&all, |all| table(all))?;
    if missing.is_empty() {
        return Ok(());
    }
    Err(CliError::NotFound {
        doing: "show every stream".to_owned(),
        what: missing.join(", "),
        next: "`broker serve` or `broker streams provision` makes it".to_owned(),
    }
    .into())
}

async fn one(session: &Session, spec: &StreamSpec) -> Result<StreamStatus, CliError> {
    let name = spec.name;
    let doing = || format!("look at stream {name}");
    let mut status = StreamStatus {
        name,
        exists: false,
        messages: 0,
        bytes: 0,
        max_bytes: spec.max_bytes,
        max_age_ms: spec.max_age,
        when_full: match spec.discard {
            Discard::New => "refuses",
            Discard::Old => "drops",
        },
        consumers: Vec::new(),
    };
    let stream = match session.jetstream().get_stream(name).await {
        Ok(stream) => stream,
        Err(error) if streams::is_missing(&error) => return Ok(status),
        Err(error) => return Err(session.failed(doing(), error)),
    };
    let info = stream.cached_info();
    status.exists = true;
    status.messages = info.state.messages;
    status.bytes = info.state.bytes;
    // What is in force; `serve` and `provision` make it what the configuration says.
    status.max_bytes = u64::try_from(info.config.max_bytes).unwrap_or(u64::MAX);
    status.max_age_ms = DurationMs(u64::try_from(info.config.max_age.as_millis()).unwrap_or(0));
    let mut consumers = stream.consumers();
    while let Some(info) = consumers.try_next().await.map_err(|e| session.failed(doing(), e))? {
        status.consumers.push(ConsumerStatus {
            name: info.name.clone(),
            pending: info.num_pending,
            in_flight: info.num_ack_pending,
            redelivered: info.num_redelivered,
            would_change: would_change(name, &info),
        });
    }
    Ok(status)
}

fn would_change(stream: &str, info: &consumer::Info) -> Vec<&'static str> {
    let ours = stream::broker_consumers().into_iter().find(|spec| spec.stream == stream);
    // A stand-in has a name of its own and the same settings.
    let Some(ours) = ours.filter(|spec| spec.names().any(|spec| spec.durable == info.name)) else {
        return Vec::new();
    };
    let changes = consumer_changes(&info.config, &ours);
    changes.into_iter().map(|setting| setting.name).collect()
}

fn table(all: &[StreamStatus]) -> String {
    let columns = [
        "STREAM",
        "MESSAGES",
        "BYTES",
        "OF",
        "FOR",
        "IF FULL",
        "CONSUMER",
        "PENDING",
        "IN FLIGHT",
        "AGAIN",
        "",
    ];
    let mut table = out::table(columns);
    for status in all {
        let mut first = vec![
            Cell::new(status.name),
            Cell::new(status.messages),
            Cell::new(out::bytes(status.bytes)),
            Cell::new(out::bytes(status.max_bytes)),
            Cell::new(out::span(status.max_age_ms)),
            Cell::new(status.when_full),
        ];
        if !status.exists {
            first[1] = out::verdict("missing", false);
        }
        if status.consumers.is_empty() {
            table.add_row(first);
            continue;
        }
        for consumer in &status.consumers {
            let mut row = std::mem::replace(&mut first, vec![Cell::new(""); 6]);
            row.extend([
                Cell::new(&consumer.name),
                Cell::new(consumer.pending),
                Cell::new(consumer.in_flight),
                Cell::new(consumer.redelivered),
            ]);
            if !consumer.would_change.is_empty() {
                let settings = consumer.would_change.join(", ");
                row.push(Cell::new(format!("`serve` would change {settings}")));
            }
            table.add_row(row);
        }
    }
    out::trimmed(&table)
}

/// The consumers of everybody but the broker, which makes its own.
pub(super) fn foreign_consumers(config: &Config) -> anyhow::Result<Vec<ConsumerSpec>> {
    let partners = load_partners(&config.partners_file)?;
    let mut consumers = Vec::new();
    for (_, partner) in partners.iter() {
        consumers.push(partner_commands_consumer(&partner.id));
        if partner.transport == Transport::Queued {
            consumers.push(partner_quotes_consumer(&partner.id));
        }
    }
    consumers.push(payment_commands_consumer(&config.payment_provider));
    Ok(consumers)
}

async fn provision(
    session: &Session,
    config: &Config,
    customers: &[CustomerId],
) -> anyhow::Result<()> {
    let mut consumers = foreign_consumers(config)?;
    consumers.extend(customers.iter().map(customer_notifications_consumer));
    let jetstream = session.jetstream();
    streams::ensure_all(&jetstream, &session.client, &config.streams.specs()).await?;
    let mut made: Vec<String> =
        stream::all().iter().map(|spec| format!("stream {}", spec.name)).collect();
    for spec in stream::broker_consumers().iter().chain(&consumers) {
        streams::ensure_consumer(&jetstream, spec).await?;
        made.push(format!("consumer {} of {}", spec.durable, spec.stream));
    }
    Ok(session.out.show(&made, |made| format!("{}\nall there", made.join("\n")))?)
}
