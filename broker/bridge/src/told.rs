//! What an answer of a store tells, in the words of the contract. What cannot be read tells
//! nothing: never a "no", and never a "yes" with a guess in it.

mod words;

use schemas::id::{OrderId, QuoteId, ReservationId};
use schemas::partner::{Component, QuoteOffer, QuoteOutcome, QuoteQuestion};
use schemas::text::Text;
use schemas::{Condition, Currency, DurationMs, Isbn13, Money, Timestamp};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as ValueError, StrDeserializer};

use crate::http::Answer;
use crate::read::{Document, Node, Path, amount};
use crate::store::Store;
use crate::store::compile::{Price, PriceSource};
use crate::store::file::InstantForm;
use crate::store::outcome::{Meaning, Outcome, Rules};
use crate::store::parts::{Hold, Instant, Offer, OrderTold, Quote, Release};

/// A pause after "too many" that does not say how long.
const PAUSE_DEFAULT: DurationMs = DurationMs(1000);

/// About an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OrderNews {
    Confirmed { order_id: OrderId, total: Money },
    Canceled { order_id: Option<OrderId> },
    Pending { store_ref: Option<String>, status_url: Option<String> },
    Refused { reason: Text<200>, is_final: bool },
    NotFound,
    TooMany(DurationMs),
    Unknown(String),
}

/// About a hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HoldNews {
    Reserved { reservation_id: ReservationId, valid_until: Timestamp },
    Released,
    Refused(Text<200>),
    NotFound,
    TooMany(DurationMs),
    Unknown(String),
}

fn judge<'a>(rules: &Rules, answer: &'a Answer) -> (Meaning, Option<&'a Document>, String) {
    match &answer.body {
        Ok(body) => {
            let why = format!("no rule says what status {} means", answer.status);
            (rules.judge(Some(answer.status), body, body.root()), Some(body), why)
        }
        Err(why) => (rules.judge_unread(answer.status), None, why.clone()),
    }
}

fn reason(body: Option<(&Document, Node<'_>)>, path: Option<&Path>, outcome: Outcome) -> Text<200> {
    let told = body.zip(path).and_then(|((body, at), path)| body.text(at, path));
    let told: String = told.unwrap_or_default().chars().filter(|c| !c.is_control()).collect();
    let cut = (0..=told.len().min(200)).rev().find(|at| told.is_char_boundary(*at)).unwrap_or(0);
    Text::parse(&told[..cut])
        .unwrap_or_else(|_| Text::parse(outcome.label()).expect("labels are short and printable"))
}

pub(crate) fn order(store: &Store, told: &OrderTold, answer: &Answer) -> OrderNews {
    let (meaning, body, unknown) = judge(&told.rules, answer);
    let retry_after = answer.retry_after;
    order_news(store, told, (meaning, retry_after), body.map(|body| (body, body.root())), unknown)
}

/// A call-back has no status.
pub(crate) fn order_called_back(store: &Store, told: &OrderTold, body: &Document) -> OrderNews {
    let meaning = told.rules.judge(None, body, body.root());
    let unknown = "no rule says what it means".to_owned();
    order_news(store, told, (meaning, None), Some((body, body.root())), unknown)
}

fn order_news(
    store: &Store,
    told: &OrderTold,
    (meaning, retry_after): (Meaning, Option<DurationMs>),
    body: Option<(&Document, Node<'_>)>,
    unknown: String,
) -> OrderNews {
    let text = |path: Option<&Path>| {
        let (body, at) = body?;
        body.text(at, path?)
    };
    let order_id = || {
        let text = text(told.order_id.as_ref()).ok_or("the answer has no order id")?;
        OrderId::parse(&text).map_err(|e| e.to_string())
    };
    match meaning.outcome {
        Outcome::Accepted => {
            let terms = order_id().and_then(|id| Ok((id, total(store, told, body)?)));
            match terms {
                Ok((order_id, total)) => OrderNews::Confirmed { order_id, total },
                Err(why) => OrderNews::Unknown(why),
            }
        }
        Outcome::Canceled => OrderNews::Canceled { order_id: order_id().ok() },
        Outcome::Pending => OrderNews::Pending {
            store_ref: text(told.order_id.as_ref()),
            status_url: text(told.status_url.as_ref()),
        },
        Outcome::OutOfStock | Outcome::Rejected => OrderNews::Refused {
            reason: reason(body, told.reason.as_ref(), meaning.outcome),
            is_final: meaning.is_final,
        },
        Outcome::NotFound => OrderNews::NotFound,
        Outcome::TooMany => OrderNews::TooMany(retry_after.unwrap_or(PAUSE_DEFAULT)),
        Outcome::Unknown => OrderNews::Unknown(unknown),
    }
}

/// A cancellation says yes without terms.
pub(crate) fn cancel(store: &Store, told: &OrderTold, answer: &Answer) -> OrderNews {
    let (meaning, body, unknown) = judge(&told.rules, answer);
    let meaning = match meaning.outcome {
        Outcome::Accepted => Meaning { outcome: Outcome::Canceled, ..meaning },
        _ => meaning,
    };
    let at = body.map(|body| (body, body.root()));
    order_news(store, told, (meaning, answer.retry_after), at, unknown)
}

fn total(
    store: &Store,
    told: &OrderTold,
    body: Option<(&Document, Node<'_>)>,
) -> Result<Money, String> {
    let price = told.total.as_ref().ok_or("it is not said where the total stands")?;
    let (body, at) = body.ok_or("the answer has no body")?;
    let currency = currency(store, body, at, told.currency.as_ref())?;
    let minor = read_price(store, price, body, at, (currency, 1))?.ok_or("there is no total")?;
    Money::new(minor, currency).map_err(|e| e.to_string())
}

fn currency(
    store: &Store,
    body: &Document,
    at: Node<'_>,
    path: Option<&Path>,
) -> Result<Currency, String> {
    let Some(path) = path else { return Ok(store.partner.currency) };
    let text = body.text(at, path).ok_or("the answer has no currency")?;
    Currency::parse(text.trim()).map_err(|e| e.to_string())
}

/// `None` if the answer does not have it.
fn read_price(
    store: &Store,
    price: &Price,
    body: &Document,
    at: Node<'_>,
    (currency, copies): (Currency, u64),
) -> Result<Option<u64>, String> {
    let text = match &price.source {
        PriceSource::Path(path) => body.text(at, path),
        PriceSource::Fixed(text) => {
            // What is fixed is fixed in one currency.
            (currency == store.partner.currency).then(|| text.clone())
        }
    };
    let Some(text) = text else { return Ok(None) };
    let minor = amount::parse(&text, store.partner.unit, currency).map_err(|e| e.to_string())?;
    let times = if price.each { copies } else { 1 };
    minor.checked_mul(times).map(Some).ok_or_else(|| "it is more than any price".to_owned())
}

fn instant(
    instant: Option<&Instant>,
    body: &Document,
    at: Node<'_>,
    now: Timestamp,
) -> Option<Timestamp> {
    let instant = instant?;
    let text = body.text(at, &instant.path)?;
    let number = || text.trim().parse::<u64>().ok();
    match instant.form {
        InstantForm::Rfc3339 => Timestamp::parse(text.trim()).ok(),
        InstantForm::UnixS => Some(Timestamp::from_unix_ms(number()?.checked_mul(1000)?)),
        InstantForm::UnixMs => Some(Timestamp::from_unix_ms(number()?)),
        InstantForm::InS => Some(now.saturating_add(DurationMs::from_secs(number()?))),
    }
}

pub(crate) fn hold(hold: &Hold, answer: &Answer, (ttl, now): (DurationMs, Timestamp)) -> HoldNews {
    let (meaning, body, unknown) = judge(&hold.rules, answer);
    let at = body.map(|body| (body, body.root()));
    match (meaning.outcome, at) {
        (Outcome::Accepted, Some((body, at))) => {
            let id = body.text(at, &hold.reservation_id).unwrap_or_default();
            let until = instant(hold.valid_until.as_ref(), body, at, now);
            // A store that does not say how long promises what it was asked for.
            let valid_until = until.unwrap_or_else(|| now.saturating_add(ttl));
            match ReservationId::parse(&id) {
                Ok(reservation_id) => HoldNews::Reserved { reservation_id, valid_until },
                Err(error) => HoldNews::Unknown(error.to_string()),
            }
        }
        (Outcome::OutOfStock | Outcome::Rejected | Outcome::NotFound, at) => {
            HoldNews::Refused(reason(at, hold.reason.as_ref(), meaning.outcome))
        }
        (Outcome::TooMany, _) => HoldNews::TooMany(answer.retry_after.unwrap_or(PAUSE_DEFAULT)),
        _ => HoldNews::Unknown(unknown),
    }
}

pub(crate) fn release(release: &Release, answer: &Answer) -> HoldNews {
    let (meaning, body, unknown) = judge(&release.rules, answer);
    let at = body.map(|body| (body, body.root()));
    match meaning.outcome {
        Outcome::Accepted | Outcome::Canceled => HoldNews::Released,
        Outcome::NotFound => HoldNews::NotFound,
        Outcome::Rejected | Outcome::OutOfStock => {
            HoldNews::Refused(reason(at, release.reason.as_ref(), meaning.outcome))
        }
        Outcome::TooMany => HoldNews::TooMany(answer.retry_after.unwrap_or(PAUSE_DEFAULT)),
        Outcome::Pending | Outcome::Unknown => HoldNews::Unknown(unknown),
    }
}

/// About each question in the order of asking; `None` is silence.
pub(crate) fn quotes(
    store: &Store,
    questions: &[QuoteQuestion],
    answer: &Answer,
    now: Timestamp,
) -> Vec<Option<QuoteOutcome>> {
    let quote = &store.quote;
    let (meaning, body, _) = judge(&quote.rules, answer);
    let Some(body) = body else {
        let too_many = meaning.outcome == Outcome::TooMany;
        let each = too_many.then(|| too_much(answer.retry_after.unwrap_or(PAUSE_DEFAULT)));
        return vec![each; questions.len()];
    };
    if meaning.outcome != Outcome::Accepted {
        let wait = answer.retry_after;
        return vec![said_no(quote, meaning.outcome, wait, (body, body.root())); questions.len()];
    }
    let items = match &quote.items {
        Some(path) => body.nodes(body.root(), path),
        None => vec![body.root()],
    };
    questions
        .iter()
        .map(|question| match about(quote, question, questions.len(), body, &items) {
            Some(item) => one_quote(store, question, (body, item), now),
            None => quote.absent_is_no_stock.then_some(QuoteOutcome::NoStock),
        })
        .collect()
}

/// The item that answers a question.
fn about<'d>(
    quote: &Quote,
    question: &QuoteQuestion,
    questions: usize,
    body: &'d Document,
    items: &[Node<'d>],
) -> Option<Node<'d>> {
    let Some(path) = &quote.reference else {
        return if questions == 1 { items.first().copied() } else { None };
    };
    let names = |item: &Node<'d>| {
        body.text(*item, path).is_some_and(|text| {
            text == question.call_id.to_string() || Isbn13::parse(&text) == Ok(question.isbn)
        })
    };
    items.iter().copied().find(names)
}

fn one_quote(
    store: &Store,
    question: &QuoteQuestion,
    (body, at): (&Document, Node<'_>),
    now: Timestamp,
) -> Option<QuoteOutcome> {
    let quote = &store.quote;
    if let Some(rules) = &quote.item_rules {
        let meaning = rules.judge(None, body, at);
        if meaning.outcome != Outcome::Accepted {
            return said_no(quote, meaning.outcome, None, (body, at));
        }
    }
    let offer = offer(store, &quote.offer, question, (body, at), now);
    Some(offer.map_or_else(unusable, QuoteOutcome::Offer))
}

/// An offer that cannot be read is not taken, and it is told why.
fn unusable(why: String) -> QuoteOutcome {
    let why: String = format!("unusable offer: {why}").chars().filter(|c| c.is_ascii()).collect();
    let reason = Text::parse(&why[..why.len().min(200)]);
    let reason =
        reason.unwrap_or_else(|_| Text::parse("unusable offer").expect("a short printable text"));
    QuoteOutcome::Refused { reason, retry_after_ms: None }
}

fn said_no(
    quote: &Quote,
    outcome: Outcome,
    retry_after: Option<DurationMs>,
    at: (&Document, Node<'_>),
) -> Option<QuoteOutcome> {
    match outcome {
        Outcome::OutOfStock | Outcome::NotFound => Some(QuoteOutcome::NoStock),
        Outcome::Rejected | Outcome::Canceled => Some(QuoteOutcome::Refused {
            reason: reason(Some(at), quote.reason.as_ref(), outcome),
            retry_after_ms: None,
        }),
        Outcome::TooMany => Some(too_much(retry_after.unwrap_or(PAUSE_DEFAULT))),
        Outcome::Accepted | Outcome::Pending | Outcome::Unknown => None,
    }
}

pub(crate) fn too_much(wait: DurationMs) -> QuoteOutcome {
    QuoteOutcome::Refused {
        reason: Text::parse("too many questions now").expect("a short printable text"),
        retry_after_ms: Some(wait),
    }
}

fn offer(
    store: &Store,
    offer: &Offer,
    question: &QuoteQuestion,
    (body, at): (&Document, Node<'_>),
    now: Timestamp,
) -> Result<QuoteOffer, String> {
    let text = |path: &Option<Path>| path.as_ref().map(|path| body.text(at, path));
    let quote_id = match text(&offer.quote_id) {
        Some(text) => text.ok_or("it has no quote id")?,
        None => format!("b.{}", question.call_id),
    };
    let isbn = match text(&offer.isbn) {
        Some(text) => Isbn13::parse(&text.unwrap_or_default()).map_err(|e| e.to_string())?,
        None => question.isbn,
    };
    let in_stock = match text(&offer.in_stock) {
        Some(text) => text.and_then(|n| n.parse().ok()).ok_or("in_stock is no number")?,
        None => u32::from(question.quantity),
    };
    let currency = currency(store, body, at, offer.currency.as_ref())?;
    let terms = (currency, u64::from(question.quantity));
    let price = |price: &Price| read_price(store, price, body, at, terms);
    let part = |part: &Option<Price>| match part {
        Some(spec) => Ok::<_, String>(price(spec)?.map(|minor| component(spec, minor))),
        None => Ok(None),
    };
    let until = instant(offer.valid_until.as_ref(), body, at, now);
    if offer.valid_until.is_some() && until.is_none() {
        return Err("valid_until is no instant".to_owned());
    }
    Ok(QuoteOffer {
        quote_id: QuoteId::parse(&quote_id).map_err(|e| e.to_string())?,
        isbn,
        condition: condition(offer, body, at)?,
        currency,
        item: price(&offer.item)?.ok_or("it has no price")?,
        shipping: part(&offer.shipping)?,
        tax: part(&offer.tax)?,
        fee: part(&offer.fee)?,
        in_stock,
        valid_until: until.unwrap_or_else(|| now.saturating_add(offer.valid_for)),
    })
}

fn component(price: &Price, minor: u64) -> Component {
    if price.at_most { Component::AtMost(minor) } else { Component::Exact(minor) }
}

fn condition(offer: &Offer, body: &Document, at: Node<'_>) -> Result<Condition, String> {
    let (path, section) = &offer.condition;
    let Some(path) = path else { return section.fixed.ok_or_else(|| "no condition".to_owned()) };
    let text = body.text(at, path).ok_or("it has no condition")?;
    if let Some(known) = section.words.get(&text) {
        return Ok(*known);
    }
    let words: StrDeserializer<'_, ValueError> = text.as_str().into_deserializer();
    Condition::deserialize(words).map_err(|_| format!("the condition {text:?} is not known"))
}
