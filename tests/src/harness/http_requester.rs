//! A customer who has nothing but HTTP: the same ledger, another door.

use std::time::Duration;

use schemas::purchase::{CommandReply, CreatePurchase};
use schemas::{CustomerId, json};
use serde_json::Value;

use super::gateway::Gateway;
use super::{HarnessError, SubLedger, now};
use crate::auditor::{Answer, Command, Route, Sent};

/// The broker answers after its own fsync; seconds only when the machine is overloaded.
const REPLY_TIMEOUT: Duration = Duration::from_secs(20);

/// One customer at the gateway.
#[derive(Debug, Clone)]
pub struct HttpRequester {
    client: reqwest::Client,
    url: String,
    token: String,
    customer: CustomerId,
    ledger: SubLedger,
}

impl HttpRequester {
    pub(super) fn new(
        gateway: &Gateway,
        customer: CustomerId,
        ledger: SubLedger,
    ) -> Result<Self, HarnessError> {
        // Whoever comes second finds the same provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let doing = || format!("a caller for {customer}");
        let client = reqwest::Client::builder().timeout(REPLY_TIMEOUT).build();
        let client = client.map_err(HarnessError::nats(doing()))?;
        let token = gateway.tokens.get(customer.as_str()).cloned();
        let token = token.ok_or_else(|| HarnessError::nats(doing())("has no token"))?;
        let url = format!("{}/v1/purchase-requests", gateway.url());
        Ok(Self { client, url, token, customer, ledger })
    }

    /// Asks the gateway to create, the request's id being the key.
    ///
    /// # Errors
    /// When nobody answers. What was sent may still have been done; the ledger says so.
    pub async fn create(&self, create: &CreatePurchase) -> Result<CommandReply, HarnessError> {
        let at = now();
        let reply = self.post(create).await;
        let answer = match &reply {
            Ok(reply) => Answer::Reply(Box::new(reply.clone())),
            Err(_) => Answer::Silent,
        };
        let (customer, command) =
            (self.customer.clone(), Command::Create(Box::new(create.clone())));
        let route = Route::Service;
        self.ledger.record(Sent { customer, command, route, at, answered: now(), answer });
        reply
    }

    async fn post(&self, create: &CreatePurchase) -> Result<CommandReply, HarnessError> {
        let doing = || format!("asking the gateway to create {}", create.request_id);
        let mut body: Value = json::decode(&json::encode(create), usize::MAX)
            .map_err(HarnessError::decode(doing()))?;
        if let Some(members) = body.as_object_mut() {
            members.remove("request_id");
        }
        let call = self.client.post(&self.url).bearer_auth(&self.token).json(&body);
        let call = call.header("Idempotency-Key", create.request_id.to_string());
        let response = call.send().await.map_err(HarnessError::nats(doing()))?;
        let accepted = response.status().is_success();
        let replayed = response.headers().contains_key("idempotent-replayed");
        let bytes = response.bytes().await.map_err(HarnessError::nats(doing()))?;
        if accepted {
            let view = json::decode(&bytes, usize::MAX).map_err(HarnessError::decode(doing()))?;
            return Ok(CommandReply::Accepted { replayed, request: Box::new(view) });
        }
        let problem = json::decode(&bytes, usize::MAX).map_err(HarnessError::decode(doing()))?;
        Ok(CommandReply::Rejected(problem))
    }
}
