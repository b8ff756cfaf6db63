//! Live quotes: questions from the subject of one store, over HTTP, and answers back. They leave
//! no trace: what is lost is asked again.

use std::sync::Arc;

use async_nats::{Message, Subscriber};
use futures_util::StreamExt;
use schemas::json::{PARTNER_MESSAGE_BYTES_MAX, decode_valid};
use schemas::partner::{QuoteAnswer, QuoteAnswers, QuoteOutcome, QuoteQuestion, QuoteRequests};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::Desk;
use crate::caller::{Ask, Caller, Failed};
use crate::gate::Line;
use crate::told;
use crate::{clock, context, metrics};

/// Answers questions until it is told to stop, or the subscription ends with its connection.
pub(crate) async fn run(
    desk: Arc<Desk>,
    caller: Arc<Caller>,
    mut questions: Subscriber,
    mut stop: watch::Receiver<bool>,
) {
    let seats = Arc::new(Semaphore::new(desk.config.questions_max));
    let mut tasks = JoinSet::new();
    loop {
        while tasks.try_join_next().is_some() {}
        let message = tokio::select! {
            message = questions.next() => message,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        let Some(message) = message else {
            tracing::warn!(partner = %caller.store.id(), "a quote subscription ended");
            return;
        };
        let asked: QuoteRequests = match decode_valid(&message.payload, PARTNER_MESSAGE_BYTES_MAX) {
            Ok(asked) => asked,
            Err(error) => {
                let partner = caller.store.id();
                tracing::warn!(%partner, %error, "a quote question cannot be read");
                continue;
            }
        };
        let Ok(seat) = Arc::clone(&seats).try_acquire_owned() else {
            metrics::questions_dropped(caller.store.id(), asked.items.len());
            continue;
        };
        let (desk, caller) = (Arc::clone(&desk), Arc::clone(&caller));
        tasks.spawn(async move {
            ask_all(&desk, &caller, &message, asked).await;
            drop(seat);
        });
    }
}

async fn ask_all(desk: &Desk, caller: &Caller, message: &Message, asked: QuoteRequests) {
    let batches = asked.items.chunks(caller.store.quote.batch_max);
    let answers = batches.map(|batch| async {
        let items = ask(caller, batch).await;
        if items.is_empty() {
            return;
        }
        let body = schemas::json::encode(&QuoteAnswers { items });
        let sent = desk.egress.client().publish(asked.reply_to.clone(), body.into()).await;
        if let Err(error) = sent {
            tracing::warn!(%error, subject = %message.subject, "a quote could not be sent");
        }
    });
    futures_util::future::join_all(answers).await;
}

/// Asks about one batch; who cannot be asked in time is not asked.
pub(crate) async fn ask(caller: &Caller, batch: &[QuoteQuestion]) -> Vec<QuoteAnswer> {
    let Some(deadline) = batch.iter().map(|question| question.not_after).max() else {
        return Vec::new();
    };
    let values = context::quote(batch);
    let ask = Ask { operation: "quote", values: &values, key: None, line: Line::Quotes, deadline };
    let store = &caller.store;
    let outcomes = match caller.call(&store.quote.call, ask).await {
        Ok(answer) => {
            let now = clock::now();
            let outcomes = told::quotes(store, batch, &answer, now);
            if let (429 | 503, Some(wait)) = (answer.status, answer.retry_after) {
                caller.gate.pause(wait);
            }
            if let Err(why) = &answer.body {
                let partner = store.id();
                tracing::info!(%partner, why, "an answer to quotes cannot be read");
            }
            outcomes
        }
        Err(Failed::Busy(busy)) => vec![Some(told::too_much(busy.wait)); batch.len()],
        Err(Failed::Call(error)) => {
            tracing::debug!(partner = %store.id(), %error, "quotes were not answered");
            metrics::outcome(store.id(), "quote", "unknown");
            return Vec::new();
        }
    };
    let told = batch.iter().zip(outcomes).filter_map(|(question, outcome)| {
        let outcome = outcome?;
        metrics::outcome(store.id(), "quote", label(&outcome));
        Some(QuoteAnswer { call_id: question.call_id, outcome })
    });
    told.collect()
}

fn label(outcome: &QuoteOutcome) -> &'static str {
    match outcome {
        QuoteOutcome::Offer(_) => "offer",
        QuoteOutcome::NoStock => "no_stock",
        QuoteOutcome::Refused { .. } => "refused",
    }
}
