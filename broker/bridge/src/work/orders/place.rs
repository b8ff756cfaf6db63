//! A new order: written down, sent once, and what came of it written down.

use schemas::partner::{PartnerOutcome, Place};
use schemas::text::Text;
use schemas::{DurationMs, Timestamp};

use super::{Desks, ENDED, known, named};
use crate::caller::{Ask, Failed};
use crate::calls::{CallsError, Found, Name, State};
use crate::gate::Line;
use crate::told::{self, OrderNews};
use crate::work::{End, refused};
use crate::{clock, context};

const LATE: &str = "arrived after its not_after";

pub(in crate::work) async fn place(work: &Desks<'_>, place: &Place) -> Result<End, CallsError> {
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
