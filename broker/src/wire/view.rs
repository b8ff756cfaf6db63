//! A request as its customer sees it, and the answers of the micro service.

use broker_core::PurchaseRequest;
use broker_core::engine::output::Answer;
use broker_core::quote::{Cost, Quote};
use broker_core::request::{Checkout, Status, Step};
use schemas::money::AMOUNT_MAX_MINOR;
use schemas::problem::Problem;
use schemas::purchase::{CheckoutStatus, CheckoutView, CommandReply, PurchaseView, QuoteView};
use schemas::{DurationMs, Money, RejectReason, RequestId};

/// The answer to the command that asked about `request`; `None` for what is not a command.
pub fn reply(answer: Answer, request: Option<RequestId>) -> Option<CommandReply> {
    match answer {
        Answer::Accepted { replayed, request } => {
            Some(CommandReply::Accepted { replayed, request: Box::new(view(&request)) })
        }
        Answer::Rejected { reason, detail, retry_after } => {
            let mut problem = problem(reason, detail, retry_after);
            problem.request_id = request;
            Some(CommandReply::Rejected(problem))
        }
        Answer::Taken | Answer::Ranking(_) | Answer::Sweeps(_) => None,
    }
}

/// A refusal, and when the same may succeed.
pub fn problem(reason: RejectReason, detail: String, retry_after: Option<DurationMs>) -> Problem {
    let field = field_of(reason).map(str::to_owned);
    Problem { retry_after_ms: retry_after, field, ..Problem::new(reason, detail) }
}

/// The field that the core means, for the reasons that can only mean one.
const fn field_of(reason: RejectReason) -> Option<&'static str> {
    match reason {
        RejectReason::RequestIdOutOfRange => Some("request_id"),
        RejectReason::ExpiryOutOfRange => Some("expires_at"),
        RejectReason::CurrencyUnsupported => Some("max_total.currency"),
        RejectReason::TokenInvalid => Some("accept_token"),
        RejectReason::VersionConflict => Some("if_version"),
        _ => None,
    }
}

/// The whole request; no address, no payment token, no accept token.
pub fn view(request: &PurchaseRequest) -> PurchaseView {
    let submission = &request.submission;
    PurchaseView {
        request_id: request.id(),
        version: request.version.0,
        status: request.status.kind(),
        isbn: submission.isbn,
        quantity: submission.quantity,
        max_total: request.terms.max_total,
        created_at: submission.created_at,
        expires_at: request.terms.expires_at,
        strategy: request.terms.strategy,
        mode: submission.mode,
        checkout: request.checkout.as_ref().map(|c| checkout(c, !request.undo.is_empty())),
        best_quote: match &request.status {
            Status::Quoted(offered) => Some(quote(&offered.quote)),
            _ => None,
        },
        failure: match &request.status {
            Status::Failed(reason) => Some(*reason),
            _ => None,
        },
        failure_detail: failure_detail(request),
        cancel_requested: request.cancel_requested,
        incident: request.incident.is_some(),
    }
}

/// A provider that holds less than it was asked for, or other money, declines in its own way.
fn failure_detail(request: &PurchaseRequest) -> Option<String> {
    let Status::Failed(RejectReason::PaymentDeclined) = &request.status else { return None };
    let checkout = request.checkout.as_ref()?;
    let (held, needed) = (checkout.authorization?.amount, checkout.quote.worst_total()?);
    let enough = needed.at_most(held) == Ok(true);
    (!enough)
        .then(|| format!("{held} was authorised, {needed} is needed; what is held is given back"))
}

fn checkout(checkout: &Checkout, undoing: bool) -> CheckoutView {
    let order = checkout.order.as_ref();
    CheckoutView {
        attempt: checkout.attempt,
        status: checkout_status(&checkout.step, undoing),
        quote: quote(&checkout.quote),
        order_id: order.map(|o| o.order_id.clone()),
        order_total: order.map(|o| o.total),
        action_url: match &checkout.step {
            Step::ActionRequired { url, .. } => Some(url.clone()),
            _ => None,
        },
    }
}

fn checkout_status(step: &Step, undoing: bool) -> CheckoutStatus {
    match step {
        Step::Reserving { .. } => CheckoutStatus::Reserving,
        Step::Authorizing { .. } => CheckoutStatus::Authorizing,
        Step::ActionRequired { .. } => CheckoutStatus::ActionRequired,
        Step::Placing => CheckoutStatus::Placing,
        Step::PlacementUnknown(_) => CheckoutStatus::PlacementUnknown,
        Step::Capturing { .. } => CheckoutStatus::Capturing,
        Step::Completed => CheckoutStatus::Completed,
        Step::Failed(_) if undoing => CheckoutStatus::Compensating,
        Step::Failed(_) => CheckoutStatus::Compensated,
    }
}

/// A quote with its worst-case components. A missing component is absent, and the total is then
/// only the sum of what was stated; the core never buys or offers such a quote.
pub fn quote(quote: &Quote) -> QuoteView {
    QuoteView {
        partner_id: quote.partner.clone(),
        total: quote.worst_total().unwrap_or_else(|| stated_total(quote)),
        item: quote.item,
        shipping: quote.shipping.worst(),
        tax: quote.tax.worst(),
        fee: quote.fee.worst(),
        valid_until: quote.valid_until,
    }
}

fn stated_total(quote: &Quote) -> Money {
    let stated = [quote.shipping, quote.tax, quote.fee].into_iter().filter_map(Cost::worst);
    let minor = stated.fold(quote.item, u64::saturating_add).min(AMOUNT_MAX_MINOR);
    Money::new(minor, quote.currency).expect("capped to the largest amount")
}

#[cfg(test)]
mod tests {
    use broker_core::request::{Authorization, Offered, PlacedOrder};
    use schemas::id::OrderId;
    use schemas::purchase::PurchaseStatus;
    use schemas::{Digest, RejectReason};

    use super::super::fixture;
    use super::*;

    #[test]
    fn a_resting_request_shows_its_best_quote() {
        let mut request = fixture::request();
        request.status = Status::Quoted(Offered {
            quote: fixture::quote(),
            token_digest: Digest::of(b"secret"),
        });
        let view = view(&request);
        assert_eq!(view.status, PurchaseStatus::Quoted);
        assert_eq!(view.best_quote.map(|q| q.total.minor()), Some(1530));
    }

    #[test]
    fn money_that_was_not_enough_is_told_with_both_amounts() {
        let mut request = fixture::request();
        request.status = Status::Failed(RejectReason::PaymentDeclined);
        let mut checkout = fixture::checkout(Step::Failed(RejectReason::PaymentDeclined));
        checkout.authorization = None;
        request.checkout = Some(checkout.clone());
        assert_eq!(view(&request).failure_detail, None, "nothing was authorised");
        let valid_until = fixture::at();
        let amount = fixture::usd(1500);
        checkout.authorization = Some(Authorization { amount, valid_until });
        request.checkout = Some(checkout);
        let detail = view(&request).failure_detail.unwrap();
        assert!(detail.contains("15.00 USD") && detail.contains("15.30 USD"), "{detail}");
        request.status = Status::Failed(RejectReason::PartnerTimeout);
        assert_eq!(view(&request).failure_detail, None);
    }

    #[test]
    fn nothing_secret_or_personal_is_shown() {
        let json = serde_json::to_string(&view(&fixture::request())).unwrap();
        for secret in ["tok_1", "Main Street", "Ada"] {
            assert!(!json.contains(secret), "{secret} in {json}");
        }
    }

    #[test]
    fn an_order_shows_its_id_and_what_it_cost() {
        let mut request = fixture::request();
        request.status = Status::Ordered;
        let mut checkout = fixture::checkout(Step::Completed);
        checkout.order = Some(PlacedOrder {
            order_id: OrderId::parse("o1").unwrap(),
            total: fixture::usd(1500),
        });
        request.checkout = Some(checkout);
        let view = view(&request).checkout.unwrap();
        assert_eq!(view.status, CheckoutStatus::Completed);
        assert_eq!(view.order_total, Some(fixture::usd(1500)));
        assert_eq!(view.order_id.unwrap().as_str(), "o1");
    }

    #[test]
    fn a_failed_attempt_is_compensating_until_its_last_undo_is_proven() {
        let failed = Step::Failed(RejectReason::PartnerRejected);
        assert_eq!(checkout_status(&failed, true), CheckoutStatus::Compensating);
        assert_eq!(checkout_status(&failed, false), CheckoutStatus::Compensated);
    }

    #[test]
    fn a_rejection_becomes_a_problem_about_its_request() {
        let (reason, detail) = (RejectReason::TooLate, "why".to_owned());
        let answer = Answer::Rejected { reason, detail, retry_after: None };
        let Some(CommandReply::Rejected(problem)) = reply(answer, Some(fixture::request_id()))
        else {
            panic!("a rejection");
        };
        assert_eq!(problem.code, RejectReason::TooLate);
        assert_eq!(problem.request_id, Some(fixture::request_id()));
    }
}
