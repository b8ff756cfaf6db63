//! What goes wrong for whoever types a command: what was attempted, on which id, what to do next.

use std::path::PathBuf;

use schemas::RejectReason;
use schemas::problem::Problem;
use serde_json::{Value, json};

use super::exit;
use crate::store::StoreError;

#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    #[error("{0}")]
    Usage(String),
    #[error("cannot read the NATS context {}; `nats context ls` lists those there are", path.display())]
    Context { path: PathBuf, source: std::io::Error },
    #[error("{} is not a NATS context", path.display())]
    ContextSyntax { path: PathBuf, source: serde_json::Error },
    #[error("cannot connect to NATS at {urls}; is a nats-server there, and is the login right?{}", complaints(.said))]
    Unreachable { urls: String, said: Vec<String>, source: async_nats::ConnectError },
    #[error("cannot {doing}: the broker refuses it as {} ({}): {}{}", .problem.code.label(), .problem.number, .problem.detail, advice(.problem))]
    Refused { doing: String, problem: Box<Problem> },
    #[error("cannot {doing}: {why}{}\n  {next}", complaints(.said))]
    Silent { doing: String, why: String, said: Vec<String>, next: String },
    #[error("cannot {doing}: {what} does not exist; {next}")]
    NotFound { doing: String, what: String, next: String },
    #[error("cannot {doing}{}", complaints(.said))]
    Server { doing: String, said: Vec<String>, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("cannot {doing}")]
    Store { doing: String, source: StoreError },
    #[error("{0}")]
    Findings(String),
    #[error("request {request} {ended}")]
    NotOrdered { request: schemas::RequestId, ended: String },
}

impl CliError {
    pub(super) fn exit(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Context { .. } | Self::ContextSyntax { .. } => exit::USAGE,
            Self::Refused { problem, .. } if problem.code == RejectReason::NotFound => {
                exit::NOT_FOUND
            }
            Self::Refused { .. } => exit::REFUSED,
            Self::Unreachable { .. } | Self::Silent { .. } => exit::SILENT,
            Self::NotFound { .. } => exit::NOT_FOUND,
            Self::Server { .. } | Self::Store { .. } => exit::FAILED,
            Self::Findings(_) => exit::FINDINGS,
            Self::NotOrdered { .. } => exit::NOT_ORDERED,
        }
    }

    /// The broker's own words, for programs.
    fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Refused { problem, .. } => Some(problem),
            _ => None,
        }
    }
}

/// An error for programs that asked for JSON.
pub(super) fn as_json(error: &anyhow::Error) -> Value {
    let problem = error.chain().find_map(|cause| cause.downcast_ref::<CliError>()?.problem());
    json!({ "error": format!("{error:#}"), "exit": exit::of(error), "problem": problem })
}

fn complaints(said: &[String]) -> String {
    said.iter().map(|line| format!("\n  the server says: {line}")).collect()
}

fn advice(problem: &Problem) -> String {
    let mut text = String::new();
    if let Some(field) = &problem.field {
        text.push_str(&format!("\n  the field is {field}"));
    }
    let next = match problem.code {
        RejectReason::Conflict => {
            "this id was used with another body before; `broker get` shows what it stands for, a \
             new purchase needs a new id"
        }
        RejectReason::NotFound => "`broker list` shows the requests of this customer",
        RejectReason::VersionConflict => "`broker get` shows the version it has now",
        RejectReason::TooLate => "its order was already sent; `broker watch` tells how it ends",
        RejectReason::TokenInvalid => {
            "the token stands in the latest `quoted` notification; `broker watch` shows it"
        }
        _ if problem.retryable => "the same command may succeed later",
        _ => return text,
    };
    text.push_str("\n  ");
    text.push_str(next);
    text
}
