//! Streams against store: what came in is dealt with, what was decided went out.

use broker_core::batch::SourceStream;
use broker_core::effect::Lane;
use schemas::subject::{PurchaseOperation, parse_purchase};
use schemas::{RequestId, Timestamp, stream};

use super::Findings;
use super::wire::{belongs, differs, is_copy, is_in};
use crate::auditor::casebook::{Case, Casebook, Posted};
use crate::auditor::{Seen, Trouble, peek};

/// P4, invariant StreamAgreement: every create that a stream acknowledged is in the store or in a
/// dead letter, whatever was killed when; and the store knows of no message that its stream never
/// had, unless the stream is known to have lost some.
pub(in crate::auditor) fn stream_agreement(book: &Casebook<'_>, findings: &mut Findings) {
    for seen in &book.mail.creates {
        findings.examine();
        // What a stream lost before anybody read it, nobody could deal with.
        let lost = book.is_disturbed(&[Trouble::StreamLoss], seen.at, book.evidence.at);
        if !is_dealt_with(book, seen) && !lost {
            let id = &seen.message_id;
            findings.general(format!("{} ({id:?}) was stored and is nowhere", seen.subject));
        }
    }
    let everything = (Timestamp::ZERO, book.evidence.at);
    if book.is_disturbed(&[Trouble::StreamLoss], everything.0, everything.1) {
        return;
    }
    let Some(meta) = &book.evidence.background.meta else { return };
    let applied = SourceStream::ALL.map(|source| (source.name(), meta.applied(source)));
    let marks = meta.streams.iter().map(|mark| (mark.stream.as_str(), mark.sequence));
    for (stream, known) in applied.into_iter().chain(marks) {
        let last = book.mail.last.iter().find(|(name, _)| **name == stream);
        let last = last.map_or(0, |(_, last)| *last);
        findings.examine();
        if known > last {
            findings.general(format!("the store knows {stream} up to {known}, it ends at {last}"));
        }
    }
}

fn is_dealt_with(book: &Casebook<'_>, seen: &Seen) -> bool {
    let customer = match parse_purchase(&seen.subject) {
        Some((PurchaseOperation::Create, customer)) => Some(customer),
        Some(_) | None => None,
    };
    let request =
        peek::text(&seen.body, "\"request_id\":").and_then(|id| RequestId::parse(id).ok());
    let case = request.and_then(|request| book.cases.get(&request));
    let kept = case.and_then(|case| case.customer()).is_some_and(|c| Some(c) == customer.as_ref());
    kept || book.mail.letters.iter().any(|letter| letter.letter.subject == seen.subject)
}

/// What can put messages of one lane out of order, or bring them twice in another one: a publish
/// whose acknowledgement is lost is sent again after the next.
const REORDERS: [Trouble; 6] = [
    Trouble::Server,
    Trouble::StreamLoss,
    Trouble::Network,
    Trouble::BrokerDown,
    Trouble::BrokerPaused,
    Trouble::Store,
];

/// P4, invariant Outbox, at rest: everything decided was published, or its time had passed; events
/// are, byte for byte, what the log says; and the messages of one request and lane were first
/// stored in the order in which they were decided. The outbox has nothing left.
pub(in crate::auditor) fn outbox_drained(book: &Casebook<'_>, findings: &mut Findings) {
    if let Some(meta) = &book.evidence.background.meta {
        findings.examine();
        if meta.outbox_sent != meta.outbox_last {
            let (sent, last) = (meta.outbox_sent.0, meta.outbox_last.0);
            findings.general(format!("outbox rows {sent} to {last} are still to be published"));
        }
    }
    for (request, case) in &book.cases {
        all_published(book, *request, case, findings);
        events_say_so(book, *request, case, findings);
        for lane in [Lane::Partner, Lane::Payment, Lane::Event] {
            in_order(book, *request, case, lane, findings);
        }
    }
}

fn all_published(
    book: &Casebook<'_>,
    request: RequestId,
    case: &Case<'_>,
    findings: &mut Findings,
) {
    // The broker's own clock decides; it may be ahead of everybody's.
    let now = case.steps.last().map_or(book.evidence.at, |last| last.at.max(book.evidence.at));
    let mut posted = case.posted.iter().peekable();
    for step in &case.steps {
        for (index, effect) in step.effects().enumerate() {
            let here = (step.next.version, index);
            let mut found = false;
            while let Some(one) = posted.next_if(|one| (one.version, one.index) <= here) {
                found |= (one.version, one.index) == here && belongs(effect, one.seen);
            }
            let lapsed = effect.send_by().is_some_and(|by| by <= now);
            findings.demand(found || lapsed, request, || {
                let version = step.next.version.0;
                format!("effect {index} of version {version} was never published: {effect:?}")
            });
        }
    }
}

fn events_say_so(
    book: &Casebook<'_>,
    request: RequestId,
    case: &Case<'_>,
    findings: &mut Findings,
) {
    let mut first: Option<&Posted<'_>> = None;
    let is_event = |seen: &Seen| is_in(seen, stream::name::PURCHASE_EVENTS);
    for posted in case.posted.iter().filter(|posted| is_event(posted.seen)) {
        let copy = first.filter(|first| is_copy(first, posted));
        let wrong = match copy {
            Some(first) => {
                (first.seen.body != posted.seen.body).then(|| "differs from its copy".to_owned())
            }
            None => differs(book, case, posted),
        };
        findings.demand(wrong.is_none(), request, || {
            let subject = &posted.seen.subject;
            format!("{subject} ({:?}): {}", posted.seen.message_id, wrong.unwrap_or_default())
        });
        first = copy.or(Some(posted));
    }
}

fn in_order(
    book: &Casebook<'_>,
    request: RequestId,
    case: &Case<'_>,
    lane: Lane,
    findings: &mut Findings,
) {
    let of_lane = |posted: &&Posted<'_>| {
        let stream = posted.seen.stored.map(|(stream, _)| stream);
        match lane {
            Lane::Partner => stream == Some(stream::name::PARTNER_COMMANDS),
            Lane::Payment => stream == Some(stream::name::PAYMENT_COMMANDS),
            // Two streams: instants of one server, but no common sequence.
            Lane::Event => stream == Some(stream::name::PURCHASE_EVENTS),
        }
    };
    let mut before: Option<&Posted<'_>> = None;
    for posted in case.posted.iter().filter(of_lane) {
        let Some(earlier) = before.replace(posted) else { continue };
        if is_copy(earlier, posted) {
            // Only the first copy counts.
            before = Some(earlier);
            continue;
        }
        let until = earlier.seen.at.max(posted.seen.at);
        let decided = case.step(earlier.version).filter(|_| !book.has_run_off(until));
        let from = decided.map_or(Timestamp::ZERO, |step| step.at);
        let holds = earlier.nth < posted.nth || book.is_disturbed(&REORDERS, from, until);
        findings.demand(holds, request, || {
            let name = |posted: &Posted<'_>| format!("{}-{}", posted.version.0, posted.index);
            format!("{} was published before {}", name(posted), name(earlier))
        });
    }
}
