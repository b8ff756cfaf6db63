//! Live quotes: from the subscription through the store to a publish, in one task.

use std::sync::Arc;

use async_nats::{Client, Message, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt;
use schemas::json::PARTNER_MESSAGE_BYTES_MAX;
use schemas::partner::QuoteRequests;
use schemas::subject::parse_partner_quote;

use super::clock;
use super::delay::Delays;
use super::desk::{Desk, Outgoing};
use super::egress::Egress;

/// Answers questions until the subscription ends, which it does only with its connection.
pub(super) async fn run(
    desk: Arc<Desk>,
    client: Client,
    egress: Egress,
    delays: Delays,
    mut questions: Subscriber,
) {
    while let Some(message) = questions.next().await {
        answer(&desk, &client, &egress, &delays, message).await;
    }
    tracing::warn!("a quote subscription ended");
}

async fn answer(desk: &Desk, client: &Client, egress: &Egress, delays: &Delays, message: Message) {
    let Some(partner) = parse_partner_quote(&message.subject) else { return };
    // Another process may play the partners that are not configured here.
    if !desk.has_partner(&partner) {
        return;
    }
    let questions: QuoteRequests =
        match schemas::json::decode_valid(&message.payload, PARTNER_MESSAGE_BYTES_MAX) {
            Ok(questions) => questions,
            Err(error) => {
                tracing::warn!(%partner, %error, "a quote question cannot be read");
                return;
            }
        };
    let now = clock::now();
    let Some(answers) = desk.quote(&partner, questions, now) else { return };
    for scheduled in answers {
        let answer = scheduled.value;
        let body = Bytes::from(answer.message.encode());
        if scheduled.at <= now && answer.message_id.is_none() {
            if let Err(error) = client.publish(answer.subject, body).await {
                tracing::warn!(%partner, %error, "a quote could not be sent");
            }
            continue;
        }
        let Some(seat) = delays.try_seat() else {
            tracing::warn!(%partner, "too many delayed answers; a quote is dropped");
            continue;
        };
        let message = Outgoing { subject: answer.subject, message_id: answer.message_id, body };
        let egress = egress.clone();
        delays.run(seat, scheduled.at, async move { egress.publish(message, None).await });
    }
}
