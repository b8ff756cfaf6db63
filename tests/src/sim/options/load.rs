//! How much the broker of a run lets in, asks and repeats: from limits that nobody reaches to such
//! that one customer or one question at a time is enough for them.

use std::fmt;

use broker_core::Policy;
use broker_core::engine::admission::{AdmissionPolicy, Class, WhenFull};
use broker_core::engine::limits::breaker::BreakerPolicy;
use broker_core::engine::limits::gcra::Quota;
use broker_core::engine::limits::ladder::LadderPolicy;
use broker_core::engine::limits::retry_budget::Earnings;
use broker_core::partner::{PartnerProfile, Partners};
use broker_core::policy::{Classes, Overload};
use schemas::directory::BreakerMode;
use schemas::{CustomerId, DurationMs};

use crate::sim::choices::{Choices, Lane};

/// Drawn limits. The tamest are those that nobody reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// One customer's creates per minute, and at once.
    pub creates: Option<(u32, u32)>,
    /// Questions per second to one store, and to one country.
    pub partner_calls_per_s: Option<u32>,
    pub region_calls_per_s: Option<u32>,
    /// Questions open at all stores together, and at one store to begin with.
    pub calls_in_flight_max: Option<u32>,
    pub in_flight_start: Option<u32>,
    /// No question is held back: who cannot be asked now is left out.
    pub impatient: bool,
    /// Calls from which a breaker may open, and the length of its first pause.
    pub breaker: Option<(u32, DurationMs)>,
    pub dry_run: bool,
    /// Further questions and repeated commands that may be saved up.
    pub retries_burst: Option<u32>,
    pub repeats_burst: Option<u32>,
    pub waiting_max: usize,
    pub when_full: WhenFull,
    pub patience_max: DurationMs,
    /// The ladder of degradation is in use; without it the queue can be full.
    pub ladder: bool,
    pub gold_and_silver: bool,
    /// Creates of one customer that may wait in their stream.
    pub creates_put_off_max: usize,
}

impl Load {
    pub(super) fn draw(choices: &mut Choices) -> Self {
        let lane = Lane::Options;
        let full = [WhenFull::Retry, WhenFull::Drop, WhenFull::Delay];
        let pause = [DurationMs(1_000), DurationMs(15_000)];
        // Half of the runs are without: what they find has another cause.
        let limited = choices.strikes(lane, 500);
        let wide = Self::wide_open();
        if !limited {
            return wide;
        }
        let calls = [None, Some(2), Some(3), Some(20)];
        Self {
            creates: *choices.pick(lane, &[None, Some((10, 10)), Some((2, 1)), Some((30, 2))]),
            partner_calls_per_s: *choices.pick(lane, &[None, Some(500), Some(1), Some(4)]),
            region_calls_per_s: *choices.pick(lane, &[None, Some(5_000), Some(2), Some(10)]),
            calls_in_flight_max: *choices.pick(lane, &[None, Some(500), Some(1), Some(3)]),
            in_flight_start: *choices.pick(lane, &[None, Some(4), Some(1)]),
            impatient: choices.strikes(lane, 300),
            breaker: choices.pick(lane, &calls).map(|calls| (calls, *choices.pick(lane, &pause))),
            dry_run: choices.strikes(lane, 200),
            retries_burst: *choices.pick(lane, &[None, Some(10), Some(1)]),
            repeats_burst: *choices.pick(lane, &[None, Some(50), Some(1)]),
            waiting_max: *choices.pick(lane, &[1000, 1, 2]),
            when_full: *choices.pick(lane, &full),
            patience_max: *choices.pick(lane, &[DurationMs(2_000), DurationMs(200)]),
            ladder: choices.strikes(lane, 500),
            gold_and_silver: choices.strikes(lane, 500),
            creates_put_off_max: *choices.pick(lane, &[256, 256, 1]),
        }
    }

    fn wide_open() -> Self {
        Self {
            creates: None,
            partner_calls_per_s: None,
            region_calls_per_s: None,
            calls_in_flight_max: None,
            in_flight_start: None,
            impatient: false,
            breaker: None,
            dry_run: false,
            retries_burst: None,
            repeats_burst: None,
            waiting_max: 1000,
            when_full: WhenFull::Retry,
            patience_max: DurationMs(2_000),
            ladder: true,
            gold_and_silver: false,
            creates_put_off_max: 256,
        }
    }

    /// Nobody can reach these limits: nobody may be refused for them.
    pub fn is_wide_open(&self) -> bool {
        *self == Self::wide_open()
    }

    /// The policy with these limits in it.
    #[must_use]
    pub fn applied_to(&self, policy: Policy) -> Policy {
        let wide = Overload::wide_open();
        let second = DurationMs(1_000);
        let rate = |per_s: u32| Quota::new(per_s, second, per_s.div_ceil(10));
        let saved = |burst, standard: Earnings| Earnings { burst, ..standard };
        let standard = Overload::standard();
        let breaker = |(calls_min, pause)| BreakerPolicy { calls_min, pause, ..standard.breaker };
        let minute = DurationMs(60_000);
        let never = 1001;
        let ladder = match self.ladder {
            true => LadderPolicy { calm: DurationMs(500), ..standard.ladder },
            false => LadderPolicy {
                tier_one_permille: never,
                cached_permille: never,
                refuse_permille: never,
                ..standard.ladder
            },
        };
        let overload = Overload {
            creates: self
                .creates
                .map_or(wide.creates, |(count, burst)| Quota::new(count, minute, burst)),
            creates_put_off_max: self.creates_put_off_max,
            region: self.region_calls_per_s.map_or(wide.region, rate),
            calls_in_flight_max: self.calls_in_flight_max.unwrap_or(wide.calls_in_flight_max),
            breaker: self.breaker.map_or(wide.breaker, breaker),
            quote_retries: self
                .retries_burst
                .map_or(wide.quote_retries, |burst| saved(burst, standard.quote_retries)),
            repeats: self
                .repeats_burst
                .map_or(wide.repeats, |burst| saved(burst, standard.repeats)),
            admission: AdmissionPolicy {
                waiting_max: self.waiting_max,
                when_full: self.when_full,
                patience_max: self.patience_max,
                ..standard.admission
            },
            ladder,
            delay_permille: if self.impatient { 0 } else { wide.delay_permille },
            classes: self.classes(),
            ..wide
        };
        let partners = self.limit_partners(&policy.partners);
        Policy { overload, partners, ..policy }
    }

    fn limit_partners(&self, partners: &Partners) -> Partners {
        let profiles = partners.iter().map(|(_, profile)| PartnerProfile {
            in_flight_start: self.in_flight_start.unwrap_or(profile.in_flight_max),
            calls_per_s: self.partner_calls_per_s.unwrap_or(1_000_000),
            calls_burst: self.partner_calls_per_s.map_or(1_000_000, |per_s| per_s.div_ceil(10)),
            breaker: if self.dry_run { BreakerMode::DryRun } else { BreakerMode::Active },
            ..profile.clone()
        });
        Partners::new(profiles.collect(), partners.version())
    }

    fn classes(&self) -> Classes {
        let standard = Overload::standard().classes;
        if !self.gold_and_silver {
            return standard;
        }
        let named = [("c1", Class::Gold), ("c2", Class::Silver)];
        let named = named
            .into_iter()
            .filter_map(|(id, class)| CustomerId::parse(id).ok().map(|id| (id, class)));
        Classes { named: named.collect(), refill_permille: [2000, 1500, 1000], ..standard }
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_wide_open() { write!(f, "no limits") } else { write!(f, "{self:?}") }
    }
}
