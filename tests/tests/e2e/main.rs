//! The product from end to end: a real nats-server, the broker on its real store and the partners,
//! each in a process of its own, killed, frozen and restarted; at the end of every test the auditor
//! reads what everybody wrote down and finds no promise broken.
//!
//! `tests/README.md` tells how the suite is built and which fault each test stands for.

#![expect(clippy::unwrap_used, reason = "the helpers of a test fail like the test itself")]

mod accepting;
mod bad_input;
mod buying;
mod canceling;
mod command_line;
mod crash_points;
mod dead_letters;
mod discretion;
mod dropping;
mod expiring;
mod full_streams;
mod gateway;
mod idempotency;
mod incidents;
mod kill_broker;
mod kill_others;
mod load;
mod misbehaving;
mod paying;
mod permissions;
mod poison;
mod refused_starts;
mod replaying;
mod stage;
mod steering;
mod storing;
mod storm;
mod surfaces;
mod titles;
mod traces;
mod unknown;
mod watching;
