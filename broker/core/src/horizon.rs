//! The instants that a new request may name. Also asked at the edge, where a message that breaks
//! other rules is told these as well; what counts is the answer by the core's own clock.

use schemas::{DurationMs, RejectReason, RequestId, Timestamp};

use crate::policy::Policy;

/// How far from now ids and deadlines may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Horizon {
    /// Older ids could name a request that retention has already removed.
    pub id_age_max: DurationMs,
    pub id_ahead_max: DurationMs,
    pub expiry_min: DurationMs,
    pub expiry_max: DurationMs,
}

/// A field of a create that names an instant out of its bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutOfRange {
    pub reason: RejectReason,
    pub field: &'static str,
    pub rule: String,
}

impl Horizon {
    pub fn of(policy: &Policy) -> Self {
        Self {
            id_age_max: policy.id_horizon,
            id_ahead_max: policy.id_ahead,
            expiry_min: policy.expiry_min,
            expiry_max: policy.expiry_max,
        }
    }

    /// Everything that is out of its bounds, the id first.
    pub fn judge(&self, id: RequestId, expires_at: Timestamp, now: Timestamp) -> Vec<OutOfRange> {
        let made_at = Timestamp::from_unix_ms(id.unix_ms());
        self.id(made_at, now).into_iter().chain(self.expiry(made_at, expires_at, now)).collect()
    }

    fn id(&self, made_at: Timestamp, now: Timestamp) -> Option<OutOfRange> {
        let oldest = now.saturating_sub(self.id_age_max);
        let newest = now.saturating_add(self.id_ahead_max);
        (!(oldest..=newest).contains(&made_at)).then(|| OutOfRange {
            reason: RejectReason::RequestIdOutOfRange,
            field: "request_id",
            rule: format!("was made at {made_at}, accepted are {oldest} to {newest}"),
        })
    }

    fn expiry(
        &self,
        made_at: Timestamp,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Option<OutOfRange> {
        // By the id's instant: a create that waited for us was valid when it was made.
        let first = made_at.min(now).saturating_add(self.expiry_min);
        let last = now.saturating_add(self.expiry_max);
        (!(first..=last).contains(&expires_at)).then(|| OutOfRange {
            reason: RejectReason::ExpiryOutOfRange,
            field: "expires_at",
            rule: format!("is {expires_at}, accepted are {first} to {last}"),
        })
    }
}
