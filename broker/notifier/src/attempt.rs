//! One delivery, once: the record says who is at it, the message leaves, the record says what
//! became of it.

use std::time::{Duration, Instant};

use schemas::{DurationMs, Timestamp};

use crate::agenda::Place;
use crate::breaker::Verdict;
use crate::clock::now;
use crate::config::NotifierConfig;
use crate::describe::describe;
use crate::email::Mailer;
use crate::key::{Channel, DeliveryKey};
use crate::metrics;
use crate::record::{Delivery, EndpointRecord, Failure, State, Why};
use crate::schedule::next_due;
use crate::store::{Store, StoreError, Written};
use crate::subscribers::Current;
use crate::webhook::http::Caller;

mod endpoint;
mod send;

use send::{Retry, Sent};

/// Before a record is looked at again that could not be read, or was changed by somebody else.
const LOOK_AGAIN: DurationMs = DurationMs(1000);
/// What a claim has on top of the time-out, for writing the result.
const CLAIM_MARGIN: DurationMs = DurationMs(1000);
/// Between two tries to write a result.
const WRITE_PAUSE: Duration = Duration::from_millis(200);

/// What attempts need; shared by all of them.
#[derive(Debug)]
pub(crate) struct Attempts {
    pub(crate) config: NotifierConfig,
    pub(crate) store: Store,
    pub(crate) subscribers: Current,
    pub(crate) mailer: Option<Mailer>,
    pub(crate) caller: Caller,
}

/// How it ended, for the plan.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) key: DeliveryKey,
    /// Its record; or when to look at it again.
    pub(crate) place: Result<Place, Timestamp>,
    pub(crate) verdict: Verdict,
}

impl Attempts {
    pub(crate) async fn run(&self, key: DeliveryKey) -> Ended {
        let (place, verdict) = match self.attempt(&key).await {
            Ok((place, verdict)) => (Ok(place), verdict),
            Err(error) => {
                if let Some(error) = error {
                    tracing::warn!(delivery = %key.id, error = describe(&error), "not recorded");
                }
                (Err(now().saturating_add(LOOK_AGAIN)), Verdict::Unknown)
            }
        };
        Ended { key, place, verdict }
    }

    /// `Err(None)`: somebody else has changed the record.
    async fn attempt(&self, key: &DeliveryKey) -> Result<(Place, Verdict), Option<StoreError>> {
        let Some((mut delivery, revision)) = self.store.get(key).await? else {
            // Gone of old age. No revision is higher than what is known of it, whatever that is.
            return Ok((Place { revision: u64::MAX, due: None }, Verdict::Unknown));
        };
        match delivery.state.due() {
            Some(due) if due <= now() => {}
            due => return Ok((Place { revision, due }, Verdict::Unknown)),
        }
        let endpoint = self.endpoint(&delivery).await?;
        if let Some(why) = self.hindrance(&delivery, endpoint.record) {
            let sent = Sent::never(why, Verdict::Unknown);
            return self.record(delivery, revision, sent, Duration::ZERO).await;
        }
        delivery.begin(now().saturating_add(self.claim(key.channel)));
        let Written::Done(revision) = self.store.update(&delivery, revision).await? else {
            metrics::conflict();
            return Err(None);
        };
        let begun = Instant::now();
        let sent = self.send(&delivery).await;
        let took = begun.elapsed();
        if delivery.channel == Channel::Webhook {
            self.note_endpoint(&delivery, endpoint, sent).await;
        }
        self.record(delivery, revision, sent, took).await
    }

    /// Why it is not even tried.
    fn hindrance(&self, delivery: &Delivery, endpoint: Option<EndpointRecord>) -> Option<Why> {
        if now().since(delivery.since()) > self.config.age_max_ms {
            return Some(Why::TooOld);
        }
        endpoint.is_some_and(EndpointRecord::is_disabled).then_some(Why::EndpointDisabled)
    }

    fn timeout(&self, channel: Channel) -> DurationMs {
        match channel {
            Channel::Webhook => self.config.webhook.timeout_ms,
            Channel::Email => {
                self.config.email.as_ref().map_or(DurationMs::ZERO, |email| email.timeout_ms)
            }
        }
    }

    fn claim(&self, channel: Channel) -> DurationMs {
        DurationMs(2 * self.timeout(channel).as_ms() + CLAIM_MARGIN.as_ms())
    }

    /// Writes what became of it, for as long as nobody else may be at it.
    async fn record(
        &self,
        mut delivery: Delivery,
        revision: u64,
        sent: Sent,
        took: Duration,
    ) -> Result<(Place, Verdict), Option<StoreError>> {
        let at = now();
        let until = match delivery.state {
            State::Sending { until } => until,
            State::Pending { .. } | State::Delivered { .. } | State::Failed { .. } => at,
        };
        match sent.failure {
            None => delivery.delivered(at),
            Some((why, code)) => {
                let due = self.due_after(&delivery, sent.retry, at);
                delivery.failed(Failure { at, why, code }, due);
            }
        }
        tell(&delivery, sent, took, at);
        loop {
            match self.store.update(&delivery, revision).await {
                Ok(Written::Done(revision)) => {
                    return Ok((Place { revision, due: delivery.state.due() }, sent.verdict));
                }
                Ok(Written::Conflict) => return self.as_it_stands(&delivery, sent.verdict).await,
                Err(error) if now() >= until => return Err(Some(error)),
                Err(_) => tokio::time::sleep(WRITE_PAUSE).await,
            }
        }
    }

    /// The record was changed by another notifier, an operator, or by our own write whose answer was
    /// lost; what stands there counts.
    async fn as_it_stands(
        &self,
        delivery: &Delivery,
        verdict: Verdict,
    ) -> Result<(Place, Verdict), Option<StoreError>> {
        let found = self.store.get(&delivery.key()).await?;
        let place = found.map_or(Place { revision: u64::MAX, due: None }, |(found, revision)| {
            Place { revision, due: found.state.due() }
        });
        Ok((place, verdict))
    }

    fn due_after(&self, delivery: &Delivery, retry: Retry, at: Timestamp) -> Option<Timestamp> {
        let Retry::After(asked) = retry else { return None };
        let schedule = match delivery.channel {
            Channel::Webhook => self.config.webhook.schedule_ms.as_slice(),
            Channel::Email => {
                self.config.email.as_ref().map_or(&[][..], |email| &email.schedule_ms)
            }
        };
        next_due(schedule, delivery.attempts, &delivery.id, asked, at)
    }
}

/// A line and the metrics of an attempt: ids, and nothing of addresses.
fn tell(delivery: &Delivery, sent: Sent, took: Duration, at: Timestamp) {
    let Delivery { id, channel, attempts, .. } = delivery;
    let (request, customer) = (delivery.request_id, &delivery.customer_id);
    let (why, code) = sent.failure.unzip();
    let code = code.flatten().unwrap_or_default();
    let (state, outcome) = (delivery.state.label(), delivery.outcome.label());
    let result = why.map_or("delivered", Why::label);
    metrics::attempt(*channel, why, took);
    let channel_label = channel.label();
    match delivery.state {
        State::Delivered { .. } => metrics::delivered(*channel, at.since(delivery.created_at)),
        State::Failed { .. } => metrics::failed(*channel, why.unwrap_or(Why::Unreadable)),
        State::Pending { .. } | State::Sending { .. } => {}
    }
    if matches!(delivery.state, State::Failed { .. }) {
        tracing::warn!(
            delivery = %id, %request, %customer, channel = channel_label, outcome, attempts,
            result, code, state, "a notification is not delivered, and kept for a replay"
        );
    } else {
        tracing::info!(
            delivery = %id, %request, %customer, channel = channel_label, outcome, attempts,
            result, code, state, "an attempt to deliver a notification"
        );
    }
}
