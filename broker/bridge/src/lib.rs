//! The bridge: bookstores that speak only HTTP take part like any other.
//!
//! A store is a TOML file ([`store`]), no code: how each operation is asked as a call, and how what
//! comes back is read. The bridge is that store's side of the wire. Questions and commands come in
//! on the partner's subjects, become calls, and what the store says becomes an answer on the
//! subject that the broker named.
//!
//! Two rules hold everywhere. **No answer is not a "no"**: what is not definitely known is not
//! said, and the broker's look-ups decide. **Nothing is sent twice that must not be**: before and
//! after each call a record of its key is changed by compare-and-set, in a bucket of the server
//! that every process sees. So the bridge can be killed at any instant, moved, and run twice.
//!
//! It knows the wire contract (`schemas`) and nothing of the broker.

mod auth;
mod bridge;
mod caller;
mod calls;
mod clock;
pub mod config;
pub mod conformance;
mod context;
mod egress;
mod gate;
pub mod http;
mod letters;
mod metrics;
pub mod read;
pub mod secret;
pub mod store;
mod template;
mod told;
mod turns;
mod work;

pub use bridge::{BridgeError, Running, start};
pub use config::BridgeConfig;
pub use store::{Store, StoreError};
