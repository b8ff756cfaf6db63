//! Whether what was promised is there: the store of a killed broker against what callers were told.

use std::collections::{BTreeMap, HashSet};

use broker_core::PurchaseRequest;
use schemas::RequestId;

use super::callers::Callers;
use super::connection::Said;
use super::run::Call;

/// The count of everything that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kept {
    /// Told 202.
    pub(super) accepted: usize,
    /// Of them, not in the store, or another customer's.
    pub(super) lost: usize,
    /// Told nothing, or that nothing is known.
    pub(super) unknown: usize,
    /// Refused, and there all the same.
    pub(super) refused_and_kept: usize,
    /// In the store, and sent by nobody: a call that was done twice made one of its own.
    pub(super) foreign: usize,
    /// Sent once more at the end: recognised, of how many.
    pub(super) again: (usize, usize),
}

pub(super) fn judge(
    calls: &[Call],
    callers: &Callers,
    heads: &BTreeMap<RequestId, PurchaseRequest>,
    again: (usize, usize),
) -> Kept {
    let is_kept = |call: &Call| {
        let head = heads.get(&call.request);
        head.is_some_and(|head| head.submission.customer == *callers.customer(call.caller))
    };
    let mut kept =
        Kept { accepted: 0, lost: 0, unknown: 0, refused_and_kept: 0, foreign: 0, again };
    for call in calls {
        match call.said {
            Said::ACCEPTED => {
                kept.accepted += 1;
                kept.lost += usize::from(!is_kept(call));
            }
            said if said.is_unknown() => kept.unknown += 1,
            Said::Status { .. } | Said::Nothing => {
                kept.refused_and_kept += usize::from(is_kept(call));
            }
        }
    }
    let sent: HashSet<RequestId> = calls.iter().map(|call| call.request).collect();
    kept.foreign = heads.keys().filter(|request| !sent.contains(*request)).count();
    kept
}

impl Kept {
    /// # Errors
    /// A promise was broken.
    pub(super) fn judge(&self) -> anyhow::Result<()> {
        let (recognised, again) = self.again;
        let whole = self.lost == 0
            && self.refused_and_kept == 0
            && self.foreign == 0
            && recognised == again;
        anyhow::ensure!(whole, "a promise was broken: {}", self.said());
        Ok(())
    }

    pub(super) fn said(&self) -> String {
        let Self { accepted, lost, unknown, refused_and_kept, foreign, again: (known, again) } =
            self;
        format!(
            "{accepted} accepted: {lost} not in the store of the killed broker, {foreign} in it that \
             nobody sent, {refused_and_kept} in it that were refused; {unknown} of unknown fate; \
             {known} of {again} sent again were recognised"
        )
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use schemas::CustomerId;

    use super::*;

    fn call(n: u128, said: Said) -> Call {
        let at = Duration::ZERO;
        let request = RequestId::from_parts(1, n << 64);
        Call { request, caller: 0, intended: at, sent: at, answered: at, said }
    }

    #[test]
    fn an_accepted_request_that_is_not_in_the_store_is_lost_and_a_refused_one_is_not() {
        let tokens = vec![(CustomerId::parse("ann").unwrap(), "t".to_owned())];
        let callers = Callers::new(tokens).unwrap();
        let refused = Said::Status { code: 429, replayed: false };
        let calls = [call(1, Said::ACCEPTED), call(2, refused), call(3, Said::Nothing)];
        let kept = judge(&calls, &callers, &BTreeMap::new(), (0, 0));
        assert_eq!((kept.accepted, kept.lost, kept.unknown, kept.foreign), (1, 1, 1, 0));
        assert!(kept.judge().is_err());
    }
}
