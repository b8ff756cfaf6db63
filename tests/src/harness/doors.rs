//! The doors of a scenario: addresses and files that everybody in the cluster must agree on.

use std::path::Path;

use broker::config::Role;

use super::bridge::Bridge;
use super::gateway::Gateway;
use super::{HarnessError, Scenario};

#[derive(Debug)]
pub(super) struct Doors {
    pub(super) gateway: Option<Gateway>,
    pub(super) bridge: Option<Bridge>,
}

impl Doors {
    /// Before anything of it starts; the simulator learns here who speaks HTTP.
    pub(super) fn prepare(scenario: &mut Scenario, dir: &Path) -> Result<Self, HarnessError> {
        let gateway = match &scenario.gateway {
            Some(config) => Some(Gateway::prepare(config, &scenario.http_stores, dir)?),
            None => None,
        };
        let bridge = if scenario.http_stores.is_empty() {
            None
        } else {
            Some(Bridge::prepare(scenario, gateway.as_ref(), dir)?)
        };
        Ok(Self { gateway, bridge })
    }

    /// What the broker's own process plays.
    pub(super) fn roles(&self, scenario: &Scenario) -> Vec<Role> {
        let mut roles = vec![Role::Broker];
        roles.extend(scenario.bridge.then_some(Role::Bridge));
        roles.extend(self.gateway.as_ref().map(|_| Role::Gateway));
        roles.extend(scenario.notifier.as_ref().map(|_| Role::Notifier));
        roles
    }
}
