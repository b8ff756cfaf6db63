//! Every refusal is `application/problem+json` (RFC 9457), with the reasons and numbers that NATS
//! clients get, and some that only HTTP has.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use schemas::problem::Problem;
use schemas::{DurationMs, RejectReason, RequestId};
use serde::Serialize;

use crate::metrics;

/// Registered types for what many services refuse alike.
const QUOTA_EXCEEDED: &str = "https://iana.org/assignments/http-problem-types#quota-exceeded";
const REDUCED_CAPACITY: &str =
    "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity";

macro_rules! own {
    ($($(#[$doc:meta])* $name:ident = $label:literal, $status:ident;)*) => {
        /// What only the gateway refuses.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Own { $($(#[$doc])* $name,)* }

        impl Own {
            pub(crate) const ALL: &'static [Self] = &[$(Self::$name,)*];

            pub(crate) const fn label(self) -> &'static str {
                match self { $(Self::$name => $label,)* }
            }

            pub(crate) const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }
        }
    };
}

own! {
    IdempotencyKeyMissing = "idempotency_key_missing", BAD_REQUEST;
    IdempotencyKeyMalformed = "idempotency_key_malformed", BAD_REQUEST;
    RequestInProgress = "request_in_progress", CONFLICT;
    Unauthenticated = "unauthenticated", UNAUTHORIZED;
    Forbidden = "forbidden", FORBIDDEN;
    SignatureInvalid = "signature_invalid", UNAUTHORIZED;
    NoSuchPage = "no_such_page", NOT_FOUND;
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED;
    ParameterInvalid = "parameter_invalid", BAD_REQUEST;
    QuotaExceeded = "quota_exceeded", TOO_MANY_REQUESTS;
    ReducedCapacity = "temporary_reduced_capacity", SERVICE_UNAVAILABLE;
    BrokerUnavailable = "broker_unavailable", SERVICE_UNAVAILABLE;
    DeadlineExceeded = "deadline_exceeded", GATEWAY_TIMEOUT;
    GatewayInternal = "gateway_internal", INTERNAL_SERVER_ERROR;
}

/// The status of a reason that NATS clients get, too.
pub(crate) const fn status_of(reason: RejectReason) -> StatusCode {
    use RejectReason as R;
    match reason {
        R::Malformed => StatusCode::BAD_REQUEST,
        R::NotFound | R::UnknownRequest | R::UnknownPartner => StatusCode::NOT_FOUND,
        R::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        R::ContentTypeUnsupported | R::VersionUnsupported => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        R::TransitionNotAllowed | R::TooLate | R::TooManyCommands => StatusCode::CONFLICT,
        R::VersionConflict => StatusCode::PRECONDITION_FAILED,
        R::RateLimited | R::TooManyCreates => StatusCode::TOO_MANY_REQUESTS,
        R::Overloaded | R::ShuttingDown => StatusCode::SERVICE_UNAVAILABLE,
        R::Internal | R::Quarantined => StatusCode::INTERNAL_SERVER_ERROR,
        R::FieldInvalid
        | R::IdentifierInvalid
        | R::IdentifierUnknown
        | R::IdentifierAmbiguous
        | R::CurrencyUnsupported
        | R::DestinationUnserviceable
        | R::ExpiryOutOfRange
        | R::RequestIdOutOfRange
        | R::PanNotAccepted
        | R::Conflict
        | R::TokenInvalid => StatusCode::UNPROCESSABLE_ENTITY,
        // Outcomes of requests and refusals of partners: no answer to a call.
        R::NoInventory
        | R::PriceAboveMax
        | R::PriceChanged
        | R::RequestExpired
        | R::QuoteExpired
        | R::ReservationRejected
        | R::ReservationExpired
        | R::PaymentDeclined
        | R::PaymentActionRequired
        | R::PaymentTimeout
        | R::AuthorizationExpired
        | R::CaptureFailed
        | R::PartnerRejected
        | R::PartnerTimeout
        | R::PartnerUnavailable
        | R::PartnerCanceled
        | R::PlacementUnknown
        | R::CanceledByCustomer
        | R::WrongSender
        | R::NotAsked => StatusCode::CONFLICT,
    }
}

/// One broken rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct FieldError {
    /// JSON Pointer (RFC 6901) into the body, such as `#/max_total/amount`.
    pub(crate) pointer: String,
    /// What must hold and does not; for humans.
    pub(crate) detail: String,
    pub(crate) code: RejectReason,
}

/// The body of every refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct ProblemBody {
    /// Stable URI of the kind of problem.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// The same for every problem of this kind.
    pub(crate) title: String,
    /// The same as the status of the answer.
    pub(crate) status: u16,
    /// Stable name of the reason; what programs should look at.
    pub(crate) code: String,
    /// Stable number of the reason, where NATS clients get it, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) number: Option<u16>,
    /// What happened this time and how to mend it; for humans.
    pub(crate) detail: String,
    /// Whether the same call may succeed later.
    pub(crate) retryable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retry_after_ms: Option<DurationMs>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) request_id: Option<RequestId>,
    /// Every rule that the body breaks, 16 at most.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    pub(crate) errors: Vec<FieldError>,
}

/// A refusal on its way out.
#[derive(Debug)]
pub(crate) struct Refusal(Box<ProblemBody>);

impl Refusal {
    pub(crate) fn own(own: Own, detail: impl Into<String>) -> Self {
        let status = own.status();
        let kind = match own {
            Own::QuotaExceeded => QUOTA_EXCEEDED.to_owned(),
            Own::ReducedCapacity => REDUCED_CAPACITY.to_owned(),
            _ => format!("urn:bpb:problem:{}", own.label()),
        };
        let retryable = matches!(
            own,
            Own::RequestInProgress
                | Own::QuotaExceeded
                | Own::ReducedCapacity
                | Own::BrokerUnavailable
                | Own::DeadlineExceeded
                | Own::GatewayInternal
        );
        Self(Box::new(ProblemBody {
            kind,
            title: title(own.label()),
            status: status.as_u16(),
            code: own.label().to_owned(),
            number: None,
            detail: detail.into(),
            retryable,
            retry_after_ms: None,
            request_id: None,
            errors: Vec::new(),
        }))
    }

    pub(crate) fn reason(reason: RejectReason, detail: impl Into<String>) -> Self {
        Self::from(Problem::new(reason, detail))
    }

    pub(crate) fn after(mut self, wait: DurationMs) -> Self {
        self.0.retry_after_ms = Some(wait);
        self
    }

    pub(crate) fn about(mut self, request: RequestId) -> Self {
        self.0.request_id = Some(request);
        self
    }

    /// One field of the body, by its JSON Pointer.
    pub(crate) fn at(mut self, pointer: &str, code: RejectReason) -> Self {
        let detail = self.0.detail.clone();
        self.0.errors.push(FieldError { pointer: pointer.to_owned(), detail, code });
        self
    }

    #[cfg(test)]
    pub(crate) fn body(&self) -> &ProblemBody {
        &self.0
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        let label = problem.code.label();
        let kind = match problem.code {
            RejectReason::RateLimited => QUOTA_EXCEEDED.into(),
            RejectReason::Overloaded => REDUCED_CAPACITY.into(),
            _ => problem.kind,
        };
        let error = |violation: &schemas::violation::Violation| FieldError {
            pointer: pointer(&violation.field),
            detail: violation.rule.clone(),
            code: violation.code,
        };
        let mut errors: Vec<FieldError> = problem.violations.iter().map(error).collect();
        if let (true, Some(field)) = (errors.is_empty(), &problem.field) {
            let detail = problem.detail.clone();
            errors.push(FieldError { pointer: pointer(field), detail, code: problem.code });
        }
        Self(Box::new(ProblemBody {
            kind: kind.into(),
            title: title(label),
            status: status_of(problem.code).as_u16(),
            code: label.to_owned(),
            number: Some(problem.number),
            detail: problem.detail,
            retryable: problem.retryable,
            retry_after_ms: problem.retry_after_ms,
            request_id: problem.request_id,
            errors,
        }))
    }
}

/// `max_total.amount` → `#/max_total/amount`, `items[3].isbn` → `#/items/3/isbn`.
fn pointer(path: &str) -> String {
    if path == "." {
        return "#".to_owned();
    }
    let steps = path.replace('[', ".").replace(']', "");
    let escaped = steps.split('.').map(|step| step.replace('~', "~0").replace('/', "~1"));
    format!("#/{}", escaped.collect::<Vec<_>>().join("/"))
}

pub(crate) fn title(label: &str) -> String {
    let mut title = label.replace('_', " ");
    if let Some(first) = title.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    title
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = *self.0;
        metrics::refused(&body.code);
        let status = StatusCode::from_u16(body.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let wait = body.retry_after_ms;
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        let problem = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, problem);
        if status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer realm=\"book purchase broker\"");
            headers.insert(header::WWW_AUTHENTICATE, scheme);
        }
        if let Some(wait) = wait {
            // Whole seconds, never earlier than asked for.
            let seconds = wait.as_ms().div_ceil(1000).max(1);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_become_json_pointers() {
        for (path, wanted) in [
            (".", "#"),
            ("max_total.amount", "#/max_total/amount"),
            ("items[3].isbn", "#/items/3/isbn"),
            ("a/b~c", "#/a~1b~0c"),
        ] {
            assert_eq!(pointer(path), wanted);
        }
    }

    #[test]
    fn every_problem_has_a_name_and_an_error_status() {
        let mut labels = std::collections::BTreeSet::new();
        for own in Own::ALL {
            assert!(own.status().is_client_error() || own.status().is_server_error());
            assert!(labels.insert(own.label()), "{}", own.label());
        }
        for reason in RejectReason::ALL {
            assert!(status_of(*reason).as_u16() >= 400);
            assert!(labels.insert(reason.label()), "{}", reason.label());
        }
    }

    #[test]
    fn the_wait_is_rounded_up() {
        let wait = DurationMs(1001);
        let refusal = Refusal::own(Own::QuotaExceeded, "too many").after(wait);
        let response = refusal.into_response();
        assert_eq!(response.headers()[header::RETRY_AFTER], "2");
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
    }
}
