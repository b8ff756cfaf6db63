//! What only whoever staged a run knows: what went wrong on purpose and when, and what a useful
//! broker could have bought.

use std::collections::BTreeSet;

use broker::store::Meta;
use schemas::id::QuoteId;
use schemas::{Digest, Isbn13, Money, PartnerId, RequestId, Timestamp};

/// Facts about the run beside its ledgers. All of them are optional: a check that needs one that is
/// missing examines nothing and says so.
#[derive(Debug, Clone, Default)]
pub struct Background {
    /// What honest stores would have sold all along: see [`crate::auditor::standing`].
    pub standing: Vec<Standing>,
    /// What stores say they offered, where nobody listened: see [`crate::auditor::vouched`].
    pub vouched: Vec<Vouched>,
    /// Stores that break the contract they announce: they sell one key twice, charge above the
    /// cap, or take an order they said they would not take. What they do to a request is bounded
    /// and alarmed, not impossible.
    pub liars: BTreeSet<PartnerId>,
    /// Stores that the bridge speaks for: what their ledgers say is not all of what binds them.
    pub bridged: BTreeSet<PartnerId>,
    /// Cursors and marks of the re-opened store.
    pub meta: Option<Meta>,
    /// The content of the store, each time it was read at rest: before it was closed and after
    /// every opening since.
    pub readings: Vec<Digest>,
    /// Time passed only when nothing was left to do: nothing took longer than it had to.
    pub virtual_time: bool,
    /// Nobody but the broker's store wrote anything down: there were no messages and no ledgers.
    /// Only checks of the log against itself then examine anything.
    pub store_only: bool,
}

/// An honest store had the book all along and would have sold it at this worst-case total.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    pub request: RequestId,
    pub partner: PartnerId,
    pub total: Money,
}

/// A store recognises a quote id as its own and says what it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vouched {
    pub partner: PartnerId,
    pub quote_id: QuoteId,
    pub isbn: Isbn13,
    pub total: u64,
    /// When it was asked for it.
    pub at: Timestamp,
}

/// A time in which something could not be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disturbance {
    pub what: Trouble,
    pub from: Timestamp,
    pub until: Timestamp,
}

/// What was wrong. Each check says which of these excuse what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trouble {
    /// nats-server was killed, stopped, frozen or refused messages.
    Server,
    /// nats-server lost messages it had stored, or forgot their ids.
    StreamLoss,
    /// Messages were lost, delayed, doubled or reordered on the way.
    Network,
    /// The broker was killed, or was not running.
    BrokerDown,
    /// The broker stood still and went on with what it knew.
    BrokerPaused,
    /// The store of the broker was slow, full or failing.
    Store,
    /// Bookstores or payment provider were not there.
    Parties,
    /// The broker's clock jumped or ran off while it was running. Excuses no late order.
    Clock,
    /// The broker was started with a wrong clock, and nothing in its store told it so.
    BootClock,
    /// The broker did not know all stores yet, or an operator kept it from some.
    Directory,
}

impl Trouble {
    pub const ALL: [Self; 10] = [
        Self::Server,
        Self::StreamLoss,
        Self::Network,
        Self::BrokerDown,
        Self::BrokerPaused,
        Self::Store,
        Self::Parties,
        Self::Clock,
        Self::BootClock,
        Self::Directory,
    ];

    pub const fn label(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::StreamLoss => "stream_loss",
            Self::Network => "network",
            Self::BrokerDown => "broker_down",
            Self::BrokerPaused => "broker_paused",
            Self::Store => "store",
            Self::Parties => "parties",
            Self::Clock => "clock",
            Self::BootClock => "boot_clock",
            Self::Directory => "directory",
        }
    }
}

impl Disturbance {
    pub fn overlaps(&self, from: Timestamp, until: Timestamp) -> bool {
        self.from <= until && from <= self.until
    }
}
