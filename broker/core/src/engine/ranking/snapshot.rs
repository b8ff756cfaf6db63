//! The ranking as it is kept: what a restart goes on with, and what a receipt names.

use schemas::{DurationMs, PartnerId, Timestamp};

use super::prices::Prices;
use super::rate::Rate;
use super::sampling::Stream;
use super::standing::Place;
use super::{Known, Ranking, Standing, Steering, Word};
use crate::partner::Partners;

/// A changed ranking is saved at most this often, except for an operator's word or a broken
/// promise.
const SAVE_EVERY: DurationMs = DurationMs(60_000);

/// Counts snapshots, also across restarts; 0 before the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SnapshotNumber(pub u64);

/// Everything that outlives the process. Latencies do not: they are worth ten minutes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    pub number: SnapshotNumber,
    pub taken_at: Timestamp,
    pub reviewed_at: Timestamp,
    /// Where the stream of numbers goes on.
    pub stream: u64,
    pub pool: Prices,
    pub partners: Vec<PartnerRecord>,
    /// What operators have said since the snapshot before: kept in the audit log, not read back.
    pub words: Vec<Word>,
}

/// One partner of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartnerRecord {
    pub id: PartnerId,
    pub in_time: Rate,
    pub in_stock: Rate,
    pub near: Rate,
    pub kept: Rate,
    pub prices: Prices,
    pub standing: Standing,
    pub streak: i8,
    pub answers: u64,
    pub wins: u32,
    pub steering: Option<Steering>,
}

impl Ranking {
    /// What is to be saved now, if anything. `at_once` says it must not wait.
    pub(crate) fn take_snapshot(
        &mut self,
        partners: &Partners,
        now: Timestamp,
        at_once: bool,
    ) -> Option<Snapshot> {
        if !self.changed || (!at_once && now.since(self.saved_at) < SAVE_EVERY) {
            return None;
        }
        self.changed = false;
        self.saved_at = now;
        self.number = SnapshotNumber(self.number.0 + 1);
        let record = |(id, known): (&PartnerId, &Known)| PartnerRecord {
            id: id.clone(),
            in_time: known.in_time,
            in_stock: known.in_stock,
            near: known.near,
            kept: known.kept,
            prices: known.prices.clone(),
            standing: known.place.standing,
            streak: known.place.streak,
            answers: known.place.answers,
            wins: known.place.wins,
            steering: known.place.steering_at(now),
        };
        let words = std::mem::take(&mut self.words);
        Some(Snapshot {
            number: self.number,
            taken_at: now,
            reviewed_at: self.reviewed_at,
            stream: self.stream.0,
            pool: self.pool.clone(),
            partners: self.named(partners).map(record).collect(),
            words,
        })
    }

    /// Goes on where the snapshot ended. Whoever it does not know has come since: a shadow, unless
    /// it knows nobody at all, for then it speaks of another directory.
    pub(super) fn restore(&mut self, snapshot: Snapshot, partners: &Partners) {
        self.number = snapshot.number;
        self.reviewed_at = snapshot.reviewed_at;
        self.stream = Stream(snapshot.stream);
        self.pool = snapshot.pool;
        let knows = |record: &PartnerRecord| partners.index_of(&record.id).is_some();
        if snapshot.partners.iter().any(knows) {
            for known in &mut self.known {
                known.place.standing = Standing::Shadow;
            }
        }
        for record in snapshot.partners {
            let Some(index) = partners.index_of(&record.id) else { continue };
            *self.at(index) = Known {
                in_time: record.in_time,
                in_stock: record.in_stock,
                near: record.near,
                kept: record.kept,
                prices: record.prices,
                place: Place {
                    standing: record.standing,
                    streak: record.streak,
                    answers: record.answers,
                    wins: record.wins,
                    steering: record.steering,
                },
                ..Known::default()
            };
        }
    }
}
