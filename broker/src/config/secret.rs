//! Words that open doors. They can be written to a file on purpose and shown by nothing else.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is printed in the place of a secret.
pub const MASK: &str = "***";

/// A password or token.
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
    pub(super) fn masked() -> Self {
        Self(MASK.to_owned())
    }
}

impl fmt::Debug for Secret {
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
        assert_eq!(format!("{secret:?}"), MASK);
        assert_eq!(secret.reveal(), "hush");
    }
}
