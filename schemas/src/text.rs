//! Bounded free text: no control characters, trimmed, never empty.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::text_form::text_form;

/// Why a text is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    #[error("must not be empty")]
    Empty,
    #[error("must be at most {max} bytes of UTF-8, got {len}")]
    TooLong { len: usize, max: usize },
    #[error("must not contain control characters, found U+{0:04X}")]
    Control(u32),
}

/// Text of 1 to `MAX` bytes without control characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text<const MAX: usize>(String);

impl<const MAX: usize> JsonSchema for Text<MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        Cow::Owned(format!("Text{MAX}"))
    }

    /// JSON Schema counts characters where we count bytes, so its bound is the wider one.
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "minLength": 1, "maxLength": MAX})
    }
}

impl<const MAX: usize> Text<MAX> {
    pub fn parse(text: &str) -> Result<Self, TextError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(TextError::Empty);
        }
        if text.len() > MAX {
            return Err(TextError::TooLong { len: text.len(), max: MAX });
        }
        if let Some(c) = text.chars().find(|c| c.is_control()) {
            return Err(TextError::Control(u32::from(c)));
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> fmt::Display for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text_form!(Text<MAX> as as_str, const MAX: usize);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_and_length_are_checked_after_trimming() {
        assert_eq!(Text::<4>::parse(" abcd ").unwrap().as_str(), "abcd");
        assert_eq!(Text::<4>::parse("abcde"), Err(TextError::TooLong { len: 5, max: 4 }));
        assert_eq!(Text::<4>::parse("a\u{7}b"), Err(TextError::Control(7)));
        assert_eq!(Text::<4>::parse("  "), Err(TextError::Empty));
    }
}
