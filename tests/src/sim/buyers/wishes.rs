//! Plans in which the customer says something more after the request: at a moment, or when told.

use schemas::event::NotificationOutcome;
use schemas::purchase::PurchaseStatus::{Canceled, Expired, Failed, Ordered, OutOfStock, Quoted};
use schemas::purchase::{PurchaseStatus, Strategy};
use schemas::{Currency, DurationMs, Money};

use super::desk::{Desk, by_isbn, money, token};
use super::kinds::{buyable, cost, dear, expect};
use super::plan::{Plan, Reaction, Terms, Wish};

/// More changes than a request remembers.
const TOO_MANY: u32 = 70;

fn react(desk: &mut Desk<'_>, plan: &mut Plan, on: NotificationOutcome, after_ms: u64, wish: Wish) {
    let route = desk.route();
    let after = DurationMs(after_ms);
    plan.reactions.push(Reaction { on, after, wish, route, is_done: false });
}

fn send(desk: &mut Desk<'_>, plan: &mut Plan, create: schemas::purchase::CreatePurchase) {
    let route = desk.route();
    plan.submit(create, route);
}

/// Buys the offer above its limit.
pub(super) fn accepts(desk: &mut Desk<'_>) -> Plan {
    let (mut plan, arranged, mut create) = dear(desk);
    create.expires_at = plan.at.saturating_add(DurationMs(600_000));
    let after = desk.within(0, 60_000);
    react(desk, &mut plan, NotificationOutcome::Quoted, after, Wish::Accept);
    if desk.strikes(300) {
        // Once more under another command id: there is nothing on offer by then.
        let again = after + desk.within(1, 100);
        react(desk, &mut plan, NotificationOutcome::Quoted, again, Wish::Accept);
    }
    let total = (arranged.cheapest, arranged.cheapest);
    plan.expectation = expect("accepts the offer", &[Ordered], total);
    send(desk, &mut plan, create);
    plan
}

/// The offer has lapsed by then: it is asked for again.
pub(super) fn accepts_late(desk: &mut Desk<'_>) -> Plan {
    let (mut plan, arranged, mut create) = dear(desk);
    create.expires_at = plan.at.saturating_add(DurationMs(900_000));
    let after = desk.within(110_000, 200_000);
    react(desk, &mut plan, NotificationOutcome::Quoted, after, Wish::Accept);
    let total = (arranged.cheapest, arranged.cheapest);
    plan.expectation = expect("accepts the offer late", &[Ordered], total);
    send(desk, &mut plan, create);
    plan
}

pub(super) fn accepts_wrongly(desk: &mut Desk<'_>) -> Plan {
    let (mut plan, _, create) = dear(desk);
    let wish = desk.pick(&[0, 1]);
    let wish = if wish == 0 { Wish::AcceptForged } else { Wish::AcceptNonsense };
    let after = desk.within(0, 2_000);
    if desk.strikes(500) {
        react(desk, &mut plan, NotificationOutcome::Quoted, after, wish);
    } else {
        at_a_moment(desk, &mut plan, &wish);
    }
    plan.expectation = expect("accepts nothing", &[Quoted], (0, 0));
    send(desk, &mut plan, create);
    plan
}

/// Raises the limit when told the price, or that nobody has the book.
pub(super) fn raises(desk: &mut Desk<'_>) -> Plan {
    if desk.strikes(250) {
        let mut plan = desk.plan();
        let isbn = desk.missing();
        let create = desk.create(&plan, by_isbn(isbn), 1_000);
        let wish = limit(2_000, create.max_total.currency());
        react(desk, &mut plan, NotificationOutcome::OutOfStock, 500, wish);
        plan.expectation = expect("raises in vain", &[OutOfStock], (0, 0));
        send(desk, &mut plan, create);
        return plan;
    }
    let (mut plan, arranged, mut create) = dear(desk);
    create.expires_at = plan.at.saturating_add(DurationMs(600_000));
    let room = desk.pick(&[0_u64, 0, 5_000]);
    let wish = limit(arranged.cheapest + room, create.max_total.currency());
    let after = desk.pick(&[0_u64, 1_000, 30_000, 130_000]);
    react(desk, &mut plan, NotificationOutcome::Quoted, after, wish);
    let total = (arranged.cheapest, arranged.cheapest + room);
    plan.expectation = expect("raises the limit", &[Ordered], total);
    send(desk, &mut plan, create);
    plan
}

/// Something is said at an instant that may fall before, into or after the purchase.
fn at_a_moment(desk: &mut Desk<'_>, plan: &mut Plan, wish: &Wish) {
    let span = desk.pick(&[1, 10, 100, 400, 3_000, 20_000]);
    let at = plan.at.saturating_add(DurationMs(desk.within(0, span)));
    // A few come before the request they are about.
    let at = if desk.strikes(100) { plan.at.saturating_sub(DurationMs(1)) } else { at };
    let command = plan.command(wish, None);
    let route = desk.route();
    plan.say(at, command, route);
}

pub(super) fn cancels_at_a_moment(desk: &mut Desk<'_>) -> Plan {
    let (mut plan, _, mut create) = buyable(desk);
    create.payment_token = token(desk.pick(&TROUBLE_WHEN_UNDONE));
    at_a_moment(desk, &mut plan, &Wish::Cancel);
    if desk.strikes(300) {
        at_a_moment(desk, &mut plan, &Wish::Cancel);
    }
    // Without the cancel, a payment that gets lost every time fails.
    plan.expectation = expect("cancels", &[Canceled, Ordered, Failed], (1, u64::MAX));
    send(desk, &mut plan, create);
    plan
}

/// What makes giving money back harder.
const TROUBLE_WHEN_UNDONE: [&str; 6] = [
    "tok_ok",
    "tok_void_fails_once",
    "tok_refund_fails_once",
    "tok_capture_silent_once",
    "tok_lost_once",
    "tok_action_required",
];

pub(super) fn cancels_when_told(desk: &mut Desk<'_>) -> Plan {
    let after = desk.pick(&[0_u64, 10, 500, 5_000]);
    match desk.below(4) {
        0 => {
            let (mut plan, _, mut create) = buyable(desk);
            create.payment_token = token(desk.pick(&TROUBLE_WHEN_UNDONE[..4]));
            react(desk, &mut plan, NotificationOutcome::Ordered, after, Wish::Cancel);
            // A store may be one that keeps what it sold.
            plan.expectation = expect("cancels the order", &[Canceled, Ordered], (1, u64::MAX));
            send(desk, &mut plan, create);
            plan
        }
        1 => {
            let (mut plan, _, create) = dear(desk);
            react(desk, &mut plan, NotificationOutcome::Quoted, after, Wish::Cancel);
            plan.expectation = expect("cancels the search", &[Canceled], (0, 0));
            send(desk, &mut plan, create);
            plan
        }
        2 => {
            let mut plan = desk.plan();
            let isbn = desk.missing();
            let create = desk.create(&plan, by_isbn(isbn), 2_000);
            react(desk, &mut plan, NotificationOutcome::OutOfStock, after, Wish::Cancel);
            plan.expectation = expect("cancels the search", &[Canceled], (0, 0));
            send(desk, &mut plan, create);
            plan
        }
        _ => {
            let (mut plan, _, mut create) = buyable(desk);
            create.payment_token = token("tok_action_abandoned");
            create.expires_at = plan.at.saturating_add(DurationMs(600_000));
            react(desk, &mut plan, NotificationOutcome::ActionRequired, after, Wish::Cancel);
            plan.expectation = expect("cancels instead of paying", &[Canceled], (0, 0));
            send(desk, &mut plan, create);
            plan
        }
    }
}

pub(super) fn updates_at_a_moment(desk: &mut Desk<'_>) -> Plan {
    let (mut plan, arranged, create) = buyable(desk);
    let currency = create.max_total.currency();
    let ahead = |ms: u64| Some(plan.at.saturating_add(DurationMs(ms)));
    let behind = |ms: u64| Some(plan.at.saturating_sub(DurationMs(ms)));
    let ends: &[PurchaseStatus];
    let terms = match desk.below(6) {
        0 => {
            ends = &[Ordered];
            Terms { strategy: Some(Strategy::Fast), ..Terms::default() }
        }
        1 => {
            ends = &[Ordered];
            Terms { max_total: Some(money(100_000, currency)), ..Terms::default() }
        }
        2 => {
            ends = &[Ordered, Quoted];
            let low = money(arranged.cheapest / 2, currency);
            Terms { max_total: Some(low), ..Terms::default() }
        }
        3 => {
            ends = &[Ordered, Expired];
            Terms { expires_at: behind(1_000), ..Terms::default() }
        }
        4 => {
            // Too early for the cheapest store to have answered, perhaps.
            ends = &[Ordered, Expired, Failed, Quoted];
            Terms { expires_at: ahead(2_100), ..Terms::default() }
        }
        _ => {
            ends = &[Ordered];
            Terms { expires_at: ahead(7_200_000), ..Terms::default() }
        }
    };
    at_a_moment(desk, &mut plan, &Wish::Update(terms));
    plan.expectation = expect("updates", ends, (1, u64::MAX));
    send(desk, &mut plan, create);
    plan
}

/// Changes that must be refused whenever they come.
pub(super) fn changes_what_cannot_be(desk: &mut Desk<'_>) -> Plan {
    let (mut plan, arranged, create) = buyable(desk);
    let other =
        if create.max_total.currency() == Currency::USD { Currency::EUR } else { Currency::USD };
    let century = plan.at.saturating_add(DurationMs::from_secs(100 * 365 * 24 * 3600));
    let wish = match desk.below(4) {
        0 => limit(100_000, other),
        1 => Wish::Update(Terms { expires_at: Some(century), ..Terms::default() }),
        2 => {
            let strategy = Some(Strategy::Fast);
            Wish::Update(Terms { if_version: Some(99), strategy, ..Terms::default() })
        }
        _ => Wish::AcceptForged,
    };
    at_a_moment(desk, &mut plan, &wish);
    let after = desk.within(0, 500);
    react(desk, &mut plan, NotificationOutcome::Ordered, after, limit(100_000, other));
    plan.expectation = expect("asks for the impossible", &[Ordered], cost(arranged, &create));
    send(desk, &mut plan, create);
    plan
}

/// A request that is changed more often than anybody needs.
pub(super) fn never_stops(desk: &mut Desk<'_>) -> Plan {
    let (mut plan, arranged, mut create) = dear(desk);
    if !desk.strikes(250) {
        // Too much of it would only slow a hunt down.
        return accepts(desk);
    }
    create.expires_at = plan.at.saturating_add(DurationMs(600_000));
    let currency = create.max_total.currency();
    for n in 0..TOO_MANY {
        let low = money(1 + u64::from(n) % (arranged.cheapest / 2), currency);
        let command = plan.command(&Wish::Update(terms(low)), None);
        let at = plan.at.saturating_add(DurationMs(u64::from(n) * 150));
        let route = desk.route();
        plan.say(at, command, route);
    }
    plan.expectation = expect("never stops", &[Quoted], (0, 0));
    send(desk, &mut plan, create);
    plan
}

fn limit(minor: u64, currency: Currency) -> Wish {
    Wish::Update(terms(money(minor, currency)))
}

fn terms(max_total: Money) -> Terms {
    Terms { max_total: Some(max_total), ..Terms::default() }
}
