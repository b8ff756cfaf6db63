//! Stores that tell what became of an order only to whoever asks again.

use schemas::Timestamp;
use schemas::partner::{PartnerOutcome, Place};
use tokio::time::{Instant, sleep_until};

use super::orders::Desks;
use super::{End, refused};
use crate::caller::Ask;
use crate::calls::{CallsError, Record, State};
use crate::gate::Line;
use crate::store::parts::Poll;
use crate::told::{self, OrderNews};
use crate::{clock, context, metrics};

/// Asks until the store knows, at most until `not_after`; after it the broker looks up.
pub(super) async fn follow(
    work: &Desks<'_>,
    place: &Place,
    (store_ref, status_url): (Option<String>, Option<String>),
) -> Result<End, CallsError> {
    let Some(poll) = &work.caller.store.poll else { return Ok(End::Silence) };
    let mut next = Instant::now();
    while clock::now() <= place.not_after {
        next += poll.every.into();
        sleep_until(next).await;
        let urls = (store_ref.as_deref(), status_url.as_deref());
        let news = ask(work, poll, urls, place.not_after).await;
        let state = match news {
            OrderNews::Confirmed { order_id, total } => State::Ordered { order_id, total },
            OrderNews::Refused { reason, .. } => State::Refused { reason },
            OrderNews::TooMany(wait) => {
                let wait = work.caller.gate.pause(wait);
                next += wait.into();
                continue;
            }
            OrderNews::Canceled { .. }
            | OrderNews::Pending { .. }
            | OrderNews::NotFound
            | OrderNews::Unknown(_) => continue,
        };
        return told(work, state).await;
    }
    Ok(End::Silence)
}

async fn ask(
    work: &Desks<'_>,
    poll: &Poll,
    (store_ref, status_url): (Option<&str>, Option<&str>),
    deadline: Timestamp,
) -> OrderNews {
    let key = work.name.key();
    let values = context::existing(work.header, key.as_str(), store_ref);
    let ask = Ask { operation: "poll", values: &values, key: None, line: Line::Commands, deadline };
    let answer = match (&poll.call, status_url) {
        (_, Some(url)) => work.caller.get(url, ask).await,
        (Some(call), None) => work.caller.call(call, ask).await,
        (None, None) => return OrderNews::Unknown("it did not say where to ask".to_owned()),
    };
    let news = match answer {
        Ok(answer) => told::order(&work.caller.store, &poll.told, &answer),
        Err(failed) => OrderNews::Unknown(failed.to_string()),
    };
    let label = if matches!(news, OrderNews::Unknown(_)) { "unknown" } else { "told" };
    metrics::outcome(work.caller.store.id(), "poll", label);
    news
}

/// What the store said last, unless the record knows better by now.
async fn told(work: &Desks<'_>, state: State) -> Result<End, CallsError> {
    let _turn = work.desk.turns.take(&work.name).await;
    loop {
        let found = work.desk.calls.find(&work.name).await?;
        match found.state() {
            Some(State::Waiting { .. } | State::Calling { .. }) => {
                let record = Record::new(work.header, state.clone());
                if work.desk.calls.replace(&work.name, &found, record).await?.is_none() {
                    continue;
                }
            }
            Some(State::Canceled { .. } | State::Tombstoned) => {
                return Ok(End::Answer(refused("the order of this key was canceled", true)));
            }
            _ => {}
        }
        return Ok(match state {
            State::Ordered { order_id, total } => {
                End::Answer(PartnerOutcome::Confirmed { order_id, total })
            }
            State::Refused { reason } => {
                End::Answer(PartnerOutcome::Refused { reason, final_for_key: true })
            }
            _ => End::Silence,
        });
    }
}
