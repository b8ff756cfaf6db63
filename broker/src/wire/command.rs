//! What customers send. The principal is the token of the subject; bodies never name a customer.

use broker_core::Event;
use broker_core::event::Update;
use broker_core::horizon::Horizon;
use broker_core::request::{Submission, Terms};
use schemas::catalog::Catalog;
use schemas::json::{DecodeError, decode_command, decode_command_judged};
use schemas::problem::Problem;
use schemas::purchase::{
    AcceptQuote, CancelPurchase, CreatePurchase, GetPurchase, ListPurchases, UpdatePurchase,
};
use schemas::{CustomerId, Digest, RejectReason, RequestId, Timestamp};

use super::token;

/// A change of an existing request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeCommand {
    pub request: RequestId,
    /// Digest of the body: the same command id with another body is a conflict.
    pub digest: Digest,
    pub event: Event,
}

/// `create`: resolves the identifier. Whether its instants are within the horizon is for the core
/// to say, with its clock; a message that is wrong anyway is told that as well.
///
/// # Errors
/// Every field that is wrong, an identifier that names no single edition among them.
pub fn create(
    customer: CustomerId,
    body: &[u8],
    catalog: &Catalog,
    horizon: &Horizon,
    now: Timestamp,
) -> Result<Submission, Problem> {
    let mut resolved = None;
    let command = decode_command_judged(body, |command: &CreatePurchase, found| {
        resolved = Some((command.request_id, catalog.resolve(&command.item)));
        if let Some((_, Err(error))) = &resolved {
            found.push(error.reason(), "item.value", error.to_string());
        }
        if !found.is_empty() {
            for one in horizon.judge(command.request_id, command.expires_at, now) {
                found.push(one.reason, one.field, one.rule);
            }
        }
    });
    let about = resolved.as_ref().map(|(request, _)| *request);
    let command = command.map_err(|error| {
        let problem = error.problem();
        // The id of a sample is nobody's.
        let readable = problem.violations.iter().all(|one| one.field != "request_id");
        match about.filter(|_| readable) {
            Some(request) => problem.with_request(request),
            None => problem,
        }
    })?;
    let Some((_, Ok(isbn))) = resolved else {
        return Err(Problem::new(RejectReason::Internal, "the identifier was not looked up"));
    };
    let digest = Digest::of_value(&command);
    Ok(Submission {
        id: command.request_id,
        customer,
        digest,
        isbn,
        quantity: command.quantity,
        destination: command.destination,
        payment_token: command.payment_token,
        condition: command.condition,
        mode: command.mode,
        rebuy: command.rebuy,
        created_at: now,
        trace: None,
        terms: Terms {
            max_total: command.max_total,
            expires_at: command.expires_at,
            strategy: command.strategy,
        },
    })
}

/// `update`
///
/// # Errors
/// The field that is wrong.
pub fn update(body: &[u8]) -> Result<ChangeCommand, Problem> {
    let command: UpdatePurchase = decode_command(body).map_err(|e| e.problem())?;
    let digest = Digest::of_value(&command);
    let event = Event::Update(Update {
        command: command.command_id,
        if_version: command.if_version,
        max_total: command.max_total,
        expires_at: command.expires_at,
        strategy: command.strategy,
    });
    Ok(ChangeCommand { request: command.request_id, digest, event })
}

/// `cancel`
///
/// # Errors
/// The field that is wrong.
pub fn cancel(body: &[u8]) -> Result<ChangeCommand, Problem> {
    let command: CancelPurchase = decode_command(body).map_err(|e| e.problem())?;
    let digest = Digest::of_value(&command);
    let event = Event::Cancel { command: command.command_id };
    Ok(ChangeCommand { request: command.request_id, digest, event })
}

/// `accept_quote`
///
/// # Errors
/// The field that is wrong; a well-formed token of another quote is refused by the core.
pub fn accept_quote(body: &[u8]) -> Result<ChangeCommand, Problem> {
    let command: AcceptQuote = decode_command(body).map_err(|e| e.problem())?;
    let digest = Digest::of_value(&command);
    let token_digest = token::digest_of(command.accept_token.as_str()).ok_or_else(|| {
        Problem::new(RejectReason::TokenInvalid, "accept_token is not a token")
            .with_request(command.request_id)
            .with_field("accept_token")
    })?;
    let event = Event::AcceptQuote { command: command.command_id, token_digest };
    Ok(ChangeCommand { request: command.request_id, digest, event })
}

/// `get`
///
/// # Errors
/// The field that is wrong.
pub fn get(body: &[u8]) -> Result<RequestId, Problem> {
    let command: GetPurchase = decode_command(body).map_err(|e| e.problem())?;
    Ok(command.request_id)
}

/// `list`; an empty body asks for the first page.
///
/// # Errors
/// The field that is wrong.
pub fn list(body: &[u8]) -> Result<ListPurchases, Problem> {
    let body = if body.is_empty() { b"{}" } else { body };
    decode_command(body).map_err(|e: DecodeError| e.problem())
}

#[cfg(test)]
mod tests {
    use schemas::purchase::{Mode, Strategy};
    use schemas::{Condition, Currency, DurationMs, Money};
    use serde_json::{Value, json};

    use super::super::fixture;
    use super::*;

    #[test]
    fn a_create_becomes_a_submission_of_the_subjects_customer() {
        let body = body();
        let now = Timestamp::from_unix_ms(5);
        let submission =
            create(fixture::customer(), &bytes(&body), &catalog(), &horizon(), now).unwrap();
        assert_eq!(submission.customer, fixture::customer());
        assert_eq!(submission.id, fixture::request_id());
        assert_eq!(submission.isbn, fixture::isbn());
        assert_eq!(submission.quantity, 1);
        assert_eq!(submission.created_at, now);
        assert_eq!(submission.terms.max_total, Money::new(2500, Currency::USD).unwrap());
        assert_eq!(submission.terms.strategy, Strategy::Balanced);
        assert_eq!((submission.mode, submission.condition), (Mode::OneShot, Condition::New));
    }

    #[test]
    fn white_space_and_unknown_fields_are_the_same_body_and_another_limit_is_not() {
        let create_digest = |value: &Value, pretty: bool| {
            let text = if pretty { format!("{value:#}") } else { value.to_string() };
            let now = Timestamp::from_unix_ms(5);
            create(fixture::customer(), text.as_bytes(), &catalog(), &horizon(), now)
                .unwrap()
                .digest
        };
        let plain = create_digest(&body(), false);
        let mut unknown = body();
        unknown["x_note"] = json!("ignored");
        assert_eq!(create_digest(&unknown, true), plain);
        let mut dearer = body();
        dearer["max_total"]["amount"] = json!(2501);
        assert_ne!(create_digest(&dearer, false), plain);
    }

    #[test]
    fn a_problem_names_field_and_reason() {
        for (path, value, reason, field) in [
            ("quantity", json!(0), RejectReason::FieldInvalid, "quantity"),
            (
                "item",
                json!({"scheme": "title", "value": "Unheard of"}),
                RejectReason::IdentifierUnknown,
                "item.value",
            ),
            (
                "item",
                json!({"scheme": "isbn", "value": "9780306406158"}),
                RejectReason::IdentifierInvalid,
                "item.value",
            ),
        ] {
            let mut body = body();
            body[path] = value;
            let problem = refused(&body);
            assert_eq!((problem.code, problem.field.as_deref()), (reason, Some(field)));
        }
    }

    #[test]
    fn what_cannot_be_read_resolved_or_kept_in_time_is_told_at_once() {
        let mut body = body();
        body["quantity"] = json!("two");
        body["item"]["value"] = json!("9780306406158");
        let problem = refused(&body);
        let told: Vec<_> =
            problem.violations.iter().map(|one| (one.code, one.field.as_str())).collect();
        let wrong = [
            (RejectReason::FieldInvalid, "quantity"),
            (RejectReason::IdentifierInvalid, "item.value"),
            (RejectReason::ExpiryOutOfRange, "expires_at"),
        ];
        assert_eq!(told, wrong);
        assert_eq!(problem.request_id, Some(fixture::request_id()));
        body["request_id"] = json!("7");
        assert_eq!(refused(&body).request_id, None);
    }

    #[test]
    fn changes_carry_their_command_and_the_digest_of_their_body() {
        let id = fixture::request_id();
        let update_body = json!({"request_id": id, "command_id": "u1", "max_total": {"amount": 1, "currency": "USD"}});
        let change = update(&bytes(&update_body)).unwrap();
        assert_eq!(change.request, id);
        assert!(matches!(&change.event, Event::Update(u) if u.max_total.is_some()));
        let cancel_body =
            json!({"request_id": id, "command_id": "c1", "reason": "changed my mind"});
        let change = cancel(&bytes(&cancel_body)).unwrap();
        assert_eq!(change.event.command().unwrap().as_str(), "c1");
        let other = cancel(&bytes(&json!({"request_id": id, "command_id": "c1"}))).unwrap();
        assert_ne!(change.digest, other.digest);
    }

    #[test]
    fn an_accept_carries_the_digest_of_its_token_only() {
        let text = "000102030405060708090a0b0c0d0e0f";
        let body = json!({"request_id": fixture::request_id(), "command_id": "a1",
            "accept_token": text});
        let change = accept_quote(&bytes(&body)).unwrap();
        let raw: Vec<u8> = (0..16).collect();
        let Event::AcceptQuote { token_digest, .. } = change.event else { panic!() };
        assert_eq!(token_digest, Digest::of(&raw));
    }

    #[test]
    fn an_empty_list_body_asks_for_the_first_page() {
        assert_eq!(list(b"").unwrap().after, None);
        assert_eq!(list(b"{\"limit\":0}").unwrap_err().field.as_deref(), Some("limit"));
    }

    fn body() -> Value {
        json!({
            "request_id": fixture::request_id(),
            "item": {"scheme": "isbn", "value": fixture::isbn().to_string()},
            "max_total": {"amount": 2500, "currency": "USD"},
            "expires_at": "2030-01-01T00:00:00Z",
            "destination": {"country": "US", "postal_code": "10001"},
            "payment_token": "tok_1",
        })
    }

    fn bytes(value: &Value) -> Vec<u8> {
        value.to_string().into_bytes()
    }

    fn horizon() -> Horizon {
        let all = DurationMs(u64::MAX);
        Horizon {
            id_age_max: all,
            id_ahead_max: all,
            expiry_min: DurationMs(1),
            expiry_max: DurationMs(9),
        }
    }

    fn refused(body: &Value) -> Problem {
        let (catalog, now) = (catalog(), Timestamp::ZERO);
        create(fixture::customer(), &bytes(body), &catalog, &horizon(), now).unwrap_err()
    }

    fn catalog() -> Catalog {
        Catalog::default()
    }
}
