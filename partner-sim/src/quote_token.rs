//! A quote id that carries the quote. The store keeps no table of what it offered: the id itself
//! says which book, how many, at what total and until when, and a check number made with the
//! store's seed shows that the store wrote it. Quotes therefore survive a restart and cost no
//! memory, however many are asked.

use schemas::destination::Country;
use schemas::id::QuoteId;
use schemas::{Condition, Currency, DurationMs, Isbn13, Timestamp};

use crate::dice::{fnv1a, mix};

/// What was offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuoteTerms {
    pub isbn: Isbn13,
    pub quantity: u8,
    pub condition: Condition,
    pub country: Country,
    pub currency: Currency,
    /// Landed total of all copies, minor units.
    pub total: u64,
    pub valid_until: Timestamp,
    /// How long the store took to answer, as far as that is its own doing: for those who measure
    /// what everybody else took. At most [`ANSWERED_AFTER_MAX`].
    pub answered_after: DurationMs,
}

/// Five hexadecimal digits, a quarter of an hour: what an id has room for.
pub const ANSWERED_AFTER_MAX: DurationMs = DurationMs(0xf_ffff);

const CONDITIONS: [Condition; 5] = [
    Condition::New,
    Condition::LikeNew,
    Condition::VeryGood,
    Condition::Good,
    Condition::Acceptable,
];

impl QuoteTerms {
    /// `secret` is known to the store alone.
    pub fn to_id(self, secret: u64) -> QuoteId {
        let mut id = Line::default();
        id.hex(self.isbn.as_number());
        id.text(".");
        id.hex(u64::from(self.quantity));
        id.text(".");
        id.hex(CONDITIONS.iter().position(|c| *c == self.condition).unwrap_or(0) as u64);
        id.text(self.country.code());
        id.text(self.currency.code());
        id.text(".");
        id.hex(self.total);
        id.text(".");
        id.hex(self.valid_until.as_unix_ms());
        id.text(".");
        id.hex(self.answered_after.min(ANSWERED_AFTER_MAX).as_ms());
        let check = check(id.as_str(), secret);
        id.text(".");
        id.hex(u64::from(check));
        QuoteId::parse(id.as_str()).expect("at most 60 characters of hex, letters and dots")
    }

    /// `None` if this store did not write the id.
    pub fn from_id(id: &QuoteId, secret: u64) -> Option<Self> {
        let (body, found) = id.as_str().rsplit_once('.')?;
        if u32::from_str_radix(found, 16).ok()? != check(body, secret) {
            return None;
        }
        let mut fields = body.split('.');
        let isbn = u64::from_str_radix(fields.next()?, 16).ok()?;
        let quantity = u8::from_str_radix(fields.next()?, 16).ok()?;
        let codes = fields.next()?;
        let condition = codes.get(..1)?.parse::<usize>().ok()?;
        Some(Self {
            isbn: Isbn13::from_number(isbn),
            quantity,
            condition: *CONDITIONS.get(condition)?,
            country: Country::parse(codes.get(1..3)?).ok()?,
            currency: Currency::parse(codes.get(3..)?).ok()?,
            total: u64::from_str_radix(fields.next()?, 16).ok()?,
            valid_until: Timestamp::from_unix_ms(u64::from_str_radix(fields.next()?, 16).ok()?),
            answered_after: DurationMs(u64::from_str_radix(fields.next()?, 16).ok()?),
        })
    }
}

/// A short text built in place: quotes are made by the hundred thousand, and the formatting
/// machinery would be most of their cost.
struct Line {
    bytes: [u8; QuoteId::MAX_LEN],
    len: usize,
}

impl Default for Line {
    fn default() -> Self {
        Self { bytes: [0; QuoteId::MAX_LEN], len: 0 }
    }
}

impl Line {
    fn text(&mut self, text: &str) {
        self.bytes[self.len..self.len + text.len()].copy_from_slice(text.as_bytes());
        self.len += text.len();
    }

    /// Lower case, no leading zeros, at least one digit.
    fn hex(&mut self, number: u64) {
        let digits = (16 - number.leading_zeros() as usize / 4).max(1);
        for digit in (0..digits).rev() {
            self.bytes[self.len] = b"0123456789abcdef"[(number >> (4 * digit)) as usize & 15];
            self.len += 1;
        }
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.len]).expect("only ASCII is written")
    }
}

fn check(body: &str, secret: u64) -> u32 {
    (mix(secret, fnv1a(body.as_bytes())) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms() -> QuoteTerms {
        QuoteTerms {
            isbn: Isbn13::parse("9780306406157").unwrap(),
            quantity: 99,
            condition: Condition::Acceptable,
            country: Country::parse("US").unwrap(),
            currency: Currency::USD,
            total: schemas::money::AMOUNT_MAX_MINOR,
            valid_until: Timestamp::MAX,
            answered_after: ANSWERED_AFTER_MAX,
        }
    }

    #[test]
    fn the_longest_quote_survives_the_round_trip() {
        let id = terms().to_id(1);
        assert_eq!(QuoteTerms::from_id(&id, 1), Some(terms()));
    }

    #[test]
    fn an_id_of_another_store_or_with_another_price_is_not_ours() {
        let id = terms().to_id(1);
        assert_eq!(QuoteTerms::from_id(&id, 2), None);
        let cheaper = id.as_str().replace(".e8d4a51000.", ".1.");
        assert_ne!(cheaper, id.as_str());
        assert_eq!(QuoteTerms::from_id(&QuoteId::parse(&cheaper).unwrap(), 1), None);
    }
}
