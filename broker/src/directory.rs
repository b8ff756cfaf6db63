//! Files that say who sells and what there is: the partner directory and the catalog.

use std::path::{Path, PathBuf};

use broker_core::partner::{PartnerProfile, Partners};
use schemas::catalog::{Catalog, CatalogLoadError};
use schemas::directory::{Directory, DirectoryError, PartnerEntry};

/// Why a file is not used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{} is not a partner directory", path.display())]
    Syntax { path: PathBuf, source: Box<toml::de::Error> },
    #[error("{} is not a usable partner directory", path.display())]
    Directory { path: PathBuf, source: DirectoryError },
    #[error("{} is not a catalog", path.display())]
    Catalog { path: PathBuf, source: CatalogLoadError },
}

/// The partners of a directory file, with its version.
///
/// # Errors
/// An unreadable file, an unknown field, or a value out of range.
pub fn load_partners(path: &Path) -> Result<Partners, FileError> {
    let directory: Directory = toml::from_str(&read(path)?)
        .map_err(|e| FileError::Syntax { path: path.to_owned(), source: Box::new(e) })?;
    directory
        .validate()
        .map_err(|source| FileError::Directory { path: path.to_owned(), source })?;
    let version = directory.version();
    Ok(Partners::new(directory.partners.into_iter().map(profile).collect(), version))
}

/// The catalog of a file; without a file the empty one, which understands ISBNs.
///
/// # Errors
/// An unreadable file, or the line that is wrong.
pub fn load_catalog(path: Option<&Path>) -> Result<Catalog, FileError> {
    let Some(path) = path else {
        return Ok(Catalog::default());
    };
    Catalog::parse(&read(path)?)
        .map_err(|source| FileError::Catalog { path: path.to_owned(), source })
}

/// The directory's words in the core's.
pub fn profile(entry: PartnerEntry) -> PartnerProfile {
    PartnerProfile {
        id: entry.id,
        transport: entry.transport,
        reservation: entry.reservation,
        cancel: entry.cancel,
        lookup: entry.lookup,
        settle: entry.settle_ms,
        key_first: entry.key_first,
        fences_cancel: entry.fences_cancel,
        honours_not_after: entry.honours_not_after,
        response: entry.response_ms,
        currencies: entry.currencies,
        destinations: entry.destinations,
        in_flight_max: entry.in_flight_max,
        quotes_reusable: entry.quotes_reusable,
        reuse_above: entry.reuse_above,
        offer_ttl: entry.offer_ttl_ms,
        in_flight_start: entry.in_flight_start,
        calls_per_s: entry.calls_per_s,
        calls_burst: entry.calls_burst,
        breaker: entry.breaker,
    }
}

fn read(path: &Path) -> Result<String, FileError> {
    std::fs::read_to_string(path)
        .map_err(|source| FileError::Read { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_becomes_profiles_in_the_order_of_the_file() {
        let partners = load("[[partner]]\nid = \"b\"\n[[partner]]\nid = \"a\"\nkey_first = true\n");
        let partners = partners.unwrap();
        let ids: Vec<&str> = partners.iter().map(|(_, p)| p.id.as_str()).collect();
        assert_eq!(ids, ["b", "a"]);
        assert!(partners.iter().nth(1).unwrap().1.key_first);
    }

    #[test]
    fn a_partner_named_twice_is_refused() {
        let error = load("[[partner]]\nid = \"a\"\n[[partner]]\nid = \"a\"\n").unwrap_err();
        assert!(matches!(error, FileError::Directory { .. }), "{error}");
    }

    #[test]
    fn without_a_catalog_only_isbns_are_understood() {
        assert!(load_catalog(None).unwrap().is_empty());
    }

    fn load(text: &str) -> Result<Partners, FileError> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("partners.toml");
        std::fs::write(&file, text).unwrap();
        load_partners(&file)
    }
}
