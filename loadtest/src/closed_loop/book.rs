//! What is bought in the closed loop: the same book again and again, by requests with fresh ids.

use broker_core::request::{Submission, Terms};
use schemas::destination::{Country, Destination};
use schemas::id::PaymentToken;
use schemas::purchase::{Mode, Strategy};
use schemas::text::Text;
use schemas::{
    Condition, Currency, CustomerId, Digest, DurationMs, Isbn13, Money, RequestId, Timestamp,
};

pub(super) const MAX_MINOR: u64 = 5000;

/// The n-th request.
pub(super) fn submission(n: u64, now: Timestamp) -> anyhow::Result<Submission> {
    let random = u128::from(n) << 64 | u128::from(n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let id = RequestId::from_parts(now.as_unix_ms(), random);
    Ok(Submission {
        id,
        customer: CustomerId::parse(&format!("customer-{}", n % 1000))?,
        digest: Digest::of(id.as_bytes()),
        isbn: Isbn13::parse("9780306406157")?,
        quantity: 1,
        destination: Destination {
            country: Country::parse("US")?,
            postal_code: Text::parse("94107")?,
            address: None,
        },
        payment_token: PaymentToken::parse("tok_visa")?,
        condition: Condition::New,
        mode: Mode::OneShot,
        rebuy: false,
        created_at: now,
        trace: None,
        terms: Terms {
            max_total: Money::new(MAX_MINOR, Currency::USD)?,
            expires_at: now.saturating_add(DurationMs::from_secs(600)),
            // Everybody is asked and everybody is waited for.
            strategy: Strategy::Cheapest,
        },
    })
}
