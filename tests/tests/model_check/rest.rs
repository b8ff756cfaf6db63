//! What must be true once nothing moves any more.

use broker_core::effect::Outcome;
use broker_core::request::{Incident, Status};

use super::bank::Payment;
use super::shop::{Hold, Order};
use super::state::State;

pub(crate) fn is_in_order(state: &State, rebuy: bool) -> bool {
    let request = state.request();
    request.is_closed()
        && request.undo.is_empty()
        && !request.is_active()
        && money_matches_orders(state)
        && no_stock_is_held(state)
        && was_told(state)
        && corrections_are_listed(&state.told, rebuy)
}

fn money_matches_orders(state: &State) -> bool {
    let ordered = state.request().status == Status::Ordered;
    let matches = state.shops.iter().zip(&state.payments).all(|(shop, payment)| {
        match (shop.order, payment) {
            (Order::Accepted { live: true, total, .. }, Payment::Captured { amount }) => {
                total == *amount
            }
            (Order::Accepted { live: true, .. }, _) => {
                state.request().incident == Some(Incident::CaptureFailed)
            }
            (_, payment) => !payment.is_open(),
        }
    });
    matches && (state.live_orders() == 1) == ordered
}

fn no_stock_is_held(state: &State) -> bool {
    !state.shops.iter().any(|shop| matches!(shop.hold, Hold::Held { until } if until > state.now))
}

/// The last word to the customer is the state at rest. A resting offer is told once.
fn was_told(state: &State) -> bool {
    let expected = match state.request().status {
        Status::Ordered => Outcome::Ordered,
        Status::Expired => Outcome::Expired,
        Status::Failed(_) => Outcome::Failed,
        Status::Canceled => Outcome::Canceled,
        Status::Quoted(_) => Outcome::Quoted,
        Status::OutOfStock => Outcome::OutOfStock,
        Status::Pending | Status::Searching | Status::Ordering => return false,
    };
    let last = state.told.last().copied();
    let resting = [Outcome::Quoted, Outcome::OutOfStock];
    last == Some(expected)
        || (resting.contains(&expected) && last.is_some_and(|last| resting.contains(&last)))
}

/// One outcome closes a request. Only an order that stood may be corrected, and offers that rest
/// may be followed by anything.
pub(crate) fn corrections_are_listed(told: &[Outcome], rebuy: bool) -> bool {
    told.windows(2).all(|pair| {
        let resting = matches!(pair[1], Outcome::Quoted | Outcome::OutOfStock);
        match pair[0] {
            Outcome::Quoted | Outcome::OutOfStock => true,
            Outcome::Ordered => {
                rebuy || (!resting && matches!(pair[1], Outcome::Failed | Outcome::Canceled))
            }
            Outcome::Expired
            | Outcome::Failed
            | Outcome::Canceled
            | Outcome::ActionRequired
            | Outcome::Incident => false,
        }
    })
}
