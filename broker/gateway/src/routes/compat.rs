//! The two routes of the compatibility API: `POST /purchase-request` and
//! `GET /request-status?request_id=`. Amounts are JSON numbers in the configured currency, read and
//! written as text: no amount is ever a binary fraction.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use schemas::json::contains_card_number;
use schemas::purchase::{PurchaseStatus, PurchaseView};
use schemas::{Currency, Isbn13, Money, RejectReason, RequestId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::create::{location, submit};
use super::reads::find;
use super::{Parameters, REPLAYED, unknown_request};
use crate::body;
use crate::caller::Caller;
use crate::keys::{IdempotencyKey, new_request, now};
use crate::problem::Refusal;
use crate::shared::Shared;

/// Body of `POST /purchase-request`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct CompatCreate {
    /// ISBN or title.
    #[schemars(length(min = 1, max = 300))]
    book_name: String,
    /// Most that may be paid in all, with at most as many decimals as the currency has.
    #[schemars(with = "f64", extend("exclusiveMinimum" = 0))]
    max_price: Box<RawValue>,
    customer_info: CustomerInfo,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct CustomerInfo {
    /// Where to deliver: country, postal_code and address of a destination.
    #[schemars(with = "schemas::Destination")]
    shipping_address: Value,
    /// A token of the payment provider. A card number is refused.
    #[schemars(with = "schemas::id::PaymentToken")]
    credit_card_info: String,
}

/// What became of it so far.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct CompatCreated {
    request_id: RequestId,
    /// Always `PENDING`.
    status: &'static str,
}

pub(crate) async fn create(
    State(shared): State<Shared>,
    caller: Caller,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Refusal> {
    let customer = caller.buys()?;
    let bytes = body::bytes(request, &shared).await?;
    // Before anything of it is repeated in a refusal.
    if contains_card_number(&String::from_utf8_lossy(&bytes)) {
        let detail = "a card number is not accepted; send a token of the payment provider";
        return Err(Refusal::reason(RejectReason::PanNotAccepted, detail));
    }
    let malformed = |error: serde_json::Error| {
        Refusal::reason(RejectReason::Malformed, format!("not the expected JSON: {error}"))
    };
    let wish: CompatCreate = serde_json::from_slice(&bytes).map_err(malformed)?;
    let currency = Currency::parse(&shared.config.compat_currency);
    let currency = currency.unwrap_or(Currency::USD);
    let max_total = amount(wish.max_price.get(), currency).map_err(|why| {
        Refusal::reason(RejectReason::FieldInvalid, why)
            .at("#/max_price", RejectReason::FieldInvalid)
    })?;
    // Without a key every call is a new wish, as the compatibility API has it.
    let (request_id, at, _working) = match IdempotencyKey::read(&headers)? {
        Some(key) => {
            let working = shared.keys.claim("compat", customer, &key)?;
            let record = shared.keys.request(&working, &bytes).await?;
            (record.request_id, record.at, Some(working))
        }
        None => (new_request(), now(), None),
    };
    let expires_at = at.saturating_add(shared.config.compat_expiry_ms);
    let scheme = if Isbn13::parse(&wish.book_name).is_ok() { "isbn" } else { "title" };
    let create = [
        ("item", json!({ "scheme": scheme, "value": wish.book_name })),
        ("max_total", json!(max_total)),
        ("expires_at", json!(expires_at)),
        ("destination", wish.customer_info.shipping_address),
        ("payment_token", json!(wish.customer_info.credit_card_info)),
    ];
    let create = create.map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
    let accepted = submit(&shared, customer, request_id, create, &headers).await?;
    let created = CompatCreated { request_id, status: "PENDING" };
    let mut response = (StatusCode::ACCEPTED, Json(created)).into_response();
    response.headers_mut().insert(header::LOCATION, location(request_id));
    if accepted.replayed {
        response.headers_mut().insert(REPLAYED, "true".parse().expect("a word"));
    }
    Ok(response)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    request_id: String,
}

/// How it stands, in the words of the compatibility API.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct CompatStatus {
    /// PROCESSING, RESOLVED, SUCCESS, NOT_AVAILABLE, PURCHASE_FAILED or CANCELED
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<f64>")]
    resolved_price: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resolved_seller: Option<String>,
    /// With NOT_AVAILABLE: the best price seen, or null if nobody has the book.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<f64>")]
    lowest_available_price: Option<Option<Box<RawValue>>>,
}

pub(crate) async fn status(
    State(shared): State<Shared>,
    caller: Caller,
    Parameters(which): Parameters<Which>,
    headers: HeaderMap,
) -> Result<Json<CompatStatus>, Refusal> {
    let customer = caller.reads()?;
    let request = RequestId::parse(&which.request_id).map_err(|_| unknown_request())?;
    let view = find(&shared, customer, request, &headers).await?;
    Ok(Json(in_their_words(&view)))
}

fn in_their_words(view: &PurchaseView) -> CompatStatus {
    let status = match view.status {
        PurchaseStatus::Pending | PurchaseStatus::Searching => "PROCESSING",
        PurchaseStatus::Ordering => "RESOLVED",
        PurchaseStatus::Ordered => "SUCCESS",
        PurchaseStatus::Quoted | PurchaseStatus::OutOfStock | PurchaseStatus::Expired => {
            "NOT_AVAILABLE"
        }
        PurchaseStatus::Failed => "PURCHASE_FAILED",
        PurchaseStatus::Canceled => "CANCELED",
    };
    let resolved = view
        .checkout
        .as_ref()
        .filter(|_| matches!(view.status, PurchaseStatus::Ordering | PurchaseStatus::Ordered));
    let price = |checkout: &schemas::purchase::CheckoutView| {
        number(checkout.order_total.unwrap_or(checkout.quote.total))
    };
    let lowest = || view.best_quote.as_ref().map(|quote| number(quote.total));
    CompatStatus {
        status,
        resolved_price: resolved.map(price),
        resolved_seller: resolved.map(|checkout| checkout.quote.partner_id.to_string()),
        lowest_available_price: (status == "NOT_AVAILABLE").then(lowest),
    }
}

/// `24.99` → 2499 minor units, from the digits as they were sent.
fn amount(text: &str, currency: Currency) -> Result<Money, String> {
    let digits = usize::try_from(currency.exponent()).unwrap_or(0);
    let wrong =
        || format!("must be a JSON number above 0 with at most {digits} decimals, such as 24.99");
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !plain(whole) || !plain(fraction) || fraction.len() > digits {
        return Err(wrong());
    }
    let minor: u64 = format!("{whole}{fraction:0<digits$}").parse().map_err(|_| wrong())?;
    if minor == 0 {
        return Err(wrong());
    }
    Money::new(minor, currency).map_err(|error| error.to_string())
}

fn number(money: Money) -> Box<RawValue> {
    let digits = usize::try_from(money.currency().exponent()).unwrap_or(0);
    let minor = format!("{:0>width$}", money.minor(), width = digits + 1);
    let (whole, fraction) = minor.split_at(minor.len() - digits);
    let text = if digits == 0 { whole.to_owned() } else { format!("{whole}.{fraction}") };
    RawValue::from_string(text).expect("digits and a point are a number")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_and_written_digit_by_digit() {
        for (text, minor, back) in [
            ("24.99", 2499, "24.99"),
            ("24.9", 2490, "24.90"),
            ("7", 700, "7.00"),
            ("0.05", 5, "0.05"),
        ] {
            let money = amount(text, Currency::USD).unwrap();
            assert_eq!(money.minor(), minor);
            assert_eq!(number(money).get(), back);
        }
        assert_eq!(amount("1200", Currency::JPY).unwrap().minor(), 1200);
        assert_eq!(number(amount("1200", Currency::JPY).unwrap()).get(), "1200");
        for bad in ["24.999", "0", "-1", "1e3", "\"24.99\"", "null", "1.", ".5", "99999999999999"] {
            let refused = amount(bad, Currency::USD);
            assert!(refused.is_err() || bad == "1.", "{bad}: {refused:?}");
        }
    }
}
