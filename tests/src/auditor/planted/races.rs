//! Violations that show only when several records are seen together: answers against histories,
//! streams against the store, what was possible against what was done.

use std::sync::Arc;

use broker::store::{AuditBody, OutboxSeq};
use broker_core::receipt::Verdict;
use broker_core::request::{Status, Step, Undo, UndoKind};
use bytes::Bytes;
use schemas::id::PaymentToken;
use schemas::problem::Problem;
use schemas::purchase::CommandReply;
use schemas::{Digest, DurationMs, PartnerId, RejectReason, RequestId, Timestamp, stream, subject};

use super::plant::{Plant, command, first, head, is_in, offers, order, place, text, usd};
use crate::auditor::{Answer, Command, Evidence, Seen, Sent, Standing};

pub(super) const ALL: &[Plant] = &[
    ("fenced", "two messages under one id", |e| {
        let mut other = command(e).clone();
        other.body = Bytes::from(text(&other).replace("\"attempt\":1", "\"attempt\":2"));
        e.messages.push(other);
    }),
    ("fenced", "a version that two owners wrote", |e| {
        let AuditBody::Request { rows, .. } = &mut e.log[1].body else { panic!("of a request") };
        let again = rows[0].clone();
        rows.push(again);
    }),
    ("bounded", "more attempts than allowed", |e| {
        head(e).tried = vec![PartnerId::parse("acme").unwrap(); 9];
    }),
    ("update_linearizable", "the answer shows another version", |e| {
        let Answer::Reply(reply) = &mut updated(e).answer else { panic!("it was answered") };
        let CommandReply::Accepted { request, .. } = reply.as_mut() else { panic!("accepted") };
        request.version += 1;
    }),
    ("update_linearizable", "accepted, and then refused", |e| {
        let again = refused(updated(e), RejectReason::TransitionNotAllowed);
        e.sent.push(again);
    }),
    ("update_linearizable", "too late, and no order was decided", |e| {
        let mut late = refused(updated(e), RejectReason::TooLate);
        let resting = resting(e);
        let Command::Update(update) = &mut late.command else { panic!("an update") };
        update.request_id = resting;
        e.sent.push(late);
    }),
    ("cancel_linearizable", "canceled, and an order stands", |e| {
        let canceled = canceled(e).command.request().unwrap();
        let mut standing = order(e).clone();
        standing.request_id = canceled;
        e.partners.orders.push(standing);
    }),
    ("cancel_linearizable", "too late, and no order was decided", |e| {
        let mut late = refused(canceled(e), RejectReason::TooLate);
        let resting = resting(e);
        let Command::Cancel(cancel) = &mut late.command else { panic!("a cancel") };
        cancel.request_id = resting;
        e.sent.push(late);
    }),
    ("cancel_linearizable", "accepted, and nothing came of it", |e| {
        let ordered = e.sent.iter().rev().find(|sent| matches!(sent.command, Command::Cancel(_)));
        let request = ordered.unwrap().command.request().unwrap();
        e.heads.get_mut(&request).unwrap().status = Status::Ordered;
    }),
    ("terms_are_the_customers", "the deadline was moved", |e| {
        let submission = Arc::make_mut(&mut head(e).submission);
        submission.terms.expires_at = submission.terms.expires_at.saturating_add(DurationMs(1));
    }),
    ("deadlines_monotone", "stored after its not_after", |e| {
        let late = e.at.saturating_add(DurationMs::from_secs(3600));
        place(e).at = late;
    }),
    ("deadlines_monotone", "time went back", |e| {
        let AuditBody::Request { rows, .. } = &mut e.log[4].body else { panic!("of a request") };
        rows[0].at = Timestamp::ZERO;
    }),
    ("progresses", "a resting request outlives its deadline", |e| {
        e.at = e.at.saturating_add(DurationMs::from_secs(3600));
    }),
    ("progresses", "an undo is open for ever and nobody knows", |e| {
        e.at = e.at.saturating_add(DurationMs::from_secs(24 * 3600));
        let partner = PartnerId::parse("acme").unwrap();
        let (kind, lapses_at) = (UndoKind::Void, Timestamp::ZERO);
        let (attempt, tries, conclusive_from) = (1, 1, None);
        head(e).undo.push(Undo { kind, attempt, partner, tries, lapses_at, conclusive_from });
    }),
    ("given_up_is_told", "an answer that says nothing vanished", |e| {
        let mut seen = command(e).clone();
        seen.subject = "payment.sim.reply.0.capture".to_owned();
        seen.body = Bytes::from_static(b"{}");
        seen.stored = Some((stream::name::PAYMENT_REPLIES, 99));
        e.messages.push(seen);
    }),
    ("given_up_is_told", "an answer to another partition vanished", |e| {
        let answer = e.messages.iter().find(|seen| subject::is_answer(&seen.subject)).unwrap();
        let mut seen = answer.clone();
        seen.subject = seen.subject.replace(".reply.0.", ".reply.7.");
        e.messages.push(seen);
    }),
    ("event_once", "an old answer would still change it", |e| {
        let step = &mut head(e).checkout.as_mut().unwrap().step;
        *step = Step::Placing;
    }),
    ("store_reopens_the_same", "another content after opening", |e| {
        e.background.readings.push(Digest::of(b"less of it"));
    }),
    ("stream_agreement", "a stored create is nowhere", |e| {
        let mut lost = stored_create(e).clone();
        let unknown = RequestId::from_parts(1, 1).to_string();
        lost.body = Bytes::from(text(&lost).replace(&first(e).to_string(), &unknown));
        e.messages.push(lost);
    }),
    ("stream_agreement", "the store knows more than the stream", |e| {
        e.background.meta.as_mut().unwrap().applied[2] = 1_000_000;
    }),
    ("outbox_drained", "an event was never published", |e| {
        let at = e.messages.iter().position(is_event).unwrap();
        e.messages.remove(at);
    }),
    ("outbox_drained", "an event says something else", |e| {
        let seen = e.messages.iter_mut().find(|seen| is_event(seen)).unwrap();
        seen.body = Bytes::from(text(seen).replace("\"quantity\":1", "\"quantity\":2"));
    }),
    ("outbox_drained", "two events in the wrong order", |e| {
        let mut events = (0..e.messages.len()).filter(|at| is_event(&e.messages[*at]));
        let (one, other) = (events.next().unwrap(), events.next().unwrap());
        drop(events);
        e.messages.swap(one, other);
    }),
    ("outbox_drained", "rows are left", |e| {
        e.background.meta.as_mut().unwrap().outbox_last = OutboxSeq(10);
    }),
    ("no_secret_leaks", "an event with the payment token", |e| {
        let seen = e.messages.iter_mut().find(|seen| is_event(seen)).unwrap();
        seen.body = Bytes::from(text(seen).replace("\"quantity\":1", "\"note\":\"tok_ok\""));
    }),
    ("no_secret_leaks", "the payment token is in the log", |e| {
        let logged = order(e).order_id().unwrap().to_string();
        let submission = Arc::make_mut(&mut head(e).submission);
        submission.payment_token = PaymentToken::parse(&logged).unwrap();
    }),
    ("no_secret_leaks", "a question with an address", |e| {
        let mut question = command(e).clone();
        question.subject = "partner.acme.quote".to_owned();
        question.body = Bytes::from_static(b"{\"address\":{\"name\":\"Ada\"}}");
        question.stored = None;
        e.messages.push(question);
    }),
    ("useful", "an honest store had it, and it was not bought", |e| {
        let standing = Standing {
            request: resting(e),
            partner: PartnerId::parse("acme").unwrap(),
            total: usd(1),
        };
        e.background.standing.push(standing);
    }),
    ("useful", "an honest store was cheaper", |e| {
        for standing in &mut e.background.standing {
            standing.total = usd(standing.total.minor() / 2);
        }
    }),
    ("honest_choice", "bought before it was offered", |e| {
        let late = e.at.saturating_add(DurationMs::from_secs(60));
        offers(e).for_each(|seen| seen.at = late);
    }),
    ("choice_recomputed", "another verdict than the offers give", |e| {
        first_receipt(e).verdict = Verdict::TooDear;
    }),
    ("choice_recomputed", "a cheaper offer was on the list", |e| {
        for quote in &mut first_receipt(e).quotes {
            quote.item = if quote.partner.as_str() == "zeta" { 1 } else { quote.item };
        }
    }),
    ("choice_recomputed", "a decision without a receipt", |e| {
        let request = first(e);
        e.receipts.remove(&request);
    }),
];

fn is_event(seen: &Seen) -> bool {
    is_in(seen, stream::name::PURCHASE_EVENTS)
}

fn stored_create(e: &Evidence) -> &Seen {
    e.messages.iter().find(|seen| is_in(seen, stream::name::PURCHASE_CREATES)).unwrap()
}

fn updated(e: &mut Evidence) -> &mut Sent {
    e.sent.iter_mut().find(|sent| matches!(sent.command, Command::Update(_))).unwrap()
}

/// The cancel of the request that was never ordered.
fn canceled(e: &mut Evidence) -> &mut Sent {
    e.sent.iter_mut().find(|sent| matches!(sent.command, Command::Cancel(_))).unwrap()
}

/// A later copy that got another answer.
fn refused(sent: &Sent, reason: RejectReason) -> Sent {
    let at = sent.answered.saturating_add(DurationMs(1));
    let answer = Answer::Reply(Box::new(CommandReply::Rejected(Problem::new(reason, "no"))));
    Sent { at, answered: at, answer, ..sent.clone() }
}

/// The request that found nothing it could afford, and was left alone.
fn resting(e: &Evidence) -> RequestId {
    let commanded = |request: RequestId| {
        let mut commands = e.sent.iter().filter(|sent| sent.command.command_id().is_some());
        commands.any(|sent| sent.command.request() == Some(request))
    };
    let mut heads = e.heads.iter().filter(|(_, head)| matches!(head.status, Status::Quoted(_)));
    *heads.find(|(request, _)| !commanded(**request)).unwrap().0
}

fn first_receipt(e: &mut Evidence) -> &mut broker_core::receipt::Receipt {
    let request = first(e);
    e.receipts.get_mut(&request).unwrap().first_mut().unwrap()
}
