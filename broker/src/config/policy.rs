//! Numbers of the core that a configuration may change. Absent fields keep the standard ones of
//! [`broker_core::Policy::standard`], which also documents each meaning.

use broker_core::Policy;
use schemas::DurationMs;
use serde::{Deserialize, Serialize};

use super::ConfigError;

/// Declares the overrides once: field of the file, field of the policy.
macro_rules! overrides {
    ($($field:ident: $type:ty => $target:ident,)*) => {
        /// Overrides of single policy numbers; times in milliseconds, shares in thousandths.
        #[derive(Debug, Clone, Default, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct PolicyOverrides {
            $(
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
        }
    };
}

overrides! {
    placement_budget_ms: DurationMs => placement_budget,
    place_budget_ms: DurationMs => place_budget,
    clock_margin_ms: DurationMs => clock_margin,
    sweep_hard_stop_ms: DurationMs => sweep_hard_stop,
    grace_ms: DurationMs => grace,
    margin_permille: u16 => margin_permille,
    min_coverage_permille: u16 => min_coverage_permille,
    sweep_retries: u8 => sweep_retries,
    sweep_retry_delay_ms: DurationMs => sweep_retry_delay,
    quote_retries: u8 => quote_retries,
    watch_interval_ms: DurationMs => watch_interval,
    attempts_max: u8 => attempts_max,
    reserve_timeout_ms: DurationMs => reserve_timeout,
    reservation_ttl_ms: DurationMs => reservation_ttl,
    authorize_timeout_ms: DurationMs => authorize_timeout,
    authorize_asks: u8 => authorize_asks,
    action_window_ms: DurationMs => action_window,
    place_timeout_ms: DurationMs => place_timeout,
    place_window_ms: DurationMs => place_window,
    absence_span_ms: DurationMs => absence_span,
    human_after_ms: DurationMs => human_after,
    capture_timeout_ms: DurationMs => capture_timeout,
    capture_tries: u8 => capture_tries,
    undo_incident_after: u8 => undo_incident_after,
    cancel_copies_max: u8 => cancel_copies_max,
    cancel_pause_ms: DurationMs => cancel_pause,
    commands_max: usize => commands_max,
    id_horizon_ms: DurationMs => id_horizon,
    id_ahead_ms: DurationMs => id_ahead,
    expiry_min_ms: DurationMs => expiry_min,
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

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let shares = [
            ("margin_permille", self.margin_permille),
            ("min_coverage_permille", self.min_coverage_permille),
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
        if self.attempts_max == Some(0) {
            return Err(ConfigError::field("policy.attempts_max", "must be at least 1"));
        }
        Ok(())
    }
}
