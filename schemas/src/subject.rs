//! Every NATS subject of the product, built and parsed only here.

use crate::id::{CustomerId, PartnerId, ProviderId, RequestId};

pub mod filter;
mod partition;

pub use partition::{Elsewhere, elsewhere};

/// Partition token of reply subjects until the broker is partitioned.
pub const PARTITION: &str = "0";

/// Purchase commands, also the endpoint names of the micro service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PurchaseOperation {
    Create,
    Update,
    Cancel,
    AcceptQuote,
    Get,
    List,
    Receipt,
}

impl PurchaseOperation {
    pub const ALL: [Self; 7] = [
        Self::Create,
        Self::Update,
        Self::Cancel,
        Self::AcceptQuote,
        Self::Get,
        Self::List,
        Self::Receipt,
    ];

    pub const fn label(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Cancel => "cancel",
            Self::AcceptQuote => "accept_quote",
            Self::Get => "get",
            Self::List => "list",
            Self::Receipt => "receipt",
        }
    }

    pub fn parse(token: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|op| op.label() == token)
    }
}

/// Commands to a partner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PartnerOperation {
    Reserve,
    Release,
    Place,
    Cancel,
    Lookup,
}

impl PartnerOperation {
    pub const ALL: [Self; 5] =
        [Self::Reserve, Self::Release, Self::Place, Self::Cancel, Self::Lookup];

    pub const fn label(self) -> &'static str {
        match self {
            Self::Reserve => "reserve",
            Self::Release => "release",
            Self::Place => "place",
            Self::Cancel => "cancel",
            Self::Lookup => "lookup",
        }
    }

    pub fn parse(token: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|op| op.label() == token)
    }
}

/// Commands to a payment provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PaymentOperation {
    Authorize,
    Capture,
    Void,
    Refund,
    Lookup,
}

impl PaymentOperation {
    pub const ALL: [Self; 5] =
        [Self::Authorize, Self::Capture, Self::Void, Self::Refund, Self::Lookup];

    pub const fn label(self) -> &'static str {
        match self {
            Self::Authorize => "authorize",
            Self::Capture => "capture",
            Self::Void => "void",
            Self::Refund => "refund",
            Self::Lookup => "lookup",
        }
    }

    pub fn parse(token: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|op| op.label() == token)
    }
}

/// `purchase.<operation>.<customer_id>`: a command through JetStream.
pub fn purchase_command(op: PurchaseOperation, customer: &CustomerId) -> String {
    format!("purchase.{}.{customer}", op.label())
}

/// `purchase.api.<operation>.<customer_id>`: the same through the micro service.
pub fn purchase_api(op: PurchaseOperation, customer: &CustomerId) -> String {
    format!("purchase.api.{}.{customer}", op.label())
}

/// Endpoint subject of the micro service for one operation, all customers.
pub fn purchase_api_endpoint(op: PurchaseOperation) -> String {
    format!("purchase.api.{}.*", op.label())
}

/// Operation and principal of `purchase.<op>.<customer>` or `purchase.api.<op>.<customer>`.
pub fn parse_purchase(subject: &str) -> Option<(PurchaseOperation, CustomerId)> {
    let rest = subject.strip_prefix("purchase.")?;
    let rest = rest.strip_prefix("api.").unwrap_or(rest);
    let (op, customer) = rest.split_once('.')?;
    Some((PurchaseOperation::parse(op)?, CustomerId::parse(customer).ok()?))
}

/// `purchase.event.<customer_id>.<request_id>.<event>`
pub fn purchase_event(customer: &CustomerId, request: RequestId, event: &str) -> String {
    format!("purchase.event.{customer}.{request}.{event}")
}

/// Customer, request and event of `purchase.event.<customer_id>.<request_id>.<event>`.
pub fn parse_purchase_event(subject: &str) -> Option<(CustomerId, RequestId, &str)> {
    let mut tokens = subject.strip_prefix("purchase.event.")?.splitn(3, '.');
    let customer = CustomerId::parse(tokens.next()?).ok()?;
    let request = RequestId::parse(tokens.next()?).ok()?;
    Some((customer, request, tokens.next()?))
}

/// `partner.<partner_id>.quote`: questions to a live partner (core NATS).
pub fn partner_quote(partner: &PartnerId) -> String {
    format!("partner.{partner}.quote")
}

/// `partner.<partner_id>.quote_queued`: the same through JetStream, for queued partners.
pub fn partner_quote_queued(partner: &PartnerId) -> String {
    format!("partner.{partner}.quote_queued")
}

/// `partner.<partner_id>.<operation>`
pub fn partner_command(partner: &PartnerId, op: PartnerOperation) -> String {
    format!("partner.{partner}.{}", op.label())
}

/// What a partner answers about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PartnerReplyKind {
    Quote,
    QuoteQueued,
    Command(PartnerOperation),
    Notice,
}

impl PartnerReplyKind {
    pub const fn label(self) -> &'static str {
        match self {
            Self::Quote => "quote",
            Self::QuoteQueued => "quote_queued",
            Self::Command(op) => op.label(),
            Self::Notice => "notice",
        }
    }

    fn parse(token: &str) -> Option<Self> {
        match token {
            "quote" => Some(Self::Quote),
            "quote_queued" => Some(Self::QuoteQueued),
            "notice" => Some(Self::Notice),
            other => PartnerOperation::parse(other).map(Self::Command),
        }
    }
}

/// `partner.<partner_id>.reply.<partition>.<kind>`: where that partner answers.
pub fn partner_reply(partner: &PartnerId, kind: PartnerReplyKind) -> String {
    format!("partner.{partner}.reply.{PARTITION}.{}", kind.label())
}

/// Live quote answers of all partners to this partition.
pub fn partner_quote_replies() -> String {
    format!("partner.*.reply.{PARTITION}.quote")
}

/// The speaking partner and the kind of its message. The subject is the proof of who speaks.
pub fn parse_partner_reply(subject: &str) -> Option<(PartnerId, PartnerReplyKind)> {
    let mut tokens = subject.split('.');
    if tokens.next()? != "partner" {
        return None;
    }
    let partner = PartnerId::parse(tokens.next()?).ok()?;
    if tokens.next()? != "reply" || tokens.next()? != PARTITION {
        return None;
    }
    let kind = PartnerReplyKind::parse(tokens.next()?)?;
    tokens.next().is_none().then_some((partner, kind))
}

/// The partner and operation of `partner.<id>.<operation>`.
pub fn parse_partner_command(subject: &str) -> Option<(PartnerId, PartnerOperation)> {
    let (partner, op) = subject.strip_prefix("partner.")?.split_once('.')?;
    Some((PartnerId::parse(partner).ok()?, PartnerOperation::parse(op)?))
}

/// The partner of `partner.<id>.quote` or `partner.<id>.quote_queued`.
pub fn parse_partner_quote(subject: &str) -> Option<PartnerId> {
    let (partner, kind) = subject.strip_prefix("partner.")?.split_once('.')?;
    matches!(kind, "quote" | "quote_queued").then(|| PartnerId::parse(partner).ok()).flatten()
}

/// `payment.<provider>.<operation>`
pub fn payment_command(provider: &ProviderId, op: PaymentOperation) -> String {
    format!("payment.{provider}.{}", op.label())
}

/// The provider and operation of `payment.<provider>.<operation>`.
pub fn parse_payment_command(subject: &str) -> Option<(ProviderId, PaymentOperation)> {
    let (provider, op) = subject.strip_prefix("payment.")?.split_once('.')?;
    Some((ProviderId::parse(provider).ok()?, PaymentOperation::parse(op)?))
}

/// `payment.<provider>.reply.<partition>.<operation>`
pub fn payment_reply(provider: &ProviderId, op: PaymentOperation) -> String {
    format!("payment.{provider}.reply.{PARTITION}.{}", op.label())
}

/// The speaking provider and the operation it answers.
pub fn parse_payment_reply(subject: &str) -> Option<(ProviderId, PaymentOperation)> {
    let (provider, rest) = subject.strip_prefix("payment.")?.split_once(".reply.")?;
    let (partition, op) = rest.split_once('.')?;
    if partition != PARTITION {
        return None;
    }
    Some((ProviderId::parse(provider).ok()?, PaymentOperation::parse(op)?))
}

/// An answer or notice of a partner or provider, to any partition.
pub fn is_answer(subject: &str) -> bool {
    let [partners, payments] = [filter::partner_replies(), filter::payment_replies()];
    partners.iter().chain(&payments).any(|filter| filter::matches(filter, subject))
}

/// `notify.<customer_id>.<outcome>`
pub fn notification(customer: &CustomerId, outcome: &str) -> String {
    format!("notify.{customer}.{outcome}")
}

/// `dead_letter.<stream>`
pub fn dead_letter(stream: &str) -> String {
    format!("dead_letter.{stream}")
}

/// `callback.<partner_id>`: a call-back that the gateway took for a bookstore that speaks HTTP.
pub fn partner_callback(partner: &PartnerId) -> String {
    format!("callback.{partner}")
}

/// The bookstore of `callback.<partner_id>`.
pub fn parse_partner_callback(subject: &str) -> Option<PartnerId> {
    PartnerId::parse(subject.strip_prefix("callback.")?).ok()
}

/// What operators may ask the serving broker for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AdminOperation {
    /// A backup of its store.
    Backup,
    /// The list of what waits for a human.
    Incidents,
    /// A human's word.
    Resolve,
    /// How partners stand.
    Partners,
    /// Which sweeps are under way.
    Sweeps,
    /// A partner is pinned or banned, or that is taken back.
    SteerPartner,
    /// A dead letter is deleted for ever.
    DropDeadLetter,
}

impl AdminOperation {
    pub const fn label(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Incidents => "incidents",
            Self::Resolve => "resolve",
            Self::Partners => "partners",
            Self::Sweeps => "sweeps",
            Self::SteerPartner => "steer_partner",
            Self::DropDeadLetter => "drop_dead_letter",
        }
    }
}

/// `broker.admin.<operation>`: operators to the serving broker.
pub fn admin(operation: AdminOperation) -> String {
    format!("broker.admin.{}", operation.label())
}

/// `$SRV.PING.<service>`: answered by everybody who offers the service.
pub fn service_ping(service: &str) -> String {
    format!("$SRV.PING.{service}")
}

/// `sim.ledger.<partners|payments>.get`: ground truth of the simulator, for auditors only.
pub fn sim_ledger(ledger: &str) -> String {
    format!("sim.ledger.{ledger}.get")
}
