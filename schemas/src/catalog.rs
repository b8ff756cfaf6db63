//! The catalog: what turns a title or a foreign identifier into one ISBN-13. Written by the
//! operator as `catalog.jsonl`, one edition per line. An ISBN needs no catalog.
//!
//! Titles match exactly after normalisation (NFKC, case folded, white space collapsed); several
//! editions under one title are ambiguous, and the buyer chooses among the candidates.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use crate::isbn::IsbnError;
use crate::item::ItemIdentifier;
use crate::json::{self, DecodeError};
use crate::problem::Problem;
use crate::text::Text;
use crate::{Isbn13, RejectReason};

/// Longest line of `catalog.jsonl`, in bytes.
pub const CATALOG_LINE_BYTES_MAX: usize = 16 * 1024;

/// Most candidates named in an ambiguity.
pub const CANDIDATES_MAX: usize = 20;

/// One edition: a line of `catalog.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CatalogEntry {
    pub isbn13: Isbn13,
    pub title: Text<300>,
    #[serde(default)]
    pub authors: Vec<Text<200>>,
    /// For humans who choose among candidates, such as "2nd edition, paperback".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edition: Option<Text<100>>,
    /// Identifiers in other schemes, as `<scheme>:<id>`, for example `oclc:1234`.
    #[serde(default)]
    pub other_ids: Vec<Text<100>>,
}

/// Why `catalog.jsonl` was not loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CatalogLoadError {
    #[error("catalog line {line}: {source}")]
    Line { line: usize, source: DecodeError },
    #[error("catalog line {line}: {isbn} was declared on line {first} already")]
    Duplicate { line: usize, first: usize, isbn: Isbn13 },
}

/// Why an identifier names no single edition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CatalogError {
    #[error("item.value is not an ISBN: {0}")]
    Isbn(#[from] IsbnError),
    #[error("the catalog knows no book under this {scheme}; give its ISBN")]
    Unknown { scheme: &'static str },
    #[error(
        "{total} editions match this {scheme}; give the ISBN of one of them: {}",
        names(candidates)
    )]
    Ambiguous {
        scheme: &'static str,
        total: usize,
        /// The first [`CANDIDATES_MAX`], by ISBN.
        candidates: Vec<Isbn13>,
    },
}

fn names(candidates: &[Isbn13]) -> String {
    candidates.iter().map(Isbn13::to_string).collect::<Vec<_>>().join(", ")
}

impl CatalogError {
    pub const fn reason(&self) -> RejectReason {
        match self {
            Self::Isbn(_) => RejectReason::IdentifierInvalid,
            Self::Unknown { .. } => RejectReason::IdentifierUnknown,
            Self::Ambiguous { .. } => RejectReason::IdentifierAmbiguous,
        }
    }

    /// The answer to the requester.
    pub fn problem(&self) -> Problem {
        Problem::new(self.reason(), self.to_string()).with_field("item.value")
    }
}

/// The loaded catalog. The default is empty and resolves only ISBNs.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    entries: BTreeMap<Isbn13, CatalogEntry>,
    by_title: BTreeMap<String, Vec<Isbn13>>,
    by_other: BTreeMap<String, Vec<Isbn13>>,
}

impl Catalog {
    /// Loads the text of a `catalog.jsonl`; empty lines are skipped.
    ///
    /// # Errors
    /// Names the line and the field, or the line that declares an edition twice.
    pub fn parse(text: &str) -> Result<Self, CatalogLoadError> {
        let mut catalog = Self::default();
        let mut lines: BTreeMap<Isbn13, usize> = BTreeMap::new();
        for (line, text) in (1..).zip(text.lines()) {
            if text.trim().is_empty() {
                continue;
            }
            let entry: CatalogEntry = json::decode(text.as_bytes(), CATALOG_LINE_BYTES_MAX)
                .map_err(|source| CatalogLoadError::Line { line, source })?;
            let isbn = entry.isbn13;
            if let Some(first) = lines.insert(isbn, line) {
                return Err(CatalogLoadError::Duplicate { line, first, isbn });
            }
            catalog.insert(entry);
        }
        Ok(catalog)
    }

    fn insert(&mut self, entry: CatalogEntry) {
        let isbn = entry.isbn13;
        index(&mut self.by_title, fold(entry.title.as_str()), isbn);
        for other in &entry.other_ids {
            index(&mut self.by_other, fold(other.as_str()), isbn);
        }
        self.entries.insert(isbn, entry);
    }

    /// The one edition that `item` names.
    ///
    /// # Errors
    /// A broken ISBN, an unknown name, or one that several editions share.
    pub fn resolve(&self, item: &ItemIdentifier) -> Result<Isbn13, CatalogError> {
        match item {
            ItemIdentifier::Isbn(text) => Ok(Isbn13::parse(text.as_str())?),
            ItemIdentifier::Title(title) => find(&self.by_title, title.as_str(), "title"),
            ItemIdentifier::Other(id) => find(&self.by_other, id.as_str(), "identifier"),
        }
    }

    /// What is known of an edition.
    pub fn entry(&self, isbn: Isbn13) -> Option<&CatalogEntry> {
        self.entries.get(&isbn)
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

fn index(map: &mut BTreeMap<String, Vec<Isbn13>>, name: String, isbn: Isbn13) {
    let editions = map.entry(name).or_default();
    if let Err(at) = editions.binary_search(&isbn) {
        editions.insert(at, isbn);
    }
}

fn find(
    map: &BTreeMap<String, Vec<Isbn13>>,
    name: &str,
    scheme: &'static str,
) -> Result<Isbn13, CatalogError> {
    match map.get(&fold(name)).map_or(&[][..], Vec::as_slice) {
        [] => Err(CatalogError::Unknown { scheme }),
        [only] => Ok(*only),
        many => Err(CatalogError::Ambiguous {
            scheme,
            total: many.len(),
            candidates: many.iter().copied().take(CANDIDATES_MAX).collect(),
        }),
    }
}

/// NFKC, case folded (through upper case, so that ß meets SS and ς meets Σ), white space collapsed.
fn fold(text: &str) -> String {
    let upper = text.nfkc().flat_map(char::to_uppercase);
    let folded: String = upper.flat_map(char::to_lowercase).nfkc().collect();
    folded.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
