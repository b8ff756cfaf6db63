//! The engine's word, passed on to whoever waits for it. Everything told here is decided from
//! durable state: an ack or a reply is never ahead of the store.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::AckKind;
use broker_core::engine::input::Origin;
use broker_core::engine::output::Answer;
use tokio::sync::mpsc;

use crate::crash;
use crate::ingress::decode::Refused;
use crate::ingress::give_up::GiveUp;
use crate::metrics;
use crate::service::reply;
use crate::waiters::{Delivery, Waiter, Waiters};

/// What the task needs.
pub struct Answers {
    pub waiters: Arc<Waiters>,
    pub give_up: GiveUp,
    /// Delay before a command comes back that could not be decided now.
    pub redelivery_delay: Duration,
}

impl Answers {
    /// Runs until the engine has ended and everything it said is passed on.
    pub async fn run(self, mut answers: mpsc::UnboundedReceiver<(Origin, Answer)>) {
        while let Some((origin, answer)) = answers.recv().await {
            match self.waiters.take(origin) {
                Some(Waiter::Message(delivery)) => self.message(delivery, answer).await,
                Some(Waiter::Call(call)) => {
                    crash::point(crash::SERVICE_BEFORE_REPLY);
                    reply::answer(call, answer).await;
                }
                None => tracing::debug!(?origin, "an answer that nobody waits for"),
            }
            metrics::waiting(self.waiters.len());
        }
    }

    async fn message(&self, delivery: Delivery, answer: Answer) {
        match answer {
            Answer::Accepted { .. } | Answer::Taken => {
                crash::point(crash::INGRESS_BEFORE_ACK);
                acknowledge(&delivery, AckKind::Ack).await;
            }
            Answer::Rejected { reason, .. } if reason.is_transient() => {
                metrics::redelivery(delivery.source.name());
                acknowledge(&delivery, AckKind::Nak(Some(self.redelivery_delay))).await;
            }
            Answer::Rejected { reason, detail } => {
                let give_up = self.give_up.clone();
                let refused = Refused { reason, detail };
                tokio::spawn(async move { give_up.message(delivery, refused).await });
            }
        }
    }
}

/// An ack is a hint to the server: a lost one brings the message back, which is harmless.
async fn acknowledge(delivery: &Delivery, kind: AckKind) {
    if let Err(error) = delivery.message.ack_with(kind).await {
        tracing::warn!(stream = delivery.source.name(), error, "an ack could not be sent");
    }
}
