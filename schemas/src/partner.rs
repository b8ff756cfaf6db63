//! Broker ⇄ partner bookstore.
//!
//! Quotes are questions: arrays from day one, on core NATS for live partners, deduplicated by
//! call id at both ends. Commands are hard: JetStream, a stable id, answered on `reply_to`.
//!
//! **Receiver contract.** Look the key up before validating anything. A `place` ends negatively
//! only by a refusal with `final_for_key = true`, or by a `cancel`/`lookup` answered
//! `nothing_found`/`not_found` with `final_for_key = true` (the key is tombstoned: no copy of the
//! order can be accepted any more). Any other refusal answers one copy, not the key. A command
//! whose `not_after` has passed must not be acted on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{CallId, Key, MessageId, OrderId, QuoteId, RequestId, ReservationId};
use crate::text::Text;
use crate::{Condition, Currency, Destination, DurationMs, Isbn13, Money, Timestamp};

/// Most questions or answers in one message.
pub const QUOTE_ITEMS_MAX: usize = 256;

/// `partner.<partner_id>.quote`: questions to one partner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QuoteRequests {
    /// Subject to answer on; partners never compute it.
    pub reply_to: String,
    #[schemars(length(min = 1, max = 256))]
    pub items: Vec<QuoteQuestion>,
}

/// "What would this book cost, delivered there?"
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QuoteQuestion {
    pub call_id: CallId,
    pub isbn: Isbn13,
    /// Copies wanted, 1 to 99.
    #[schemars(range(min = 1, max = 99))]
    pub quantity: u8,
    /// Worst condition the customer accepts.
    pub condition: Condition,
    /// Currency the answer must be in.
    pub currency: Currency,
    /// Country and postal code only.
    pub destination: Destination,
    /// An answer after this instant will not be used.
    pub not_after: Timestamp,
}

/// `partner.<partner_id>.reply.<partition>.quote`: answers, in any order and grouping.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QuoteAnswers {
    #[schemars(length(min = 1, max = 256))]
    pub items: Vec<QuoteAnswer>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QuoteAnswer {
    pub call_id: CallId,
    #[serde(flatten)]
    pub outcome: QuoteOutcome,
}

/// What the partner says. `no_stock` is an answer (it counts as coverage), `refused` is not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum QuoteOutcome {
    Offer(QuoteOffer),
    NoStock,
    Refused {
        reason: Text<200>,
        /// This was too much now: no question is wanted for so long.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<DurationMs>,
    },
}

/// A price for the whole quantity, delivered to the asked destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QuoteOffer {
    pub quote_id: QuoteId,
    /// Must be the asked one; an offer for another book is refused.
    pub isbn: Isbn13,
    pub condition: Condition,
    /// Currency of all components.
    pub currency: Currency,
    /// Price of all copies, minor units.
    pub item: u64,
    /// Missing components make an offer unaffordable: nothing is assumed to be free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shipping: Option<Component>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax: Option<Component>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fee: Option<Component>,
    /// Copies in stock as far as the partner knows.
    pub in_stock: u32,
    /// The partner honours this price until then.
    pub valid_until: Timestamp,
}

/// One part of the landed cost, in minor units of the offer's currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Component {
    Exact(u64),
    /// Final amount is not known yet but never above this.
    AtMost(u64),
}

/// What every command to a partner or payment provider carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CommandHeader {
    /// Id of this copy, also its `Nats-Msg-Id`; the answer names it in `in_reply_to`.
    pub id: MessageId,
    pub request_id: RequestId,
    /// Attempt within the request, from 1.
    pub attempt: u8,
    /// Subject to answer on; receivers never compute it.
    pub reply_to: String,
}

/// What every answer carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReplyHeader {
    pub in_reply_to: MessageId,
    pub request_id: RequestId,
    pub attempt: u8,
}

/// `partner.<id>.reserve`: hold stock for a short time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reserve {
    #[serde(flatten)]
    pub header: CommandHeader,
    pub reservation_key: Key,
    pub quote_id: QuoteId,
    pub isbn: Isbn13,
    /// Copies, 1 to 99.
    #[schemars(range(min = 1, max = 99))]
    pub quantity: u8,
    /// How long the hold should last.
    pub ttl_ms: DurationMs,
    pub not_after: Timestamp,
}

/// `partner.<id>.release`: undo a reserve. Never lapses; tombstones the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Release {
    #[serde(flatten)]
    pub header: CommandHeader,
    pub reservation_key: Key,
}

/// `partner.<id>.place`: order. The partner must not charge more than `price_cap`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    #[serde(flatten)]
    pub header: CommandHeader,
    /// Idempotency key and client reference: the same for every copy of this attempt.
    pub placement_key: Key,
    pub quote_id: QuoteId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reservation_key: Option<Key>,
    pub isbn: Isbn13,
    /// Copies, 1 to 99.
    #[schemars(range(min = 1, max = 99))]
    pub quantity: u8,
    pub condition: Condition,
    /// Most that the whole order may cost, landed.
    pub price_cap: Money,
    pub destination: Destination,
    pub not_after: Timestamp,
}

/// `partner.<id>.cancel`: cancel the order of a key, or make sure there will never be one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cancel {
    #[serde(flatten)]
    pub header: CommandHeader,
    pub placement_key: Key,
}

/// `partner.<id>.lookup`: is there an order for this key?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Lookup {
    #[serde(flatten)]
    pub header: CommandHeader,
    pub placement_key: Key,
}

/// An answer to one command, on the `reply_to` of that command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PartnerReply {
    #[serde(flatten)]
    pub header: ReplyHeader,
    #[serde(flatten)]
    pub outcome: PartnerOutcome,
}

/// What a partner answers to a command. Which outcome fits which command is checked at the edge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum PartnerOutcome {
    /// reserve: held.
    Reserved { reservation_id: ReservationId, valid_until: Timestamp },
    /// release: the hold is gone (or had expired), and the key is tombstoned.
    Released,
    /// place, lookup: the order stands.
    Confirmed { order_id: OrderId, total: Money },
    /// cancel, lookup: the order existed and is canceled for good.
    Canceled { order_id: OrderId },
    /// release, cancel, lookup: no such key. Final only if the partner tombstones it.
    NotFound { final_for_key: bool },
    /// Any command: no. Final for the key, or about this copy only.
    Refused { reason: Text<200>, final_for_key: bool },
}

/// `partner.<id>.reply.<partition>.notice`: the partner speaks unasked about one of our orders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PartnerNotice {
    /// Made by the partner; deduplicates the notice.
    pub notice_id: MessageId,
    pub request_id: RequestId,
    pub attempt: u8,
    pub placement_key: Key,
    #[serde(flatten)]
    pub news: PartnerNews,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "news", rename_all = "snake_case")]
pub enum PartnerNews {
    /// Call-back style confirmation of an order.
    OrderConfirmed { order_id: OrderId, total: Money },
    /// The partner canceled an order it had confirmed.
    OrderCanceled { order_id: OrderId, reason: Text<200> },
}
