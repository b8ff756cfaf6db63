//! Problem details (RFC 9457) on every error, over NATS as over HTTP.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::violation::Violation;
use crate::{DurationMs, RejectReason, RequestId};

/// Why a command was refused, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// Stable URI of the kind of problem: `urn:bpb:problem:<code>`.
    #[serde(rename = "type")]
    pub kind: Box<str>,
    pub code: RejectReason,
    /// Stable number of `code`.
    pub number: u16,
    /// What happened this time and how to mend it; for humans.
    pub detail: String,
    /// Whether the same bytes may succeed later.
    pub retryable: bool,
    /// With `retryable`: the same bytes may succeed after so long, earlier they hardly will.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<DurationMs>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<RequestId>,
    /// JSON path of the offending field, such as `max_total.amount`; the first one of several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Every rule that the message breaks, 16 at most; `code` and `field` are those of the first.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub violations: Box<[Violation]>,
}

impl Problem {
    pub fn new(code: RejectReason, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:bpb:problem:{}", code.label()).into(),
            code,
            number: code.number(),
            detail: detail.into(),
            retryable: code.is_transient(),
            retry_after_ms: None,
            request_id: None,
            field: None,
            violations: Box::default(),
        }
    }

    #[must_use]
    pub fn with_retry_after(mut self, after: DurationMs) -> Self {
        self.retry_after_ms = Some(after);
        self
    }

    #[must_use]
    pub fn with_request(mut self, request: RequestId) -> Self {
        self.request_id = Some(request);
        self
    }

    #[must_use]
    pub fn with_field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// The field is the one of the first.
    #[must_use]
    pub fn with_violations(mut self, violations: Vec<Violation>) -> Self {
        self.field = violations.first().map(|violation| violation.field.clone());
        self.violations = violations.into();
        self
    }
}
