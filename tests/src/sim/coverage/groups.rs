//! What there is to reach.

use std::sync::LazyLock;

use broker_core::Event;
use broker_core::effect::{EventKind, Outcome, PartnerCommand, PaymentCommand};
use broker_core::engine::limits::board::Operation;
use broker_core::engine::limits::breaker::Switched;
use broker_core::engine::limits::ladder::Rung;
use broker_core::engine::output::{CallOutcome, Fact};
use broker_core::event::{LapsedOperation, Ruling};
use broker_core::receipt::search::{Ending, Opening, SkipReason};
use broker_core::request::{Incident, Step};
use broker_core::row::Row;
use broker_core::timer::TimerKind;
use schemas::RejectReason;
use schemas::purchase::{CheckoutStatus, PurchaseStatus};

use crate::sim::fault::Fault;

/// One kind of thing to reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// Rows of the canonical tables.
    Row,
    /// Events that were applied.
    Event,
    /// States of a request.
    Status,
    /// States of a checkout.
    Checkout,
    /// What the search saw.
    Search,
    /// What was limited, and how.
    Load,
    /// Why partners were asked.
    Round,
    /// Why sweeps ended.
    Ending,
    /// Commands to bookstores and provider.
    Command,
    /// Lifecycle events.
    Told,
    /// Notifications.
    Notice,
    Incident,
    /// Why something was refused or failed.
    Reason,
    /// Faults of the simulated world.
    Fault,
    /// Faults of bookstores and provider.
    PartyFault,
    /// How requests stand at the end of their run.
    Outcome,
}

/// Something that no run reaches, and why.
#[derive(Debug, Clone, Copy)]
pub struct OutOfReach {
    pub group: Group,
    pub label: &'static str,
    pub why: &'static str,
}

const fn reason(label: &'static str, why: &'static str) -> OutOfReach {
    OutOfReach { group: Group::Reason, label, why }
}

const fn outcome(label: &'static str) -> OutOfReach {
    OutOfReach { group: Group::Outcome, label, why: "a run ends when everything is at rest" }
}

const fn event(label: &'static str) -> OutOfReach {
    OutOfReach { group: Group::Event, label, why: "happens to a store that was restored" }
}

const RESERVED: &str = "a name on the wire that no code path gives yet";
const SHELL: &str = "said by the network shell before the engine sees anything";

/// Everything else must be reached.
pub const OUT_OF_REACH: &[OutOfReach] = &[
    reason("no_inventory", RESERVED),
    reason("price_above_max", RESERVED),
    reason("quote_expired", RESERVED),
    reason("placement_unknown", RESERVED),
    reason("destination_unserviceable", "every simulated store delivers everywhere"),
    reason("content_type_unsupported", SHELL),
    reason("version_unsupported", SHELL),
    reason("shutting_down", SHELL),
    reason("internal", "the answer to a mistake of ours"),
    reason("quarantined", "a panic of the product ends a run; the end-to-end suite has its own"),
    event("frozen"),
    event("released"),
    outcome("pending"),
    outcome("searching"),
];

impl Group {
    pub const ALL: [Self; 16] = [
        Self::Row,
        Self::Event,
        Self::Status,
        Self::Checkout,
        Self::Search,
        Self::Load,
        Self::Round,
        Self::Ending,
        Self::Command,
        Self::Told,
        Self::Notice,
        Self::Incident,
        Self::Reason,
        Self::Fault,
        Self::PartyFault,
        Self::Outcome,
    ];
    pub const COUNT: usize = Self::ALL.len();

    pub const fn label(self) -> &'static str {
        match self {
            Self::Row => "row",
            Self::Event => "event",
            Self::Status => "status",
            Self::Checkout => "checkout",
            Self::Search => "search",
            Self::Load => "load",
            Self::Round => "round",
            Self::Ending => "ending",
            Self::Command => "command",
            Self::Told => "told",
            Self::Notice => "notice",
            Self::Incident => "incident",
            Self::Reason => "reason",
            Self::Fault => "fault",
            Self::PartyFault => "party_fault",
            Self::Outcome => "outcome",
        }
    }

    /// Everything in the group, in the order of its enum where it has one.
    pub fn labels(self) -> &'static [&'static str] {
        match self {
            Self::Row => &ROWS,
            Self::Event => EVENTS,
            Self::Status | Self::Outcome => &STATUSES,
            Self::Checkout => CHECKOUTS,
            Self::Search => SEARCH,
            Self::Load => LOAD,
            Self::Round => &OPENINGS,
            Self::Ending => &ENDINGS,
            Self::Command => COMMANDS,
            Self::Told => &TOLD,
            Self::Notice => &NOTICES,
            Self::Incident => INCIDENTS,
            Self::Reason => &REASONS,
            Self::Fault => &FAULTS,
            Self::PartyFault => PARTY_FAULTS,
        }
    }

    pub(super) fn index(self, label: &str) -> usize {
        let index = self.labels().iter().position(|known| *known == label);
        index.unwrap_or_else(|| panic!("{} has no {label}", self.label()))
    }

    pub(super) fn is_out_of_reach(self, label: &str) -> bool {
        OUT_OF_REACH.iter().any(|exception| exception.group == self && exception.label == label)
    }
}

type Labels = LazyLock<Vec<&'static str>>;

static ROWS: Labels = LazyLock::new(|| Row::ALL.iter().map(|row| row.label()).collect());
static TOLD: Labels = LazyLock::new(|| EventKind::ALL.map(EventKind::label).to_vec());
static NOTICES: Labels = LazyLock::new(|| Outcome::ALL.map(Outcome::label).to_vec());
static REASONS: Labels =
    LazyLock::new(|| RejectReason::ALL.iter().map(|reason| reason.label()).collect());
static OPENINGS: Labels = LazyLock::new(|| Opening::ALL.map(Opening::label).to_vec());
static ENDINGS: Labels = LazyLock::new(|| Ending::ALL.map(Ending::label).to_vec());
static FAULTS: Labels = LazyLock::new(|| Fault::ALL.iter().map(|fault| fault.label()).collect());
static STATUSES: Labels = LazyLock::new(|| {
    [
        PurchaseStatus::Pending,
        PurchaseStatus::Searching,
        PurchaseStatus::Quoted,
        PurchaseStatus::OutOfStock,
        PurchaseStatus::Ordering,
        PurchaseStatus::Ordered,
        PurchaseStatus::Expired,
        PurchaseStatus::Failed,
        PurchaseStatus::Canceled,
    ]
    .map(PurchaseStatus::label)
    .to_vec()
});

const EVENTS: &[&str] = &[
    "created",
    "admitted",
    "sweep_closed",
    "late_offer",
    "update",
    "cancel",
    "accept_quote",
    "partner",
    "payment",
    "expiry_timer",
    "sweep_timer",
    "step_timer",
    "undo_timer",
    "human_timer",
    "lapsed_reserve",
    "lapsed_authorize",
    "lapsed_place",
    "ruled_found",
    "ruled_not_found",
    "frozen",
    "released",
];

const CHECKOUTS: &[&str] = &[
    "reserving",
    "authorizing",
    "action_required",
    "placing",
    "placement_unknown",
    "capturing",
    "completed",
    "compensating",
    "compensated",
];

const SEARCH: &[&str] = &[
    "sweep_started",
    "sweep_closed",
    "offer",
    "no_stock",
    "refused",
    "invalid",
    "timed_out",
    "down",
    "late_quote",
    "duplicate_quote",
    "question_shared",
    "answer_remembered",
    "waits_for_copies",
    "hedged",
    "demoted",
    "invalid_quote",
    "commit_conflict",
    "stray_answer",
];

const LOAD: &[&str] = &[
    "waits",
    "let_in",
    "rung_normal",
    "rung_tier_1_only",
    "rung_cached_offers",
    "rung_refusing",
    "left_out_rate_limited",
    "left_out_asked_for_pause",
    "left_out_breaker_open",
    "retry_denied",
    "search_postponed",
    "breaker_opened",
    "breaker_closed",
    "order_breaker_opened",
    "repeat_put_off",
];

const COMMANDS: &[&str] = &[
    "reserve",
    "release",
    "place",
    "cancel",
    "lookup",
    "authorize",
    "capture",
    "void",
    "refund",
    "payment_lookup",
];

const INCIDENTS: &[&str] =
    &["placement_unknown", "late_order", "price_above_cap", "capture_failed", "undo_stuck"];

/// In the order of [`partner_sim::fault::Fault::ALL`].
const PARTY_FAULTS: &[&str] = &[
    "silent",
    "duplicate",
    "reorder",
    "late",
    "no_stock",
    "busy",
    "wrong_book",
    "absurd_price",
    "confirm_then_cancel",
    "accepted_without_answer",
    "lost",
    "price_above_cap",
    "price_raised",
    "declined",
    "action_required",
    "failed",
    "second_order",
];

pub(super) const fn event_label(event: &Event) -> &'static str {
    match event {
        Event::Timer(TimerKind::Expiry) => "expiry_timer",
        Event::Timer(TimerKind::Sweep) => "sweep_timer",
        Event::Timer(TimerKind::Step) => "step_timer",
        Event::Timer(TimerKind::Undo) => "undo_timer",
        Event::Timer(TimerKind::Human) => "human_timer",
        Event::Lapsed { operation: LapsedOperation::Reserve, .. } => "lapsed_reserve",
        Event::Lapsed { operation: LapsedOperation::Authorize, .. } => "lapsed_authorize",
        Event::Lapsed { operation: LapsedOperation::Place, .. } => "lapsed_place",
        Event::Operator(word) => match word.ruling {
            Ruling::Found { .. } => "ruled_found",
            Ruling::NotFound { .. } => "ruled_not_found",
            Ruling::Freeze => "frozen",
            Ruling::Release => "released",
        },
        other => other.label(),
    }
}

pub(super) const fn call_label(outcome: CallOutcome) -> &'static str {
    match outcome {
        CallOutcome::Offer => "offer",
        CallOutcome::NoStock => "no_stock",
        CallOutcome::Refused => "refused",
        CallOutcome::Invalid => "invalid",
        CallOutcome::TimedOut => "timed_out",
        CallOutcome::Down => "down",
    }
}

/// `fact` is one about load.
pub(super) fn load_label(fact: &Fact) -> &'static str {
    match fact {
        Fact::Waits { .. } => "waits",
        Fact::LetIn { .. } => "let_in",
        Fact::Rung(Rung::Normal) => "rung_normal",
        Fact::Rung(Rung::TierOneOnly) => "rung_tier_1_only",
        Fact::Rung(Rung::CachedOffers) => "rung_cached_offers",
        Fact::Rung(Rung::Refusing) => "rung_refusing",
        Fact::LeftOut { why: SkipReason::RateLimited, .. } => "left_out_rate_limited",
        Fact::LeftOut { why: SkipReason::AskedForPause, .. } => "left_out_asked_for_pause",
        Fact::LeftOut { .. } => "left_out_breaker_open",
        Fact::RetryDenied { .. } => "retry_denied",
        Fact::SearchPostponed { .. } => "search_postponed",
        Fact::Breaker { to: Switched::Closed, .. } => "breaker_closed",
        Fact::Breaker { operation: Operation::Quote, .. } => "breaker_opened",
        Fact::Breaker { .. } => "order_breaker_opened",
        Fact::RepeatPutOff { .. } => "repeat_put_off",
        other => panic!("not about load: {other:?}"),
    }
}

pub(super) const fn partner_label(command: &PartnerCommand) -> &'static str {
    match command {
        PartnerCommand::Reserve { .. } => "reserve",
        PartnerCommand::Release => "release",
        PartnerCommand::Place { .. } => "place",
        PartnerCommand::Cancel => "cancel",
        PartnerCommand::Lookup => "lookup",
    }
}

pub(super) const fn payment_label(command: &PaymentCommand) -> &'static str {
    match command {
        PaymentCommand::Authorize { .. } => "authorize",
        PaymentCommand::Capture { .. } => "capture",
        PaymentCommand::Void => "void",
        PaymentCommand::Refund => "refund",
        PaymentCommand::Lookup => "payment_lookup",
    }
}

pub(super) const fn incident_label(incident: Incident) -> &'static str {
    match incident {
        Incident::PlacementUnknown => "placement_unknown",
        Incident::LateOrder => "late_order",
        Incident::PriceAboveCap => "price_above_cap",
        Incident::CaptureFailed => "capture_failed",
        Incident::UndoStuck => "undo_stuck",
    }
}

pub(super) const fn checkout_status(step: &Step, undoing: bool) -> CheckoutStatus {
    match step {
        Step::Reserving { .. } => CheckoutStatus::Reserving,
        Step::Authorizing { .. } => CheckoutStatus::Authorizing,
        Step::ActionRequired { .. } => CheckoutStatus::ActionRequired,
        Step::Placing => CheckoutStatus::Placing,
        Step::PlacementUnknown(_) => CheckoutStatus::PlacementUnknown,
        Step::Capturing { .. } => CheckoutStatus::Capturing,
        Step::Completed => CheckoutStatus::Completed,
        Step::Failed(_) if undoing => CheckoutStatus::Compensating,
        Step::Failed(_) => CheckoutStatus::Compensated,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_stand_in_the_order_of_their_enums() {
        assert_eq!(CHECKOUTS[CheckoutStatus::Compensated as usize], "compensated");
        assert_eq!(STATUSES[PurchaseStatus::Canceled as usize], "canceled");
        assert_eq!(ROWS[Row::C19 as usize], "C19");
        assert_eq!(PARTY_FAULTS.len(), partner_sim::fault::Fault::ALL.len());
        let last = Fault::ALL.len() - 1;
        assert_eq!(Fault::ALL[last] as usize, last);
        assert_eq!(TOLD[EventKind::Incident as usize], "incident");
        assert_eq!(NOTICES[Outcome::Incident as usize], "incident");
    }
}
