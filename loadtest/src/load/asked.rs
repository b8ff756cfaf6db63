//! Whom a request asked, as its receipts say.

use broker_core::receipt::Receipt;
use broker_core::receipt::search::Came;

/// Partners asked by a sweep; none for an offer at hand. Questions that never left are none.
pub(super) fn asked(receipt: &Receipt) -> u64 {
    let rounds = receipt.search.iter().flat_map(|search| &search.rounds);
    rounds.flat_map(|round| &round.asked).filter(|asked| asked.came != Came::NotSent).count() as u64
}
