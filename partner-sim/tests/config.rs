//! The configuration file, the named profiles and the directory written from them.
#![allow(clippy::unwrap_used)] // Fixtures of tests fail by panicking.

use std::path::Path;

use partner_sim::World;
use partner_sim::config::{ConfigError, PartnerGroup, SimConfig};
use partner_sim::fault::Permille;
use partner_sim::profile::{Profile, ProfileName};
use schemas::directory::{Directory, LookupKind, Transport};
use schemas::{Isbn13, PartnerId, Timestamp};

fn id(text: &str) -> PartnerId {
    PartnerId::parse(text).unwrap()
}

fn load(text: &str) -> Result<SimConfig, ConfigError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("partner-sim.toml");
    std::fs::write(&path, text).unwrap();
    SimConfig::load(&path)
}

#[test]
fn the_example_file_loads_and_its_scripts_reach_the_shelves() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("partner-sim.example.toml");
    let config = SimConfig::load(&path).unwrap();
    let world = World::new(&config).unwrap();
    assert_eq!(world.partners.len(), 12);
    let book = Isbn13::parse("9780306406157").unwrap();
    let has_it = |id: &PartnerId| world.partners[id].available(book, Timestamp::ZERO) > 0;
    let owners: Vec<&PartnerId> = world.partners.keys().filter(|id| has_it(id)).collect();
    assert_eq!(owners, [&id("corner-books")]);
    let corner = world.partners[&id("corner-books")].profile();
    assert_eq!(corner.response_ms, 500);
    assert_eq!(corner.faults.busy_permille, Permille::new(200));
    // What was not overridden is still the flaky profile.
    let flaky = ProfileName::Flaky.profile();
    assert_eq!(corner.faults.lost_permille, flaky.faults.lost_permille);
    assert_eq!(corner.quotes, flaky.quotes);
}

#[test]
fn a_configuration_survives_being_written_and_read() {
    let mut config = SimConfig {
        partners: ProfileName::ALL.map(|name| PartnerGroup::of(name, 2)).to_vec(),
        ..SimConfig::default()
    };
    config.partners[0].overrides = toml::from_str("quotes = { silent_permille = 500 }").unwrap();
    let read: SimConfig = toml::from_str(&config.to_toml().unwrap()).unwrap();
    assert_eq!(read, config);
}

#[test]
fn every_named_profile_survives_being_written_and_read() {
    for name in ProfileName::ALL {
        let text = toml::to_string(&name.profile()).unwrap();
        assert_eq!(toml::from_str::<Profile>(&text).unwrap(), name.profile(), "{name:?}");
    }
}

#[test]
fn mistakes_in_the_file_are_refused() {
    let doubled = load("[[partners]]\nids = [\"a\"]\n[[partners]]\nids = [\"a\"]\n");
    assert!(matches!(doubled, Err(ConfigError::Twice(partner)) if partner == id("a")));
    let misspelt = load("[[partners]]\nids = [\"a\"]\noverrides = { busy_permile = 1 }\n");
    assert!(matches!(misspelt, Err(ConfigError::Override { .. })));
    let impossible =
        load("[[partners]]\nids = [\"a\"]\noverrides = { faults = { busy_permille = 1001 } }\n");
    assert!(matches!(impossible, Err(ConfigError::Override { .. })));
    let stranger = load("[[stock]]\npartner = \"b\"\nisbn = \"9780306406157\"\non_hand = 1\n");
    assert!(matches!(stranger, Err(ConfigError::NoSuchPartner(partner)) if partner == id("b")));
    assert!(matches!(load("sed = 1\n"), Err(ConfigError::Parse { .. })));
}

#[test]
fn the_directory_says_what_the_stores_can_do() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("partners.toml");
    let config = SimConfig {
        directory_file: Some(file.clone()),
        partners: ProfileName::ALL.map(|name| PartnerGroup::of(name, 1)).to_vec(),
        ..SimConfig::default()
    };
    config.write_directory().unwrap();
    let directory: Directory = toml::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(directory, World::new(&config).unwrap().directory());
    let entry = |name: &str| directory.partners.iter().find(|p| p.id == id(name)).unwrap();
    assert_eq!(entry("callback-01").transport, Transport::Queued);
    assert!(!entry("no_reservation-01").reservation);
    assert_eq!(entry("eventual-01").lookup, LookupKind::Eventual);
    assert!(!entry("hostile-01").key_first);
}
