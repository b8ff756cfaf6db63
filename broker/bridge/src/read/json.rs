//! JSON whose fractions stay text.

use serde_json::Value;

use super::ReadError;

/// Digits that surely fit a `u64`.
const WHOLE_DIGITS_MAX: usize = 18;

pub(super) fn parse(body: &[u8]) -> Result<Value, ReadError> {
    let text = std::str::from_utf8(body).map_err(|_| ReadError::Encoding)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    serde_json::from_str(&quote_fractions(text)).map_err(|e| ReadError::Json(e.to_string()))
}

pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Puts numbers that are not short and whole into quotes: read as floats they would lose what was
/// written. The text is no less JSON than before, and no more.
fn quote_fractions(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c == '"' || c == '-' || c.is_ascii_digit()) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let len = if rest.starts_with('"') { string_len(rest) } else { number_len(rest) };
        let (token, after) = rest.split_at(len);
        if token.starts_with('"') || is_whole(token) || !is_number(token) {
            out.push_str(token);
        } else {
            out.push('"');
            out.push_str(token);
            out.push('"');
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Up to and with the closing quote.
fn string_len(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn number_len(text: &str) -> usize {
    let in_number = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    text.find(|c: char| !in_number(c)).unwrap_or(text.len())
}

fn is_whole(token: &str) -> bool {
    let digits = token.strip_prefix('-').unwrap_or(token);
    digits.len() <= WHOLE_DIGITS_MAX && digits.bytes().all(|b| b.is_ascii_digit())
}

/// By the grammar of JSON: what is none must stay outside quotes, so that it is refused.
fn is_number(token: &str) -> bool {
    serde_json::from_str::<serde_json::Number>(token).is_ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_json_does_not_become_it() {
        for bad in ["1.", "[1.5e]", "{\"a\":01.5}", "[1.5\"x\"]", "--1.5", "\"a"] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn texts_and_whole_numbers_are_read_as_ever(
            text in "\\PC{0,20}", number in -999_999_999_999_i64..999_999_999_999,
        ) {
            let value = serde_json::json!({ "t": text, "n": [number], "k\"1.5": "2.50" });
            prop_assert_eq!(parse(value.to_string().as_bytes()), Ok(value));
        }

        #[test]
        fn any_bytes_are_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&body);
        }
    }
}
