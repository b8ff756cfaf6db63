//! How much is let in, asked and repeated.

use broker_core::Policy;
use broker_core::engine::admission::{AdmissionPolicy, WhenFull};
use broker_core::engine::limits::breaker::BreakerPolicy;
use broker_core::engine::limits::gcra::Quota;
use broker_core::engine::limits::ladder::LadderPolicy;
use broker_core::engine::limits::retry_budget::Earnings;
use broker_core::policy::Overload;
use schemars::JsonSchema;
use schemas::DurationMs;
use serde::{Deserialize, Serialize};

use super::{ConfigError, CustomersConfig};

/// Limits under load. What one partner can take stands in the partner directory.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OverloadConfig {
    /// Requests that one customer may create per minute; more are refused as `rate_limited` with
    /// the time after which they may succeed, those of a stream come back by themselves.
    pub creates_per_min: u32,
    /// Requests that one customer may create at once after a quiet while.
    pub creates_burst: u32,
    /// Creates of one customer that may wait in their stream because of these limits; further ones
    /// are refused for good, as `too_many_creates`. Each takes a place that others need.
    pub creates_put_off_max: usize,
    /// Quote questions about deliveries to one country, per second.
    pub region_calls_per_s: u32,
    /// Quote questions about deliveries to one country at once after a quiet while.
    pub region_calls_burst: u32,
    /// A question is held back for the sake of a rate while that takes less than this share of the
    /// time its sweep has left; otherwise its partner is left out. 0 never holds one back.
    pub delay_permille: u16,
    /// Quote questions open at all partners together; further ones wait, and so do creates. Too
    /// few make sweeps end without answers, too many slow everything down.
    pub calls_in_flight_max: u32,
    /// What a breaker goes by: calls longer ago are forgotten.
    pub breaker_window_ms: DurationMs,
    /// Fewer calls than these within the window open no breaker.
    pub breaker_calls_min: u32,
    /// Share of failed calls that opens a breaker.
    pub breaker_failed_permille: u16,
    /// Share of slow answers that opens a breaker.
    pub breaker_slow_permille: u16,
    /// An answer is slow when it takes longer than this and than twice the partner's usual time.
    pub slow_after_ms: DurationMs,
    /// How long a partner is left alone when its breaker opens; twice as long each further time.
    pub breaker_pause_ms: DurationMs,
    /// The longest that a partner is left alone by its breaker.
    pub breaker_pause_max_ms: DurationMs,
    /// Good answers in a row, asked for one at a time, that close a breaker again.
    pub breaker_trials: u32,
    /// After so long another trial is made although the last one has not ended.
    pub breaker_trial_timeout_ms: DurationMs,
    /// Further copies of unanswered quote questions to a partner, as a share of its questions.
    pub quote_retries_permille: u16,
    /// … and per second besides.
    pub quote_retries_per_s: u32,
    /// … and at once after a quiet while.
    pub quote_retries_burst: u32,
    /// Repeated commands (look-ups of unknown orders, unanswered compensations) to a partner or to
    /// the payment provider, as a share of its commands; further ones wait.
    pub repeats_permille: u16,
    /// … and per second besides. More finds out sooner, and burdens who is ill already.
    pub repeats_per_s: u32,
    /// … and at once after a quiet while.
    pub repeats_burst: u32,
    /// … and for each of its answers: one that is back is asked half as fast as it answers.
    pub repeats_per_answer_permille: u16,
    /// Creates that wait to be let in while `calls_in_flight_max` questions are open.
    pub waiting_max: usize,
    /// What becomes of a create when `waiting_max` wait already: `retry` refuses it as
    /// `overloaded` and says when to come back, `drop` refuses whoever has the worst place,
    /// `delay` lets it wait all the same.
    #[schemars(with = "String")]
    pub when_full: WhenFullName,
    /// Share of each class while all wait, as parts of their sum; what one does not use the others
    /// may.
    pub share_gold: u32,
    /// As `share_gold`, for this class.
    pub share_silver: u32,
    /// As `share_gold`, for this class.
    pub share_free: u32,
    /// The longest that a create waits, as a share of the time its request has; then it is refused
    /// as `overloaded`.
    pub patience_permille: u16,
    /// The longest that a create waits, whatever time its request has.
    pub patience_max_ms: DurationMs,
    /// With so little time left a create goes before all classes.
    pub urgent_ms: DurationMs,
    /// Who is refused as `overloaded` is told to come back after this, or up to twice as much.
    pub retry_after_ms: DurationMs,
    /// How full the queue of creates is, or how near to `patience_max_ms` one has waited, when sweeps
    /// begin to ask the best ranked partners only. Above 1000: never.
    pub tier_one_permille: u16,
    /// … when a store whose offer of before still holds (`quotes_reusable`, `valid_until`) is not asked
    /// again, also by `cheapest` and with few copies left …
    pub cached_permille: u16,
    /// … and when creates are refused at once.
    pub refuse_permille: u16,
    /// Such a step is taken back after so long below half of what caused it.
    pub calm_ms: DurationMs,
}

/// [`WhenFull`] as the file says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenFullName {
    Drop,
    Delay,
    Retry,
}

impl Default for OverloadConfig {
    fn default() -> Self {
        Self {
            creates_per_min: 10,
            creates_burst: 10,
            creates_put_off_max: 256,
            region_calls_per_s: 5000,
            region_calls_burst: 500,
            delay_permille: 200,
            calls_in_flight_max: 500,
            breaker_window_ms: DurationMs(30_000),
            breaker_calls_min: 20,
            breaker_failed_permille: 500,
            breaker_slow_permille: 800,
            slow_after_ms: DurationMs(1000),
            breaker_pause_ms: DurationMs(15_000),
            breaker_pause_max_ms: DurationMs(300_000),
            breaker_trials: 3,
            breaker_trial_timeout_ms: DurationMs(10_000),
            quote_retries_permille: 100,
            quote_retries_per_s: 1,
            quote_retries_burst: 10,
            repeats_permille: 100,
            repeats_per_s: 1,
            repeats_burst: 50,
            repeats_per_answer_permille: 500,
            waiting_max: 1000,
            when_full: WhenFullName::Retry,
            share_gold: 50,
            share_silver: 30,
            share_free: 20,
            patience_permille: 250,
            patience_max_ms: DurationMs(2000),
            urgent_ms: DurationMs(5000),
            retry_after_ms: DurationMs(1000),
            tier_one_permille: 500,
            cached_permille: 750,
            refuse_permille: 900,
            calm_ms: DurationMs(2000),
        }
    }
}

const MINUTE: DurationMs = DurationMs(60_000);
const SECOND: DurationMs = DurationMs(1000);

impl OverloadConfig {
    /// The policy with these limits in it.
    pub fn apply(&self, customers: &CustomersConfig, policy: Policy) -> Policy {
        Policy { overload: self.in_core(customers), ..policy }
    }

    fn in_core(&self, customers: &CustomersConfig) -> Overload {
        Overload {
            creates: Quota::new(self.creates_per_min, MINUTE, self.creates_burst),
            region: Quota::new(self.region_calls_per_s, SECOND, self.region_calls_burst),
            creates_put_off_max: self.creates_put_off_max,
            delay_permille: self.delay_permille,
            calls_in_flight_max: self.calls_in_flight_max,
            breaker: self.breaker(),
            slow_after: self.slow_after_ms,
            quote_retries: Earnings {
                burst: self.quote_retries_burst,
                per_s: self.quote_retries_per_s,
                per_first_permille: self.quote_retries_permille,
            },
            repeats: Earnings {
                burst: self.repeats_burst,
                per_s: self.repeats_per_s,
                per_first_permille: self.repeats_permille,
            },
            repeats_per_answer_permille: self.repeats_per_answer_permille,
            admission: self.admission(),
            retry_after: self.retry_after_ms,
            ladder: LadderPolicy {
                tier_one_permille: self.tier_one_permille,
                cached_permille: self.cached_permille,
                refuse_permille: self.refuse_permille,
                calm: self.calm_ms,
            },
            classes: customers.classes(),
        }
    }

    fn breaker(&self) -> BreakerPolicy {
        BreakerPolicy {
            window: self.breaker_window_ms,
            calls_min: self.breaker_calls_min,
            failed_permille: self.breaker_failed_permille.into(),
            slow_permille: self.breaker_slow_permille.into(),
            pause: self.breaker_pause_ms,
            pause_max: self.breaker_pause_max_ms,
            trials: self.breaker_trials,
            trial_timeout: self.breaker_trial_timeout_ms,
        }
    }

    fn admission(&self) -> AdmissionPolicy {
        AdmissionPolicy {
            waiting_max: self.waiting_max,
            when_full: match self.when_full {
                WhenFullName::Drop => WhenFull::Drop,
                WhenFullName::Delay => WhenFull::Delay,
                WhenFullName::Retry => WhenFull::Retry,
            },
            shares: [self.share_gold, self.share_silver, self.share_free],
            patience_permille: self.patience_permille,
            patience_max: self.patience_max_ms,
            urgent: self.urgent_ms,
        }
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let least = [
            ("creates_per_min", u64::from(self.creates_per_min)),
            ("creates_burst", self.creates_burst.into()),
            ("region_calls_per_s", self.region_calls_per_s.into()),
            ("region_calls_burst", self.region_calls_burst.into()),
            ("calls_in_flight_max", self.calls_in_flight_max.into()),
            ("breaker_calls_min", self.breaker_calls_min.into()),
            ("breaker_failed_permille", self.breaker_failed_permille.into()),
            ("breaker_slow_permille", self.breaker_slow_permille.into()),
            ("breaker_pause_ms", self.breaker_pause_ms.as_ms()),
            ("breaker_trials", self.breaker_trials.into()),
            ("breaker_trial_timeout_ms", self.breaker_trial_timeout_ms.as_ms()),
            // Without it who has once used its burst up would never be asked again.
            ("repeats_per_s", self.repeats_per_s.into()),
            ("repeats_burst", self.repeats_burst.into()),
            ("share_gold", self.share_gold.into()),
            ("share_silver", self.share_silver.into()),
            ("share_free", self.share_free.into()),
            ("retry_after_ms", self.retry_after_ms.as_ms()),
            ("tier_one_permille", self.tier_one_permille.into()),
        ];
        if let Some((name, _)) = least.into_iter().find(|(_, value)| *value == 0) {
            return Err(ConfigError::field(format!("overload.{name}"), "must be at least 1"));
        }
        let shares = [
            ("delay_permille", self.delay_permille),
            ("breaker_failed_permille", self.breaker_failed_permille),
            ("breaker_slow_permille", self.breaker_slow_permille),
            ("quote_retries_permille", self.quote_retries_permille),
            ("repeats_permille", self.repeats_permille),
            ("repeats_per_answer_permille", self.repeats_per_answer_permille),
            ("patience_permille", self.patience_permille),
        ];
        if let Some((name, _)) = shares.into_iter().find(|(_, share)| *share > 1000) {
            return Err(ConfigError::field(format!("overload.{name}"), "must be 0 to 1000"));
        }
        if self.cached_permille < self.tier_one_permille {
            let why = "must not be below overload.tier_one_permille";
            return Err(ConfigError::field("overload.cached_permille", why));
        }
        if self.refuse_permille < self.cached_permille {
            let why = "must not be below overload.cached_permille";
            return Err(ConfigError::field("overload.refuse_permille", why));
        }
        if self.breaker_pause_max_ms < self.breaker_pause_ms {
            let why = "must not be below overload.breaker_pause_ms";
            return Err(ConfigError::field("overload.breaker_pause_max_ms", why));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_word_in_the_file_the_standard_limits_hold() {
        let from_file = OverloadConfig::default().in_core(&CustomersConfig::default());
        assert_eq!(format!("{from_file:?}"), format!("{:?}", Overload::standard()));
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        let refused = |text: &str| {
            let config: OverloadConfig = toml::from_str(text).unwrap();
            config.validate().unwrap_err().to_string()
        };
        assert!(refused("creates_per_min = 0").contains("overload.creates_per_min"));
        assert!(refused("patience_permille = 1001").contains("overload.patience_permille"));
        assert!(refused("cached_permille = 499").contains("overload.cached_permille"));
        assert!(refused("refuse_permille = 749").contains("overload.refuse_permille"));
    }
}
