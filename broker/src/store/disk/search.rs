//! The account of a search, appended to its receipt. A partner that made an offer is named by its
//! place among the receipt's quotes.

use std::collections::HashMap;

use broker_core::quote::Quote;
use broker_core::receipt::search::{
    Asked, Came, Degraded, Ending, Opening, Round, Search, SkipReason, Skipped, Source,
};
use schemas::{DurationMs, PartnerId};
use serde::{Deserialize, Serialize};

use super::DiskError;
use super::basic::mirror;

mirror!(
    DiskCame = Came {
        Offer,
        NoStock,
        Unsuitable,
        Invalid,
        Refused,
        TimedOut,
        Down,
        Canceled,
        NotSent,
        Shadow
    }
);
mirror!(DiskOpening = Opening { Everybody, BestRanked, NothingAffordable, Slow, BetterLikely });
mirror!(
    DiskEnding = Ending { AllEnded, FirstFit, ClearlyBelow, GraceOver, NotWorthAsking, HardStop }
);
mirror!(
    DiskSkipReason = SkipReason {
        DoesNotServe,
        Banned,
        Shadow,
        NotNeeded,
        RateLimited,
        AskedForPause,
        BreakerOpen,
        Degraded,
    }
);
mirror!(DiskDegraded = Degraded { TierOneOnly, CachedOffers });

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskSearch<'a> {
    ranking: u64,
    ended: DiskEnding,
    #[serde(borrow)]
    rounds: Vec<DiskRound<'a>>,
    #[serde(borrow)]
    skipped: Vec<DiskSkipped<'a>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskRound<'a> {
    after_ms: u64,
    why: DiskOpening,
    #[serde(borrow)]
    asked: Vec<DiskAsked<'a>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskAsked<'a> {
    #[serde(borrow)]
    who: DiskWho<'a>,
    came: DiskCame,
    took_ms: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DiskWho<'a> {
    /// Whoever made this quote of the receipt.
    Quote(u16),
    Named(&'a str),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskSkipped<'a> {
    why: DiskSkipReason,
    count: u16,
    #[serde(borrow)]
    named: Vec<&'a str>,
}

impl<'a> DiskSearch<'a> {
    pub(super) fn new(search: &'a Search, quotes: &[Quote]) -> Self {
        let places: HashMap<&PartnerId, u16> =
            quotes.iter().map(|quote| &quote.partner).zip(0..).collect();
        let asked = |asked: &'a Asked| DiskAsked {
            who: match places.get(&asked.partner) {
                Some(place) => DiskWho::Quote(*place),
                None => DiskWho::Named(asked.partner.as_str()),
            },
            came: asked.came.into(),
            took_ms: asked.took.as_ms(),
        };
        let round = |round: &'a Round| DiskRound {
            after_ms: round.after.as_ms(),
            why: round.why.into(),
            asked: round.asked.iter().map(asked).collect(),
        };
        let skipped = |skipped: &'a Skipped| DiskSkipped {
            why: skipped.why.into(),
            count: skipped.count,
            named: skipped.named.iter().map(PartnerId::as_str).collect(),
        };
        Self {
            ranking: search.ranking,
            ended: search.ended.into(),
            rounds: search.rounds.iter().map(round).collect(),
            skipped: search.skipped.iter().map(skipped).collect(),
        }
    }

    pub(super) fn into_domain(self, quotes: &[Quote]) -> Result<Search, DiskError> {
        Ok(Search {
            ranking: self.ranking,
            ended: self.ended.into(),
            rounds: self
                .rounds
                .into_iter()
                .map(|round| round.into_domain(quotes))
                .collect::<Result<_, _>>()?,
            skipped: self
                .skipped
                .into_iter()
                .map(DiskSkipped::into_domain)
                .collect::<Result<_, _>>()?,
            passed_over: Vec::new(),
            degraded: None,
        })
    }
}

impl DiskRound<'_> {
    fn into_domain(self, quotes: &[Quote]) -> Result<Round, DiskError> {
        let asked = self.asked.into_iter().map(|asked| {
            Ok(Asked {
                partner: asked.who.into_domain(quotes)?,
                came: asked.came.into(),
                source: Source::Asked,
                took: DurationMs(asked.took_ms),
            })
        });
        Ok(Round {
            after: DurationMs(self.after_ms),
            why: self.why.into(),
            asked: asked.collect::<Result<_, DiskError>>()?,
        })
    }
}

impl DiskWho<'_> {
    fn into_domain(self, quotes: &[Quote]) -> Result<PartnerId, DiskError> {
        match self {
            Self::Named(name) => name_back(name),
            Self::Quote(index) => {
                let quote = quotes.get(usize::from(index));
                let none = || DiskError::new("search", format_args!("there is no quote {index}"));
                quote.map(|quote| quote.partner.clone()).ok_or_else(none)
            }
        }
    }
}

impl DiskSkipped<'_> {
    fn into_domain(self) -> Result<Skipped, DiskError> {
        Ok(Skipped {
            why: self.why.into(),
            count: self.count,
            named: self.named.into_iter().map(name_back).collect::<Result<_, _>>()?,
        })
    }
}

fn name_back(name: &str) -> Result<PartnerId, DiskError> {
    PartnerId::parse(name).map_err(|e| DiskError::new("search", e))
}
