//! The canonical state machines (purchase_request T1–T22, checkout C1–C19) as one pure function.
//!
//! [`transition`] takes a request and an event and returns the next request with its effects, or
//! says why nothing changes. Handlers live one topic per file; each matches its states
//! exhaustively. What they share is [`draft::Draft`], the change under construction.
//!
//! | file | rows |
//! |---|---|
//! | `create` | T1 |
//! | `search` | T2, T4–T9 |
//! | `command` | T9, T10, T12–T14, T22, C19 |
//! | `checkout` | C1–C3, C8, T16, T17 |
//! | `payment` | C4–C7, C15–C17 |
//! | `placement` | C9–C14, T15, T18, T20, T21 |
//! | `compensation` | C18, C19, T19 |
//! | `timer` | T11, T13, T14 and every time-out |
//! | `operator` | C12, C13 on a human's word |
//!
//! `frozen` stands before all of them for requests that a restore has brought back.

mod cadence;
mod checkout;
mod command;
mod compensation;
mod create;
mod draft;
mod frozen;
mod operator;
mod partner;
mod payment;
mod placement;
mod search;
mod timer;

use schemas::{RejectReason, Timestamp};

use crate::effect::Effect;
use crate::event::Event;
use crate::policy::Policy;
use crate::request::{PurchaseRequest, Submission};
use crate::row::Row;
use draft::Draft;

/// What one event changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// The request afterwards; its version is one more.
    pub next: PurchaseRequest,
    /// Rows of the tables that were taken, in order.
    pub rows: Vec<Row>,
    /// To be sent once `next` is durable, in this order within a lane.
    pub effects: Vec<Effect>,
}

/// Why an event changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Duplicate, stale or late without consequence: safe to forget.
    #[error("nothing to do: {0}")]
    Ignored(&'static str),
    /// The sender should know.
    #[error("{}: {detail}", reason.label())]
    Refused { reason: RejectReason, detail: String },
}

impl Rejection {
    fn refused(reason: RejectReason, detail: impl Into<String>) -> Self {
        Self::Refused { reason, detail: detail.into() }
    }
}

type Outcome = Result<(), Rejection>;

/// T1: the request comes into being.
pub fn create(
    submission: Submission,
    now: Timestamp,
    policy: &Policy,
) -> Result<Transition, Rejection> {
    create::create(submission, now, policy)
}

/// Applies one event to one request. Pure: the same arguments give the same result.
pub fn transition(
    request: &PurchaseRequest,
    event: Event,
    now: Timestamp,
    policy: &Policy,
) -> Result<Transition, Rejection> {
    apply(Draft::of(request, now, policy), event)
}

/// The same shortly after the clock has jumped ahead: a question asked now proves no absence.
pub fn transition_in_doubt(
    request: &PurchaseRequest,
    event: Event,
    now: Timestamp,
    policy: &Policy,
) -> Result<Transition, Rejection> {
    let mut draft = Draft::of(request, now, policy);
    draft.in_doubt = true;
    apply(draft, event)
}

fn apply(draft: Draft<'_>, event: Event) -> Result<Transition, Rejection> {
    if draft.next.frozen_at.is_some() {
        return frozen::apply(draft, event);
    }
    apply_free(draft, event)
}

fn apply_free(mut draft: Draft<'_>, event: Event) -> Result<Transition, Rejection> {
    match event {
        Event::Admitted => search::admitted(&mut draft),
        Event::SweepClosed(conclusion) => search::sweep_closed(&mut draft, conclusion),
        Event::LateOffer(quote) => search::late_offer(&mut draft, quote),
        Event::Update(update) => command::update(&mut draft, &update),
        Event::Cancel { command: _ } => command::cancel(&mut draft),
        Event::AcceptQuote { command: _, token_digest } => {
            command::accept_quote(&mut draft, token_digest)
        }
        Event::Partner(answer) => partner::answered(&mut draft, answer),
        Event::Payment(answer) => payment::answered(&mut draft, answer),
        Event::Timer(kind) => timer::fired(&mut draft, kind),
        Event::Lapsed { attempt, operation } => timer::lapsed(&mut draft, attempt, operation),
        Event::Operator(word) => operator::ruled(&mut draft, word),
    }?;
    Ok(draft.finish())
}
