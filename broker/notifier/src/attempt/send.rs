//! The message leaves, and what the answer means.

use bytes::Bytes;
use schemas::event::Notification;
use schemas::stream::EVENT_BYTES_MAX;
use schemas::{DurationMs, json};

use super::Attempts;
use crate::breaker::Verdict;
use crate::clock::now;
use crate::email::Mailer;
use crate::key::Channel;
use crate::record::{Delivery, Why};
use crate::subscribers::WebhookWish;
use crate::webhook::http::Call;
use crate::webhook::{self, Answer, sign};

/// What became of a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    pub(super) failure: Option<(Why, Option<u16>)>,
    pub(super) retry: Retry,
    pub(super) verdict: Verdict,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retry {
    Never,
    After(Option<DurationMs>),
}

impl Sent {
    const DELIVERED: Self = Self { failure: None, retry: Retry::Never, verdict: Verdict::Works };

    pub(super) const fn never(why: Why, verdict: Verdict) -> Self {
        Self { failure: Some((why, None)), retry: Retry::Never, verdict }
    }
}

impl Attempts {
    pub(super) async fn send(&self, delivery: &Delivery) -> Sent {
        let subscribers = self.subscribers.borrow().clone();
        let subscriber = subscribers.get(&delivery.customer_id);
        match delivery.channel {
            Channel::Email => {
                let wish = subscriber.and_then(|subscriber| subscriber.email.as_ref());
                let (Some(mailer), Some(wish)) = (&self.mailer, wish) else {
                    return Sent::never(Why::NotSubscribed, Verdict::Unknown);
                };
                self.mail(mailer, &wish.address, delivery).await
            }
            Channel::Webhook => {
                match subscriber.and_then(|subscriber| subscriber.webhook.as_ref()) {
                    Some(wish) => self.call(wish, delivery).await,
                    None => Sent::never(Why::NotSubscribed, Verdict::Unknown),
                }
            }
        }
    }

    async fn mail(&self, mailer: &Mailer, to: &lettre::Address, delivery: &Delivery) -> Sent {
        let Some(told) = notification(delivery) else {
            return Sent::never(Why::Unreadable, Verdict::Unknown);
        };
        match mailer.send(&delivery.id, to, &told).await {
            Ok(()) => Sent::DELIVERED,
            Err(not_taken) => {
                let is_final = matches!(not_taken.why, Why::MailRefused | Why::Unreadable);
                Sent {
                    failure: Some((not_taken.why, not_taken.code)),
                    retry: if is_final { Retry::Never } else { Retry::After(None) },
                    verdict: if not_taken.server_works { Verdict::Works } else { Verdict::Fails },
                }
            }
        }
    }

    async fn call(&self, wish: &WebhookWish, delivery: &Delivery) -> Sent {
        let told = notification(delivery).zip(delivery.notification.as_ref());
        let Some((told, bytes)) = told else {
            return Sent::never(Why::Unreadable, Verdict::Unknown);
        };
        let body = Bytes::from(webhook::body(delivery.outcome, told.at, bytes));
        let (id, seconds) = (delivery.id.as_str(), now().as_unix_ms() / 1000);
        let signature = sign::signatures(&wish.keys, id, seconds, &body);
        let headers = [
            ("webhook-id", id.to_owned()),
            ("webhook-timestamp", seconds.to_string()),
            ("webhook-signature", signature),
        ];
        let is_private_allowed = wish.is_private_allowed;
        let call = Call { url: &wish.url, is_private_allowed, headers, body };
        match self.caller.post(call, now()).await {
            Ok(answer) => self.judge(answer),
            Err(why) => Sent {
                failure: Some((why, None)),
                retry: Retry::After(None),
                verdict: Verdict::Fails,
            },
        }
    }

    /// What a status means, as in Standard Webhooks.
    fn judge(&self, answer: Answer) -> Sent {
        let Answer { status, retry_after } = answer;
        let busy = || {
            let wait = retry_after.unwrap_or(self.config.breaker_open_ms);
            Verdict::Busy { until: now().saturating_add(wait) }
        };
        let (why, verdict) = match status {
            200..=299 => return Sent::DELIVERED,
            300..=399 => (Why::Redirected, Verdict::Fails),
            410 => (Why::Gone, Verdict::Fails),
            429 | 502 | 504 => (Why::Status, busy()),
            _ if retry_after.is_some() => (Why::Status, busy()),
            _ => (Why::Status, Verdict::Fails),
        };
        let retry = if why == Why::Gone { Retry::Never } else { Retry::After(retry_after) };
        Sent { failure: Some((why, Some(status))), retry, verdict }
    }
}

fn notification(delivery: &Delivery) -> Option<Notification> {
    let bytes = delivery.notification.as_ref()?.get().as_bytes();
    json::decode(bytes, EVENT_BYTES_MAX).ok()
}
