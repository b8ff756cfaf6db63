//! The human who is called when an order stays unknown: asks the store and says what is true. Not
//! about every one, and not when the truth may still change.

use broker_core::event::Ruling;
use broker_core::keys::{KeyFor, key};
use broker_core::request::Step;
use partner_sim::ledger::OrderState;
use schemas::{DurationMs, RequestId};

use super::World;
use crate::sim::scene::Item;

/// From the call to the word: after the last moment at which the store may still accept the order.
pub const LOOKS_FOR_MS: DurationMs = DurationMs(8_000);
/// While no broker serves.
const TRIES_AGAIN_MS: DurationMs = DurationMs(5_000);

/// Whether anybody looks at this request: told by its id, so that no choice is spent on it.
pub fn is_looked_at(request: RequestId) -> bool {
    request.as_bytes().iter().fold(0, |sum: u8, byte| sum.wrapping_add(*byte)) % 2 == 0
}

impl World {
    pub(super) fn human(&mut self, request: RequestId) {
        let Some(serving) = self.scene.serving.first().copied() else {
            return self.scene.after(TRIES_AGAIN_MS, Item::Human(request));
        };
        if let Some(ruling) = self.truth(request) {
            self.node(serving, |node, scene| node.hear_human(request, ruling, scene));
        }
    }

    fn truth(&self, request: RequestId) -> Option<Ruling> {
        let stored = self.scene.reader.load(request).expect("the twin can always be read");
        let checkout = stored?.request.checkout?;
        let Step::PlacementUnknown(_) = checkout.step else { return None };
        let (attempt, partner) = (checkout.attempt, &checkout.quote.partner);
        let store = self.parties.world.partners.get(partner)?;
        match store.order(&key(KeyFor::Placement, request, attempt)).map(|order| &order.state) {
            Some(OrderState::Accepted { order_id, total, accepted_at, end: None, .. }) => {
                let (order_id, total) = (order_id.clone(), *total);
                let stands = *accepted_at <= self.scene.now;
                stands.then_some(Ruling::Found { attempt, order_id, total })
            }
            Some(OrderState::Accepted { .. }) => None,
            None
            | Some(OrderState::Open | OrderState::Refused { .. } | OrderState::Tombstoned { .. }) =>
            {
                let profile = self.setup.policy.partners.profile(partner);
                let settled = profile.honours_not_after && self.parties.clock_off_ms == 0;
                settled.then_some(Ruling::NotFound { attempt })
            }
        }
    }
}
