//! ISBN-13 with its check digit; ISBN-10 is converted on the way in.

use std::fmt;

use schemars::JsonSchema;

use crate::text_form::text_form;

/// Why a text is not an ISBN.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IsbnError {
    #[error("an ISBN has 10 or 13 digits (hyphens and spaces allowed), got {0}")]
    Length(usize),
    #[error("an ISBN has only digits, hyphens and a final X for ISBN-10, found {0:?}")]
    Character(char),
    #[error("an ISBN-13 starts with 978 or 979")]
    Prefix,
    #[error("the check digit is wrong: expected {expected}, found {found}")]
    CheckDigit { expected: char, found: char },
}

/// A valid ISBN-13, as a number of 13 digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
#[schemars(with = "IsbnText")]
pub struct Isbn13(u64);

#[derive(JsonSchema)]
#[schemars(transparent, extend("pattern" = "^97[89][0-9]{10}$", "examples" = ["9780306406157"]))]
struct IsbnText(#[allow(dead_code)] String);

impl Isbn13 {
    /// Accepts ISBN-13 and ISBN-10, with hyphens or spaces, and checks the check digit.
    pub fn parse(text: &str) -> Result<Self, IsbnError> {
        let mut chars = ['0'; 13];
        let mut len = 0;
        for found in text.chars().filter(|c| !matches!(c, '-' | ' ')) {
            if let Some(free) = chars.get_mut(len) {
                *free = found;
            }
            len += 1;
        }
        match len {
            10 => Self::from_isbn10(&chars[..10]),
            13 => Self::from_isbn13(&chars),
            n => Err(IsbnError::Length(n)),
        }
    }

    fn from_isbn13(chars: &[char; 13]) -> Result<Self, IsbnError> {
        let digits: [u8; 13] = digits(chars)?;
        let number = digits.iter().fold(0u64, |n, d| n * 10 + u64::from(*d));
        if !(9_780_000_000_000..9_800_000_000_000).contains(&number) {
            return Err(IsbnError::Prefix);
        }
        let expected = ean_check_digit(&digits[..12]);
        if digits[12] != expected {
            return Err(IsbnError::CheckDigit { expected: digit(expected), found: chars[12] });
        }
        Ok(Self(number))
    }

    fn from_isbn10(chars: &[char]) -> Result<Self, IsbnError> {
        let body: [u8; 9] = digits(&chars[..9])?;
        let sum: u32 = body.iter().zip((2..=10).rev()).map(|(d, w)| u32::from(*d) * w).sum();
        let expected = match (11 - sum % 11) % 11 {
            10 => 'X',
            n => digit(n as u8),
        };
        let found = chars[9].to_ascii_uppercase();
        if found != 'X' && !found.is_ascii_digit() {
            return Err(IsbnError::Character(chars[9]));
        }
        if found != expected {
            return Err(IsbnError::CheckDigit { expected, found });
        }
        let mut ean = [9, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        ean[3..12].copy_from_slice(&body);
        ean[12] = ean_check_digit(&ean[..12]);
        Ok(Self(ean.iter().fold(0u64, |n, d| n * 10 + u64::from(*d))))
    }

    /// For numbers that were an `Isbn13` before (stores).
    pub const fn from_number(number: u64) -> Self {
        Self(number)
    }

    pub const fn as_number(self) -> u64 {
        self.0
    }
}

/// The first `N` of `chars`.
fn digits<const N: usize>(chars: &[char]) -> Result<[u8; N], IsbnError> {
    let mut digits = [0; N];
    for (digit, found) in digits.iter_mut().zip(chars) {
        let value = found.to_digit(10).and_then(|value| u8::try_from(value).ok());
        *digit = value.ok_or(IsbnError::Character(*found))?;
    }
    Ok(digits)
}

fn digit(d: u8) -> char {
    char::from(b'0' + d)
}

fn ean_check_digit(first12: &[u8]) -> u8 {
    let sum: u32 = first12
        .iter()
        .enumerate()
        .map(|(i, d)| u32::from(*d) * if i % 2 == 0 { 1 } else { 3 })
        .sum();
    ((10 - sum % 10) % 10) as u8
}

impl fmt::Display for Isbn13 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:013}", self.0)
    }
}

impl fmt::Debug for Isbn13 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

text_form!(Isbn13 as Display);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn isbn10_and_isbn13_name_the_same_book() {
        assert_eq!(Isbn13::parse("0-306-40615-2"), Isbn13::parse("978-0-306-40615-7"));
        assert_eq!(Isbn13::parse("0-8044-2957-X").unwrap().to_string(), "9780804429573");
    }

    #[test]
    fn a_wrong_check_digit_names_the_right_one() {
        let err = Isbn13::parse("9780306406158").unwrap_err();
        assert_eq!(err, IsbnError::CheckDigit { expected: '7', found: '8' });
    }

    #[test]
    fn other_product_codes_are_not_books() {
        assert_eq!(Isbn13::parse("4006381333931"), Err(IsbnError::Prefix));
        assert_eq!(Isbn13::parse("12345"), Err(IsbnError::Length(5)));
        assert_eq!(Isbn13::parse("97803064061५7"), Err(IsbnError::Character('५')));
    }
}
