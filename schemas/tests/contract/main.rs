//! The wire contract as others see it: golden files, generated documents, and what decoding does
//! with bytes it has never seen.

#![expect(clippy::unwrap_used, reason = "test code: a panic is the verdict")]

mod asyncapi;
mod generated;
mod golden;
mod round_trip;
