//! Exhaustive check of the real transition function: small configurations of one request, two
//! bookstores, a payment provider and a network, of which every reachable state is looked at.
//!
//! A simulator walks at random and far; this walks everywhere, near home. Time is made of the few
//! instants that matter, the network is prompt unless a budget lets a message be late, lost or
//! doubled, and every budget is one or two. No story ends before everything has come to rest, so
//! "everything that rests is closed, undone, paid and told" also says that every story gets there.
//!
//! `cargo test -p tests --test model_check -- --nocapture` prints what was explored.

#![expect(clippy::unwrap_used, reason = "the helpers of a test fail like the test itself")]

mod bank;
mod commit;
mod configurations;
mod model;
mod numbers;
mod promise;
mod reach;
mod receive;
mod rest;
mod run;
mod setting;
mod shop;
mod spoiled;
mod state;
mod step;
