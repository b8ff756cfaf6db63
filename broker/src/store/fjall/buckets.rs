//! The outbox by days. Published rows are not deleted (each would cost a tombstone and a later
//! compaction); a day whose rows are all published goes as a whole.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, RwLock};

use fjall::{Database, Keyspace};
use schemas::Timestamp;

use super::{engine, keys, spaces};
use crate::store::error::StoreError;
use crate::store::row::OutboxSeq;

const DAY_MS: u64 = 24 * 3600 * 1000;
const PREFIX: &str = "outbox_";
const UNPOISONED: &str = "nobody panics while holding the list of outbox days";

/// Days since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Day(u32);

impl Day {
    fn of(at: Timestamp) -> Self {
        Self(u32::try_from(at.as_unix_ms() / DAY_MS).expect("instants end in the year 9999"))
    }

    fn name(self) -> String {
        format!("{PREFIX}{:07}", self.0)
    }

    fn parse(name: &str) -> Option<Self> {
        name.strip_prefix(PREFIX)?.parse().ok().map(Self)
    }
}

/// The existing days, shared with readers.
#[derive(Clone)]
pub(super) struct Buckets {
    days: Arc<RwLock<BTreeMap<Day, Keyspace>>>,
    keep_days: u32,
}

impl Buckets {
    pub(super) fn open(db: &Database, path: &Path, keep_days: u32) -> Result<Self, StoreError> {
        let mut days = BTreeMap::new();
        for name in db.list_keyspace_names() {
            if let Some(day) = Day::parse(&name) {
                days.insert(day, spaces::outbox(db, path, &name)?);
            }
        }
        Ok(Self { days: Arc::new(RwLock::new(days)), keep_days })
    }

    /// The existing days, oldest first.
    pub(super) fn all(&self) -> Vec<Keyspace> {
        self.days.read().expect(UNPOISONED).values().cloned().collect()
    }

    /// The bucket for rows decided at `at`, created if it is a new day. Sequences ascend with
    /// days, so rows never go into a day before the last one.
    pub(super) fn at(
        &self,
        db: &Database,
        path: &Path,
        at: Timestamp,
    ) -> Result<Keyspace, StoreError> {
        let day = {
            let days = self.days.read().expect(UNPOISONED);
            match days.last_key_value() {
                Some((last, bucket)) if *last >= Day::of(at) => return Ok(bucket.clone()),
                _ => Day::of(at),
            }
        };
        let bucket = spaces::outbox(db, path, &day.name())?;
        self.days.write().expect(UNPOISONED).insert(day, bucket.clone());
        Ok(bucket)
    }

    /// Drops days that are old enough and fully published. Returns how many.
    pub(super) fn drop_published(
        &self,
        db: &Database,
        path: &Path,
        sent: OutboxSeq,
    ) -> Result<usize, StoreError> {
        let mut dropped = 0;
        loop {
            let Some((day, bucket)) = self.oldest_droppable(path, sent)? else {
                return Ok(dropped);
            };
            self.days.write().expect(UNPOISONED).remove(&day);
            db.delete_keyspace(bucket).map_err(|e| engine("dropping an outbox day of", path, e))?;
            dropped += 1;
        }
    }

    /// A day may go when the day after it starts at or before the first unpublished row.
    fn oldest_droppable(
        &self,
        path: &Path,
        sent: OutboxSeq,
    ) -> Result<Option<(Day, Keyspace)>, StoreError> {
        let days = self.days.read().expect(UNPOISONED);
        let mut oldest = days.iter();
        let (Some((day, bucket)), Some((_, next)), Some((last, _))) =
            (oldest.next(), oldest.next(), days.last_key_value())
        else {
            return Ok(None);
        };
        if last.0 - day.0 <= self.keep_days {
            return Ok(None);
        }
        let first = match next.first_key_value() {
            Some(entry) => entry.key().map_err(|e| engine("reading", path, e))?,
            None => return Ok(None),
        };
        let published = keys::leading_number(&first).is_some_and(|first| first <= sent.0 + 1);
        Ok(published.then(|| (*day, bucket.clone())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_days_sort_like_days_and_read_back() {
        let names: Vec<_> = [Day(9), Day(20_607), Day(2_932_896)].map(Day::name).to_vec();
        assert!(names.is_sorted(), "{names:?}");
        assert_eq!(Day::parse("outbox_0020607"), Some(Day(20_607)));
        assert_eq!(Day::parse("audit"), None);
        assert_eq!(Day::of(Timestamp::MAX), Day(2_932_895));
    }
}
