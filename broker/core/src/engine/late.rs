//! Questions to queued partners that outlive their sweep: their answers may still buy the book.

use std::collections::BTreeMap;

use schemas::{Isbn13, RequestId};

use crate::partner::PartnerIndex;

/// Remembered calls; the oldest are forgotten first. Forgetting one costs an offer, not money.
const LATE_CALLS_MAX: usize = 100_000;

#[derive(Debug, Default)]
pub(super) struct LateCalls(BTreeMap<u64, LateCall>);

#[derive(Debug, Clone, Copy)]
pub(super) struct LateCall {
    pub(super) request: RequestId,
    pub(super) partner: PartnerIndex,
    pub(super) isbn: Isbn13,
}

impl LateCalls {
    pub(super) fn remember(&mut self, counter: u64, call: LateCall) {
        self.0.insert(counter, call);
        if self.0.len() > LATE_CALLS_MAX {
            self.0.pop_first();
        }
    }

    pub(super) fn take(&mut self, counter: u64, partner: PartnerIndex) -> Option<LateCall> {
        let call = *self.0.get(&counter).filter(|call| call.partner == partner)?;
        self.0.remove(&counter);
        Some(call)
    }
}
