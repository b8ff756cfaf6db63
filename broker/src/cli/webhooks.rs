//! `broker webhooks`: deliveries to customers, by webhook and by e-mail.

use async_nats::jetstream;
use broker_notifier::key::{Channel, DeliveryId};
use broker_notifier::operator::{Desk, EndpointView, Replayed, Wanted};
use broker_notifier::record::{Delivery, EndpointRecord, State};
use broker_notifier::store::StoreError;
use clap::{Args, Subcommand};
use comfy_table::Cell;
use schemas::{CustomerId, Timestamp};
use serde::Serialize;
use serde_json::json;

use super::connect::{Connect, Session};
use super::error::CliError;
use super::out;

#[derive(Debug, Subcommand)]
pub(super) enum Webhooks {
    /// The newest deliveries.
    List {
        #[command(flatten)]
        which: Which,
        /// Most deliveries shown.
        #[arg(long, short = 'n', default_value_t = 20, value_name = "COUNT")]
        limit: usize,
        #[command(flatten)]
        how: How,
    },
    /// One delivery, with the notification as long as it is not delivered.
    Show {
        /// Its id, msg_….
        #[arg(value_parser = delivery_id)]
        id: DeliveryId,
        #[command(flatten)]
        how: How,
    },
    /// Sends failed deliveries again, under their old ids and with all their attempts; one that
    /// waits is sent at once.
    Replay {
        /// Their ids.
        #[arg(value_parser = delivery_id, required_unless_present = "failed")]
        ids: Vec<DeliveryId>,
        /// All that have failed, of the customer and channel given.
        #[arg(long, conflicts_with = "ids")]
        failed: bool,
        /// Only this customer's.
        #[arg(long, requires = "failed", value_name = "ID")]
        customer: Option<CustomerId>,
        /// Only on this channel: email or webhook.
        #[arg(long, requires = "failed", value_parser = channel, value_name = "CHANNEL")]
        channel: Option<Channel>,
        #[command(flatten)]
        how: How,
    },
    /// Endpoints that fail or are disabled.
    Endpoints {
        #[command(flatten)]
        how: How,
    },
    /// Lets the webhook of a customer be called again that answered 410 or failed for days. What
    /// failed meanwhile is sent by `replay --failed --customer`.
    Enable {
        /// Whose webhook.
        #[arg(long, value_name = "ID")]
        customer: CustomerId,
        #[command(flatten)]
        how: How,
    },
}

#[derive(Debug, Args)]
pub(super) struct Which {
    /// Only this customer's.
    #[arg(long, value_name = "ID")]
    customer: Option<CustomerId>,
    /// Only on this channel: email or webhook.
    #[arg(long, value_parser = channel, value_name = "CHANNEL")]
    channel: Option<Channel>,
    /// Only in this state.
    #[arg(long, value_parser = ["pending", "sending", "delivered", "failed"])]
    status: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct How {
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: Connect,
}

fn delivery_id(text: &str) -> Result<DeliveryId, String> {
    let form = || format!("{text:?} is no delivery id: msg_ and 26 letters and digits");
    DeliveryId::parse(text).ok_or_else(form)
}

fn channel(text: &str) -> Result<Channel, String> {
    Channel::parse(text).ok_or_else(|| format!("{text:?} is neither email nor webhook"))
}

/// What became of one replay.
#[derive(Debug, Serialize)]
struct Done<'a> {
    id: &'a DeliveryId,
    result: Replayed,
}

struct Counter {
    desk: Desk,
    session: Session,
}

impl Webhooks {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::List { which: Which { customer, channel, status }, limit, how } => {
                let counter = Counter::open(&how).await?;
                let wanted = Wanted { customer, channel, status };
                let mut found = counter.list(&wanted).await?;
                found.truncate(limit);
                let found: Vec<Delivery> =
                    found.into_iter().map(|(found, _)| summary(found)).collect();
                Ok(counter.session.out.show(&found, |found| table(found))?)
            }
            Self::Show { id, how } => {
                let counter = Counter::open(&how).await?;
                let (delivery, _) = counter.one(&id).await?;
                Ok(counter.session.out.show(&delivery, sheet)?)
            }
            Self::Replay { ids, failed, customer, channel, how } => {
                let counter = Counter::open(&how).await?;
                let found = if failed {
                    let status = Some("failed".to_owned());
                    counter.list(&Wanted { customer, channel, status }).await?
                } else {
                    let mut found = Vec::new();
                    for id in &ids {
                        found.push(counter.one(id).await?);
                    }
                    found
                };
                for (delivery, revision) in found {
                    counter.replay(delivery, revision).await?;
                }
                Ok(())
            }
            Self::Endpoints { how } => {
                let counter = Counter::open(&how).await?;
                let found = counter.desk.endpoints().await;
                let found = found.map_err(|e| counter.failed("read the endpoints", e))?;
                Ok(counter.session.out.show(&found, |found| endpoints(found))?)
            }
            Self::Enable { customer, how } => {
                let counter = Counter::open(&how).await?;
                let since = counter.desk.enable(&customer, Channel::Webhook).await;
                let doing = || format!("enable the webhook of {customer}");
                let since = since.map_err(|e| counter.failed(&doing(), e))?;
                let said = json!({ "customer_id": customer, "disabled_since": since });
                Ok(counter.session.out.next(&said, |_| enabled(&customer, since))?)
            }
        }
    }
}

impl Counter {
    async fn open(how: &How) -> anyhow::Result<Self> {
        let session = how.connect.session(how.json).await?;
        let context: jetstream::Context = session.jetstream();
        let desk = Desk::open(&context).await;
        let desk = desk.map_err(|e| session.failed("open what the notifier keeps", e))?;
        Ok(Self { desk, session })
    }

    fn failed(&self, doing: &str, error: StoreError) -> CliError {
        self.session.failed(doing, error)
    }

    async fn list(&self, wanted: &Wanted) -> Result<Vec<(Delivery, u64)>, CliError> {
        self.desk.list(wanted).await.map_err(|e| self.failed("list deliveries", e))
    }

    async fn one(&self, id: &DeliveryId) -> Result<(Delivery, u64), CliError> {
        let doing = format!("find delivery {id}");
        let found = self.desk.show(id).await.map_err(|e| self.failed(&doing, e))?;
        found.ok_or_else(|| CliError::NotFound {
            doing,
            what: "a delivery of that id".to_owned(),
            next: "`broker webhooks list` shows those there are".to_owned(),
        })
    }

    async fn replay(&self, delivery: Delivery, revision: u64) -> anyhow::Result<()> {
        let id = delivery.id.clone();
        let result = self.desk.replay(delivery, revision).await;
        let result = result.map_err(|e| self.failed(&format!("replay delivery {id}"), e))?;
        Ok(self.session.out.next(&Done { id: &id, result }, |_| replayed(&id, result))?)
    }
}

fn replayed(id: &DeliveryId, result: Replayed) -> String {
    match result {
        Replayed::Due => format!("{id} is due again"),
        Replayed::Hastened => format!("{id} waited, and is due now"),
        Replayed::Delivered => format!("{id} is delivered already; it is not sent again"),
        Replayed::UnderWay => format!("{id} is being sent just now"),
        Replayed::Changed => format!("{id} was changed meanwhile; look at it again"),
    }
}

fn enabled(customer: &CustomerId, since: Option<Timestamp>) -> String {
    match since {
        Some(since) => format!("the webhook of {customer}, disabled since {since}, is enabled"),
        None => format!("the webhook of {customer} is not disabled"),
    }
}

/// Without the notification: a list is for looking over.
fn summary(delivery: Delivery) -> Delivery {
    Delivery { notification: None, ..delivery }
}

fn table(deliveries: &[Delivery]) -> String {
    if deliveries.is_empty() {
        return "no deliveries".to_owned();
    }
    let columns =
        ["DELIVERY", "CREATED", "CUSTOMER", "CHANNEL", "OUTCOME", "STATE", "TRIES", "LAST FAILURE"];
    let mut table = out::table(columns);
    for delivery in deliveries {
        table.add_row([
            Cell::new(&delivery.id),
            Cell::new(delivery.created_at),
            Cell::new(&delivery.customer_id),
            Cell::new(delivery.channel.label()),
            Cell::new(delivery.outcome.label()),
            state(delivery.state),
            Cell::new(delivery.attempts),
            Cell::new(last_failure(delivery)),
        ]);
    }
    out::trimmed(&table)
}

fn state(state: State) -> Cell {
    match state {
        State::Delivered { .. } => out::verdict(state.label(), true),
        State::Failed { .. } => out::verdict(state.label(), false),
        State::Pending { .. } | State::Sending { .. } => Cell::new(state.label()),
    }
}

fn last_failure(delivery: &Delivery) -> String {
    let Some(failure) = delivery.last_failure else { return String::new() };
    let code = failure.code.map(|code| format!(" {code}")).unwrap_or_default();
    format!("{}{code}", failure.why.label())
}

fn sheet(delivery: &Delivery) -> String {
    let when = match delivery.state {
        State::Pending { due_at } => ("due", due_at),
        State::Sending { until } => ("until", until),
        State::Delivered { at } | State::Failed { at } => ("at", at),
    };
    let mut rows = vec![
        ("delivery", Cell::new(&delivery.id)),
        ("notification", Cell::new(&delivery.notification_id)),
        ("request", Cell::new(delivery.request_id)),
        ("customer", Cell::new(&delivery.customer_id)),
        ("channel", Cell::new(delivery.channel.label())),
        ("outcome", Cell::new(delivery.outcome.label())),
        ("number", Cell::new(delivery.number)),
        ("created", Cell::new(delivery.created_at)),
        ("state", state(delivery.state)),
        (when.0, Cell::new(when.1)),
        ("attempts", Cell::new(delivery.attempts)),
    ];
    if let Some(failure) = delivery.last_failure {
        rows.push(("last failure", Cell::new(last_failure(delivery))));
        rows.push(("failed at", Cell::new(failure.at)));
    }
    let body = delivery.notification.as_ref().map(|told| told.get()).unwrap_or_default();
    format!("{}\n\n{body}", out::sheet(rows))
}

fn endpoints(endpoints: &[EndpointView]) -> String {
    if endpoints.is_empty() {
        return "no endpoint has failed".to_owned();
    }
    let mut table = out::table(["CUSTOMER", "CHANNEL", "STATE", "SINCE", "WHY"]);
    for EndpointView { customer_id, channel, record } in endpoints {
        let (state, since, why) = match record {
            EndpointRecord::Failing { since } => (Cell::new("failing"), since, ""),
            EndpointRecord::Disabled { at, why } => {
                (out::verdict("disabled", false), at, why.label())
            }
            EndpointRecord::Enabled { at } => (out::verdict("enabled", true), at, ""),
        };
        let (customer, channel) = (Cell::new(customer_id), Cell::new(channel.label()));
        table.add_row([customer, channel, state, Cell::new(since), Cell::new(why)]);
    }
    out::trimmed(&table)
}
