//! What is counted with every answer of every partner: the handles are looked up once, because
//! finding a metric by its labels costs more than counting.

use broker_core::engine::output::CallOutcome;
use broker_core::partner::{PartnerIndex, Partners};
use metrics::{Counter, Histogram, Unit, counter, describe_counter, describe_histogram, histogram};
use schemas::PartnerId;

use super::seconds;

const PARTNER_CALLS: &str = "broker_partner_calls_total";
const PARTNER_CALL_DURATION: &str = "broker_partner_call_duration_seconds";

pub(super) fn describe() {
    describe_counter!(PARTNER_CALLS, "Quote questions that ended, by partner and outcome");
    describe_histogram!(PARTNER_CALL_DURATION, Unit::Seconds, "Time to a partner's quote answer");
}

/// Questions that ended, of all partners.
pub struct Calls {
    partners: Vec<Handles>,
}

struct Handles {
    offer: Counter,
    no_stock: Counter,
    refused: Counter,
    invalid: Counter,
    timeout: Counter,
    down: Counter,
    duration: Histogram,
}

impl Calls {
    /// All counters are there from the start, at zero.
    pub fn of(partners: &Partners) -> Self {
        Self { partners: partners.iter().map(|(_, profile)| Handles::of(&profile.id)).collect() }
    }

    pub fn ended(&self, partner: PartnerIndex, outcome: CallOutcome, took_ms: u64) {
        let Some(handles) = self.partners.get(usize::from(partner.0)) else { return };
        let outcome = match outcome {
            CallOutcome::Offer => &handles.offer,
            CallOutcome::NoStock => &handles.no_stock,
            CallOutcome::Refused => &handles.refused,
            CallOutcome::Invalid => &handles.invalid,
            CallOutcome::TimedOut => &handles.timeout,
            CallOutcome::Down => &handles.down,
        };
        outcome.increment(1);
        handles.duration.record(seconds(took_ms));
    }
}

impl Handles {
    fn of(partner: &PartnerId) -> Self {
        let calls = |outcome: &'static str| counter!(PARTNER_CALLS, "partner" => partner.to_string(), "outcome" => outcome);
        Self {
            offer: calls("offer"),
            no_stock: calls("no_stock"),
            refused: calls("refused"),
            invalid: calls("invalid"),
            timeout: calls("timeout"),
            down: calls("down"),
            duration: histogram!(PARTNER_CALL_DURATION, "partner" => partner.to_string()),
        }
    }
}
