//! The HTTP door: what NATS clients do on subjects, anybody can do with HTTP.
//!
//! ```text
//!  client ─▶ listen ─▶ throttle ─▶ caller ─▶ routes ─▶ broker (NATS micro service) ─▶ answer
//!                                              │
//!                                              ├─▶ keys    Idempotency-Key → request id (JetStream)
//!                                              └─▶ events  one tail of PURCHASE_EVENTS for all clients
//! ```
//!
//! The gateway decides nothing about purchases and remembers nothing but which key stands for which
//! request, in JetStream: it can be killed, moved and run many times over. It is a client like any
//! other, so what it may do is what its NATS login may do.

mod admin;
mod body;
mod broker;
mod caller;
pub mod config;
mod events;
mod keys;
mod listen;
mod metrics;
pub mod openapi;
mod page;
mod problem;
mod router;
mod routes;
mod serve;
mod shared;
mod throttle;
pub mod tokens;
mod webhook;

pub use config::GatewayConfig;
pub use serve::{GatewayError, Running, start};
