//! The account of a search as the customer reads it.

use broker_core::receipt::search::{
    Asked, Came, Ending, Opening, Round, Search, SkipReason, Skipped,
};
use schemas::event as wire;

pub(super) fn search(search: &Search) -> wire::Search {
    wire::Search {
        ranking: search.ranking,
        ended: ended(search.ended),
        rounds: search.rounds.iter().map(round).collect(),
        skipped: search.skipped.iter().map(skipped).collect(),
    }
}

fn round(round: &Round) -> wire::SearchRound {
    wire::SearchRound {
        after_ms: round.after,
        why: why(round.why),
        asked: round.asked.iter().map(asked).collect(),
    }
}

fn asked(asked: &Asked) -> wire::AskedPartner {
    wire::AskedPartner {
        partner_id: asked.partner.clone(),
        came: came(asked.came),
        took_ms: asked.took,
    }
}

fn skipped(skipped: &Skipped) -> wire::SkippedPartners {
    wire::SkippedPartners {
        why: match skipped.why {
            SkipReason::DoesNotServe => wire::SkipReason::DoesNotServe,
            SkipReason::Banned => wire::SkipReason::Banned,
            SkipReason::Shadow => wire::SkipReason::Shadow,
            SkipReason::NotNeeded => wire::SkipReason::NotNeeded,
        },
        count: skipped.count,
        partner_ids: skipped.named.clone(),
    }
}

fn came(came: Came) -> wire::QuestionEnd {
    match came {
        Came::Offer => wire::QuestionEnd::Offer,
        Came::NoStock => wire::QuestionEnd::NoStock,
        Came::Unusable => wire::QuestionEnd::Unusable,
        Came::Refused => wire::QuestionEnd::Refused,
        Came::TimedOut => wire::QuestionEnd::TimedOut,
        Came::Down => wire::QuestionEnd::Down,
        Came::Canceled => wire::QuestionEnd::Canceled,
        Came::NotSent => wire::QuestionEnd::NotSent,
        Came::Shadow => wire::QuestionEnd::Shadow,
    }
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
