//! From the text of an amount to minor units, without floats: what does not fit exactly is refused.

use schemas::Currency;
use schemas::money::AMOUNT_MAX_MINOR;

/// In which unit a store writes amounts.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Default,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// `24.99` dollars.
    #[default]
    Major,
    /// `2499` cents.
    Minor,
}

/// Why a text is no amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    #[error("{0:?} is no amount such as 24.99")]
    Form(String),
    #[error("{text:?} has more than the {digits} decimal digits of {currency}")]
    Precision { text: String, digits: u32, currency: Currency },
    #[error("{0:?} is more than any price")]
    TooLarge(String),
}

/// Minor units of `currency`.
///
/// # Errors
/// Signs, exponents, group separators, digits below the minor unit, and what is too large.
pub fn parse(text: &str, unit: Unit, currency: Currency) -> Result<u64, AmountError> {
    let shown = || text.chars().take(40).collect::<String>();
    let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let dangling = text.trim().ends_with('.');
    if whole.is_empty() || dangling || !digits(whole) || !digits(fraction) {
        return Err(AmountError::Form(shown()));
    }
    let places = match unit {
        Unit::Major => currency.exponent(),
        Unit::Minor => 0,
    };
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > places as usize {
        return Err(AmountError::Precision { text: shown(), digits: places, currency });
    }
    let minor = format!("{whole}{fraction:0<width$}", width = places as usize);
    let minor = minor.trim_start_matches('0');
    let minor: u64 = if minor.is_empty() {
        0
    } else {
        minor.parse().map_err(|_| AmountError::TooLarge(shown()))?
    };
    if minor > AMOUNT_MAX_MINOR {
        return Err(AmountError::TooLarge(shown()));
    }
    Ok(minor)
}

/// The amount as a store would write it: `24.99`.
pub fn print(minor: u64, currency: Currency) -> String {
    let places = currency.exponent() as usize;
    if places == 0 {
        return minor.to_string();
    }
    let unit = 10u64.pow(currency.exponent());
    format!("{}.{:0places$}", minor / unit, minor % unit)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn digits_follow_the_currency() {
        let major = |text, code| parse(text, Unit::Major, Currency::parse(code).unwrap());
        assert_eq!(major("24.9", "USD"), Ok(2490));
        assert_eq!(major("24.990", "USD"), Ok(2499));
        assert_eq!(major("1200", "JPY"), Ok(1200));
        assert_eq!(major("1.234", "KWD"), Ok(1234));
        assert_eq!(major("0.00", "EUR"), Ok(0));
        assert!(matches!(major("24.999", "USD"), Err(AmountError::Precision { .. })));
        assert!(matches!(major("1.5", "JPY"), Err(AmountError::Precision { .. })));
    }

    #[test]
    fn what_is_no_plain_decimal_is_refused() {
        for bad in ["", ".", "1.", ".5", "-1", "+1", "1e3", "1,000.00", "NaN", "0x1", "1 2", "１"]
        {
            let parsed = parse(bad, Unit::Major, Currency::USD);
            assert!(matches!(parsed, Err(AmountError::Form(_))), "{bad}: {parsed:?}");
        }
        let huge = "9".repeat(60);
        assert!(matches!(parse(&huge, Unit::Minor, Currency::USD), Err(AmountError::TooLarge(_))));
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(minor in 0..=AMOUNT_MAX_MINOR, n in 0..4_usize) {
            let currency = Currency::parse(["USD", "EUR", "JPY", "KWD"][n]).unwrap();
            prop_assert_eq!(parse(&print(minor, currency), Unit::Major, currency), Ok(minor));
            prop_assert_eq!(parse(&minor.to_string(), Unit::Minor, currency), Ok(minor));
        }
    }
}
