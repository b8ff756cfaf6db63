//! Call-backs of stores, as the gateway took them: which order, what became of it, and whom to
//! tell. The record of the key says all of that but the news.

use std::sync::Arc;

use async_nats::jetstream;
use schemas::id::{Key, MessageId, OrderId};
use schemas::partner::{PartnerNews, PartnerNotice, PartnerOutcome};
use schemas::subject::{PartnerReplyKind, parse_partner_callback, partner_reply};
use schemas::text::Text;
use schemas::{DurationMs, RejectReason};
use tokio::sync::watch;

use super::Desk;
use super::inlet::{Done, Inlet, trace_of};
use crate::caller::Caller;
use crate::calls::{CallsError, Name, Record, State};
use crate::read::Document;
use crate::told::{self, OrderNews};
use crate::{letters, metrics};

const AGAIN: DurationMs = DurationMs(1000);
/// Call-backs worked on at once.
const AT_ONCE_MAX: usize = 64;

pub(crate) async fn inlet(desk: Arc<Desk>, stop: watch::Receiver<bool>) {
    let spec = schemas::stream::bridge_callbacks_consumer();
    let work = |desk: Arc<Desk>, message: Arc<jetstream::Message>| async move {
        take(&desk, &message).await
    };
    Inlet { spec, desk, at_once_max: AT_ONCE_MAX, work, stop }.run().await;
}

async fn take(desk: &Desk, message: &jetstream::Message) -> Done {
    let subject = message.subject.as_str();
    let caller = parse_partner_callback(subject).and_then(|partner| desk.callers.get(&partner));
    let Some(caller) = caller else {
        let why = (RejectReason::UnknownPartner, "the bridge speaks for no such store".to_owned());
        return give_up(desk, message, "stranger", why).await;
    };
    let partner = caller.store.id();
    let (key, news) = match read(caller, &message.payload) {
        Ok(read) => read,
        Err(why) => {
            return give_up(desk, message, "unusable", (RejectReason::Malformed, why)).await;
        }
    };
    match tell(desk, caller, message, &key, news).await {
        Ok(Some(end)) => {
            metrics::callback(end);
            Done::Ack
        }
        Ok(None) => {
            let why = (RejectReason::NotAsked, format!("nothing was ever sent under {key}"));
            give_up(desk, message, "stray", why).await
        }
        Err(error) => {
            tracing::warn!(%partner, %error, "a call-back is put off");
            Done::Again(AGAIN)
        }
    }
}

async fn give_up(
    desk: &Desk,
    message: &jetstream::Message,
    end: &'static str,
    why: (RejectReason, String),
) -> Done {
    letters::give_up(&desk.egress, message, why).await;
    metrics::callback(end);
    Done::Ack
}

fn read(caller: &Caller, body: &[u8]) -> Result<(Key, OrderNews), String> {
    let store = &caller.store;
    let callback = store.callback.as_ref().ok_or("this store has no [callback]")?;
    let document =
        Document::parse(store.partner.format, body).map_err(|error| error.to_string())?;
    let key = document.text(document.root(), &callback.key).ok_or("it names no key")?;
    let key = Key::parse(&key).map_err(|error| error.to_string())?;
    Ok((key, told::order_called_back(store, &callback.told, &document)))
}

/// Changes the record, then tells: a copy of the call-back finds the record changed and tells the
/// same again. `None` if no order of this key was ever sent.
async fn tell(
    desk: &Desk,
    caller: &Caller,
    message: &jetstream::Message,
    key: &Key,
    news: OrderNews,
) -> Result<Option<&'static str>, CallsError> {
    let partner = caller.store.id();
    let name = Name::order(partner, key);
    loop {
        let found = desk.calls.find(&name).await?;
        let Some(record) = found.record.clone() else { return Ok(None) };
        let Some(state) = next_state(&record.state, &news, key) else { return Ok(Some("no_news")) };
        if state != record.state {
            let changed = Record { state: state.clone(), ..record.clone() };
            if desk.calls.replace(&name, &found, changed).await?.is_none() {
                continue;
            }
        }
        let trace = trace_of(message);
        let reply =
            |outcome| desk.reply(partner, &record.reply_to, record.reply_header(), outcome, trace);
        match state {
            State::Ordered { order_id, total } => {
                reply(PartnerOutcome::Confirmed { order_id, total }).await;
            }
            State::Refused { reason } => {
                reply(PartnerOutcome::Refused { reason, final_for_key: true }).await;
            }
            State::Canceled { order_id } => {
                let news = canceled(order_id);
                notice(desk, caller, &record, key, news, trace).await;
            }
            _ => return Ok(Some("no_news")),
        }
        return Ok(Some("told"));
    }
}

/// What the record says after the news; `None` if they change nothing.
fn next_state(state: &State, news: &OrderNews, key: &Key) -> Option<State> {
    let waiting = matches!(state, State::Calling { .. } | State::Waiting { .. });
    match news {
        OrderNews::Confirmed { order_id, total }
            if waiting || matches!(state, State::Ordered { .. }) =>
        {
            Some(State::Ordered { order_id: order_id.clone(), total: *total })
        }
        OrderNews::Refused { reason, .. } if waiting || matches!(state, State::Refused { .. }) => {
            Some(State::Refused { reason: reason.clone() })
        }
        OrderNews::Canceled { order_id } => {
            let kept = match state {
                State::Ordered { order_id, .. } | State::Canceled { order_id } => {
                    Some(order_id.clone())
                }
                _ if waiting => None,
                _ => return None,
            };
            let order_id = order_id.clone().or(kept).unwrap_or_else(|| {
                OrderId::parse(key.as_str()).expect("a key is a valid order id")
            });
            Some(State::Canceled { order_id })
        }
        _ => None,
    }
}

fn canceled(order_id: OrderId) -> PartnerNews {
    let reason = Text::parse("canceled by the store").expect("a short text");
    PartnerNews::OrderCanceled { order_id, reason }
}

async fn notice(
    desk: &Desk,
    caller: &Caller,
    record: &Record,
    key: &Key,
    news: PartnerNews,
    trace: Option<schemas::TraceContext>,
) {
    let partner = caller.store.id();
    let id = format!("{partner}:{key}:canceled");
    let notice = PartnerNotice {
        notice_id: MessageId::parse(&id).expect("partner id and key fit 96 characters"),
        request_id: record.request_id,
        attempt: record.attempt,
        placement_key: key.clone(),
        news,
    };
    let subject = partner_reply(partner, PartnerReplyKind::Notice);
    desk.egress.store(&subject, &id, schemas::json::encode(&notice).into(), trace).await;
}
