//! Questions whose answer was no longer waited for. What comes late still tells how long the
//! partner takes; what never comes tells that it was silent.

use std::collections::{BTreeMap, BTreeSet};

use schemas::Timestamp;

use crate::partner::PartnerIndex;

/// Remembered questions; the oldest are forgotten first. Forgetting one costs a sample.
const CANCELED_MAX: usize = 20_000;

#[derive(Debug, Default)]
pub(super) struct Canceled {
    open: BTreeMap<u64, Open>,
    /// The same by when their time is up: a call-back store has hours, and nobody waits behind it.
    due: BTreeSet<(Timestamp, u64)>,
}

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
        self.open.insert(counter, Open { partner, asked_at, due });
        self.due.insert((due, counter));
        if self.open.len() > CANCELED_MAX
            && let Some((oldest, open)) = self.open.pop_first()
        {
            self.due.remove(&(open.due, oldest));
        }
    }

    /// When it was asked, once.
    pub(super) fn take(&mut self, counter: u64, partner: PartnerIndex) -> Option<Timestamp> {
        let open = *self.open.get(&counter).filter(|open| open.partner == partner)?;
        self.open.remove(&counter);
        self.due.remove(&(open.due, counter));
        Some(open.asked_at)
    }

    /// The partner of the question whose time was up first, if it is up.
    pub(super) fn pop_due(&mut self, now: Timestamp) -> Option<PartnerIndex> {
        let (_, counter) = *self.due.first().filter(|(due, _)| *due <= now)?;
        self.due.pop_first();
        self.open.remove(&counter).map(|open| open.partner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_unix_ms(ms)
    }

    #[test]
    fn a_store_that_has_hours_keeps_nobody_from_being_judged() {
        let mut canceled = Canceled::default();
        canceled.remember(1, PartnerIndex(7), at(0), at(3_600_000));
        canceled.remember(2, PartnerIndex(8), at(0), at(1_000));
        assert_eq!(canceled.pop_due(at(999)), None);
        assert_eq!(canceled.pop_due(at(1_000)), Some(PartnerIndex(8)));
        assert_eq!(canceled.pop_due(at(1_000)), None);
        assert_eq!(canceled.pop_due(at(3_600_000)), Some(PartnerIndex(7)));
    }

    #[test]
    fn an_answer_is_taken_once_and_only_from_whom_it_was_asked() {
        let mut canceled = Canceled::default();
        canceled.remember(1, PartnerIndex(7), at(5), at(1_000));
        assert_eq!(canceled.take(1, PartnerIndex(8)), None);
        assert_eq!(canceled.take(1, PartnerIndex(7)), Some(at(5)));
        assert_eq!(canceled.take(1, PartnerIndex(7)), None);
        assert_eq!(canceled.pop_due(at(9_000)), None, "it has answered");
    }

    #[test]
    fn the_oldest_are_forgotten_beyond_the_limit() {
        let mut canceled = Canceled::default();
        let all = u64::try_from(CANCELED_MAX).unwrap() + 10;
        (0..all).for_each(|n| canceled.remember(n, PartnerIndex(1), at(0), at(1_000)));
        assert_eq!((canceled.open.len(), canceled.due.len()), (CANCELED_MAX, CANCELED_MAX));
        assert_eq!(canceled.take(9, PartnerIndex(1)), None);
        assert_eq!(canceled.take(10, PartnerIndex(1)), Some(at(0)));
    }
}
