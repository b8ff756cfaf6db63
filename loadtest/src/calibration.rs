//! What the disk under the store can do by itself: 4 KiB appended and synced, one at a time.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;

/// Where stores are put unless told otherwise: a real disk path, not a memory file system.
pub(crate) fn default_dir() -> PathBuf {
    PathBuf::from("target/loadtest")
}

const BLOCK: [u8; 4096] = [0x5a; 4096];

/// Rate and latency of `fdatasync` after a 4 KiB append.
#[derive(Debug, Clone, Copy)]
pub struct Fsync {
    pub per_second: f64,
    pub p50: Duration,
    pub p99: Duration,
}

impl Fsync {
    /// Measures for `window` in `dir`; the file is removed afterwards.
    pub fn measure(dir: &Path, window: Duration) -> anyhow::Result<Self> {
        let path = dir.join("fsync-calibration");
        let mut file =
            File::create(&path).with_context(|| format!("creating {}", path.display()))?;
        let mut took = Vec::new();
        let started = Instant::now();
        while started.elapsed() < window {
            let one = Instant::now();
            file.write_all(&BLOCK)?;
            file.sync_data()?;
            took.push(one.elapsed());
        }
        let elapsed = started.elapsed().as_secs_f64();
        std::fs::remove_file(&path)?;
        took.sort();
        let at = |permille: usize| took[(took.len() - 1) * permille / 1000];
        Ok(Self { per_second: took.len() as f64 / elapsed, p50: at(500), p99: at(990) })
    }
}

impl std::fmt::Display for Fsync {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "disk: {:.0} fdatasync/s of 4 KiB, p50 {:.2} ms, p99 {:.2} ms",
            self.per_second,
            self.p50.as_secs_f64() * 1e3,
            self.p99.as_secs_f64() * 1e3
        )
    }
}
