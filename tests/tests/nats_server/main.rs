//! The way a real nats-server gets under the tests: which binary is chosen, how one is obtained on
//! a machine without any, and what the fixture promises about its process, ports and store.

#![expect(clippy::unwrap_used, reason = "the helpers of a test fail like the test itself")]

mod fixture;
mod obtaining;
mod order;
mod parallel;
mod stage;
