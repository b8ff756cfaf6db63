//! What left the broker, against its durable history.

use broker::store::Outgoing;
use broker::wire::WireContext;
use broker::wire::outgoing;
use broker_core::effect::{Effect, PartnerCommand};
use partner_sim::ledger::OrderTerms;
use schemas::{ProviderId, RequestId, stream, subject};

use super::Findings;
use crate::auditor::Seen;
use crate::auditor::casebook::{Case, Casebook, Posted};

/// P1, invariant IntentBeforeEffect: every command on the wire is, byte for byte, the effect of one
/// version in the log; every order and payment in the ledgers follows from an intent that was
/// decided before it arrived.
pub(in crate::auditor) fn intent_before_effect(book: &Casebook<'_>, findings: &mut Findings) {
    let commands = |seen: &Seen| {
        is_in(seen, stream::name::PARTNER_COMMANDS) || is_in(seen, stream::name::PAYMENT_COMMANDS)
    };
    for seen in book.mail.strays.iter().filter(|seen| commands(seen)) {
        let id = &seen.message_id;
        findings.general(format!("{} ({id:?}): its id is none of this store's", seen.subject));
    }
    for (request, case) in &book.cases {
        let mut first: Option<&Posted<'_>> = None;
        for posted in case.posted.iter().filter(|posted| commands(posted.seen)) {
            findings.examine();
            let copy = first.filter(|first| is_copy(first, posted));
            let why = match copy {
                Some(first) => (first.seen.body != posted.seen.body)
                    .then(|| "differs from an earlier copy".to_owned()),
                None => differs(book, case, posted),
            };
            if let Some(why) = why {
                let Seen { subject, message_id, .. } = posted.seen;
                findings.about(*request, format!("{subject} ({message_id:?}): {why}"));
            }
            first = copy.or(Some(posted));
        }
        ledgers_follow(book, *request, case, findings);
    }
}

pub(super) fn is_in(seen: &Seen, stream: &str) -> bool {
    seen.stored.is_some_and(|(name, _)| name == stream)
}

pub(super) fn is_copy(first: &Posted<'_>, other: &Posted<'_>) -> bool {
    (first.version, first.index) == (other.version, other.index)
}

/// How a published message differs from what the log lets leave under its id.
pub(super) fn differs(book: &Casebook<'_>, case: &Case<'_>, posted: &Posted<'_>) -> Option<String> {
    if case.broken.is_some() {
        // Without a history nothing can be compared; `legal_history` tells.
        return None;
    }
    let row = case.step(posted.version).and_then(|step| step.outbox.get(posted.index));
    let Some(row) = row else { return Some("no version of the log lets it leave".to_owned()) };
    let wanted = outgoing::message(&context(book), row, None);
    let Outgoing::Effect(row) = &row.outgoing else { return None };
    let version = posted.version.0;
    if posted.seen.subject != wanted.subject {
        return Some(format!("version {version} of the log sends to {}", wanted.subject));
    }
    (posted.seen.body != wanted.body)
        .then(|| format!("the log says {:?} at version {version}", row.effect))
}

/// What every message of the run depends on besides its row.
pub(super) fn context(book: &Casebook<'_>) -> WireContext {
    WireContext { incarnation: book.incarnation(), provider: provider(book) }
}

/// The one provider of a run: whoever keeps the payment ledger.
fn provider(book: &Casebook<'_>) -> ProviderId {
    let kept = book.evidence.payments.payments.first().map(|payment| payment.provider.clone());
    let spoken = || {
        let mut subjects = book.evidence.messages.iter().map(|seen| &seen.subject);
        subjects.find_map(|text| subject::parse_payment_command(text)).map(|(id, _)| id)
    };
    kept.or_else(spoken).unwrap_or_else(|| ProviderId::parse("none").expect("a valid id"))
}

fn ledgers_follow(
    book: &Casebook<'_>,
    request: RequestId,
    case: &Case<'_>,
    findings: &mut Findings,
) {
    // The broker's clock never goes back, so it may run ahead of the stores' by as much as the
    // design allows clocks to differ.
    let margin = book.evidence.policy.clock_margin;
    for order in &case.orders {
        let Some(terms) = &order.terms else { continue };
        let arrived = order.decisions.kept.iter().map(|decision| decision.received_at).min();
        // One that jumped ahead stays there: its time never goes back.
        let ahead = arrived.is_some_and(|at| book.has_run_off(at.saturating_add(margin)));
        let intended = case.places(order.attempt).any(|(step, command)| {
            let before = arrived.is_none_or(|at| step.at <= at.saturating_add(margin));
            same_terms(command, terms) && (before || ahead)
        });
        findings.demand(intended, request, || {
            format!(
                "{} has order {} without an intent before it",
                order.partner, order.placement_key
            )
        });
    }
    for payment in &case.payments {
        let Some(amount) = payment.amount else { continue };
        let intended = case.authorizes(payment.attempt).any(|(_, intended)| intended == amount);
        findings.demand(intended, request, || {
            format!("{amount} were asked under {} without an intent", payment.payment_key)
        });
    }
}

fn same_terms(command: &PartnerCommand, terms: &OrderTerms) -> bool {
    match command {
        PartnerCommand::Place { quote_id, isbn, quantity, price_cap, not_after, .. } => {
            (quote_id, isbn, quantity) == (&terms.quote_id, &terms.isbn, &terms.quantity)
                && (price_cap, not_after) == (&terms.price_cap, &terms.not_after)
        }
        _ => false,
    }
}

/// Whether an effect is a message of the stream that `seen` was found in.
pub(super) fn belongs(effect: &Effect, seen: &Seen) -> bool {
    let home = match effect {
        Effect::Partner { .. } => stream::name::PARTNER_COMMANDS,
        Effect::Payment { .. } => stream::name::PAYMENT_COMMANDS,
        Effect::Event { .. } => stream::name::PURCHASE_EVENTS,
        Effect::Notify { .. } => stream::name::NOTIFICATIONS,
    };
    is_in(seen, home)
}
