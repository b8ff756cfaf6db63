//! The decision receipt: why a sweep ended the way it did. Durable with the decision itself. A
//! purchase of an offer at hand (late, accepted, or affordable since an update) has one, too.

pub mod search;

use schemas::purchase::Strategy;
use schemas::{Digest, Money, Timestamp};

use crate::quote::Quote;
pub use search::Search;

/// What was decided, from what, under which limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    pub sweep: u32,
    pub decided_at: Timestamp,
    pub strategy: Strategy,
    /// Limit in force.
    pub max_total: Money,
    /// Eligible partners, whether or not it was their turn: "38 of 50 stores" is an honest share.
    pub eligible: u16,
    /// Partners that answered with an offer or with "no stock".
    pub answered: u16,
    /// Version of the partner directory used.
    pub directory: Digest,
    pub verdict: Verdict,
    /// Every usable quote, best first. With [`Verdict::Buy`] the first is the winner.
    pub quotes: Vec<Quote>,
    /// Who was asked and who was not; absent for an offer at hand.
    pub search: Option<Search>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Buy,
    TooDear,
    NoStock,
    NoAnswer,
}

impl Receipt {
    /// Answered share of the eligible partners, in thousandths.
    pub fn coverage_permille(&self) -> u16 {
        if self.eligible == 0 {
            return 0;
        }
        let permille = u32::from(self.answered) * 1000 / u32::from(self.eligible);
        u16::try_from(permille).unwrap_or(1000)
    }
}
