//! Every number that shapes a decision, with unit and reason.

mod overload;

use schemas::DurationMs;

use crate::partner::{PartnerProfile, Partners};
pub use overload::{Classes, Overload};

/// Knobs of the core. There is no `Default`: [`Policy::standard`] says the numbers aloud.
#[derive(Debug, Clone)]
pub struct Policy {
    pub partners: Partners,
    /// Reserve + authorise + place must fit before `expires_at`, or nothing is bought.
    pub placement_budget: DurationMs,
    /// The last step alone: an order is not sent later than this before `expires_at`.
    pub place_budget: DurationMs,
    /// How far clocks of broker, partners and provider may disagree.
    pub clock_margin: DurationMs,
    /// A sweep ends at the latest after this.
    pub sweep_hard_stop: DurationMs,
    /// `balanced`: wait this long after the first affordable offer. Never restarted.
    pub grace: DurationMs,
    /// `balanced`: no grace when the best offer is this far below the limit, thousandths.
    pub margin_permille: u16,
    /// Partners a sweep asks at once; with at most so many to ask `balanced` asks everybody.
    /// `cheapest` always does, `fast` asks no more than it needs.
    pub tier_size: u16,
    /// The next partners are asked when nothing affordable has come for so long …
    pub second_tier_after: DurationMs,
    /// … and all of them after this.
    pub third_tier_after: DurationMs,
    /// `balanced`: what one more question must be expected to save, ten-thousandths of the price.
    pub call_cost_permyriad: u16,
    /// `balanced`: most rounds of questions, the first included, for the sake of a better price.
    pub rounds_max: u8,
    /// `fast`: so likely must be an offer from the partners asked first, thousandths.
    pub fast_cover_permille: u16,
    /// How often a place among the partners asked first is given to another one, thousandths.
    pub explore_permille: u16,
    /// Second copies of questions that are only slow, of all questions to a partner, thousandths.
    pub hedge_budget_permille: u16,
    /// No second copy before this, however quick a partner usually is.
    pub hedge_floor: DurationMs,
    /// Where others are buying what may be the last copies of the best offer: wait so long for them
    /// before the next best one is taken …
    pub slot_wait: DurationMs,
    /// … and so long if there is no other.
    pub slot_wait_max: DurationMs,
    /// Answers from which a partner's usual time is known.
    pub latency_samples: u16,
    /// Decisions that must be known before a partner changes tiers.
    pub review_samples: u16,
    /// What a newly come partner must show before it is bought from: answers …
    pub shadow_answers: u16,
    /// … and decisions that it would have won or come near to.
    pub shadow_wins: u16,
    /// Share of eligible partners that must answer before "no stock" is believed, thousandths.
    pub min_coverage_permille: u16,
    /// Further sweeps after one without usable answers.
    pub sweep_retries: u8,
    pub sweep_retry_delay: DurationMs,
    /// Further copies of an unanswered quote question within a sweep.
    pub quote_retries: u8,
    /// `watch`: time between the sweeps of a young request …
    pub watch_interval: DurationMs,
    /// … and of an old one.
    pub watch_interval_max: DurationMs,
    /// Attempts to buy per request.
    pub attempts_max: u8,
    pub reserve_timeout: DurationMs,
    pub reservation_ttl: DurationMs,
    pub authorize_timeout: DurationMs,
    /// After `authorize_timeout` the provider is asked this often before the attempt is given up.
    pub authorize_asks: u8,
    /// How long the customer has to authenticate.
    pub action_window: DurationMs,
    /// No answer to an order within this: its outcome is unknown.
    pub place_timeout: DurationMs,
    /// An order may be accepted this long after it was decided, never beyond `expires_at`.
    pub place_window: DurationMs,
    /// Waiting times between look-ups of an unknown order; the last one repeats.
    pub lookup_ladder: &'static [DurationMs],
    /// Two "not found" this far apart, for partners whose look-up is only eventual.
    pub absence_span: DurationMs,
    /// An order unknown for longer than this becomes an incident.
    pub human_after: DurationMs,
    pub capture_timeout: DurationMs,
    pub capture_tries: u8,
    /// Waiting times between copies of an unanswered compensation; the last one repeats.
    pub undo_ladder: &'static [DurationMs],
    /// Copies of one compensation after which a human is told.
    pub undo_incident_after: u8,
    /// Copies of the cancel of one order. By then a human knows; from then on it is asked about
    /// only once per `cancel_pause`, canceled only where the store can cancel.
    pub cancel_copies_max: u8,
    pub cancel_pause: DurationMs,
    /// Commands remembered per request; more are refused.
    pub commands_max: usize,
    /// A request id may carry an instant at most this far in the past …
    pub id_horizon: DurationMs,
    /// … and at most this far in the future.
    pub id_ahead: DurationMs,
    /// Shortest and longest life of a request.
    pub expiry_min: DurationMs,
    pub expiry_max: DurationMs,
    pub overload: Overload,
}

const LOOKUP_LADDER: &[DurationMs] = &[
    DurationMs(500),
    DurationMs(1000),
    DurationMs(2000),
    DurationMs(4000),
    DurationMs(8000),
    DurationMs(16_000),
    DurationMs(30_000),
];

const UNDO_LADDER: &[DurationMs] = &[
    DurationMs(1000),
    DurationMs(2000),
    DurationMs(5000),
    DurationMs(15_000),
    DurationMs(60_000),
    DurationMs(300_000),
];

const DAY: u64 = 24 * 3600;

impl Policy {
    /// The numbers of the design, for the given partners.
    pub fn standard(partners: Partners) -> Self {
        Self {
            partners,
            placement_budget: DurationMs(2000),
            place_budget: DurationMs(600),
            clock_margin: DurationMs(500),
            sweep_hard_stop: DurationMs(3000),
            grace: DurationMs(200),
            margin_permille: 125,
            tier_size: 10,
            second_tier_after: DurationMs(600),
            third_tier_after: DurationMs(1500),
            call_cost_permyriad: 5,
            rounds_max: 3,
            fast_cover_permille: 950,
            explore_permille: 30,
            hedge_budget_permille: 20,
            hedge_floor: DurationMs(50),
            slot_wait: DurationMs(500),
            slot_wait_max: DurationMs(1500),
            latency_samples: 20,
            review_samples: 200,
            shadow_answers: 200,
            shadow_wins: 20,
            min_coverage_permille: 800,
            sweep_retries: 1,
            sweep_retry_delay: DurationMs(500),
            quote_retries: 1,
            watch_interval: DurationMs::from_secs(60),
            watch_interval_max: DurationMs::from_secs(3600),
            attempts_max: 3,
            reserve_timeout: DurationMs(1500),
            reservation_ttl: DurationMs::from_secs(120),
            authorize_timeout: DurationMs(2000),
            authorize_asks: 3,
            action_window: DurationMs::from_secs(300),
            place_timeout: DurationMs(1000),
            place_window: DurationMs(5000),
            lookup_ladder: LOOKUP_LADDER,
            absence_span: DurationMs::from_secs(30),
            human_after: DurationMs::from_secs(15 * 60),
            capture_timeout: DurationMs(2000),
            capture_tries: 5,
            undo_ladder: UNDO_LADDER,
            undo_incident_after: 6,
            cancel_copies_max: 24,
            cancel_pause: DurationMs::from_secs(6 * 3600),
            commands_max: 64,
            id_horizon: DurationMs::from_secs(120 * DAY),
            id_ahead: DurationMs::from_secs(300),
            expiry_min: DurationMs(1),
            expiry_max: DurationMs::from_secs(90 * DAY),
            overload: Overload::standard(),
        }
    }

    /// How long after a jump of the clock having waited proves nothing yet: by then every window
    /// that was open at the jump has closed, also the one of an order at this store, and what it
    /// accepted is visible.
    pub fn doubt_after_jump(&self, ordered_at: Option<&PartnerProfile>) -> DurationMs {
        let order_ms = match ordered_at {
            None => 0,
            Some(store) if store.sees_everything() => self.place_window.0,
            Some(store) => {
                self.place_window.0.saturating_add(store.settle.0).max(self.absence_span.0)
            }
        };
        let window_ms = order_ms.max(self.authorize_timeout.0);
        DurationMs(window_ms.saturating_add(self.clock_margin.0))
    }

    /// The step of a ladder for the n-th wait (from 0); the last step repeats.
    pub fn ladder(steps: &[DurationMs], n: u8) -> DurationMs {
        let last = steps.len().saturating_sub(1);
        steps.get(usize::from(n).min(last)).copied().unwrap_or(DurationMs::from_secs(30))
    }
}
