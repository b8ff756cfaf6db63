//! `broker get | list | cancel | update | accept`: one question, one answer.

use std::time::Duration;

use clap::Args;
use schemas::id::CommandId;
use schemas::purchase::{
    AcceptQuote, CancelPurchase, GetPurchase, LIST_PAGE_MAX, ListPurchases, PurchaseStatus,
    Strategy, UpdatePurchase,
};
use schemas::subject::PurchaseOperation;
use schemas::text::Text;
use schemas::{CustomerId, Money, RequestId, Timestamp, json};

use super::call::Accepted;
use super::connect::{Connect, Session};
use super::error::CliError;
use super::values::{duration, from_now, money, timestamp, wire_name};
use super::view;

/// What every question needs.
#[derive(Debug, Args)]
pub(super) struct Ask {
    /// Whose requests: the token of its subjects.
    #[arg(long, short, env = "BROKER_CUSTOMER", value_name = "ID")]
    customer: CustomerId,
    /// JSON instead of a table.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: Connect,
}

impl Ask {
    async fn one(
        self,
        operation: PurchaseOperation,
        request: RequestId,
        body: Vec<u8>,
    ) -> anyhow::Result<()> {
        let session = self.connect.session(self.json).await?;
        let about = request.to_string();
        let accepted = session.command(operation, &self.customer, &about, body).await?;
        show(&session, &accepted)
    }
}

fn show(session: &Session, accepted: &Accepted) -> anyhow::Result<()> {
    Ok(session.out.show(&accepted.request, view::sheet)?)
}

#[derive(Debug, Args)]
pub(super) struct Get {
    /// Id of the request.
    request: RequestId,
    #[command(flatten)]
    ask: Ask,
}

impl Get {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let body = json::encode(&GetPurchase { request_id: self.request });
        self.ask.one(PurchaseOperation::Get, self.request, body).await
    }
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// Only those in this status.
    #[arg(long, value_parser = wire_name::<PurchaseStatus>)]
    status: Option<PurchaseStatus>,
    /// Most requests shown, newest first.
    #[arg(long, short = 'n', default_value_t = 20, value_name = "COUNT")]
    limit: usize,
    /// Only those older than this one.
    #[arg(long, value_name = "ID")]
    after: Option<RequestId>,
    #[command(flatten)]
    ask: Ask,
}

impl List {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let session = self.ask.connect.session(self.ask.json).await?;
        let (mut views, mut after) = (Vec::new(), self.after);
        while views.len() < self.limit {
            let left = u16::try_from(self.limit - views.len()).unwrap_or(LIST_PAGE_MAX);
            let limit = Some(left.min(LIST_PAGE_MAX));
            let list = ListPurchases { status: self.status, after, limit };
            let (page, next) = session.page(&self.ask.customer, json::encode(&list)).await?;
            views.extend(page);
            after = next;
            if after.is_none() {
                break;
            }
        }
        session.out.show(&views, |views| view::list(views))?;
        if let Some(last) = after
            && !session.out.json
        {
            eprintln!("there are more: --after {last}");
        }
        Ok(())
    }
}

/// Makes a command recognisable when it is sent again.
#[derive(Debug, Args)]
pub(super) struct Once {
    /// Id of this command, to send it once more; made anew if absent.
    #[arg(long, value_name = "ID")]
    command_id: Option<CommandId>,
}

impl Once {
    fn id(&self) -> CommandId {
        self.command_id.clone().unwrap_or_else(|| {
            let random: u64 = rand::random();
            CommandId::parse(&format!("cli-{random:016x}")).expect("hex with a prefix")
        })
    }
}

#[derive(Debug, Args)]
pub(super) struct Cancel {
    /// Id of the request.
    request: RequestId,
    /// Why; kept with the request.
    #[arg(long, value_parser = reason)]
    reason: Option<Text<200>>,
    #[command(flatten)]
    once: Once,
    #[command(flatten)]
    ask: Ask,
}

fn reason(text: &str) -> Result<Text<200>, String> {
    Text::parse(text).map_err(|e| e.to_string())
}

impl Cancel {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let body = json::encode(&CancelPurchase {
            request_id: self.request,
            command_id: self.once.id(),
            reason: self.reason,
        });
        self.ask.one(PurchaseOperation::Cancel, self.request, body).await
    }
}

#[derive(Debug, Args)]
pub(super) struct Update {
    /// Id of the request.
    request: RequestId,
    /// New limit: "29.99 USD".
    #[arg(long, value_name = "AMOUNT", value_parser = money)]
    max_total: Option<Money>,
    /// New end, counted from now.
    #[arg(long, value_name = "TIME", value_parser = duration, conflicts_with = "expires_at")]
    expires_in: Option<Duration>,
    /// New end (RFC 3339).
    #[arg(long, value_name = "INSTANT", value_parser = timestamp)]
    expires_at: Option<Timestamp>,
    /// balanced, cheapest or fast.
    #[arg(long, value_parser = wire_name::<Strategy>)]
    strategy: Option<Strategy>,
    /// Only if the request still has this version.
    #[arg(long, value_name = "VERSION")]
    if_version: Option<u64>,
    #[command(flatten)]
    once: Once,
    #[command(flatten)]
    ask: Ask,
}

impl Update {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let expires_at = self.expires_at.or_else(|| self.expires_in.map(from_now));
        if self.max_total.is_none() && expires_at.is_none() && self.strategy.is_none() {
            let what =
                "nothing to change: give --max-total, --expires-in, --expires-at or --strategy";
            return Err(CliError::Usage(what.to_owned()).into());
        }
        let body = json::encode(&UpdatePurchase {
            request_id: self.request,
            command_id: self.once.id(),
            if_version: self.if_version,
            max_total: self.max_total,
            expires_at,
            strategy: self.strategy,
        });
        self.ask.one(PurchaseOperation::Update, self.request, body).await
    }
}

#[derive(Debug, Args)]
pub(super) struct Accept {
    /// Id of the request.
    request: RequestId,
    /// `accept_token` of its latest `quoted` notification; `broker watch` shows it.
    #[arg(id = "accept_token", value_name = "ACCEPT_TOKEN")]
    token: String,
    #[command(flatten)]
    once: Once,
    #[command(flatten)]
    ask: Ask,
}

impl Accept {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let accept_token = Text::parse(&self.token)
            .map_err(|e| CliError::Usage(format!("the token cannot be right: {e}")))?;
        let body = json::encode(&AcceptQuote {
            request_id: self.request,
            command_id: self.once.id(),
            accept_token,
        });
        self.ask.one(PurchaseOperation::AcceptQuote, self.request, body).await
    }
}
