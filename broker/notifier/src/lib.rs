//! The notifier: customers are told what became of their requests by e-mail, by webhook, and in
//! the log.
//!
//! It reads the stream `NOTIFICATIONS` and nothing else of the broker. For each notification and
//! each channel that its customer chose, the *intake* writes one record into a bucket and then
//! acknowledges the notification. The *dispatch* sees all records of the bucket, plans in memory
//! when each is due ([`agenda`]), and lets an *attempt* send one: the record says that a notifier
//! is at it before the message leaves, and what became of it afterwards, each by compare-and-set.
//! Nothing else is durable; a notifier can be killed at any point, moved to another machine, and
//! run twice.
//!
//! ```text
//! NOTIFICATIONS ──▶ intake ──▶ notifier_deliveries ──▶ dispatch ──▶ attempt ──▶ SMTP, HTTP
//!                     │ ack        ▲   (bucket)          agenda        │
//!                     ◀────────────┘◀──────────────────────────────────┘ result
//! ```
//!
//! What is promised: each notification reaches each chosen channel at least once, under an id that
//! is always the same, and says what the notification says. Not promised: an order, also at one
//! endpoint; `number` tells which message about a request is the later one.

pub mod agenda;
mod attempt;
pub mod breaker;
mod clock;
pub mod config;
mod describe;
mod dispatch;
pub mod email;
mod intake;
pub mod key;
mod metrics;
pub mod operator;
pub mod record;
pub mod schedule;
mod start;
pub mod store;
pub mod subscribers;
pub mod webhook;

pub use config::NotifierConfig;
pub use start::{NotifierError, Running, start};
