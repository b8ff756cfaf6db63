//! Who calls, and what they want.

use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use hyper::header::HeaderValue;
use schemas::{CustomerId, RequestId, json};
use serde_json::Value;
use tests::harness::{Order, book, now};

/// Different bodies.
const BOOKS: u32 = 1_000;
/// Longer than the run: nobody's deadline comes up.
const EXPIRES_IN: Duration = Duration::from_secs(24 * 3600);

/// Everybody who may call, with all they send but the key.
#[derive(Debug)]
pub(super) struct Callers {
    customers: Vec<(CustomerId, HeaderValue)>,
    bodies: Vec<Bytes>,
}

impl Callers {
    /// By their tokens.
    pub(super) fn new(tokens: Vec<(CustomerId, String)>) -> anyhow::Result<Self> {
        let customers = tokens.into_iter().map(|(customer, token)| {
            let mut header = HeaderValue::try_from(format!("Bearer {token}"))?;
            header.set_sensitive(true);
            anyhow::Ok((customer, header))
        });
        let customers = customers.collect::<anyhow::Result<Vec<_>>>()?;
        anyhow::ensure!(!customers.is_empty(), "at least one customer is needed");
        let bodies = (0..BOOKS).map(body).collect::<anyhow::Result<_>>()?;
        Ok(Self { customers, bodies })
    }

    pub(super) fn customer(&self, n: usize) -> &CustomerId {
        &self.customers[n % self.customers.len()].0
    }

    pub(super) fn token(&self, n: usize) -> &HeaderValue {
        &self.customers[n % self.customers.len()].1
    }

    pub(super) fn body(&self, n: usize) -> Bytes {
        self.bodies[n % self.bodies.len()].clone()
    }
}

/// A key that becomes the id of its request.
pub(super) fn fresh_key() -> RequestId {
    RequestId::from_parts(now().as_unix_ms(), rand::random())
}

/// A create as HTTP has it: its id is the key.
fn body(n: u32) -> anyhow::Result<Bytes> {
    let order = Order::of(book(n)).watch().expires_in(EXPIRES_IN).build();
    let mut value: Value = serde_json::from_slice(&json::encode(&order))?;
    let members = value.as_object_mut().context("a create is a JSON object")?;
    members.remove("request_id");
    Ok(Bytes::from(serde_json::to_vec(&value)?))
}
