//! Commands that race the order: what the customer was told must be what then happened.

use broker_core::effect::{Effect, EventKind};
use broker_core::request::{Incident, Status};
use broker_core::row::Row;
use broker_core::{Event, PurchaseRequest};
use schemas::purchase::{CommandReply, PurchaseStatus, PurchaseView};
use schemas::{RejectReason, RequestId, Timestamp};

use super::Findings;
use crate::auditor::casebook::{Case, Casebook, Copy, Step};
use crate::auditor::{Answer, Command};

/// P4, invariant CancelLinearizable: who was told "canceled" has no order at any later instant; who
/// was told "too late" had an order decided by then; who was told to wait gets an answer; and an
/// accepted cancel is never refused afterwards.
pub(in crate::auditor) fn cancel_linearizable(book: &Casebook<'_>, findings: &mut Findings) {
    for (request, case) in &book.cases {
        let is_cancel = |copy: &Copy<'_>| matches!(*copy.command, Command::Cancel(_));
        for copy in case.sent.iter().filter(|copy| is_cancel(copy)) {
            let told = copy.sent.answered;
            match reply(copy) {
                Some(CommandReply::Accepted { request: view, .. }) => {
                    if view.status == PurchaseStatus::Canceled {
                        stays_canceled(book, *request, case, told, findings);
                    }
                    never_taken_back(*request, case, copy, findings);
                }
                Some(CommandReply::Rejected(problem)) if problem.code == RejectReason::TooLate => {
                    findings.demand(has_intent(book, case, told), *request, || {
                        format!("its cancel was too late at {told}, and no order was decided")
                    });
                }
                Some(CommandReply::Rejected(_)) | None => {}
            }
        }
        for step in case.steps.iter().filter(|step| asks_to_cancel(step)) {
            let answered = case.head.is_none_or(|head| is_answered(book, case, step, head));
            findings.demand(answered, *request, || {
                let version = step.next.version.0;
                format!("the cancel of version {version} was accepted and nothing came of it")
            });
        }
    }
}

fn reply<'c>(copy: &'c Copy<'_>) -> Option<&'c CommandReply> {
    match &copy.sent.answer {
        Answer::Reply(reply) => Some(reply),
        Answer::Stored { .. } | Answer::Silent => None,
    }
}

fn stays_canceled(
    book: &Casebook<'_>,
    request: RequestId,
    case: &Case<'_>,
    told: Timestamp,
    findings: &mut Findings,
) {
    let standing = case.orders.iter().find(|order| {
        // Stores have clocks of their own.
        let by = told.saturating_add(book.evidence.policy.clock_margin);
        let ends = order.ended(Timestamp::MAX).is_some_and(|end| end.at <= by);
        let alarmed = book.may_surprise(&order.partner) && case.has_told(Incident::LateOrder);
        order.accepted_at().is_some() && !ends && !alarmed
    });
    findings.demand(standing.is_none(), request, || {
        let key = standing.map(|order| order.placement_key.to_string()).unwrap_or_default();
        format!("its customer was told at {told} that it is canceled, and {key} stands after that")
    });
    let is_canceled = case.head.is_some_and(|head| head.status == Status::Canceled);
    findings.demand(is_canceled, request, || {
        format!("its customer was told at {told} that it is canceled, and it is not")
    });
}

/// Copies sent after the first acceptance was heard get the same answer.
fn never_taken_back(
    request: RequestId,
    case: &Case<'_>,
    accepted: &Copy<'_>,
    findings: &mut Findings,
) {
    // What had nothing left to do is answered and not remembered: it may be judged anew.
    let id = accepted.command.command_id();
    if !case.applied_commands().any(|(applied, ..)| Some(applied) == id) {
        return;
    }
    let later = case.sent.iter().filter(|copy| {
        copy.digest == accepted.digest
            && copy.sent.customer == accepted.sent.customer
            && copy.sent.at > accepted.sent.answered
    });
    for copy in later {
        let refused = match reply(copy) {
            Some(CommandReply::Rejected(problem)) => !problem.retryable,
            Some(CommandReply::Accepted { .. }) | None => false,
        };
        findings.demand(!refused, request, || {
            let operation = copy.command.operation().label();
            let (accepted, refused) = (accepted.sent.answered, copy.sent.answered);
            format!("the same {operation} was accepted at {accepted} and refused at {refused}")
        });
    }
}

/// An order was decided before `told`, as far as clocks can say.
fn has_intent(book: &Casebook<'_>, case: &Case<'_>, told: Timestamp) -> bool {
    let by = told.saturating_add(book.evidence.policy.clock_margin);
    let intended = |step: &Step<'_>| step.rows.contains(&Row::C8);
    case.steps.iter().any(|step| intended(step) && (step.at <= by || book.has_run_off(told)))
}

/// A cancel that had to wait for the order's own outcome: its customer was told so.
fn asks_to_cancel(step: &Step<'_>) -> bool {
    let mut effects = step.effects();
    let told = |effect| matches!(effect, &Effect::Event { kind: EventKind::CancelRequested, .. });
    matches!(step.event(), Some(Event::Cancel { .. })) && effects.any(told)
}

/// It ended without an order, or the store kept the order and the customer was told so, or the
/// store cannot cancel at all, or a human was called.
fn is_answered(
    book: &Casebook<'_>,
    case: &Case<'_>,
    asked: &Step<'_>,
    head: &PurchaseRequest,
) -> bool {
    let refused = |step: &Step<'_>| {
        let mut effects = step.effects();
        effects.any(|effect| matches!(effect, Effect::Event { kind: EventKind::CancelRefused, .. }))
    };
    let mut later = case.steps.iter().filter(|step| step.next.version > asked.next.version);
    let cannot = || {
        let store = head.checkout.as_ref().map(|checkout| &checkout.quote.partner);
        store.is_none_or(|store| !book.evidence.policy.partners.profile(store).cancel)
    };
    match head.status.kind() {
        PurchaseStatus::Canceled | PurchaseStatus::Failed | PurchaseStatus::Expired => true,
        PurchaseStatus::Ordered => {
            later.any(refused) || cannot() || !head.undo.is_empty() && head.incident.is_some()
        }
        PurchaseStatus::Pending
        | PurchaseStatus::Searching
        | PurchaseStatus::Quoted
        | PurchaseStatus::OutOfStock
        | PurchaseStatus::Ordering => head.incident.is_some(),
    }
}

/// P2, invariant UpdateLinearizable: an update that was applied binds every order decided after it;
/// the answer shows the terms of the version it made; who was told "too late" had an order decided
/// by then; and an accepted update is never refused afterwards.
pub(in crate::auditor) fn update_linearizable(book: &Casebook<'_>, findings: &mut Findings) {
    for (request, case) in &book.cases {
        binds_orders(*request, case, findings);
        for copy in &case.sent {
            let Command::Update(update) = &*copy.command else { continue };
            let told = copy.sent.answered;
            match reply(copy) {
                Some(CommandReply::Accepted { replayed, request: view }) => {
                    never_taken_back(*request, case, copy, findings);
                    let mut applied = case.applied_commands();
                    let made = applied.find(|(command, ..)| **command == update.command_id);
                    let shown = *replayed || made.is_some_and(|(.., step)| shows(view, step));
                    findings.demand(shown, *request, || {
                        format!(
                            "the answer to {} shows version {}",
                            update.command_id, view.version
                        )
                    });
                }
                Some(CommandReply::Rejected(problem)) if problem.code == RejectReason::TooLate => {
                    findings.demand(has_intent(book, case, told), *request, || {
                        format!("its update was too late at {told}, and no order was decided")
                    });
                }
                Some(CommandReply::Rejected(_)) | None => {}
            }
        }
    }
}

fn shows(view: &PurchaseView, step: &Step<'_>) -> bool {
    let terms = &step.next.terms;
    view.version == step.next.version.0
        && (view.max_total, view.expires_at) == (terms.max_total, terms.expires_at)
        && view.strategy == terms.strategy
}

/// Every intent names a version at or after the last update before it, and obeys its terms.
fn binds_orders(request: RequestId, case: &Case<'_>, findings: &mut Findings) {
    let mut updated = None;
    for step in &case.steps {
        if matches!(step.event(), Some(Event::Update(_))) {
            updated = Some(step);
        }
        let (Some(update), true) = (updated, step.rows.contains(&Row::C8)) else { continue };
        let Some(intent) = step.next.checkout.as_ref().and_then(|c| c.intent) else { continue };
        let version = update.next.version;
        let named = case.step(intent.version).map(|step| &step.next.terms);
        let obeys = intent.version >= version
            && named.is_some_and(|terms| {
                intent.price_cap.at_most(terms.max_total).unwrap_or(false)
                    && intent.not_after < terms.expires_at
            });
        findings.demand(obeys, request, || {
            let named = intent.version.0;
            format!("an order obeys version {named}, version {} had changed its terms", version.0)
        });
    }
}
