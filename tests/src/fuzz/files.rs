//! Files that an operator writes: the first line says which, the rest is the file.

use std::path::Path;

use broker::config::Config;
use broker::directory::profile;
use broker_core::partner::Partners;
use partner_sim::config::SimConfig;
use schemas::catalog::Catalog;
use schemas::directory::Directory;
use schemas::item::ItemIdentifier;

use super::{Reading, first_line};

pub(super) fn run(bytes: &[u8]) -> Reading {
    read(bytes).into()
}

fn read(bytes: &[u8]) -> Option<()> {
    let (kind, text) = first_line(bytes)?;
    let text = std::str::from_utf8(text).ok()?;
    match kind {
        "broker" => broker(text),
        "partners" => partners(text),
        "partner_sim" => partner_sim(text),
        "catalog" => catalog(text),
        _ => None,
    }
}

fn broker(text: &str) -> Option<()> {
    let file = Path::new("/etc/broker/broker.toml");
    let config = Config::parse(text, file).ok()?;
    let shown = config.to_display();
    let whole = toml::to_string(&config).expect("what was read can be written");
    let again = Config::parse(&whole, file);
    let again = again.unwrap_or_else(|error| panic!("written, then refused: {error}\n{whole}"));
    assert_eq!(again.to_display(), shown);
    Some(())
}

fn partners(text: &str) -> Option<()> {
    let directory = toml::from_str::<Directory>(text).ok()?;
    let version = directory.version();
    let written = toml::to_string(&directory).expect("what was read can be written");
    let again = toml::from_str::<Directory>(&written);
    let again = again.unwrap_or_else(|error| panic!("written, then refused: {error}\n{written}"));
    assert_eq!(again, directory);
    assert_eq!(again.version(), version);
    directory.validate().ok()?;
    let ids: Vec<_> = directory.partners.iter().map(|entry| entry.id.clone()).collect();
    let partners = Partners::new(directory.partners.into_iter().map(profile).collect(), version);
    for id in ids {
        let index = partners.index_of(&id).expect("every partner of the file is found");
        assert_eq!(partners.at(index).id, id);
    }
    Some(())
}

fn partner_sim(text: &str) -> Option<()> {
    let file = Path::new("/etc/sim/partner-sim.toml");
    let config = SimConfig::parse(text, file).ok()?;
    let written = config.to_toml().expect("what was read can be written");
    let again = SimConfig::parse(&written, file);
    let again = again.unwrap_or_else(|error| panic!("written, then refused: {error}\n{written}"));
    assert_eq!(again, config);
    Some(())
}

fn catalog(text: &str) -> Option<()> {
    let catalog = Catalog::parse(text).ok()?;
    for line in text.lines() {
        let entry = serde_json::from_str::<schemas::catalog::CatalogEntry>(line);
        let Ok(entry) = entry else { continue };
        assert_eq!(catalog.entry(entry.isbn13), Some(&entry), "a line that is not found again");
        let text = schemas::text::Text::parse(&entry.isbn13.to_string());
        let by_number = ItemIdentifier::Isbn(text.expect("thirteen digits"));
        assert_eq!(catalog.resolve(&by_number).ok(), Some(entry.isbn13));
    }
    Some(())
}
