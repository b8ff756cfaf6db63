//! Everything that reads bytes somebody else wrote, as functions a fuzzer can call.
//!
//! A target takes any bytes and must come back: a typed error is fine, a panic is a bug, and what
//! was understood must mean the same when it is written and read again. The targets are plain
//! functions, so the same corpus is replayed by an ordinary test (`tests/corpus.rs`) and grown by
//! a fuzzer (`tests/fuzz`, `just fuzz TARGET SECONDS`).
//!
//! Inputs are meant to be read by people where they can be: a first line says what the rest is.

mod files;
mod scenario;
mod store;
mod wire_decoder;
mod wire_messages;

/// One entry point of the fuzzer; its corpus is `tests/corpus/<name>`.
#[derive(Clone, Copy)]
pub struct Target {
    pub name: &'static str,
    /// Panics if a promise about reading is broken.
    pub run: fn(&[u8]) -> Reading,
}

/// What became of an input. A target that understands nothing tests nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    Understood,
    Refused,
}

/// All of them.
pub const TARGETS: [Target; 5] = [
    Target { name: "wire_decoder", run: wire_decoder::run },
    Target { name: "wire_messages", run: wire_messages::run },
    Target { name: "store", run: store::run },
    Target { name: "files", run: files::run },
    Target { name: "scenario", run: scenario::run },
];

/// Runs one target by its name.
///
/// # Panics
/// No target has this name, or it found a bug.
pub fn run(name: &str, bytes: &[u8]) -> Reading {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target.expect("a fuzz target of this name").run)(bytes)
}

impl From<Option<()>> for Reading {
    fn from(understood: Option<()>) -> Self {
        understood.map_or(Self::Refused, |()| Self::Understood)
    }
}

/// The first line, and what follows it; nothing if there is none or it is no text.
fn first_line(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    Some((std::str::from_utf8(&bytes[..end]).ok()?, &bytes[end + 1..]))
}
