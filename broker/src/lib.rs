//! The IO shell of the Book Purchase Broker.
//!
//! ```text
//!  NATS ──▶ ingress, service, questions ──Intake──▶ driver (engine thread) ──▶ answers ──▶ NATS
//!                                                      │  ▲
//!                                            commits,  │  │ Results
//!                                            loads     ▼  │
//!                                                    storage (writer, readers)
//!                                                      │ durable outbox rows
//!                                                      ▼
//!                                                    egress ──▶ NATS
//! ```
//!
//! The deterministic part is [`broker_core`]; everything here moves data for it and decides
//! nothing. [`serve::serve`] is the whole broker, [`cli::main`] its command line.

pub mod answers;
pub mod backup;
pub mod cli;
pub mod clock;
pub mod config;
pub mod crash;
pub mod directory;
pub mod disk;
pub mod driver;
pub mod egress;
mod files;
pub mod housekeeping;
pub mod http;
pub mod ingress;
pub mod logs;
pub mod mailbox;
pub mod metrics;
pub mod nats;
pub mod open;
pub mod operator;
pub mod ports;
pub mod positions;
pub mod quarantine;
pub mod questions;
pub mod serve;
pub mod service;
pub mod shutdown;
pub mod storage;
pub mod store;
pub mod traces;
pub mod waiters;
pub mod wire;
