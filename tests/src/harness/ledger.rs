//! SUB: what the customers of a test sent and were told, in one list for all of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use schemas::{CustomerId, RequestId};

use crate::auditor::{Command, Sent};

/// Shared by every requester of a cluster.
#[derive(Debug, Clone, Default)]
pub struct SubLedger(Arc<Mutex<Vec<Sent>>>);

impl SubLedger {
    pub fn record(&self, sent: Sent) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(sent);
    }

    pub fn entries(&self) -> Vec<Sent> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Every request that anybody tried to create, with its customer; the first sender counts.
    pub fn requests(&self) -> BTreeMap<RequestId, CustomerId> {
        let mut requests = BTreeMap::new();
        for sent in self.entries() {
            if let Command::Create(create) = &sent.command {
                requests.entry(create.request_id).or_insert(sent.customer);
            }
        }
        requests
    }
}
