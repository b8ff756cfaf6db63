//! Questions to partners and their answers.

use broker_core::Quote;
use broker_core::engine::input::{QuoteAnswer, QuoteOutcome};
use broker_core::engine::output::Question;
use broker_core::quote::Cost;
use schemas::PartnerId;
use schemas::json::{self, DecodeError, decode_quote_answers};
use schemas::partner::{self as wire, Component, QuoteOffer, QuoteQuestion, QuoteRequests};

/// The body that asks `questions`: 1 to [`QUOTE_ITEMS_MAX`](schemas::partner::QUOTE_ITEMS_MAX).
pub fn request(reply_to: &str, questions: Vec<Question>) -> Vec<u8> {
    let items = questions.into_iter().map(question).collect();
    json::encode(&QuoteRequests { reply_to: reply_to.to_owned(), items })
}

fn question(question: Question) -> QuoteQuestion {
    QuoteQuestion {
        call_id: question.call,
        isbn: question.isbn,
        quantity: question.quantity,
        condition: question.condition,
        currency: question.currency,
        destination: question.destination,
        not_after: question.not_after,
    }
}

/// The answers in a body; `partner` is who sent it, from the subject.
///
/// # Errors
/// The field that is wrong; then none of the answers is used.
pub fn answers(partner: &PartnerId, body: &[u8]) -> Result<Vec<QuoteAnswer>, DecodeError> {
    let answers = decode_quote_answers(body)?;
    let convert = |answer: wire::QuoteAnswer| QuoteAnswer {
        call: answer.call_id,
        outcome: match answer.outcome {
            wire::QuoteOutcome::Offer(o) => {
                QuoteOutcome::Offer { isbn: o.isbn, quote: offer(partner, o) }
            }
            wire::QuoteOutcome::NoStock => QuoteOutcome::NoStock,
            wire::QuoteOutcome::Refused { retry_after_ms, .. } => {
                QuoteOutcome::Refused { retry_after: retry_after_ms }
            }
        },
    };
    Ok(answers.items.into_iter().map(convert).collect())
}

fn offer(partner: &PartnerId, offer: QuoteOffer) -> Quote {
    Quote {
        partner: partner.clone(),
        quote_id: offer.quote_id,
        currency: offer.currency,
        item: offer.item,
        shipping: cost(offer.shipping),
        tax: cost(offer.tax),
        fee: cost(offer.fee),
        condition: offer.condition,
        in_stock: offer.in_stock,
        valid_until: offer.valid_until,
    }
}

/// Nothing is assumed to be free: what the partner did not state is unknown.
fn cost(component: Option<Component>) -> Cost {
    match component {
        Some(Component::Exact(minor)) => Cost::Exact(minor),
        Some(Component::AtMost(minor)) => Cost::AtMost(minor),
        None => Cost::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use schemas::json::{PARTNER_MESSAGE_BYTES_MAX, decode_valid};
    use serde_json::{Value, json};

    use super::super::fixture;
    use super::*;

    #[test]
    fn questions_of_one_turn_travel_in_one_message() {
        let body = request("reply.here", (0..3).map(fixture::question).collect());
        let wire: QuoteRequests = decode_valid(&body, PARTNER_MESSAGE_BYTES_MAX).unwrap();
        assert_eq!(wire.reply_to, "reply.here");
        let calls: Vec<u64> = wire.items.iter().map(|item| item.call_id.counter).collect();
        assert_eq!(calls, [0, 1, 2]);
    }

    #[test]
    fn a_component_that_was_not_stated_is_unknown_not_free() {
        let body = json!({"items": [{"call_id": "1-2", "outcome": "offer", "quote_id": "q1",
            "isbn": fixture::isbn(), "condition": "new", "currency": "USD", "item": 900,
            "shipping": {"at_most": 100}, "tax": {"exact": 5}, "in_stock": 3,
            "valid_until": "2030-01-01T00:00:00Z"}]});
        let answers = answers(&fixture::partner(), body.to_string().as_bytes()).unwrap();
        let [QuoteAnswer { outcome: QuoteOutcome::Offer { quote, .. }, .. }] = &answers[..] else {
            panic!("one offer, got {answers:?}");
        };
        assert_eq!(quote.partner, fixture::partner());
        assert_eq!(
            (quote.shipping, quote.tax, quote.fee),
            (Cost::AtMost(100), Cost::Exact(5), Cost::Unknown)
        );
        assert_eq!(quote.worst_total(), None);
    }

    #[test]
    fn no_stock_and_refused_are_kept_apart() {
        let body = json!({"items": [{"call_id": "1-1", "outcome": "no_stock"},
            {"call_id": "1-2", "outcome": "refused", "reason": "busy"}]});
        let answers = answers(&fixture::partner(), body.to_string().as_bytes()).unwrap();
        let outcomes: Vec<_> = answers.into_iter().map(|a| a.outcome).collect();
        assert_eq!(outcomes, [QuoteOutcome::NoStock, QuoteOutcome::Refused { retry_after: None }]);
    }

    #[test]
    fn one_broken_answer_spoils_its_message() {
        let body: Value = json!({"items": [{"call_id": "1-1", "outcome": "no_stock"},
            {"call_id": "1-2", "outcome": "perhaps"}]});
        assert!(answers(&fixture::partner(), body.to_string().as_bytes()).is_err());
    }
}
