//! Measurements of the broker, each beside a calibration of the machine it ran on.
//!
//! - [`closed_loop`]: engine and store with in-process partners, no NATS: what deciding and
//!   remembering cost.
//! - [`latency`]: the whole broker over NATS, one request in flight: what a customer waits.

pub mod calibration;
pub mod cli;
pub mod closed_loop;
pub mod latency;
pub mod process;
