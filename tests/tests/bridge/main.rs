//! Bookstores that only speak HTTP, end to end: real nats-server, broker, bridge and stores, each a
//! process of its own. What a test needs to misbehave as no simulated store does is served by the
//! test itself.

#![expect(clippy::unwrap_used, reason = "the helpers of a test fail like the test itself")]

mod conformance;
mod figures;
mod killing;
mod outages;
mod permitted;
mod rogue;
mod shapes;
mod stage;
mod unruly;
