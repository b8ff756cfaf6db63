//! Words that open doors: taken from the configuration or from a file, and shown by nothing.

use std::fmt;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is printed in the place of a secret.
pub const MASK: &str = "***";
/// A longer file is no secret.
const FILE_BYTES_MAX: u64 = 4 * 1024;

/// A password or key.
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

    /// The only line of a file.
    ///
    /// # Errors
    /// It cannot be read, is too long, empty, or has several lines.
    pub fn read(file: &Path) -> Result<Self, String> {
        let shown = file.display();
        let size = std::fs::metadata(file).map_err(|e| format!("cannot read {shown}: {e}"))?;
        if size.len() > FILE_BYTES_MAX {
            return Err(format!("{shown} is longer than {FILE_BYTES_MAX} bytes"));
        }
        let text = std::fs::read_to_string(file);
        let text = text.map_err(|e| format!("cannot read {shown}: {e}"))?;
        let word = text.trim_end_matches(['\r', '\n']);
        if word.is_empty() || word.contains('\n') {
            return Err(format!("{shown} must have one line, the secret"));
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
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("secret");
        for (text, read) in [("hush\n", Some("hush")), ("hu\nsh\n", None), ("\n", None)] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(Secret::read(&file).ok().as_ref().map(Secret::reveal), read, "{text:?}");
        }
        let missing = Secret::read(&dir.path().join("none")).unwrap_err();
        assert!(missing.contains("none"), "{missing}");
    }
}
