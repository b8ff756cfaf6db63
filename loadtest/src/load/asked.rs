//! Whom a request asked, as its receipts say.

use broker_core::receipt::Receipt;

/// Partners asked by a sweep.
pub(super) fn asked(receipt: &Receipt) -> u64 {
    u64::from(receipt.asked)
}
