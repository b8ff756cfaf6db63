//! How much is let in, asked and repeated: every number of overload control, with its reason.

use std::collections::BTreeMap;

use schemas::{CustomerId, DurationMs};

use crate::engine::admission::{AdmissionPolicy, Class, WhenFull};
use crate::engine::limits::breaker::BreakerPolicy;
use crate::engine::limits::gcra::Quota;
use crate::engine::limits::ladder::LadderPolicy;
use crate::engine::limits::retry_budget::Earnings;

/// See the module.
#[derive(Debug, Clone)]
pub struct Overload {
    /// Creates of one customer.
    pub creates: Quota,
    /// Creates of one customer that its stream may keep for later; further ones are refused for
    /// good, for each takes a place that others need.
    pub creates_put_off_max: usize,
    /// Questions about deliveries to one country.
    pub region: Quota,
    /// A question is held back for the sake of a rate while the wait is below this share of the
    /// time that is left; otherwise its partner is left out of the sweep. Thousandths.
    pub delay_permille: u16,
    /// Questions open at all partners together.
    pub calls_in_flight_max: u32,
    pub breaker: BreakerPolicy,
    /// An answer is slow when it takes longer than this and than twice the partner's usual time.
    pub slow_after: DurationMs,
    /// Further copies of questions to one partner.
    pub quote_retries: Earnings,
    /// Repeated commands to one partner or to the payment provider …
    pub repeats: Earnings,
    /// … and what each of its answers earns: who is back is asked half as fast as it answers, so
    /// its backlog shrinks. Thousandths.
    pub repeats_per_answer_permille: u16,
    pub admission: AdmissionPolicy,
    /// Who is turned away is told to come back after this, or up to twice as much, so that not all
    /// come at once.
    pub retry_after: DurationMs,
    pub ladder: LadderPolicy,
    pub classes: Classes,
}

/// Which customers belong to which class.
#[derive(Debug, Clone, Default)]
pub struct Classes {
    pub named: BTreeMap<CustomerId, Class>,
    /// Of everybody else.
    pub others: Class,
    /// How fast the creates of a class are refilled, in the order of [`Class::ALL`]: thousandths
    /// of the rate, 1000 to 2000.
    pub refill_permille: [u16; 3],
}

impl Classes {
    pub fn of(&self, customer: &CustomerId) -> Class {
        self.named.get(customer).copied().unwrap_or(self.others)
    }

    pub fn refill_of(&self, class: Class) -> u16 {
        self.refill_permille[class as usize].clamp(1000, 2000)
    }
}

const SECOND: DurationMs = DurationMs(1000);

impl Overload {
    pub fn standard() -> Self {
        Self {
            creates: Quota::new(10, DurationMs::from_secs(60), 10),
            creates_put_off_max: 256,
            region: Quota::new(5000, SECOND, 500),
            delay_permille: 200,
            calls_in_flight_max: 500,
            breaker: BreakerPolicy {
                window: DurationMs::from_secs(30),
                calls_min: 20,
                failed_permille: 500,
                slow_permille: 800,
                pause: DurationMs::from_secs(15),
                pause_max: DurationMs::from_secs(300),
                trials: 3,
                trial_timeout: DurationMs::from_secs(10),
            },
            slow_after: SECOND,
            quote_retries: Earnings { burst: 10, per_s: 1, per_first_permille: 100 },
            repeats: Earnings { burst: 50, per_s: 1, per_first_permille: 100 },
            repeats_per_answer_permille: 500,
            admission: AdmissionPolicy {
                waiting_max: 1000,
                when_full: WhenFull::Retry,
                shares: [50, 30, 20],
                patience_permille: 250,
                patience_max: DurationMs(2000),
                urgent: DurationMs(5000),
            },
            retry_after: SECOND,
            ladder: LadderPolicy {
                tier_one_permille: 500,
                cached_permille: 750,
                refuse_permille: 900,
                calm: DurationMs(2000),
            },
            classes: Classes {
                named: BTreeMap::new(),
                others: Class::Free,
                refill_permille: [1000; 3],
            },
        }
    }

    /// Limits that nobody reaches: for measuring, and for proofs of other things.
    pub fn wide_open() -> Self {
        let endless = Quota::new(u32::MAX, SECOND, u32::MAX);
        let standard = Self::standard();
        let earnings = Earnings { burst: u32::MAX, per_s: 1000, per_first_permille: 1000 };
        Self {
            creates: endless,
            region: endless,
            calls_in_flight_max: u32::MAX,
            breaker: BreakerPolicy { calls_min: u32::MAX, ..standard.breaker },
            quote_retries: earnings,
            repeats: earnings,
            ..standard
        }
    }
}
