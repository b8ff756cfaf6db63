//! An ear on the wire for what no stream keeps: live quotes, their answers, calls of the micro
//! service. What streams keep is read from them at the end, where nothing can have been missed.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_nats::header::NATS_MESSAGE_ID;
use async_nats::{Client, Subscriber};
use futures_util::StreamExt;
use schemas::Timestamp;
use schemas::stream::of_subject;
use tokio::task::JoinHandle;

use super::archive::HEARD_FOR;
use super::{HarnessError, now};
use crate::auditor::Seen;

/// Everything of the product, and nothing of the server's own traffic.
pub(super) const EVERYTHING: &[&str] =
    &["purchase.>", "partner.>", "payment.>", "notify.>", "dead_letter.>"];
/// What travels outside streams, but for live quotes.
pub(super) const BUT_QUOTES: &[&str] = &["purchase.api.>"];
/// Of a run that nobody audits by what was said.
pub(super) const NOTHING: &[&str] = &[];

/// Listens on a connection of its own until dropped.
#[derive(Debug)]
pub struct Tap {
    heard: Arc<Mutex<Vec<Seen>>>,
    count: Arc<AtomicUsize>,
    outside_only: Arc<AtomicBool>,
    /// What streams keep, for [`HEARD_FOR`].
    lately: Arc<Mutex<VecDeque<Seen>>>,
    listeners: Vec<JoinHandle<()>>,
}

impl Tap {
    /// Starts listening; returns once the server knows of the subscriptions.
    pub(super) async fn start(
        client: Client,
        subjects: &[&'static str],
    ) -> Result<Self, HarnessError> {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (count, outside_only, lately) = (Arc::default(), Arc::default(), Arc::default());
        let mut listeners = Vec::new();
        for subject in subjects {
            let doing = format!("tapping {subject}");
            let messages = client.subscribe(*subject).await.map_err(HarnessError::nats(doing))?;
            let ear = Ear {
                heard: Arc::clone(&heard),
                count: Arc::clone(&count),
                outside_only: Arc::clone(&outside_only),
                lately: Arc::clone(&lately),
            };
            listeners.push(tokio::spawn(ear.listen(messages)));
        }
        client.flush().await.map_err(HarnessError::nats("starting the tap"))?;
        Ok(Self { heard, count, outside_only, lately, listeners })
    }

    /// How many messages went by so far, kept or not.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// From now on, what a stream keeps is counted, and kept here for [`HEARD_FOR`] only.
    pub(super) fn only_outside_streams(&self) {
        self.outside_only.store(true, Ordering::Relaxed);
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

    /// What streams keep and was heard in the last [`HEARD_FOR`], once that is not kept for good.
    pub(super) fn heard_lately(&self) -> Vec<Seen> {
        self.lately.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// What was heard outside the streams.
    pub fn heard_outside_streams(&self) -> Vec<Seen> {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.iter().filter(|seen| of_subject(&seen.subject).is_none()).cloned().collect()
    }

    /// What a stream must have stored and purged since: heard before the first message it still
    /// has. Their sequences are not known and given as 0.
    pub(super) fn heard_before(&self, stream: &'static str, first: Option<&Seen>) -> Vec<Seen> {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let of_stream: Vec<&Seen> =
            heard.iter().filter(|seen| of_subject(&seen.subject) == Some(stream)).collect();
        // Times settle nothing while the first one kept was heard: the server notes when it stored
        // a message, this side when it came to read it.
        let end = first.map_or(of_stream.len(), |first| {
            let is_first = |seen: &&Seen| {
                (&seen.subject, &seen.message_id) == (&first.subject, &first.message_id)
            };
            let before = || of_stream.partition_point(|seen| seen.at <= first.at);
            of_stream.iter().position(is_first).unwrap_or_else(before)
        });
        let purged = of_stream.into_iter().take(end);
        purged.map(|seen| Seen { stored: Some((stream, 0)), ..seen.clone() }).collect()
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.listeners.iter().for_each(JoinHandle::abort);
    }
}

/// What one listening task writes to.
struct Ear {
    heard: Arc<Mutex<Vec<Seen>>>,
    count: Arc<AtomicUsize>,
    outside_only: Arc<AtomicBool>,
    lately: Arc<Mutex<VecDeque<Seen>>>,
}

impl Ear {
    async fn listen(self, mut messages: Subscriber) {
        while let Some(message) = messages.next().await {
            self.count.fetch_add(1, Ordering::Relaxed);
            let headers = message.headers.as_ref();
            let message_id = headers.and_then(|headers| headers.get(NATS_MESSAGE_ID));
            let seen = Seen {
                message_id: message_id.map(|id| id.as_str().to_owned()),
                subject: message.subject.to_string(),
                body: message.payload.clone(),
                at: now(),
                stored: None,
            };
            let outside_only = self.outside_only.load(Ordering::Relaxed);
            if outside_only && of_subject(&seen.subject).is_some() {
                self.keep_for_a_while(seen);
            } else {
                self.heard.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
            }
        }
    }

    fn keep_for_a_while(&self, seen: Seen) {
        let mut lately = self.lately.lock().unwrap_or_else(PoisonError::into_inner);
        let old = |seen: &Seen, now: Timestamp| now.since(seen.at) > HEARD_FOR;
        while lately.front().is_some_and(|first| old(first, seen.at)) {
            lately.pop_front();
        }
        lately.push_back(seen);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use async_nats::HeaderMap;
    use async_nats::jetstream::{self, stream::Config};
    use schemas::stream::name::NOTIFICATIONS;
    use schemas::{CustomerId, subject};

    use super::*;
    use crate::harness::{StreamTail, wait};
    use crate::nats_server::{NatsServer, NatsServerOptions};

    const SOON: Duration = Duration::from_secs(20);

    async fn notify(jetstream: &jetstream::Context, id: &str) {
        let customer = CustomerId::parse("ann").unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(NATS_MESSAGE_ID, id);
        let subject = subject::notification(&customer, "ordered");
        let stored = jetstream.publish_with_headers(subject, headers, "{}".into()).await.unwrap();
        stored.await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_a_stream_has_purged_is_filled_in_from_what_was_heard() {
        let server = NatsServer::start(NatsServerOptions::default()).unwrap();
        let client = async_nats::connect(server.url()).await.unwrap();
        let jetstream = jetstream::new(client.clone());
        let subjects = vec![subject::filter::notifications()];
        let config = Config { name: NOTIFICATIONS.to_owned(), subjects, ..Config::default() };
        let stream = jetstream.create_stream(config).await.unwrap();
        let tap = Tap::start(client.clone(), EVERYTHING).await.unwrap();
        for id in ["one", "two", "three"] {
            notify(&jetstream, id).await;
        }
        stream.purge().sequence(3).await.unwrap();
        let heard =
            wait::until("all is heard", SOON, async || Ok((tap.heard().len() == 3).then_some(())));
        heard.await.unwrap();

        let mut tail = StreamTail::new(&client, NOTIFICATIONS);
        tail.poll().await.unwrap();
        let ids =
            |seen: &[Seen]| seen.iter().map(|s| s.message_id.clone().unwrap()).collect::<Vec<_>>();
        assert!(tail.is_cut());
        assert_eq!(ids(tail.seen()), ["three"]);
        let purged = tap.heard_before(NOTIFICATIONS, tail.seen().first());
        assert_eq!(ids(&purged), ["one", "two"]);
        assert!(purged.iter().all(|seen| seen.stored == Some((NOTIFICATIONS, 0))));
        assert!(tap.heard_outside_streams().is_empty());
    }
}
