//! Tiers: where a partner stands from hour to hour. Slow on purpose: a tier is changed by two
//! reviews that agree, one tier at a time; down at once only for a reason that cannot wait.

use schemas::text::Text;
use schemas::{DurationMs, PartnerId, Timestamp};

use super::{Known, Ranking};
use crate::partner::PartnerIndex;
use crate::policy::Policy;

/// Between two reviews.
const REVIEW_EVERY: DurationMs = DurationMs(3_600_000);
/// Reviews that must agree.
const REVIEWS_AGREE: i8 = 2;
/// A place among this many times the size of a tier is a good one; behind twice as many a bad one.
/// What lies between changes nothing (hysteresis). With fewer than four tiers of partners no review
/// demotes anybody: all of them are asked before long whatever their tier.
const GOOD_TIERS: usize = 2;

/// Fewer questions than these do not make a partner a failing one …
const FAILING_SAMPLES: u64 = 20;
/// … and neither does a greater share of them answered in time, thousandths.
const FAILING_PERMILLE: u64 = 500;
/// The same for offers that were taken up: those cost the customer an attempt each.
const LETS_DOWN_SAMPLES: u64 = 5;
const LETS_DOWN_PERMILLE: u64 = 500;

/// Which partners are asked before which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
#[repr(u8)]
pub enum Standing {
    #[default]
    First = 1,
    Second = 2,
    Third = 3,
    /// Newly come: asked now and then, never bought from, until it is known well enough.
    Shadow = 4,
}

impl Standing {
    pub const ALL: [Self; 4] = [Self::First, Self::Second, Self::Third, Self::Shadow];

    const fn up(self) -> Self {
        match self {
            Self::First | Self::Second => Self::First,
            Self::Third | Self::Shadow => Self::Second,
        }
    }

    const fn down(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second | Self::Third => Self::Third,
            Self::Shadow => Self::Shadow,
        }
    }
}

/// An operator's word about a partner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Steer {
    /// Asked first.
    Pin = 1,
    /// Not asked at all.
    Ban = 2,
}

/// What an operator said, whether it steers a partner or takes that back. Kept in the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    pub partner: PartnerId,
    /// `None` takes back what was said before.
    pub steer: Option<Steer>,
    /// From then on it is forgotten; nothing when it takes back.
    pub until: Timestamp,
    pub said_at: Timestamp,
    pub by: Text<64>,
    pub why: Text<200>,
}

impl Word {
    fn steering(&self) -> Option<Steering> {
        let Self { until, said_at, by, why, .. } = self.clone();
        self.steer.map(|steer| Steering { steer, until, said_at, by, why })
    }
}

/// … until when, and why it was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Steering {
    pub steer: Steer,
    pub until: Timestamp,
    pub said_at: Timestamp,
    pub by: Text<64>,
    pub why: Text<200>,
}

/// Why a partner loses its tier at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demotion {
    /// It said one thing and did another: another book, another currency, a price above its own.
    Integrity,
    /// Most of its latest questions stayed without an answer that says something.
    Failing,
    /// Most of its latest offers were refused when they were taken up.
    LetsDown,
    /// One of its breakers has opened.
    Breaker,
}

impl Demotion {
    pub const fn label(self) -> &'static str {
        match self {
            Self::Integrity => "integrity",
            Self::Failing => "failing",
            Self::LetsDown => "lets_down",
            Self::Breaker => "breaker",
        }
    }
}

/// Where a partner stands.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    pub(super) standing: Standing,
    /// Reviews in a row that said up (positive) or down (negative).
    pub(super) streak: i8,
    pub(super) answers: u64,
    /// Decisions it won or came near to.
    pub(super) wins: u32,
    pub(super) steering: Option<Steering>,
}

impl Place {
    pub(super) fn steering_at(&self, now: Timestamp) -> Option<Steering> {
        self.steering.clone().filter(|steering| steering.until > now)
    }

    fn says(&self, steer: Steer, now: Timestamp) -> bool {
        self.steering.as_ref().is_some_and(|said| said.steer == steer && said.until > now)
    }
}

impl Ranking {
    pub(crate) fn is_banned(&self, partner: PartnerIndex, now: Timestamp) -> bool {
        self.of(partner).place.says(Steer::Ban, now)
    }

    pub(crate) fn is_pinned(&self, partner: PartnerIndex, now: Timestamp) -> bool {
        self.of(partner).place.says(Steer::Pin, now)
    }

    pub(crate) fn standing(&self, partner: PartnerIndex) -> Standing {
        self.of(partner).place.standing
    }

    /// Down to the last tier at once; reviews bring it back. A shadow that has lied begins anew.
    /// False if there was nothing to lose.
    pub(crate) fn demote(&mut self, partner: PartnerIndex, why: Demotion) -> bool {
        self.changed = true;
        let place = &mut self.at(partner).place;
        place.streak = 0;
        match (place.standing, why) {
            (Standing::First | Standing::Second, _) => {
                place.standing = Standing::Third;
                true
            }
            (Standing::Shadow, Demotion::Integrity) => {
                let had_shown = place.answers > 0 || place.wins > 0;
                (place.answers, place.wins) = (0, 0);
                had_shown
            }
            (Standing::Shadow, Demotion::Failing | Demotion::LetsDown | Demotion::Breaker)
            | (Standing::Third, _) => false,
        }
    }

    /// Whether so many of its latest questions failed that it is not worth a place at the front.
    pub(crate) fn is_failing(&self, partner: PartnerIndex) -> bool {
        let in_time = &self.of(partner).in_time;
        in_time.weight() >= FAILING_SAMPLES && in_time.permille(0, 0) < FAILING_PERMILLE
    }

    /// Whether so few of its latest offers were kept that they are mostly bait.
    pub(crate) fn lets_down(&self, partner: PartnerIndex) -> bool {
        let kept = &self.of(partner).kept;
        kept.weight() >= LETS_DOWN_SAMPLES && kept.permille(0, 0) < LETS_DOWN_PERMILLE
    }

    /// Takes an operator's word, or takes it back.
    pub(crate) fn steer(&mut self, partner: PartnerIndex, word: Word) {
        self.at(partner).place.steering = word.steering();
        self.words.push(word);
        self.changed = true;
    }

    /// Looks at all tiers if it is time.
    pub(crate) fn review_if_due(&mut self, policy: &Policy, now: Timestamp) {
        self.let_shadows_out(policy);
        if now.since(self.reviewed_at) < REVIEW_EVERY {
            return;
        }
        self.reviewed_at = now;
        self.changed = true;
        let mut order: Vec<usize> = (0..self.known.len()).collect();
        order.sort_by_key(|index| {
            let known = &self.known[*index];
            (std::cmp::Reverse(known.worth()), *index)
        });
        let tier = usize::from(policy.tier_size).max(1);
        for (rank, index) in order.into_iter().enumerate() {
            let good = rank < tier.saturating_mul(GOOD_TIERS);
            let bad = rank >= tier.saturating_mul(GOOD_TIERS * 2);
            review(&mut self.known[index], good, bad, policy);
        }
    }

    /// A shadow that has answered often and would have won often enough is one no more.
    fn let_shadows_out(&mut self, policy: &Policy) {
        let out = |place: &Place| {
            place.standing == Standing::Shadow
                && place.answers >= u64::from(policy.shadow_answers)
                && place.wins >= u32::from(policy.shadow_wins)
        };
        for known in self.known.iter_mut().filter(|known| out(&known.place)) {
            known.place.standing = known.place.standing.up();
            self.changed = true;
        }
    }
}

fn review(known: &mut Known, good: bool, bad: bool, policy: &Policy) {
    let known_well = known.near.weight() >= u64::from(policy.review_samples);
    let place = &mut known.place;
    if !known_well || place.standing == Standing::Shadow {
        return;
    }
    place.streak = match (good, bad) {
        (true, _) => place.streak.max(0) + 1,
        (false, true) => place.streak.min(0) - 1,
        (false, false) => 0,
    };
    if place.streak >= REVIEWS_AGREE {
        place.standing = place.standing.up();
        place.streak = 0;
    } else if place.streak <= -REVIEWS_AGREE {
        place.standing = place.standing.down();
        place.streak = 0;
    }
}
