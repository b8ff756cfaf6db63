//! Words of the command line: amounts, times, and the names of the wire.

use std::time::Duration;

use schemas::{Currency, DurationMs, Money, Timestamp};
use serde::de::DeserializeOwned;

/// `24.99 USD`, `24.99USD` or `1500 JPY`: exact, never through a float.
pub(super) fn money(text: &str) -> Result<Money, String> {
    let form = || format!("{text:?} is not an amount such as \"24.99 USD\"");
    let at = text.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(form)?;
    let (amount, code) = (text[..at].trim(), text[at..].trim());
    let currency = Currency::parse(code).map_err(|e| format!("{text:?}: {e}"))?;
    let (whole, fraction) = amount.split_once('.').unwrap_or((amount, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return Err(form());
    }
    let places = usize::try_from(currency.exponent()).unwrap_or(0);
    if fraction.len() > places {
        return Err(format!("{text:?}: {currency} has {places} digits after the point"));
    }
    let minor = format!("{whole}{fraction:0<places$}").parse().map_err(|_| form())?;
    Money::new(minor, currency).map_err(|e| format!("{text:?}: {e}"))
}

/// `90s`, `2h 30m`, `7d`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let parsed: Result<jiff::SignedDuration, _> = in_hours(text).parse();
    let length = parsed.map_err(|e| format!("{text:?} is not a time such as 30s or 2h: {e}"))?;
    match Duration::try_from(length) {
        Ok(length) if !length.is_zero() => Ok(length),
        _ => Err(format!("{text:?} must be more than nothing")),
    }
}

/// Days are 24 hours here; jiff leaves them to calendars.
fn in_hours(text: &str) -> String {
    let mut words = Vec::new();
    for word in text.split_whitespace() {
        match word.strip_suffix('d').and_then(|days| days.parse::<u64>().ok()) {
            Some(days) => words.push(format!("{}h", days.saturating_mul(24))),
            None => words.push(word.to_owned()),
        }
    }
    words.join(" ")
}

pub(super) fn timestamp(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).map_err(|e| e.to_string())
}

/// A name as it stands on the wire; `-` counts as `_`.
pub(super) fn wire_name<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let name = serde_json::Value::String(text.replace('-', "_"));
    // "unknown variant `x`, expected one of …" is what a person needs, too.
    serde_json::from_value(name).map_err(|e| e.to_string())
}

pub(super) fn now() -> Timestamp {
    crate::clock::Clock::system().now()
}

/// `after` from now.
pub(super) fn from_now(after: Duration) -> Timestamp {
    let ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
    now().saturating_add(DurationMs(ms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemas::purchase::Strategy;

    #[test]
    fn amounts_are_exact_in_every_currency() {
        let minor = |text| money(text).map(Money::minor);
        assert_eq!(minor("24.99 USD"), Ok(2499));
        assert_eq!(
            minor("24.9usd"),
            Err("\"24.9usd\": currency must be an ISO 4217 code in use, such as USD or EUR"
                .to_owned())
        );
        assert_eq!(minor("24.9USD"), Ok(2490));
        assert_eq!(minor("24 USD"), Ok(2400));
        assert_eq!(minor("1500 JPY"), Ok(1500));
        assert_eq!(minor("1.234 KWD"), Ok(1234));
        for bad in ["24.999 USD", "-1 USD", ".5 USD", "1e3 USD", "24.99", "USD", "1 500 JPY"] {
            assert!(money(bad).is_err(), "{bad}");
        }
        assert!(money("99999999999999999999 USD").is_err());
    }

    #[test]
    fn times_are_said_in_days_hours_and_seconds() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("2h 30m"), Ok(Duration::from_secs(9000)));
        assert_eq!(duration("7d"), Ok(Duration::from_secs(7 * 24 * 3600)));
        for bad in ["", "soon", "0s", "-5s", "5"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_of_the_wire_are_understood_with_either_stroke() {
        assert_eq!(wire_name::<Strategy>("cheapest"), Ok(Strategy::Cheapest));
        assert_eq!(wire_name::<schemas::Condition>("like-new"), Ok(schemas::Condition::LikeNew));
        let error = wire_name::<Strategy>("best").unwrap_err();
        assert!(error.contains("cheapest"), "{error}");
    }
}
