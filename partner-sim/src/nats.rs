//! The stores on a real NATS server.
//!
//! The pure layer decides; this shell moves bytes. A command is handled at once, in memory; its
//! records go to the synced ledger file ([`journal`]); only then are its answers published, and
//! only when those are stored is the command acknowledged. So whatever is killed in between, the
//! command comes again and finds its key. Answers that are to be delivered later are written to
//! the same file and taken up again at the next start. Live quotes leave no trace: one decode,
//! one decision, one publish.

pub mod audit;
pub(crate) mod clock;
mod connect;
mod consume;
pub(crate) mod delay;
pub(crate) mod desk;
mod egress;
mod journal;
mod ledgers;
mod quotes;
mod serve;

pub use serve::{ServeError, serve};
