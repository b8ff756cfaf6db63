//! Orders that may have been sent: to be canceled, or looked up.

use std::ops::ControlFlow;

use schemas::partner::PartnerOutcome;

use super::{Desks, known, named};
use crate::calls::{CallsError, Found, State};
use crate::clock;
use crate::told::OrderNews;
use crate::work::{End, refused};

/// What a cancel or a look-up is answered from the record alone; without that, the record. An order
/// that was never sent never will be after it.
async fn without_asking(work: &Desks<'_>) -> Result<ControlFlow<End, Found>, CallsError> {
    loop {
        let found = work.desk.calls.find(&work.name).await?;
        match found.state() {
            Some(State::Tombstoned | State::Refused { .. }) => {
                return Ok(ControlFlow::Break(gone()));
            }
            Some(State::Canceled { order_id }) => {
                let order_id = order_id.clone();
                let answer = End::Answer(PartnerOutcome::Canceled { order_id });
                return Ok(ControlFlow::Break(answer));
            }
            _ if work.never_sent(&found, clock::now()) => {
                if work.replace(&found, State::Tombstoned).await?.is_some() {
                    return Ok(ControlFlow::Break(gone()));
                }
            }
            _ => return Ok(ControlFlow::Continue(found)),
        }
    }
}

pub(in crate::work) async fn cancel(work: &Desks<'_>) -> Result<End, CallsError> {
    loop {
        let found = match without_asking(work).await? {
            ControlFlow::Break(end) => return Ok(end),
            ControlFlow::Continue(found) => found,
        };
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

pub(in crate::work) async fn lookup(work: &Desks<'_>) -> Result<End, CallsError> {
    loop {
        let found = match without_asking(work).await? {
            ControlFlow::Break(end) => return Ok(end),
            ControlFlow::Continue(found) => found,
        };
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
