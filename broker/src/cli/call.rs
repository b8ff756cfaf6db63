//! Calls of the running broker, by the same public subjects as everybody's.

use async_nats::RequestErrorKind;
use bytes::Bytes;
use schemas::problem::Problem;
use schemas::purchase::{CommandReply, ListReply, PurchaseView};
use schemas::subject::{PurchaseOperation, purchase_api};
use schemas::{CustomerId, json};
use serde::de::DeserializeOwned;

use super::connect::Session;
use super::error::CliError;

/// What the broker accepted.
#[derive(Debug)]
pub(super) struct Accepted {
    /// It had been accepted before.
    pub(super) replayed: bool,
    pub(super) request: PurchaseView,
}

impl Session {
    /// A command or `get`, about the request `about`.
    pub(super) async fn command(
        &self,
        operation: PurchaseOperation,
        customer: &CustomerId,
        about: &str,
        body: Vec<u8>,
    ) -> Result<Accepted, CliError> {
        let doing = doing(operation, customer, about);
        match self.ask(operation, customer, &doing, body).await? {
            CommandReply::Accepted { replayed, request } => {
                Ok(Accepted { replayed, request: *request })
            }
            CommandReply::Rejected(problem) => Err(refused(doing, problem)),
        }
    }

    /// One page of `list`.
    pub(super) async fn page(
        &self,
        customer: &CustomerId,
        body: Vec<u8>,
    ) -> Result<(Vec<PurchaseView>, Option<schemas::RequestId>), CliError> {
        let doing = format!("list the requests of customer {customer}");
        match self.ask(PurchaseOperation::List, customer, &doing, body).await? {
            ListReply::Page { requests, next } => Ok((requests, next)),
            ListReply::Rejected(problem) => Err(refused(doing, problem)),
        }
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        operation: PurchaseOperation,
        customer: &CustomerId,
        doing: &str,
        body: Vec<u8>,
    ) -> Result<T, CliError> {
        let subject = purchase_api(operation, customer);
        let reply = self.client.request(subject, Bytes::from(body)).await;
        let reply = reply.map_err(|error| self.unanswered(operation, doing, &error))?;
        json::decode(&reply.payload, usize::MAX)
            .map_err(|e| self.failed(format!("{doing}: the broker's answer cannot be read"), e))
    }

    fn unanswered(
        &self,
        operation: PurchaseOperation,
        doing: &str,
        error: &async_nats::RequestError,
    ) -> CliError {
        let (why, next) = match error.kind() {
            RequestErrorKind::NoResponders => (
                "no broker is connected to this server".to_owned(),
                "nothing was done; start one with `broker serve --config FILE`".to_owned(),
            ),
            RequestErrorKind::TimedOut => {
                let why = format!("no answer within {:?}", self.timeout);
                (why, what_to_do(operation).to_owned())
            }
            _ => (error.to_string(), what_to_do(operation).to_owned()),
        };
        CliError::Silent { doing: doing.to_owned(), why, said: self.said.words(), next }
    }
}

/// After silence.
const fn what_to_do(operation: PurchaseOperation) -> &'static str {
    match operation {
        PurchaseOperation::Get | PurchaseOperation::List | PurchaseOperation::Receipt => {
            "the customer must be one that this login may ask for; try again, or a longer --timeout"
        }
        PurchaseOperation::Create => {
            "it may have been accepted: `broker get` with its id shows it. The same body under the \
             same id is safe to send again"
        }
        PurchaseOperation::Update | PurchaseOperation::Cancel | PurchaseOperation::AcceptQuote => {
            "it may have been done: `broker get` shows it. The same command under the same \
             --command-id is done once"
        }
    }
}

fn doing(operation: PurchaseOperation, customer: &CustomerId, about: &str) -> String {
    let verb = match operation {
        PurchaseOperation::Create => "submit",
        PurchaseOperation::Update => "update",
        PurchaseOperation::Cancel => "cancel",
        PurchaseOperation::AcceptQuote => "accept a quote of",
        PurchaseOperation::Get | PurchaseOperation::List | PurchaseOperation::Receipt => "get",
    };
    format!("{verb} request {about} of customer {customer}")
}

fn refused(doing: String, problem: Problem) -> CliError {
    CliError::Refused { doing, problem: Box::new(problem) }
}
