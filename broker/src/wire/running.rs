//! A sweep under way as customers and operators see it.

use broker_core::engine::showing::{RunningOffer, RunningSweep};
use schemas::event as wire;

pub fn sweep(running: RunningSweep) -> wire::RunningSweep {
    let count = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
    wire::RunningSweep {
        sweep: running.number,
        started_at: running.started,
        ends_by: running.ends_by,
        max_total: running.max_total,
        eligible: count(running.eligible),
        asked: count(running.called),
        answered: count(running.answered),
        offers: running.offers.into_iter().map(offer).collect(),
    }
}

fn offer(offer: RunningOffer) -> wire::RunningOffer {
    wire::RunningOffer {
        partner_id: offer.partner,
        offered_at: offer.at,
        currency: offer.currency,
        total: offer.total,
        affordable: offer.affordable,
    }
}
