//! Words that open doors, given in a file of their own or in the store's.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use schemas::secret::Secret;
use serde::{Deserialize, Serialize};

/// A password, key or token: the text itself, or `{ file = "…" }`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Given {
    Text(Secret),
    /// Read at start, relative to the file that names it.
    File {
        file: PathBuf,
    },
}

impl Given {
    /// The word itself.
    ///
    /// # Errors
    /// When its file cannot be read, or it is no single line.
    pub fn read(&self, base: &Path) -> Result<Secret, String> {
        match self {
            Self::Text(text) if text.reveal().is_empty() => Err("must not be empty".to_owned()),
            Self::Text(text) => Ok(text.clone()),
            Self::File { file } => {
                let path = base.join(file);
                let text = std::fs::read_to_string(&path);
                let text = text.map_err(|e| format!("cannot read {}: {e}", path.display()))?;
                Secret::of_file(&text).map_err(|why| format!("{} {why}", path.display()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_can_stand_in_a_file_and_is_not_shown() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("key"), "hush\n").unwrap();
        let given: Given = serde_json::from_str(r#"{"file": "key"}"#).unwrap();
        let word = given.read(dir.path()).unwrap();
        assert_eq!(word.reveal(), "hush");
        let text: Given = serde_json::from_str(r#""hush""#).unwrap();
        assert_eq!(format!("{word:?} {text:?}"), "*** Text(***)");
        assert!(Given::Text(Secret::new("")).read(dir.path()).is_err());
    }
}
