//! Rules of messages that their types cannot express. What depends on the clock, the store or the
//! configuration (expiry, versions, currencies) is decided by the broker, not here.

use super::sample;
use crate::money::AMOUNT_MAX_MINOR;
use crate::partner::{
    Cancel, Component, Lookup, PartnerNotice, PartnerReply, Place, QUOTE_ITEMS_MAX, QuoteAnswer,
    QuoteAnswers, QuoteOutcome, QuoteQuestion, QuoteRequests, Release, Reserve,
};
use crate::payment::{Authorize, Capture, PaymentLookup, PaymentReply, Refund, Void};
use crate::purchase::{
    AcceptQuote, CancelPurchase, CreatePurchase, GetPurchase, LIST_PAGE_MAX, ListPurchases,
    QUANTITY_MAX, UpdatePurchase,
};
use crate::violation::Violations;

/// Hexadecimal digits of an `accept_token`: 128 bits.
pub(super) const ACCEPT_TOKEN_DIGITS: usize = 32;

/// A message that can be refused although every field has the right type.
pub trait Validate {
    /// A message in which every field can be read, as JSON: what is found at the place of a field
    /// that cannot, so that the others are looked at as well. Without one only the first field
    /// that cannot be read is told.
    const SAMPLE: &'static str = "";

    /// Notes every field that breaks a rule.
    fn check(&self, found: &mut Violations);
}

/// Messages whose types say everything.
macro_rules! nothing_more_to_check {
    ($($message:ty $(= $sample:expr)?),* $(,)?) => {$(
        impl Validate for $message {
            $(const SAMPLE: &'static str = $sample;)?
            fn check(&self, _: &mut Violations) {}
        }
    )*};
}

nothing_more_to_check! {
    CancelPurchase = sample::CANCEL,
    GetPurchase,
    Release, Cancel, Lookup,
    PartnerReply = sample::PARTNER_REPLY,
    PartnerNotice = sample::NOTICE,
    Authorize, Capture, Void, Refund, PaymentLookup,
    PaymentReply = sample::PAYMENT_REPLY,
}

impl Validate for Reserve {
    fn check(&self, found: &mut Violations) {
        quantity(found, "quantity", self.quantity);
    }
}

impl Validate for Place {
    fn check(&self, found: &mut Violations) {
        quantity(found, "quantity", self.quantity);
    }
}

impl Validate for CreatePurchase {
    const SAMPLE: &'static str = sample::CREATE;

    fn check(&self, found: &mut Violations) {
        quantity(found, "quantity", self.quantity);
        limit(found, self.max_total);
    }
}

impl Validate for UpdatePurchase {
    const SAMPLE: &'static str = sample::UPDATE;

    fn check(&self, found: &mut Violations) {
        if self.max_total.is_none() && self.expires_at.is_none() && self.strategy.is_none() {
            let why = "the update changes nothing: give max_total, expires_at or strategy";
            found.invalid(".", why);
        }
        if let Some(max_total) = self.max_total {
            limit(found, max_total);
        }
    }
}

impl Validate for AcceptQuote {
    const SAMPLE: &'static str = sample::ACCEPT_QUOTE;

    fn check(&self, found: &mut Violations) {
        let token = self.accept_token.as_str();
        let hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        if token.len() != ACCEPT_TOKEN_DIGITS || !token.bytes().all(hex) {
            let digits = ACCEPT_TOKEN_DIGITS;
            found.invalid("accept_token", format!("must be {digits} lower-case hex digits"));
        }
    }
}

impl Validate for ListPurchases {
    const SAMPLE: &'static str = sample::LIST;

    fn check(&self, found: &mut Violations) {
        if let Some(limit) = self.limit.filter(|limit| *limit == 0 || *limit > LIST_PAGE_MAX) {
            found.invalid("limit", format!("must be 1 to {LIST_PAGE_MAX}, got {limit}"));
        }
    }
}

impl Validate for QuoteRequests {
    fn check(&self, found: &mut Violations) {
        batch(found, &self.items, |found, at, item: &QuoteQuestion| {
            quantity(found, &format!("items[{at}].quantity"), item.quantity);
        });
    }
}

impl Validate for QuoteAnswers {
    const SAMPLE: &'static str = sample::QUOTE_ANSWERS;

    fn check(&self, found: &mut Violations) {
        batch(found, &self.items, answer);
    }
}

fn answer(found: &mut Violations, at: usize, item: &QuoteAnswer) {
    let QuoteOutcome::Offer(offer) = &item.outcome else {
        return;
    };
    let mut amount = |name: &str, minor: u64| {
        if minor > AMOUNT_MAX_MINOR {
            let rule = format!("must be at most {AMOUNT_MAX_MINOR} minor units");
            found.invalid(format!("items[{at}].{name}"), rule);
        }
    };
    amount("item", offer.item);
    let parts = [("shipping", offer.shipping), ("tax", offer.tax), ("fee", offer.fee)];
    for (name, part) in parts {
        if let Some(Component::Exact(minor) | Component::AtMost(minor)) = part {
            amount(name, minor);
        }
    }
}

fn batch<T>(found: &mut Violations, items: &[T], check: impl Fn(&mut Violations, usize, &T)) {
    if items.is_empty() || items.len() > QUOTE_ITEMS_MAX {
        let rule = format!("must have 1 to {QUOTE_ITEMS_MAX} items, got {}", items.len());
        return found.invalid("items", rule);
    }
    for (at, item) in items.iter().enumerate() {
        check(found, at, item);
    }
}

fn quantity(found: &mut Violations, path: &str, quantity: u8) {
    if !(1..=QUANTITY_MAX).contains(&quantity) {
        found.invalid(path, format!("must be 1 to {QUANTITY_MAX}, got {quantity}"));
    }
}

fn limit(found: &mut Violations, max_total: crate::Money) {
    if max_total.minor() == 0 {
        found.invalid("max_total.amount", "must be at least 1 minor unit");
    }
}
