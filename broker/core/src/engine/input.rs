//! What the shell tells the engine.

use schemas::id::CallId;
use schemas::{CustomerId, Digest, DurationMs, PartnerId, RequestId, Timestamp};

use super::ranking::Word;
use super::ranking::snapshot::SnapshotNumber;
use crate::batch::{Stored, StreamPosition};
use crate::event::{Event, LapsedOperation, OperatorWord, PartnerAnswer, PaymentAnswer};
use crate::quote::Quote;
use crate::request::Submission;
use crate::timer::TimerKind;

/// Names what waits for an answer (a stream message to ack, a reply subject). Chosen by the shell,
/// returned in [`super::output::Output::Done`]; the engine gives it no meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(pub u64);

/// Names one commit in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommitToken(pub u64);

/// One input. Times must not go backwards between calls.
#[derive(Debug, Clone)]
pub enum Input {
    /// Recovery: a request that was active when the process ended.
    Recover(RequestId),
    Create {
        origin: Origin,
        source: Option<StreamPosition>,
        submission: Box<Submission>,
    },
    Command {
        origin: Origin,
        source: Option<StreamPosition>,
        customer: CustomerId,
        request: RequestId,
        /// Digest of the command's body.
        digest: Digest,
        /// `Update`, `Cancel` or `AcceptQuote`.
        event: Event,
    },
    Get {
        origin: Origin,
        customer: CustomerId,
        request: RequestId,
    },
    Partner {
        origin: Origin,
        source: Option<StreamPosition>,
        request: RequestId,
        answer: PartnerAnswer,
    },
    Payment {
        origin: Origin,
        source: Option<StreamPosition>,
        request: RequestId,
        answer: PaymentAnswer,
    },
    /// Quote answers of one partner; `origin` only when they came through a stream.
    Quotes {
        origin: Option<Origin>,
        partner: PartnerId,
        answers: Vec<QuoteAnswer>,
    },
    /// The server says that nobody listens for this partner's questions.
    PartnerDown {
        partner: PartnerId,
        calls: Vec<CallId>,
    },
    /// These questions have not left us: nobody is to blame that they are not answered.
    NotSent {
        calls: Vec<CallId>,
    },
    /// An operator pins or bans a partner, or takes that back.
    Steer {
        origin: Origin,
        word: Box<Word>,
    },
    /// An operator asks how partners stand.
    ShowRanking {
        origin: Origin,
    },
    /// Somebody looks on: the running sweep of one request, or the running sweeps of all.
    ShowSweeps {
        origin: Origin,
        of: Option<RequestId>,
    },
    /// A snapshot of the ranking is durable.
    RankingKept(SnapshotNumber),
    /// A human's word about one request.
    Operator {
        origin: Origin,
        request: RequestId,
        word: Box<OperatorWord>,
    },
    Lapsed {
        request: RequestId,
        attempt: u8,
        operation: LapsedOperation,
    },
    Loaded {
        request: RequestId,
        stored: Option<Box<Stored>>,
    },
    Committed {
        token: CommitToken,
    },
    /// The version had moved on; nothing of the batch was written.
    Conflicted {
        token: CommitToken,
    },
    /// All durable timers with `at <= until`, oldest first.
    Timers {
        until: Timestamp,
        timers: Vec<TimerRow>,
    },
    /// Only time has passed.
    Tick,
}

/// One answer, already checked against its own rules (currency, amounts, text).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuoteAnswer {
    pub call: CallId,
    pub outcome: QuoteOutcome,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QuoteOutcome {
    /// `isbn` is what the partner says it offers; the engine compares it with the question.
    Offer {
        isbn: schemas::Isbn13,
        quote: Quote,
    },
    NoStock,
    /// `retry_after` says that this was too much for it now.
    Refused {
        retry_after: Option<DurationMs>,
    },
}

/// A row of the timer table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimerRow {
    pub at: Timestamp,
    pub request: RequestId,
    pub kind: TimerKind,
}
