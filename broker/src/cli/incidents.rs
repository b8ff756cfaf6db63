//! `broker incidents`: what waits for a human, and the human's word.

use bytes::Bytes;
use clap::{ArgGroup, Args, Subcommand};
use comfy_table::Cell;
use schemas::id::OrderId;
use schemas::purchase::{CommandReply, PurchaseView};
use schemas::subject::{self, AdminOperation};
use schemas::text::Text;
use schemas::{Money, RequestId, json};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::connect::{Connect, Session};
use super::error::CliError;
use super::values::money;
use super::{out, view};
use crate::operator::{IncidentView, IncidentsReply, ListIncidents, Resolution, Resolve};

#[derive(Debug, Subcommand)]
pub(super) enum Incidents {
    /// Open requests that wait for a human, with what is known of them.
    List {
        #[command(flatten)]
        how: How,
    },
    /// Says what became of an order that machines could not find out about. Ask the store first,
    /// by the placement key that the list shows; the word stands in the audit log.
    Resolve(Box<ResolveArgs>),
    /// Lets requests go on that were frozen by a restore.
    Release {
        /// Their ids.
        #[arg(required_unless_present = "all")]
        requests: Vec<RequestId>,
        /// Every frozen one.
        #[arg(long, conflicts_with = "requests")]
        all: bool,
        #[command(flatten)]
        who: Who,
        #[command(flatten)]
        how: How,
    },
}

#[derive(Debug, Args)]
pub(super) struct How {
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: Connect,
}

/// For the audit log.
#[derive(Debug, Clone, Args)]
pub(super) struct Who {
    /// Who answers for it.
    #[arg(long, env = "BROKER_ACTOR", value_name = "NAME", value_parser = text::<100>)]
    pub(super) actor: Text<100>,
    /// On what evidence.
    #[arg(long, value_name = "TEXT", value_parser = text::<500>)]
    pub(super) reason: Text<500>,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("word").required(true).args(["found", "not_found"])))]
pub(super) struct ResolveArgs {
    /// Id of the request.
    request: RequestId,
    /// Number of the attempt, as the list shows it.
    #[arg(long, value_name = "NUMBER")]
    attempt: u8,
    /// The order stands, under this id of the store.
    #[arg(long, value_name = "ORDER", value_parser = OrderId::parse, requires = "total")]
    found: Option<OrderId>,
    /// What it costs in all, such as "24.99 USD".
    #[arg(long, value_name = "AMOUNT", value_parser = money, conflicts_with = "not_found")]
    total: Option<Money>,
    /// The store has no such order and will not accept it any more. The book may then be bought
    /// elsewhere.
    #[arg(long)]
    not_found: bool,
    #[command(flatten)]
    who: Who,
    #[command(flatten)]
    how: How,
}

pub(super) fn text<const MAX: usize>(words: &str) -> Result<Text<MAX>, String> {
    Text::parse(words).map_err(|e| e.to_string())
}

impl Incidents {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::List { how } => {
                let session = how.connect.session(how.json).await?;
                let incidents = open(&session).await?;
                Ok(session.out.show(&incidents, |incidents| sheets(incidents))?)
            }
            Self::Resolve(args) => args.run().await,
            Self::Release { requests, all, who, how } => {
                let session = how.connect.session(how.json).await?;
                let requests = if all { frozen(&session).await? } else { requests };
                for request_id in requests {
                    let (actor, reason) = (who.actor.clone(), who.reason.clone());
                    let resolution = Resolution::Release;
                    let word = Resolve { request_id, actor, reason, resolution };
                    let view = resolve(&session, &word).await?;
                    session.out.next(&view, |_| format!("{request_id} goes on"))?;
                }
                Ok(())
            }
        }
    }
}

impl ResolveArgs {
    async fn run(self) -> anyhow::Result<()> {
        let attempt = self.attempt;
        let resolution = match (self.found, self.total) {
            (Some(order_id), Some(total)) => Resolution::Found { attempt, order_id, total },
            _ => Resolution::NotFound { attempt },
        };
        let Who { actor, reason } = self.who;
        let word = Resolve { request_id: self.request, actor, reason, resolution };
        let session = self.how.connect.session(self.how.json).await?;
        let changed = resolve(&session, &word).await?;
        Ok(session.out.show(&changed, view::sheet)?)
    }
}

async fn frozen(session: &Session) -> Result<Vec<RequestId>, CliError> {
    let open = open(session).await?;
    let frozen = open.into_iter().filter(|incident| incident.frozen_at.is_some());
    Ok(frozen.map(|incident| incident.request_id).collect())
}

async fn open(session: &Session) -> Result<Vec<IncidentView>, CliError> {
    const DOING: &str = "list the incidents";
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let list = ListIncidents { after };
        match ask(session, AdminOperation::Incidents, DOING, &list).await? {
            IncidentsReply::Page { incidents, next } => {
                all.extend(incidents);
                after = next;
            }
            IncidentsReply::Rejected(problem) => {
                return Err(CliError::Refused { doing: DOING.to_owned(), problem: problem.into() });
            }
        }
        if after.is_none() {
            return Ok(all);
        }
    }
}

async fn resolve(session: &Session, word: &Resolve) -> Result<PurchaseView, CliError> {
    let doing = format!("resolve request {}", word.request_id);
    match ask(session, AdminOperation::Resolve, &doing, word).await? {
        CommandReply::Accepted { request, .. } => Ok(*request),
        CommandReply::Rejected(problem) => {
            Err(CliError::Refused { doing, problem: problem.into() })
        }
    }
}

pub(super) async fn ask<T: DeserializeOwned>(
    session: &Session,
    operation: AdminOperation,
    doing: &str,
    body: &impl Serialize,
) -> Result<T, CliError> {
    let subject = subject::admin(operation);
    let reply = session.client.request(subject.clone(), Bytes::from(json::encode(body))).await;
    let reply = reply.map_err(|error| CliError::Silent {
        doing: doing.to_owned(),
        why: error.to_string(),
        said: session.said.words(),
        next: format!("a broker must serve, and this login may publish on {subject}"),
    })?;
    json::decode(&reply.payload, usize::MAX)
        .map_err(|e| session.failed(format!("{doing}: the broker's answer cannot be read"), e))
}

fn sheets(incidents: &[IncidentView]) -> String {
    if incidents.is_empty() {
        return "nothing waits for a human".to_owned();
    }
    incidents.iter().map(sheet).collect::<Vec<_>>().join("\n\n")
}

fn sheet(incident: &IncidentView) -> String {
    let mut rows = vec![
        ("request", Cell::new(incident.request_id)),
        ("customer", Cell::new(&incident.customer)),
        ("status", out::status(incident.status)),
    ];
    if let Some(what) = &incident.incident {
        rows.push(("incident", out::verdict(what, false)));
    }
    if let Some(since) = incident.frozen_at {
        rows.push(("frozen", Cell::new(format!("since {since}; nothing is bought for it"))));
    }
    rows.push(("book", Cell::new(format!("{} × {}", incident.isbn, incident.quantity))));
    rows.push(("limit", Cell::new(incident.max_total)));
    if let Some(attempt) = &incident.attempt {
        let at = format!("{} at {}, {}", attempt.number, attempt.partner, attempt.step);
        rows.push(("attempt", Cell::new(at)));
        rows.push(("placement key", Cell::new(&attempt.placement_key)));
        rows.push(("quote", Cell::new(&attempt.quote_id)));
        if let (Some(cap), Some(until)) = (attempt.price_cap, attempt.not_after) {
            rows.push(("sent", Cell::new(format!("up to {cap}, to be accepted until {until}"))));
        }
        if let Some(held) = attempt.authorized {
            rows.push(("held", Cell::new(held)));
        }
        if let (Some(since), Some(lookups)) = (attempt.unknown_since, attempt.lookups) {
            rows.push(("unknown", Cell::new(format!("since {since}, asked {lookups} times"))));
        }
        if let Some(order) = &attempt.order_id {
            rows.push(("order", Cell::new(order)));
        }
    }
    for order in &incident.other_orders {
        rows.push(("other order", Cell::new(order)));
    }
    out::sheet(rows)
}
