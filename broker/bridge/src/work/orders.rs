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

use schemas::id::OrderId;
use schemas::partner::{CommandHeader, PartnerOutcome, Place};
use schemas::text::Text;
use schemas::{DurationMs, Timestamp};

use super::{Desk, End, deadline, refused};
use crate::caller::{Ask, Caller, Failed};
use crate::calls::{CallsError, Found, Name, Record, State};
use crate::gate::Line;
use crate::store::file::Style;
use crate::store::parts::Order;
use crate::told::{self, OrderNews};
use crate::{clock, context, metrics};

const LATE: &str = "arrived after its not_after";
const ENDED: &str = "the order of this key was canceled";
const FENCED: &str = "this key was canceled before the order came";

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

pub(super) async fn place(work: &Desks<'_>, place: &Place) -> Result<End, CallsError> {
    loop {
        let found = work.desk.calls.find(&work.name).await?;
        let now = clock::now();
        let uncertain = match found.state() {
            None | Some(State::Open) if now > place.not_after => {
                if !work.never_sent(&found, now) {
                    return Ok(End::Answer(refused(LATE, false)));
                }
                if work.replace(&found, State::Tombstoned).await?.is_some() {
                    return Ok(End::Answer(refused(LATE, true)));
                }
                continue;
            }
            None | Some(State::Open) => false,
            Some(State::Calling { since }) => {
                if !work.caller.store.promises.idempotent {
                    let over = since.saturating_add(work.caller.call_max());
                    return recover(work, &found, over, now).await;
                }
                if now > place.not_after {
                    return Ok(End::Silence);
                }
                true
            }
            Some(state) => return Ok(known(work.caller, state)),
        };
        let calling = State::Calling { since: now };
        let Some(found) = work.replace(&found, calling).await? else { continue };
        let news = send(work, place).await?;
        if let Some(end) = settle(work, place, &found, news, uncertain).await? {
            return Ok(end);
        }
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

async fn send(work: &Desks<'_>, place: &Place) -> Result<Result<OrderNews, Failed>, CallsError> {
    let mut reservation_id = None;
    if let Some(key) = &place.reservation_key {
        let hold = Name::hold(work.caller.store.id(), key);
        if let Some(State::Held { reservation_id: id, .. }) =
            work.desk.calls.find(&hold).await?.state()
        {
            reservation_id = Some(id.to_string());
        }
    }
    let values = context::place(place, reservation_id.as_deref());
    let store = &work.caller.store;
    let ask = Ask {
        operation: "place",
        values: &values,
        key: Some(&place.placement_key),
        line: Line::Commands,
        deadline: place.not_after,
    };
    let news = match work.caller.call(&store.place.call, ask).await {
        Ok(answer) => told::order(store, &store.place.told, &answer),
        Err(failed) if failed.is_unsent() => return Ok(Err(failed)),
        Err(failed) => OrderNews::Unknown(failed.to_string()),
    };
    work.note("place", &news);
    Ok(Ok(news))
}

/// Writes down what came of the call; `None` if the record changed meanwhile and has the say.
async fn settle(
    work: &Desks<'_>,
    place: &Place,
    found: &Found,
    news: Result<OrderNews, Failed>,
    uncertain: bool,
) -> Result<Option<End>, CallsError> {
    let (state, end) = match news {
        Err(failed) => {
            tracing::info!(partner = %work.caller.store.id(), error = %failed, "not placed yet");
            return unsent(work, place, found, failed.retry_after(), uncertain).await;
        }
        Ok(OrderNews::TooMany(wait)) => {
            let wait = work.pause(wait);
            return unsent(work, place, found, wait, uncertain).await;
        }
        Ok(OrderNews::Confirmed { order_id, total }) => {
            let state = State::Ordered { order_id: order_id.clone(), total };
            (state, End::Answer(PartnerOutcome::Confirmed { order_id, total }))
        }
        Ok(OrderNews::Canceled { order_id }) => {
            let order_id = named(work, order_id, None);
            (State::Canceled { order_id }, End::Answer(refused(ENDED, true)))
        }
        Ok(OrderNews::Pending { store_ref, status_url }) => {
            let state = State::Waiting { store_ref, status_url };
            let end = known(work.caller, &state);
            (state, end)
        }
        // An earlier copy may have been taken all the same.
        Ok(OrderNews::Refused { reason, .. }) if uncertain => {
            let outcome = PartnerOutcome::Refused { reason, final_for_key: false };
            return Ok(Some(End::Answer(outcome)));
        }
        Ok(OrderNews::Refused { reason, .. }) => refusal(reason),
        Ok(OrderNews::NotFound) if uncertain => return Ok(Some(End::Silence)),
        Ok(OrderNews::NotFound) => {
            refusal(Text::parse("the store does not have it").expect("a short text"))
        }
        Ok(OrderNews::Unknown(_)) => return Ok(Some(End::Silence)),
    };
    Ok(work.replace(found, state).await?.map(|_| end))
}

fn refusal(reason: Text<200>) -> (State, End) {
    let outcome = PartnerOutcome::Refused { reason: reason.clone(), final_for_key: true };
    (State::Refused { reason }, End::Answer(outcome))
}

/// The store knows nothing of this copy: it may be sent again while there is time.
async fn unsent(
    work: &Desks<'_>,
    place: &Place,
    found: &Found,
    wait: DurationMs,
    uncertain: bool,
) -> Result<Option<End>, CallsError> {
    let in_time = clock::now().saturating_add(wait) < place.not_after;
    let later = if in_time { End::Later(wait) } else { End::Silence };
    if uncertain {
        return Ok(Some(later));
    }
    let (state, end) = if in_time {
        (State::Open, later)
    } else {
        (State::Tombstoned, End::Answer(refused("the store could not be reached in time", true)))
    };
    Ok(work.replace(found, state).await?.map(|_| end))
}

/// It was sent once, to a store that must not get it twice, and nobody knows what became of it.
async fn recover(
    work: &Desks<'_>,
    found: &Found,
    over: Timestamp,
    now: Timestamp,
) -> Result<End, CallsError> {
    // Somebody else may still be about it.
    if now < over {
        return Ok(End::Later(over.since(now)));
    }
    let Some(lookup) = &work.caller.store.lookup else { return Ok(End::Silence) };
    let state = match work.ask(lookup, "lookup", found.state()).await {
        Ok(OrderNews::Confirmed { order_id, total }) => State::Ordered { order_id, total },
        Ok(OrderNews::Canceled { order_id }) => {
            State::Canceled { order_id: named(work, order_id, found.state()) }
        }
        Ok(_) => return Ok(End::Silence),
        Err(failed) => return Ok(End::Later(failed.retry_after())),
    };
    let end = known(work.caller, &state);
    work.replace(found, state).await?;
    Ok(end)
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

pub(super) async fn cancel(work: &Desks<'_>) -> Result<End, CallsError> {
    loop {
        let found = work.desk.calls.find(&work.name).await?;
        match found.state() {
            Some(State::Tombstoned | State::Refused { .. }) => return Ok(gone()),
            Some(State::Canceled { order_id }) => {
                let order_id = order_id.clone();
                return Ok(End::Answer(PartnerOutcome::Canceled { order_id }));
            }
            _ if work.never_sent(&found, clock::now()) => {
                if work.replace(&found, State::Tombstoned).await?.is_some() {
                    return Ok(gone());
                }
                continue;
            }
            _ => {}
        }
        let Some(order) = &work.caller.store.cancel else {
            return Ok(End::Answer(refused("orders cannot be canceled here", false)));
        };
        let fences = work.caller.store.promises.fences_cancel;
        let state = match work.ask(order, "cancel", found.state()).await {
            Err(failed) => return Ok(End::Later(failed.retry_after())),
            Ok(OrderNews::TooMany(wait)) => return Ok(End::Later(work.pause(wait))),
            Ok(OrderNews::Canceled { order_id }) => {
                State::Canceled { order_id: named(work, order_id, found.state()) }
            }
            Ok(OrderNews::NotFound) if fences => State::Tombstoned,
            Ok(OrderNews::NotFound) => {
                return Ok(End::Answer(PartnerOutcome::NotFound { final_for_key: false }));
            }
            Ok(OrderNews::Refused { reason, is_final }) => {
                let outcome = PartnerOutcome::Refused { reason, final_for_key: is_final };
                return Ok(End::Answer(outcome));
            }
            Ok(OrderNews::Confirmed { .. } | OrderNews::Pending { .. } | OrderNews::Unknown(_)) => {
                return Ok(End::Silence);
            }
        };
        // Written or not: the next look finds what to say.
        work.replace(&found, state).await?;
    }
}

fn gone() -> End {
    End::Answer(PartnerOutcome::NotFound { final_for_key: true })
}

pub(super) async fn lookup(work: &Desks<'_>) -> Result<End, CallsError> {
    loop {
        let found = work.desk.calls.find(&work.name).await?;
        match found.state() {
            Some(State::Tombstoned | State::Refused { .. }) => return Ok(gone()),
            Some(State::Canceled { order_id }) => {
                let order_id = order_id.clone();
                return Ok(End::Answer(PartnerOutcome::Canceled { order_id }));
            }
            _ if work.never_sent(&found, clock::now()) => {
                if work.replace(&found, State::Tombstoned).await?.is_some() {
                    return Ok(gone());
                }
                continue;
            }
            _ => {}
        }
        // What the store once confirmed stands until it says otherwise.
        let confirmed = match found.state() {
            Some(state @ State::Ordered { .. }) => Some(known(work.caller, state)),
            _ => None,
        };
        let Some(order) = &work.caller.store.lookup else {
            let cannot = || End::Answer(refused("orders cannot be looked up here", false));
            return Ok(confirmed.unwrap_or_else(cannot));
        };
        let state = match work.ask(order, "lookup", found.state()).await {
            Err(failed) => return Ok(End::Later(failed.retry_after())),
            Ok(OrderNews::TooMany(wait)) => return Ok(End::Later(work.pause(wait))),
            Ok(OrderNews::Confirmed { order_id, total }) => {
                let state = State::Ordered { order_id, total };
                let end = known(work.caller, &state);
                work.replace(&found, state).await?;
                return Ok(end);
            }
            Ok(OrderNews::Canceled { order_id }) => {
                State::Canceled { order_id: named(work, order_id, found.state()) }
            }
            // It has the order and will not carry it out.
            Ok(OrderNews::Refused { reason, .. }) if confirmed.is_none() => {
                State::Refused { reason }
            }
            Ok(OrderNews::NotFound) if confirmed.is_none() => {
                if !work.caller.store.promises.fences_lookup {
                    return Ok(End::Answer(PartnerOutcome::NotFound { final_for_key: false }));
                }
                State::Tombstoned
            }
            Ok(
                OrderNews::NotFound
                | OrderNews::Refused { .. }
                | OrderNews::Pending { .. }
                | OrderNews::Unknown(_),
            ) => return Ok(confirmed.unwrap_or(End::Silence)),
        };
        work.replace(&found, state).await?;
    }
}
