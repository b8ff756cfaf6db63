//! `place`, `cancel` and `lookup`, by the record of the key.
//!
//! ```text
//!   none ──► calling ──► ordered ──► canceled
//!    │         │  └────► waiting ──► ordered, refused
//!    │         └───────► refused
//!    └► open ─► …        tombstoned ◄── none, open, or what the store made sure of
//! ```
//! `calling` that nobody is about any more means that the outcome is not known. Only a store that
//! promises it is called again then; of any other it is looked up.

mod existing;
mod place;

use schemas::id::OrderId;
use schemas::partner::{CommandHeader, PartnerOutcome};
use schemas::{DurationMs, Timestamp};

use super::{Desk, End, deadline, refused};
use crate::caller::{Ask, Caller, Failed};
use crate::calls::{CallsError, Found, Name, Record, State};
use crate::gate::Line;
use crate::store::file::Style;
use crate::store::parts::Order;
use crate::told::{self, OrderNews};
use crate::{clock, context, metrics};

const ENDED: &str = "the order of this key was canceled";
const FENCED: &str = "this key was canceled before the order came";

pub(super) use existing::{cancel, lookup};
pub(super) use place::place;

/// One key at one store.
pub(super) struct Desks<'a> {
    pub(super) desk: &'a Desk,
    pub(super) caller: &'a Caller,
    pub(super) name: Name,
    pub(super) header: &'a CommandHeader,
}

impl Desks<'_> {
    async fn replace(&self, found: &Found, state: State) -> Result<Option<Found>, CallsError> {
        let record = Record::new(self.header, state);
        self.desk.calls.replace(&self.name, found, record).await
    }

    /// That there is no record proves that nothing was ever sent.
    fn never_sent(&self, found: &Found, now: Timestamp) -> bool {
        match found.state() {
            None => self.desk.calls.remembers(self.header.request_id, now),
            Some(State::Open) => true,
            Some(_) => false,
        }
    }

    fn note(&self, operation: &'static str, news: &OrderNews) {
        let partner = self.caller.store.id();
        let label = match news {
            OrderNews::Confirmed { .. } => "confirmed",
            OrderNews::Canceled { .. } => "canceled",
            OrderNews::Pending { .. } => "pending",
            OrderNews::Refused { .. } => "refused",
            OrderNews::NotFound => "not_found",
            OrderNews::TooMany(_) => "too_many",
            OrderNews::Unknown(why) => {
                let request = self.header.request_id;
                tracing::warn!(%partner, operation, %request, why, "an answer that proves nothing");
                "unknown"
            }
        };
        metrics::outcome(partner, operation, label);
    }

    async fn ask(
        &self,
        order: &Order,
        operation: &'static str,
        state: Option<&State>,
    ) -> Result<OrderNews, Failed> {
        let store_ref = match state {
            Some(State::Ordered { order_id, .. } | State::Canceled { order_id }) => {
                Some(order_id.as_str())
            }
            Some(State::Waiting { store_ref, .. }) => store_ref.as_deref(),
            _ => None,
        };
        let key = self.name.key();
        let values = context::existing(self.header, key.as_str(), store_ref);
        let deadline = deadline(self.caller, clock::now());
        let ask =
            Ask { operation, values: &values, key: Some(&key), line: Line::Commands, deadline };
        let answer = self.caller.call(&order.call, ask).await;
        let store = &self.caller.store;
        let news = match answer {
            Ok(answer) if operation == "cancel" => told::cancel(store, &order.told, &answer),
            Ok(answer) => told::order(store, &order.told, &answer),
            Err(failed) if failed.is_unsent() => return Err(failed),
            Err(failed) => OrderNews::Unknown(failed.to_string()),
        };
        self.note(operation, &news);
        Ok(news)
    }

    fn pause(&self, wait: DurationMs) -> DurationMs {
        self.caller.gate.pause(wait)
    }
}

/// The answer that the key already has.
fn known(caller: &Caller, state: &State) -> End {
    match state {
        State::Ordered { order_id, total } => {
            let order_id = order_id.clone();
            End::Answer(PartnerOutcome::Confirmed { order_id, total: *total })
        }
        State::Waiting { store_ref, status_url } if caller.store.partner.style == Style::Poll => {
            End::Poll { store_ref: store_ref.clone(), status_url: status_url.clone() }
        }
        State::Refused { reason } => {
            let reason = reason.clone();
            End::Answer(PartnerOutcome::Refused { reason, final_for_key: true })
        }
        State::Canceled { .. } => End::Answer(refused(ENDED, true)),
        State::Tombstoned => End::Answer(refused(FENCED, true)),
        State::Open | State::Calling { .. } | State::Waiting { .. } => End::Silence,
        State::Held { .. } | State::Released => End::Silence,
    }
}

/// The store's name for an order that it tells nothing else of.
fn named(work: &Desks<'_>, told: Option<OrderId>, state: Option<&State>) -> OrderId {
    let kept = match state {
        Some(State::Ordered { order_id, .. } | State::Canceled { order_id }) => {
            Some(order_id.clone())
        }
        Some(State::Waiting { store_ref: Some(text), .. }) => OrderId::parse(text).ok(),
        _ => None,
    };
    told.or(kept).unwrap_or_else(|| {
        OrderId::parse(work.name.key().as_str()).expect("a key is a valid order id")
    })
}
