//! A customer: sends commands through both doors and writes down what it was told.

use std::time::Duration;

use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::{self, message::PublishMessage};
use async_nats::{Client, HeaderMap};
use bytes::Bytes;
use schemas::event::Notification;
use schemas::id::CommandId;
use schemas::purchase::{
    AcceptQuote, CancelPurchase, CommandReply, CreatePurchase, GetPurchase, ListPurchases,
    ListReply, PurchaseView, ReceiptReply, UpdatePurchase,
};
use schemas::subject::{self, PurchaseOperation};
use schemas::text::Text;
use schemas::trace::TRACEPARENT;
use schemas::{Currency, CustomerId, Digest, Money, RequestId, TraceContext, json};

use super::{HarnessError, SubLedger, now, wait};
use crate::auditor::{Answer, Command, Route, Sent};

/// No acknowledgement within this means unknown: the same bytes are sent again.
const ACK_TIMEOUT: Duration = Duration::from_secs(2);
/// A publish that cannot be stored for so long fails the test.
const STORED_DEADLINE: Duration = Duration::from_secs(30);
/// The broker answers after its own fsync; seconds only when the machine is overloaded.
const REPLY_TIMEOUT: Duration = Duration::from_secs(10);

/// The stream's acknowledgement of a publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamAck {
    pub sequence: u64,
    /// The server had this message id before and dropped the copy.
    pub duplicate: bool,
}

/// One customer on the cluster's own connection.
#[derive(Debug, Clone)]
pub struct Requester {
    client: Client,
    jetstream: jetstream::Context,
    customer: CustomerId,
    ledger: SubLedger,
    trace: Option<TraceContext>,
}

impl Requester {
    pub(super) fn new(client: Client, customer: CustomerId, ledger: SubLedger) -> Self {
        let jetstream = jetstream::ContextBuilder::new().timeout(ACK_TIMEOUT).build(client.clone());
        Self { client, jetstream, customer, ledger, trace: None }
    }

    /// Whatever it sends belongs to a trace of its own.
    #[must_use]
    pub fn within(self, trace: TraceContext) -> Self {
        Self { trace: Some(trace), ..self }
    }

    pub fn customer(&self) -> &CustomerId {
        &self.customer
    }

    /// Publishes `create` and returns once the stream has it.
    ///
    /// # Errors
    /// When the stream does not acknowledge it within half a minute.
    pub async fn publish_create(&self, create: &CreatePurchase) -> Result<StreamAck, HarnessError> {
        self.publish(Command::Create(Box::new(create.clone()))).await
    }

    /// Asks the micro service to `create`; the answer is sent after the broker's own fsync.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn create(&self, create: &CreatePurchase) -> Result<CommandReply, HarnessError> {
        self.request(Command::Create(Box::new(create.clone()))).await
    }

    /// Asks the micro service to change the limit.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn raise_limit(
        &self,
        request: RequestId,
        max_total_minor: u64,
    ) -> Result<CommandReply, HarnessError> {
        self.request(Command::Update(limit_update(request, max_total_minor))).await
    }

    /// Asks the micro service to cancel.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn cancel(&self, request: RequestId) -> Result<CommandReply, HarnessError> {
        let reason = None;
        let cancel = CancelPurchase { request_id: request, command_id: command_id(), reason };
        self.request(Command::Cancel(cancel)).await
    }

    /// Asks the micro service to buy the quote of a `quoted` notification.
    ///
    /// # Errors
    /// When nobody answers, or the notification has no token.
    pub async fn accept_quote(&self, quoted: &Notification) -> Result<CommandReply, HarnessError> {
        let token = quoted.accept_token.as_deref().unwrap_or_default();
        let accept_token = Text::parse(token)
            .map_err(HarnessError::decode("the token of a quoted notification"))?;
        self.request(Command::AcceptQuote(AcceptQuote {
            request_id: quoted.request_id,
            command_id: command_id(),
            accept_token,
        }))
        .await
    }

    /// Publishes any command to its stream, again with the same bytes and id until it is stored.
    ///
    /// # Errors
    /// When the stream does not acknowledge it within half a minute.
    pub async fn publish(&self, command: Command) -> Result<StreamAck, HarnessError> {
        let mut looks = wait::Looks::within(STORED_DEADLINE);
        while looks.next().await {
            if let Some(ack) = self.publish_once(&command).await {
                return Ok(ack);
            }
        }
        let operation = command.operation().label();
        Err(looks.timed_out(format!("{operation} of {} is stored", self.customer)))
    }

    /// One copy; `None` when it is not known whether the stream has it.
    pub async fn publish_once(&self, command: &Command) -> Option<StreamAck> {
        let at = now();
        let body = command.body();
        let subject = subject::purchase_command(command.operation(), &self.customer);
        let id = message_id(&self.customer, command);
        let ack = self.store(subject, id, body).await.ok();
        let answer = match ack {
            Some(StreamAck { sequence, duplicate }) => Answer::Stored { sequence, duplicate },
            None => Answer::Silent,
        };
        self.record(command.clone(), Route::Stream, at, answer);
        ack
    }

    /// Asks the micro service once.
    ///
    /// # Errors
    /// When nobody answers, or not in words that can be read. What was sent may still have been
    /// done; the ledger says so.
    pub async fn request(&self, command: Command) -> Result<CommandReply, HarnessError> {
        let at = now();
        let reply = self.ask::<CommandReply>(command.operation(), command.body()).await;
        let answer = match &reply {
            Ok(reply) => Answer::Reply(Box::new(reply.clone())),
            Err(_) => Answer::Silent,
        };
        self.record(command, Route::Service, at, answer);
        reply
    }

    /// The request as the broker shows it; `None` if this customer has none of that id.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn get(&self, request: RequestId) -> Result<Option<PurchaseView>, HarnessError> {
        let body = json::encode(&GetPurchase { request_id: request });
        match self.ask::<CommandReply>(PurchaseOperation::Get, body.into()).await? {
            CommandReply::Accepted { request, .. } => Ok(Some(*request)),
            CommandReply::Rejected(_) => Ok(None),
        }
    }

    /// One page of this customer's requests, newest first.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn list(&self, list: &ListPurchases) -> Result<ListReply, HarnessError> {
        self.ask(PurchaseOperation::List, json::encode(list).into()).await
    }

    /// Why the broker bought there, or did not buy.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn receipt(&self, request: RequestId) -> Result<ReceiptReply, HarnessError> {
        let body = json::encode(&GetPurchase { request_id: request });
        self.ask(PurchaseOperation::Receipt, body.into()).await
    }

    async fn ask<T: serde::de::DeserializeOwned>(
        &self,
        operation: PurchaseOperation,
        body: Bytes,
    ) -> Result<T, HarnessError> {
        let doing = || format!("asking the broker to {} for {}", operation.label(), self.customer);
        let subject = subject::purchase_api(operation, &self.customer);
        let request = async_nats::Request::new().payload(body).headers(self.headers());
        let request = request.timeout(Some(REPLY_TIMEOUT));
        let reply = self.client.send_request(subject, request).await;
        let reply = reply.map_err(HarnessError::nats(doing()))?;
        json::decode(&reply.payload, usize::MAX)
            .map_err(HarnessError::decode(format!("the answer to {}", doing())))
    }

    async fn store(
        &self,
        subject: String,
        id: String,
        body: Bytes,
    ) -> Result<StreamAck, jetstream::context::PublishError> {
        let mut headers = self.headers();
        headers.insert(NATS_MESSAGE_ID, id);
        let publish = PublishMessage::build().headers(headers).payload(body);
        let ack = self.jetstream.send_publish(subject, publish).await?.await?;
        Ok(StreamAck { sequence: ack.sequence, duplicate: ack.duplicate })
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if let Some(trace) = self.trace {
            headers.insert(TRACEPARENT, trace.to_string());
        }
        headers
    }

    fn record(&self, command: Command, route: Route, at: schemas::Timestamp, answer: Answer) {
        let customer = self.customer.clone();
        self.ledger.record(Sent { customer, command, route, at, answered: now(), answer });
    }
}

/// An update that only raises (or lowers) the limit, in cents.
pub(super) fn limit_update(request: RequestId, max_total_minor: u64) -> UpdatePurchase {
    let max_total = Money::new(max_total_minor, Currency::USD).expect("a test stays below the max");
    UpdatePurchase {
        request_id: request,
        command_id: command_id(),
        if_version: None,
        max_total: Some(max_total),
        expires_at: None,
        strategy: None,
    }
}

fn command_id() -> CommandId {
    let random: u64 = rand::random();
    CommandId::parse(&format!("cmd-{random:016x}")).expect("hex with a prefix")
}

/// `Nats-Msg-Id`: the server's dedup ignores subjects and bodies, so the id covers all of them.
pub fn message_id(customer: &CustomerId, command: &Command) -> String {
    let operation = command.operation().label();
    let named = match (command.command_id(), command.request()) {
        (Some(command), _) => command.to_string(),
        (None, Some(request)) => request.to_string(),
        (None, None) => String::new(),
    };
    let all = format!("{operation}/{customer}/{named}/{}", command.digest());
    Digest::of(all.as_bytes()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::{Order, book};

    #[test]
    fn message_ids_differ_by_customer_body_and_operation_only() {
        let ann = CustomerId::parse("ann").unwrap();
        let bob = CustomerId::parse("bob").unwrap();
        let order = Order::of(book(1));
        let create = |order: &Order| Command::Create(Box::new(order.clone().build()));
        let id = message_id(&ann, &create(&order));
        assert_eq!(message_id(&ann, &create(&order)), id);
        assert_ne!(message_id(&bob, &create(&order)), id);
        assert_ne!(message_id(&ann, &create(&order.max_total(1))), id);
    }
}
