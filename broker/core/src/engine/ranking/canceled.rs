//! Questions whose answer was no longer waited for. What comes late still tells how long the
//! partner takes; what never comes tells that it was silent.

use std::collections::BTreeMap;

use schemas::Timestamp;

use crate::partner::PartnerIndex;

/// Remembered questions; the oldest are forgotten first. Forgetting one costs a sample.
const CANCELED_MAX: usize = 20_000;

#[derive(Debug, Default)]
pub(super) struct Canceled(BTreeMap<u64, Open>);

#[derive(Debug, Clone, Copy)]
struct Open {
    partner: PartnerIndex,
    asked_at: Timestamp,
    due: Timestamp,
}

impl Canceled {
    pub(super) fn remember(
        &mut self,
        counter: u64,
        partner: PartnerIndex,
        asked_at: Timestamp,
        due: Timestamp,
    ) {
        self.0.insert(counter, Open { partner, asked_at, due });
        if self.0.len() > CANCELED_MAX {
            self.0.pop_first();
        }
    }

    /// When it was asked, once.
    pub(super) fn take(&mut self, counter: u64, partner: PartnerIndex) -> Option<Timestamp> {
        let asked_at = self.0.get(&counter).filter(|open| open.partner == partner)?.asked_at;
        self.0.remove(&counter);
        Some(asked_at)
    }

    /// The partner of the oldest question, if its time is up.
    pub(super) fn pop_due(&mut self, now: Timestamp) -> Option<PartnerIndex> {
        let first = self.0.first_entry().filter(|entry| entry.get().due <= now)?;
        Some(first.remove().partner)
    }
}
