//! Gauges of what there is to do and of the limits in force.

use broker_core::engine::limits::load::{Circuit, Load, PartnerLoad};
use broker_core::partner::Partners;
use metrics::{describe_gauge, gauge};
use schemas::PartnerId;

use super::{count, flag, number};

const CREATES_WAITING: &str = "broker_creates_waiting";
const QUESTIONS_IN_FLIGHT: &str = "broker_quote_questions_in_flight";
const DEGRADATION: &str = "broker_degradation_rung";
const CONCURRENCY_LIMIT: &str = "broker_partner_concurrency_limit";
const CIRCUIT_STATE: &str = "broker_partner_circuit_state";

pub(super) fn describe() {
    describe_gauge!(CREATES_WAITING, "Creates that wait to be let in");
    describe_gauge!(QUESTIONS_IN_FLIGHT, "Quote questions open at all partners together");
    describe_gauge!(
        DEGRADATION,
        "What is given up: 0 nothing, 1 the long tail, 2 fresh answers, 3 new requests"
    );
    describe_gauge!(CONCURRENCY_LIMIT, "Quote questions that may be open at once, by partner");
    describe_gauge!(
        CIRCUIT_STATE,
        "1 for the state that the worst of a partner's breakers is in, by partner and state"
    );
}

/// Shows the load. Of partners only those that have changed: there may be hundreds.
pub fn show(load: &Load, before: Option<&Load>, partners: &Partners) {
    gauge!(CREATES_WAITING).set(number(count(load.creates_waiting)));
    gauge!(QUESTIONS_IN_FLIGHT).set(f64::from(load.questions_in_flight));
    gauge!(DEGRADATION).set(number(load.rung as u64));
    for ((index, profile), of) in partners.iter().zip(&load.partners) {
        let known = before.and_then(|before| before.partners.get(usize::from(index.0)));
        if known != Some(of) {
            partner(&profile.id, *of);
        }
    }
}

fn partner(id: &PartnerId, load: PartnerLoad) {
    gauge!(CONCURRENCY_LIMIT, "partner" => id.to_string()).set(f64::from(load.limit));
    for state in Circuit::ALL {
        let is = flag(state == load.circuit);
        gauge!(CIRCUIT_STATE, "partner" => id.to_string(), "state" => state.label()).set(is);
    }
}

#[cfg(test)]
mod tests {
    use broker_core::engine::limits::ladder::Rung;
    use broker_core::partner::PartnerProfile;
    use schemas::Digest;

    use super::*;
    use crate::metrics::install;

    #[test]
    fn a_partner_is_in_one_state_at_a_time_and_shown_with_its_limit() {
        let handle = install().unwrap();
        let id = PartnerId::parse("shown_by_load").unwrap();
        let partners = Partners::new(vec![PartnerProfile::cautious(id)], Digest::of(b"one"));
        let load = |limit, circuit| Load {
            creates_waiting: 3,
            questions_in_flight: 5,
            rung: Rung::TierOneOnly,
            partners: vec![PartnerLoad { limit, circuit }],
        };
        let (before, after) = (load(4, Circuit::Closed), load(2, Circuit::Open));
        show(&before, None, &partners);
        show(&after, Some(&before), &partners);
        let page = handle.render();
        let says = |line: &str| assert!(page.lines().any(|l| l == line), "{line}\n{page}");
        says("broker_partner_concurrency_limit{partner=\"shown_by_load\"} 2");
        says("broker_partner_circuit_state{partner=\"shown_by_load\",state=\"open\"} 1");
        says("broker_partner_circuit_state{partner=\"shown_by_load\",state=\"closed\"} 0");
    }
}
