//! Simulated bookstores and a payment provider.
//!
//! Two layers. The pure one ([`Partner`], [`PaymentProvider`], [`World`]) does no IO and knows no
//! clock: a message and `now` go in, answers with their delivery instants come out, and the same
//! seed with the same inputs gives the same answers. The simulator and the benches call it
//! directly. The shell ([`nats`]) puts the same stores on a real NATS server: it acknowledges a
//! command only once its effect is in a synced ledger file, so that killing it loses nothing. Another
//! shell ([`http`]) puts some of them behind HTTP, each in a shape of its own.
//!
//! Every decision is kept in a ledger ([`ledger`]): the ground truth that auditors compare with
//! what the broker believes. The broker itself never reads it.

pub mod cli;
pub mod config;
pub mod delivery;
pub mod dice;
pub mod fault;
pub mod http;
pub mod latency;
pub mod ledger;

pub mod nats;
pub mod partner;
pub mod payment;
pub mod price;
pub mod profile;
pub mod quote_token;
pub mod stock;
pub mod world;

pub use config::SimConfig;
pub use delivery::Scheduled;
pub use ledger::{PartnerLedger, PaymentLedger};
pub use partner::{Partner, PartnerAnswer, PartnerMessage, PartnerRequest};
pub use payment::{PaymentAnswer, PaymentProvider, PaymentRequest};
pub use profile::Profile;
pub use world::World;
