//! Up to where a stream has been consumed, and since when. Pure.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// A consumer of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reader {
    /// Subjects it reads; none means all.
    pub(super) filters: Vec<String>,
    /// Everything up to here that it reads is acked.
    pub(super) acked: u64,
    /// Something is waiting for it.
    pub(super) has_work: bool,
}

/// Subjects (`None`: all of the stream) and the last sequence at which they are consumed.
pub(super) type Consumed = BTreeMap<Option<String>, u64>;

/// What can be purged, subject by subject where each has a reader of its own, else for the whole
/// stream up to the slowest reader. Nothing without a reader: it may come yet.
pub(super) fn floors_of(readers: &[Reader], last: u64) -> Consumed {
    // The ack floor stands still while nothing arrives for a reader; one without work is done.
    let floor = |reader: &Reader| if reader.has_work { reader.acked } else { last };
    let reads_apart = |reader: &Reader| {
        !reader.filters.is_empty() && !reader.filters.iter().any(|f| f.contains(['*', '>']))
    };
    if readers.iter().all(reads_apart) {
        let mut consumed = Consumed::new();
        for reader in readers {
            for filter in &reader.filters {
                let entry = consumed.entry(Some(filter.clone())).or_insert(u64::MAX);
                *entry = floor(reader).min(*entry);
            }
        }
        return consumed;
    }
    readers.iter().map(floor).min().map(|slowest| (None, slowest)).into_iter().collect()
}

/// What was consumed at some instants, and what of it has been purged.
#[derive(Debug, Default)]
pub(super) struct Floors {
    seen: VecDeque<(Instant, Consumed)>,
    purged: Consumed,
}

impl Floors {
    pub(super) fn note(&mut self, now: Instant, consumed: Consumed) {
        self.seen.push_back((now, consumed));
    }

    /// What had been consumed at least `keep` ago, was not settled before, and is settled now.
    pub(super) fn settled(&mut self, now: Instant, keep: Duration) -> Consumed {
        let mut settled = Consumed::new();
        while self.seen.front().is_some_and(|(at, _)| now.duration_since(*at) >= keep) {
            settled = self.seen.pop_front().map(|(_, consumed)| consumed).unwrap_or_default();
        }
        settled.retain(|filter, consumed| {
            *consumed > 0 && self.purged.get(filter).is_none_or(|before| before < consumed)
        });
        self.purged.extend(settled.clone());
        settled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEP: Duration = Duration::from_secs(130);

    #[test]
    fn the_slowest_of_all_readers_decides() {
        let readers =
            [reader(&["partner.*.place"], 7, true), reader(&["partner.a.place"], 5, true)];
        assert_eq!(floors_of(&readers, 9), Consumed::from([(None, 5)]));
        assert_eq!(floors_of(&[reader(&[], 7, true)], 9), Consumed::from([(None, 7)]));
    }

    #[test]
    fn readers_of_their_own_subjects_do_not_wait_for_each_other() {
        let readers = [
            reader(&["partner.a.place", "partner.a.cancel"], 7, true),
            reader(&["partner.b.place"], 2, true),
        ];
        let expected = [("partner.a.cancel", 7), ("partner.a.place", 7), ("partner.b.place", 2)];
        let expected = expected.map(|(filter, floor)| (Some(filter.to_owned()), floor));
        assert_eq!(floors_of(&readers, 9), Consumed::from(expected));
    }

    #[test]
    fn a_reader_without_work_has_read_everything() {
        assert_eq!(floors_of(&[reader(&[], 0, false)], 9), Consumed::from([(None, 9)]));
    }

    #[test]
    fn what_nobody_reads_yet_is_kept() {
        assert_eq!(floors_of(&[], 9), Consumed::new());
    }

    #[test]
    fn messages_stay_as_long_as_the_server_needs_their_ids() {
        let start = Instant::now();
        let mut floors = Floors::default();
        floors.note(start, Consumed::from([(None, 5)]));
        floors.note(start + KEEP / 2, Consumed::from([(None, 8)]));
        assert_eq!(floors.settled(start + KEEP / 2, KEEP), Consumed::new());
        assert_eq!(floors.settled(start + KEEP, KEEP), Consumed::from([(None, 5)]));
        assert_eq!(floors.settled(start + KEEP * 2, KEEP), Consumed::from([(None, 8)]));
    }

    #[test]
    fn what_was_purged_is_not_purged_again() {
        let start = Instant::now();
        let mut floors = Floors::default();
        for n in 0..2 {
            floors.note(start + KEEP * n, Consumed::from([(None, 5)]));
        }
        assert_eq!(floors.settled(start + KEEP, KEEP), Consumed::from([(None, 5)]));
        assert_eq!(floors.settled(start + KEEP * 2, KEEP), Consumed::new());
    }

    fn reader(filters: &[&str], acked: u64, has_work: bool) -> Reader {
        let filters = filters.iter().map(|f| (*f).to_owned()).collect();
        Reader { filters, acked, has_work }
    }
}
