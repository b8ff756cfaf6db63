//! One command from the stream to its store and back.

use std::sync::Arc;

use async_nats::jetstream;
use schemas::id::Key;
use schemas::json::{DecodeError, PARTNER_MESSAGE_BYTES_MAX, decode_valid};
use schemas::partner::{Cancel, CommandHeader, Lookup, Place, Release, Reserve};
use schemas::subject::{PartnerOperation, parse_partner_command};
use schemas::{DurationMs, RejectReason};

use super::inlet::{Done, trace_of};
use super::orders::{self, Desks};
use super::{Desk, End, holds, poll};
use crate::caller::Caller;
use crate::calls::{CallsError, Name};
use crate::{letters, metrics};

/// A command for a store whose line is full, or whose record cannot be read, comes again after it.
const AGAIN: DurationMs = DurationMs(1000);

/// What a store can be told to do.
enum Command {
    Reserve(Reserve),
    Release(Release),
    Place(Box<Place>),
    Cancel(Cancel),
    Lookup(Lookup),
}

impl Command {
    fn read(operation: PartnerOperation, body: &[u8]) -> Result<Self, DecodeError> {
        let max = PARTNER_MESSAGE_BYTES_MAX;
        Ok(match operation {
            PartnerOperation::Reserve => Self::Reserve(decode_valid(body, max)?),
            PartnerOperation::Release => Self::Release(decode_valid(body, max)?),
            PartnerOperation::Place => Self::Place(Box::new(decode_valid(body, max)?)),
            PartnerOperation::Cancel => Self::Cancel(decode_valid(body, max)?),
            PartnerOperation::Lookup => Self::Lookup(decode_valid(body, max)?),
        })
    }

    fn header(&self) -> &CommandHeader {
        match self {
            Self::Reserve(reserve) => &reserve.header,
            Self::Release(release) => &release.header,
            Self::Place(place) => &place.header,
            Self::Cancel(cancel) => &cancel.header,
            Self::Lookup(lookup) => &lookup.header,
        }
    }

    fn key(&self) -> &Key {
        match self {
            Self::Reserve(reserve) => &reserve.reservation_key,
            Self::Release(release) => &release.reservation_key,
            Self::Place(place) => &place.placement_key,
            Self::Cancel(cancel) => &cancel.placement_key,
            Self::Lookup(lookup) => &lookup.placement_key,
        }
    }

    fn is_about_a_hold(&self) -> bool {
        matches!(self, Self::Reserve(_) | Self::Release(_))
    }
}

pub(super) async fn handle(desk: &Desk, message: &jetstream::Message) -> Done {
    let subject = message.subject.as_str();
    let Some((partner, operation)) = parse_partner_command(subject) else { return Done::Ack };
    // Of a store that another bridge speaks for.
    let Some(caller) = desk.callers.get(&partner) else { return Done::Ack };
    let label = operation.label();
    let command = match Command::read(operation, &message.payload) {
        Ok(command) => command,
        Err(error) => {
            let why = (RejectReason::Malformed, error.to_string());
            letters::give_up(&desk.egress, message, why).await;
            metrics::command(label, "unreadable");
            return Done::Ack;
        }
    };
    let Some(_seat) = caller.gate.seat() else {
        metrics::command(label, "put_off");
        return Done::Again(AGAIN);
    };
    match carry_out(desk, caller, &command).await {
        Ok(End::Answer(outcome)) => {
            desk.answer(&partner, command.header(), outcome, trace_of(message)).await;
            metrics::command(label, "answered");
            Done::Ack
        }
        Ok(End::Silence | End::Poll { .. }) => {
            metrics::command(label, "silent");
            Done::Ack
        }
        Ok(End::Later(wait)) => {
            metrics::command(label, "put_off");
            Done::Again(wait)
        }
        Err(error) => {
            tracing::warn!(%error, subject, "a command is put off");
            metrics::command(label, "put_off");
            Done::Again(AGAIN)
        }
    }
}

async fn carry_out(
    desk: &Desk,
    caller: &Arc<Caller>,
    command: &Command,
) -> Result<End, CallsError> {
    let (partner, key) = (caller.store.id(), command.key());
    let name = if command.is_about_a_hold() {
        Name::hold(partner, key)
    } else {
        Name::order(partner, key)
    };
    let work = Desks { desk, caller, name, header: command.header() };
    let end = {
        let _turn = desk.turns.take(&work.name).await;
        match command {
            Command::Reserve(reserve) => holds::reserve(&work, reserve).await?,
            Command::Release(_) => holds::release(&work).await?,
            Command::Place(place) => orders::place(&work, place).await?,
            Command::Cancel(_) => orders::cancel(&work).await?,
            Command::Lookup(_) => orders::lookup(&work).await?,
        }
    };
    // Without the turn: a cancel need not wait for a store that is still thinking.
    match (end, command) {
        (End::Poll { store_ref, status_url }, Command::Place(place)) => {
            poll::follow(&work, place, (store_ref, status_url)).await
        }
        (end, _) => Ok(end),
    }
}
