//! The violations: each changes a run in order as little as the lie needs.

use broker::store::AuditBody;
use broker_core::request::{Status, Version};
use bytes::Bytes;
use partner_sim::ledger::{
    Asked, OrderEnd, OrderEndedBy, OrderRecord, OrderState, PaymentRecord, PaymentState,
    PaymentStep, ReservationState,
};
use schemas::id::Key;
use schemas::problem::Problem;
use schemas::purchase::CommandReply;
use schemas::subject::PartnerReplyKind;
use schemas::{
    Currency, CustomerId, DurationMs, Money, PartnerId, RejectReason, RequestId, Timestamp, stream,
    subject,
};

use super::world::the_book;
use crate::auditor::{Answer, Command, Evidence, Seen, Vouched};
use crate::harness::book;

pub(super) type Plant = (&'static str, &'static str, fn(&mut Evidence));

/// Violations of single records.
pub(super) const ALL: &[Plant] = &[
    ("at_most_one_live_order", "a second order at another store", |e| drop(second_order(e))),
    ("one_key_per_attempt", "a key of another attempt", |e| {
        order(e).placement_key = Key::parse("AAAAAAAAAAAAAAAAAAAA").unwrap();
    }),
    ("one_key_per_attempt", "two copies of a payment differ", |e| {
        e.payments.payments[0].conflicting_copies = 1;
    }),
    ("intent_before_effect", "a command that no version caused", |e| {
        let mut copy = command(e).clone();
        copy.message_id = copy.message_id.map(|id| id.replacen("-1-", "-99-", 1));
        let (head, _) = copy.message_id.as_deref().unwrap().rsplit_once('-').unwrap();
        let (head, _) = head.rsplit_once('-').unwrap();
        copy.message_id = Some(format!("{head}-99-0"));
        e.messages.push(copy);
    }),
    ("intent_before_effect", "an order with other terms than its intent", |e| {
        order(e).terms.as_mut().unwrap().not_after = Timestamp::from_unix_ms(1);
    }),
    ("within_budget", "charged above the cap", |e| charge(order(e), 1_000_000)),
    ("within_budget", "capped above the limit", |e| {
        order(e).terms.as_mut().unwrap().price_cap = usd(1_000_000);
    }),
    ("within_budget", "authorised above the limit", |e| {
        e.payments.payments[0].amount = Some(usd(1_000_000));
    }),
    ("right_goods", "another book", |e| order(e).terms.as_mut().unwrap().isbn = book(7)),
    ("right_goods", "fewer copies", |e| order(e).terms.as_mut().unwrap().quantity = 0),
    ("honest_choice", "the store had offered another price", |e| {
        for seen in offers(e) {
            seen.body = Bytes::from(text(seen).replace("\"item\":", "\"item\":9"));
        }
    }),
    ("honest_choice", "nobody had offered it", |e| {
        e.messages.retain(|seen| !is_quote(seen));
    }),
    ("honest_choice", "where nobody listened, the store says it offered another price", |e| {
        e.messages.retain(|seen| !is_quote(seen));
        let bought = e.heads.values().filter_map(|head| head.checkout.as_ref());
        let vouched = bought.map(|checkout| Vouched {
            partner: checkout.quote.partner.clone(),
            quote_id: checkout.quote.quote_id.clone(),
            isbn: the_book(),
            total: 1,
            at: Timestamp::ZERO,
        });
        e.background.vouched = vouched.collect();
    }),
    ("no_order_after_expiry", "accepted after the deadline", |e| {
        let late = first_head(e).terms.expires_at.saturating_add(DurationMs(1));
        if let OrderState::Accepted { accepted_at, .. } = &mut order(e).state {
            *accepted_at = late;
        }
    }),
    ("no_order_after_expiry", "may be accepted after the deadline", |e| {
        order(e).terms.as_mut().unwrap().not_after = Timestamp::MAX;
    }),
    ("nothing_lost", "an accepted request is gone", |e| {
        let request = first(e);
        e.heads.remove(&request);
        e.log.retain(|record| !is_about(&record.body, request));
    }),
    ("nothing_lost", "a stored request never ended", |e| {
        e.at = e.at.saturating_add(DurationMs::from_secs(3600));
        head(e).status = Status::Searching;
    }),
    ("nothing_lost", "an accepted cancel is not in the log", |e| {
        let canceled = e.sent.iter().find(|s| matches!(s.command, Command::Cancel(_))).unwrap();
        let request = canceled.command.request().unwrap();
        let last = e.log.iter().rposition(|record| is_about(&record.body, request)).unwrap();
        e.log.remove(last);
    }),
    ("submit_idempotent", "accepted as new twice", |e| {
        let again = e.sent[0].clone();
        e.sent.push(again);
    }),
    ("submit_idempotent", "another body was accepted under the id", |e| {
        let mut other = e.sent[0].clone();
        let Command::Create(create) = &mut other.command else { panic!("the first is a create") };
        create.quantity = 2;
        e.sent.push(other);
    }),
    ("submit_idempotent", "a copy was refused as a conflict with itself", |e| {
        let mut copy = e.sent[0].clone();
        let problem = Problem::new(RejectReason::Conflict, "no");
        copy.answer = Answer::Reply(Box::new(CommandReply::Rejected(problem)));
        e.sent.push(copy);
    }),
    ("rejected_has_no_effect", "refused and stored all the same", |e| {
        let problem = Problem::new(RejectReason::FieldInvalid, "no");
        e.sent[0].answer = Answer::Reply(Box::new(CommandReply::Rejected(problem)));
    }),
    ("rejected_has_no_effect", "a request that nobody sent", |e| drop(e.sent.remove(0))),
    ("notified_truthfully", "nobody was told", |e| {
        e.messages.retain(|seen| !is_in(seen, stream::name::NOTIFICATIONS));
    }),
    ("notified_truthfully", "a copy with another body", |e| {
        let mut copy = notice(e).clone();
        copy.body = Bytes::from(text(&copy).replace("\"quantity\":1", "\"quantity\":2"));
        e.messages.push(copy);
    }),
    ("notified_truthfully", "a wrong total", |e| {
        let seen = notice(e);
        seen.body = Bytes::from(text(seen).replace("\"amount\":", "\"amount\":1"));
    }),
    ("notified_truthfully", "an outcome that never was", |e| {
        let seen = notice(e);
        let ordered = text(seen).replace("\"outcome\":\"ordered\"", "\"outcome\":\"expired\"");
        seen.body = Bytes::from(ordered);
    }),
    ("outcome_matches_ledgers", "ordered, and no order stands", |e| {
        let end = OrderEnd { at: e.at, by: OrderEndedBy::Partner };
        if let OrderState::Accepted { end: ended, .. } = &mut order(e).state {
            *ended = Some(end);
        }
    }),
    ("audit_chain_intact", "a record is missing", |e| drop(e.log.remove(2))),
    ("audit_chain_intact", "a record was changed", |e| {
        let AuditBody::Request { rows, .. } = &mut e.log[1].body else { panic!("of a request") };
        rows[0].at = Timestamp::ZERO;
    }),
    ("money_matches_orders", "captured, and not refunded when the order ended", |e| {
        e.partners.orders.retain(|order| !order.is_live(Timestamp::MAX));
    }),
    ("money_matches_orders", "an authorisation is left open", |e| {
        let valid_until = Timestamp::MAX;
        let payment = &mut e.payments.payments[0];
        let amount = payment.amount.unwrap();
        payment.state = PaymentState::Authorized(partner_sim::ledger::Hold { amount, valid_until });
    }),
    ("payment_once", "captured twice", |e| {
        let payment = captured(e);
        let again: PaymentStep = *payment.step(Asked::Capture).unwrap();
        payment.steps.push(again);
    }),
    ("no_money_against_order", "refunded while the order stands", |e| {
        let at = e.at;
        let payment = captured(e);
        let amount = payment.amount.unwrap();
        payment.steps.push(PaymentStep { operation: Asked::Refund, amount, at });
    }),
    ("no_money_against_order", "captured before the order stood", |e| {
        for payment in &mut e.payments.payments {
            for step in payment.steps.iter_mut().filter(|s| s.operation == Asked::Capture) {
                step.at = Timestamp::ZERO;
            }
        }
    }),
    ("payment_once", "two holds at once", |e| {
        let mut other = e.payments.payments[0].clone();
        other.payment_key = Key::parse("BBBBBBBBBBBBBBBBBBBB").unwrap();
        e.payments.payments.push(other);
    }),
    ("no_hold_left_behind", "a copy stays reserved", |e| {
        let mut holds = e.partners.reservations.iter_mut();
        let (hold, reservation_id, at) = holds
            .find_map(|hold| match hold.state.clone() {
                ReservationState::Committed { reservation_id, at, .. } => {
                    Some((hold, reservation_id, at))
                }
                _ => None,
            })
            .unwrap();
        let until = Timestamp::MAX;
        hold.state = ReservationState::Held { reservation_id, reserved_at: at, until };
    }),
    ("unknown_is_not_no", "sent after the bridge had said that it would not be", |e| {
        let store = first_of_two(e).partner.clone();
        let replies =
            e.messages.iter_mut().filter(|seen| is_in(seen, stream::name::PARTNER_REPLIES));
        replies.for_each(|seen| seen.at = Timestamp::ZERO);
        e.background.bridged.insert(store);
    }),
    ("unknown_is_not_no", "bought elsewhere while the first store was undecided", |e| {
        first_of_two(e).state = OrderState::Open;
    }),
    ("nobody_speaks_for_another", "an answer that its partner never gave", |e| {
        e.messages.retain(|seen| !is_in(seen, stream::name::PARTNER_REPLIES));
    }),
    ("nobody_speaks_for_another", "a payment answer that was never given", |e| {
        e.messages.retain(|seen| !is_in(seen, stream::name::PAYMENT_REPLIES));
    }),
    ("nobody_speaks_for_another", "canceled by another customer", |e| {
        for sent in &mut e.sent {
            if matches!(sent.command, Command::Cancel(_)) {
                sent.customer = CustomerId::parse("mallory").unwrap();
            }
        }
    }),
    ("legal_history", "the stored request is not what the log says", |e| {
        head(e).terms.max_total = usd(1);
    }),
    ("legal_history", "a version is missing in the log", |e| {
        for record in &mut e.log {
            if let AuditBody::Request { rows, .. } = &mut record.body {
                rows.retain(|row| row.version != Version(3));
            }
        }
    }),
];

/// Another store accepts an order of the same request while the first one stands.
pub(super) fn second_order(e: &mut Evidence) -> String {
    let mut second = order(e).clone();
    second.attempt += 1;
    second.partner = PartnerId::parse("zeta").unwrap();
    second.placement_key = Key::parse("ZZZZZZZZZZZZZZZZZZZZ").unwrap();
    let key = second.placement_key.to_string();
    e.partners.orders.push(second);
    key
}

fn captured(e: &mut Evidence) -> &mut PaymentRecord {
    let first = first(e);
    let mut all = e.payments.payments.iter_mut();
    all.find(|p| p.request_id == first && p.step(Asked::Capture).is_some()).unwrap()
}

pub(super) fn first(e: &Evidence) -> RequestId {
    e.sent[0].command.request().unwrap()
}

fn first_head(e: &Evidence) -> &broker_core::PurchaseRequest {
    &e.heads[&first(e)]
}

pub(super) fn head(e: &mut Evidence) -> &mut broker_core::PurchaseRequest {
    let request = first(e);
    e.heads.get_mut(&request).unwrap()
}

/// The standing order of the first request.
pub(super) fn order(e: &mut Evidence) -> &mut OrderRecord {
    let request = first(e);
    e.partners.orders.iter_mut().find(|order| order.request_id == request).unwrap()
}

/// The first order of the request that needed two.
fn first_of_two(e: &mut Evidence) -> &mut OrderRecord {
    let second = e.partners.orders.iter().find(|order| order.attempt == 2).unwrap().request_id;
    let mut orders = e.partners.orders.iter_mut();
    orders.find(|order| order.request_id == second && order.attempt == 1).unwrap()
}

fn charge(order: &mut OrderRecord, minor: u64) {
    if let OrderState::Accepted { total, .. } = &mut order.state {
        *total = usd(minor);
    }
}

pub(super) fn usd(minor: u64) -> Money {
    Money::new(minor, Currency::USD).unwrap()
}

pub(super) fn is_in(seen: &Seen, stream: &str) -> bool {
    seen.stored.is_some_and(|(name, _)| name == stream)
}

pub(super) fn command(e: &Evidence) -> &Seen {
    e.messages.iter().find(|seen| is_in(seen, stream::name::PARTNER_COMMANDS)).unwrap()
}

pub(super) fn place(e: &mut Evidence) -> &mut Seen {
    e.messages.iter_mut().find(|seen| seen.subject.ends_with(".place")).unwrap()
}

fn notice(e: &mut Evidence) -> &mut Seen {
    e.messages
        .iter_mut()
        .find(|seen| seen.subject.ends_with(".ordered") && is_in(seen, stream::name::NOTIFICATIONS))
        .unwrap()
}

fn is_quote(seen: &Seen) -> bool {
    subject::parse_partner_reply(&seen.subject)
        .is_some_and(|(_, kind)| kind == PartnerReplyKind::Quote)
}

pub(super) fn offers(e: &mut Evidence) -> impl Iterator<Item = &mut Seen> {
    e.messages.iter_mut().filter(|seen| is_quote(seen))
}

pub(super) fn text(seen: &Seen) -> String {
    String::from_utf8(seen.body.to_vec()).unwrap()
}

fn is_about(body: &AuditBody, of: RequestId) -> bool {
    matches!(body, AuditBody::Request { request, .. } if *request == of)
}
