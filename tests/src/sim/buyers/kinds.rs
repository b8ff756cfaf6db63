//! The kinds of plans, by the outcome that is wanted.

use schemas::purchase::PurchaseStatus::{self, Expired, Failed, Ordered, OutOfStock, Quoted};
use schemas::purchase::{CreatePurchase, Mode, Strategy};
use schemas::{Condition, DurationMs};

use super::desk::{Arranged, Desk, by_isbn, token};
use super::plan::Plan;
use super::{Expectation, wishes};

/// Makes one plan.
type Kind = fn(&mut Desk<'_>) -> Plan;

/// Every kind, as often as it is worth; the tamest first.
const KINDS: [Kind; 32] = [
    bought,
    bought,
    bought,
    bought,
    by_name,
    too_dear,
    watching,
    out_of_stock,
    too_little_time,
    already_past,
    declined,
    authenticates,
    paid_with_trouble,
    paid_with_trouble,
    hot,
    hot,
    hot,
    unarranged,
    unarranged,
    worn_copy,
    wishes::accepts,
    wishes::accepts,
    wishes::accepts_late,
    wishes::accepts_wrongly,
    wishes::raises,
    wishes::cancels_at_a_moment,
    wishes::cancels_when_told,
    wishes::cancels_when_told,
    wishes::updates_at_a_moment,
    wishes::updates_at_a_moment,
    wishes::changes_what_cannot_be,
    wishes::never_stops,
];

pub(super) fn draw(desk: &mut Desk<'_>) -> Plan {
    let kind = desk.pick(&KINDS);
    kind(desk)
}

/// One that comes to an end in `ends`; an order costs from `total.0` to `total.1`.
pub(super) fn expect(
    plan: &'static str,
    ends: &[PurchaseStatus],
    total: (u64, u64),
) -> Option<Expectation> {
    Some(Expectation { ends: ends.to_vec(), total, plan })
}

/// What an order of `arranged` may cost: with `cheapest` the cheapest, else up to the limit.
pub(super) fn cost(arranged: Arranged, create: &CreatePurchase) -> (u64, u64) {
    let cheapest = arranged.cheapest * u64::from(create.quantity);
    match create.strategy {
        Strategy::Cheapest => (cheapest, cheapest),
        Strategy::Balanced | Strategy::Fast => (cheapest, create.max_total.minor()),
    }
}

/// A request that can be bought, not yet sent.
pub(super) fn buyable(desk: &mut Desk<'_>) -> (Plan, Arranged, CreatePurchase) {
    let plan = desk.plan();
    let arranged = desk.stocked();
    let copies = desk.pick(&[1_u8, 1, 1, 2, 5]);
    let room = desk.pick(&[0_u64, 1, 50, 2_000]);
    let limit = arranged.cheapest * u64::from(copies) + room;
    let mut create = desk.create(&plan, by_isbn(arranged.isbn), limit);
    create.quantity = copies;
    (plan, arranged, create)
}

/// A request whose limit is below every price, not yet sent.
pub(super) fn dear(desk: &mut Desk<'_>) -> (Plan, Arranged, CreatePurchase) {
    let plan = desk.plan();
    let arranged = desk.stocked();
    let below = desk.within(1, 400);
    let create = desk.create(&plan, by_isbn(arranged.isbn), arranged.cheapest - below);
    (plan, arranged, create)
}

fn send(desk: &mut Desk<'_>, plan: &mut Plan, create: CreatePurchase) {
    let route = desk.route();
    plan.submit(create, route);
}

fn bought(desk: &mut Desk<'_>) -> Plan {
    let (mut plan, arranged, create) = buyable(desk);
    plan.expectation = expect("bought", &[Ordered], cost(arranged, &create));
    send(desk, &mut plan, create);
    plan
}

fn by_name(desk: &mut Desk<'_>) -> Plan {
    let (mut plan, arranged, mut create) = buyable(desk);
    create.item = desk.named(arranged.isbn);
    plan.expectation = expect("bought by its name", &[Ordered], cost(arranged, &create));
    send(desk, &mut plan, create);
    plan
}

fn too_dear(desk: &mut Desk<'_>) -> Plan {
    let (mut plan, _, create) = dear(desk);
    plan.expectation = expect("too dear", &[Quoted], (0, 0));
    send(desk, &mut plan, create);
    plan
}

/// Looks again every minute until the deadline.
fn watching(desk: &mut Desk<'_>) -> Plan {
    let (mut plan, mut create) = if desk.strikes(500) {
        let (plan, _, create) = dear(desk);
        (plan, create)
    } else {
        let plan = desk.plan();
        let isbn = desk.missing();
        let create = desk.create(&plan, by_isbn(isbn), 5_000);
        (plan, create)
    };
    create.mode = Mode::Watch;
    let life = desk.pick(&[60_000, 150_000, 300_000]);
    create.expires_at = plan.at.saturating_add(DurationMs(life));
    // The run may end between two looks.
    plan.expectation = expect("watched in vain", &[Expired, Quoted, OutOfStock], (0, 0));
    send(desk, &mut plan, create);
    plan
}

fn out_of_stock(desk: &mut Desk<'_>) -> Plan {
    let mut plan = desk.plan();
    let isbn = desk.missing();
    let create = desk.create(&plan, by_isbn(isbn), 5_000);
    plan.expectation = expect("nobody has it", &[OutOfStock], (0, 0));
    send(desk, &mut plan, create);
    plan
}

/// No purchase fits before the deadline.
fn too_little_time(desk: &mut Desk<'_>) -> Plan {
    let (mut plan, _, mut create) = buyable(desk);
    let life = desk.within(1, 2_500);
    create.expires_at = plan.at.saturating_add(DurationMs(life));
    let ends: &[PurchaseStatus] =
        if life < 2_000 { &[Expired] } else { &[Expired, Ordered, Failed, Quoted] };
    plan.expectation = expect("too little time", ends, (0, u64::MAX));
    send(desk, &mut plan, create);
    plan
}

/// The deadline came before the request: it was under way for too long.
fn already_past(desk: &mut Desk<'_>) -> Plan {
    let (mut plan, _, mut create) = buyable(desk);
    let ago = desk.within(1, 60_000);
    create.expires_at = plan.at.saturating_sub(DurationMs(ago));
    let made_at = create.expires_at.saturating_sub(DurationMs(desk.within(1, 1_000)));
    plan.request = desk.id(made_at);
    create.request_id = plan.request;
    plan.expectation = expect("too late already", &[Expired], (0, 0));
    send(desk, &mut plan, create);
    plan
}

fn declined(desk: &mut Desk<'_>) -> Plan {
    let (mut plan, _, mut create) = buyable(desk);
    create.payment_token = token(desk.pick(&UNWILLING));
    plan.expectation = expect("declined", &[Failed], (0, 0));
    send(desk, &mut plan, create);
    plan
}

fn authenticates(desk: &mut Desk<'_>) -> Plan {
    let (mut plan, arranged, mut create) = buyable(desk);
    if desk.strikes(300) {
        create.payment_token = token("tok_action_abandoned");
        create.expires_at = plan.at.saturating_add(DurationMs(900_000));
        plan.expectation = expect("never authenticates", &[Failed], (0, 0));
    } else {
        create.payment_token = token("tok_action_required");
        plan.expectation = expect("authenticates", &[Ordered], cost(arranged, &create));
    }
    send(desk, &mut plan, create);
    plan
}

/// Tokens with which nobody pays: refused, not proven to be the customer's, or not for as much.
const UNWILLING: [&str; 4] = ["tok_declined", "tok_action_declined", "tok_short", "tok_foreign"];

/// Tokens with which the purchase comes to its end all the same.
const TROUBLES: [&str; 4] =
    ["tok_silent_once", "tok_capture_fails_once", "tok_capture_silent_once", "tok_capture_never"];
/// Tokens with which every attempt begins badly, or ends so.
const BAD_TROUBLES: [&str; 3] = ["tok_lost_once", "tok_busy_once", "tok_lapses"];

fn paid_with_trouble(desk: &mut Desk<'_>) -> Plan {
    let (mut plan, arranged, mut create) = buyable(desk);
    if desk.strikes(400) {
        create.payment_token = token(desk.pick(&BAD_TROUBLES));
    } else {
        create.payment_token = token(desk.pick(&TROUBLES));
        plan.expectation = expect("paid with trouble", &[Ordered], cost(arranged, &create));
    }
    send(desk, &mut plan, create);
    plan
}

/// Several customers, one copy.
fn hot(desk: &mut Desk<'_>) -> Plan {
    let mut plan = desk.plan();
    let (isbn, price) = desk.hot();
    let create = desk.create(&plan, by_isbn(isbn), price);
    plan.expectation =
        expect("one of many", &[Ordered, OutOfStock, Failed, Quoted], (price, price));
    send(desk, &mut plan, create);
    plan
}

/// Shelves and prices are whatever the stores have.
fn unarranged(desk: &mut Desk<'_>) -> Plan {
    let mut plan = desk.plan();
    let isbn = desk.new_book();
    let limit = desk.pick(&[1_000_000, 10_000, 4_000, 2_000]);
    let mut create = desk.create(&plan, by_isbn(isbn), limit);
    create.quantity = desk.pick(&[1, 2, 99]);
    send(desk, &mut plan, create);
    plan
}

fn worn_copy(desk: &mut Desk<'_>) -> Plan {
    let mut plan = desk.plan();
    let isbn = desk.new_book();
    let mut create = desk.create(&plan, by_isbn(isbn), 1_000_000);
    create.condition = desk.pick(&[
        Condition::LikeNew,
        Condition::VeryGood,
        Condition::Good,
        Condition::Acceptable,
    ]);
    plan.expectation = expect("a worn copy", &[Ordered], (1, 1_000_000));
    send(desk, &mut plan, create);
    plan
}
