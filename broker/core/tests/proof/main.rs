//! Proof of the core: every handler as sentences, the whole State×Event table, a model with real
//! partners and money behind it, and the engine without any IO.
//!
//! One binary, because linking is dearer than the tests. A failing property prints its case and is
//! kept beside its source (`model/mod.regressions`), which every later run replays first:
//! `cargo test -p broker-core --test proof model`. `PROPTEST_CASES=100000` looks deeper.

#![expect(clippy::unwrap_used, reason = "a proof may stop at the first surprise")]

mod engine;
mod golden;
mod limits;
mod model;
mod parts;
mod support;

mod transition;
