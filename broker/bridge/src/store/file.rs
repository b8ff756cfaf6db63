//! `stores/<partner_id>.toml`: one bookstore, as it is written.

use std::collections::BTreeMap;

use schemas::destination::Country;
use schemas::directory::LookupKind;
use schemas::{Condition, Currency, DurationMs, PartnerId};
use serde::{Deserialize, Serialize};

use super::outcome::Outcome;
use crate::read::Format;
use crate::read::amount::Unit;
use crate::secret::Given;

/// The file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreFile {
    pub partner: PartnerSection,
    #[serde(default)]
    pub promises: Promises,
    #[serde(default)]
    pub auth: AuthSection,
    #[serde(default)]
    pub limits: LimitsSection,
    pub quote: QuoteSection,
    pub reserve: Option<HoldSection>,
    pub release: Option<OperationSection>,
    pub place: OrderSection,
    pub cancel: Option<OrderSection>,
    pub lookup: Option<OrderSection>,
    /// With `style = "poll"`.
    pub poll: Option<PollSection>,
    /// With `style = "callback"`.
    pub callback: Option<CallbackSection>,
}

/// How a store tells what became of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Style {
    /// In the answer to the order.
    #[default]
    Sync,
    /// By calling back.
    Callback,
    /// To whoever asks again.
    Poll,
}

/// Who it is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartnerSection {
    pub id: PartnerId,
    /// What amounts are in that do not say it.
    pub currency: Currency,
    pub base_url: String,
    #[serde(default)]
    pub style: Style,
    /// How it writes.
    #[serde(default)]
    pub format: Format,
    /// In which unit it writes amounts.
    #[serde(default)]
    pub unit: Unit,
    /// Prefixes that XPaths use.
    #[serde(default)]
    pub namespaces: BTreeMap<String, String>,
}

/// What it promises; the cautious assumption where it says nothing.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Promises {
    /// A second `place` (or `reserve`) of one key has the effect and answer of the first. Without
    /// it, none is ever sent a second time.
    pub idempotent: bool,
    pub lookup: LookupKind,
    pub settle_ms: DurationMs,
    /// A cancel of a key that it does not know makes sure that no order can come.
    pub fences_cancel: bool,
    /// A look-up of a key that it does not know does the same.
    pub fences_lookup: bool,
    /// It refuses orders that reach it too late.
    pub honours_not_after: bool,
    pub response_ms: DurationMs,
    pub currencies: Vec<Currency>,
    pub destinations: Vec<Country>,
    /// Several orders may name one quote.
    pub quotes_reusable: bool,
}

impl Default for Promises {
    fn default() -> Self {
        Self {
            idempotent: false,
            lookup: LookupKind::None,
            settle_ms: DurationMs::from_secs(120),
            fences_cancel: false,
            fences_lookup: false,
            honours_not_after: false,
            response_ms: DurationMs(2000),
            currencies: Vec::new(),
            destinations: Vec::new(),
            quotes_reusable: false,
        }
    }
}

/// How the bridge shows who it is.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum AuthSection {
    #[default]
    None,
    ApiKey {
        /// The header that carries the key.
        header: String,
        key: Given,
        /// What stands before it, as in `Bearer `.
        #[serde(default)]
        prefix: String,
    },
    Basic {
        user: String,
        password: Given,
    },
    Oauth2ClientCredentials {
        /// Relative to `base_url`.
        token_url: String,
        client_id: String,
        client_secret: Given,
        #[serde(default)]
        scope: String,
    },
}

/// How much of it at once.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsSection {
    /// Calls at once. Quotes take at most three quarters of them, so that orders get through.
    pub concurrency_max: u32,
    pub calls_per_s: u32,
    pub calls_burst: u32,
    pub connect_timeout_ms: DurationMs,
    /// From sending to the last byte of the answer.
    pub timeout_ms: DurationMs,
    /// Of an answer, unpacked.
    pub body_bytes_max: usize,
    /// Commands that wait for their turn; more are taken back later.
    pub waiting_max: usize,
    /// Longest pause that a `Retry-After` can ask for.
    pub retry_after_max_ms: DurationMs,
}

impl Default for LimitsSection {
    fn default() -> Self {
        Self {
            concurrency_max: 16,
            calls_per_s: 50,
            calls_burst: 20,
            connect_timeout_ms: DurationMs(2000),
            timeout_ms: DurationMs(8000),
            body_bytes_max: 256 * 1024,
            waiting_max: 256,
            retry_after_max_ms: DurationMs(60_000),
        }
    }
}

/// One call. `url` is relative to `base_url`; it, the headers and the body are templates.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestSection {
    #[serde(default = "get")]
    pub method: String,
    pub url: String,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    #[serde(default)]
    pub body: Option<String>,
    /// Of the body; that of the store's format by default.
    #[serde(default)]
    pub content_type: Option<String>,
    /// The header that carries the key of the order.
    #[serde(default)]
    pub idempotency_header: Option<String>,
}

fn get() -> String {
    "GET".to_owned()
}

/// What an answer means: the first rule that fits; an answer that none fits means nothing.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleSection {
    /// `200`, `4xx`, or any if it is not given.
    #[serde(default)]
    pub status: Option<String>,
    /// A path that leads somewhere …
    #[serde(default)]
    pub when: Option<String>,
    /// … to one of these texts.
    #[serde(default)]
    pub is: Vec<String>,
    pub outcome: Outcome,
    /// With `rejected` of a cancel: it can never be canceled any more.
    #[serde(default)]
    pub r#final: bool,
}

/// `[quote]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuoteSection {
    pub request: RequestSection,
    /// Books asked about in one call.
    #[serde(default = "one")]
    pub batch_max: usize,
    pub outcomes: Vec<RuleSection>,
    /// Leads to one place for each book; the whole answer is about the only book without it.
    #[serde(default)]
    pub items: Option<String>,
    /// In an item: the `ref` that was sent with the question, or its ISBN.
    #[serde(default, rename = "ref")]
    pub reference: Option<String>,
    #[serde(default)]
    pub item_outcomes: Vec<RuleSection>,
    /// A book that is not in the answer is not in stock.
    #[serde(default)]
    pub absent_is_no_stock: bool,
    pub offer: OfferSection,
    /// Where it says why it refuses.
    #[serde(default)]
    pub reason: Option<String>,
}

fn one() -> usize {
    1
}

/// What a book costs. Nothing is assumed to be free: a part that is not given here is missing.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfferSection {
    /// The bridge makes one up for a store that has none.
    #[serde(default)]
    pub quote_id: Option<String>,
    #[serde(default)]
    pub isbn: Option<String>,
    pub condition: ConditionSection,
    #[serde(default)]
    pub currency: Option<String>,
    pub item: PriceSection,
    #[serde(default)]
    pub shipping: Option<PriceSection>,
    #[serde(default)]
    pub tax: Option<PriceSection>,
    #[serde(default)]
    pub fee: Option<PriceSection>,
    /// Copies; as many as were asked for without it.
    #[serde(default)]
    pub in_stock: Option<String>,
    #[serde(default)]
    pub valid_until: Option<InstantSection>,
    /// Without `valid_until`.
    #[serde(default = "quote_valid")]
    pub valid_for_ms: DurationMs,
}

fn quote_valid() -> DurationMs {
    DurationMs::from_secs(60)
}

/// One amount: where it stands, or what it always is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceSection {
    #[serde(default)]
    pub path: Option<String>,
    /// In the store's currency and unit.
    #[serde(default)]
    pub fixed: Option<String>,
    /// It is that of one copy.
    #[serde(default)]
    pub each: bool,
    /// It can become less, never more.
    #[serde(default)]
    pub at_most: bool,
}

/// The condition of the copy.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConditionSection {
    #[serde(default)]
    pub path: Option<String>,
    /// The store's words and ours; ours are understood without.
    #[serde(default)]
    pub words: BTreeMap<String, Condition>,
    /// What it always is.
    #[serde(default)]
    pub fixed: Option<Condition>,
}

/// How an instant is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InstantForm {
    #[default]
    Rfc3339,
    UnixS,
    UnixMs,
    /// Seconds from now.
    InS,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstantSection {
    pub path: String,
    #[serde(default)]
    pub form: InstantForm,
}

/// `[release]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperationSection {
    pub request: RequestSection,
    pub outcomes: Vec<RuleSection>,
    #[serde(default)]
    pub reason: Option<String>,
}

/// `[reserve]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoldSection {
    pub request: RequestSection,
    pub outcomes: Vec<RuleSection>,
    pub reservation_id: String,
    pub valid_until: Option<InstantSection>,
    #[serde(default)]
    pub reason: Option<String>,
}

/// `[place]`, `[cancel]`, `[lookup]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderSection {
    pub request: RequestSection,
    pub outcomes: Vec<RuleSection>,
    #[serde(default)]
    pub order_id: Option<String>,
    /// What the whole order costs, landed.
    #[serde(default)]
    pub total: Option<PriceSection>,
    #[serde(default)]
    pub currency: Option<String>,
    /// With `style = "poll"`: where to ask, if the store says it.
    #[serde(default)]
    pub status_url: Option<String>,
    #[serde(default)]
    pub reason: Option<String>,
}

/// `[poll]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PollSection {
    /// Without it, the `status_url` that the store gave is asked.
    #[serde(default)]
    pub request: Option<RequestSection>,
    pub outcomes: Vec<RuleSection>,
    #[serde(default)]
    pub order_id: Option<String>,
    #[serde(default)]
    pub total: Option<PriceSection>,
    #[serde(default)]
    pub currency: Option<String>,
    #[serde(default)]
    pub reason: Option<String>,
    /// Between two questions.
    #[serde(default = "poll_every")]
    pub every_ms: DurationMs,
}

fn poll_every() -> DurationMs {
    DurationMs(1000)
}

/// `[callback]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallbackSection {
    /// Where the key of the order stands.
    pub key: String,
    pub outcomes: Vec<RuleSection>,
    #[serde(default)]
    pub order_id: Option<String>,
    #[serde(default)]
    pub total: Option<PriceSection>,
    #[serde(default)]
    pub currency: Option<String>,
    #[serde(default)]
    pub reason: Option<String>,
}
