//! Whom a request asked, as its receipts say.

use broker_core::receipt::Receipt;
use broker_core::receipt::search::{Came, Source};

/// Partners asked by a sweep for this request; none for an offer at hand. Answers to questions of
/// other requests and questions that never left are none.
pub(super) fn asked(receipt: &Receipt) -> u64 {
    let rounds = receipt.search.iter().flat_map(|search| &search.rounds);
    let asked = rounds.flat_map(|round| &round.asked);
    let own = asked.filter(|one| one.source == Source::Asked && one.came != Came::NotSent);
    own.count() as u64
}
