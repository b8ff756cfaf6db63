//! The ranking: one row of its own and one for each partner, all rewritten by every snapshot. The
//! row of a partner that has left the directory stays and is known again when it comes back.

use broker_core::engine::ranking::prices::Prices;
use broker_core::engine::ranking::rate::Rate;
use broker_core::engine::ranking::snapshot::{PartnerRecord, Snapshot, SnapshotNumber};
use broker_core::engine::ranking::{Standing, Steer, Steering};
use schemas::PartnerId;
use schemas::text::Text;
use serde::{Deserialize, Serialize};

use super::DiskError;
use super::basic::{at, mirror, ms};

mirror!(DiskStanding = Standing { First, Second, Third, Shadow });
mirror!(DiskSteer = Steer { Pin, Ban });

/// What belongs to no partner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskRanking {
    number: u64,
    taken_at: u64,
    reviewed_at: u64,
    stream: u64,
    pool: DiskPrices,
}

/// One partner; its id is the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskRanked<'a> {
    in_time: DiskRate,
    in_stock: DiskRate,
    near: DiskRate,
    kept: DiskRate,
    prices: DiskPrices,
    standing: DiskStanding,
    streak: i8,
    answers: u64,
    wins: u32,
    #[serde(borrow)]
    steering: Option<DiskSteering<'a>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskRate {
    hits: u64,
    misses: u64,
    at: u64,
}

/// Counts by bucket; empty ones at the end are left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskPrices {
    counts: Vec<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskSteering<'a> {
    steer: DiskSteer,
    until: u64,
    said_at: u64,
    by: &'a str,
    why: &'a str,
}

impl From<&Snapshot> for DiskRanking {
    fn from(snapshot: &Snapshot) -> Self {
        Self {
            number: snapshot.number.0,
            taken_at: ms(snapshot.taken_at),
            reviewed_at: ms(snapshot.reviewed_at),
            stream: snapshot.stream,
            pool: (&snapshot.pool).into(),
        }
    }
}

impl DiskRanking {
    /// # Errors
    /// More buckets of prices than there are.
    pub fn into_domain(self, partners: Vec<PartnerRecord>) -> Result<Snapshot, DiskError> {
        Ok(Snapshot {
            number: SnapshotNumber(self.number),
            taken_at: at(self.taken_at),
            reviewed_at: at(self.reviewed_at),
            stream: self.stream,
            pool: self.pool.try_into()?,
            partners,
            words: Vec::new(),
        })
    }
}

impl<'a> From<&'a PartnerRecord> for DiskRanked<'a> {
    fn from(record: &'a PartnerRecord) -> Self {
        let steering = record.steering.as_ref().map(|said| DiskSteering {
            steer: said.steer.into(),
            until: ms(said.until),
            said_at: ms(said.said_at),
            by: said.by.as_str(),
            why: said.why.as_str(),
        });
        Self {
            in_time: record.in_time.into(),
            in_stock: record.in_stock.into(),
            near: record.near.into(),
            kept: record.kept.into(),
            prices: (&record.prices).into(),
            standing: record.standing.into(),
            streak: record.streak,
            answers: record.answers,
            wins: record.wins,
            steering,
        }
    }
}

impl DiskRanked<'_> {
    /// # Errors
    /// More buckets of prices than there are, or a text that is none.
    pub fn into_domain(self, id: PartnerId) -> Result<PartnerRecord, DiskError> {
        let bad = |e| DiskError::new("ranking", e);
        let steering = self.steering.map(|said| {
            Ok(Steering {
                steer: said.steer.into(),
                until: at(said.until),
                said_at: at(said.said_at),
                by: Text::parse(said.by).map_err(bad)?,
                why: Text::parse(said.why).map_err(bad)?,
            })
        });
        Ok(PartnerRecord {
            id,
            in_time: self.in_time.into(),
            in_stock: self.in_stock.into(),
            near: self.near.into(),
            kept: self.kept.into(),
            prices: self.prices.try_into()?,
            standing: self.standing.into(),
            streak: self.streak,
            answers: self.answers,
            wins: self.wins,
            steering: steering.transpose()?,
        })
    }
}

impl From<Rate> for DiskRate {
    fn from(rate: Rate) -> Self {
        Self { hits: rate.hits, misses: rate.misses, at: ms(rate.at) }
    }
}

impl From<DiskRate> for Rate {
    fn from(disk: DiskRate) -> Self {
        Self { hits: disk.hits, misses: disk.misses, at: at(disk.at) }
    }
}

impl From<&Prices> for DiskPrices {
    fn from(prices: &Prices) -> Self {
        let used = prices.counts.iter().rposition(|count| *count != 0).map_or(0, |last| last + 1);
        Self { counts: prices.counts[..used].to_vec() }
    }
}

impl TryFrom<DiskPrices> for Prices {
    type Error = DiskError;
    fn try_from(disk: DiskPrices) -> Result<Self, DiskError> {
        let mut prices = Self::default();
        let Some(counts) = prices.counts.get_mut(..disk.counts.len()) else {
            return Err(DiskError::new("ranking", "more buckets of prices than there are"));
        };
        counts.copy_from_slice(&disk.counts);
        prices.samples = disk.counts.iter().map(|count| u32::from(*count)).sum();
        Ok(prices)
    }
}
