//! The notifier from end to end: a real nats-server, a real mail server, real endpoints, and the
//! notifier as a process that is killed and started again.

#![expect(clippy::unwrap_used, reason = "the helpers of a test fail like the test itself")]

mod bad_input;
mod discretion;
mod endpoints;
mod hook;
mod killing;
mod mailing;
mod operating;
mod permitted;
mod real_broker;
mod stage;
mod subscribing;
mod telling;
mod tls;
