//! What a run came to: the table of faults, the verdict, the figures.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use schemas::purchase::PurchaseStatus;

use super::kind::Kind;
use super::options::Options;
use super::percentiles::Percentiles;
use crate::auditor::{Evidence, Verdict};

/// With fewer ordered requests a run proves nothing about any fault.
pub const ORDERED_MIN: usize = 1_000;
/// The check behind the figure that nobody wants to see above zero.
const SECOND_ORDERS: &str = "at_most_one_live_order";

/// One kind of fault in one run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    pub injected: u32,
    /// Orders that customers were told of while it was on.
    pub ordered: u64,
    /// Why this machine does not allow it.
    pub not_possible: Option<String>,
}

/// The whole run.
#[derive(Debug)]
pub struct Report {
    pub seed: u64,
    pub took: Duration,
    pub settled: Duration,
    pub audited: Duration,
    pub tallies: BTreeMap<Kind, Tally>,
    /// Requests sent.
    pub asked: u64,
    /// Requests that ended ordered.
    pub ordered: usize,
    pub commits: usize,
    pub messages: usize,
    /// From the start of a broker after its death to its readiness.
    pub recoveries: Option<Percentiles>,
    /// From a request to the first word about it.
    pub waits: Option<Percentiles>,
    /// Commands that a damaged server lost and their customers sent again.
    pub sent_again: usize,
    /// Acknowledged commands of which nothing is to be found.
    pub lost: usize,
    /// How often the broker gave up on a store that was too slow, unasked, and was started again.
    pub ended_itself: u32,
    pub verdict: Verdict,
}

impl Report {
    pub(super) fn ordered_in(evidence: &Evidence) -> usize {
        let ended = evidence.heads.values().map(|head| head.status.kind());
        ended.filter(|status| *status == PurchaseStatus::Ordered).count()
    }

    pub fn injected(&self, kind: Kind) -> u32 {
        self.tallies.get(&kind).map_or(0, |tally| tally.injected)
    }

    /// Why the run proves nothing about this kind; nothing if it does.
    pub fn not_proven(&self, kind: Kind) -> Option<String> {
        let tally = self.tallies.get(&kind);
        if let Some(why) = tally.and_then(|tally| tally.not_possible.clone()) {
            return Some(why);
        }
        if self.injected(kind) == 0 {
            return Some("it was not injected".to_owned());
        }
        (self.ordered < ORDERED_MIN)
            .then(|| format!("only {} requests were ordered, not {ORDERED_MIN}", self.ordered))
    }

    /// Orders that stood beside another one of the same request.
    pub fn second_orders(&self) -> usize {
        let found = self.verdict.violations();
        found.filter(|violation| violation.check == SECOND_ORDERS).count()
    }

    /// Whether every promise was kept, and what was to be proven is.
    pub fn is_good(&self, options: &Options) -> bool {
        let mut required = Kind::ALL.iter().filter(|kind| options.requires(**kind));
        self.verdict.is_clean()
            && self.lost == 0
            && required.all(|kind| self.not_proven(*kind).is_none())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{}", self.verdict)?;
        writeln!(f, "fault           rows    injected  ordered meanwhile  proven")?;
        for kind in Kind::ALL {
            let tally = self.tallies.get(kind).cloned().unwrap_or_default();
            let proven = self.not_proven(*kind);
            let proven = proven.map_or("yes".to_owned(), |why| format!("NOT PROVEN: {why}"));
            let (injected, ordered, rows) = (tally.injected, tally.ordered, kind.rows());
            writeln!(f, "{kind:<14}  {rows:<6}  {injected:>8}  {ordered:>17}  {proven}")?;
        }
        let faults: u32 = self.tallies.values().map(|tally| tally.injected).sum();
        let seconds = |time: Duration| time.as_secs_f64();
        writeln!(f, "\nseed {}, {:.0} s of chaos, {faults} faults", self.seed, seconds(self.took))?;
        writeln!(f, "{} requests, {} of them ordered", self.asked, self.ordered)?;
        writeln!(
            f,
            "acknowledged but lost: {}, second orders: {}",
            self.lost,
            self.second_orders()
        )?;
        if self.sent_again > 0 {
            let again = self.sent_again;
            writeln!(f, "lost by a damaged server and sent again by their customers: {again}")?;
        }
        if self.ended_itself > 0 {
            let times = self.ended_itself;
            writeln!(f, "ended by the broker itself because its store was too slow: {times}")?;
        }
        if let Some(times) = self.recoveries {
            writeln!(f, "from the start of a broker that died to its readiness: {times}")?;
        }
        if let Some(times) = self.waits {
            writeln!(f, "from a request to the first word about it, faults included: {times}")?;
        }
        let (settled, audited) = (seconds(self.settled), seconds(self.audited));
        write!(
            f,
            "at rest after {settled:.1} s, audited in {audited:.1} s: {} commits, {} messages",
            self.commits, self.messages
        )
    }
}
