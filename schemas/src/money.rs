//! Money: integer minor units and an ISO 4217 currency. Arithmetic is checked and never mixes
//! currencies; there is no float anywhere.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::json::object_only;
use crate::text_form::text_form;

/// Largest amount accepted anywhere, in minor units (10^12: ten thousand million dollars).
pub const AMOUNT_MAX_MINOR: u64 = 1_000_000_000_000;

/// Why an amount is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    #[error("amount must be at most {AMOUNT_MAX_MINOR} minor units")]
    TooLarge,
    #[error("currency must be an ISO 4217 code in use, such as USD or EUR")]
    UnknownCurrency,
    #[error("amounts in {left} and {right} cannot be combined or compared")]
    CurrencyMismatch { left: Currency, right: Currency },
}

/// An ISO 4217 alphabetic code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
#[schemars(with = "CurrencyText")]
pub struct Currency([u8; 3]);

#[derive(JsonSchema)]
#[schemars(transparent, extend("pattern" = "^[A-Z]{3}$"))]
struct CurrencyText(#[allow(dead_code)] String);

impl Currency {
    pub const USD: Self = Self(*b"USD");
    pub const EUR: Self = Self(*b"EUR");
    pub const JPY: Self = Self(*b"JPY");

    pub fn parse(code: &str) -> Result<Self, MoneyError> {
        let known = iso_currency::Currency::from_code(code).ok_or(MoneyError::UnknownCurrency)?;
        // Codes without a minor unit (funds, metals, test codes) cannot price a book.
        known.exponent().ok_or(MoneyError::UnknownCurrency)?;
        let bytes: [u8; 3] = code.as_bytes().try_into().map_err(|_| MoneyError::UnknownCurrency)?;
        Ok(Self(bytes))
    }

    /// For bytes that were a `Currency` before (stores).
    pub const fn from_bytes(code: [u8; 3]) -> Self {
        Self(code)
    }

    pub const fn as_bytes(&self) -> &[u8; 3] {
        &self.0
    }

    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("???")
    }

    /// Digits after the decimal point: 2 for USD, 0 for JPY, 3 for KWD.
    pub fn exponent(&self) -> u32 {
        iso_currency::Currency::from_code(self.code())
            .and_then(|c| c.exponent())
            .map_or(2, u32::from)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

text_form!(Currency as code);

/// A non-negative amount of money: `{"amount": 2499, "currency": "USD"}` is 24.99 US dollars.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "MoneyWire", into = "MoneyWire")]
#[schemars(with = "MoneyWire")]
pub struct Money {
    minor: u64,
    currency: Currency,
}

/// Minor units of the currency: cents for USD, yen for JPY.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self")]
#[schemars(rename = "Money", extend("examples" = [{"amount": 2499, "currency": "USD"}]))]
struct MoneyWire {
    /// Minor units, 0 to 10^12.
    #[schemars(range(min = 0, max = 1_000_000_000_000u64))]
    amount: u64,
    currency: Currency,
}

object_only!(MoneyWire);

impl Money {
    pub const fn new(minor: u64, currency: Currency) -> Result<Self, MoneyError> {
        if minor > AMOUNT_MAX_MINOR {
            return Err(MoneyError::TooLarge);
        }
        Ok(Self { minor, currency })
    }

    pub const fn zero(currency: Currency) -> Self {
        Self { minor: 0, currency }
    }

    pub const fn minor(self) -> u64 {
        self.minor
    }

    pub const fn currency(self) -> Currency {
        self.currency
    }

    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        Self::new(self.minor.checked_add(other.minor).ok_or(MoneyError::TooLarge)?, self.currency)
    }

    /// `self <= limit`, or an error when the currencies differ.
    pub fn at_most(self, limit: Self) -> Result<bool, MoneyError> {
        self.same_currency(limit)?;
        Ok(self.minor <= limit.minor)
    }

    fn same_currency(self, other: Self) -> Result<(), MoneyError> {
        if self.currency == other.currency {
            Ok(())
        } else {
            Err(MoneyError::CurrencyMismatch { left: self.currency, right: other.currency })
        }
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.currency.exponent();
        if digits == 0 {
            return write!(f, "{} {}", self.minor, self.currency);
        }
        let unit = 10u64.pow(digits);
        let width = digits as usize;
        write!(f, "{}.{:0width$} {}", self.minor / unit, self.minor % unit, self.currency)
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl TryFrom<MoneyWire> for Money {
    type Error = MoneyError;
    fn try_from(wire: MoneyWire) -> Result<Self, MoneyError> {
        Self::new(wire.amount, wire.currency)
    }
}

impl From<Money> for MoneyWire {
    fn from(money: Money) -> Self {
        Self { amount: money.minor, currency: money.currency }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd(minor: u64) -> Money {
        Money::new(minor, Currency::USD).unwrap()
    }

    #[test]
    fn sums_are_exact_where_floats_are_not() {
        let sum = usd(2999).checked_add(usd(2999)).unwrap().checked_add(usd(4999)).unwrap();
        assert_eq!(sum.to_string(), "109.97 USD");
    }

    #[test]
    fn currencies_never_mix() {
        let yen = Money::new(5, Currency::JPY).unwrap();
        assert!(usd(1).checked_add(yen).is_err());
        assert!(usd(1).at_most(yen).is_err());
    }

    #[test]
    fn the_cap_holds_under_addition() {
        assert_eq!(usd(AMOUNT_MAX_MINOR).checked_add(usd(1)), Err(MoneyError::TooLarge));
    }

    #[test]
    fn a_limit_may_be_reached_and_not_passed() {
        assert_eq!(usd(4).at_most(usd(5)), Ok(true));
        assert_eq!(usd(5).at_most(usd(5)), Ok(true));
        assert_eq!(usd(6).at_most(usd(5)), Ok(false));
    }

    #[test]
    fn a_mismatch_names_both_currencies() {
        let mismatch = MoneyError::CurrencyMismatch { left: Currency::USD, right: Currency::JPY };
        assert_eq!(usd(1).at_most(Money::zero(Currency::JPY)), Err(mismatch));
        let text = "amounts in USD and JPY cannot be combined or compared";
        assert_eq!(mismatch.to_string(), text);
    }

    #[test]
    fn an_amount_is_written_and_read_back_as_it_was() {
        let money = Money::new(2499, Currency::EUR).unwrap();
        let json = r#"{"amount":2499,"currency":"EUR"}"#;
        assert_eq!(serde_json::to_string(&money).unwrap(), json);
        assert_eq!(serde_json::from_str::<Money>(json).unwrap(), money);
        assert_eq!((money.minor(), money.currency()), (2499, Currency::EUR));
        assert_eq!(Money::zero(Currency::EUR), Money::new(0, Currency::EUR).unwrap());
    }

    #[test]
    fn a_currency_is_kept_as_its_three_letters() {
        let code = *Currency::JPY.as_bytes();
        assert_eq!((code, Currency::from_bytes(code)), (*b"JPY", Currency::JPY));
    }

    #[test]
    fn logs_show_amounts_as_people_write_them() {
        assert_eq!(format!("{:?} {:?}", usd(150), Currency::EUR), "1.50 USD EUR");
    }

    #[test]
    fn exponents_follow_iso_4217() {
        assert_eq!(Money::new(5, Currency::JPY).unwrap().to_string(), "5 JPY");
        let kwd = Currency::parse("KWD").unwrap();
        assert_eq!(Money::new(5, kwd).unwrap().to_string(), "0.005 KWD");
    }

    #[test]
    fn negative_fractional_and_unknown_amounts_are_refused_by_the_parser() {
        for bad in [
            r#"{"amount":-1,"currency":"USD"}"#,
            r#"{"amount":1.5,"currency":"USD"}"#,
            r#"{"amount":1,"currency":"usd"}"#,
            r#"{"amount":1,"currency":"XXX"}"#,
            r#"{"amount":1000000000001,"currency":"USD"}"#,
        ] {
            assert!(serde_json::from_str::<Money>(bad).is_err(), "{bad}");
        }
    }
}
