//! How often something is said again: a share of what is said for the first time, and a little per
//! time, so that nobody is left unasked for ever. Without it, trouble makes its own load.

use schemas::{DurationMs, Timestamp};

/// A token in the unit in which budgets are counted.
const TOKEN: u64 = 1000;

/// What earns repetitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Earnings {
    /// Most that may be saved up.
    pub burst: u32,
    pub per_s: u32,
    /// For each first message, thousandths.
    pub per_first_permille: u16,
}

impl Earnings {
    fn full(self) -> u64 {
        u64::from(self.burst).saturating_mul(TOKEN)
    }
}

/// One receiver's budget, as of an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryBudget {
    left_milli: u64,
    at: Timestamp,
}

impl RetryBudget {
    /// Full: after a quiet time the first repetitions are free.
    pub fn new(earnings: Earnings, now: Timestamp) -> Self {
        Self { left_milli: earnings.full(), at: now }
    }

    /// Something leaves for the first time.
    pub fn first(&mut self, earnings: Earnings, now: Timestamp) {
        self.pass(earnings, now);
        self.grant(u64::from(earnings.per_first_permille), earnings);
    }

    /// Something else is a reason to say more.
    pub fn earn(&mut self, permille: u16, earnings: Earnings, now: Timestamp) {
        self.pass(earnings, now);
        self.grant(u64::from(permille), earnings);
    }

    /// Takes a token for a repetition, if there is one.
    pub fn spend(&mut self, earnings: Earnings, now: Timestamp) -> bool {
        self.pass(earnings, now);
        let enough = self.left_milli >= TOKEN;
        if enough {
            self.left_milli -= TOKEN;
        }
        enough
    }

    /// When time alone will have brought the next token.
    pub fn ready_at(&self, earnings: Earnings) -> Timestamp {
        let missing = TOKEN.saturating_sub(self.left_milli);
        self.at.saturating_add(DurationMs(missing.div_ceil(u64::from(earnings.per_s).max(1))))
    }

    /// So many tokens per second are so many thousandths per millisecond.
    fn pass(&mut self, earnings: Earnings, now: Timestamp) {
        let passed = now.since(self.at).as_ms();
        self.at = self.at.max(now);
        self.grant(passed.saturating_mul(u64::from(earnings.per_s)), earnings);
    }

    fn grant(&mut self, milli: u64, earnings: Earnings) {
        self.left_milli = self.left_milli.saturating_add(milli).min(earnings.full());
    }
}
