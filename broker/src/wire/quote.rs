//! Questions to partners and their answers.

use broker_core::Quote;
use broker_core::engine::input::{QuoteAnswer, QuoteOutcome};
use broker_core::engine::output::Question;
use broker_core::quote::Cost;
use schemas::PartnerId;
use schemas::json::{self, DecodeError, PARTNER_MESSAGE_BYTES_MAX, decode_valid};
use schemas::partner::{
    self as wire, Component, QUOTE_ITEMS_MAX, QuoteAnswers, QuoteOffer, QuoteQuestion,
    QuoteRequests,
};

/// The bodies that ask `questions`, as few as the limit of items allows.
pub fn requests(reply_to: &str, questions: Vec<Question>) -> Vec<Vec<u8>> {
    let mut bodies = Vec::new();
    let mut rest = questions.into_iter().peekable();
    while rest.peek().is_some() {
        let items = rest.by_ref().take(QUOTE_ITEMS_MAX).map(question).collect();
        bodies.push(json::encode(&QuoteRequests { reply_to: reply_to.to_owned(), items }));
    }
    bodies
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
    let answers: QuoteAnswers = decode_valid(body, PARTNER_MESSAGE_BYTES_MAX)?;
    let convert = |answer: wire::QuoteAnswer| QuoteAnswer {
        call: answer.call_id,
        outcome: match answer.outcome {
            wire::QuoteOutcome::Offer(o) => {
                QuoteOutcome::Offer { isbn: o.isbn, quote: Box::new(offer(partner, o)) }
            }
            wire::QuoteOutcome::NoStock => QuoteOutcome::NoStock,
            wire::QuoteOutcome::Refused { .. } => QuoteOutcome::Refused,
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
    use serde_json::{Value, json};

    use super::super::fixture;
    use super::*;

    #[test]
    fn questions_of_one_turn_travel_in_one_message_up_to_the_limit() {
        let ask = |n: u64| requests("reply.here", (0..n).map(fixture::question).collect());
        assert!(ask(0).is_empty());
        assert_eq!(ask(256).len(), 1);
        let bodies = ask(257);
        let last: QuoteRequests = serde_json::from_slice(&bodies[1]).unwrap();
        assert_eq!((bodies.len(), last.items.len()), (2, 1));
        assert_eq!(last.reply_to, "reply.here");
        assert_eq!(last.items[0].call_id, fixture::question(256).call);
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
        assert_eq!(outcomes, [QuoteOutcome::NoStock, QuoteOutcome::Refused]);
    }

    #[test]
    fn one_broken_answer_spoils_its_message() {
        let body: Value = json!({"items": [{"call_id": "1-1", "outcome": "no_stock"},
            {"call_id": "1-2", "outcome": "perhaps"}]});
        assert!(answers(&fixture::partner(), body.to_string().as_bytes()).is_err());
    }
}
