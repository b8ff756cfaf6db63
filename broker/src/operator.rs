//! What operators and the serving broker say to each other on `broker.admin.*`: open incidents with
//! their evidence, and a human's word about them; how partners stand, pins and bans; dead letters
//! that go for ever. No contract with the outside; both ends are this program.

pub mod letters;
pub mod partners;
pub mod sweeps;

use broker_core::PurchaseRequest;
use broker_core::event::{OperatorWord, Ruling};
use broker_core::keys::{KeyFor, key};
use broker_core::request::{Checkout, Step};
use schemas::id::{Key, OrderId, QuoteId};
use schemas::problem::Problem;
use schemas::purchase::PurchaseStatus;
use schemas::text::Text;
use schemas::{CustomerId, Isbn13, Money, PartnerId, RequestId, Timestamp};
use serde::{Deserialize, Serialize};

/// Asks for one page.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ListIncidents {
    /// Only those behind this request.
    pub after: Option<RequestId>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum IncidentsReply {
    Page {
        incidents: Vec<IncidentView>,
        /// Where the next page begins; absent on the last one. A page may be empty.
        next: Option<RequestId>,
    },
    Rejected(Problem),
}

/// A request that waits for a human, and what is known of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct IncidentView {
    pub request_id: RequestId,
    pub customer: CustomerId,
    pub status: PurchaseStatus,
    /// What is wrong; absent if it is only frozen.
    pub incident: Option<String>,
    /// Since when nothing is bought for it, after a restore.
    pub frozen_at: Option<Timestamp>,
    pub isbn: Isbn13,
    pub quantity: u8,
    pub max_total: Money,
    /// The last attempt to buy.
    pub attempt: Option<AttemptView>,
    /// Orders of the same request that are dealt with.
    pub other_orders: Vec<OrderId>,
}

/// What a store can be asked about.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AttemptView {
    pub number: u8,
    pub partner: PartnerId,
    pub step: String,
    /// Under which the store was given the order.
    pub placement_key: Key,
    pub quote_id: QuoteId,
    /// Most that the order may cost, and until when the store may accept it.
    pub price_cap: Option<Money>,
    pub not_after: Option<Timestamp>,
    /// Money that is held for it.
    pub authorized: Option<Money>,
    pub unknown_since: Option<Timestamp>,
    pub lookups: Option<u8>,
    pub order_id: Option<OrderId>,
}

/// A human's word about one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolve {
    pub request_id: RequestId,
    /// Who answers for it.
    pub actor: Text<100>,
    pub reason: Text<500>,
    #[serde(flatten)]
    pub resolution: Resolution,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "resolution", rename_all = "snake_case")]
pub enum Resolution {
    Found { attempt: u8, order_id: OrderId, total: Money },
    NotFound { attempt: u8 },
    Release,
}

impl Resolve {
    pub fn into_word(self) -> OperatorWord {
        let ruling = match self.resolution {
            Resolution::Found { attempt, order_id, total } => {
                Ruling::Found { attempt, order_id, total }
            }
            Resolution::NotFound { attempt } => Ruling::NotFound { attempt },
            Resolution::Release => Ruling::Release,
        };
        OperatorWord { actor: self.actor, reason: self.reason, ruling }
    }
}

impl IncidentView {
    /// `None` for a request that needs nobody.
    pub fn of(request: &PurchaseRequest) -> Option<Self> {
        if request.incident.is_none() && request.frozen_at.is_none() {
            return None;
        }
        let submission = &request.submission;
        Some(Self {
            request_id: request.id(),
            customer: submission.customer.clone(),
            status: request.status.kind(),
            incident: request.incident.map(|incident| incident.label().to_owned()),
            frozen_at: request.frozen_at,
            isbn: submission.isbn,
            quantity: submission.quantity,
            max_total: request.terms.max_total,
            attempt: request.checkout.as_ref().map(|checkout| attempt(request.id(), checkout)),
            other_orders: request.known_orders.iter().map(|known| known.order_id.clone()).collect(),
        })
    }
}

fn attempt(request: RequestId, checkout: &Checkout) -> AttemptView {
    let unknown = match &checkout.step {
        Step::PlacementUnknown(unknown) => Some(unknown),
        Step::Reserving { .. }
        | Step::Authorizing { .. }
        | Step::ActionRequired { .. }
        | Step::Placing
        | Step::Capturing { .. }
        | Step::Completed
        | Step::Failed(_) => None,
    };
    AttemptView {
        number: checkout.attempt,
        partner: checkout.quote.partner.clone(),
        step: step(&checkout.step).to_owned(),
        placement_key: key(KeyFor::Placement, request, checkout.attempt),
        quote_id: checkout.quote.quote_id.clone(),
        price_cap: checkout.intent.map(|intent| intent.price_cap),
        not_after: checkout.intent.map(|intent| intent.not_after),
        authorized: checkout.authorization.map(|authorization| authorization.amount),
        unknown_since: unknown.map(|unknown| unknown.since),
        lookups: unknown.map(|unknown| unknown.asks),
        order_id: checkout.order.as_ref().map(|order| order.order_id.clone()),
    }
}

/// Stable name of a step, for lists and metrics.
pub(crate) const fn step(step: &Step) -> &'static str {
    match step {
        Step::Reserving { .. } => "reserving",
        Step::Authorizing { .. } => "authorizing",
        Step::ActionRequired { .. } => "action_required",
        Step::Placing => "placing",
        Step::PlacementUnknown(_) => "placement_unknown",
        Step::Capturing { .. } => "capturing",
        Step::Completed => "completed",
        Step::Failed(_) => "failed",
    }
}

#[cfg(test)]
mod tests {
    use schemas::json;

    use super::*;
    use crate::wire::fixture;

    #[test]
    fn a_human_s_word_is_read_back_as_it_was_written() {
        let order_id = OrderId::parse("o-1").unwrap();
        for resolution in [
            Resolution::Found { attempt: 2, order_id, total: fixture::usd(1500) },
            Resolution::NotFound { attempt: 1 },
            Resolution::Release,
        ] {
            let word = Resolve {
                request_id: fixture::request_id(),
                actor: Text::parse("ann").unwrap(),
                reason: Text::parse("asked the store").unwrap(),
                resolution,
            };
            assert_eq!(json::decode::<Resolve>(&json::encode(&word), 4096), Ok(word));
        }
    }

    #[test]
    fn only_what_needs_a_human_is_listed() {
        let mut request = fixture::request();
        assert!(IncidentView::of(&request).is_none());
        request.frozen_at = Some(Timestamp::from_unix_ms(1));
        assert!(IncidentView::of(&request).unwrap().incident.is_none());
    }
}
