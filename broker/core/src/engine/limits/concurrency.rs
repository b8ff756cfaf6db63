//! How many questions a partner may have open at once, found out by asking: one more after each
//! answer while the limit is in use, fewer when answers stay away (AIMD).

use schemas::{DurationMs, Timestamp};

/// Where the limit begins and between what it moves. The least is always 1: who is never asked can
/// never show that it is well again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    pub start: u32,
    pub max: u32,
}

/// Thousandths that are left after silence, and after "too much".
const AFTER_SILENCE: u32 = 900;
const AFTER_REFUSAL: u32 = 500;
const ONE: u32 = 1000;

/// The limit of one partner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Concurrency {
    limit_milli: u32,
    /// What was asked before this has been counted: it was on its way together with the failure.
    lowered_at: Timestamp,
    /// It asked to be left alone until then.
    held_until: Timestamp,
}

impl Concurrency {
    pub fn new(bounds: Bounds) -> Self {
        let start = bounds.start.clamp(1, bounds.max.max(1));
        Self {
            limit_milli: start.saturating_mul(ONE),
            lowered_at: Timestamp::ZERO,
            held_until: Timestamp::ZERO,
        }
    }

    pub fn limit(&self) -> u32 {
        (self.limit_milli / ONE).max(1)
    }

    /// It wants no questions before this.
    pub fn is_held(&self, now: Timestamp) -> bool {
        now < self.held_until
    }

    pub fn held_until(&self) -> Timestamp {
        self.held_until
    }

    /// An answer came while so many questions were open. A limit that is not used says nothing
    /// about what would be too much.
    pub fn answered(&mut self, in_flight: u32, bounds: Bounds, now: Timestamp) {
        if self.is_held(now) || in_flight.saturating_mul(2) < self.limit() {
            return;
        }
        let most = bounds.max.max(1).saturating_mul(ONE);
        self.limit_milli = self.limit_milli.saturating_add(ONE).min(most);
    }

    /// No answer came to a question of `asked_at`.
    pub fn silent(&mut self, asked_at: Timestamp, now: Timestamp) {
        self.lower(AFTER_SILENCE, asked_at, now);
    }

    /// It says that this is too much for it, or nobody is there; nothing is asked for so long.
    pub fn refused(&mut self, asked_at: Timestamp, hold: DurationMs, now: Timestamp) {
        self.lower(AFTER_REFUSAL, asked_at, now);
        self.held_until = self.held_until.max(now.saturating_add(hold));
    }

    /// Once for all that was on its way together.
    fn lower(&mut self, left_permille: u32, asked_at: Timestamp, now: Timestamp) {
        if asked_at < self.lowered_at {
            return;
        }
        self.lowered_at = now;
        self.limit_milli = (self.limit_milli / ONE * left_permille
            + self.limit_milli % ONE * left_permille / ONE)
            .max(ONE);
    }
}
