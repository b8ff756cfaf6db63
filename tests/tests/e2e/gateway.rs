//! The HTTP door, called as anybody calls it.

mod alone;
mod bodies;
mod buying;
mod callbacks;
mod compat;
mod events;
mod http;
mod keys;
mod limits;
mod operators;
mod others;

use broker_gateway::GatewayConfig;
use partner_sim::profile::ProfileName::Instant;
use tests::harness::Scenario;

use crate::stage::world;

/// Three stores that have everything, and a door without limits on how often it is knocked at.
fn open(test: &str, seed: u64) -> Scenario {
    world(test, seed).partners(Instant, 3).gateway(unlimited())
}

fn unlimited() -> GatewayConfig {
    GatewayConfig { per_address_per_s: 0, per_token_per_s: 0, ..GatewayConfig::default() }
}
