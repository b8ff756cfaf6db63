//! How large the store has become and how much room is left, for operators. A full disk ends the
//! process in the middle of a commit; it should be no surprise.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::statvfs::statvfs;
use tokio::sync::watch;

use crate::metrics;

const INTERVAL: Duration = Duration::from_secs(15);
/// The store has no deeper folders.
const DEPTH_MAX: usize = 8;

/// Looks from time to time, until told to stop.
pub async fn watch(dir: PathBuf, mut stop: watch::Receiver<bool>) {
    loop {
        let of = dir.clone();
        // It ends by itself; what it could not see is not shown.
        let _ = tokio::task::spawn_blocking(move || look(&of)).await;
        tokio::select! {
            // An error means that nobody can say stop any more: the same.
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(INTERVAL) => {}
        }
    }
}

fn look(dir: &Path) {
    metrics::machine::store_size(size(dir, DEPTH_MAX));
    match room(dir) {
        Ok((free, whole)) => metrics::machine::store_disk(free, whole),
        Err(error) => tracing::debug!(dir = %dir.display(), %error, "no word on the room left"),
    }
}

/// Bytes for us, and bytes in all.
fn room(dir: &Path) -> nix::Result<(u64, u64)> {
    let disk = statvfs(dir)?;
    let unit = disk.fragment_size();
    Ok((disk.blocks_available().saturating_mul(unit), disk.blocks().saturating_mul(unit)))
}

/// Files come and go meanwhile: what cannot be looked at counts as nothing.
fn size(dir: &Path, depth: usize) -> u64 {
    let Ok(entries) = fs::read_dir(dir) else { return 0 };
    let of = |entry: fs::DirEntry| match entry.metadata() {
        Ok(found) if found.is_dir() && depth > 0 => size(&entry.path(), depth - 1),
        Ok(found) => found.len(),
        Err(_) => 0,
    };
    entries.flatten().map(of).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_in_folders_count_and_a_disk_has_no_more_room_than_it_is_large() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("in")).unwrap();
        fs::write(dir.path().join("a"), [0; 10]).unwrap();
        fs::write(dir.path().join("in/b"), [0; 32]).unwrap();
        assert_eq!(size(dir.path(), DEPTH_MAX), 42);
        let (free, whole) = room(dir.path()).unwrap();
        assert!(0 < free && free <= whole, "{free} of {whole}");
    }

    #[test]
    fn a_folder_that_is_not_there_is_empty() {
        assert_eq!(size(Path::new("/no/such/folder"), DEPTH_MAX), 0);
    }
}
