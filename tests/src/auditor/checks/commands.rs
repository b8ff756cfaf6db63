//! What customers sent and were told, against what the broker keeps.

use std::collections::{BTreeMap, BTreeSet};

use broker_core::batch::Change;
use schemas::event::DeadPayload;
use schemas::purchase::{CommandReply, Mode, PurchaseStatus};
use schemas::{CommandId, CustomerId, Digest, DurationMs, RejectReason, RequestId, subject};

use super::Findings;
use crate::auditor::casebook::{Case, Casebook, Copy};
use crate::auditor::{Answer, Command, Trouble};

/// An ending is due so long after the deadline at the latest, clocks and a loaded machine included.
const OVERDUE_AFTER: DurationMs = DurationMs::from_secs(5);

/// P4, invariant NothingLost: every create that was acknowledged is in the store under the same
/// customer and body, or a dead letter says why not; every accepted change is in the log; and at
/// rest every request has come to an end, or rests with an answer given, or a human was called.
pub(in crate::auditor) fn nothing_lost(book: &Casebook<'_>, findings: &mut Findings) {
    let letters = dead_letters(book);
    for (request, case) in &book.cases {
        for copy in &case.sent {
            let there = match *copy.command {
                Command::Create(_) => create_is_there(book, case, copy, &letters),
                _ => change_is_there(case, copy),
            };
            findings.demand(there, *request, || {
                let operation = copy.command.operation().label();
                let customer = &copy.sent.customer;
                format!("{operation} by {customer} was acknowledged and is nowhere to be found")
            });
        }
        if let Some(head) = case.head {
            findings.demand(has_ended(book, head), *request, || {
                format!(
                    "it is {} at {}, its deadline was {}",
                    head.status.kind().label(),
                    book.evidence.at,
                    head.terms.expires_at
                )
            });
        }
    }
}

/// A stream that lost messages may have lost what it had acknowledged.
fn create_is_there(
    book: &Casebook<'_>,
    case: &Case<'_>,
    copy: &Copy<'_>,
    letters: &Letters<'_>,
) -> bool {
    let lost = || book.is_disturbed(&[Trouble::StreamLoss], copy.sent.answered, book.evidence.at);
    match &copy.sent.answer {
        Answer::Reply(reply) => is_rejected(reply) || is_kept(case, copy),
        Answer::Stored { .. } => is_kept(case, copy) || letters.tell_of(copy) || lost(),
        Answer::Silent => true,
    }
}

/// A change that the broker said it applied. One that was a copy, or had nothing left to do, is
/// answered as a replay and leaves no row of its own.
fn change_is_there(case: &Case<'_>, copy: &Copy<'_>) -> bool {
    let Answer::Reply(reply) = &copy.sent.answer else { return true };
    let CommandReply::Accepted { replayed: false, .. } = reply.as_ref() else { return true };
    let id = copy.command.command_id();
    id.is_none_or(|id| case.applied_commands().any(|(applied, ..)| applied == id))
}

fn has_ended(book: &Casebook<'_>, head: &broker_core::PurchaseRequest) -> bool {
    let watches = head.submission.mode == Mode::Watch;
    let resting = match head.status.kind() {
        PurchaseStatus::Quoted | PurchaseStatus::OutOfStock => true,
        PurchaseStatus::Searching => watches,
        _ => false,
    };
    let overdue = head.terms.expires_at.saturating_add(OVERDUE_AFTER) < book.evidence.at;
    let waits = resting && head.notified > 0 && !overdue;
    head.is_closed() || waits || head.incident.is_some()
}

fn is_kept(case: &Case<'_>, copy: &Copy<'_>) -> bool {
    case.head.is_some_and(|head| {
        head.submission.digest == copy.digest && head.submission.customer == copy.sent.customer
    })
}

/// Creates that were given up.
#[derive(Default)]
struct Letters<'c> {
    /// By the digest of the body in the letter.
    bodies: BTreeSet<Digest>,
    /// Subjects of letters whose body is kept nowhere.
    withheld: BTreeSet<&'c str>,
}

impl Letters<'_> {
    fn tell_of(&self, copy: &Copy<'_>) -> bool {
        let subject = subject::purchase_command(copy.command.operation(), &copy.sent.customer);
        self.withheld.contains(subject.as_str())
            || self.bodies.contains(&Digest::of(&copy.sent.command.body()))
    }
}

fn dead_letters<'c>(book: &'c Casebook<'_>) -> Letters<'c> {
    let mut letters = Letters::default();
    for letter in book.mail.letters.iter().map(|letter| &letter.letter) {
        match &letter.payload {
            DeadPayload::Text(text) => {
                letters.bodies.insert(Digest::of(text.as_bytes()));
            }
            DeadPayload::Base64(_) | DeadPayload::Withheld => {
                letters.withheld.insert(&letter.subject);
            }
        }
    }
    letters
}

/// P4, invariant SubmitIdempotent: one id has one body and one owner; the first acceptance is the
/// only one that is not a replay; another body under the id is refused as a conflict; no command
/// is applied twice.
pub(in crate::auditor) fn submit_idempotent(book: &Casebook<'_>, findings: &mut Findings) {
    for (request, case) in &book.cases {
        let created = case.steps.iter().filter(|step| matches!(step.change, Change::Created));
        findings.demand(created.count() <= 1, *request, || "it was created twice".to_owned());
        let mut fresh: BTreeMap<(Option<&CommandId>, &CustomerId, Digest), usize> = BTreeMap::new();
        for copy in &case.sent {
            let Answer::Reply(reply) = &copy.sent.answer else { continue };
            if matches!(*copy.command, Command::Create(_)) {
                one_body(*request, case, copy, reply, findings);
            }
            if let CommandReply::Accepted { replayed: false, .. } = reply.as_ref() {
                let named = (copy.command.command_id(), &copy.sent.customer, copy.digest);
                *fresh.entry(named).or_default() += 1;
            }
        }
        for ((command, ..), times) in fresh {
            findings.demand(times <= 1, *request, || {
                let named = command.map_or("the create".to_owned(), ToString::to_string);
                format!("{named} was accepted as new {times} times")
            });
        }
        let mut applied = BTreeSet::new();
        for (command, ..) in case.applied_commands() {
            findings.demand(applied.insert(command), *request, || {
                format!("{command} was applied twice")
            });
        }
    }
}

fn one_body(
    request: RequestId,
    case: &Case<'_>,
    copy: &Copy<'_>,
    reply: &CommandReply,
    findings: &mut Findings,
) {
    let kept = is_kept(case, copy);
    match reply {
        CommandReply::Accepted { request: view, .. } => {
            findings.demand(kept && view.request_id == request, request, || {
                "another body (or another customer) was accepted under its id".to_owned()
            });
        }
        CommandReply::Rejected(problem) => {
            // It may have been refused for another reason before it was accepted, but it never
            // conflicts with itself.
            let conflict = problem.code == RejectReason::Conflict;
            findings.demand(!kept || !conflict, request, || {
                "a copy of what is stored was refused as a conflict".to_owned()
            });
        }
    }
}

/// P4, invariant RejectedHasNoEffect: what was refused for good left no trace, and nothing is in
/// the store that no customer sent.
pub(in crate::auditor) fn rejected_has_no_effect(book: &Casebook<'_>, findings: &mut Findings) {
    for (request, case) in &book.cases {
        if let Some(head) = case.head {
            let wanted = (&head.submission.customer, head.submission.digest);
            let mut copies = case.sent.iter().filter(|copy| {
                matches!(*copy.command, Command::Create(_))
                    && (&copy.sent.customer, copy.digest) == wanted
            });
            findings.demand(copies.any(|copy| may_have_effect(book, copy)), *request, || {
                "it is stored although nobody sent it, or it was refused".to_owned()
            });
        }
        for (command, event, _) in case.applied_commands() {
            let mut copies =
                case.sent.iter().filter(|copy| copy.command.command_id() == Some(command));
            findings.demand(copies.any(|copy| may_have_effect(book, copy)), *request, || {
                format!(
                    "{} {command} was applied although nobody sent it, or it was refused",
                    event.label()
                )
            });
        }
    }
}

/// A call that the network doubled is judged twice, and the second time may find what the first
/// did not.
fn may_have_effect(book: &Casebook<'_>, copy: &Copy<'_>) -> bool {
    match &copy.sent.answer {
        Answer::Stored { .. } | Answer::Silent => true,
        Answer::Reply(reply) => match reply.as_ref() {
            CommandReply::Accepted { .. } => true,
            CommandReply::Rejected(problem) => {
                let doubled = problem.code == RejectReason::NotFound
                    && book.is_disturbed(&[Trouble::Network], copy.sent.at, copy.sent.answered);
                problem.retryable || doubled
            }
        },
    }
}

fn is_rejected(reply: &CommandReply) -> bool {
    matches!(reply, CommandReply::Rejected(_))
}
