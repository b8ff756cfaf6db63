//! Outbox rows as messages: subject, stream, headers and body follow from the row alone, so every
//! copy of a row is the same message.

use broker_core::effect::{Effect, EventKind, Outcome};
use broker_core::receipt::Receipt;
use broker_core::{OutboxRow, PurchaseRequest};
use schemas::event::{
    DeadLetter, EventHeaders, Notification, NotificationOutcome, PurchaseEvent, PurchaseEventKind,
};
use schemas::id::MessageId;
use schemas::{Timestamp, TraceContext, json, stream, subject};

mod partner;
mod payment;

use super::{WireContext, receipt, token, view};
use crate::store::{Outgoing, StoredRow};
use crate::traces::span_of;

/// One message for JetStream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub subject: String,
    /// Stream that must store it.
    pub stream: &'static str,
    /// `Nats-Msg-Id`.
    pub id: MessageId,
    /// CloudEvents attributes; commands carry none.
    pub event: Option<EventHeaders>,
    /// Where in the trace of its request it is sent; a dead letter is about no request.
    pub trace: Option<TraceContext>,
    pub body: Vec<u8>,
}

/// Whether the body of this row shows a decision receipt, which is then to be read first.
pub fn wants_receipt(row: &StoredRow) -> Option<&OutboxRow> {
    match &row.outgoing {
        Outgoing::Effect(row) => matches!(row.effect, Effect::Notify { .. }).then_some(row),
        Outgoing::DeadLetter(_) => None,
    }
}

/// Stream that must store the message of `row`, known without making it.
pub fn stream_of(row: &StoredRow) -> &'static str {
    match &row.outgoing {
        Outgoing::DeadLetter(_) => stream::name::DEAD_LETTERS,
        Outgoing::Effect(row) => stream_of_effect(&row.effect),
    }
}

const fn stream_of_effect(effect: &Effect) -> &'static str {
    match effect {
        Effect::Partner { .. } => stream::name::PARTNER_COMMANDS,
        Effect::Payment { .. } => stream::name::PAYMENT_COMMANDS,
        Effect::Event { .. } => stream::name::PURCHASE_EVENTS,
        Effect::Notify { .. } => stream::name::NOTIFICATIONS,
    }
}

/// The message that publishes `row`.
pub fn message(context: &WireContext, row: &StoredRow, shown: Option<&Receipt>) -> Message {
    let id = row.message_id(context.incarnation);
    match &row.outgoing {
        Outgoing::DeadLetter(letter) => Message {
            subject: subject::dead_letter(&letter.stream),
            stream: stream::name::DEAD_LETTERS,
            event: Some(EventHeaders::of_broker(
                id.clone(),
                DeadLetter::event_type(),
                letter.stream.to_string(),
                row.at,
            )),
            id,
            trace: None,
            body: letter.body.to_vec(),
        },
        Outgoing::Effect(effect_row) => effect(context, effect_row, row.at, id, shown),
    }
}

/// Every copy of a message has the same place in the trace.
fn place_in_trace(row: &OutboxRow, id: &MessageId) -> TraceContext {
    let trace = row.trace.unwrap_or_else(|| TraceContext::of_request(row.request));
    trace.at(span_of(id.as_str()))
}

fn effect(
    context: &WireContext,
    row: &OutboxRow,
    at: Timestamp,
    id: MessageId,
    shown: Option<&Receipt>,
) -> Message {
    let trace = Some(place_in_trace(row, &id));
    let stream = stream_of_effect(&row.effect);
    match &row.effect {
        Effect::Partner { partner, attempt, command } => {
            let (subject, body) = partner::command(partner, row.request, *attempt, command, &id);
            Message { subject, stream, id, event: None, trace, body }
        }
        Effect::Payment { attempt, command } => {
            let provider = &context.provider;
            let (subject, body) = payment::command(provider, row.request, *attempt, command, &id);
            Message { subject, stream, id, event: None, trace, body }
        }
        Effect::Event { kind, snapshot } => {
            Message { trace, ..purchase_event(*kind, snapshot, at, id) }
        }
        Effect::Notify { outcome, number, token, snapshot } => {
            let accept_token = token.map(token::to_text);
            let told = notification(*outcome, *number, accept_token, snapshot, at, id, shown);
            Message { trace, ..told }
        }
    }
}

fn purchase_event(
    kind: EventKind,
    request: &PurchaseRequest,
    at: Timestamp,
    id: MessageId,
) -> Message {
    let event = event_kind(kind);
    let customer_id = request.submission.customer.clone();
    let body = json::encode(&PurchaseEvent {
        request_id: request.id(),
        customer_id: customer_id.clone(),
        version: request.version.0,
        status: request.status.kind(),
        event,
        at,
        request: view::view(request),
    });
    Message {
        subject: subject::purchase_event(&customer_id, request.id(), event.label()),
        stream: stream::name::PURCHASE_EVENTS,
        event: Some(headers(&id, event.event_type(), request, at)),
        id,
        trace: None,
        body,
    }
}

fn notification(
    outcome: Outcome,
    number: u16,
    accept_token: Option<String>,
    request: &PurchaseRequest,
    at: Timestamp,
    id: MessageId,
    shown: Option<&Receipt>,
) -> Message {
    let outcome = notification_outcome(outcome);
    let customer_id = request.submission.customer.clone();
    let body = json::encode(&Notification {
        notification_id: id.clone(),
        request_id: request.id(),
        customer_id: customer_id.clone(),
        number,
        outcome,
        at,
        request: view::view(request),
        accept_token,
        receipt: shown.map(receipt::receipt),
    });
    Message {
        subject: subject::notification(&customer_id, outcome.label()),
        stream: stream::name::NOTIFICATIONS,
        event: Some(headers(&id, outcome.event_type(), request, at)),
        id,
        trace: None,
        body,
    }
}

fn headers(
    id: &MessageId,
    event_type: String,
    request: &PurchaseRequest,
    at: Timestamp,
) -> EventHeaders {
    EventHeaders::of_broker(id.clone(), event_type, request.id().to_string(), at)
}

fn event_kind(kind: EventKind) -> PurchaseEventKind {
    match kind {
        EventKind::Created => PurchaseEventKind::Created,
        EventKind::Updated => PurchaseEventKind::Updated,
        EventKind::Quoted => PurchaseEventKind::Quoted,
        EventKind::OutOfStock => PurchaseEventKind::OutOfStock,
        EventKind::Ordering => PurchaseEventKind::Ordering,
        EventKind::Ordered => PurchaseEventKind::Ordered,
        EventKind::Completed => PurchaseEventKind::Completed,
        EventKind::Expired => PurchaseEventKind::Expired,
        EventKind::Failed => PurchaseEventKind::Failed,
        EventKind::Canceled => PurchaseEventKind::Canceled,
        EventKind::CancelRequested => PurchaseEventKind::CancelRequested,
        EventKind::CancelRefused => PurchaseEventKind::CancelRefused,
        EventKind::Incident => PurchaseEventKind::Incident,
    }
}

fn notification_outcome(outcome: Outcome) -> NotificationOutcome {
    match outcome {
        Outcome::Ordered => NotificationOutcome::Ordered,
        Outcome::Quoted => NotificationOutcome::Quoted,
        Outcome::OutOfStock => NotificationOutcome::OutOfStock,
        Outcome::Expired => NotificationOutcome::Expired,
        Outcome::Failed => NotificationOutcome::Failed,
        Outcome::Canceled => NotificationOutcome::Canceled,
        Outcome::ActionRequired => NotificationOutcome::ActionRequired,
        Outcome::Incident => NotificationOutcome::Incident,
    }
}

#[cfg(test)]
mod tests;
