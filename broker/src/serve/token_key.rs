//! The secret behind accept tokens, kept beside the store: a price that is found again after a
//! restart must have the token that the customer was told.
//!
//! Losing the file costs the tokens told before; it is made anew.

use std::io;
use std::path::Path;

use crate::files;

/// Name of the file in the store's directory.
pub(crate) const FILE: &str = "token-key";
const KEY_BYTES: usize = 32;

/// Reads the key, or keeps `fresh` as the key from now on. Readable by the owner only.
///
/// # Errors
/// The file cannot be read or written, or has another length.
pub(super) fn load_or_keep(dir: &Path, fresh: [u8; KEY_BYTES]) -> io::Result<[u8; KEY_BYTES]> {
    let path = dir.join(FILE);
    match std::fs::read(&path) {
        Ok(bytes) => bytes.try_into().map_err(|bytes: Vec<u8>| {
            let why = format!("{} has {} bytes, not {KEY_BYTES}", path.display(), bytes.len());
            io::Error::new(io::ErrorKind::InvalidData, why)
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            files::replace(dir, FILE, &fresh).map(|()| fresh)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_survives_a_restart_and_is_the_owners_alone() {
        use std::os::unix::fs::PermissionsExt;

        let dir = tempfile::tempdir().unwrap();
        assert_eq!(load_or_keep(dir.path(), [1; KEY_BYTES]).unwrap(), [1; KEY_BYTES]);
        assert_eq!(load_or_keep(dir.path(), [2; KEY_BYTES]).unwrap(), [1; KEY_BYTES]);
        let mode = std::fs::metadata(dir.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_key_is_named_and_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), b"short").unwrap();
        let error = load_or_keep(dir.path(), [2; KEY_BYTES]).unwrap_err();
        assert!(error.to_string().ends_with("has 5 bytes, not 32"), "{error}");
    }
}
