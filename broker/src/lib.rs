//! The IO shell of the Book Purchase Broker.

pub mod clock;
pub mod config;
