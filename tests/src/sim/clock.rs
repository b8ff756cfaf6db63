//! Virtual time.

use schemas::Timestamp;

/// When every run begins.
pub const START: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);
