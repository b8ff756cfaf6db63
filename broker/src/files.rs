//! Small files beside the store, each replaced as a whole.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Gives the file `name` in `dir` this content, readable by the owner only. After a crash it has
/// the old content or the new one, never half of it. **Durability:** synced, with its directory.
///
/// # Errors
/// It cannot be written; the old file is still there.
pub(crate) fn replace(dir: &Path, name: &str, content: &[u8]) -> io::Result<()> {
    let unfinished = dir.join(format!("{name}.new"));
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(&unfinished, dir.join(name))?;
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_and_is_the_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        for content in [&b"long content"[..], b"short"] {
            replace(dir.path(), "file", content).unwrap();
            assert_eq!(std::fs::read(dir.path().join("file")).unwrap(), content);
        }
        let mode = std::fs::metadata(dir.path().join("file")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
