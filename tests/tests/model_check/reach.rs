//! Endings that a configuration must come to. Without them every promise could hold because
//! nothing ever happens.

use schemas::purchase::PurchaseStatus;
use stateright::Property;

use super::model::Market;
use super::state::State;

fn is(state: &State, status: PurchaseStatus) -> bool {
    state.is_quiet() && state.request().status.kind() == status
}

pub(crate) fn property(status: PurchaseStatus) -> Property<Market> {
    match status {
        PurchaseStatus::Ordered => {
            Property::sometimes("ends ordered", |_, state| is(state, PurchaseStatus::Ordered))
        }
        PurchaseStatus::Canceled => {
            Property::sometimes("ends canceled", |_, state| is(state, PurchaseStatus::Canceled))
        }
        PurchaseStatus::Expired => {
            Property::sometimes("ends expired", |_, state| is(state, PurchaseStatus::Expired))
        }
        PurchaseStatus::Failed => {
            Property::sometimes("ends failed", |_, state| is(state, PurchaseStatus::Failed))
        }
        PurchaseStatus::Quoted => {
            Property::sometimes("ends quoted", |_, state| is(state, PurchaseStatus::Quoted))
        }
        PurchaseStatus::OutOfStock => Property::sometimes("ends out of stock", |_, state| {
            is(state, PurchaseStatus::OutOfStock)
        }),
        PurchaseStatus::Pending | PurchaseStatus::Searching | PurchaseStatus::Ordering => {
            unreachable!("no request ends there")
        }
    }
}
