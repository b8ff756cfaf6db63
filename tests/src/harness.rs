//! Real processes around one temporary directory: nats-server, simulated partners, broker.
//!
//! A [`Scenario`] says which stores there are and what is on their shelves; a [`Cluster`] brings it
//! to life and can kill, stop and restart each part. A [`Requester`] speaks as a customer and keeps
//! the ledger of what it sent and was told. A [`Tap`] keeps what was said on the wire. At the end
//! [`Cluster::collect`] stops the broker and gathers everything the [`crate::auditor`] needs.
//!
//! Nothing here waits for time to pass: [`wait::until`] looks at a condition until a deadline, and
//! an error ends with the last lines of the log of the process it is about.

mod archive;
mod books;
mod bridge;
mod broker;
mod clock;
mod cluster;
mod collect;
mod doors;
mod error;
mod gateway;
mod http;
mod http_requester;
mod ledger;
mod order;
mod partners;
mod process;
mod program;
mod proxy;
mod requester;
mod rest;
mod scenario;
mod streams;
mod tap;
pub mod wait;

pub use books::book;
pub use bridge::{Bridge, Example};
pub use broker::{Broker, open_store};
pub use clock::now;
pub use cluster::Cluster;
pub use collect::{StoreContents, read_store};
pub use error::HarnessError;
pub use gateway::{CALLBACK_SECRET, Gateway};
pub use http_requester::HttpRequester;
pub use ledger::SubLedger;
pub use order::Order;
pub use partners::PartnerSim;
pub use process::Process;
pub use program::{Program, Programs};
pub use proxy::{Direction, FaultProxy, Proxies};
pub use requester::message_id;
pub use requester::{Requester, StreamAck};
pub use scenario::Scenario;
pub use streams::StreamTail;
pub use tap::Tap;
