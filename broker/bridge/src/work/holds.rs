//! `reserve` and `release`, by the record of the key.

use schemas::partner::{PartnerOutcome, Reserve};
use schemas::text::Text;

use super::orders::Desks;
use super::{End, deadline, refused};
use crate::caller::{Ask, Failed};
use crate::calls::{CallsError, Found, Record, State};
use crate::gate::Line;
use crate::told::{self, HoldNews};
use crate::{clock, context, metrics};

const LATE: &str = "arrived after its not_after";

fn gone() -> End {
    End::Answer(PartnerOutcome::NotFound { final_for_key: true })
}

async fn replace(
    work: &Desks<'_>,
    found: &Found,
    state: State,
) -> Result<Option<Found>, CallsError> {
    work.desk.calls.replace(&work.name, found, Record::new(work.header, state)).await
}

fn note(work: &Desks<'_>, operation: &'static str, news: &HoldNews) {
    let label = match news {
        HoldNews::Reserved { .. } => "reserved",
        HoldNews::Released => "released",
        HoldNews::Refused(_) => "refused",
        HoldNews::NotFound => "not_found",
        HoldNews::TooMany(_) => "too_many",
        HoldNews::Unknown(why) => {
            let (partner, request) = (work.caller.store.id(), work.header.request_id);
            tracing::warn!(%partner, operation, %request, why, "an answer that proves nothing");
            "unknown"
        }
    };
    metrics::outcome(work.caller.store.id(), operation, label);
}

pub(super) async fn reserve(work: &Desks<'_>, reserve: &Reserve) -> Result<End, CallsError> {
    let Some(hold) = &work.caller.store.reserve else {
        return Ok(End::Answer(refused("this store holds no stock", true)));
    };
    loop {
        let found = work.desk.calls.find(&work.name).await?;
        let now = clock::now();
        let late = now > reserve.not_after;
        match found.state() {
            None | Some(State::Open) if late => return Ok(End::Answer(refused(LATE, false))),
            None | Some(State::Open) => {}
            // A hold that nobody knows of ends by itself.
            Some(State::Calling { .. }) if late || !work.caller.store.promises.idempotent => {
                return Ok(End::Silence);
            }
            Some(State::Calling { .. }) => {}
            Some(State::Held { reservation_id, valid_until }) => {
                let (reservation_id, valid_until) = (reservation_id.clone(), *valid_until);
                return Ok(End::Answer(PartnerOutcome::Reserved { reservation_id, valid_until }));
            }
            Some(State::Refused { reason }) => {
                let reason = reason.clone();
                return Ok(End::Answer(PartnerOutcome::Refused { reason, final_for_key: true }));
            }
            Some(_) => return Ok(End::Answer(refused("this key was released", true))),
        }
        let calling = State::Calling { since: now };
        let Some(found) = replace(work, &found, calling).await? else { continue };
        let values = context::reserve(reserve);
        let ask = Ask {
            operation: "reserve",
            values: &values,
            key: Some(&reserve.reservation_key),
            line: Line::Commands,
            deadline: reserve.not_after,
        };
        let news = match work.caller.call(&hold.call, ask).await {
            Ok(answer) => told::hold(hold, &answer, (reserve.ttl_ms, now)),
            Err(failed) if failed.is_unsent() => {
                // What cannot be held now is not worth waiting for.
                replace(work, &found, State::Open).await?;
                return Ok(End::Answer(refused("the store cannot be reached", false)));
            }
            Err(failed) => HoldNews::Unknown(failed.to_string()),
        };
        note(work, "reserve", &news);
        if let Some(end) = settle(work, &found, news).await? {
            return Ok(end);
        }
    }
}

async fn settle(
    work: &Desks<'_>,
    found: &Found,
    news: HoldNews,
) -> Result<Option<End>, CallsError> {
    let refusal = |reason: Text<200>| {
        let outcome = PartnerOutcome::Refused { reason: reason.clone(), final_for_key: true };
        (State::Refused { reason }, End::Answer(outcome))
    };
    let (state, end) = match news {
        HoldNews::Reserved { reservation_id, valid_until } => {
            let state = State::Held { reservation_id: reservation_id.clone(), valid_until };
            (state, End::Answer(PartnerOutcome::Reserved { reservation_id, valid_until }))
        }
        HoldNews::Refused(reason) => refusal(reason),
        HoldNews::NotFound | HoldNews::Released => {
            refusal(Text::parse("the store does not have it").expect("a short text"))
        }
        HoldNews::TooMany(wait) => {
            work.caller.gate.pause(wait);
            (State::Open, End::Answer(refused("too many holds now", false)))
        }
        HoldNews::Unknown(_) => return Ok(Some(End::Silence)),
    };
    Ok(replace(work, found, state).await?.map(|_| end))
}

pub(super) async fn release(work: &Desks<'_>) -> Result<End, CallsError> {
    loop {
        let found = work.desk.calls.find(&work.name).await?;
        let now = clock::now();
        let reservation_id = match found.state() {
            Some(State::Released) => return Ok(End::Answer(PartnerOutcome::Released)),
            Some(State::Tombstoned | State::Refused { .. }) => return Ok(gone()),
            None if !work.desk.calls.remembers(work.header.request_id, now) => None,
            None | Some(State::Open) => {
                if replace(work, &found, State::Tombstoned).await?.is_some() {
                    return Ok(gone());
                }
                continue;
            }
            Some(State::Held { valid_until, .. }) if *valid_until < now => {
                replace(work, &found, State::Released).await?;
                continue;
            }
            Some(State::Held { reservation_id, .. }) => Some(reservation_id.to_string()),
            Some(_) => None,
        };
        let news = match ask(work, reservation_id.as_deref()).await {
            Some(Ok(news)) => news,
            Some(Err(failed)) => return Ok(End::Later(failed.retry_after())),
            None => return Ok(End::Answer(refused("holds end by themselves here", false))),
        };
        note(work, "release", &news);
        match news {
            HoldNews::Released => {
                replace(work, &found, State::Released).await?;
            }
            // It held something once, and holds it no more.
            HoldNews::NotFound if reservation_id.is_some() => {
                replace(work, &found, State::Released).await?;
            }
            HoldNews::NotFound => {
                return Ok(End::Answer(PartnerOutcome::NotFound { final_for_key: false }));
            }
            HoldNews::Refused(reason) => {
                let outcome = PartnerOutcome::Refused { reason, final_for_key: false };
                return Ok(End::Answer(outcome));
            }
            HoldNews::TooMany(wait) => return Ok(End::Later(work.caller.gate.pause(wait))),
            HoldNews::Reserved { .. } | HoldNews::Unknown(_) => return Ok(End::Silence),
        }
    }
}

/// `None` if the store cannot be asked for it.
async fn ask(work: &Desks<'_>, reservation_id: Option<&str>) -> Option<Result<HoldNews, Failed>> {
    let release = work.caller.store.release.as_ref()?;
    let key = work.name.key();
    let values = context::existing(work.header, key.as_str(), reservation_id);
    let deadline = deadline(work.caller, clock::now());
    let ask = Ask {
        operation: "release",
        values: &values,
        key: Some(&key),
        line: Line::Commands,
        deadline,
    };
    Some(match work.caller.call(&release.call, ask).await {
        Ok(answer) => Ok(told::release(release, &answer)),
        Err(failed) if failed.is_unsent() => Err(failed),
        Err(failed) => Ok(HoldNews::Unknown(failed.to_string())),
    })
}
