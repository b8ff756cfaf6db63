//! Chance in one run: whether a fault strikes now, and what is written down about it.

use schemas::{DurationMs, Timestamp};

use super::choices::{Choices, Lane};
use super::coverage::Coverage;
use super::fault::Fault;
use super::options::Options;
use crate::auditor::{Disturbance, Trouble};

/// Troubles of one kind closer together than this are one disturbance.
const CALM_BETWEEN_MS: DurationMs = DurationMs(1000);

/// See the module.
#[derive(Debug)]
pub struct Luck {
    pub choices: Choices,
    pub options: Options,
    pub coverage: Coverage,
    /// Faults that struck so far.
    pub struck: u64,
    /// No fault strikes any more.
    healed: bool,
    /// The broker was killed often enough.
    spared: bool,
    /// The last disturbance of each kind, which may yet grow.
    open: [Option<Disturbance>; Trouble::ALL.len()],
    past: Vec<Disturbance>,
}

impl Luck {
    pub fn new(choices: Choices, options: Options) -> Self {
        Self {
            choices,
            options,
            coverage: Coverage::default(),
            struck: 0,
            healed: false,
            spared: false,
            open: [None; Trouble::ALL.len()],
            past: Vec::new(),
        }
    }

    /// Whether `fault` uses this opportunity.
    pub fn strikes(&mut self, fault: Fault) -> bool {
        let rate = self.options.rate(fault);
        let over = self.healed || (self.spared && kills_the_broker(fault));
        if rate == 0 || over || !self.choices.strikes(lane(fault), rate) {
            return false;
        }
        self.note(fault);
        true
    }

    /// A fault struck that was not drawn by itself.
    pub fn note(&mut self, fault: Fault) {
        self.struck += 1;
        self.coverage.note_fault(fault);
    }

    pub fn within(&mut self, fault: Fault, low: u32, high: u32) -> DurationMs {
        DurationMs(u64::from(self.choices.within(lane(fault), low, high)))
    }

    /// From now on nothing kills the broker.
    pub fn spare_the_broker(&mut self) {
        self.spared = true;
    }

    pub fn heal(&mut self) {
        self.healed = true;
    }

    pub fn is_healed(&self) -> bool {
        self.healed
    }

    /// From `from` to `until` something could not be relied on.
    pub fn disturb(&mut self, what: Trouble, from: Timestamp, until: Timestamp) {
        let open = &mut self.open[what as usize];
        match open {
            Some(last) if last.until.saturating_add(CALM_BETWEEN_MS) >= from => {
                last.until = last.until.max(until);
            }
            _ => {
                let before = open.replace(Disturbance { what, from, until });
                self.past.extend(before);
            }
        }
    }

    /// The same for a time that is over.
    pub fn disturb_since(&mut self, what: Trouble, from: Timestamp, until: Timestamp) {
        self.past.push(Disturbance { what, from, until });
    }

    pub fn disturbances(&self) -> Vec<Disturbance> {
        let mut all = self.past.clone();
        all.extend(self.open.iter().flatten());
        all.sort_by_key(|disturbance| disturbance.from);
        all
    }
}

/// Which list of choices a fault draws from.
pub const fn lane(fault: Fault) -> Lane {
    use Fault as F;
    match fault {
        F::CoreLost
        | F::CoreDoubled
        | F::Delayed
        | F::PublishLost
        | F::AckLost
        | F::GhostPublish
        | F::Partition
        | F::Garbage
        | F::Impostor
        | F::Replayed => Lane::Network,
        F::ServerKilled
        | F::DedupAmnesia
        | F::ConsumerRollback
        | F::Redelivered
        | F::DeliveryCountReset
        | F::TailTruncated
        | F::StreamRecreated
        | F::StreamFull => Lane::Server,
        F::CommitFailedLost | F::CommitFailedDurable | F::UnsyncedTailLost | F::StoreSlow => {
            Lane::Store
        }
        F::CrashAtOutput
        | F::CrashAtInput
        | F::CrashInRecovery
        | F::LongOutage
        | F::BrokerPaused
        | F::Deposed => Lane::Crash,
        F::PartiesCrash => Lane::Parties,
        F::ClockAhead | F::ClockBack | F::ClockSkew => Lane::Clock,
    }
}

const fn kills_the_broker(fault: Fault) -> bool {
    matches!(
        fault,
        Fault::CrashAtOutput
            | Fault::CrashAtInput
            | Fault::CrashInRecovery
            | Fault::CommitFailedLost
            | Fault::CommitFailedDurable
    )
}
