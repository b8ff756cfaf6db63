//! The store: its contract on both implementations, its bytes on disk, its crashes.

#![expect(clippy::unwrap_used, reason = "test code: a panic is the verdict")]

mod arbitrary;
mod broken;
mod conformance;
mod copying;
mod engine_gives_up;
mod fjall_files;
mod golden;
mod kill;
mod life;
mod opening;
mod pause;
mod rig;
mod rolled_back;
mod roundtrip;
mod samples;
mod size;
mod writer;

use conformance::CLAUSES;
use rig::{FjallRig, MemRig, Rig};

fn conforms(new: impl Fn() -> Box<dyn Rig>) {
    let broken: Vec<String> = CLAUSES
        .iter()
        .filter_map(|clause| {
            let verdict = (clause.check)(new().as_mut());
            verdict.err().map(|why| format!("{}: {why}", clause.name))
        })
        .collect();
    assert!(broken.is_empty(), "{}", broken.join("\n\n"));
}

#[test]
fn the_store_in_memory_keeps_every_clause() {
    conforms(|| Box::new(MemRig::new()));
}

#[test]
fn the_store_on_disk_keeps_every_clause() {
    conforms(|| Box::new(FjallRig::new()));
}
