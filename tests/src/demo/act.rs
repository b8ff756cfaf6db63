//! What the customer of each request does.

use std::time::Duration;

use schemas::event::{Notification, NotificationOutcome, PurchaseEventKind};
use schemas::purchase::{CommandReply, CreatePurchase, PurchaseStatus, Strategy};
use schemas::{Money, RequestId};

use super::cast;
use super::kind::Kind;
use super::story::Stories;
use crate::harness::{HarnessError, HttpRequester, Order, Requester};

/// One request of the demo.
#[derive(Debug, Clone)]
pub(super) struct Script {
    /// From 0.
    pub(super) number: u32,
    pub(super) kind: Kind,
    turn: usize,
    /// The limit with which everything is affordable.
    affordable: u64,
    pub(super) create: CreatePurchase,
}

/// Shorter than a watcher's patience, longer than two sweeps.
const WATCHED_FOR: Duration = Duration::from_secs(6);
/// Shorter than what a purchase needs, so that nothing can be bought in time.
const TOO_SHORT: Duration = Duration::from_millis(1_500);

impl Script {
    pub(super) fn new(seed: u64, number: u32) -> Self {
        let (kind, turn) = (Kind::nth(number), Kind::turn(number));
        let affordable = cast::limit(seed, number, true);
        let too_dear = cast::limit(seed, number, false);
        let order = match turn % 2 {
            0 => Order::of(cast::book_of(number)),
            _ => Order::titled(&cast::title_of(number)),
        };
        let order = order.max_total(affordable);
        let slow = cast::waits_for_the_slow(kind, turn);
        let order = match kind {
            Kind::TooDear | Kind::Raised | Kind::Accepted => order.max_total(too_dear),
            Kind::Expiring if slow => order.expires_in(TOO_SHORT),
            Kind::Expiring => order.max_total(too_dear).watch().expires_in(WATCHED_FOR),
            Kind::Canceled if !slow => order.max_total(too_dear).watch(),
            // Waits for all stores, so that the cheap one with a part of its own is found.
            Kind::TakenBack if turn % 2 == 1 => order.strategy(Strategy::Cheapest).rebuy(),
            Kind::TakenBack | Kind::Unanswered => order.strategy(Strategy::Cheapest),
            Kind::Affordable if turn % 2 == 1 => order.strategy(Strategy::Cheapest),
            Kind::Declined => order.payment_token("tok_declined"),
            Kind::Authenticates => order.payment_token("tok_action_required"),
            Kind::Affordable
            | Kind::NoStock
            | Kind::Canceled
            | Kind::Duplicate
            | Kind::OtherBody => order,
        };
        Self { number, kind, turn, affordable, create: order.build() }
    }

    pub(super) fn request(&self) -> RequestId {
        self.create.request_id
    }

    /// Sends the request and does whatever its kind is about.
    pub(super) async fn play(
        &self,
        requester: &Requester,
        http: &HttpRequester,
        stories: &Stories,
    ) -> Result<(), HarnessError> {
        // All doors are used: HTTP, publishing to the stream, and asking the micro service.
        if self.number.is_multiple_of(2) {
            http.create(&self.create).await?;
        } else if self.turn.is_multiple_of(2) {
            requester.publish_create(&self.create).await?;
        } else {
            requester.create(&self.create).await?;
        }
        match self.kind {
            Kind::Canceled => self.cancel(requester, stories).await,
            Kind::Raised => self.raise(requester, stories).await,
            Kind::Duplicate => self.again(requester, stories).await,
            Kind::OtherBody => self.other_body(requester, stories).await,
            Kind::Accepted => self.accept(requester, stories).await,
            Kind::Expiring => self.expire(stories).await,
            Kind::Affordable
            | Kind::TooDear
            | Kind::NoStock
            | Kind::TakenBack
            | Kind::Unanswered
            | Kind::Declined
            | Kind::Authenticates => Ok(()),
        }
    }

    async fn cancel(&self, requester: &Requester, stories: &Stories) -> Result<(), HarnessError> {
        let request = self.request();
        if cast::waits_for_the_slow(self.kind, self.turn) {
            let created = |kinds: &[PurchaseEventKind]| kinds.contains(&PurchaseEventKind::Created);
            stories.until(request, |story| created(&story.events).then_some(())).await;
        } else {
            self.quoted(stories).await;
        }
        let reply = requester.cancel(request).await?;
        stories.remark(request, format!("cancel: {}", said(&reply)));
        Ok(())
    }

    /// Nothing to do but wait.
    async fn expire(&self, stories: &Stories) -> Result<(), HarnessError> {
        let expired = Some(PurchaseStatus::Expired);
        stories.until(self.request(), |story| (story.status == expired).then_some(())).await;
        Ok(())
    }

    async fn raise(&self, requester: &Requester, stories: &Stories) -> Result<(), HarnessError> {
        self.quoted(stories).await;
        let reply = requester.raise_limit(self.request(), self.affordable).await?;
        let limit = Money::new(self.affordable, self.create.max_total.currency());
        let limit = limit.map_or(String::new(), |limit| limit.to_string());
        stories.remark(self.request(), format!("limit raised to {limit}: {}", said(&reply)));
        Ok(())
    }

    async fn again(&self, requester: &Requester, stories: &Stories) -> Result<(), HarnessError> {
        let ack = requester.publish_create(&self.create).await?;
        let stream = if ack.duplicate { "dropped by NATS" } else { "stored again" };
        let reply = requester.create(&self.create).await?;
        let service = match &reply {
            CommandReply::Accepted { replayed: true, .. } => "recognised by the broker",
            CommandReply::Accepted { replayed: false, .. } => "accepted as new",
            CommandReply::Rejected(problem) => problem.code.label(),
        };
        stories.remark(self.request(), format!("copies: {stream}, {service}"));
        Ok(())
    }

    async fn other_body(
        &self,
        requester: &Requester,
        stories: &Stories,
    ) -> Result<(), HarnessError> {
        let request = self.request();
        stories.until(request, |story| story.status).await;
        let other = CreatePurchase { quantity: 2, ..self.create.clone() };
        let reply = requester.create(&other).await?;
        stories.remark(request, format!("the other body: {}", said(&reply)));
        Ok(())
    }

    async fn accept(&self, requester: &Requester, stories: &Stories) -> Result<(), HarnessError> {
        let Some(quoted) = self.quoted(stories).await else { return Ok(()) };
        let reply = requester.accept_quote(&quoted).await?;
        stories.remark(self.request(), format!("quote accepted: {}", said(&reply)));
        Ok(())
    }

    async fn quoted(&self, stories: &Stories) -> Option<Notification> {
        let is_quote = |notice: &&Notification| notice.outcome == NotificationOutcome::Quoted;
        let quoted =
            stories.until(self.request(), |story| story.notices.iter().find(is_quote).cloned());
        quoted.await
    }
}

fn said(reply: &CommandReply) -> String {
    match reply {
        CommandReply::Accepted { request, .. } => format!("accepted ({})", request.status.label()),
        CommandReply::Rejected(problem) => format!("refused ({})", problem.code.label()),
    }
}
