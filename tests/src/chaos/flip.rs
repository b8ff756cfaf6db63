//! One bit of one file, turned over.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use rand::RngExt;
use rand::rngs::StdRng;

/// Every file below a directory.
pub(super) fn files_below(dir: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        let entries = fs::read_dir(&dir).with_context(|| format!("reading {}", dir.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("reading {}", dir.display()))?;
            let meta = entry.metadata().with_context(|| format!("at {:?}", entry.path()))?;
            if meta.is_dir() {
                dirs.push(entry.path());
            } else {
                files.push(entry.path());
            }
        }
    }
    // The order of a directory is nobody's promise, and the dice must fall the same way again.
    files.sort();
    Ok(files)
}

/// Turns a random bit over among the last `within` bytes of a file that are in use. Gives the byte.
pub(super) fn flip(file: &Path, within: u64, dice: &mut StdRng) -> anyhow::Result<u64> {
    let mut bytes = fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    // Files are made longer than what is in them; zeros at their end mean nothing.
    let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last as u64 + 1);
    ensure!(used > 0, "{} holds nothing", file.display());
    let at = dice.random_range(used.saturating_sub(within)..used);
    let index = usize::try_from(at).context("a file that was just read")?;
    bytes[index] ^= 1 << dice.random_range(0..8);
    fs::write(file, bytes).with_context(|| format!("writing {}", file.display()))?;
    Ok(at)
}

/// A directory with everything in it, empty directories too.
pub(super) fn copy_dir(from: &Path, to: &Path) -> anyhow::Result<()> {
    let doing = || format!("copying {}", from.display());
    fs::create_dir_all(to).with_context(doing)?;
    for entry in fs::read_dir(from).with_context(doing)? {
        let entry = entry.with_context(doing)?;
        let (original, copy) = (entry.path(), to.join(entry.file_name()));
        if original.is_dir() {
            copy_dir(&original, &copy)?;
        } else {
            fs::copy(&original, &copy).with_context(doing)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn exactly_one_bit_of_what_is_in_use_changes() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        let mut before = vec![0xAA; 100];
        before.resize(5_000, 0);
        for seed in 0..50 {
            fs::write(&file, &before).unwrap();
            let at = flip(&file, 40, &mut StdRng::seed_from_u64(seed)).unwrap();
            let after = fs::read(&file).unwrap();
            let bits: u32 = before.iter().zip(&after).map(|(a, b)| (a ^ b).count_ones()).sum();
            assert_eq!((bits, after.len()), (1, before.len()));
            assert!((60..100).contains(&at), "{at}");
        }
    }
}
