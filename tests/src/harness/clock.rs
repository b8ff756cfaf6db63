//! The one clock of the harness: everything it stamps shares it with every process it starts.

use std::time::{SystemTime, UNIX_EPOCH};

use schemas::Timestamp;

/// Wall time, as the partners and the broker on this machine read it.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_unix_ms(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
