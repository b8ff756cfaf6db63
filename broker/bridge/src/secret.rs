//! Words that open doors, given in a file of their own or in the store's. Shown by nothing.

use std::fmt;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Most bytes of a secret.
const SECRET_BYTES_MAX: usize = 4096;

/// A password, key or token: the text itself, or `{ file = "…" }`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Secret {
    Text(String),
    /// Read at start, relative to the file that names it; white space around it is cut off.
    File {
        file: std::path::PathBuf,
    },
}

impl Secret {
    /// The word itself.
    ///
    /// # Errors
    /// When its file cannot be read, is empty or too long, or has control characters in it.
    pub fn read(&self, base: &Path) -> Result<Word, String> {
        let text = match self {
            Self::Text(text) => text.clone(),
            Self::File { file } => {
                let path = base.join(file);
                std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?
            }
        };
        let text = text.trim();
        if text.is_empty() || text.len() > SECRET_BYTES_MAX || text.contains(char::is_control) {
            return Err(format!("must be one line of 1 to {SECRET_BYTES_MAX} bytes"));
        }
        Ok(Word(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("***"),
            Self::File { file } => write!(f, "in {}", file.display()),
        }
    }
}

/// A secret that was read.
#[derive(Clone, PartialEq, Eq)]
pub struct Word(String);

impl Word {
    pub(crate) fn new(text: String) -> Self {
        Self(text)
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_can_stand_in_a_file_and_is_not_shown() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("key"), " hush \n").unwrap();
        let secret: Secret = serde_json::from_str(r#"{"file": "key"}"#).unwrap();
        let word = secret.read(dir.path()).unwrap();
        assert_eq!(word.reveal(), "hush");
        assert_eq!(format!("{word:?} {:?}", Secret::Text("hush".to_owned())), "*** ***");
        assert!(Secret::Text("two\nlines".to_owned()).read(dir.path()).is_err());
    }
}
