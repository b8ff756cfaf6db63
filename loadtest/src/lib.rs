//! Measurements of the broker, each beside a calibration of the machine it ran on.
//!
//! - [`closed_loop`]: engine and store with in-process partners, no NATS: what deciding and
//!   remembering cost.
//! - [`http`]: creates through the gateway: how many a second, and what one waits.
//! - [`latency`]: the whole broker over NATS, one request in flight: what a customer waits.
//! - [`load`]: the whole broker over NATS under load, open or closed, with audit and report.
//! - [`recovery`]: kills of the broker with many requests open: how soon it is there again.

pub mod calibration;
pub mod cli;
pub mod closed_loop;
pub mod http;
pub mod latency;
pub mod load;
pub mod process;
pub mod recovery;
mod verdict;
