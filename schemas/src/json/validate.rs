//! Rules of messages that their types cannot express. What depends on the clock, the store or the
//! configuration (expiry, versions, currencies) is decided by the broker, not here.

use super::DecodeError;
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

/// Hexadecimal digits of an `accept_token`: 128 bits.
pub(super) const ACCEPT_TOKEN_DIGITS: usize = 32;

/// A message that can be refused although every field has the right type.
pub trait Validate {
    /// # Errors
    /// [`DecodeError::Field`] with the path of the first field that breaks a rule.
    fn validate(&self) -> Result<(), DecodeError>;
}

/// Messages whose types say everything.
macro_rules! nothing_more_to_check {
    ($($message:ty),*) => {$(
        impl Validate for $message {
            fn validate(&self) -> Result<(), DecodeError> {
                Ok(())
            }
        }
    )*};
}

nothing_more_to_check!(CancelPurchase, GetPurchase);
nothing_more_to_check!(Release, Cancel, Lookup, PartnerReply, PartnerNotice);
nothing_more_to_check!(Authorize, Capture, Void, Refund, PaymentLookup, PaymentReply);

impl Validate for Reserve {
    fn validate(&self) -> Result<(), DecodeError> {
        quantity("quantity", self.quantity)
    }
}

impl Validate for Place {
    fn validate(&self) -> Result<(), DecodeError> {
        quantity("quantity", self.quantity)
    }
}

impl Validate for CreatePurchase {
    fn validate(&self) -> Result<(), DecodeError> {
        quantity("quantity", self.quantity)?;
        limit(self.max_total)
    }
}

impl Validate for UpdatePurchase {
    fn validate(&self) -> Result<(), DecodeError> {
        if self.max_total.is_none() && self.expires_at.is_none() && self.strategy.is_none() {
            let why = "the update changes nothing: give max_total, expires_at or strategy";
            return Err(DecodeError::field(".", why));
        }
        self.max_total.map_or(Ok(()), limit)
    }
}

impl Validate for AcceptQuote {
    fn validate(&self) -> Result<(), DecodeError> {
        let token = self.accept_token.as_str();
        let hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        if token.len() == ACCEPT_TOKEN_DIGITS && token.bytes().all(hex) {
            return Ok(());
        }
        let why = format!("must be the {ACCEPT_TOKEN_DIGITS} lower-case hex digits of a quote");
        Err(DecodeError::field("accept_token", why))
    }
}

impl Validate for ListPurchases {
    fn validate(&self) -> Result<(), DecodeError> {
        match self.limit {
            Some(limit) if limit == 0 || limit > LIST_PAGE_MAX => Err(DecodeError::field(
                "limit",
                format!("must be 1 to {LIST_PAGE_MAX}, got {limit}"),
            )),
            _ => Ok(()),
        }
    }
}

impl Validate for QuoteRequests {
    fn validate(&self) -> Result<(), DecodeError> {
        batch(&self.items, |item: &QuoteQuestion| quantity("quantity", item.quantity))
    }
}

impl Validate for QuoteAnswers {
    fn validate(&self) -> Result<(), DecodeError> {
        batch(&self.items, answer)
    }
}

fn answer(item: &QuoteAnswer) -> Result<(), DecodeError> {
    let QuoteOutcome::Offer(offer) = &item.outcome else {
        return Ok(());
    };
    amount("item", offer.item)?;
    let parts = [("shipping", offer.shipping), ("tax", offer.tax), ("fee", offer.fee)];
    for (name, part) in parts {
        if let Some(Component::Exact(minor) | Component::AtMost(minor)) = part {
            amount(name, minor)?;
        }
    }
    Ok(())
}

fn batch<T>(items: &[T], check: impl Fn(&T) -> Result<(), DecodeError>) -> Result<(), DecodeError> {
    if items.is_empty() || items.len() > QUOTE_ITEMS_MAX {
        let why = format!("must have 1 to {QUOTE_ITEMS_MAX} items, got {}", items.len());
        return Err(DecodeError::field("items", why));
    }
    let mut items = items.iter().enumerate();
    items.try_for_each(|(at, item)| check(item).map_err(|error| error.of_item(at)))
}

fn quantity(path: &str, quantity: u8) -> Result<(), DecodeError> {
    if (1..=QUANTITY_MAX).contains(&quantity) {
        return Ok(());
    }
    Err(DecodeError::field(path, format!("must be 1 to {QUANTITY_MAX}, got {quantity}")))
}

fn limit(max_total: crate::Money) -> Result<(), DecodeError> {
    if max_total.minor() > 0 {
        return Ok(());
    }
    Err(DecodeError::field("max_total.amount", "must be at least 1 minor unit"))
}

fn amount(path: &str, minor: u64) -> Result<(), DecodeError> {
    if minor <= AMOUNT_MAX_MINOR {
        return Ok(());
    }
    Err(DecodeError::field(path, format!("must be at most {AMOUNT_MAX_MINOR} minor units")))
}
