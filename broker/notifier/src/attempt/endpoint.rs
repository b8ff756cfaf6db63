//! What an attempt tells of its endpoint, kept for all notifiers and for the next life.

use schemas::Timestamp;

use super::{Attempts, Sent};
use crate::breaker::Verdict;
use crate::clock::now;
use crate::describe::describe;
use crate::record::{Delivery, EndpointRecord, Why};
use crate::store::StoreError;

impl Attempts {
    /// Lost, it is told again by the next attempt.
    pub(super) async fn note_endpoint(&self, delivery: &Delivery, sent: Sent) {
        if let Err(error) = self.try_note(delivery, sent).await {
            let customer = &delivery.customer_id;
            tracing::warn!(%customer, error = describe(&error), "an endpoint is not recorded");
        }
    }

    async fn try_note(&self, delivery: &Delivery, sent: Sent) -> Result<(), StoreError> {
        let endpoint = (&delivery.customer_id, delivery.channel);
        let (known, revision) = self.store.endpoint(endpoint.0, endpoint.1).await?;
        let gone = sent.failure.is_some_and(|(why, _)| why == Why::Gone);
        let disable_after = self.config.webhook.disable_after_ms;
        let next = match (known, sent.verdict) {
            (Some(EndpointRecord::Disabled { .. }), _) | (_, Verdict::Unknown) => None,
            (_, Verdict::Fails | Verdict::Busy { .. }) if gone => Some(disabled(Why::Gone)),
            (Some(EndpointRecord::Failing { .. }), Verdict::Works) => {
                Some(EndpointRecord::Enabled { at: now() })
            }
            (Some(EndpointRecord::Enabled { .. }) | None, Verdict::Works) => None,
            (Some(EndpointRecord::Failing { since }), Verdict::Fails | Verdict::Busy { .. }) => {
                let for_long = now().since(since) > disable_after;
                for_long.then(|| disabled(sent.failure.map_or(Why::Status, |(why, _)| why)))
            }
            (
                Some(EndpointRecord::Enabled { .. }) | None,
                Verdict::Fails | Verdict::Busy { .. },
            ) => Some(EndpointRecord::Failing { since: now() }),
        };
        let Some(next) = next else { return Ok(()) };
        if let EndpointRecord::Disabled { why, .. } = next {
            let customer = &delivery.customer_id;
            let why = why.label();
            tracing::warn!(%customer, why, "an endpoint is disabled until an operator enables it");
        }
        // On a conflict another attempt has told the same, or an operator has decided.
        self.store.set_endpoint(endpoint, next, revision).await?;
        Ok(())
    }
}

fn disabled(why: Why) -> EndpointRecord {
    let at: Timestamp = now();
    EndpointRecord::Disabled { at, why }
}
