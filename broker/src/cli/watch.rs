//! `broker watch`: one request, live.
//!
//! Events and notifications are heard as they are published. Both can be missed (a connection that
//! breaks, a broker that comes back), so the request itself is looked at every few seconds as well;
//! versions say what is news.

use std::time::Duration;

use async_nats::Subscriber;
use clap::{Args, ValueEnum};
use futures_util::StreamExt;
use schemas::event::{Notification, NotificationOutcome, PurchaseEvent};
use schemas::purchase::{CheckoutStatus, GetPurchase, Mode, PurchaseStatus, PurchaseView};
use schemas::subject::{PurchaseOperation, filter};
use schemas::{CustomerId, RequestId, Timestamp, json};
use serde::Serialize;

use super::connect::{Connect, Session};
use super::error::CliError;
use super::values::now;
use super::view;

const LOOK_INTERVAL: Duration = Duration::from_secs(3);
const LAST_WORDS_WAIT: Duration = Duration::from_secs(1);

/// When to stop following.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Until {
    /// The first outcome: ordered, quoted, out of stock, expired, failed, canceled.
    Outcome,
    /// Nothing more can happen to it.
    Closed,
}

#[derive(Debug, Args)]
pub(super) struct Watch {
    /// Id of the request.
    request: RequestId,
    /// When to stop.
    #[arg(long, value_enum, default_value = "closed")]
    until: Until,
    /// Whose request: the token of its subjects.
    #[arg(long, short, env = "BROKER_CUSTOMER", value_name = "ID")]
    customer: CustomerId,
    /// One line of JSON per change.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: Connect,
}

impl Watch {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let session = self.connect.session(self.json).await?;
        let events = listen(&session, &self.customer, self.request).await?;
        events.follow(&session, self.until).await
    }
}

/// One thing that happened.
#[derive(Debug, Serialize)]
struct News<'a> {
    at: Timestamp,
    version: u64,
    /// `event`, `notification` or `now`, when it was looked up.
    kind: &'static str,
    what: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    accept_token: Option<&'a str>,
    request: &'a PurchaseView,
}

/// Ears on one request.
pub(super) struct Events {
    customer: CustomerId,
    request: RequestId,
    events: Subscriber,
    notifications: Subscriber,
    /// Version shown last.
    shown: Option<u64>,
    /// Number of the notification shown last.
    told: Option<u16>,
}

/// Listens before anything is asked, so that nothing falls in between.
pub(super) async fn listen(
    session: &Session,
    customer: &CustomerId,
    request: RequestId,
) -> anyhow::Result<Events> {
    let subscribe = async |subject: String| {
        let doing = format!("listen on {subject}");
        session.client.subscribe(subject).await.map_err(|e| session.failed(doing, e))
    };
    Ok(Events {
        events: subscribe(filter::purchase_events_of(customer, request)).await?,
        notifications: subscribe(filter::notifications_of(customer)).await?,
        customer: customer.clone(),
        request,
        shown: None,
        told: None,
    })
}

impl Events {
    /// Shows what happens until it is over.
    ///
    /// # Errors
    /// When it ended without an order: for the exit code.
    pub(super) async fn follow(mut self, session: &Session, until: Until) -> anyhow::Result<()> {
        let mut looks = tokio::time::interval(LOOK_INTERVAL);
        loop {
            let view = tokio::select! {
                biased;
                Some(message) = self.events.next() => self.event(session, &message.payload)?,
                Some(message) = self.notifications.next() => {
                    self.notification(session, &message.payload)?
                }
                _ = looks.tick() => self.look(session).await?,
            };
            if let Some(view) = view
                && is_over(&view, until)
            {
                self.last_words(session).await?;
                return ended(&view);
            }
        }
    }

    /// The event of an outcome comes a moment before its notification, which has the token.
    async fn last_words(&mut self, session: &Session) -> anyhow::Result<()> {
        while self.told.is_none() {
            match tokio::time::timeout(LAST_WORDS_WAIT, self.notifications.next()).await {
                Ok(Some(message)) => drop(self.notification(session, &message.payload)?),
                // Told before we listened, or never: the outcome is known anyhow.
                Ok(None) | Err(_) => return Ok(()),
            }
        }
        Ok(())
    }

    fn event(&mut self, session: &Session, body: &[u8]) -> anyhow::Result<Option<PurchaseView>> {
        let Ok(event) = json::decode::<PurchaseEvent>(body, usize::MAX) else { return Ok(None) };
        let (at, what) = (event.at, event.event.label());
        self.version(session, event.request, ("event", what), at)
    }

    /// The same change is told by event, notification and look; it is shown once.
    fn version(
        &mut self,
        session: &Session,
        view: PurchaseView,
        (kind, what): (&'static str, &'static str),
        at: Timestamp,
    ) -> anyhow::Result<Option<PurchaseView>> {
        if self.shown.is_some_and(|shown| shown >= view.version) {
            return Ok(Some(view));
        }
        self.shown = Some(view.version);
        let accept_token = None;
        let version = view.version;
        show(session, &News { at, version, kind, what, accept_token, request: &view })?;
        Ok(Some(view))
    }

    fn notification(
        &mut self,
        session: &Session,
        body: &[u8],
    ) -> anyhow::Result<Option<PurchaseView>> {
        let Ok(told) = json::decode::<Notification>(body, usize::MAX) else { return Ok(None) };
        let seen = self.told.is_some_and(|number| number >= told.number);
        if told.request_id != self.request || seen {
            return Ok(None);
        }
        self.told = Some(told.number);
        show(
            session,
            &News {
                at: told.at,
                version: told.request.version,
                kind: "notification",
                what: told.outcome.label(),
                accept_token: told.accept_token.as_deref(),
                request: &told.request,
            },
        )?;
        if let (NotificationOutcome::Quoted, Some(token), false) =
            (told.outcome, &told.accept_token, session.out.json)
        {
            let (customer, request) = (&self.customer, self.request);
            super::out::line(&format!(
                "  to buy it nevertheless: broker accept -c {customer} {request} {token}"
            ))?;
        }
        Ok(Some(told.request))
    }

    /// A broker that is away for a moment is waited for, once it was there.
    async fn look(&mut self, session: &Session) -> anyhow::Result<Option<PurchaseView>> {
        let body = json::encode(&GetPurchase { request_id: self.request });
        let about = self.request.to_string();
        let got = session.command(PurchaseOperation::Get, &self.customer, &about, body).await;
        match got {
            Ok(got) => {
                let what = got.request.status.label();
                self.version(session, got.request, ("now", what), now())
            }
            Err(CliError::Silent { .. }) if self.shown.is_some() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

fn show(session: &Session, news: &News<'_>) -> std::io::Result<()> {
    session.out.next(news, |news| {
        let News { at, version, what, kind, request, .. } = news;
        let who = if *kind == "notification" { "told: " } else { "" };
        format!("{at}  v{version:<3} {who}{what:<12} {}", view::news(request))
    })
}

fn is_over(view: &PurchaseView, until: Until) -> bool {
    let settled = |view: &PurchaseView| {
        let money = view.checkout.as_ref().map(|checkout| checkout.status);
        matches!(money, None | Some(CheckoutStatus::Completed | CheckoutStatus::Compensated))
    };
    match view.status {
        PurchaseStatus::Pending | PurchaseStatus::Searching | PurchaseStatus::Ordering => false,
        PurchaseStatus::Quoted | PurchaseStatus::OutOfStock => {
            until == Until::Outcome && view.mode == Mode::OneShot
        }
        PurchaseStatus::Ordered => until == Until::Outcome || settled(view),
        PurchaseStatus::Expired | PurchaseStatus::Failed | PurchaseStatus::Canceled => true,
    }
}

fn ended(view: &PurchaseView) -> anyhow::Result<()> {
    let ended = match view.status {
        PurchaseStatus::Ordered => return Ok(()),
        PurchaseStatus::Quoted => "is in stock only above its limit; `broker update` raises it",
        PurchaseStatus::OutOfStock => "found no store that has the book",
        PurchaseStatus::Expired => "expired without an order",
        PurchaseStatus::Canceled => "was canceled",
        _ => {
            let why = view.failure.map_or("unknown", |failure| failure.label());
            let ended = format!("failed: {why}");
            return Err(CliError::NotOrdered { request: view.request_id, ended }.into());
        }
    };
    Err(CliError::NotOrdered { request: view.request_id, ended: ended.to_owned() }.into())
}
