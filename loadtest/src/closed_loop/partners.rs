//! Partners and a payment provider that answer at once and always say yes.

use broker_core::OutboxRow;
use broker_core::Quote;
use broker_core::effect::{Effect, PartnerCommand, PaymentCommand};
use broker_core::engine::input::{Input, Origin, QuoteAnswer, QuoteOutcome};
use broker_core::engine::output::Question;
use broker_core::event::{PartnerAnswer, PartnerOutcome, PaymentAnswer, PaymentOutcome};
use broker_core::partner::{PartnerIndex, PartnerProfile, Partners};
use broker_core::quote::Cost;
use schemas::id::{OrderId, QuoteId, ReservationId};
use schemas::subject::{PartnerOperation, PaymentOperation};
use schemas::{Condition, Currency, Digest, DurationMs, Money, PartnerId, Timestamp};

use super::book::MAX_MINOR;

/// Nobody waits for these answers' acknowledgement here.
const NOBODY: Origin = Origin(0);

/// These stores take whatever comes.
const AT_ONCE: u32 = 4096;
const CALLS_PER_S: u32 = 1_000_000;

pub(super) fn directory(count: usize) -> anyhow::Result<Partners> {
    let profiles = (0..count)
        .map(|index| {
            let id = PartnerId::parse(&format!("store-{index:03}"))?;
            let cautious = PartnerProfile::cautious(id);
            Ok(PartnerProfile {
                reservation: true,
                cancel: true,
                in_flight_max: AT_ONCE,
                in_flight_start: AT_ONCE,
                calls_per_s: CALLS_PER_S,
                calls_burst: CALLS_PER_S,
                ..cautious
            })
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    Ok(Partners::new(profiles, Digest::of(b"closed-loop")))
}

/// One message with all answers of one partner to the questions of one turn.
pub(super) fn quotes(
    partners: &Partners,
    index: PartnerIndex,
    questions: &[Question],
    now: Timestamp,
) -> Input {
    let partner = partners.at(index).id.clone();
    let answers = questions.iter().map(|question| answer(&partner, index, question, now)).collect();
    Input::Quotes { origin: None, partner, answers }
}

fn answer(
    partner: &PartnerId,
    index: PartnerIndex,
    question: &Question,
    now: Timestamp,
) -> QuoteAnswer {
    let spread = (question.call.counter.wrapping_mul(7919) + u64::from(index.0)) % 2000;
    let quote = Quote {
        partner: partner.clone(),
        quote_id: QuoteId::parse(&format!("q{:x}", question.call.counter)).expect("a short token"),
        currency: Currency::USD,
        item: MAX_MINOR / 3 + spread,
        shipping: Cost::Exact(399),
        tax: Cost::AtMost(250),
        fee: Cost::Exact(0),
        condition: Condition::New,
        in_stock: 9,
        valid_until: now.saturating_add(DurationMs::from_secs(120)),
    };
    let outcome = QuoteOutcome::Offer { isbn: question.isbn, quote };
    QuoteAnswer { call: question.call, outcome }
}

/// The answer to an effect; events and notifications have none.
pub(super) fn reply(row: &OutboxRow, now: Timestamp) -> Option<Input> {
    let request = row.request;
    let later = now.saturating_add(DurationMs::from_secs(120));
    match &row.effect {
        Effect::Partner { partner, attempt, command } => {
            let (operation, outcome) = partner_outcome(command, later)?;
            let answer = PartnerAnswer {
                partner: partner.clone(),
                attempt: *attempt,
                operation: Some(operation),
                in_reply_to: Some(row.version),
                outcome,
            };
            Some(Input::Partner { origin: NOBODY, source: None, request, answer })
        }
        Effect::Payment { attempt, command } => {
            let (operation, outcome) = payment_outcome(command, later)?;
            let (attempt, in_reply_to) = (*attempt, Some(row.version));
            let answer = PaymentAnswer { attempt, operation, in_reply_to, outcome };
            Some(Input::Payment { origin: NOBODY, source: None, request, answer })
        }
        Effect::Event { .. } | Effect::Notify { .. } => None,
    }
}

fn partner_outcome(
    command: &PartnerCommand,
    valid_until: Timestamp,
) -> Option<(PartnerOperation, PartnerOutcome)> {
    match command {
        PartnerCommand::Reserve { .. } => {
            let id = ReservationId::parse("r-1").expect("a short token");
            Some((PartnerOperation::Reserve, PartnerOutcome::Reserved { id, valid_until }))
        }
        PartnerCommand::Place { price_cap, .. } => {
            let order_id = OrderId::parse("o-1").expect("a short token");
            // The `at_most` tax turned out lower.
            let total = Money::new(price_cap.minor() - 50, price_cap.currency()).ok()?;
            Some((PartnerOperation::Place, PartnerOutcome::Confirmed { order_id, total }))
        }
        PartnerCommand::Release | PartnerCommand::Cancel | PartnerCommand::Lookup => None,
    }
}

fn payment_outcome(
    command: &PaymentCommand,
    valid_until: Timestamp,
) -> Option<(PaymentOperation, PaymentOutcome)> {
    match command {
        PaymentCommand::Authorize { amount, .. } => Some((
            PaymentOperation::Authorize,
            PaymentOutcome::Authorized { amount: *amount, valid_until },
        )),
        PaymentCommand::Capture { amount } => {
            Some((PaymentOperation::Capture, PaymentOutcome::Captured { amount: *amount }))
        }
        PaymentCommand::Void | PaymentCommand::Refund | PaymentCommand::Lookup => None,
    }
}
