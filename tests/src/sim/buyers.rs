//! The customers of a run. Each plans the outcome it wants first and arranges shelf, price and
//! limit for it; then it sends its commands, copies of them, and what follows from what it sees.
//!
//! A customer who wants a book at a known price is the only one who notices a broker that never
//! buys: in a calm run the outcome must be the planned one ([`Buyers::expected`]).

mod customers;
mod desk;
mod extras;
mod kinds;
mod nonsense;
mod outcome;
mod plan;
mod wishes;

use partner_sim::config::{PriceScript, StockScript};
use schemas::catalog::CatalogEntry;
use schemas::event::{Notification, NotificationOutcome};
use schemas::purchase::PurchaseStatus;
use schemas::{CustomerId, RequestId, Timestamp};

use super::choices::Choices;
use crate::auditor::{Answer, Command, Route};

pub use customers::Customers;
pub use outcome::{PLANNED_OUTCOME, planned_outcome};

/// One thing a customer does at an instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    pub at: Timestamp,
    pub customer: CustomerId,
    pub command: Command,
    pub route: Route,
}

/// What the customers had arranged before they came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shelves {
    pub stock: Vec<StockScript>,
    pub price: Vec<PriceScript>,
    /// Titles and identifiers the broker's catalog knows.
    pub catalog: Vec<CatalogEntry>,
}

/// What must become of a request in a run without faults and with honest stores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expectation {
    /// One of these at the end.
    pub ends: Vec<PurchaseStatus>,
    /// What an order costs, minor units: from, to.
    pub total: (u64, u64),
    /// What the customer had in mind.
    pub plan: &'static str,
}

/// Customers, seen from the world. `Choices` lanes: what is planned comes from
/// [`Lane::Plan`](super::choices::Lane), reactions from [`Lane::Buyers`](super::choices::Lane).
pub trait Buyers {
    /// What the stores have and the catalog knows; asked once, before anything happens.
    fn shelves(&self) -> Shelves;
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
    /// Whether anybody waits for such news; what nobody waits for is not read.
    fn awaits(&self, outcome: NotificationOutcome) -> bool;
    /// A notification arrived (copies included).
    fn notified(
        &mut self,
        notice: &Notification,
        now: Timestamp,
        choices: &mut Choices,
    ) -> Vec<Act>;
    /// What must become of a request if the run was calm ([`Options::is_calm`]); `None` when that
    /// depends on others.
    ///
    /// [`Options::is_calm`]: super::options::Options::is_calm
    fn expected(&self, request: RequestId) -> Option<&Expectation>;
}
