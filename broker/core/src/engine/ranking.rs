//! Ranking: who is likely to have the book, in time and at a good price, learned from what partners
//! answer. It decides only whom to ask first and when asking further is not worth it; what is bought
//! is decided from the answers alone.
//!
//! Everything is integer arithmetic on the state, chance included: the stream of numbers is part of
//! the state and begins at a seed that is an argument. The same inputs rank alike everywhere.

mod canceled;
mod fixed;
mod latency;
pub mod prices;
pub mod rate;
pub mod sampling;
pub mod snapshot;
mod standing;

use schemas::{DurationMs, PartnerId, Timestamp};

use super::output::CallOutcome;
use crate::partner::{PartnerIndex, Partners};
use crate::policy::Policy;
use canceled::Canceled;
use latency::Latency;
use prices::Prices;
use rate::Rate;
use sampling::Stream;
use snapshot::{Snapshot, SnapshotNumber};
pub use standing::{Demotion, Standing, Steer, Steering, Word};

/// Errors and time-outs are news for ten minutes, stock and broken offers for a day.
const IN_TIME_HALF_LIFE: DurationMs = DurationMs(10 * 60_000);
const IN_STOCK_HALF_LIFE: DurationMs = DurationMs(24 * 3_600_000);
const KEPT_HALF_LIFE: DurationMs = DurationMs(24 * 3_600_000);
/// Everybody is thought to have kept so many offers before the first one is taken up.
const KEPT_PRIOR: u64 = 4;
/// "As good as the best": within so many thousandths of it.
const NEAR_PERMILLE: u64 = 20;
/// The median of fewer offers is no measure of a price.
const MEDIAN_OFFERS_MIN: usize = 3;
/// An answer is late when so many thousandths of the others took less.
const LATE_PERMILLE: u32 = 950;
/// A cached reservation value is good for so many further samples.
const RESERVATION_STALE_AFTER: u32 = 16;

/// What is known of one partner.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// Answered before its time was up, of all questions whose end is known.
    in_time: Rate,
    /// Offered the book, of all answers.
    in_stock: Rate,
    /// Won or came near, of all decisions it was asked for; discounted per observation.
    near: Rate,
    /// Kept its offer, of all that were taken up.
    kept: Rate,
    latency: Latency,
    prices: Prices,
    place: standing::Place,
    /// After what an answer is late, and the number of answers it was computed from.
    late_after: Option<(DurationMs, u32)>,
    /// Reservation value and the number of samples it was computed from.
    reservation: Option<(u64, u32)>,
}

impl Known {
    fn kept_permille(&self) -> u64 {
        self.kept.permille(KEPT_PRIOR, KEPT_PRIOR)
    }

    /// What its record is worth, millionths.
    fn worth(&self) -> u64 {
        self.near.permille(1, 2) * self.kept_permille()
    }
}

/// See the module.
#[derive(Debug)]
pub struct Ranking {
    known: Vec<Known>,
    /// Prices of all partners together.
    pool: Prices,
    stream: Stream,
    canceled: Canceled,
    /// Of the last snapshot handed out, which a receipt names.
    number: SnapshotNumber,
    saved_at: Timestamp,
    reviewed_at: Timestamp,
    changed: bool,
    /// Said since the last snapshot, oldest first.
    words: Vec<Word>,
}

/// What a ranking begins with.
#[derive(Debug, Clone, Default)]
pub struct RankingStart {
    /// Where the stream of numbers begins when there is no snapshot.
    pub seed: u64,
    /// The last one that was saved.
    pub snapshot: Option<Snapshot>,
}

/// How one asked partner fared in a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fared {
    pub(super) partner: PartnerIndex,
    /// Worst total of its offer; `None` without one that can still be bought.
    pub(super) total: Option<u64>,
    pub(super) shadow: bool,
}

impl Ranking {
    pub(super) fn new(start: RankingStart, partners: &Partners, now: Timestamp) -> Self {
        let mut ranking = Self {
            known: (0..partners.len()).map(|_| Known::default()).collect(),
            pool: Prices::default(),
            stream: Stream(start.seed),
            canceled: Canceled::default(),
            number: SnapshotNumber(0),
            saved_at: now,
            reviewed_at: now,
            changed: false,
            words: Vec::new(),
        };
        if let Some(snapshot) = start.snapshot {
            ranking.restore(snapshot, partners);
        }
        ranking
    }

    fn at(&mut self, partner: PartnerIndex) -> &mut Known {
        &mut self.known[usize::from(partner.0)]
    }

    fn of(&self, partner: PartnerIndex) -> &Known {
        &self.known[usize::from(partner.0)]
    }

    pub(super) fn number(&self) -> SnapshotNumber {
        self.number
    }

    pub(super) fn stream(&mut self) -> &mut Stream {
        &mut self.stream
    }

    /// An offer of this partner was taken up, and it kept it or did not.
    pub(super) fn took_up(&mut self, partner: PartnerIndex, kept: bool, now: Timestamp) {
        self.changed = true;
        self.at(partner).kept.observe(kept, now, KEPT_HALF_LIFE);
    }

    /// A question came to an end.
    pub(super) fn ended(
        &mut self,
        partner: PartnerIndex,
        outcome: CallOutcome,
        took: DurationMs,
        now: Timestamp,
    ) {
        self.changed = true;
        let known = self.at(partner);
        match outcome {
            // An honest no is an answer as good as any: from here the book cannot be had.
            CallOutcome::Offer | CallOutcome::NoStock | CallOutcome::Refused => {
                known.in_time.observe(true, now, IN_TIME_HALF_LIFE);
                let offered = outcome == CallOutcome::Offer;
                known.in_stock.observe(offered, now, IN_STOCK_HALF_LIFE);
                known.latency.observe(took, now);
                known.place.answers = known.place.answers.saturating_add(1);
            }
            CallOutcome::Invalid | CallOutcome::TimedOut | CallOutcome::Down => {
                known.in_time.observe(false, now, IN_TIME_HALF_LIFE);
            }
        }
    }

    /// A decision was taken without waiting for the answer to this question. What it would have
    /// been is learned all the same, or by when it is `due` that there is none
    /// ([`Self::pop_silent`]).
    pub(super) fn canceled(
        &mut self,
        counter: u64,
        partner: PartnerIndex,
        asked_at: Timestamp,
        due: Timestamp,
    ) {
        self.canceled.remember(counter, partner, asked_at, due);
    }

    /// The partner of a canceled question that has stayed without an answer.
    pub(super) fn pop_silent(&mut self, now: Timestamp) -> Option<PartnerIndex> {
        let partner = self.canceled.pop_due(now)?;
        self.at(partner).in_time.observe(false, now, IN_TIME_HALF_LIFE);
        Some(partner)
    }

    /// A canceled question was answered under the number of a later one.
    pub(super) fn answered_elsewhere(&mut self, counter: u64, partner: PartnerIndex) {
        self.canceled.take(counter, partner);
    }

    /// An answer came that no sweep waits for: how long it took, if the question is known.
    pub(super) fn came_late(
        &mut self,
        counter: u64,
        partner: PartnerIndex,
        outcome: CallOutcome,
        now: Timestamp,
    ) -> Option<DurationMs> {
        let took = now.since(self.canceled.take(counter, partner)?);
        self.ended(partner, outcome, took, now);
        Some(took)
    }

    /// A sweep was decided: who came near the best, and how prices compare. `best` is the total
    /// that won or would have.
    pub(super) fn decided(&mut self, fared: &[Fared], best: Option<u64>, now: Timestamp) {
        self.changed = true;
        let near =
            best.map_or(0, |best| best.saturating_add(best.saturating_mul(NEAR_PERMILLE) / 1000));
        let median = median(fared.iter().filter(|one| !one.shadow).filter_map(|one| one.total));
        for one in fared {
            let came_near = best.is_some() && one.total.is_some_and(|total| total <= near);
            let known = self.at(one.partner);
            known.near.observe_discounted(came_near, now);
            known.place.wins = known.place.wins.saturating_add(u32::from(came_near));
            if let (Some(total), Some(median)) = (one.total, median) {
                known.prices.observe(total, median);
                self.pool.observe(total, median);
            }
        }
    }

    /// How long its answers take: so many thousandths of them at most this long. `None` while
    /// fewer than `samples_min` are known.
    pub(super) fn answers_within(
        &self,
        partner: PartnerIndex,
        permille: u32,
        samples_min: u32,
    ) -> Option<DurationMs> {
        let latency = &self.of(partner).latency;
        (latency.samples() >= samples_min.max(1)).then(|| latency.quantile(permille)).flatten()
    }

    /// After this long an answer is later than nearly all it has given. `None` as before.
    pub(super) fn is_late_after(
        &mut self,
        partner: PartnerIndex,
        samples_min: u32,
    ) -> Option<DurationMs> {
        let known = self.at(partner);
        let samples = known.latency.samples();
        if samples < samples_min.max(1) {
            return None;
        }
        // Asked for with every question: a sixteenth more or fewer answers hardly change it.
        if let Some((late, of)) = known.late_after
            && samples.abs_diff(of) <= of / 16
        {
            return Some(late);
        }
        let late = known.latency.quantile(LATE_PERMILLE)?;
        known.late_after = Some((late, samples));
        Some(late)
    }

    /// Answers it has given so far.
    pub(super) fn answers(&self, partner: PartnerIndex) -> u64 {
        self.of(partner).place.answers
    }

    /// The chance in thousandths that a question brings an offer, and one that is kept.
    pub(super) fn chance(&self, partner: PartnerIndex) -> u64 {
        let known = self.of(partner);
        let offers = known.in_time.permille(9, 10) * known.in_stock.permille(1, 2) / 1000;
        offers * known.kept_permille() / 1000
    }

    /// The share of the median price below which asking it is not worth a question, thousandths.
    pub(super) fn reservation(&mut self, partner: PartnerIndex, policy: &Policy) -> Option<u64> {
        let chance = self.chance(partner);
        let known = self.of(partner);
        let samples = known.prices.samples + self.pool.samples;
        if let Some((value, of)) = known.reservation
            && samples.abs_diff(of) < RESERVATION_STALE_AFTER
        {
            return Some(value);
        }
        let cost = u64::from(policy.call_cost_permyriad);
        let value = prices::reservation(&known.prices, &self.pool, chance, cost)?;
        self.at(partner).reservation = Some((value, samples));
        Some(value)
    }

    /// What its record may be worth this time (Thompson sampling), 16 fractional bits.
    pub(super) fn draw(&mut self, partner: PartnerIndex) -> u64 {
        let (near, kept) = (self.of(partner).near, self.of(partner).kept_permille());
        self.stream.beta(&near) * kept / 1000
    }

    /// How it stands, for whoever asks to see the ranking.
    pub fn view(&self, partner: PartnerIndex, now: Timestamp) -> View {
        let known = self.of(partner);
        View {
            standing: known.place.standing,
            steering: known.place.steering_at(now),
            answers: known.place.answers,
            in_time_permille: known.in_time.permille(9, 10),
            in_stock_permille: known.in_stock.permille(1, 2),
            score_permille: known.worth() / 1000,
            near_permille: known.near.permille(1, 2),
            kept_permille: known.kept_permille(),
            decisions: known.near.weight(),
            p50: known.latency.quantile(500),
            p95: known.latency.quantile(950),
        }
    }

    /// Partners by id, for the snapshot.
    fn named<'a>(
        &'a self,
        partners: &'a Partners,
    ) -> impl Iterator<Item = (&'a PartnerId, &'a Known)> {
        partners.iter().map(|(_, profile)| &profile.id).zip(&self.known)
    }
}

/// The numbers behind one partner's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    pub standing: Standing,
    pub steering: Option<Steering>,
    pub answers: u64,
    pub in_time_permille: u64,
    pub in_stock_permille: u64,
    /// What its record is worth: how often it won or came near, scaled by how often it kept its
    /// offer.
    pub score_permille: u64,
    /// Won or came near.
    pub near_permille: u64,
    /// Kept its offer when it was taken up.
    pub kept_permille: u64,
    /// Decisions that the share of wins rests on.
    pub decisions: u64,
    pub p50: Option<DurationMs>,
    pub p95: Option<DurationMs>,
}

/// The median, if there are enough to speak of one.
pub(super) fn median(totals: impl Iterator<Item = u64>) -> Option<u64> {
    let mut totals: Vec<u64> = totals.collect();
    if totals.len() < MEDIAN_OFFERS_MIN {
        return None;
    }
    let middle = totals.len() / 2;
    let (_, median, _) = totals.select_nth_unstable(middle);
    Some(*median)
}
