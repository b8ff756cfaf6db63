//! What the engine asks the shell to do.

use schemas::id::CallId;
use schemas::purchase::PurchaseStatus;
use schemas::{
    Condition, Currency, Destination, DurationMs, Isbn13, PartnerId, RejectReason, RequestId,
    Timestamp, TraceContext,
};

use super::admission::Class;
use super::input::{CommitToken, Origin};
use super::limits::board::Operation;
use super::limits::breaker::Switched;
use super::limits::ladder::Rung;
use super::limits::load::PartnerLoad;
use super::ranking::snapshot::Snapshot;
use super::ranking::{Demotion, View};
use super::showing::RunningSweep;
use crate::batch::Batch;
use crate::partner::PartnerIndex;
use crate::receipt::search::{Ending, Opening, SkipReason};
use crate::request::PurchaseRequest;
use crate::row::Row;

#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Answer with [`super::input::Input::Loaded`].
    Load(RequestId),
    /// Answer with `Committed` or `Conflicted`; publish its outbox rows once durable.
    Commit { token: CommitToken, batch: Box<Batch> },
    /// Ask one partner, all questions of this turn in one message. Losing it costs a retry.
    Ask { partner: PartnerIndex, questions: Vec<Question> },
    /// Whatever waits for `origin` may be told now.
    Done { origin: Origin, answer: Answer },
    /// Answer with [`super::input::Input::Timers`]: all timers due up to `until`.
    ScanTimers { until: Timestamp },
    /// Keep the ranking and answer with [`super::input::Input::RankingKept`]; the last one kept is
    /// what the next start begins with. Losing one costs what was learned since the one before.
    SaveRanking(Box<Snapshot>),
    /// A fact for metrics and logs.
    Observe(Fact),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    pub call: CallId,
    pub isbn: Isbn13,
    pub quantity: u8,
    pub condition: Condition,
    pub currency: Currency,
    /// Zone only, without the address.
    pub destination: Destination,
    pub not_after: Timestamp,
    /// Of the request that asks first; others may come to share the answer.
    pub trace: TraceContext,
}

/// Decided from durable state.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Applied now, or (replayed) before. The request as it stands.
    Accepted { replayed: bool, request: Box<PurchaseRequest> },
    /// Refused for good, or for now when the reason is transient.
    Rejected {
        reason: RejectReason,
        detail: String,
        /// The same may succeed after so long.
        retry_after: Option<DurationMs>,
    },
    /// A message of a partner or provider was taken in (applied, duplicate or late), or an
    /// operator's word is kept.
    Taken,
    /// How partners stand and what limits them now, in the order of the directory.
    Ranking(Vec<(PartnerId, View, PartnerLoad)>),
    /// Sweeps that have not ended, oldest first.
    Sweeps(Vec<RunningSweep>),
}

/// Something worth counting.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    Transition {
        request: RequestId,
        event: &'static str,
        rows: Vec<Row>,
        from: Option<PurchaseStatus>,
        to: PurchaseStatus,
    },
    Refused {
        request: RequestId,
        event: &'static str,
        reason: RejectReason,
    },
    SweepStarted {
        request: RequestId,
        asked: usize,
    },
    /// A search that our limits cut short begins again later.
    SearchPostponed {
        request: RequestId,
    },
    /// More partners are asked, or the first ones.
    RoundOpened {
        why: Opening,
        asked: usize,
    },
    SweepClosed {
        request: RequestId,
        took_ms: u64,
        answered: usize,
        eligible: usize,
        /// Questions sent.
        called: usize,
        /// It was everybody's turn, shadows aside.
        all_had_their_turn: bool,
        why: Ending,
        trace: TraceContext,
    },
    /// A question was not sent because the same one is on its way for another request.
    QuestionShared {
        partner: PartnerIndex,
    },
    /// A question was not sent because its answer is known.
    AnswerRemembered {
        partner: PartnerIndex,
    },
    /// A sweep has chosen and waits: others are buying what may be the last copies there.
    WaitsForCopies {
        partner: PartnerIndex,
    },
    /// A second copy of a question was sent because the answer is later than usual.
    Hedged {
        partner: PartnerIndex,
    },
    /// A partner lost its tier at once.
    Demoted {
        partner: PartnerIndex,
        why: Demotion,
    },
    Quote {
        partner: PartnerIndex,
        outcome: CallOutcome,
        took_ms: u64,
    },
    /// An answer nobody waits for any more.
    LateQuote,
    DuplicateQuote,
    InvalidQuote {
        partner: PartnerIndex,
    },
    CommitConflict {
        request: RequestId,
    },
    /// A create waits to be let in.
    Waits {
        class: Class,
    },
    /// A create that waited is let in.
    LetIn {
        class: Class,
        waited_ms: u64,
    },
    /// More or less is given up.
    Rung(Rung),
    /// A partner whose turn it was is not asked after all.
    LeftOut {
        partner: PartnerIndex,
        why: SkipReason,
    },
    /// An unanswered question is not asked again: there has been enough of that.
    RetryDenied {
        partner: PartnerIndex,
    },
    /// A breaker has opened or closed.
    Breaker {
        partner: PartnerIndex,
        operation: Operation,
        to: Switched,
    },
    /// A repetition waits because its receiver has had enough of them.
    RepeatPutOff {
        request: RequestId,
    },
    /// A hold on stock, or the wish for one, has come to its end.
    Hold {
        partner: PartnerIndex,
        end: HoldEnd,
    },
    /// An answer about a request that does not exist, or from somebody not concerned.
    StrayAnswer {
        request: RequestId,
        reason: RejectReason,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallOutcome {
    Offer,
    NoStock,
    /// An honest no.
    Refused,
    /// About another book or in another currency.
    Invalid,
    TimedOut,
    Down,
}

/// What became of a reservation that a store was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HoldEnd {
    /// Its order was sent in time.
    Used,
    /// It was over before its order could be sent.
    Expired,
    /// It was not needed any more.
    GivenBack,
    /// The store would not hold the book.
    Refused,
    /// The store did not say in time.
    Unanswered,
}

impl HoldEnd {
    pub const ALL: [Self; 5] =
        [Self::Used, Self::Expired, Self::GivenBack, Self::Refused, Self::Unanswered];

    pub const fn label(self) -> &'static str {
        match self {
            Self::Used => "used",
            Self::Expired => "expired",
            Self::GivenBack => "given_back",
            Self::Refused => "refused",
            Self::Unanswered => "unanswered",
        }
    }
}
