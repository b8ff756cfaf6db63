//! The lints of the core: a ban without a reason teaches nothing, and a missing one is not noticed
//! until a replay differs.

use std::fs;

use crate::source::workspace;

const FILE: &str = "broker/core/clippy.toml";

fn bans() -> Vec<(String, String)> {
    let text = fs::read_to_string(workspace().join(FILE)).unwrap();
    let table: toml::Table = text.parse().unwrap();
    let entries = |key: &str| table[key].as_array().unwrap().clone();
    let text_of = |entry: &toml::Value, key: &str| {
        entry.get(key).and_then(toml::Value::as_str).unwrap_or_default().to_owned()
    };
    let all = entries("disallowed-methods").into_iter().chain(entries("disallowed-types"));
    all.map(|entry| (text_of(&entry, "path"), text_of(&entry, "reason"))).collect()
}

#[test]
fn the_core_bans_every_source_of_difference_between_two_runs() {
    let bans = bans();
    for path in [
        "std::time::SystemTime::now",
        "std::time::Instant::now",
        "std::env::var",
        "std::fs::File",
        "std::net::TcpStream",
        "std::thread::spawn",
        "std::thread::sleep",
        "rand::rngs::ThreadRng",
        "std::collections::HashMap::iter",
        "std::collections::HashMap::keys",
        "std::collections::HashMap::values",
        "std::collections::HashSet::iter",
    ] {
        assert!(bans.iter().any(|(banned, _)| banned == path), "{FILE} does not ban {path}");
    }
}

#[test]
fn every_ban_of_the_core_gives_its_reason() {
    for (path, reason) in bans() {
        assert!(reason.len() > 10, "{FILE} bans {path:?} without a reason");
    }
}
