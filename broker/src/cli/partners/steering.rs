//! How partners stand with the serving broker, and an operator's word about one.

use std::time::Duration;

use async_nats::RequestErrorKind;
use bytes::Bytes;
use clap::{Args, Subcommand};
use comfy_table::Cell;
use schemas::subject::{self, AdminOperation};
use schemas::text::Text;
use schemas::{DurationMs, PartnerId, json};
use serde::de::DeserializeOwned;

use super::super::connect::{Connect, Session};
use super::super::error::CliError;
use super::super::out;
use super::super::values::duration;
use super::super::view::name;
use crate::operator::partners::{
    PartnerStanding, StandingsReply, SteerAction, SteerPartner, SteerReply,
};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Ask {
    /// How partners stand with the serving broker: tier, score and the numbers behind it, and how
    /// many questions it may have open and whether its breakers let any through.
    Standing {
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        connect: Connect,
    },
    /// A partner is asked first, whatever is known of it, until the time is over.
    Pin {
        /// How long, such as 12h or 30d.
        #[arg(long = "for", value_parser = duration, value_name = "TIME")]
        length: Duration,
        #[command(flatten)]
        word: Word,
    },
    /// A partner is not asked at all, until the time is over. Orders it has already are not
    /// touched.
    Ban {
        /// How long, such as 12h or 30d.
        #[arg(long = "for", value_parser = duration, value_name = "TIME")]
        length: Duration,
        #[command(flatten)]
        word: Word,
    },
    /// Takes a pin back.
    Unpin(Word),
    /// Takes a ban back.
    Unban(Word),
}

/// Goes into the audit log as it is.
#[derive(Debug, Args)]
pub(in crate::cli) struct Word {
    /// Its id in the directory.
    #[arg(value_parser = parse::<PartnerId>, value_name = "PARTNER")]
    partner: PartnerId,
    /// Why.
    #[arg(long, value_parser = text::<200>, value_name = "TEXT")]
    reason: Text<200>,
    /// Who answers for it.
    #[arg(long, alias = "by", env = "BROKER_ACTOR", value_parser = text::<64>, value_name = "NAME")]
    actor: Text<64>,
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: Connect,
}

fn parse<T: DeserializeOwned>(word: &str) -> Result<T, String> {
    serde_json::from_value(word.into()).map_err(|error| error.to_string())
}

fn text<const MAX: usize>(word: &str) -> Result<Text<MAX>, String> {
    Text::parse(word).map_err(|error| error.to_string())
}

impl Ask {
    pub(in crate::cli) async fn run(self) -> anyhow::Result<()> {
        let (action, length, word) = match self {
            Self::Standing { json, connect } => return show(json, &connect).await,
            Self::Pin { length, word } => (SteerAction::Pin, Some(length), word),
            Self::Ban { length, word } => (SteerAction::Ban, Some(length), word),
            Self::Unpin(word) | Self::Unban(word) => (SteerAction::TakeBack, None, word),
        };
        word.say(action, length).await
    }
}

impl Word {
    async fn say(self, action: SteerAction, length: Option<Duration>) -> anyhow::Result<()> {
        let session = self.connect.session(self.json).await?;
        let ms = |length: Duration| u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
        let asked = SteerPartner {
            partner_id: self.partner.clone(),
            action,
            for_ms: length.map(|length| DurationMs(ms(length))),
            by: self.actor,
            reason: self.reason,
        };
        let doing = format!("{} partner {}", name(&action), self.partner);
        match ask(&session, AdminOperation::SteerPartner, &doing, json::encode(&asked)).await? {
            reply @ SteerReply::Kept => {
                Ok(session.out.show(&reply, |_| format!("{doing}: kept"))?)
            }
            SteerReply::Rejected(problem) => {
                Err(CliError::Refused { doing, problem: Box::new(problem) }.into())
            }
        }
    }
}

async fn show(json: bool, connect: &Connect) -> anyhow::Result<()> {
    let session = connect.session(json).await?;
    let doing = "show how partners stand".to_owned();
    match ask(&session, AdminOperation::Partners, &doing, Vec::new()).await? {
        StandingsReply::Shown { partners } => {
            Ok(session.out.show(&partners, |partners| table(partners))?)
        }
        StandingsReply::Rejected(problem) => {
            Err(CliError::Refused { doing, problem: Box::new(problem) }.into())
        }
    }
}

async fn ask<T: DeserializeOwned>(
    session: &Session,
    operation: AdminOperation,
    doing: &str,
    body: Vec<u8>,
) -> Result<T, CliError> {
    let reply = session.client.request(subject::admin(operation), Bytes::from(body)).await;
    let reply = reply.map_err(|error| {
        let next = match error.kind() {
            RequestErrorKind::NoResponders => {
                "nothing was done; a broker must be serving that may subscribe to broker.admin.*"
                    .to_owned()
            }
            _ => format!("this login needs the right to publish on {}", subject::admin(operation)),
        };
        let said = session.said.words();
        CliError::Silent { doing: doing.to_owned(), why: error.to_string(), said, next }
    })?;
    json::decode(&reply.payload, usize::MAX)
        .map_err(|e| session.failed(format!("{doing}: the broker's answer cannot be read"), e))
}

fn table(partners: &[PartnerStanding]) -> String {
    let mut table = out::table([
        "PARTNER", "TIER", "SCORE", "WON", "OF", "KEPT", "IN TIME", "IN STOCK", "ANSWERS", "P50",
        "P95", "LIMIT", "BREAKER", "STEERED",
    ]);
    let share = |permille: u64| Cell::new(format!("{}.{} %", permille / 10, permille % 10));
    let time = |ms: Option<DurationMs>| Cell::new(ms.map_or("-".to_owned(), |ms| ms.to_string()));
    for p in partners {
        let steered = p.steered.as_ref().map_or_else(String::new, |said| {
            format!("{} until {} by {}: {}", name(&said.action), said.until, said.by, said.reason)
        });
        table.add_row([
            Cell::new(&p.partner_id),
            Cell::new(name(&p.tier)),
            share(p.score_permille),
            share(p.won_permille),
            Cell::new(p.decisions),
            share(p.kept_permille),
            share(p.in_time_permille),
            share(p.in_stock_permille),
            Cell::new(p.answers),
            time(p.p50_ms),
            time(p.p95_ms),
            Cell::new(p.concurrency_limit),
            Cell::new(name(&p.circuit)),
            Cell::new(steered),
        ]);
    }
    out::trimmed(&table)
}
