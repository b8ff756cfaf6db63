//! The deterministic simulator: the shipped [`Engine`](broker_core::Engine), the shipped wire and
//! outbox code and the in-memory twin of the store, in a world where everything else is simulated
//! in virtual time: JetStream, the network, clocks, crashes, bookstores, provider, customers.
//!
//! One run is a function of its [`Choices`](choices::Choices). They come from a seed, from a
//! recorded list (to replay and to shrink), or from the bytes of a fuzzer.
//!
//! ```text
//!  choices ──▶ options (which faults, how often)  ──▶ plan (what the customers want)
//!                     │                                   │
//!                     ▼                                   ▼
//!   agenda (virtual time) ──▶ node (engine, store, egress) ◀──▶ jetstream ◀──▶ parties, buyers
//!                     │
//!                     ▼
//!   chaos ─▶ heal ─▶ drain ─▶ reconcile ──▶ evidence ──▶ auditor's verdict, coverage
//! ```

pub mod agenda;
pub mod buyers;
pub mod choices;
pub mod cli;
pub mod clock;
pub mod coverage;
pub mod doors;
pub mod evidence;
pub mod fault;
pub mod hunt;
pub mod jetstream;
pub mod luck;
pub mod network;
pub mod node;
pub mod options;
pub mod parties;
pub mod probe;
pub mod regressions;
pub mod report;
pub mod run;
pub mod scene;
pub mod script;
pub mod shrink;
pub mod trace;
pub mod world;
