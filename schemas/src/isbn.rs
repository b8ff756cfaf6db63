//! ISBN-13 with its check digit; ISBN-10 is converted on the way in.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "IsbnText")]
pub struct Isbn13(u64);

#[derive(JsonSchema)]
#[schemars(transparent, extend("pattern" = "^97[89][0-9]{10}$", "examples" = ["9780306406157"]))]
struct IsbnText(#[allow(dead_code)] String);

impl Isbn13 {
    /// Accepts ISBN-13 and ISBN-10, with hyphens or spaces, and checks the check digit.
    pub fn parse(text: &str) -> Result<Self, IsbnError> {
        let chars: Vec<char> = text.chars().filter(|c| !matches!(c, '-' | ' ')).collect();
        match chars.len() {
            10 => Self::from_isbn10(&chars),
            13 => Self::from_isbn13(&chars),
            n => Err(IsbnError::Length(n)),
        }
    }

    fn from_isbn13(chars: &[char]) -> Result<Self, IsbnError> {
        let digits = digits(chars)?;
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
        let body = digits(&chars[..9])?;
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
        let mut ean = vec![9, 7, 8];
        ean.extend(body);
        ean.push(ean_check_digit(&ean));
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

fn digits(chars: &[char]) -> Result<Vec<u8>, IsbnError> {
    chars
        .iter()
        .map(|c| {
            let d = c.to_digit(10).ok_or(IsbnError::Character(*c))?;
            u8::try_from(d).map_err(|_| IsbnError::Character(*c))
        })
        .collect()
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

impl TryFrom<String> for Isbn13 {
    type Error = IsbnError;
    fn try_from(text: String) -> Result<Self, IsbnError> {
        Self::parse(&text)
    }
}

impl From<Isbn13> for String {
    fn from(isbn: Isbn13) -> String {
        isbn.to_string()
    }
}

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
