//! Words that open doors: they can be written to a file on purpose, and are shown by nothing else.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is printed in the place of a secret.
pub const MASK: &str = "***";
/// Most bytes of a file that holds nothing but a secret.
pub const SECRET_FILE_BYTES_MAX: usize = 4 * 1024;

/// A password, key or token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The word itself, for whoever asks for it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// A stand-in that may be shown.
    pub fn masked() -> Self {
        Self(MASK.to_owned())
    }

    /// What a file holds: one line, its end aside.
    ///
    /// # Errors
    /// It is empty, too long, or has several lines or other control characters. The text is not
    /// repeated.
    pub fn of_file(text: &str) -> Result<Self, String> {
        let word = text.trim_end_matches(['\r', '\n']);
        if word.is_empty() || word.contains(char::is_control) || text.len() > SECRET_FILE_BYTES_MAX
        {
            return Err(format!(
                "must be one line of 1 to {SECRET_FILE_BYTES_MAX} bytes, the secret"
            ));
        }
        Ok(Self::new(word))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown_by_accident() {
        let secret = Secret::new("hush");
        assert_eq!(format!("{secret:?} {secret}"), "*** ***");
        assert_eq!(secret.reveal(), "hush");
    }

    #[test]
    fn a_secret_file_has_one_line() {
        let long = "x".repeat(SECRET_FILE_BYTES_MAX + 1);
        for (text, word) in
            [("hush\r\n", Some("hush")), ("hu\nsh\n", None), ("\n", None), (long.as_str(), None)]
        {
            assert_eq!(Secret::of_file(text).ok().as_ref().map(Secret::reveal), word, "{text:?}");
        }
    }
}
