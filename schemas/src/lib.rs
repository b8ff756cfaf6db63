//! The wire contract of the Book Purchase Broker.
//!
//! Everything that travels over NATS is a type in this crate: messages, ids, amounts, instants,
//! subjects, stream declarations and reject reasons. Types validate while they deserialize, so a
//! value that exists is a value that may be used; nothing behind this crate checks again.
//!
//! Rules of evolution are in `schemas/README.md`: fields and variants are only ever added, numbers
//! are never reused, and the golden files under `schemas/golden` show every byte that changes.

pub mod bucket;
pub mod catalog;
pub mod condition;
pub mod destination;
pub mod digest;
pub mod directory;
pub mod event;
pub mod generate;
pub mod id;
pub mod isbn;
pub mod item;
pub mod json;
pub mod money;
pub mod partner;
pub mod payment;
pub mod problem;
pub mod purchase;
pub mod reject;
pub mod secret;
pub mod stream;
pub mod subject;
pub mod text;
mod text_form;
pub mod time;
pub mod trace;
pub mod violation;

pub use condition::Condition;
pub use destination::{Address, Destination};
pub use digest::Digest;
pub use id::{CommandId, CustomerId, PartnerId, ProviderId, RequestId};
pub use isbn::Isbn13;
pub use money::{Currency, Money};
pub use reject::RejectReason;
pub use time::{DurationMs, Timestamp};
pub use trace::TraceContext;
pub use violation::Violation;
