//! Requester → broker commands, and what the broker answers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::{Receipt, RunningSweep};
use crate::id::{CommandId, OrderId, PartnerId, PaymentToken, RequestId};
use crate::item::ItemIdentifier;
use crate::problem::Problem;
use crate::text::Text;
use crate::{Condition, Destination, Isbn13, Money, RejectReason, Timestamp};

/// Most copies in one request.
pub const QUANTITY_MAX: u8 = 99;

/// `purchase.create.<customer_id>`: buy this book if the landed total is at most `max_total`,
/// before `expires_at`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CreatePurchase {
    /// UUIDv7 made before sending: the idempotency key. Same id and body → same answer.
    pub request_id: RequestId,
    pub item: ItemIdentifier,
    /// Copies wanted, 1 to 99; all from one partner or none.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 99))]
    pub quantity: u8,
    /// Limit for the landed total: item + shipping + tax + fees, inclusive.
    pub max_total: Money,
    /// No order is placed at or after this instant.
    pub expires_at: Timestamp,
    pub destination: Destination,
    /// Token of the payment provider; card numbers are refused.
    pub payment_token: PaymentToken,
    /// Worst acceptable condition.
    #[serde(default)]
    pub condition: Condition,
    #[serde(default)]
    pub strategy: Strategy,
    #[serde(default)]
    pub mode: Mode,
    /// Buy again elsewhere if the partner cancels the order unasked before `expires_at`.
    #[serde(default)]
    pub rebuy: bool,
}

fn one() -> u8 {
    1
}

/// How long to look for a better price.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// Wait for every healthy partner up to the sweep's hard stop.
    Cheapest,
    /// First affordable offer starts a grace window of 200 ms; skipped 12.5 % below the limit.
    #[default]
    Balanced,
    /// First affordable offer wins.
    Fast,
}

/// What happens when nothing affordable is found.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Report the best price once; the quote stays acceptable until it expires.
    #[default]
    OneShot,
    /// Keep sweeping until `expires_at`.
    Watch,
}

/// `purchase.update.<customer_id>`: change an open request. Absent fields stay as they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UpdatePurchase {
    pub request_id: RequestId,
    /// Made by the requester; the same id with the same body is applied once.
    pub command_id: CommandId,
    /// Apply only if the request still has this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_version: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_total: Option<Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
}

/// `purchase.cancel.<customer_id>`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CancelPurchase {
    pub request_id: RequestId,
    pub command_id: CommandId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Text<200>>,
}

/// `purchase.accept_quote.<customer_id>`: buy the quote named by the token of a `quoted`
/// notification, although it is above `max_total`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AcceptQuote {
    pub request_id: RequestId,
    pub command_id: CommandId,
    /// `accept_token` of the notification: 32 lower-case hex digits.
    pub accept_token: Text<64>,
}

/// `purchase.api.get.<customer_id>` and `purchase.api.receipt.<customer_id>`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GetPurchase {
    pub request_id: RequestId,
}

/// Most requests in one page of a list.
pub const LIST_PAGE_MAX: u16 = 100;

/// `purchase.api.list.<customer_id>`: newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ListPurchases {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<PurchaseStatus>,
    /// `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<RequestId>,
    /// 1 to 100, default 20.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub limit: Option<u16>,
}

/// Canonical status of a purchase request.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum PurchaseStatus {
    Pending,
    Searching,
    Quoted,
    OutOfStock,
    Ordering,
    Ordered,
    Expired,
    Failed,
    Canceled,
}

impl PurchaseStatus {
    pub const fn label(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Searching => "searching",
            Self::Quoted => "quoted",
            Self::OutOfStock => "out_of_stock",
            Self::Ordering => "ordering",
            Self::Ordered => "ordered",
            Self::Expired => "expired",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }
}

/// Saga state of the current attempt.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum CheckoutStatus {
    Reserving,
    Authorizing,
    ActionRequired,
    Placing,
    PlacementUnknown,
    Capturing,
    Completed,
    Compensating,
    Compensated,
}

/// A landed price, component by component. Amounts are the worst case, in minor units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QuoteView {
    pub partner_id: PartnerId,
    pub total: Money,
    pub item: u64,
    /// Absent when the partner did not state it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shipping: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fee: Option<u64>,
    pub valid_until: Timestamp,
}

/// A request as its customer sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PurchaseView {
    pub request_id: RequestId,
    /// Grows by one with every change.
    pub version: u64,
    pub status: PurchaseStatus,
    pub isbn: Isbn13,
    pub quantity: u8,
    pub max_total: Money,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub strategy: Strategy,
    pub mode: Mode,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkout: Option<CheckoutView>,
    /// Best offer while `quoted`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_quote: Option<QuoteView>,
    /// Why, when `failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<RejectReason>,
    /// What more is known of the failure, such as the amounts; for humans.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_detail: Option<String>,
    /// A cancel was accepted but the order's own outcome decides.
    #[serde(default)]
    pub cancel_requested: bool,
    /// A human is looking at it: the outcome of the order is not known.
    #[serde(default)]
    pub incident: bool,
}

/// The attempt to buy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckoutView {
    pub attempt: u8,
    pub status: CheckoutStatus,
    pub quote: QuoteView,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_total: Option<Money>,
    /// Where the customer must authenticate, while `action_required`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action_url: Option<Text<300>>,
}

/// Answer of the micro service to create, get, update, cancel and accept_quote. Sent only after
/// the change is on the broker's own disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum CommandReply {
    Accepted {
        /// True when these bytes had been accepted before.
        replayed: bool,
        request: Box<PurchaseView>,
    },
    Rejected(Problem),
}

/// Answer to list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum ListReply {
    Page {
        requests: Vec<PurchaseView>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<RequestId>,
    },
    Rejected(Problem),
}

/// Answer to receipt: what the last sweep found and what was decided from it, and what the one
/// under way has found so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum ReceiptReply {
    Found {
        request_id: RequestId,
        /// Absent until the first sweep has ended.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        receipt: Option<Box<Receipt>>,
        /// The sweep under way, which may end in another decision; absent while there is none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        running: Option<Box<RunningSweep>>,
    },
    Rejected(Problem),
}
