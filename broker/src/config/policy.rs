//! Numbers of the core that a configuration may change. Absent fields keep the standard ones of
//! [`broker_core::Policy::standard`].

use broker_core::Policy;
use broker_core::partner::Partners;
use schemars::JsonSchema;
use schemas::DurationMs;
use serde::{Deserialize, Serialize};

use super::ConfigError;

/// Rounds are counted in a byte; nobody needs a tenth of it.
const ROUNDS_MAX: u8 = 100;

/// Declares the overrides once: field of the file, field of the policy.
macro_rules! overrides {
    ($($(#[$doc:meta])* $field:ident: $type:ty => $target:ident,)*) => {
        /// Overrides of single policy numbers; times in milliseconds, shares in thousandths.
        #[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, default)]
        pub struct PolicyOverrides {
            $(
                $(#[$doc])*
                #[serde(skip_serializing_if = "Option::is_none")]
                pub $field: Option<$type>,
            )*
            /// Waiting times between look-ups of an unknown order; the last one repeats.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub lookup_ladder_ms: Option<Vec<DurationMs>>,
            /// Waiting times between copies of a compensation; the last one repeats.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub undo_ladder_ms: Option<Vec<DurationMs>>,
        }

        impl PolicyOverrides {
            fn apply_numbers(&self, policy: &mut Policy) {
                $(if let Some(value) = self.$field { policy.$target = value; })*
            }

            /// Every number as it is without overrides.
            pub fn standard() -> Self {
                let policy = Policy::standard(Partners::default());
                Self {
                    $($field: Some(policy.$target),)*
                    lookup_ladder_ms: Some(policy.lookup_ladder.to_vec()),
                    undo_ladder_ms: Some(policy.undo_ladder.to_vec()),
                }
            }
        }
    };
}

overrides! {
    /// Time that reserving, authorising and placing may take together. Nothing is bought when
    /// less is left before `expires_at`: too little risks abandoned attempts, too much turns late
    /// offers away.
    placement_budget_ms: DurationMs => placement_budget,
    /// Time that the last step alone may take: an order is not sent later than this before
    /// `expires_at`.
    place_budget_ms: DurationMs => place_budget,
    /// How far the clocks of broker, partners and provider may disagree. Larger than the truth
    /// costs time before each deadline; smaller may let an order be late.
    clock_margin_ms: DurationMs => clock_margin,
    /// A sweep ends at the latest after this. `cheapest` always waits so long for silent
    /// partners.
    sweep_hard_stop_ms: DurationMs => sweep_hard_stop,
    /// `balanced`: how long others may still beat the first affordable offer. 0 makes it `fast`.
    grace_ms: DurationMs => grace,
    /// `balanced`: no grace when the best offer is this share below the limit.
    margin_permille: u16 => margin_permille,
    /// Partners a sweep asks at once; with at most so many `balanced` asks everybody. `cheapest`
    /// always does, `fast` asks no more than it needs. Fewer spare questions and may take longer.
    tier_size: u16 => tier_size,
    /// More partners are asked when nothing affordable has come for so long.
    second_tier_after_ms: DurationMs => second_tier_after,
    /// All partners are asked when nothing affordable has come for so long.
    third_tier_after_ms: DurationMs => third_tier_after,
    /// `balanced`: what one more question must be expected to save, in ten-thousandths of the
    /// price. Higher asks fewer partners and pays a little more.
    call_cost_permyriad: u16 => call_cost_permyriad,
    /// `balanced`: most rounds of questions for the sake of a better price, the first included.
    rounds_max: u8 => rounds_max,
    /// `fast`: so likely an offer must be from the partners asked first.
    fast_cover_permille: u16 => fast_cover_permille,
    /// How often a place among the partners asked first goes to another one, to see whether it has
    /// become better. 0 never finds out.
    explore_permille: u16 => explore_permille,
    /// Second copies of questions that are only slow, as a share of all questions to a partner. 0
    /// sends none.
    hedge_budget_permille: u16 => hedge_budget_permille,
    /// No second copy of a question before this, however quick its partner usually is.
    hedge_floor_ms: DurationMs => hedge_floor,
    /// Where others are buying what may be the last copies of the best offer: wait so long for
    /// them before the next best one is taken. `fast` never does.
    slot_wait_ms: DurationMs => slot_wait,
    /// Where others are buying the last copies of every offer there is: wait so long, then search on.
    slot_wait_max_ms: DurationMs => slot_wait_max,
    /// Answers from which a partner's usual time is known.
    latency_samples: u16 => latency_samples,
    /// Decisions that must be known of a partner before it changes tiers.
    review_samples: u16 => review_samples,
    /// Answers that a newly come partner must have given before it is bought from. With this and
    /// `shadow_wins` at 0 it is trusted at once.
    shadow_answers: u16 => shadow_answers,
    /// Decisions that a newly come partner would have won or come near to before it is bought from.
    shadow_wins: u16 => shadow_wins,
    /// Share of all eligible partners that must have answered before "no stock" is believed. Lower
    /// tells `out_of_stock` sooner and less truly.
    min_coverage_permille: u16 => min_coverage_permille,
    /// Further sweeps after one without enough answers; then the request fails.
    sweep_retries: u8 => sweep_retries,
    /// Pause before a further sweep after one without enough answers.
    sweep_retry_delay_ms: DurationMs => sweep_retry_delay,
    /// Further copies of an unanswered quote question within a sweep; each costs the partner a
    /// message.
    quote_retries: u8 => quote_retries,
    /// `watch`: time between the sweeps of a young request. Shorter finds a price drop sooner and
    /// asks partners more often.
    watch_interval_ms: DurationMs => watch_interval,
    /// `watch`: the time between sweeps grows with a request's age, a tenth of it, up to this.
    watch_interval_max_ms: DurationMs => watch_interval_max,
    /// Attempts to buy per request, each at another offer; then it fails.
    attempts_max: u8 => attempts_max,
    /// No answer to a reservation within this: the attempt is given up and the reservation
    /// released.
    reserve_timeout_ms: DurationMs => reserve_timeout,
    /// How long partners are asked to keep a reserved copy.
    reservation_ttl_ms: DurationMs => reservation_ttl,
    /// No answer of the payment provider within this: it is asked what became of it.
    authorize_timeout_ms: DurationMs => authorize_timeout,
    /// How often a silent payment provider is asked before the attempt is given up.
    authorize_asks: u8 => authorize_asks,
    /// How long the customer has to authenticate a payment; then the attempt is given up.
    action_window_ms: DurationMs => action_window,
    /// No answer to an order within this: its outcome is unknown, and the search for it begins.
    place_timeout_ms: DurationMs => place_timeout,
    /// How long after its decision a partner may still accept an order; never beyond
    /// `expires_at`. Only after it does "not found" prove anything.
    place_window_ms: DurationMs => place_window,
    /// Two "not found" must be this far apart, at partners whose look-up is only eventual.
    absence_span_ms: DurationMs => absence_span,
    /// An order unknown for longer than this becomes an incident for a human; look-ups go on.
    human_after_ms: DurationMs => human_after,
    /// No answer to a capture within this: it is tried again.
    capture_timeout_ms: DurationMs => capture_timeout,
    /// Captures tried before a human is told.
    capture_tries: u8 => capture_tries,
    /// Copies of one compensation (release, void, refund, cancel) after which a human is told.
    undo_incident_after: u8 => undo_incident_after,
    /// Copies of the cancel of one order; from then on it is asked about once per
    /// `cancel_pause_ms`.
    cancel_copies_max: u8 => cancel_copies_max,
    /// Pause between questions about an order that nobody could cancel.
    cancel_pause_ms: DurationMs => cancel_pause,
    /// Commands remembered per request for idempotency; more are refused as `too_many_commands`.
    commands_max: usize => commands_max,
    /// A new request id may carry an instant at most this far in the past. Must be longer than
    /// anybody retries a create.
    id_horizon_ms: DurationMs => id_horizon,
    /// A new request id may carry an instant at most this far in the future: the clock error of
    /// requesters.
    id_ahead_ms: DurationMs => id_ahead,
    /// Shortest life of a request; shorter ones are refused as `expiry_out_of_range`.
    expiry_min_ms: DurationMs => expiry_min,
    /// Longest life of a request; longer ones are refused as `expiry_out_of_range`.
    expiry_max_ms: DurationMs => expiry_max,
}

impl PolicyOverrides {
    /// The given policy with these numbers in it. Called once per start: ladders become static.
    pub fn apply(&self, mut policy: Policy) -> Policy {
        self.apply_numbers(&mut policy);
        if let Some(ladder) = &self.lookup_ladder_ms {
            policy.lookup_ladder = ladder.clone().leak();
        }
        if let Some(ladder) = &self.undo_ladder_ms {
            policy.undo_ladder = ladder.clone().leak();
        }
        policy
    }

    /// The one in force.
    pub(super) fn id_horizon(&self) -> DurationMs {
        self.id_horizon_ms.unwrap_or_else(|| Policy::standard(Partners::default()).id_horizon)
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let shares = [
            ("margin_permille", self.margin_permille),
            ("min_coverage_permille", self.min_coverage_permille),
            ("fast_cover_permille", self.fast_cover_permille),
            ("explore_permille", self.explore_permille),
            ("hedge_budget_permille", self.hedge_budget_permille),
        ];
        for (name, share) in shares {
            if share.is_some_and(|s| s > 1000) {
                return Err(ConfigError::field(format!("policy.{name}"), "must be 0 to 1000"));
            }
        }
        let ladders = [
            ("lookup_ladder_ms", &self.lookup_ladder_ms),
            ("undo_ladder_ms", &self.undo_ladder_ms),
        ];
        for (name, ladder) in ladders {
            if ladder
                .as_ref()
                .is_some_and(|steps| steps.is_empty() || steps.contains(&DurationMs(0)))
            {
                let why = "must have at least one step, each at least 1 ms";
                return Err(ConfigError::field(format!("policy.{name}"), why));
            }
        }
        if self.tier_size == Some(0) {
            return Err(ConfigError::field("policy.tier_size", "must be at least 1"));
        }
        if self.rounds_max.is_some_and(|rounds| rounds == 0 || rounds > ROUNDS_MAX) {
            let why = format!("must be 1 to {ROUNDS_MAX}");
            return Err(ConfigError::field("policy.rounds_max", why));
        }
        if self.attempts_max == Some(0) {
            return Err(ConfigError::field("policy.attempts_max", "must be at least 1"));
        }
        Ok(())
    }
}
