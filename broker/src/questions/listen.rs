//! Answers of live partners, decoded off the engine's thread.

use std::sync::Arc;
use std::time::Instant;

use async_nats::{Client, Message, StatusCode, Subscriber};
use broker_core::engine::input::Input;
use broker_core::partner::Partners;
use futures_util::StreamExt;
use schemas::subject::{self, PartnerReplyKind, parse_partner_reply};

use super::asked::Asked;
use crate::mailbox::Intake;
use crate::metrics;
use crate::nats::NatsError;
use crate::wire::quote;

/// What the task needs.
pub struct Listener {
    pub partners: Partners,
    pub asked: Arc<Asked>,
    pub intake: Intake,
}

/// One subscription for the live answers of all partners.
///
/// # Errors
/// The client has ended.
pub async fn subscribe(client: &Client) -> Result<Subscriber, NatsError> {
    let subject = subject::partner_quote_replies();
    client
        .subscribe(subject.clone())
        .await
        .map_err(|source| NatsError::Subscribe { subject, source })
}

impl Listener {
    /// Runs until the engine or the connection has ended.
    pub async fn run(self, mut answers: Subscriber) {
        while let Some(message) = answers.next().await {
            let Some(input) = self.read(&message) else { continue };
            if self.intake.send(input).await.is_err() {
                return;
            }
        }
    }

    fn read(&self, message: &Message) -> Option<Input> {
        let nobody = message.status == Some(StatusCode::NO_RESPONDERS);
        let heard = Heard { subject: &message.subject, body: &message.payload, nobody };
        heard.read(&self.partners, &self.asked, Instant::now())
    }
}

/// What came on the subscription.
#[derive(Debug, Clone, Copy)]
pub struct Heard<'a> {
    pub subject: &'a str,
    pub body: &'a [u8],
    /// It is the server's word that nobody listens for the question.
    pub nobody: bool,
}

impl Heard<'_> {
    /// `None` if it is of no use.
    pub fn read(self, partners: &Partners, asked: &Asked, now: Instant) -> Option<Input> {
        let (partner, kind) = parse_partner_reply(self.subject)?;
        let index = partners.index_of(&partner)?;
        if kind != PartnerReplyKind::Quote {
            return None;
        }
        if self.nobody {
            let calls = asked.unheard(index, now);
            return (!calls.is_empty()).then_some(Input::PartnerDown { partner, calls });
        }
        match quote::answers(&partner, self.body) {
            Ok(answers) => Some(Input::Quotes { origin: None, partner, answers }),
            Err(error) => {
                tracing::debug!(%partner, %error, "quote answers that cannot be read");
                metrics::quote_unreadable();
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use async_nats::Subject;
    use broker_core::partner::{PartnerIndex, PartnerProfile};
    use bytes::Bytes;
    use schemas::Digest;
    use schemas::id::CallId;

    use super::*;
    use crate::mailbox::mailbox;
    use crate::wire::fixture;

    const NO_STOCK: &str = r#"{"items":[{"call_id":"1-1","outcome":"no_stock"}]}"#;

    #[test]
    fn an_answer_counts_for_the_partner_of_its_subject() {
        let input = listener().read(&message("partner.acme.reply.0.quote", NO_STOCK)).unwrap();
        let Input::Quotes { partner, answers, .. } = input else { panic!("quotes") };
        assert_eq!((partner, answers.len()), (fixture::partner(), 1));
    }

    #[test]
    fn strangers_and_unreadable_answers_are_passed_over() {
        for (subject, body) in [
            ("partner.nobody.reply.0.quote", NO_STOCK),
            ("partner.acme.reply.0.place", NO_STOCK),
            ("partner.acme.reply.0.quote", "{"),
        ] {
            assert!(listener().read(&message(subject, body)).is_none(), "{subject} {body}");
        }
    }

    #[test]
    fn nobody_listening_means_that_the_calls_of_the_last_message_went_unheard() {
        let listener = listener();
        let call = CallId { epoch: 1, counter: 9 };
        listener.asked.note(PartnerIndex(0), vec![call], Instant::now());
        let mut nobody = message("partner.acme.reply.0.quote", "");
        nobody.status = Some(StatusCode::NO_RESPONDERS);
        let Some(Input::PartnerDown { partner, calls }) = listener.read(&nobody) else {
            panic!("down")
        };
        assert_eq!((partner, calls), (fixture::partner(), vec![call]));
        assert!(listener.read(&nobody).is_none());
    }

    fn listener() -> Listener {
        let profile = PartnerProfile::cautious(fixture::partner());
        let (_mailbox, intake, _results) = mailbox(1);
        Listener {
            partners: Partners::new(vec![profile], Digest::of(b"")),
            asked: Arc::new(Asked::new(1)),
            intake,
        }
    }

    fn message(subject: &str, body: &str) -> Message {
        Message {
            subject: Subject::from(subject),
            reply: None,
            payload: Bytes::copy_from_slice(body.as_bytes()),
            headers: None,
            status: None,
            description: None,
            length: body.len(),
        }
    }
}
