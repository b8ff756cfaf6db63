//! The IO shell of the Book Purchase Broker.

pub mod clock;
pub mod config;
pub mod crash;
pub mod driver;
pub mod egress;
pub mod mailbox;
pub mod metrics;
pub mod nats;
pub mod storage;
pub mod store;
pub mod wire;
