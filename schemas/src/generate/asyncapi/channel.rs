//! Channels and operations, seen from the broker.

use serde_json::{Map, Value, json};

use crate::id::{CustomerId, PartnerId, ProviderId};
use crate::subject::{
    self, PARTITION, PartnerOperation, PartnerReplyKind, PaymentOperation, PurchaseOperation,
};
use crate::{RequestId, stream};

/// One subject and what travels on it.
pub(super) struct Channel {
    pub(super) id: String,
    /// `None`: chosen by the asker (a NATS inbox).
    pub(super) address: Option<String>,
    pub(super) description: &'static str,
    pub(super) messages: Vec<&'static str>,
    pub(super) stream: Option<&'static str>,
}

#[derive(Clone, Copy)]
pub(super) enum Action {
    Send,
    Receive,
}

pub(super) struct Operation {
    pub(super) id: String,
    pub(super) action: Action,
    pub(super) channel: String,
    pub(super) messages: Vec<&'static str>,
    pub(super) reply: Option<Reply>,
    /// An endpoint of the NATS micro service.
    pub(super) service: bool,
}

pub(super) struct Reply {
    pub(super) channel: String,
    pub(super) messages: Vec<&'static str>,
}

/// Ids that stand for themselves: subjects are built by the one place that builds them, then
/// these tokens become AsyncAPI parameters.
struct Placeholders {
    customer: CustomerId,
    partner: PartnerId,
    provider: ProviderId,
    request: RequestId,
}

const PLACEHOLDER: &str = "a parameter name is a valid token";
const CUSTOMER: &str = "customer_id";
const PARTNER: &str = "partner_id";
const PROVIDER: &str = "provider_id";
const REQUEST: &str = "request_id";
const EVENT: &str = "event_kind";
const OUTCOME: &str = "outcome";
const STREAM: &str = "stream";
const PARAMETERS: [(&str, &str); 8] = [
    (CUSTOMER, "Principal: NATS permissions let a customer publish only its own token."),
    (PARTNER, "Bookstore, as named in the partner directory."),
    (PROVIDER, "Payment provider, as named in the configuration."),
    (REQUEST, "UUID version 7 of the purchase request."),
    ("partition", "Always 0 until the broker is partitioned; an answer to another is given up."),
    (EVENT, "What happened: the event field of the message."),
    (OUTCOME, "What the notification is about: its outcome field."),
    (STREAM, "Stream the message was read from."),
];

fn placeholders() -> Placeholders {
    Placeholders {
        customer: CustomerId::parse(CUSTOMER).expect(PLACEHOLDER),
        partner: PartnerId::parse(PARTNER).expect(PLACEHOLDER),
        provider: ProviderId::parse(PROVIDER).expect(PLACEHOLDER),
        request: RequestId::from_parts(0, 0),
    }
}

/// `purchase.create.customer_id` → `purchase.create.{customer_id}`.
fn address_of(subject: &str) -> String {
    let request = placeholders().request.to_string();
    let tokens = subject.split('.').map(|token| match token {
        _ if token == request => format!("{{{REQUEST}}}"),
        PARTITION => "{partition}".to_owned(),
        _ if is_parameter(token) => format!("{{{token}}}"),
        _ => token.to_owned(),
    });
    tokens.collect::<Vec<_>>().join(".")
}

fn is_parameter(token: &str) -> bool {
    PARAMETERS.iter().any(|(name, _)| *name == token)
}

/// The parameters of one address.
pub(super) fn parameters(address: &str) -> Map<String, Value> {
    PARAMETERS
        .iter()
        .filter(|(name, _)| address.contains(&format!("{{{name}}}")))
        .map(|(name, description)| ((*name).to_owned(), json!({ "description": description })))
        .collect()
}

fn channel(
    id: impl Into<String>,
    subject: &str,
    description: &'static str,
    messages: &[&'static str],
) -> Channel {
    Channel {
        id: id.into(),
        address: Some(address_of(subject)),
        description,
        messages: messages.to_vec(),
        stream: stream::of_subject(subject),
    }
}

/// Every channel of the product.
pub(super) fn all() -> Vec<Channel> {
    let mut channels = purchase_channels();
    channels.extend(partner_channels());
    channels.extend(payment_channels());
    channels
}

const SERVICE_REPLY: &str = "purchase_api_reply";

const STORED_COMMANDS: [PurchaseOperation; 4] = [
    PurchaseOperation::Create,
    PurchaseOperation::Update,
    PurchaseOperation::Cancel,
    PurchaseOperation::AcceptQuote,
];

const fn request_of(op: PurchaseOperation) -> &'static str {
    match op {
        PurchaseOperation::Create => "create_purchase",
        PurchaseOperation::Update => "update_purchase",
        PurchaseOperation::Cancel => "cancel_purchase",
        PurchaseOperation::AcceptQuote => "accept_quote",
        PurchaseOperation::Get | PurchaseOperation::Receipt => "get_purchase",
        PurchaseOperation::List => "list_purchases",
    }
}

const fn reply_of(op: PurchaseOperation) -> &'static str {
    match op {
        PurchaseOperation::List => "list_reply",
        PurchaseOperation::Receipt => "receipt_reply",
        PurchaseOperation::Create
        | PurchaseOperation::Update
        | PurchaseOperation::Cancel
        | PurchaseOperation::AcceptQuote
        | PurchaseOperation::Get => "command_reply",
    }
}

fn purchase_channels() -> Vec<Channel> {
    let ids = placeholders();
    let mut channels: Vec<Channel> = STORED_COMMANDS
        .into_iter()
        .map(|op| {
            let subject = subject::purchase_command(op, &ids.customer);
            let description = "A customer's command through JetStream: the publish-ack says that \
                               NATS has it.";
            channel(format!("purchase_{}", op.label()), &subject, description, &[request_of(op)])
        })
        .collect();
    channels.extend(PurchaseOperation::ALL.map(|op| {
        let subject = subject::purchase_api(op, &ids.customer);
        let description = "The same through the NATS micro service `broker`: the answer says that \
                           the broker has it on its own disk.";
        channel(format!("purchase_api_{}", op.label()), &subject, description, &[request_of(op)])
    }));
    channels.push(Channel {
        id: SERVICE_REPLY.to_owned(),
        address: None,
        description: "The asker's NATS inbox.",
        messages: vec!["command_reply", "list_reply", "receipt_reply"],
        stream: None,
    });
    let event = subject::purchase_event(&ids.customer, ids.request, EVENT);
    let about = "What happened to a purchase request, for anyone who may read it.";
    channels.push(channel("purchase_event", &event, about, &["purchase_event"]));
    let notification = subject::notification(&ids.customer, OUTCOME);
    let about = "The outcome for the customer and numbered corrections of it, at least once.";
    channels.push(channel("notification", &notification, about, &["notification"]));
    let about = "Messages that could not be used, for the operator.";
    channels.push(channel("dead_letter", &subject::dead_letter(STREAM), about, &["dead_letter"]));
    channels
}

const fn partner_command(op: PartnerOperation) -> &'static str {
    op.label()
}

fn partner_channels() -> Vec<Channel> {
    let partner = placeholders().partner;
    let about_quote = "Quote questions. Live partners subscribe (core NATS), queued ones fetch.";
    let about_reply = "Answers of one partner; a message counts only on its own subjects.";
    let quote = subject::partner_quote(&partner);
    let queued = subject::partner_quote_queued(&partner);
    let reply = |kind| subject::partner_reply(&partner, kind);
    let mut channels = vec![
        channel("partner_quote", &quote, about_quote, &["quote_requests"]),
        channel("partner_quote_queued", &queued, about_quote, &["quote_requests"]),
        channel("partner_reply_quote", &reply(PartnerReplyKind::Quote), about_reply, {
            &["quote_answers"]
        }),
        channel(
            "partner_reply_quote_queued",
            &reply(PartnerReplyKind::QuoteQueued),
            about_reply,
            &["quote_answers"],
        ),
        channel(
            "partner_notice",
            &reply(PartnerReplyKind::Notice),
            "A partner speaks unasked about one of our orders.",
            &["partner_notice"],
        ),
    ];
    for op in PartnerOperation::ALL {
        let command = subject::partner_command(&partner, op);
        let about = "A command with a stable id, through JetStream. Look the key up before \
                     validating anything; do not act after not_after.";
        channels.push(channel(partner_channel(op), &command, about, &[partner_command(op)]));
        let answer = reply(PartnerReplyKind::Command(op));
        channels.push(channel(partner_reply_channel(op), &answer, about_reply, &["partner_reply"]));
    }
    channels
}

fn partner_channel(op: PartnerOperation) -> String {
    format!("partner_{}", op.label())
}

fn partner_reply_channel(op: PartnerOperation) -> String {
    format!("partner_reply_{}", op.label())
}

const fn payment_command(op: PaymentOperation) -> &'static str {
    match op {
        PaymentOperation::Lookup => "payment_lookup",
        PaymentOperation::Authorize
        | PaymentOperation::Capture
        | PaymentOperation::Void
        | PaymentOperation::Refund => op.label(),
    }
}

fn payment_channels() -> Vec<Channel> {
    let provider = placeholders().provider;
    let mut channels = Vec::new();
    for op in PaymentOperation::ALL {
        let command = subject::payment_command(&provider, op);
        let about = "A command about one payment intent, idempotent by payment_key.";
        channels.push(channel(payment_channel(op), &command, about, &[payment_command(op)]));
        let answer = subject::payment_reply(&provider, op);
        let about = "The state of the payment intent.";
        channels.push(channel(payment_reply_channel(op), &answer, about, &["payment_reply"]));
    }
    channels
}

fn payment_channel(op: PaymentOperation) -> String {
    format!("payment_{}", op.label())
}

fn payment_reply_channel(op: PaymentOperation) -> String {
    format!("payment_reply_{}", op.label())
}

fn operation(action: Action, channel: String, message: &'static str) -> Operation {
    let verb = match action {
        Action::Send => "send",
        Action::Receive => "receive",
    };
    let id = format!("{verb}_{channel}");
    Operation { id, action, channel, messages: vec![message], reply: None, service: false }
}

impl Operation {
    fn answered(self, channel: String, message: &'static str) -> Self {
        Self { reply: Some(Reply { channel, messages: vec![message] }), ..self }
    }
}

/// What the broker does on these channels.
pub(super) fn operations() -> Vec<Operation> {
    let send = |channel: String, message| operation(Action::Send, channel, message);
    let receive = |channel: String, message| operation(Action::Receive, channel, message);
    let mut operations = Vec::new();
    for op in STORED_COMMANDS {
        operations.push(receive(format!("purchase_{}", op.label()), request_of(op)));
    }
    for op in PurchaseOperation::ALL {
        let asked = receive(format!("purchase_api_{}", op.label()), request_of(op));
        let answered = asked.answered(SERVICE_REPLY.to_owned(), reply_of(op));
        operations.push(Operation { service: true, ..answered });
    }
    for told in ["purchase_event", "notification", "dead_letter"] {
        operations.push(send(told.to_owned(), told));
    }
    for quote in ["quote", "quote_queued"] {
        let asked = send(format!("partner_{quote}"), "quote_requests");
        operations.push(asked.answered(format!("partner_reply_{quote}"), "quote_answers"));
    }
    for op in PartnerOperation::ALL {
        let asked = send(partner_channel(op), partner_command(op));
        operations.push(asked.answered(partner_reply_channel(op), "partner_reply"));
    }
    operations.push(receive("partner_notice".to_owned(), "partner_notice"));
    for op in PaymentOperation::ALL {
        let asked = send(payment_channel(op), payment_command(op));
        operations.push(asked.answered(payment_reply_channel(op), "payment_reply"));
    }
    operations
}
