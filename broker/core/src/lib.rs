//! The deterministic core of the Book Purchase Broker.
//!
//! No IO, no clock, no randomness, no logging, no async: `now` is an argument and everything that
//! should happen outside is returned as data. Two layers:
//!
//! ```text
//!        shell (threads, NATS, fjall)                 broker-core
//!   ┌──────────────────────────────┐   Input    ┌───────────────────────────┐
//!   │ ingress  decode, principal   │ ─────────▶ │ Engine                    │
//!   │ store    group commit, fsync │            │  load → decide → commit   │
//!   │ egress   outbox → publish    │ ◀───────── │  → release → done         │
//!   │ timers   one sleep           │   Output   │  sweeps (soft state)      │
//!   └──────────────────────────────┘            │      │                    │
//!                                               │      ▼                    │
//!                                               │ transition(request, event,│
//!                                               │   now, policy) → pure     │
//!                                               └───────────────────────────┘
//! ```
//!
//! - [`transition`](transition::transition) is the canonical table (T1–T22, C1–C19): one pure
//!   function from a request and an event to the next request and its effects.
//! - [`Engine`](engine::Engine) sequences it: one commit in flight per request, nothing leaves
//!   before the batch that caused it is durable, soft state (sweeps, calls) beside it.

#![warn(clippy::iter_over_hash_type, clippy::wildcard_enum_match_arm)]

pub mod batch;
pub mod effect;
pub mod engine;
pub mod event;
pub mod horizon;
pub mod keys;
pub mod partner;
pub mod policy;
pub mod quote;
pub mod receipt;
pub mod request;
pub mod row;
pub mod timer;
pub mod transition;

pub use batch::{AuditRow, Batch, Expect, IndexOp, OutboxRow, Part};
pub use effect::Effect;
pub use engine::Engine;
pub use event::Event;
pub use policy::Policy;
pub use quote::Quote;
pub use request::PurchaseRequest;
