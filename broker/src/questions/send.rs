//! Questions out. One message carries all questions of one engine turn to one partner.

use std::sync::Arc;
use std::time::Instant;

use async_nats::PublishError;
use broker_core::engine::output::Question;
use broker_core::partner::{PartnerIndex, Partners};
use bytes::Bytes;
use schemas::directory::Transport;
use schemas::partner::QUOTE_ITEMS_MAX;
use schemas::subject::{self, PartnerReplyKind};
use tokio::sync::mpsc;

use super::asked::Asked;
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
}

impl Sender {
    /// Runs until the engine has ended.
    pub async fn run(self, mut questions: mpsc::Receiver<Ask>) {
        while let Some((partner, questions)) = questions.recv().await {
            let count = questions.len();
            // A question that waits for a connection is asked too late anyhow.
            if !self.connection.is_connected() {
                metrics::questions_dropped("disconnected", count);
                continue;
            }
            if let Err(error) = self.ask(partner, questions).await {
                tracing::debug!(%error, "questions could not be sent");
                metrics::questions_dropped("not_sent", count);
            }
        }
    }

    async fn ask(
        &self,
        partner: PartnerIndex,
        mut questions: Vec<Question>,
    ) -> Result<(), PublishError> {
        while !questions.is_empty() {
            let rest = questions.split_off(questions.len().min(QUOTE_ITEMS_MAX));
            self.ask_at_once(partner, questions).await?;
            questions = rest;
        }
        Ok(())
    }

    async fn ask_at_once(
        &self,
        partner: PartnerIndex,
        questions: Vec<Question>,
    ) -> Result<(), PublishError> {
        let profile = self.partners.at(partner);
        let Some(first) = questions.first() else { return Ok(()) };
        let headers = headers::id_only(&first.call.to_string());
        let client = &self.connection.client;
        match profile.transport {
            Transport::Live => {
                let calls = questions.iter().map(|question| question.call).collect();
                let reply = subject::partner_reply(&profile.id, PartnerReplyKind::Quote);
                let body = Bytes::from(quote::request(&reply, questions));
                self.asked.note(partner, calls, Instant::now());
                let subject = subject::partner_quote(&profile.id);
                client.publish_with_reply_and_headers(subject, reply, headers, body).await
            }
            Transport::Queued => {
                let reply = subject::partner_reply(&profile.id, PartnerReplyKind::QuoteQueued);
                let body = Bytes::from(quote::request(&reply, questions));
                // No ack is asked for: a question is soft even where it is stored.
                let subject = subject::partner_quote_queued(&profile.id);
                client.publish_with_headers(subject, headers, body).await
            }
        }
    }
}
