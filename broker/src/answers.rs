//! The engine's word, passed on to whoever waits for it. Everything told here is decided from
//! durable state: an ack or a reply is never ahead of the store.

use std::sync::Arc;
use std::time::Duration;

use broker_core::engine::input::Origin;
use broker_core::engine::output::Answer;
use schemas::DurationMs;
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::crash;
use crate::ingress::decode::Refused;
use crate::ingress::give_up::GiveUp;
use crate::metrics;
use crate::service::reply;
use crate::traces::{Span, Traces};
use crate::waiters::{Delivery, Waiter, Waiters};

/// What the task needs.
pub struct Answers {
    pub waiters: Arc<Waiters>,
    pub give_up: GiveUp,
    pub traces: Traces,
    pub clock: Clock,
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
                Some(Waiter::Operator(waits)) => {
                    // Whoever asked may have gone; the word stands.
                    let _ = waits.send(answer);
                }
                None => tracing::debug!(?origin, "an answer that nobody waits for"),
            }
            metrics::waiting(self.waiters.len());
        }
    }

    async fn message(&self, delivery: Delivery, answer: Answer) {
        match Fate::of(answer) {
            Fate::Done => {
                crash::point(crash::INGRESS_BEFORE_ACK);
                if let Some(span) = &delivery.span {
                    self.traces.tell(Span { ended: self.clock.now(), ..span.clone() });
                }
                delivery.done().await;
            }
            Fate::Later(after) => {
                metrics::redelivery(delivery.source.name());
                let after = after.map_or(Duration::ZERO, Duration::from);
                delivery.later(self.redelivery_delay.max(after)).await;
            }
            Fate::GivenUp(refused) => {
                let give_up = self.give_up.clone();
                tokio::spawn(async move { give_up.message(delivery, refused).await });
            }
        }
    }
}

/// What the engine's answer means for a message of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It is dealt with and can be acknowledged.
    Done,
    /// It could not be decided now and is to come back, hardly before this time has passed.
    Later(Option<DurationMs>),
    /// It will never be used: a dead letter first, acknowledged then.
    GivenUp(Refused),
}

impl Fate {
    pub fn of(answer: Answer) -> Self {
        match answer {
            Answer::Accepted { .. } | Answer::Taken => Self::Done,
            // Asked by nobody who sends messages.
            Answer::Ranking(_) | Answer::Sweeps(_) => Self::Done,
            Answer::Rejected { reason, retry_after, .. } if reason.is_transient() => {
                Self::Later(retry_after)
            }
            Answer::Rejected { reason, detail, .. } => Self::GivenUp(Refused::new(reason, detail)),
        }
    }
}
