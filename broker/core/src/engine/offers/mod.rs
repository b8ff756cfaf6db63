//! What the engine knows of offers beyond one request. Requests share questions and offers, never
//! outcomes: each buys for itself, from what it may see, under its own limit.
//!
//! - [`cache`]: what stores have said lately, so that a store with plenty in stock is not asked
//!   again a second later.
//! - [`flights`]: questions on their way; another request with the same question waits for the same
//!   answer.
//! - [`slots`]: who is buying which copies right now, so that no more purchases start than a store
//!   has copies.

pub(super) mod cache;
pub(super) mod flights;
mod freshness;
pub(super) mod slots;

use schemas::{Condition, Currency, Destination, Isbn13};

use crate::request::PurchaseRequest;

/// What is asked for, without who asks and without a limit: requests that want the same ask the
/// same question.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Wanted {
    pub(super) isbn: Isbn13,
    pub(super) quantity: u8,
    pub(super) condition: Condition,
    pub(super) currency: Currency,
    /// Zone only, without the address.
    pub(super) zone: Destination,
}

impl Wanted {
    pub(super) fn of(request: &PurchaseRequest) -> Self {
        let submission = &request.submission;
        Self {
            isbn: submission.isbn,
            quantity: submission.quantity,
            condition: submission.condition,
            currency: request.terms.max_total.currency(),
            zone: submission.destination.zone(),
        }
    }
}
