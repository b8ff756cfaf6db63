//! `sim.ledger.<partners|payments>.get`: pages of ground truth for auditors. An answer shows only
//! what is already on disk.

use std::sync::Arc;

use async_nats::{Client, Message, Subscriber};
use futures_util::StreamExt;

use super::audit::{PAGE_RECORDS_MAX, Page, PageRequest};
use super::desk::Desk;
use crate::ledger::LedgerEntry;

/// Records of one page are cut at so many bytes, well below the server's largest message.
const PAGE_BYTES_MAX: usize = 512 * 1024;

/// Which ledger.
#[derive(Debug, Clone, Copy)]
pub(super) enum Which {
    Partners,
    Payments,
}

pub(super) async fn run(desk: Arc<Desk>, client: Client, which: Which, mut asked: Subscriber) {
    while let Some(message) = asked.next().await {
        answer(&desk, &client, which, message).await;
    }
}

async fn answer(desk: &Desk, client: &Client, which: Which, message: Message) {
    let Some(reply) = message.reply else { return };
    let request = if message.payload.is_empty() {
        PageRequest::default()
    } else {
        match serde_json::from_slice(&message.payload) {
            Ok(request) => request,
            Err(error) => {
                tracing::warn!(%error, "a ledger request cannot be read");
                return;
            }
        }
    };
    let page = read(desk, which, request);
    if desk.barrier().await.is_err() {
        return;
    }
    let body = schemas::json::encode(&page);
    if let Err(error) = client.publish(reply, body.into()).await {
        tracing::warn!(%error, "a ledger page could not be sent");
    }
}

fn read(desk: &Desk, which: Which, request: PageRequest) -> Page {
    let offset = usize::try_from(request.offset).unwrap_or(usize::MAX);
    let limit = request.limit.clamp(1, PAGE_RECORDS_MAX);
    let (mut records, total) = match which {
        Which::Partners => desk.partner_records(offset, limit),
        Which::Payments => desk.payment_records(offset, limit),
    };
    cut(&mut records);
    let read_to = offset.saturating_add(records.len());
    let next = (read_to < total).then_some(read_to as u64);
    Page { records, next, total: total as u64, questions: desk.questions() }
}

/// Keeps what fits, at least one record.
fn cut(records: &mut Vec<LedgerEntry>) {
    let mut bytes = 0;
    let fits = records.iter().take_while(|record| {
        bytes += schemas::json::encode(record).len();
        bytes <= PAGE_BYTES_MAX
    });
    let keep = fits.count().max(1);
    records.truncate(keep);
}
