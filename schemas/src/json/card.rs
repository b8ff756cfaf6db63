//! Refuses payment card numbers (PAN) in what customers send. The broker holds payment tokens
//! only, which keeps it out of the scope of card rules; so a card number must be refused before
//! anything is stored, logged or forwarded, even in a field nobody reads.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use unicode_normalization::UnicodeNormalization;

use super::DecodeError;

/// Digits of a payment card number.
const CARD_DIGITS: std::ops::RangeInclusive<usize> = 13..=19;
/// Group sizes in which card numbers are written ("4111 1111 1111 1111", "3782 822463 10005").
const GROUP_DIGITS: std::ops::RangeInclusive<usize> = 2..=7;
/// Digits around a card number, such as a phone number, that are looked through before giving up;
/// bounds the work on a text that is all digits and spaces.
const WINDOW_DIGITS_MAX: usize = *CARD_DIGITS.end();

/// Looks at every string, number and field name of a JSON text.
///
/// # Errors
/// [`DecodeError::CardNumber`] names the field and does not repeat the digits;
/// [`DecodeError::Malformed`] if this is not JSON.
pub fn refuse_card_numbers(bytes: &[u8]) -> Result<(), DecodeError> {
    let mut found = None;
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let scanned = Scan { path: &Path::Root, found: &mut found }.deserialize(&mut reader);
    // A card number before the point where the text stops being JSON is still a card number.
    if let Some(path) = found {
        return Err(DecodeError::card_number(path));
    }
    scanned.and_then(|()| reader.end()).map_err(|e| DecodeError::malformed(&e))
}

/// Whether a text contains what looks like a card number: 13 to 19 digits, spaces and dashes
/// ignored, that pass the Luhn check and start like a card. No ISBN does;
/// a UUID, hyphenated anywhere or plain as the whole text, is an id.
pub fn contains_card_number(text: &str) -> bool {
    if text.is_ascii() {
        return ascii_contains(text);
    }
    // Full-width and other compatibility digits read as plain ones.
    ascii_contains(&text.nfkc().collect::<String>())
}

fn ascii_contains(text: &str) -> bool {
    if text.bytes().filter(u8::is_ascii_digit).count() < *CARD_DIGITS.start() {
        return false;
    }
    if uuid::Uuid::try_parse(text.trim()).is_ok() {
        return false;
    }
    let text = without_uuids(text);
    text.split(|c: char| !(c.is_ascii_digit() || is_separator(c))).any(run_contains)
}

/// One UUID in a few thousand would otherwise pass for a card number by chance.
fn without_uuids(text: &str) -> Cow<'_, str> {
    const UUID_LEN: usize = 36;
    let mut rest = text.as_bytes();
    let mut kept: Option<String> = None;
    while let Some(at) = rest.windows(UUID_LEN).position(is_uuid) {
        let kept = kept.get_or_insert_default();
        kept.push_str(&String::from_utf8_lossy(&rest[..at]));
        kept.push('#');
        rest = &rest[at + UUID_LEN..];
    }
    match kept {
        Some(kept) => Cow::Owned(kept + &String::from_utf8_lossy(rest)),
        None => Cow::Borrowed(text),
    }
}

/// 8-4-4-4-12 hexadecimal digits.
fn is_uuid(window: &[u8]) -> bool {
    window.iter().enumerate().all(|(at, byte)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    })
}

fn is_separator(c: char) -> bool {
    matches!(c, ' ' | '-')
}

/// `run` has only digits and separators.
fn run_contains(run: &str) -> bool {
    let groups: Vec<&str> = run.split(is_separator).filter(|group| !group.is_empty()).collect();
    (0..groups.len()).any(|start| windows_from(&groups, start))
}

/// A window of whole groups counts if it is the whole run, one group, or grouped like a card.
fn windows_from(groups: &[&str], start: usize) -> bool {
    let mut digits = String::new();
    for (at, group) in groups.iter().enumerate().skip(start) {
        digits.push_str(group);
        if digits.len() > WINDOW_DIGITS_MAX {
            return false;
        }
        let window = &groups[start..=at];
        let plausible = window.len() == groups.len()
            || window.len() == 1
            || window.iter().all(|g| GROUP_DIGITS.contains(&g.len()));
        if plausible && is_card(digits.as_bytes()) {
            return true;
        }
    }
    false
}

/// An ISBN-13 (and with it one in ten that passes Luhn) starts with 978 or 979 and has 13 digits;
/// the only cards that start so (Troy, 9792) have 16. So no ISBN is mistaken for a card.
fn is_card(digits: &[u8]) -> bool {
    CARD_DIGITS.contains(&digits.len()) && plausible_prefix(digits) && luhn(digits)
}

fn plausible_prefix(digits: &[u8]) -> bool {
    match digits {
        [b'2'..=b'6', ..] | [b'8', b'1' | b'2', ..] => true,
        [b'9', b'7', b'9', b'2', ..] => digits.len() == 16,
        _ => false,
    }
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| {
            let value = u32::from(digit - b'0');
            match value * if at % 2 == 1 { 2 } else { 1 } {
                doubled if doubled > 9 => doubled - 9,
                plain => plain,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Where the scan is; kept as a chain of borrows because it is printed only on a finding.
enum Path<'a> {
    Root,
    Field(&'a Path<'a>, &'a str),
    Item(&'a Path<'a>, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Field(Self::Root, name) => f.write_str(name),
            Self::Field(parent, name) => write!(f, "{parent}.{name}"),
            Self::Item(parent, at) => write!(f, "{parent}[{at}]"),
        }
    }
}

struct Scan<'a> {
    path: &'a Path<'a>,
    found: &'a mut Option<String>,
}

impl Scan<'_> {
    fn text(self, text: &str) {
        if self.found.is_none() && contains_card_number(text) {
            let path = self.path.to_string();
            *self.found = Some(if path.is_empty() { ".".to_owned() } else { path });
        }
    }
}

impl<'de> DeserializeSeed<'de> for Scan<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Scan<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.text(&number.to_string());
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.text(&number.unsigned_abs().to_string());
        Ok(())
    }

    fn visit_f64<E>(self, number: f64) -> Result<(), E> {
        // `4111111111111111.0` prints as its digits; a fraction of that size does not exist.
        self.text(&number.abs().to_string());
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.text(text);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let mut at = 0;
        loop {
            let path = Path::Item(self.path, at);
            let next = items.next_element_seed(Scan { path: &path, found: &mut *self.found })?;
            if next.is_none() {
                return Ok(());
            }
            at += 1;
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        while let Some(name) = fields.next_key::<String>()? {
            // A name that is a card number is reported by its parent, not repeated.
            Scan { path: self.path, found: &mut *self.found }.text(&name);
            let path = Path::Field(self.path, &name);
            fields.next_value_seed(Scan { path: &path, found: &mut *self.found })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
