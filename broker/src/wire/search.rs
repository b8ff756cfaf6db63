//! The account of a search as the customer reads it.

use broker_core::receipt::search::{
    Asked, Came, Degraded, Ending, Opening, Round, Search, SkipReason, Skipped, Source,
};
use schemas::event as wire;

pub(super) fn search(search: &Search) -> wire::Search {
    wire::Search {
        ranking: search.ranking,
        ended: ended(search.ended),
        rounds: search.rounds.iter().map(round).collect(),
        skipped: skipped(&search.skipped),
        passed_over: search.passed_over.clone(),
        degraded: search.degraded.map(|degraded| match degraded {
            Degraded::TierOneOnly => wire::Degraded::TierOneOnly,
            Degraded::CachedOffers => wire::Degraded::CachedOffers,
        }),
    }
}

fn round(round: &Round) -> wire::SearchRound {
    let mut asked: Vec<_> = round.asked.iter().filter_map(asked).collect();
    let unlisted = asked.len().saturating_sub(wire::ASKED_LISTED_MAX);
    if unlisted > 0 {
        asked.sort_by_key(|asked| asked.outcome != wire::CallOutcome::Ok);
        asked.truncate(wire::ASKED_LISTED_MAX);
    }
    wire::SearchRound {
        after_ms: round.after,
        why: why(round.why),
        asked,
        unlisted: u16::try_from(unlisted).unwrap_or(u16::MAX),
    }
}

fn asked(asked: &Asked) -> Option<wire::AskedPartner> {
    let (source, age_ms) = match asked.source {
        Source::Asked => (wire::AnswerSource::Asked, None),
        Source::Shared => (wire::AnswerSource::Shared, None),
        Source::Remembered { age } => (wire::AnswerSource::Remembered, Some(age)),
    };
    Some(wire::AskedPartner {
        partner_id: asked.partner.clone(),
        outcome: outcome(asked.came)?,
        source,
        age_ms,
        took_ms: asked.took,
    })
}

/// Whom the operator bans, or has yet to get to know, is his own business: these are counted and
/// not named.
fn skipped(skipped: &[Skipped]) -> Vec<wire::SkippedPartners> {
    let mut told: Vec<wire::SkippedPartners> = Vec::with_capacity(skipped.len());
    for group in skipped {
        let (why, named) = match group.why {
            SkipReason::DoesNotServe => (wire::SkipReason::NotServed, group.named.clone()),
            SkipReason::NotNeeded => (wire::SkipReason::SkippedEarlyExit, group.named.clone()),
            SkipReason::RateLimited => (wire::SkipReason::RateLimited, group.named.clone()),
            SkipReason::AskedForPause => (wire::SkipReason::SkippedBusy, group.named.clone()),
            SkipReason::BreakerOpen => (wire::SkipReason::SkippedOpen, group.named.clone()),
            SkipReason::Degraded => (wire::SkipReason::SkippedOverload, group.named.clone()),
            SkipReason::Banned | SkipReason::Shadow => {
                (wire::SkipReason::NotConsidered, Vec::new())
            }
        };
        match told.iter_mut().find(|other| other.why == why) {
            Some(other) => other.count = other.count.saturating_add(group.count),
            None => {
                told.push(wire::SkippedPartners { why, count: group.count, partner_ids: named });
            }
        }
    }
    told
}

/// `None`: it was only asked to get to know it.
const fn outcome(came: Came) -> Option<wire::CallOutcome> {
    Some(match came {
        Came::Offer => wire::CallOutcome::Ok,
        Came::NoStock => wire::CallOutcome::NoStock,
        Came::Unsuitable => wire::CallOutcome::Unsuitable,
        Came::Refused => wire::CallOutcome::Refused,
        Came::TimedOut => wire::CallOutcome::Timeout,
        Came::Invalid | Came::Down => wire::CallOutcome::Error,
        Came::Canceled => wire::CallOutcome::Canceled,
        Came::NotSent => wire::CallOutcome::SkippedBusy,
        Came::Shadow => return None,
    })
}

fn why(why: Opening) -> wire::RoundReason {
    match why {
        Opening::Everybody => wire::RoundReason::Everybody,
        Opening::BestRanked => wire::RoundReason::BestRanked,
        Opening::NothingAffordable => wire::RoundReason::NothingAffordable,
        Opening::Slow => wire::RoundReason::Slow,
        Opening::BetterLikely => wire::RoundReason::BetterLikely,
    }
}

fn ended(ended: Ending) -> wire::SearchEnding {
    match ended {
        Ending::AllEnded => wire::SearchEnding::AllEnded,
        Ending::FirstFit => wire::SearchEnding::FirstFit,
        Ending::ClearlyBelow => wire::SearchEnding::ClearlyBelow,
        Ending::GraceOver => wire::SearchEnding::GraceOver,
        Ending::NotWorthAsking => wire::SearchEnding::NotWorthAsking,
        Ending::HardStop => wire::SearchEnding::HardStop,
    }
}

#[cfg(test)]
mod tests {
    use schemas::{DurationMs, PartnerId};

    use super::*;

    fn id(name: &str) -> PartnerId {
        PartnerId::parse(name).unwrap()
    }

    #[test]
    fn of_hundreds_those_with_an_offer_are_listed_and_the_others_counted() {
        let asked = |n: usize| Asked {
            partner: id(&format!("store-{n}")),
            came: if n >= 95 { Came::Offer } else { Came::NoStock },
            source: Source::Asked,
            took: DurationMs(9),
        };
        let all = Round {
            after: DurationMs(0),
            why: Opening::Everybody,
            asked: (0..100).map(asked).collect(),
        };
        let told = round(&all);
        let offers = told.asked.iter().filter(|asked| asked.outcome == wire::CallOutcome::Ok);
        assert_eq!((told.asked.len(), told.unlisted, offers.count()), (20, 80, 5));
    }

    #[test]
    fn what_the_operator_thinks_of_a_store_is_not_told_to_customers() {
        let asked = |name, came| {
            let source = Source::Asked;
            Asked { partner: id(name), came, source, took: DurationMs(9) }
        };
        let calls = vec![asked("good", Came::Offer), asked("new", Came::Shadow)];
        let first = Round { after: DurationMs(0), why: Opening::BestRanked, asked: calls };
        let group = |why, name| Skipped { why, count: 2, named: vec![id(name)] };
        let told = search(&Search {
            ranking: 1,
            ended: Ending::FirstFit,
            rounds: vec![first],
            skipped: vec![
                group(SkipReason::DoesNotServe, "far"),
                group(SkipReason::Banned, "banned"),
                group(SkipReason::NotNeeded, "idle"),
                group(SkipReason::Shadow, "newer"),
            ],
            passed_over: Vec::new(),
            degraded: None,
        });
        let named = told.rounds[0].asked.iter().map(|asked| asked.partner_id.as_str());
        assert_eq!(named.collect::<Vec<_>>(), ["good"]);
        let groups: Vec<_> = told
            .skipped
            .iter()
            .map(|group| (group.why, group.count, group.partner_ids.len()))
            .collect();
        assert_eq!(
            groups,
            [
                (wire::SkipReason::NotServed, 2, 1),
                (wire::SkipReason::NotConsidered, 4, 0),
                (wire::SkipReason::SkippedEarlyExit, 2, 1),
            ]
        );
    }
}
