//! What an attempt tells of its endpoint, kept for all notifiers and for the next life.

use schemas::Timestamp;

use super::{Attempts, Sent};
use crate::breaker::Verdict;
use crate::clock::now;
use crate::describe::describe;
use crate::key::Channel;
use crate::record::{Delivery, EndpointRecord, Why};
use crate::store::StoreError;

/// What is known of an endpoint; of the mail server nothing is kept.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Known {
    pub(super) record: Option<EndpointRecord>,
    revision: u64,
}

impl Attempts {
    pub(super) async fn endpoint(&self, delivery: &Delivery) -> Result<Known, StoreError> {
        match delivery.channel {
            Channel::Email => Ok(Known::default()),
            Channel::Webhook => {
                let endpoint = self.store.endpoint(&delivery.customer_id, delivery.channel).await;
                endpoint.map(|(record, revision)| Known { record, revision })
            }
        }
    }

    /// Lost, it is told again by the next attempt.
    pub(super) async fn note_endpoint(&self, delivery: &Delivery, known: Known, sent: Sent) {
        if let Err(error) = self.try_note(delivery, known, sent).await {
            let customer = &delivery.customer_id;
            tracing::warn!(%customer, error = describe(&error), "an endpoint is not recorded");
        }
    }

    async fn try_note(
        &self,
        delivery: &Delivery,
        Known { record, revision }: Known,
        sent: Sent,
    ) -> Result<(), StoreError> {
        let endpoint = (&delivery.customer_id, delivery.channel);
        let gone = sent.failure.is_some_and(|(why, _)| why == Why::Gone);
        let disable_after = self.config.webhook.disable_after_ms;
        let next = match (record, sent.verdict) {
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
