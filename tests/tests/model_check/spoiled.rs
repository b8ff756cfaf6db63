//! A check that cannot fail proves nothing: each of these is broken on purpose and is found out.

use broker_core::Policy;
use broker_core::event::{Event, PartnerAnswer, PartnerOutcome};
use broker_core::request::{PurchaseRequest, Step, UndoKind};
use broker_core::timer::TimerKind;
use broker_core::transition::{Rejection, Transition, transition};
use schemas::Timestamp;
use schemas::subject::PartnerOperation;
use schemas::text::Text;

use super::numbers::plain;
use super::promise::{Promise, REST};
use super::run::{breaks, names};
use super::setting::{Budget, Setting};
use super::shop::LateCopy;

type Result = std::result::Result<Transition, Rejection>;

/// The order had no answer in time, so it is taken for refused.
fn orders_again_on_time_out(
    request: &PurchaseRequest,
    event: Event,
    now: Timestamp,
    policy: &Policy,
) -> Result {
    let placing = request.checkout.as_ref().filter(|checkout| checkout.step == Step::Placing);
    let event = match (event, placing) {
        (Event::Timer(TimerKind::Step), Some(checkout)) => Event::Partner(PartnerAnswer {
            partner: checkout.quote.partner.clone(),
            attempt: checkout.attempt,
            operation: Some(PartnerOperation::Place),
            in_reply_to: None,
            outcome: PartnerOutcome::Refused {
                reason: Text::parse("no answer").unwrap(),
                final_for_key: true,
            },
        }),
        (event, _) => event,
    };
    transition(request, event, now, policy)
}

/// Money of a failed attempt is forgotten.
fn forgets_to_void(
    request: &PurchaseRequest,
    event: Event,
    now: Timestamp,
    policy: &Policy,
) -> Result {
    let mut change = transition(request, event, now, policy)?;
    change.next.undo.retain(|undo| undo.kind != UndoKind::Void);
    Ok(change)
}

/// Every order is good until a second after the deadline.
fn orders_late(request: &PurchaseRequest, event: Event, now: Timestamp, policy: &Policy) -> Result {
    let mut careless = policy.clone();
    careless.clock_margin = schemas::DurationMs(0);
    let mut longer = request.clone();
    longer.terms.expires_at = longer.terms.expires_at.saturating_add(schemas::DurationMs(5));
    let mut change = transition(&longer, event, now, &careless)?;
    change.next.terms.expires_at = request.terms.expires_at;
    Ok(change)
}

#[test]
fn a_store_that_looks_at_the_date_first_is_found_to_break_the_promises() {
    let budget = Budget { twice: 1, lost_answers: 3, ..Budget::default() };
    let setting = Setting::named("spoiled: deadline before key").stores([plain(0), plain(1)]);
    let late_copy = LateCopy::RefusedForGood;
    let broken = breaks(Setting { budget, late_copy, ..setting });
    assert!(names(&broken, Promise::MoneyStays), "{broken:?}");
}

#[test]
fn a_broker_that_orders_again_on_a_time_out_is_found() {
    let budget = Budget { late: 1, ..Budget::default() };
    let setting = Setting::named("spoiled: orders again on a time-out");
    let decide = orders_again_on_time_out;
    let broken = breaks(Setting { budget, decide, ..setting.stores([plain(0), plain(1)]) });
    assert!(!broken.is_empty(), "{broken:?}");
}

#[test]
fn a_broker_that_forgets_to_void_is_found() {
    let budget = Budget { refusals: 1, ..Budget::default() };
    let setting = Setting::named("spoiled: forgets to void");
    let broken = breaks(Setting { budget, decide: forgets_to_void, ..setting });
    assert!(names(&broken, Promise::OneHold) || broken.contains(&REST), "{broken:?}");
}

#[test]
fn a_broker_that_orders_after_the_deadline_is_found() {
    let setting = Setting::named("spoiled: orders late").stores([plain(0), plain(1)]);
    let budget = Budget { late: 1, ..Budget::default() };
    let broken = breaks(Setting { budget, life: 10, decide: orders_late, ..setting });
    assert!(names(&broken, Promise::InTime), "{broken:?}");
}
