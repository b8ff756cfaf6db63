//! An ear on the wire for what no stream keeps: live quotes, their answers, calls of the micro
//! service. What streams keep is read from them at the end, where nothing can have been missed.

use std::sync::{Arc, Mutex, PoisonError};

use async_nats::header::NATS_MESSAGE_ID;
use async_nats::{Client, Subscriber};
use futures_util::StreamExt;
use schemas::stream::of_subject;
use tokio::task::JoinHandle;

use super::{HarnessError, now};
use crate::auditor::Seen;

/// Everything of the product, and nothing of the server's own traffic.
const SUBJECTS: [&str; 5] = ["purchase.>", "partner.>", "payment.>", "notify.>", "dead_letter.>"];

/// Listens on a connection of its own until dropped.
#[derive(Debug)]
pub struct Tap {
    heard: Arc<Mutex<Vec<Seen>>>,
    listeners: Vec<JoinHandle<()>>,
}

impl Tap {
    /// Starts listening; returns once the server knows of the subscriptions.
    pub(super) async fn start(client: Client) -> Result<Self, HarnessError> {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let mut listeners = Vec::new();
        for subject in SUBJECTS {
            let doing = format!("tapping {subject}");
            let messages = client.subscribe(subject).await.map_err(HarnessError::nats(doing))?;
            listeners.push(tokio::spawn(listen(messages, Arc::clone(&heard))));
        }
        client.flush().await.map_err(HarnessError::nats("starting the tap"))?;
        Ok(Self { heard, listeners })
    }

    /// Everything heard so far, stream or not, in the order in which it was heard.
    pub fn heard(&self) -> Vec<Seen> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What was heard since the first `skip` messages; for following along.
    pub fn heard_after(&self, skip: usize) -> Vec<Seen> {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.get(skip..).unwrap_or_default().to_vec()
    }

    /// What was heard outside the streams.
    pub fn heard_outside_streams(&self) -> Vec<Seen> {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.iter().filter(|seen| of_subject(&seen.subject).is_none()).cloned().collect()
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.listeners.iter().for_each(JoinHandle::abort);
    }
}

async fn listen(mut messages: Subscriber, heard: Arc<Mutex<Vec<Seen>>>) {
    while let Some(message) = messages.next().await {
        let message_id = message.headers.as_ref().and_then(|headers| headers.get(NATS_MESSAGE_ID));
        let seen = Seen {
            message_id: message_id.map(|id| id.as_str().to_owned()),
            subject: message.subject.to_string(),
            body: message.payload.clone(),
            at: now(),
            stored: None,
        };
        heard.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
    }
}
