//! Who does not answer is asked again, but not by everybody at once.

use std::collections::BTreeSet;

use broker_core::batch::OutboxRow;
use broker_core::effect::{Effect, PartnerCommand, PaymentCommand};
use broker_core::engine::input::Input;
use broker_core::engine::output::Fact;
use broker_core::event::{PartnerAnswer, PartnerOutcome};
use broker_core::partner::PartnerProfile;
use broker_core::policy::Overload;
use broker_core::quote::Quote;
use schemas::directory::LookupKind;
use schemas::subject::PartnerOperation;
use schemas::{DurationMs, RequestId};

use super::rig::Rig;
use crate::support::*;

/// Orders whose receiver falls silent at the same moment: as many as may be placed at once.
const ORDERS: u64 = 16;
/// Each of them is in a hurry.
const LADDER: &[DurationMs] = &[DurationMs(1000)];
const MINUTES_MS: u64 = 60_000;

#[test]
fn a_silent_store_hears_of_every_order_but_of_few_at_a_time_again() {
    let mut rig = placed_and_unanswered();
    let policy = rig.engine.policy().clone();
    rig.wait(10 * MINUTES_MS);
    assert_eq!(partner_rows(&rig, is_place).len() as u64, 2 * ORDERS);
    let again =
        u64::from(policy.overload.repeats.burst) + 600 * u64::from(policy.overload.repeats.per_s);
    let most = ORDERS + again;
    let lookups = partner_rows(&rig, is_lookup);
    let sent = lookups.len() as u64;
    assert!((most * 9 / 10..=most).contains(&sent), "{sent} look-ups, {most} are allowed");
    let asked_about: BTreeSet<RequestId> = lookups.iter().map(|row| row.request).collect();
    assert_eq!(asked_about.len() as u64, ORDERS, "nobody is forgotten");
    assert!(rig.facts.iter().any(|fact| matches!(fact, Fact::RepeatPutOff { .. })));
}

#[test]
fn a_store_that_answers_again_is_asked_again_half_as_often_as_it_answers() {
    let mut rig = placed_and_unanswered();
    rig.wait(2 * MINUTES_MS);
    let before = partner_rows(&rig, is_lookup);
    for row in &before[..20] {
        let answer = PartnerAnswer {
            partner: partner("a"),
            attempt: 1,
            operation: Some(PartnerOperation::Lookup),
            // Of a question before the window was over: it proves nothing.
            in_reply_to: Some(broker_core::request::Version(1)),
            outcome: PartnerOutcome::NotFound { final_for_key: false },
        };
        let (origin, request) = (rig.origin(), row.request);
        rig.send(Input::Partner { origin, source: None, request, answer });
    }
    let more = partner_rows(&rig, is_lookup).len() - before.len();
    assert_eq!(more, 10, "twenty answers");
}

#[test]
fn what_waits_for_its_turn_survives_a_crash() {
    let mut rig = placed_and_unanswered();
    rig.wait(MINUTES_MS);
    rig.crash(2);
    rig.wait(9 * MINUTES_MS);
    let lookups = partner_rows(&rig, is_lookup);
    let asked_about: BTreeSet<RequestId> = lookups.iter().map(|row| row.request).collect();
    assert_eq!(asked_about.len() as u64, ORDERS);
}

#[test]
fn a_silent_provider_is_asked_for_the_money_but_by_few_at_a_time() {
    let mut rig = few_repeats();
    for number in 1..=ORDERS {
        rig.create(numbered(number));
        rig.offers_quote("a", plenty());
    }
    rig.wait(10 * MINUTES_MS);
    let policy = rig.engine.policy().clone();
    let is_void = |command: &PaymentCommand| matches!(command, PaymentCommand::Void);
    let voids = payment_rows(&rig, is_void);
    let firsts: BTreeSet<RequestId> = voids.iter().map(|row| row.request).collect();
    assert_eq!(firsts.len() as u64, ORDERS, "each hold is voided at once");
    let again = (voids.len() - firsts.len()) as u64;
    let shared = payment_rows(&rig, |_| true).len() as u64 / 10;
    let most = u64::from(policy.overload.repeats.burst)
        + 600 * u64::from(policy.overload.repeats.per_s)
        + shared;
    assert!(again <= most, "{again} repeated, {most} are allowed");
    assert!(again >= 600, "{again} repeated");
}

#[test]
fn a_silent_provider_keeps_no_store_from_hearing_that_its_order_is_canceled() {
    let mut rig = few_repeats_with(vec![plain("a"), plain("b")]);
    let rogue = request_id(ORDERS + 1);
    rig.create(numbered(ORDERS + 1));
    rig.has_none("a");
    rig.offers("b", 2500);
    rig.place_refused(rogue, "b");
    for number in 1..=ORDERS {
        rig.create(numbered(number));
        rig.has_none("b");
        rig.offers_quote("a", plenty());
    }
    // Nobody has answered a void so far, and all are due again every second.
    rig.wait(2 * MINUTES_MS);
    let answer = PartnerAnswer {
        partner: partner("b"),
        attempt: 1,
        operation: Some(PartnerOperation::Place),
        in_reply_to: None,
        outcome: PartnerOutcome::Confirmed { order_id: order_id("o-1"), total: usd(2500) },
    };
    let origin = rig.origin();
    rig.send(Input::Partner { origin, source: None, request: rogue, answer });
    let is_cancel = |command: &PartnerCommand| matches!(command, PartnerCommand::Cancel);
    assert_eq!(partner_rows(&rig, is_cancel).len(), 1);
    rig.wait(20_000);
    let cancels = partner_rows(&rig, is_cancel).len();
    assert_eq!(cancels, 21, "this store has had no repetitions before");
}

#[test]
fn a_fence_that_goes_up_for_the_first_time_needs_no_token_and_waiting_for_it_neither() {
    let only_fences = PartnerProfile {
        lookup: LookupKind::None,
        key_first: false,
        honours_not_after: false,
        ..plain("a")
    };
    let mut rig = few_repeats_with(vec![only_fences]);
    place_orders(&mut rig);
    let sent_until = rig.now;
    let is_fence = |command: &PartnerCommand| matches!(command, PartnerCommand::Cancel);
    while partner_rows(&rig, is_fence).is_empty() {
        let put_off = |fact: &Fact| matches!(fact, Fact::RepeatPutOff { .. });
        assert!(!rig.facts.iter().any(put_off), "nothing was to be sent");
        assert!(rig.now < sent_until.saturating_add(DurationMs(2 * MINUTES_MS)), "no fence");
        rig.wait(1000);
    }
    rig.wait(1000);
    let fenced: BTreeSet<RequestId> =
        partner_rows(&rig, is_fence).iter().map(|row| row.request).collect();
    assert_eq!(fenced.len() as u64, ORDERS);
}

/// The budgets as shipped; nothing else is limited.
fn few_repeats() -> Rig {
    few_repeats_with(vec![plain("a")])
}

fn few_repeats_with(profiles: Vec<PartnerProfile>) -> Rig {
    Rig::with(profiles, |config| {
        config.policy.overload.repeats = Overload::standard().repeats;
        (config.policy.lookup_ladder, config.policy.undo_ladder) = (LADDER, LADDER);
    })
}

/// Every order has left, and the store says nothing any more.
fn placed_and_unanswered() -> Rig {
    let mut rig = few_repeats();
    place_orders(&mut rig);
    rig
}

fn place_orders(rig: &mut Rig) {
    for number in 1..=ORDERS {
        rig.create(numbered(number));
        rig.offers_quote("a", plenty());
        while let Some(row) = rig.disk.outbox.get(rig.played) {
            if matches!(row.effect, Effect::Partner { .. }) {
                rig.played += 1;
            } else {
                rig.play_next();
            }
        }
    }
    assert_eq!(partner_rows(rig, is_place).len() as u64, ORDERS);
}

/// Nobody has to wait for somebody else's copies.
fn plenty() -> Quote {
    Quote { in_stock: 10_000, ..quote("a", 2500) }
}

fn numbered(number: u64) -> broker_core::request::Submission {
    broker_core::request::Submission { id: request_id(number), ..submission() }
}

fn is_place(command: &PartnerCommand) -> bool {
    matches!(command, PartnerCommand::Place { .. })
}

fn is_lookup(command: &PartnerCommand) -> bool {
    matches!(command, PartnerCommand::Lookup)
}

fn partner_rows(rig: &Rig, wanted: impl Fn(&PartnerCommand) -> bool) -> Vec<OutboxRow> {
    let is_wanted = |row: &&OutboxRow| match &row.effect {
        Effect::Partner { command, .. } => wanted(command),
        Effect::Payment { .. } | Effect::Event { .. } | Effect::Notify { .. } => false,
    };
    rig.disk.outbox.iter().filter(is_wanted).cloned().collect()
}

fn payment_rows(rig: &Rig, wanted: impl Fn(&PaymentCommand) -> bool) -> Vec<OutboxRow> {
    let is_wanted = |row: &&OutboxRow| match &row.effect {
        Effect::Payment { command, .. } => wanted(command),
        Effect::Partner { .. } | Effect::Event { .. } | Effect::Notify { .. } => false,
    };
    rig.disk.outbox.iter().filter(is_wanted).cloned().collect()
}
