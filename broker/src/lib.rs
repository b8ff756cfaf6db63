//! The IO shell of the Book Purchase Broker.

pub mod clock;
pub mod config;
pub mod crash;
pub mod store;
pub mod wire;
