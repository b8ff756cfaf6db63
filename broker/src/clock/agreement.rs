//! Whether deadlines can be judged: wall clock, monotonic time and the time given out must agree.
//!
//! Monotonic time cannot jump, but it does not know the hour, and it stands still while a machine
//! is suspended. The wall clock knows the hour, and may be set at any moment by anybody. While
//! they disagree nobody knows which one is right, so no order is placed. What ends the doubt:
//!
//! * **The wall clock comes back** to where monotonic time expected it.
//! * **The wall clock is ahead** (it was behind at the start and has been set right, or the
//!   machine was suspended). Once it has run evenly for [`SETTLED_AFTER_MS`] and the server, which
//!   has a clock of its own, confirms the hour, it is what we go by from then on. That can only
//!   make deadlines come sooner: the time given out has followed the wall clock all along.
//! * **The wall clock is behind** (it was ahead at the start, or has been set back). There is no
//!   way out but its return: to go by it would move every deadline into the future, and if it
//!   is wrong, buy late. The server is no help there, because it may run on the same machine and
//!   have been set back with it. Somebody who knows the hour has to restart the broker.
//! * **The wall clock has not reached what was given out.** Until it has, "now" stands still and no
//!   order is placed.
//! * **Nobody has confirmed the wall clock since the start.** A machine may boot with a wrong clock:
//!   one that is behind buys late, one that is ahead takes commands for lapsed that their receivers
//!   still obey. The server has to confirm the hour before the first order. That the hands of a
//!   clock that was behind reach an instant that the store remembers proves nothing: they may be
//!   late by as much as before.

use schemas::DurationMs;

/// Largest difference between wall, monotonic and given time at which orders are placed, no more
/// than the margin that deadlines are given (`Policy::clock_margin`); also how evenly a wall clock
/// must run that was set.
pub const DISAGREEMENT_MAX_MS: DurationMs = DurationMs(500);

/// How long a wall clock that was set ahead, or that the server did not confirm, must have run
/// evenly before the server is asked.
pub const SETTLED_AFTER_MS: DurationMs = DurationMs(30_000);

/// Longest round trip of a question for the server's time that still says something.
pub const SERVER_ANSWER_MAX_MS: DurationMs = DurationMs(500);

/// Both clocks at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    pub wall_ms: u64,
    pub monotonic_ms: u64,
}

impl Reading {
    /// Wall time at monotonic zero.
    pub const fn anchor_ms(self) -> u64 {
        self.wall_ms.saturating_sub(self.monotonic_ms)
    }
}

/// Why deadlines cannot be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    #[error(
        "the wall clock is {0} ahead of the time that has passed since the start; orders wait \
         until it has run evenly for {SETTLED_AFTER_MS} and the server's clock confirms it"
    )]
    Ahead(DurationMs),
    #[error(
        "the wall clock is {0} behind the time that has passed since the start; orders wait until \
         it comes back. If it is wrong, set it right. If it is right now and was wrong at the \
         start, restart the broker"
    )]
    Behind(DurationMs),
    #[error(
        "the wall clock is {0} behind the last instant that the broker gave out; until that is \
         reached time stands still and orders wait. If the clock is wrong, set it right. If it is \
         right, it was ahead before: wait, or restore a backup from before that"
    )]
    InThePast(DurationMs),
    #[error(
        "the server's clock has not confirmed the wall clock, which was {0} behind what the store \
         remembers when the broker started; orders wait until it does"
    )]
    Unconfirmed(DurationMs),
}

impl Doubt {
    pub const LABELS: [&'static str; 4] = ["ahead", "behind", "in_the_past", "unconfirmed"];

    pub const fn label(self) -> &'static str {
        match self {
            Self::Ahead(_) => "ahead",
            Self::Behind(_) => "behind",
            Self::InThePast(_) => "in_the_past",
            Self::Unconfirmed(_) => "unconfirmed",
        }
    }

    /// How far apart the clocks are.
    pub const fn apart(self) -> DurationMs {
        match self {
            Self::Ahead(apart)
            | Self::Behind(apart)
            | Self::InThePast(apart)
            | Self::Unconfirmed(apart) => apart,
        }
    }
}

/// What the server's time says about a wall clock that has settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// It is right: from now on the broker goes by it.
    Confirmed,
    /// One of the two is wrong; the wall clock has to settle anew.
    Contradicted { apart: DurationMs },
    /// The answer took too long, or the clock was set meanwhile.
    Nothing,
}

/// A wall clock that may be right runs evenly.
#[derive(Debug, Clone, Copy)]
struct Settling {
    anchor_ms: u64,
    /// The server is asked from then on, in monotonic time.
    ask_ms: u64,
}

/// See the module.
#[derive(Debug)]
pub struct Agreement {
    /// Wall time at monotonic zero, as far as it is trusted. Only ever moves ahead.
    anchor_ms: u64,
    /// Until the server confirms: by how much the store contradicts the wall clock.
    unconfirmed: Option<DurationMs>,
    settling: Option<Settling>,
    /// The server did not confirm the last clock that had settled.
    refuted: bool,
}

impl Agreement {
    /// Time goes by the wall clock at the start; the server's word on it is wanted.
    pub fn new(start: Reading) -> Self {
        let (unconfirmed, settling) = (Some(DurationMs::ZERO), None);
        Self { anchor_ms: start.anchor_ms(), unconfirmed, settling, refuted: false }
    }

    /// A store remembers this instant.
    pub fn remember(&mut self, at_ms: u64, now: Reading) {
        let behind = DurationMs(at_ms.saturating_sub(now.wall_ms));
        if behind > DISAGREEMENT_MAX_MS {
            self.unconfirmed = self.unconfirmed.max(Some(behind));
        }
    }

    /// The wall clock as far as it is trusted, plus the time that has passed since.
    pub fn steady_ms(&self, now: Reading) -> u64 {
        self.anchor_ms.saturating_add(now.monotonic_ms)
    }

    /// One look at the clocks. `given_ms` is the latest instant given out.
    ///
    /// # Errors
    /// They disagree.
    pub fn look(&mut self, now: Reading, given_ms: u64) -> Result<(), Doubt> {
        let steady_ms = self.steady_ms(now);
        let max = DISAGREEMENT_MAX_MS.as_ms();
        let ahead_ms = now.wall_ms.saturating_sub(steady_ms);
        let behind_ms = steady_ms.saturating_sub(now.wall_ms);
        let may_be_right = ahead_ms > max || (self.unconfirmed.is_some() && behind_ms <= max);
        self.settle(now, ahead_ms > max, may_be_right);
        if ahead_ms > max {
            return Err(Doubt::Ahead(DurationMs(ahead_ms)));
        }
        if behind_ms > max {
            return Err(Doubt::Behind(DurationMs(behind_ms)));
        }
        let past_ms = given_ms.saturating_sub(now.wall_ms);
        if past_ms > max {
            return Err(Doubt::InThePast(DurationMs(past_ms)));
        }
        self.unconfirmed.map_or(Ok(()), |by| Err(Doubt::Unconfirmed(by)))
    }

    fn settle(&mut self, now: Reading, is_ahead: bool, may_be_right: bool) {
        let anchor_ms = now.anchor_ms();
        // A clock that nobody has set, and that was not found wrong, need not settle.
        let wait = if is_ahead || self.refuted { SETTLED_AFTER_MS } else { DurationMs::ZERO };
        let ask_ms = now.monotonic_ms.saturating_add(wait.as_ms());
        let before = self.settling.filter(|s| differ_little(s.anchor_ms, anchor_ms));
        let fresh = Settling { anchor_ms, ask_ms };
        self.settling = may_be_right.then_some(before.unwrap_or(fresh));
    }

    /// Whether the server's word is wanted and the wall clock has run evenly for long enough.
    pub fn has_settled(&self, now: Reading) -> bool {
        self.settling.is_some_and(|settling| now.monotonic_ms >= settling.ask_ms)
    }

    /// The server was asked at `asked`, answered at `answered`, and showed `server_ms`.
    pub fn hear(&mut self, server_ms: u64, asked: Reading, answered: Reading) -> Finding {
        let Some(settling) = self.settling.filter(|_| self.has_settled(asked)) else {
            return Finding::Nothing;
        };
        let took_ms = answered.monotonic_ms.saturating_sub(asked.monotonic_ms);
        let even = |at: Reading| differ_little(settling.anchor_ms, at.anchor_ms());
        if took_ms > SERVER_ANSWER_MAX_MS.as_ms() || !even(asked) || !even(answered) {
            return Finding::Nothing;
        }
        let before_ms = asked.wall_ms.saturating_sub(server_ms);
        let after_ms = server_ms.saturating_sub(answered.wall_ms);
        let apart = DurationMs(before_ms.max(after_ms));
        self.settling = None;
        self.refuted = apart > DISAGREEMENT_MAX_MS;
        if self.refuted {
            return Finding::Contradicted { apart };
        }
        self.unconfirmed = None;
        self.anchor_ms = self.anchor_ms.max(answered.anchor_ms());
        Finding::Confirmed
    }
}

const fn differ_little(one_ms: u64, other_ms: u64) -> bool {
    one_ms.abs_diff(other_ms) <= DISAGREEMENT_MAX_MS.as_ms()
}

#[cfg(test)]
mod tests;
