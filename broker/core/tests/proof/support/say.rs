//! What customers, partners, the provider and the clock may say, as events.

use broker_core::effect::AcceptToken;
use broker_core::event::{
    Conclusion, Event, Finding, LapsedOperation, OperatorWord, PartnerAnswer, PartnerOutcome,
    PaymentAnswer, PaymentOutcome, Ruling, Update,
};
use broker_core::quote::Quote;
use broker_core::request::Version;
use broker_core::timer::TimerKind;
use schemas::subject::{PartnerOperation, PaymentOperation};
use schemas::text::Text;
use schemas::{Digest, Timestamp};

use super::{Scene, at, command_id, order_id, partner, reservation_id, usd};

/// Long enough for every story.
const HOLD_MS: u64 = 7 * 24 * 3600 * 1000;

/// "The question was asked after everything before": the answer counts as recent.
const JUST_ASKED: Option<Version> = Some(Version(u64::MAX));

pub(crate) fn token(number: u8) -> AcceptToken {
    AcceptToken([number; 16])
}

pub(crate) fn sweep(number: u32, finding: Finding) -> Event {
    Event::SweepClosed(Conclusion { sweep: number, finding })
}

pub(crate) fn affordable(number: u32, quotes: Vec<Quote>) -> Event {
    sweep(number, Finding::Affordable(quotes))
}

pub(crate) fn too_dear(number: u32, best: Quote, secret: u8) -> Event {
    sweep(number, Finding::TooDear { best, token: token(secret).into() })
}

pub(crate) fn cancel() -> Event {
    Event::Cancel { command: command_id("cancel-1") }
}

pub(crate) fn accept(secret: u8) -> Event {
    Event::AcceptQuote {
        command: command_id("accept-1"),
        token_digest: Digest::of(&token(secret).0),
    }
}

pub(crate) fn update() -> Update {
    Update {
        command: command_id("update-1"),
        if_version: None,
        max_total: None,
        expires_at: None,
        strategy: None,
    }
}

pub(crate) fn raise_to(minor: u64) -> Event {
    Event::Update(Update { max_total: Some(usd(minor)), ..update() })
}

pub(crate) fn expire_at(at: Timestamp) -> Event {
    Event::Update(Update { expires_at: Some(at), ..update() })
}

pub(crate) fn timer(kind: TimerKind) -> Event {
    Event::Timer(kind)
}

pub(crate) fn lapsed(attempt: u8, operation: LapsedOperation) -> Event {
    Event::Lapsed { attempt, operation }
}

/// A human's word.
pub(crate) fn ruled(ruling: Ruling) -> Event {
    let actor = Text::parse("ann").unwrap();
    let reason = Text::parse("asked the store by telephone").unwrap();
    Event::Operator(OperatorWord { actor, reason, ruling })
}

/// … that the order of the first attempt stands.
pub(crate) fn ruled_found(order: &str, minor: u64) -> Event {
    ruled(Ruling::Found { attempt: 1, order_id: order_id(order), total: usd(minor) })
}

/// … that it does not exist.
pub(crate) fn ruled_not_found() -> Event {
    ruled(Ruling::NotFound { attempt: 1 })
}

/// `operation` of the first attempt, answered just now.
pub(crate) fn says(
    name: &str,
    attempt: u8,
    operation: PartnerOperation,
    outcome: PartnerOutcome,
) -> Event {
    Event::Partner(PartnerAnswer {
        partner: partner(name),
        attempt,
        operation: Some(operation),
        in_reply_to: JUST_ASKED,
        outcome,
    })
}

/// What a look-up of the first attempt's order finds.
pub(crate) fn looked_up(name: &str, outcome: PartnerOutcome) -> Event {
    says(name, 1, PartnerOperation::Lookup, outcome)
}

/// What a look-up sent by the last change finds.
pub(crate) fn looked_up_at(scene: &Scene, name: &str, outcome: PartnerOutcome) -> Event {
    Event::Partner(PartnerAnswer {
        partner: partner(name),
        attempt: 1,
        operation: Some(PartnerOperation::Lookup),
        in_reply_to: Some(scene.request.version),
        outcome,
    })
}

/// What a cancel of the first attempt's order comes to.
pub(crate) fn fenced(name: &str, outcome: PartnerOutcome) -> Event {
    says(name, 1, PartnerOperation::Cancel, outcome)
}

/// An unasked word.
pub(crate) fn notice(name: &str, attempt: u8, outcome: PartnerOutcome) -> Event {
    Event::Partner(PartnerAnswer {
        partner: partner(name),
        attempt,
        operation: None,
        in_reply_to: None,
        outcome,
    })
}

pub(crate) fn reserved(until_ms: u64) -> PartnerOutcome {
    PartnerOutcome::Reserved { id: reservation_id("r-1"), valid_until: at(until_ms) }
}

pub(crate) fn confirmed(order: &str, minor: u64) -> PartnerOutcome {
    PartnerOutcome::Confirmed { order_id: order_id(order), total: usd(minor) }
}

pub(crate) fn canceled(order: &str) -> PartnerOutcome {
    PartnerOutcome::Canceled { order_id: Some(order_id(order)) }
}

pub(crate) fn refused(final_for_key: bool) -> PartnerOutcome {
    PartnerOutcome::Refused { reason: Text::parse("no").unwrap(), final_for_key }
}

pub(crate) fn not_found(final_for_key: bool) -> PartnerOutcome {
    PartnerOutcome::NotFound { final_for_key }
}

pub(crate) fn pays(attempt: u8, operation: PaymentOperation, outcome: PaymentOutcome) -> Event {
    pays_to(JUST_ASKED, attempt, operation, outcome)
}

/// … about giving back the money of the first attempt.
pub(crate) fn void(outcome: PaymentOutcome) -> Event {
    pays(1, PaymentOperation::Void, outcome)
}

pub(crate) fn refund(outcome: PaymentOutcome) -> Event {
    pays(1, PaymentOperation::Refund, outcome)
}

/// The answer to a question that the given change sent.
pub(crate) fn pays_to(
    in_reply_to: Option<Version>,
    attempt: u8,
    operation: PaymentOperation,
    outcome: PaymentOutcome,
) -> Event {
    Event::Payment(PaymentAnswer { attempt, operation, in_reply_to, outcome })
}

pub(crate) fn authorized(minor: u64) -> PaymentOutcome {
    PaymentOutcome::Authorized { amount: usd(minor), valid_until: at(HOLD_MS) }
}

pub(crate) fn captured(minor: u64) -> PaymentOutcome {
    PaymentOutcome::Captured { amount: usd(minor) }
}

pub(crate) fn action_required() -> PaymentOutcome {
    PaymentOutcome::ActionRequired { url: Text::parse("https://pay.example/1").unwrap() }
}

pub(crate) fn no_payment(final_for_key: bool) -> PaymentOutcome {
    PaymentOutcome::NotFound { final_for_key }
}
