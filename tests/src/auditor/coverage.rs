//! How often a run reached what can be reached: a promise that nothing ever put to the test was not
//! kept, only not broken.

use std::collections::BTreeMap;
use std::fmt;

use broker_core::effect::{Effect, EventKind, Outcome};
use broker_core::receipt::Verdict;
use broker_core::request::{Incident, Status, Step};
use broker_core::row::Row;
use partner_sim::fault::Fault;
use partner_sim::ledger::Decisions;
use schemas::RejectReason;
use schemas::purchase::{CheckoutStatus, CommandReply, PurchaseStatus};

use super::casebook::{Case, Casebook};
use super::{Answer, Trouble};

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reach {
    /// Status of a purchase request after a change.
    Status,
    /// Step of a checkout after a change.
    Checkout,
    /// Row of the canonical tables.
    Row,
    /// Event applied.
    Event,
    /// Lifecycle event decided.
    Lifecycle,
    /// Notification decided.
    Notice,
    /// Reason of a refusal, a failure or a dead letter.
    Reason,
    Incident,
    /// Verdict of a decision receipt.
    Verdict,
    /// Misbehaviour of a store or of the provider.
    StoreFault,
    /// Kind of disturbance.
    Trouble,
}

impl Reach {
    pub const ALL: [Self; 11] = [
        Self::Status,
        Self::Checkout,
        Self::Row,
        Self::Event,
        Self::Lifecycle,
        Self::Notice,
        Self::Reason,
        Self::Incident,
        Self::Verdict,
        Self::StoreFault,
        Self::Trouble,
    ];

    /// Everything of this kind, by label.
    pub fn labels(self) -> Vec<&'static str> {
        match self {
            Self::Status => STATUSES.map(PurchaseStatus::label).to_vec(),
            Self::Checkout => CHECKOUTS.map(checkout_label).to_vec(),
            Self::Row => Row::ALL.iter().map(|row| row.label()).collect(),
            Self::Event => EVENTS.to_vec(),
            Self::Lifecycle => EventKind::ALL.map(EventKind::label).to_vec(),
            Self::Notice => Outcome::ALL.map(Outcome::label).to_vec(),
            Self::Reason => RejectReason::ALL.iter().map(|reason| reason.label()).collect(),
            Self::Incident => INCIDENTS.map(incident_label).to_vec(),
            Self::Verdict => VERDICTS.map(verdict_label).to_vec(),
            Self::StoreFault => Fault::ALL.map(fault_label).to_vec(),
            Self::Trouble => Trouble::ALL.map(Trouble::label).to_vec(),
        }
    }
}

/// Counts by kind and label.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Coverage(BTreeMap<(Reach, &'static str), u64>);

impl Coverage {
    pub fn count(&mut self, kind: Reach, label: &'static str) {
        *self.0.entry((kind, label)).or_default() += 1;
    }

    /// Adds what another run reached.
    pub fn merge(&mut self, other: &Self) {
        for (what, times) in &other.0 {
            *self.0.entry(*what).or_default() += times;
        }
    }

    pub fn get(&self, kind: Reach, label: &'static str) -> u64 {
        self.0.get(&(kind, label)).copied().unwrap_or_default()
    }

    pub fn iter(&self) -> impl Iterator<Item = (Reach, &'static str, u64)> {
        self.0.iter().map(|((kind, label), times)| (*kind, *label, *times))
    }

    /// What exists and was never reached.
    pub fn unreached(&self) -> Vec<(Reach, &'static str)> {
        let all = Reach::ALL.into_iter();
        let all = all.flat_map(|kind| kind.labels().into_iter().map(move |label| (kind, label)));
        all.filter(|what| !self.0.contains_key(what)).collect()
    }

    pub(super) fn of(book: &Casebook<'_>) -> Self {
        let mut coverage = Self::default();
        for case in book.cases.values() {
            coverage.history(case);
            coverage.ledgers(case);
            for copy in &case.sent {
                if let Answer::Reply(reply) = &copy.sent.answer
                    && let CommandReply::Rejected(problem) = reply.as_ref()
                {
                    coverage.count(Reach::Reason, problem.code.label());
                }
            }
        }
        for receipt in book.evidence.receipts.values().flatten() {
            coverage.count(Reach::Verdict, verdict_label(receipt.verdict));
        }
        for letter in &book.mail.letters {
            coverage.count(Reach::Reason, letter.letter.reason.label());
        }
        for disturbance in &book.evidence.disturbances {
            coverage.count(Reach::Trouble, disturbance.what.label());
        }
        coverage
    }

    fn history(&mut self, case: &Case<'_>) {
        let mut incident = None;
        for step in &case.steps {
            let next = &step.next;
            self.count(Reach::Status, next.status.kind().label());
            if let Some(checkout) = &next.checkout {
                let undoing = !next.undo.is_empty();
                self.count(Reach::Checkout, checkout_label(checkout_of(&checkout.step, undoing)));
                if let Step::Failed(reason) = checkout.step {
                    self.count(Reach::Reason, reason.label());
                }
            }
            if let Status::Failed(reason) = next.status {
                self.count(Reach::Reason, reason.label());
            }
            for row in &step.rows {
                self.count(Reach::Row, row.label());
            }
            if let Some(event) = step.event() {
                self.count(Reach::Event, event.label());
            }
            for effect in step.effects() {
                match effect {
                    Effect::Event { kind, .. } => self.count(Reach::Lifecycle, kind.label()),
                    Effect::Notify { outcome, .. } => self.count(Reach::Notice, outcome.label()),
                    Effect::Partner { .. } | Effect::Payment { .. } => {}
                }
            }
            if let Some(told) = next.incident.filter(|told| incident != Some(*told)) {
                self.count(Reach::Incident, incident_label(told));
            }
            incident = next.incident;
        }
    }

    fn ledgers(&mut self, case: &Case<'_>) {
        case.orders.iter().for_each(|order| self.faults(&order.decisions));
        case.reservations.iter().for_each(|hold| self.faults(&hold.decisions));
        case.payments.iter().for_each(|payment| self.faults(&payment.decisions));
    }

    fn faults<O>(&mut self, decisions: &Decisions<O>) {
        for fault in decisions.kept.iter().flat_map(|decision| &decision.faults) {
            self.count(Reach::StoreFault, fault_label(*fault));
        }
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for kind in Reach::ALL {
            let counts = kind.labels().into_iter().map(|label| (label, self.get(kind, label)));
            let counts: Vec<_> = counts.map(|(label, times)| format!("{label} {times}")).collect();
            writeln!(f, "{kind:?}: {}", counts.join(", "))?;
        }
        Ok(())
    }
}

const STATUSES: [PurchaseStatus; 9] = [
    PurchaseStatus::Pending,
    PurchaseStatus::Searching,
    PurchaseStatus::Quoted,
    PurchaseStatus::OutOfStock,
    PurchaseStatus::Ordering,
    PurchaseStatus::Ordered,
    PurchaseStatus::Expired,
    PurchaseStatus::Failed,
    PurchaseStatus::Canceled,
];

const CHECKOUTS: [CheckoutStatus; 9] = [
    CheckoutStatus::Reserving,
    CheckoutStatus::Authorizing,
    CheckoutStatus::ActionRequired,
    CheckoutStatus::Placing,
    CheckoutStatus::PlacementUnknown,
    CheckoutStatus::Capturing,
    CheckoutStatus::Completed,
    CheckoutStatus::Compensating,
    CheckoutStatus::Compensated,
];

const EVENTS: [&str; 10] = [
    "admitted",
    "sweep_closed",
    "late_offer",
    "update",
    "cancel",
    "accept_quote",
    "partner",
    "payment",
    "timer",
    "lapsed",
];

const INCIDENTS: [Incident; 5] = [
    Incident::PlacementUnknown,
    Incident::LateOrder,
    Incident::PriceAboveCap,
    Incident::CaptureFailed,
    Incident::UndoStuck,
];

const VERDICTS: [Verdict; 4] =
    [Verdict::Buy, Verdict::TooDear, Verdict::NoStock, Verdict::NoAnswer];

const fn checkout_of(step: &Step, undoing: bool) -> CheckoutStatus {
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

const fn checkout_label(status: CheckoutStatus) -> &'static str {
    match status {
        CheckoutStatus::Reserving => "reserving",
        CheckoutStatus::Authorizing => "authorizing",
        CheckoutStatus::ActionRequired => "action_required",
        CheckoutStatus::Placing => "placing",
        CheckoutStatus::PlacementUnknown => "placement_unknown",
        CheckoutStatus::Capturing => "capturing",
        CheckoutStatus::Completed => "completed",
        CheckoutStatus::Compensating => "compensating",
        CheckoutStatus::Compensated => "compensated",
    }
}

const fn incident_label(incident: Incident) -> &'static str {
    match incident {
        Incident::PlacementUnknown => "placement_unknown",
        Incident::LateOrder => "late_order",
        Incident::PriceAboveCap => "price_above_cap",
        Incident::CaptureFailed => "capture_failed",
        Incident::UndoStuck => "undo_stuck",
    }
}

const fn verdict_label(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Buy => "buy",
        Verdict::TooDear => "too_dear",
        Verdict::NoStock => "no_stock",
        Verdict::NoAnswer => "no_answer",
    }
}

const fn fault_label(fault: Fault) -> &'static str {
    match fault {
        Fault::Silent => "silent",
        Fault::Duplicate => "duplicate",
        Fault::Reorder => "reorder",
        Fault::Late => "late",
        Fault::NoStock => "no_stock",
        Fault::Busy => "busy",
        Fault::WrongBook => "wrong_book",
        Fault::AbsurdPrice => "absurd_price",
        Fault::ConfirmThenCancel => "confirm_then_cancel",
        Fault::AcceptedWithoutAnswer => "accepted_without_answer",
        Fault::Lost => "lost",
        Fault::PriceAboveCap => "price_above_cap",
        Fault::PriceRaised => "price_raised",
        Fault::Declined => "declined",
        Fault::ActionRequired => "action_required",
        Fault::Failed => "failed",
        Fault::SecondOrder => "second_order",
    }
}
