//! The committed corpus of every fuzz target, replayed: what a fuzzer once found stays found.

#![expect(clippy::unwrap_used, reason = "the helpers of a test fail like the test itself")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use tests::fuzz::{Reading, TARGETS, Target};

/// A corpus stays small enough to be replayed each time; `tests/fuzz-merge.sh` stops there, too.
const FILES_MAX: usize = 150;
const BYTES_MAX: u64 = 300 * 1024;
/// Inputs written by hand begin so. They must be understood: a target that refuses everything
/// tests nothing behind its door, and no fuzzer guesses a hashed key or a checksum.
const SEED: &str = "seed-";

fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

fn inputs(target: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(home().join(target));
    let entries = entries.unwrap_or_else(|e| panic!("{target} has no corpus: {e}"));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let seeds = files.iter().filter(|file| {
        file.file_name().is_some_and(|name| name.to_string_lossy().starts_with(SEED))
    });
    assert!(seeds.count() > 0, "the corpus of {target} has no seed");
    files
}

fn replay(target: &Target) {
    for file in inputs(target.name) {
        let bytes = std::fs::read(&file).unwrap();
        let outcome = std::panic::catch_unwind(|| (target.run)(&bytes));
        let reading =
            outcome.unwrap_or_else(|_| panic!("{} breaks a promise, see above", file.display()));
        let understood = reading == Reading::Understood;
        let name = file.file_name().unwrap().to_string_lossy();
        assert!(understood || !name.starts_with(SEED), "{} is refused", file.display());
    }
}

#[test]
fn the_corpus_of_every_target_keeps_its_promises() {
    for target in &TARGETS {
        replay(target);
    }
}

#[test]
fn every_corpus_and_every_binary_of_the_fuzzer_belongs_to_a_target() {
    let named: BTreeSet<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    let listed = |dir: PathBuf| -> BTreeSet<String> {
        let entries = std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path());
        entries.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
    };
    assert_eq!(listed(home()), named);
    let binaries = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets");
    assert_eq!(listed(binaries), named);
}

#[test]
fn the_corpus_of_every_target_stays_small() {
    for target in &TARGETS {
        let files = inputs(target.name);
        let bytes: u64 = files.iter().map(|file| file.metadata().unwrap().len()).sum();
        assert!(files.len() <= FILES_MAX, "{}: {} files, minimise", target.name, files.len());
        assert!(bytes <= BYTES_MAX, "{}: {bytes} bytes, minimise", target.name);
    }
}
