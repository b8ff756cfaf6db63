//! Durable timers: each kind at most once per request, stored deadline-first.

use schemas::Timestamp;

/// When to wake a request. Numbers are the store's, append-only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum TimerKind {
    /// When to close a request whose `expires_at` has come.
    Expiry = 0,
    /// When to sweep again (retry after no answers, or the watch cadence).
    Sweep = 1,
    /// When to stop waiting for the answer of the current checkout step, or to ask again.
    Step = 2,
    /// When to send unanswered compensations again.
    Undo = 3,
    /// When to call a human about an unknown placement.
    Human = 4,
}

impl TimerKind {
    pub const ALL: [Self; 5] = [Self::Expiry, Self::Sweep, Self::Step, Self::Undo, Self::Human];

    pub const fn number(self) -> u8 {
        self as u8
    }

    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }

    pub const fn label(self) -> &'static str {
        match self {
            Self::Expiry => "expiry",
            Self::Sweep => "sweep",
            Self::Step => "step",
            Self::Undo => "undo",
            Self::Human => "human",
        }
    }
}

/// The timers of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Timers([Option<Timestamp>; TimerKind::ALL.len()]);

impl Timers {
    pub fn get(&self, kind: TimerKind) -> Option<Timestamp> {
        self.0[usize::from(kind.number())]
    }

    pub fn set(&mut self, kind: TimerKind, at: Timestamp) {
        self.0[usize::from(kind.number())] = Some(at);
    }

    pub fn clear(&mut self, kind: TimerKind) {
        self.0[usize::from(kind.number())] = None;
    }

    /// What the store must do to get from `before` to `self`.
    pub fn diff(&self, before: &Self) -> Vec<TimerOp> {
        let mut ops = Vec::new();
        for kind in TimerKind::ALL {
            let (old, new) = (before.get(kind), self.get(kind));
            if old == new {
                continue;
            }
            ops.extend(old.map(|at| TimerOp::Clear { kind, at }));
            ops.extend(new.map(|at| TimerOp::Set { kind, at }));
        }
        ops
    }
}

/// One change of the timer table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimerOp {
    Set { kind: TimerKind, at: Timestamp },
    Clear { kind: TimerKind, at: Timestamp },
}
