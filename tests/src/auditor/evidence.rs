//! What the auditor reads: ledgers, streams and the re-opened store. Nothing here comes from the
//! memory of a running broker.

mod background;

use std::collections::BTreeMap;

pub use background::{Background, Disturbance, Standing, Trouble, Vouched};
use broker::store::{AuditRecord, Incarnation};
use broker_core::receipt::Receipt;
use broker_core::{Policy, PurchaseRequest};
use bytes::Bytes;
use partner_sim::{PartnerLedger, PaymentLedger};
use schemas::purchase::{
    AcceptQuote, CancelPurchase, CommandReply, CreatePurchase, UpdatePurchase,
};
use schemas::subject::PurchaseOperation;
use schemas::{CustomerId, Digest, RequestId, Timestamp, json};

/// Everything of one run, collected after it came to rest.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// SUB: what customers sent and were told.
    pub sent: Vec<Sent>,
    /// AUD: the audit log of the re-opened store.
    pub log: Vec<AuditRecord>,
    /// AUD: the stored head of every request.
    pub heads: BTreeMap<RequestId, PurchaseRequest>,
    /// AUD: decision receipts, oldest sweep first.
    pub receipts: BTreeMap<RequestId, Vec<Receipt>>,
    /// AUD: first part of every message id of this store.
    pub incarnation: Incarnation,
    /// CFG: the numbers and partners the broker ran with.
    pub policy: Policy,
    /// PL: what the bookstores really did.
    pub partners: PartnerLedger,
    /// PAY: what the payment provider really did.
    pub payments: PaymentLedger,
    /// NTF and MSG: every message of every stream, and the core messages that were tapped.
    pub messages: Vec<Seen>,
    /// FLT: when something could not be relied on.
    pub disturbances: Vec<Disturbance>,
    /// What is known of the run besides.
    pub background: Background,
    /// When it was collected. Everything was at rest by then.
    pub at: Timestamp,
}

/// One copy of one command, with the answer to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    pub customer: CustomerId,
    pub command: Command,
    pub route: Route,
    pub at: Timestamp,
    /// When the answer came, or was given up.
    pub answered: Timestamp,
    pub answer: Answer,
}

/// What a customer wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    Create(Box<CreatePurchase>),
    Update(UpdatePurchase),
    Cancel(CancelPurchase),
    AcceptQuote(AcceptQuote),
    /// Bytes as they are, for what no type can say.
    Raw {
        operation: PurchaseOperation,
        body: Bytes,
    },
}

/// The two doors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// Published; acknowledged by NATS.
    Stream,
    /// Asked of the micro service; answered by the broker.
    Service,
}

/// What the customer was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The stream has it.
    Stored { sequence: u64, duplicate: bool },
    /// The broker decided.
    Reply(Box<CommandReply>),
    /// Nothing: the outcome is unknown to the customer.
    Silent,
}

/// One message on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub subject: String,
    /// `Nats-Msg-Id`.
    pub message_id: Option<String>,
    pub body: Bytes,
    /// When the server stored it, or when the tap heard it.
    pub at: Timestamp,
    /// Stream and sequence; none for what travels outside streams.
    pub stored: Option<(&'static str, u64)>,
}

impl Command {
    pub const fn operation(&self) -> PurchaseOperation {
        match self {
            Self::Create(_) => PurchaseOperation::Create,
            Self::Update(_) => PurchaseOperation::Update,
            Self::Cancel(_) => PurchaseOperation::Cancel,
            Self::AcceptQuote(_) => PurchaseOperation::AcceptQuote,
            Self::Raw { operation, .. } => *operation,
        }
    }

    /// The request it names; none if its bytes do not say.
    pub fn request(&self) -> Option<RequestId> {
        match self {
            Self::Create(create) => Some(create.request_id),
            Self::Update(update) => Some(update.request_id),
            Self::Cancel(cancel) => Some(cancel.request_id),
            Self::AcceptQuote(accept) => Some(accept.request_id),
            Self::Raw { .. } => None,
        }
    }

    /// The command id of a change.
    pub fn command_id(&self) -> Option<&schemas::CommandId> {
        match self {
            Self::Update(update) => Some(&update.command_id),
            Self::Cancel(cancel) => Some(&cancel.command_id),
            Self::AcceptQuote(accept) => Some(&accept.command_id),
            Self::Create(_) | Self::Raw { .. } => None,
        }
    }

    /// The bytes on the wire, the same for every copy.
    pub fn body(&self) -> Bytes {
        match self {
            Self::Create(create) => json::encode(create).into(),
            Self::Update(update) => json::encode(update).into(),
            Self::Cancel(cancel) => json::encode(cancel).into(),
            Self::AcceptQuote(accept) => json::encode(accept).into(),
            Self::Raw { body, .. } => body.clone(),
        }
    }

    /// What "the same body" means to the broker.
    pub fn digest(&self) -> Digest {
        match self {
            Self::Create(create) => Digest::of_value(create),
            Self::Update(update) => Digest::of_value(update),
            Self::Cancel(cancel) => Digest::of_value(cancel),
            Self::AcceptQuote(accept) => Digest::of_value(accept),
            Self::Raw { body, .. } => Digest::of(body),
        }
    }
}
