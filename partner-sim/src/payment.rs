//! The payment provider, without IO. One key names one payment intent; every operation on it is
//! idempotent and every answer tells the state of the intent after the operation.
//!
//! A void or look-up of an unknown key tombstones it (unless `fences` is off), so that a late
//! authorisation cannot take the money hostage. An authorisation lapses at its `valid_until` and
//! then reads as voided.

mod magic;
mod operations;
mod settings;

use std::collections::BTreeMap;

use schemas::id::Key;
use schemas::payment::{Authorize, Capture, PaymentLookup, PaymentReply, Refund, Void};
use schemas::{ProviderId, Timestamp};

pub use magic::Magic;
pub use settings::{PaymentFaults, PaymentSettings};

use crate::delivery::Scheduled;
use crate::dice::Dice;
use crate::fault::Fault;
use crate::ledger::{LedgerEntry, PaymentLedger, PaymentRecord};

/// What a provider can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PaymentRequest {
    Authorize(Authorize),
    Capture(Capture),
    Void(Void),
    Refund(Refund),
    Lookup(PaymentLookup),
}

/// One message from the provider and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentAnswer {
    pub subject: String,
    /// `Nats-Msg-Id`.
    pub message_id: String,
    pub reply: PaymentReply,
}

/// A simulated payment provider.
#[derive(Debug, Clone)]
pub struct PaymentProvider {
    id: ProviderId,
    settings: PaymentSettings,
    dice: Dice,
    payments: BTreeMap<Key, PaymentRecord>,
    struck: BTreeMap<Fault, u64>,
    /// Keys changed since the last [`PaymentProvider::take_changes`]; `None`: not tracked.
    changed: Option<Vec<Key>>,
}

impl PaymentProvider {
    pub fn new(id: ProviderId, settings: PaymentSettings, seed: u64) -> Self {
        let dice = Dice::new(seed, &format!("payment/{id}"));
        Self {
            id,
            settings,
            dice,
            payments: BTreeMap::new(),
            struck: BTreeMap::new(),
            changed: None,
        }
    }

    pub fn id(&self) -> &ProviderId {
        &self.id
    }

    /// Decides one message; see [`crate::Partner::handle`].
    pub fn handle(
        &mut self,
        request: PaymentRequest,
        now: Timestamp,
    ) -> Vec<Scheduled<PaymentAnswer>> {
        operations::handle(self, request, now)
    }

    pub fn payment(&self, key: &Key) -> Option<&PaymentRecord> {
        self.payments.get(key)
    }

    /// Everything the provider did, in key order.
    pub fn ledger(&self) -> PaymentLedger {
        PaymentLedger { payments: self.payments.values().cloned().collect() }
    }

    pub fn faults_struck(&self) -> &BTreeMap<Fault, u64> {
        &self.struck
    }

    /// From now on remember which records change.
    pub fn track_changes(&mut self) {
        self.changed.get_or_insert_default();
    }

    /// The records created or changed since the last call, as they are now.
    pub fn take_changes(&mut self) -> Vec<LedgerEntry> {
        let changed = self.changed.as_mut().map(std::mem::take).unwrap_or_default();
        let entry =
            |key: &Key| self.payments.get(key).map(|p| LedgerEntry::Payment(Box::new(p.clone())));
        changed.iter().filter_map(entry).collect()
    }

    /// Puts a record of an earlier life back; the last one of a key counts.
    pub fn restore(&mut self, record: PaymentRecord) {
        self.payments.insert(record.payment_key.clone(), record);
    }
}
