//! What the disk can do just now.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_millis(500);

/// Bytes of one write, as a lone commit and as a group make them.
const SIZES: [usize; 2] = [4096, 65_536];

/// Prints how long write + fdatasync takes in a sparse preallocated file, like fjall's journal.
/// Returns the mean for a group's size.
pub(crate) fn calibrate(dir: &Path) -> Duration {
    let mut mean = Duration::ZERO;
    for size in SIZES {
        let mut times = measure(&dir.join("calibration"), size);
        times.sort();
        let at = |permille: usize| times[(times.len() - 1) * permille / 1000].as_secs_f64() * 1e3;
        let rate = times.len() as f64 / times.iter().sum::<Duration>().as_secs_f64();
        mean = Duration::from_secs_f64(1.0 / rate);
        let name = format!("fsync of {} KiB", size / 1024);
        println!("{name:<44}{rate:>11.0}{:>10.2}{:>10.2}", at(500), at(990));
    }
    mean
}

fn measure(path: &Path, size: usize) -> Vec<Duration> {
    const FILE_BYTES: u64 = 64 * 1024 * 1024;
    let mut file = File::create(path).expect("the directory can be written");
    file.set_len(FILE_BYTES).expect("a sparse file needs no space");
    file.sync_all().expect("the disk works");
    let block = vec![0x5a; size];
    let mut times = Vec::new();
    let mut written = 0;
    let started = Instant::now();
    while started.elapsed() < LONG {
        if written + size as u64 > FILE_BYTES {
            file.seek(SeekFrom::Start(0)).expect("a file can be rewound");
            written = 0;
        }
        let before = Instant::now();
        file.write_all(&block).expect("the disk has space");
        file.sync_data().expect("the disk works");
        times.push(before.elapsed());
        written += size as u64;
    }
    std::fs::remove_file(path).expect("our own file can be removed");
    times
}
