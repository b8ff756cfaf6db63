//! Quote answers are nine tenths of what a broker reads. The usual form of one – the fields of its
//! outcome and nothing that contradicts them – is read field by field; whatever else comes is read
//! by the definition, which has to buffer each answer before it knows its outcome.

use serde::Deserialize;

use super::object::{object_only, refuse_array};
use super::validate::Validate;
use super::{DecodeError, PARTNER_MESSAGE_BYTES_MAX, decode_valid, within};
use crate::id::{CallId, QuoteId};
use crate::partner::{Component, QuoteAnswer, QuoteAnswers, QuoteOffer, QuoteOutcome};
use crate::text::Text;
use crate::violation::Violations;
use crate::{Condition, Currency, DurationMs, Isbn13, Timestamp};

/// The same as [`decode_valid`], sooner.
///
/// # Errors
/// As [`decode_valid`].
pub fn decode_quote_answers(bytes: &[u8]) -> Result<QuoteAnswers, DecodeError> {
    within(bytes, PARTNER_MESSAGE_BYTES_MAX)?;
    refuse_array(bytes)?;
    let Some(answers) = usual(bytes) else {
        return decode_valid(bytes, PARTNER_MESSAGE_BYTES_MAX);
    };
    let mut found = Violations::default();
    answers.check(&mut found);
    if found.is_empty() { Ok(answers) } else { Err(DecodeError::Fields(found)) }
}

fn usual(bytes: &[u8]) -> Option<QuoteAnswers> {
    let flat: Flat = serde_json::from_slice(bytes).ok()?;
    let items: Option<Vec<QuoteAnswer>> = flat.items.into_iter().map(Answer::settle).collect();
    Some(QuoteAnswers { items: items? })
}

#[derive(Deserialize)]
struct Flat {
    items: Vec<Answer>,
}

/// An answer with the fields of every outcome.
#[derive(Deserialize)]
#[serde(remote = "Self")]
struct Answer {
    call_id: CallId,
    outcome: Outcome,
    quote_id: Option<QuoteId>,
    isbn: Option<Isbn13>,
    condition: Option<Condition>,
    currency: Option<Currency>,
    item: Option<u64>,
    shipping: Option<Component>,
    tax: Option<Component>,
    fee: Option<Component>,
    in_stock: Option<u32>,
    valid_until: Option<Timestamp>,
    reason: Option<Text<200>>,
    retry_after_ms: Option<DurationMs>,
}

object_only!(read Answer);

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Offer,
    NoStock,
    Refused,
}

impl Answer {
    fn settle(self) -> Option<QuoteAnswer> {
        let outcome = match self.outcome {
            Outcome::Offer => QuoteOutcome::Offer(QuoteOffer {
                quote_id: self.quote_id?,
                isbn: self.isbn?,
                condition: self.condition?,
                currency: self.currency?,
                item: self.item?,
                shipping: self.shipping,
                tax: self.tax,
                fee: self.fee,
                in_stock: self.in_stock?,
                valid_until: self.valid_until?,
            }),
            Outcome::NoStock => QuoteOutcome::NoStock,
            Outcome::Refused => {
                QuoteOutcome::Refused { reason: self.reason?, retry_after_ms: self.retry_after_ms }
            }
        };
        Some(QuoteAnswer { call_id: self.call_id, outcome })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// Field values that are right, and others that are not.
    fn field(name: &'static str) -> impl Strategy<Value = Option<(&'static str, Value)>> {
        let right = match name {
            "call_id" => json!("1-7"),
            "outcome" => json!("offer"),
            "quote_id" => json!("q1"),
            "isbn" => json!("9780306406157"),
            "condition" => json!("new"),
            "currency" => json!("USD"),
            "shipping" | "tax" | "fee" => json!({"at_most": 3}),
            "valid_until" => json!("2030-01-01T00:00:00Z"),
            "reason" => json!("busy"),
            _ => json!(900),
        };
        let wrong = prop_oneof![
            Just(Value::Null),
            Just(json!("")),
            Just(json!(-1)),
            Just(json!(1.5)),
            Just(json!({})),
            Just(json!("no_stock")),
            Just(json!("refused")),
        ];
        prop_oneof![
            12 => Just(Some((name, right))),
            1 => Just(None),
            1 => wrong.prop_map(move |wrong| Some((name, wrong))),
        ]
    }

    fn answer() -> impl Strategy<Value = String> {
        const NAMES: [&str; 15] = [
            "call_id",
            "outcome",
            "quote_id",
            "isbn",
            "condition",
            "currency",
            "item",
            "shipping",
            "tax",
            "fee",
            "in_stock",
            "valid_until",
            "reason",
            "retry_after_ms",
            "unknown",
        ];
        let fields: Vec<_> = NAMES.into_iter().map(field).collect();
        let twice = prop::option::weighted(0.1, 0..NAMES.len());
        (fields, twice).prop_flat_map(|(mut fields, twice)| {
            if let Some(twice) = twice {
                fields.push(fields[twice].clone());
            }
            let text = |(name, value): (&str, Value)| format!("\"{name}\":{value}");
            let fields: Vec<String> = fields.into_iter().flatten().map(text).collect();
            Just(fields).prop_shuffle().prop_map(|fields| format!("{{{}}}", fields.join(",")))
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn the_short_way_and_the_definition_read_the_same(
            items in prop::collection::vec(answer(), 0..3),
        ) {
            let body = format!("{{\"items\":[{}]}}", items.join(","));
            let defined = decode_valid(body.as_bytes(), PARTNER_MESSAGE_BYTES_MAX);
            prop_assert_eq!(decode_quote_answers(body.as_bytes()), defined, "{}", body);
        }
    }

    #[test]
    fn the_usual_forms_take_the_short_way() {
        for body in [
            r#"{"items":[{"call_id":"1-1","outcome":"no_stock"}]}"#,
            r#"{"items":[{"call_id":"1-1","outcome":"refused","reason":"busy","retry_after_ms":9}]}"#,
        ] {
            assert!(usual(body.as_bytes()).is_some(), "{body}");
        }
        let offers = crate::json::encode(&crate::generate::example::partner::quote_answers());
        assert!(usual(&offers).is_some());
    }
}
