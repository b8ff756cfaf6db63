//! One request in memory: its record, what waits for it, its commit in flight and its sweep.

use std::collections::VecDeque;

use schemas::{CustomerId, Digest, Timestamp};

use super::input::{CommitToken, Origin};
use super::output::{Answer, Fact};
use super::postponing::Postponed;
use super::sweep::Sweep;
use crate::batch::{CommandRecord, StreamPosition};
use crate::event::{Event, OperatorWord};
use crate::receipt::Receipt;
use crate::request::{PurchaseRequest, Submission};
use crate::timer::{TimerKind, TimerOp};

#[derive(Debug)]
pub(super) struct Hot {
    pub(super) presence: Presence,
    pub(super) commands: Vec<CommandRecord>,
    pub(super) queue: VecDeque<Work>,
    pub(super) entrance: Entrance,
    pub(super) committing: Option<InFlight>,
    pub(super) sweep: Option<Sweep>,
    pub(super) postponed: Postponed,
}

/// Whether a create of this request has been let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entrance {
    /// It has to ask.
    Closed,
    /// It stands in line; its create is the first of the queue.
    Waiting,
    /// It may become durable.
    Open,
}

/// What the store knows of the request, as of the last commit.
#[derive(Debug)]
pub(super) enum Presence {
    Loading,
    Absent,
    Present(Box<PurchaseRequest>),
}

/// Something to decide, and who waits for the answer.
#[derive(Debug, Clone)]
pub(super) struct Work {
    pub(super) origin: Option<Origin>,
    pub(super) source: Option<StreamPosition>,
    pub(super) task: Task,
}

#[derive(Debug, Clone)]
pub(super) enum Task {
    Create(Box<Submission>),
    Command {
        customer: CustomerId,
        digest: Digest,
        event: Event,
    },
    Get {
        customer: CustomerId,
    },
    /// A partner's or provider's answer, or a lapsed copy.
    Answer(Event),
    Operator(Box<OperatorWord>),
    Timer {
        kind: TimerKind,
        at: Timestamp,
    },
    /// A sweep's conclusion or a late offer; the receipt becomes durable with it.
    Sweep {
        event: Event,
        receipt: Option<Box<Receipt>>,
    },
}

/// A batch handed to the store, and what follows once it is durable.
#[derive(Debug)]
pub(super) struct InFlight {
    pub(super) token: CommitToken,
    /// Decided again after a conflict.
    pub(super) work: Work,
    pub(super) next: Box<PurchaseRequest>,
    pub(super) command: Option<CommandRecord>,
    pub(super) timers: Vec<TimerOp>,
    pub(super) answer: Answer,
    pub(super) fact: Fact,
}

impl Hot {
    pub(super) fn loading() -> Self {
        Self {
            presence: Presence::Loading,
            commands: Vec::new(),
            queue: VecDeque::new(),
            entrance: Entrance::Closed,
            committing: None,
            sweep: None,
            postponed: Postponed::default(),
        }
    }

    pub(super) fn request(&self) -> Option<&PurchaseRequest> {
        match &self.presence {
            Presence::Present(request) => Some(request),
            Presence::Loading | Presence::Absent => None,
        }
    }
}
