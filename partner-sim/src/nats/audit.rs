//! The auditor's end of the ledgers: the pages, and functions that read all of them.

use std::time::Duration;

use async_nats::Client;
use schemas::subject::sim_ledger;
use serde::{Deserialize, Serialize};

use crate::ledger::{LedgerEntry, PartnerLedger, PaymentLedger};

/// Most records in one page.
pub const PAGE_RECORDS_MAX: usize = 500;
const PAGE_TIMEOUT_MS: u64 = 5_000;

/// What is asked: records from `offset` on, in the order in which they first appeared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PageRequest {
    pub offset: u64,
    /// 1 to [`PAGE_RECORDS_MAX`]; others are brought into that range.
    pub limit: usize,
}

impl Default for PageRequest {
    fn default() -> Self {
        Self { offset: 0, limit: 100 }
    }
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    pub records: Vec<LedgerEntry>,
    /// Offset of the next page; none after the last one.
    pub next: Option<u64>,
    /// Records there are.
    pub total: u64,
    #[serde(default)]
    pub questions: Questions,
}

/// What the stores were asked for quotes in this life: nothing else is left of quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Questions {
    pub messages: u64,
    /// Questions in them.
    pub items: u64,
}

/// What the stores have been asked so far.
pub async fn questions(client: &Client) -> Result<Questions, AuditError> {
    let first = PageRequest { offset: 0, limit: 1 };
    Ok(page(client, "partners", first).await?.questions)
}

/// Why a ledger could not be read.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    #[error("no answer on {subject}")]
    Request { subject: String, source: async_nats::RequestError },
    #[error("the answer on {subject} cannot be read")]
    Parse { subject: String, source: serde_json::Error },
}

/// All orders and reservations, as far as they are on the simulator's disk.
pub async fn partner_ledger(client: &Client) -> Result<PartnerLedger, AuditError> {
    let mut ledger = PartnerLedger::default();
    for record in all(client, "partners").await? {
        match record {
            LedgerEntry::Order(order) => ledger.orders.push(*order),
            LedgerEntry::Reservation(reservation) => ledger.reservations.push(*reservation),
            LedgerEntry::Payment(_) => {}
        }
    }
    Ok(ledger)
}

/// All payments.
pub async fn payment_ledger(client: &Client) -> Result<PaymentLedger, AuditError> {
    let mut ledger = PaymentLedger::default();
    for record in all(client, "payments").await? {
        if let LedgerEntry::Payment(payment) = record {
            ledger.payments.push(*payment);
        }
    }
    Ok(ledger)
}

async fn all(client: &Client, which: &str) -> Result<Vec<LedgerEntry>, AuditError> {
    let mut records = Vec::new();
    let mut offset = Some(0);
    while let Some(from) = offset {
        let request = PageRequest { offset: from, limit: PAGE_RECORDS_MAX };
        let page = page(client, which, request).await?;
        records.extend(page.records);
        offset = page.next;
    }
    Ok(records)
}

async fn page(client: &Client, which: &str, request: PageRequest) -> Result<Page, AuditError> {
    let subject = sim_ledger(which);
    let message = async_nats::Request::new()
        .payload(schemas::json::encode(&request).into())
        .timeout(Some(Duration::from_millis(PAGE_TIMEOUT_MS)));
    let reply = client.send_request(subject.clone(), message).await;
    let reply = reply.map_err(|source| AuditError::Request { subject: subject.clone(), source })?;
    serde_json::from_slice(&reply.payload).map_err(|source| AuditError::Parse { subject, source })
}
