//! How a sweep went about it: who was asked, when and why, what came of it, who was not asked and
//! why not, and why the sweep ended when it did.

use schemas::{DurationMs, PartnerId};

/// Partners named per reason for not asking them; the rest is only counted.
pub const SKIPPED_NAMED_MAX: usize = 16;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// The last saved snapshot of the ranking that this one went by; 0 before the first.
    pub ranking: u64,
    pub ended: Ending,
    pub rounds: Vec<Round>,
    pub skipped: Vec<Skipped>,
    /// Stores whose offer was not taken, though good: requests that came before were buying the
    /// last copies they were known to have.
    pub passed_over: Vec<PartnerId>,
    /// What was given up because there was too much to do.
    pub degraded: Option<Degraded>,
}

/// What a sweep did without under load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Degraded {
    /// Only the best ranked were asked.
    TierOneOnly,
    /// … and of those none whose offer of before still held.
    CachedOffers,
}

/// Partners asked at the same time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Round {
    /// Since the sweep began.
    pub after: DurationMs,
    pub why: Opening,
    pub asked: Vec<Asked>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub partner: PartnerId,
    pub came: Came,
    pub source: Source,
    /// From the question to its end.
    pub took: DurationMs,
}

/// What came of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Came {
    Offer,
    NoStock,
    /// An offer of too few copies, or of worse ones than were asked for.
    Unsuitable,
    /// About another book or in another currency: it says nothing about this one.
    Invalid,
    /// It would not say.
    Refused,
    TimedOut,
    /// Nobody listened.
    Down,
    /// Not waited for.
    Canceled,
    /// It never left: too many questions to this partner were open.
    NotSent,
    /// Asked to get to know the partner; nothing is bought there yet.
    Shadow,
}

/// Where an answer came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A question of this request.
    Asked,
    /// The same question of another request, on its way at that time.
    Shared,
    /// What the store had said to the same question, so long before.
    Remembered { age: DurationMs },
}

/// Why a round was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Opening {
    /// The first: everybody who comes in question.
    Everybody,
    /// The first: the best ranked.
    BestRanked,
    /// All asked so far have answered, and nothing affordable came.
    NothingAffordable,
    /// Nothing affordable came in time.
    Slow,
    /// An affordable offer is there, but a better one is likely enough to be worth the questions.
    BetterLikely,
}

/// Why a sweep ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ending {
    /// Nobody was left to ask or to wait for.
    AllEnded,
    /// `fast`: something affordable came.
    FirstFit,
    /// `balanced`: clearly below the limit, and nobody left is likely to beat it.
    ClearlyBelow,
    /// `balanced`: the grace for better offers was over.
    GraceOver,
    /// `balanced`: everybody asked has ended, and asking on is not worth it.
    NotWorthAsking,
    /// No time was left.
    HardStop,
}

/// Partners not asked for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    pub why: SkipReason,
    pub count: u16,
    /// The first of them, best ranked first.
    pub named: Vec<PartnerId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SkipReason {
    /// Not in this currency or not to this country.
    DoesNotServe,
    /// An operator said so.
    Banned,
    /// New here: it is asked only now and then.
    Shadow,
    /// The search ended before it was its turn.
    NotNeeded,
    /// Its rate or that of its region was used up for too long.
    RateLimited,
    /// It had asked to be left alone for longer than there was time.
    AskedForPause,
    /// Most of what it was sent lately failed, or an operator said so.
    BreakerOpen,
    /// There was too much to do for asking more than the best ranked.
    Degraded,
}

impl Opening {
    pub const ALL: [Self; 5] = [
        Self::Everybody,
        Self::BestRanked,
        Self::NothingAffordable,
        Self::Slow,
        Self::BetterLikely,
    ];

    pub const fn label(self) -> &'static str {
        match self {
            Self::Everybody => "everybody",
            Self::BestRanked => "best_ranked",
            Self::NothingAffordable => "nothing_affordable",
            Self::Slow => "slow",
            Self::BetterLikely => "better_likely",
        }
    }
}

impl Ending {
    pub const ALL: [Self; 6] = [
        Self::AllEnded,
        Self::FirstFit,
        Self::ClearlyBelow,
        Self::GraceOver,
        Self::NotWorthAsking,
        Self::HardStop,
    ];

    pub const fn label(self) -> &'static str {
        match self {
            Self::AllEnded => "all_ended",
            Self::FirstFit => "first_fit",
            Self::ClearlyBelow => "clearly_below",
            Self::GraceOver => "grace_over",
            Self::NotWorthAsking => "not_worth_asking",
            Self::HardStop => "hard_stop",
        }
    }
}

impl Skipped {
    /// Adds one partner to the list of its reason.
    pub fn note(list: &mut Vec<Self>, why: SkipReason, partner: &PartnerId) {
        let entry = match list.iter_mut().position(|entry| entry.why == why) {
            Some(index) => &mut list[index],
            None => {
                list.push(Self { why, count: 0, named: Vec::new() });
                list.last_mut().expect("just added")
            }
        };
        entry.count = entry.count.saturating_add(1);
        if entry.named.len() < SKIPPED_NAMED_MAX {
            entry.named.push(partner.clone());
        }
    }
}

impl SkipReason {
    pub const ALL: [Self; 8] = [
        Self::DoesNotServe,
        Self::Banned,
        Self::Shadow,
        Self::NotNeeded,
        Self::RateLimited,
        Self::AskedForPause,
        Self::BreakerOpen,
        Self::Degraded,
    ];

    pub const fn label(self) -> &'static str {
        match self {
            Self::DoesNotServe => "does_not_serve",
            Self::Banned => "banned",
            Self::Shadow => "shadow",
            Self::NotNeeded => "not_needed",
            Self::RateLimited => "rate_limited",
            Self::AskedForPause => "asked_for_pause",
            Self::BreakerOpen => "breaker_open",
            Self::Degraded => "degraded",
        }
    }
}
