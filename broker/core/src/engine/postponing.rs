//! A search that found nothing to buy because of our own limits says nothing about the book: it is
//! tried again a few times before that is told. Soft state: a crash begins anew.

use schemas::purchase::Mode;
use schemas::{DurationMs, RequestId, Timestamp};

use super::Engine;
use super::choosing::is_buyable;
use super::hot::Presence;
use super::output::Fact;
use super::sweep::{CallState, Sweep};
use crate::receipt::search::SkipReason;

/// How long each further search waits: 21 s in all, about as long as a breaker leaves a partner
/// alone at first.
const WAITS: [DurationMs; 3] =
    [DurationMs::from_secs(1), DurationMs::from_secs(4), DurationMs::from_secs(16)];

/// How often a request's search was put off, and until when it is.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Postponed {
    times: usize,
    until: Option<Timestamp>,
}

impl Postponed {
    /// It waits for its next search.
    pub(super) fn waits(self) -> bool {
        self.until.is_some()
    }
}

impl Engine {
    /// Whether the ended search of this request is done again later instead of being told.
    pub(super) fn postpone(&mut self, request: RequestId) -> bool {
        let Some(hot) = self.hot.get(&request) else { return false };
        let (Some(sweep), Presence::Present(record)) = (&hot.sweep, &hot.presence) else {
            return false;
        };
        // Who watches looks again anyhow.
        let once = record.submission.mode == Mode::OneShot;
        let Some(wait) = WAITS.get(hot.postponed.times).filter(|_| once) else { return false };
        let at = self.now.saturating_add(*wait);
        let latest = record.terms.expires_at.saturating_sub(self.config.policy.placement_budget);
        let found = sweep.offers.iter().any(|quote| is_buyable(quote, record, self.now));
        if at >= latest || found || !self.held_back_some(sweep) {
            return false;
        }
        self.learn_from(request);
        self.drop_sweep(request);
        let hot = self.hot.get_mut(&request).expect("found above");
        hot.postponed.times += 1;
        hot.postponed.until = Some(at);
        self.postponed.insert((at, request));
        self.observe(Fact::SearchPostponed { request });
        true
    }

    /// Our limits, not an operator or the ranking, kept somebody from being asked.
    fn held_back_some(&self, sweep: &Sweep) -> bool {
        let left_out = |state| matches!(state, CallState::LeftOut(_));
        if sweep.calls.iter().any(|call| call.planned.counts && left_out(call.state)) {
            return true;
        }
        let open = sweep.skipped.iter().filter(|group| group.why == SkipReason::BreakerOpen);
        let mut partners = open.flat_map(|group| &group.named);
        partners.any(|id| {
            let index = self.config.policy.partners.index_of(id);
            index.is_some_and(|index| self.board.may_close(index))
        })
    }

    /// Searches whose time has come.
    pub(super) fn resume_postponed(&mut self) {
        while let Some((at, request)) = self.postponed.first().copied() {
            if at > self.now {
                return;
            }
            self.postponed.remove(&(at, request));
            let Some(hot) = self.hot.get_mut(&request) else { continue };
            if hot.postponed.until == Some(at) {
                hot.postponed.until = None;
                self.advance(request);
            }
        }
    }
}
