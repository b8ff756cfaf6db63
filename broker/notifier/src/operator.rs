//! What an operator can do about deliveries, from anywhere with a connection of their own: the same
//! compare-and-set as the notifier's, so that both can be at work at once.

use async_nats::jetstream::Context;
use schemas::{CustomerId, Timestamp};
use serde::Serialize;

use crate::clock::now;
use crate::key::{Channel, DeliveryId};
use crate::record::{Delivery, EndpointRecord, State};
use crate::store::{Store, StoreError, Written};

/// The buckets of a notifier.
#[derive(Debug)]
pub struct Desk(Store);

/// Which deliveries are meant. What is not given is not asked for.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    pub customer: Option<CustomerId>,
    pub channel: Option<Channel>,
    /// `pending`, `sending`, `delivered` or `failed`.
    pub status: Option<String>,
}

/// An endpoint and what is known of it.
#[derive(Debug, Clone, Serialize)]
pub struct EndpointView {
    pub customer_id: CustomerId,
    pub channel: Channel,
    #[serde(flatten)]
    pub record: EndpointRecord,
}

/// What became of a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Replayed {
    /// It is due now, with all its attempts.
    Due,
    /// It waits or is under way; now it is due at once.
    Hastened,
    /// The receiver has it. It is not kept any more, and not sent again.
    Delivered,
    /// A notifier is at it just now.
    UnderWay,
    /// Somebody else changed it meanwhile.
    Changed,
}

impl Desk {
    /// # Errors
    /// No notifier has ever run here, or the server does not answer.
    pub async fn open(context: &Context) -> Result<Self, StoreError> {
        Ok(Self(Store::existing(context).await?))
    }

    /// The wanted deliveries, the newest first.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn list(&self, wanted: &Wanted) -> Result<Vec<(Delivery, u64)>, StoreError> {
        let customer = wanted.customer.as_ref().map_or("*", CustomerId::as_str);
        let channel = wanted.channel.map_or("*", Channel::label);
        let mut found = self.0.find(&format!("{customer}.{channel}.*")).await?;
        let status = |delivery: &Delivery| {
            wanted.status.as_ref().is_none_or(|status| delivery.state.label() == status)
        };
        found.retain(|(delivery, _)| status(delivery));
        found.sort_by(|(a, _), (b, _)| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
        Ok(found)
    }

    /// # Errors
    /// The server does not answer.
    pub async fn show(&self, id: &DeliveryId) -> Result<Option<(Delivery, u64)>, StoreError> {
        Ok(self.0.find(&format!("*.*.{id}")).await?.into_iter().next())
    }

    /// Sends it again, under its old id.
    ///
    /// # Errors
    /// Whether it is replayed is not known; to repeat is safe.
    pub async fn replay(
        &self,
        mut delivery: Delivery,
        revision: u64,
    ) -> Result<Replayed, StoreError> {
        let done = match delivery.state {
            State::Delivered { .. } => return Ok(Replayed::Delivered),
            State::Failed { .. } => Replayed::Due,
            // Whoever is at it would lose the claim, and it would be sent twice.
            State::Sending { until } if until > now() => return Ok(Replayed::UnderWay),
            State::Sending { .. } | State::Pending { .. } => Replayed::Hastened,
        };
        delivery.replay(now());
        Ok(match self.0.update(&delivery, revision).await? {
            Written::Done(_) => done,
            Written::Conflict => Replayed::Changed,
        })
    }

    /// Every endpoint that is or was failing.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn endpoints(&self) -> Result<Vec<EndpointView>, StoreError> {
        let found = self.0.endpoints().await?.into_iter();
        let mut found: Vec<_> = found
            .map(|(customer_id, channel, record)| EndpointView { customer_id, channel, record })
            .collect();
        found.sort_by(|a, b| (&a.customer_id, a.channel).cmp(&(&b.customer_id, b.channel)));
        Ok(found)
    }

    /// Lets an endpoint be called again. Returns since when it was disabled, if it was.
    ///
    /// # Errors
    /// Whether it is enabled is not known; to repeat is safe.
    pub async fn enable(
        &self,
        customer: &CustomerId,
        channel: Channel,
    ) -> Result<Option<Timestamp>, StoreError> {
        loop {
            let (known, revision) = self.0.endpoint(customer, channel).await?;
            let Some(EndpointRecord::Disabled { at, .. }) = known else { return Ok(None) };
            let record = EndpointRecord::Enabled { at: now() };
            if let Written::Done(_) =
                self.0.set_endpoint((customer, channel), record, revision).await?
            {
                return Ok(Some(at));
            }
        }
    }
}
