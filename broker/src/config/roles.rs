//! Which parts a process plays.

use std::collections::BTreeSet;

use figment::Figment;
use serde::{Deserialize, Serialize};

use super::ConfigError;
use super::layers::Layer;

/// One part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Decides and remembers. One process with this role for each store.
    Broker,
    /// Speaks for bookstores that only speak HTTP.
    Bridge,
    /// HTTP for customers, operators and call-backs.
    Gateway,
    /// E-mail and webhooks to customers.
    Notifier,
}

pub(super) fn standard() -> Vec<Role> {
    vec![Role::Broker]
}

/// What only the broker needs, for a process that does not play it: nobody reads it there.
pub(super) fn unused(said: &Figment) -> Option<Layer> {
    let roles: Vec<String> = said.extract_inner("roles").ok()?;
    if roles.iter().any(|role| role == "broker") {
        return None;
    }
    let origin = "not used by these roles".to_owned();
    let text = |text: &str| toml::Value::String(text.to_owned());
    let store = toml::Table::from_iter([("dir".to_owned(), text("unused"))]);
    let table = toml::Table::from_iter([
        ("store".to_owned(), toml::Value::Table(store)),
        ("partners_file".to_owned(), text("unused")),
        ("payment_provider".to_owned(), text("unused")),
    ]);
    Some(Layer { origin, table })
}

pub(super) fn validate(roles: &[Role]) -> Result<(), ConfigError> {
    if roles.is_empty() {
        return Err(ConfigError::field("roles", "name at least one, such as [\"broker\"]"));
    }
    let different: BTreeSet<_> = roles.iter().collect();
    if different.len() < roles.len() {
        return Err(ConfigError::field("roles", "names a role twice"));
    }
    Ok(())
}
