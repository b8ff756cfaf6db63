//! What left the broker, against its durable history.

use broker_core::effect::{Effect, PartnerCommand, PaymentCommand};
use broker_core::request::Version;
use partner_sim::ledger::OrderTerms;
use schemas::id::MessageId;
use schemas::partner::Place;
use schemas::payment::Authorize;
use schemas::subject::{
    PartnerOperation, PaymentOperation, parse_partner_command, parse_payment_command,
};
use schemas::{RequestId, json, stream};

use super::Findings;
use crate::auditor::Seen;
use crate::auditor::casebook::{Case, Casebook, of_stream};

/// P1, invariant IntentBeforeEffect: every command on the wire is the effect of one version in the
/// log, with the same receiver, attempt and terms; every order and payment in the ledgers follows
/// from an intent that was decided before it arrived.
pub(in crate::auditor) fn intent_before_effect(book: &Casebook<'_>, findings: &mut Findings) {
    let commands = [stream::name::PARTNER_COMMANDS, stream::name::PAYMENT_COMMANDS];
    for seen in commands.into_iter().flat_map(|name| of_stream(book.evidence, name)) {
        findings.examine();
        if let Err((request, why)) = follows(book, seen) {
            let said = format!("{} ({:?}): {why}", seen.subject, seen.message_id);
            match request {
                Some(request) => findings.about(request, said),
                None => findings.general(said),
            }
        }
    }
    for (request, case) in &book.cases {
        ledgers_follow(book, *request, case, findings);
    }
}

type Doubt = (Option<RequestId>, String);

fn follows(book: &Casebook<'_>, seen: &Seen) -> Result<(), Doubt> {
    let id = seen.message_id.as_deref().unwrap_or_default();
    let (request, version, index) =
        parts(book, id).ok_or((None, "its id is none of this store's".to_owned()))?;
    let doubt = |why: &str| (Some(request), why.to_owned());
    let case = book.cases.get(&request).ok_or(doubt("nothing is known of its request"))?;
    if case.broken.is_some() {
        // Without a history nothing can be compared; `legal_history` tells.
        return Ok(());
    }
    let step = case.step(version);
    let effect = step.and_then(|step| step.effects.get(index));
    let effect = effect.ok_or(doubt("no version of the log lets it leave"))?;
    if !is_the_same(seen, effect) {
        return Err(doubt(&format!("the log says {effect:?} at version {}", version.0)));
    }
    Ok(())
}

/// Request, version and index of a message id of this store.
fn parts(book: &Casebook<'_>, id: &str) -> Option<(RequestId, Version, usize)> {
    let id = MessageId::parse(id).ok()?;
    let (incarnation, _) = id.as_str().split_once('-')?;
    let (request, version) = broker::wire::source_of(&id)?;
    let (_, index) = id.as_str().rsplit_once('-')?;
    let ours = incarnation == book.evidence.incarnation.to_string();
    ours.then_some((request, version, index.parse().ok()?))
}

fn is_the_same(seen: &Seen, effect: &Effect) -> bool {
    match effect {
        Effect::Partner { partner, attempt, command } => {
            parse_partner_command(&seen.subject) == Some((partner.clone(), operation(command)))
                && attempt_of(seen) == Some(u64::from(*attempt))
                && same_order(seen, command)
        }
        Effect::Payment { attempt, command } => {
            parse_payment_command(&seen.subject)
                .is_some_and(|(_, operation)| operation == payment_operation(command))
                && attempt_of(seen) == Some(u64::from(*attempt))
                && same_amount(seen, command)
        }
        Effect::Event { .. } | Effect::Notify { .. } => false,
    }
}

fn attempt_of(seen: &Seen) -> Option<u64> {
    let body: serde_json::Value = serde_json::from_slice(&seen.body).ok()?;
    body["attempt"].as_u64()
}

fn same_order(seen: &Seen, command: &PartnerCommand) -> bool {
    let PartnerCommand::Place { isbn, quantity, price_cap, not_after, .. } = command else {
        return true;
    };
    json::decode::<Place>(&seen.body, usize::MAX).is_ok_and(|place| {
        (place.isbn, place.quantity) == (*isbn, *quantity)
            && (place.price_cap, place.not_after) == (*price_cap, *not_after)
    })
}

fn same_amount(seen: &Seen, command: &PaymentCommand) -> bool {
    let PaymentCommand::Authorize { amount, not_after, .. } = command else { return true };
    json::decode::<Authorize>(&seen.body, usize::MAX)
        .is_ok_and(|order| (order.amount, order.not_after) == (*amount, *not_after))
}

const fn operation(command: &PartnerCommand) -> PartnerOperation {
    match command {
        PartnerCommand::Reserve { .. } => PartnerOperation::Reserve,
        PartnerCommand::Release => PartnerOperation::Release,
        PartnerCommand::Place { .. } => PartnerOperation::Place,
        PartnerCommand::Cancel => PartnerOperation::Cancel,
        PartnerCommand::Lookup => PartnerOperation::Lookup,
    }
}

const fn payment_operation(command: &PaymentCommand) -> PaymentOperation {
    match command {
        PaymentCommand::Authorize { .. } => PaymentOperation::Authorize,
        PaymentCommand::Capture { .. } => PaymentOperation::Capture,
        PaymentCommand::Void => PaymentOperation::Void,
        PaymentCommand::Refund => PaymentOperation::Refund,
        PaymentCommand::Lookup => PaymentOperation::Lookup,
    }
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
        let intended = case.places(order.attempt).any(|(step, command)| {
            same_terms(command, terms)
                && arrived.is_none_or(|at| step.at <= at.saturating_add(margin))
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
