//! What happens to requests, for clients that follow them.

mod client;
mod hub;

pub(crate) use client::{Clients, follow};
pub(crate) use hub::Hub;
