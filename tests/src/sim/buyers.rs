//! The customers of a run. Each plans the outcome it wants first and arranges shelf, price and
//! limit for it; then it sends its commands, copies of them, and what follows from what it sees.

use schemas::event::Notification;
use schemas::{CustomerId, Timestamp};

use super::choices::Choices;
use crate::auditor::{Answer, Command, Route};

/// One thing a customer does at an instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    pub at: Timestamp,
    pub customer: CustomerId,
    pub command: Command,
    pub route: Route,
}

/// Customers, seen from the world.
pub trait Buyers {
    /// What is known from the start: all first submissions, and copies of them.
    fn opening(&mut self, choices: &mut Choices) -> Vec<Act>;
    /// The answer to an act, or [`Answer::Silent`] when none came in time.
    fn answered(
        &mut self,
        act: &Act,
        answer: &Answer,
        now: Timestamp,
        choices: &mut Choices,
    ) -> Vec<Act>;
    /// A notification arrived (copies included).
    fn notified(
        &mut self,
        notice: &Notification,
        now: Timestamp,
        choices: &mut Choices,
    ) -> Vec<Act>;
}
