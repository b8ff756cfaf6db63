//! Creates of a stream that were told to come back. Their stream keeps them, and each holds one of
//! the places of its consumer until it is decided: so they are counted, and one customer can have
//! only so many of them. What its customer says of such a request meanwhile waits as well; it must
//! not be answered as if the create had never been.

use std::collections::{BTreeSet, HashMap};

use schemas::{CustomerId, DurationMs, RequestId, Timestamp};

/// Creates of all customers that may be put off at once; further ones are refused for good.
const PUT_OFF_MAX: usize = 2048;
/// One that has not come back so long after its time is not waited for any more.
const LATE_AT_MOST: DurationMs = DurationMs::from_secs(60);

#[derive(Debug, Default)]
pub(super) struct PutOff {
    /// Looked up, never iterated: order must not depend on a hasher.
    requests: HashMap<RequestId, (Timestamp, CustomerId)>,
    customers: HashMap<CustomerId, usize>,
    ends: BTreeSet<(Timestamp, RequestId)>,
}

impl PutOff {
    /// How many others of this customer are put off.
    pub(super) fn of(&self, customer: &CustomerId) -> usize {
        self.customers.get(customer).copied().unwrap_or(0)
    }

    /// When this create is to come back; it may be a little late. Its stream may have lost it.
    pub(super) fn until(&self, request: RequestId, now: Timestamp) -> Option<Timestamp> {
        let (until, _) = self.requests.get(&request)?;
        (until.saturating_add(LATE_AT_MOST) > now).then_some(*until)
    }

    /// It is told to come back then; false if there are too many already.
    pub(super) fn add(
        &mut self,
        request: RequestId,
        customer: &CustomerId,
        until: Timestamp,
        (most, now): (usize, Timestamp),
    ) -> bool {
        self.forget_lost(now);
        if self.requests.len() >= PUT_OFF_MAX || self.of(customer) >= most {
            return false;
        }
        self.requests.insert(request, (until, customer.clone()));
        self.ends.insert((until, request));
        *self.customers.entry(customer.clone()).or_default() += 1;
        true
    }

    /// It has come back, or was decided otherwise.
    pub(super) fn remove(&mut self, request: RequestId) {
        let Some((until, customer)) = self.requests.remove(&request) else { return };
        self.ends.remove(&(until, request));
        if let Some(count) = self.customers.get_mut(&customer) {
            *count -= 1;
            if *count == 0 {
                self.customers.remove(&customer);
            }
        }
    }

    fn forget_lost(&mut self, now: Timestamp) {
        while let Some((until, request)) = self.ends.first().copied() {
            if until.saturating_add(LATE_AT_MOST) > now {
                return;
            }
            self.remove(request);
        }
    }
}
