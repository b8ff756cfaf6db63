//! The unit of durability: everything one decision changes, written together or not at all.

use schemas::id::CommandId;
use schemas::{Digest, RequestId, Timestamp, TraceContext};

use crate::effect::Effect;
use crate::event::Event;
use crate::receipt::Receipt;
use crate::request::{PurchaseRequest, Submission, Version};
use crate::timer::TimerOp;

/// Precondition of a batch, checked and applied atomically.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// No request with this id exists.
    Absent,
    Version(Version),
}

/// One compare-and-set on one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    pub expect: Expect,
    /// The head afterwards. Its version is the expected one plus the number of audit rows.
    pub request: PurchaseRequest,
    pub parts: Vec<Part>,
    pub outbox: Vec<OutboxRow>,
    pub timers: Vec<TimerOp>,
    pub index: Vec<IndexOp>,
    pub audit: Vec<AuditRow>,
    /// The message that caused it, if it came from a stream.
    pub source: Option<StreamPosition>,
}

/// Write-once rows of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// The submission is taken from `request.submission`.
    Submission,
    /// A command of the requester that was applied: the same id again gets the same answer.
    Command(CommandRecord),
    Receipt(Receipt),
}

/// An applied command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandRecord {
    pub command: CommandId,
    pub digest: Digest,
    /// Version that the command produced.
    pub version: Version,
}

/// One effect waiting to be published. Its message id is
/// `<incarnation>-<request>-<version>-<index>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxRow {
    pub request: RequestId,
    pub version: Version,
    pub index: u8,
    pub effect: Effect,
    /// The customer's own trace, if the request has one.
    pub trace: Option<TraceContext>,
}

/// Changes of the secondary indexes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexOp {
    /// The customer has this request (written once, at creation).
    AddToCustomer,
    /// The engine must look at it after a restart.
    AddActive,
    RemoveActive,
}

/// One applied event. Folding a request's rows over its submission gives its head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    pub version: Version,
    pub at: Timestamp,
    pub change: Change,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    Created,
    Applied(Event),
    /// Applied shortly after the clock had jumped ahead, by
    /// [`transition_in_doubt`](crate::transition::transition_in_doubt).
    AppliedInDoubt(Event),
}

impl Change {
    pub const fn event(&self) -> Option<&Event> {
        match self {
            Self::Created => None,
            Self::Applied(event) | Self::AppliedInDoubt(event) => Some(event),
        }
    }

    /// What changed the request, for logs and metrics.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Applied(event) | Self::AppliedInDoubt(event) => event.label(),
        }
    }
}

/// Where a message stood in its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct StreamPosition {
    pub stream: SourceStream,
    pub sequence: u64,
}

/// Streams the broker consumes. Numbers are the store's, append-only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum SourceStream {
    PurchaseCreates = 0,
    PurchaseCommands = 1,
    PartnerReplies = 2,
    PaymentReplies = 3,
}

impl SourceStream {
    pub const ALL: [Self; 4] =
        [Self::PurchaseCreates, Self::PurchaseCommands, Self::PartnerReplies, Self::PaymentReplies];

    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The stream's name on the server.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PurchaseCreates => "PURCHASE_CREATES",
            Self::PurchaseCommands => "PURCHASE_COMMANDS",
            Self::PartnerReplies => "PARTNER_REPLIES",
            Self::PaymentReplies => "PAYMENT_REPLIES",
        }
    }
}

/// A request as the store gives it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub request: PurchaseRequest,
    pub commands: Vec<CommandRecord>,
}

/// The write-once submission of a batch that creates a request.
pub fn submission_of(batch: &Batch) -> Option<&Submission> {
    batch
        .parts
        .iter()
        .any(|part| matches!(part, Part::Submission))
        .then_some(batch.request.submission.as_ref())
}
