//! The checks, in the order of a purchase.

use std::time::{Duration, Instant};

use schemas::directory::LookupKind;
use schemas::id::{CallId, Key, MessageId, OrderId};
use schemas::partner::{
    CommandHeader, Component, Place, QuoteOffer, QuoteOutcome, QuoteQuestion, Reserve,
};
use schemas::{Condition, Destination, DurationMs, Money, RequestId, Timestamp};
use serde_json::Value;

use super::{Check, Findings, Found, Probe};
use crate::caller::{Ask, Caller};
use crate::gate::Line;
use crate::store::compile::Call;
use crate::store::parts::Order;
use crate::told::{self, HoldNews, OrderNews};
use crate::{clock, context};

/// An order that is told later, or becomes visible later, is waited for so long.
const WAIT_MAX: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(100);
const TTL: DurationMs = DurationMs::from_secs(60);

struct Kit<'a> {
    caller: &'a Caller,
    probe: &'a Probe,
    request: RequestId,
    findings: Findings,
}

pub(super) async fn run(caller: &Caller, probe: &Probe) -> Findings {
    // Unique as far as a store can see: nobody tests it twice within one nanosecond.
    let nanos = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let nanos = nanos.unwrap_or_default().as_nanos();
    let request = RequestId::from_parts(clock::now().as_unix_ms(), nanos);
    let mut kit = Kit { caller, probe, request, findings: Findings::default() };
    kit.all().await;
    kit.findings
}

impl Kit<'_> {
    async fn all(&mut self) {
        let Some(offer) = self.quote().await else { return };
        self.hold(&offer).await;
        if let Some((key, order_id)) = self.order(&offer).await {
            self.second_copy(&offer, &key, &order_id).await;
            self.cancel(&key).await;
        }
        self.fence(&offer).await;
        self.too_late(&offer).await;
        let slowest = self.findings.slowest;
        self.note("time to answer", true, true, format!("at most {slowest}"));
    }

    fn note(&mut self, name: &'static str, promised: bool, kept: bool, detail: impl Into<String>) {
        let found = match (kept, promised) {
            (true, _) => Found::Kept,
            (false, true) => Found::Broken,
            (false, false) => Found::No,
        };
        self.findings.checks.push(Check { name, found, detail: detail.into() });
    }

    fn untried(&mut self, name: &'static str, why: impl Into<String>) {
        self.findings.checks.push(Check { name, found: Found::Untried, detail: why.into() });
    }

    fn key(&self, what: &str) -> Key {
        let digest = schemas::Digest::of_value(&(self.request.to_string(), what)).to_string();
        let text: String = digest.chars().filter(char::is_ascii_alphanumeric).take(20).collect();
        Key::parse(&text).expect("letters and digits")
    }

    fn header(&self, operation: &str) -> CommandHeader {
        let id = format!("test-{}-{operation}", self.request);
        CommandHeader {
            id: MessageId::parse(&id).expect("letters, digits and dashes"),
            request_id: self.request,
            attempt: 1,
            reply_to: String::new(),
        }
    }

    fn destination(&self) -> Destination {
        Destination {
            country: self.probe.country,
            postal_code: self.probe.postal_code.clone(),
            address: None,
        }
    }

    fn soon(&self) -> Timestamp {
        clock::now().saturating_add(DurationMs::from_secs(30))
    }

    async fn call(
        &mut self,
        call: &Call,
        operation: &'static str,
        values: &Value,
        key: Option<&Key>,
    ) -> Result<crate::http::Answer, String> {
        let begun = Instant::now();
        let ask = Ask { operation, values, key, line: Line::Commands, deadline: self.soon() };
        let answer = self.caller.call(call, ask).await;
        let took = DurationMs(u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX));
        self.findings.slowest = self.findings.slowest.max(took);
        answer.map_err(|error| error.to_string())
    }

    async fn quote(&mut self) -> Option<QuoteOffer> {
        let store = &self.caller.store;
        let question = QuoteQuestion {
            call_id: CallId { epoch: 0, counter: 1 },
            isbn: self.probe.isbn,
            quantity: 1,
            condition: Condition::Acceptable,
            currency: store.partner.currency,
            destination: self.destination(),
            not_after: self.soon(),
        };
        let questions = [question];
        let values = context::quote(&questions);
        let told = self.call(&store.quote.call, "quote", &values, None).await.map(|answer| {
            let unread = answer.body.as_ref().err().cloned();
            (told::quotes(store, &questions, &answer, clock::now()).pop().flatten(), unread)
        });
        match told {
            Ok((Some(QuoteOutcome::Offer(offer)), _)) => {
                let whole = landed(&offer).is_some();
                let said = if whole { "an offer with all parts" } else { "a part is missing" };
                self.note("quote", true, whole, said);
                Some(offer)
            }
            Ok((other, unread)) => {
                let why = unread.unwrap_or_else(|| refusal(other));
                self.note("quote", true, false, format!("no offer: {why}"));
                None
            }
            Err(why) => {
                self.note("quote", true, false, why);
                None
            }
        }
    }

    async fn hold(&mut self, offer: &QuoteOffer) {
        let store = &self.caller.store;
        let Some(hold) = &store.reserve else { return self.untried("hold", "not in the file") };
        let reserve = Reserve {
            header: self.header("reserve"),
            reservation_key: self.key("hold"),
            quote_id: offer.quote_id.clone(),
            isbn: offer.isbn,
            quantity: 1,
            ttl_ms: TTL,
            not_after: self.soon(),
        };
        let key = reserve.reservation_key.clone();
        let values = context::reserve(&reserve);
        let answer = self.call(&hold.call, "reserve", &values, Some(&key)).await;
        let news = answer.map(|answer| told::hold(hold, &answer, (TTL, clock::now())));
        let Ok(HoldNews::Reserved { reservation_id, .. }) = news else {
            return self.note("hold", true, false, said(&news));
        };
        self.findings.reserves = true;
        self.note("hold", true, true, "held");
        let Some(release) = &store.release else { return };
        let header = self.header("release");
        let values = context::existing(&header, key.as_str(), Some(reservation_id.as_str()));
        let answer = self.call(&release.call, "release", &values, Some(&key)).await;
        let news = answer.map(|answer| told::release(release, &answer));
        let released = matches!(news, Ok(HoldNews::Released));
        self.note("release", true, released, said(&news));
    }

    fn place_of(&self, offer: &QuoteOffer, key: &Key, not_after: Timestamp) -> Place {
        let total = landed(offer).unwrap_or(offer.item);
        Place {
            header: self.header("place"),
            placement_key: key.clone(),
            quote_id: offer.quote_id.clone(),
            reservation_key: None,
            isbn: offer.isbn,
            quantity: 1,
            condition: offer.condition,
            price_cap: Money::new(total, offer.currency)
                .unwrap_or_else(|_| Money::zero(offer.currency)),
            destination: self.destination(),
            not_after,
        }
    }

    async fn place(&mut self, offer: &QuoteOffer, key: &Key, not_after: Timestamp) -> OrderNews {
        let store = &self.caller.store;
        let values = context::place(&self.place_of(offer, key, not_after), None);
        match self.call(&store.place.call, "place", &values, Some(key)).await {
            Ok(answer) => told::order(store, &store.place.told, &answer),
            Err(why) => OrderNews::Unknown(why),
        }
    }

    async fn about(&mut self, order: &Order, operation: &'static str, key: &Key) -> OrderNews {
        let store = &self.caller.store;
        let values = context::existing(&self.header(operation), key.as_str(), None);
        match self.call(&order.call, operation, &values, Some(key)).await {
            Ok(answer) if operation == "cancel" => told::cancel(store, &order.told, &answer),
            Ok(answer) => told::order(store, &order.told, &answer),
            Err(why) => OrderNews::Unknown(why),
        }
    }

    /// Looks until the order is seen; how long it took.
    async fn seen(&mut self, key: &Key) -> Option<(OrderId, Money, Duration)> {
        let lookup = self.caller.store.lookup.as_ref()?;
        let begun = Instant::now();
        while begun.elapsed() < WAIT_MAX {
            if let OrderNews::Confirmed { order_id, total } =
                self.about(lookup, "lookup", key).await
            {
                return Some((order_id, total, begun.elapsed()));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        None
    }

    async fn order(&mut self, offer: &QuoteOffer) -> Option<(Key, OrderId)> {
        let key = self.key("order");
        let news = self.place(offer, &key, self.soon()).await;
        let told = match &news {
            OrderNews::Confirmed { order_id, total } => Some((order_id.clone(), *total)),
            OrderNews::Pending { .. } => None,
            other => {
                self.note("order", true, false, other.to_string());
                return None;
            }
        };
        let at_once = match self.caller.store.lookup.as_ref() {
            Some(lookup) => Some(self.about(lookup, "lookup", &key).await),
            None => None,
        };
        let visible = matches!(&at_once, Some(OrderNews::Confirmed { .. }));
        let seen = self.seen(&key).await;
        self.judge_lookup(told.is_some(), visible, seen.as_ref().map(|(_, _, took)| *took));
        let found = told.or_else(|| seen.map(|(order_id, total, _)| (order_id, total)));
        let Some((order_id, total)) = found else {
            self.note("order", true, false, "taken, and never confirmed");
            return None;
        };
        self.note("order", true, true, format!("{order_id} for {total}"));
        let quoted = landed(offer);
        let honest = quoted.is_some_and(|quoted| total.minor() <= quoted);
        let quoted = quoted.and_then(|minor| Money::new(minor, offer.currency).ok());
        let quoted =
            quoted.map_or_else(|| "no whole price".to_owned(), |quoted| quoted.to_string());
        self.note("price honesty", true, honest, format!("quoted {quoted}, charged {total}"));
        Some((key, order_id))
    }

    fn judge_lookup(&mut self, at_once: bool, visible: bool, took: Option<Duration>) {
        let promised = self.caller.store.promises.lookup;
        let (kind, detail) = match took {
            None if promised == LookupKind::None => {
                (LookupKind::None, "not in the file".to_owned())
            }
            None => (LookupKind::None, "the order was never seen".to_owned()),
            Some(_) if visible && at_once => (LookupKind::ReadYourWrites, "at once".to_owned()),
            // An order that is told later may be seen later.
            Some(_) if !at_once && promised == LookupKind::ReadYourWrites => {
                (LookupKind::ReadYourWrites, "once it was confirmed".to_owned())
            }
            Some(took) => {
                let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
                self.findings.settle = Some(DurationMs(ms.saturating_mul(3)).max(DurationMs(1000)));
                (LookupKind::Eventual, format!("after {ms} ms"))
            }
        };
        self.findings.lookup = kind;
        let worth = |kind| match kind {
            LookupKind::None => 0,
            LookupKind::Eventual => 1,
            LookupKind::ReadYourWrites => 2,
        };
        self.note("look-up", promised != LookupKind::None, worth(kind) >= worth(promised), detail);
    }

    async fn second_copy(&mut self, offer: &QuoteOffer, key: &Key, first: &OrderId) {
        if !self.caller.store.promises.idempotent {
            return self.untried("idempotent order", "not promised, so never relied on");
        }
        let news = self.place(offer, key, self.soon()).await;
        let kept = match &news {
            OrderNews::Confirmed { order_id, .. } => order_id == first,
            OrderNews::Pending { .. } => {
                let seen = self.seen(key).await;
                seen.is_some_and(|(order_id, _, _)| order_id == *first)
            }
            _ => false,
        };
        self.note("idempotent order", true, kept, format!("the second copy: {news}"));
    }

    async fn cancel(&mut self, key: &Key) {
        let store = &self.caller.store;
        let Some(order) = &store.cancel else { return self.untried("cancel", "not in the file") };
        let news = self.about(order, "cancel", key).await;
        let canceled = matches!(news, OrderNews::Canceled { .. });
        self.findings.cancels = canceled;
        self.note("cancel", true, canceled, news.to_string());
        if let (true, Some(lookup)) = (canceled, &store.lookup) {
            let news = self.about(lookup, "lookup", key).await;
            let gone = !matches!(news, OrderNews::Confirmed { .. });
            self.note("look-up after cancel", true, gone, news.to_string());
        }
    }

    /// A cancel, and then the order of the same key.
    async fn fence(&mut self, offer: &QuoteOffer) {
        let store = &self.caller.store;
        let Some(order) = &store.cancel else {
            return self.untried("cancel fencing", "not in the file");
        };
        let key = self.key("fence");
        let first = self.about(order, "cancel", &key).await;
        if !matches!(first, OrderNews::NotFound) {
            return self.untried("cancel fencing", format!("of a key it does not know: {first}"));
        }
        let news = self.place(offer, &key, self.soon()).await;
        let (stands, kept) = self.came_to_nothing(&news, &key).await;
        self.findings.fences_cancel = kept;
        let promised = store.promises.fences_cancel;
        self.note("cancel fencing", promised, kept, format!("the order after it: {news}"));
        if stands {
            self.about(order, "cancel", &key).await;
        }
    }

    /// Whether an order stands that should not, and whether it is certain that none does: an answer
    /// that proves nothing needs a look-up that says so.
    async fn came_to_nothing(&mut self, news: &OrderNews, key: &Key) -> (bool, bool) {
        match news {
            OrderNews::Confirmed { .. } => (true, false),
            OrderNews::Pending { .. } => {
                let stands = self.seen(key).await.is_some();
                (stands, !stands && self.caller.store.lookup.is_some())
            }
            OrderNews::Refused { .. } | OrderNews::NotFound | OrderNews::Canceled { .. } => {
                (false, true)
            }
            OrderNews::TooMany(_) => (false, false),
            OrderNews::Unknown(_) => match &self.caller.store.lookup {
                Some(lookup) => match self.about(lookup, "lookup", key).await {
                    OrderNews::Confirmed { .. } => (true, false),
                    OrderNews::NotFound | OrderNews::Canceled { .. } => (false, true),
                    _ => (false, false),
                },
                None => (false, false),
            },
        }
    }

    /// An order whose time is over.
    async fn too_late(&mut self, offer: &QuoteOffer) {
        let key = self.key("late");
        let late = clock::now().saturating_sub(DurationMs::from_secs(60));
        let news = self.place(offer, &key, late).await;
        let (stands, kept) = self.came_to_nothing(&news, &key).await;
        self.findings.honours_not_after = kept;
        let promised = self.caller.store.promises.honours_not_after;
        self.note("time limit of orders", promised, kept, format!("one that is late: {news}"));
        if let (true, Some(order)) = (stands, &self.caller.store.cancel) {
            self.about(order, "cancel", &key).await;
        }
    }
}

/// The most that an offer can cost; `None` if a part is missing.
/// Why there is no offer.
fn refusal(outcome: Option<QuoteOutcome>) -> String {
    match outcome {
        None => "the answer says nothing of the book".to_owned(),
        Some(QuoteOutcome::NoStock) => "not in stock".to_owned(),
        Some(QuoteOutcome::Refused { reason, .. }) => format!("refused: {reason}"),
        Some(QuoteOutcome::Offer(_)) => "an offer".to_owned(),
    }
}

/// News, or why there are none.
fn said(news: &Result<HoldNews, String>) -> String {
    news.as_ref().map_or_else(Clone::clone, ToString::to_string)
}

fn landed(offer: &QuoteOffer) -> Option<u64> {
    let parts = [offer.shipping, offer.tax, offer.fee];
    parts.into_iter().try_fold(offer.item, |sum, part| {
        let minor = match part? {
            Component::Exact(minor) | Component::AtMost(minor) => minor,
        };
        sum.checked_add(minor)
    })
}
