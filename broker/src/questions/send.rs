//! Questions out. One message carries all questions of one engine turn to one partner.

use std::sync::Arc;
use std::time::Instant;

use async_nats::PublishError;
use broker_core::engine::input::Input;
use broker_core::engine::output::Question;
use broker_core::partner::{PartnerIndex, PartnerProfile, Partners};
use bytes::Bytes;
use schemas::TraceContext;
use schemas::directory::Transport;
use schemas::id::CallId;
use schemas::partner::QUOTE_ITEMS_MAX;
use schemas::subject::{self, PartnerReplyKind};
use tokio::sync::mpsc;

use super::asked::Asked;
use crate::mailbox::Intake;
use crate::metrics;
use crate::nats::connect::Connection;
use crate::nats::headers;
use crate::wire::quote;

/// Messages between engine and connection; more are dropped.
pub const QUEUE_MESSAGES_MAX: usize = 16_384;

/// All questions of one turn for one partner.
pub type Ask = (PartnerIndex, Vec<Question>);

/// What the task needs.
pub struct Sender {
    pub connection: Connection,
    pub partners: Partners,
    pub asked: Arc<Asked>,
    pub intake: Intake,
}

impl Sender {
    /// Runs until the engine has ended.
    pub async fn run(self, mut questions: mpsc::Receiver<Ask>) {
        while let Some((partner, questions)) = questions.recv().await {
            let calls: Vec<CallId> = questions.iter().map(|question| question.call).collect();
            // A question that waits for a connection is asked too late anyhow.
            if !self.connection.is_connected() {
                metrics::questions_dropped("disconnected", calls.len());
            } else if let Err(error) = self.ask(partner, questions).await {
                tracing::debug!(%error, "questions could not be sent");
                metrics::questions_dropped("not_sent", calls.len());
            } else {
                continue;
            }
            if self.intake.send(Input::NotSent { calls }).await.is_err() {
                return;
            }
        }
    }

    async fn ask(
        &self,
        partner: PartnerIndex,
        questions: Vec<Question>,
    ) -> Result<(), PublishError> {
        for asking in messages(self.partners.at(partner), questions) {
            let headers = headers::of_question(&asking.id.to_string(), asking.trace);
            let (subject, body) = (asking.subject, asking.body);
            let client = &self.connection.client;
            match asking.reply {
                Some(reply) => {
                    self.asked.note(partner, asking.calls, Instant::now());
                    client.publish_with_reply_and_headers(subject, reply, headers, body).await?;
                }
                // No ack is asked for: a question is soft even where it is stored.
                None => client.publish_with_headers(subject, headers, body).await?,
            }
        }
        Ok(())
    }
}

/// One message with questions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asking {
    pub subject: String,
    /// Where a live partner answers; the answers of others come through their stream.
    pub reply: Option<String>,
    /// The first of the calls names the message.
    pub id: CallId,
    /// Of the request that asks the first of them.
    pub trace: TraceContext,
    pub calls: Vec<CallId>,
    pub body: Bytes,
}

/// A place in the trace that no other question has.
fn span_of(call: CallId) -> [u8; 8] {
    let epoch = u64::from(call.epoch) << 32;
    (epoch ^ call.counter).to_be_bytes()
}

/// The messages that ask `questions`, as many to a message as one may carry.
pub fn messages(profile: &PartnerProfile, mut questions: Vec<Question>) -> Vec<Asking> {
    let mut messages = Vec::with_capacity(1);
    while let Some((id, trace)) = questions.first().map(|first| (first.call, first.trace)) {
        let trace = trace.at(span_of(id));
        let rest = questions.split_off(questions.len().min(QUOTE_ITEMS_MAX));
        let calls = questions.iter().map(|question| question.call).collect();
        let kind = match profile.transport {
            Transport::Live => PartnerReplyKind::Quote,
            Transport::Queued => PartnerReplyKind::QuoteQueued,
        };
        let reply = subject::partner_reply(&profile.id, kind);
        let body = Bytes::from(quote::request(&reply, questions));
        messages.push(match profile.transport {
            Transport::Live => {
                let subject = subject::partner_quote(&profile.id);
                Asking { subject, reply: Some(reply), id, trace, calls, body }
            }
            Transport::Queued => {
                let subject = subject::partner_quote_queued(&profile.id);
                Asking { subject, reply: None, id, trace, calls, body }
            }
        });
        questions = rest;
    }
    messages
}
