//! Running sweeps as they are at this moment, for who looks on: nothing is decided from it, and
//! nothing of it is kept.

use schemas::{Currency, CustomerId, Isbn13, Money, PartnerId, RequestId, Timestamp};

use super::Engine;
use super::hot::{Hot, Presence};
use super::input::Origin;
use super::output::{Answer, Output};
use super::sweep::Sweep;
use crate::quote::Quote;

/// Sweeps shown at once, oldest first.
pub const SHOWN_SWEEPS_MAX: usize = 100;

/// A sweep that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningSweep {
    pub request: RequestId,
    pub customer: CustomerId,
    pub isbn: Isbn13,
    /// Sweep of the request, from 1.
    pub number: u32,
    pub started: Timestamp,
    /// It ends then at the latest.
    pub ends_by: Timestamp,
    /// Limit in force now.
    pub max_total: Money,
    /// Partners whose answer counts, and those of them that said something about stock.
    pub eligible: usize,
    pub answered: usize,
    /// Questions sent so far; those of others that it waits for aside.
    pub called: usize,
    /// Oldest first.
    pub offers: Vec<RunningOffer>,
}

/// What a partner has offered; nothing is decided yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningOffer {
    pub partner: PartnerId,
    /// When it came.
    pub at: Timestamp,
    pub currency: Currency,
    /// The most it can cost, landed; absent when a part of it is not known.
    pub total: Option<Money>,
    pub affordable: bool,
}

impl Engine {
    /// Of one request, or of all.
    pub(super) fn show_sweeps(&mut self, origin: Origin, of: Option<RequestId>) {
        let shown: Vec<RunningSweep> = match of {
            Some(request) => self.running(request).into_iter().collect(),
            None => {
                let requests = self.sweeps.values();
                requests.filter_map(|id| self.running(*id)).take(SHOWN_SWEEPS_MAX).collect()
            }
        };
        self.outputs.push_back(Output::Done { origin, answer: Answer::Sweeps(shown) });
    }

    fn running(&self, id: RequestId) -> Option<RunningSweep> {
        let Hot { presence: Presence::Present(request), sweep: Some(sweep), .. } =
            self.hot.get(&id)?.as_ref()
        else {
            return None;
        };
        let max_total = request.terms.max_total;
        let mut offers: Vec<RunningOffer> =
            sweep.offers.iter().map(|quote| self.running_offer(sweep, quote, max_total)).collect();
        offers.sort_by_key(|offer| offer.at);
        Some(RunningSweep {
            request: id,
            customer: request.submission.customer.clone(),
            isbn: request.submission.isbn,
            number: sweep.number,
            started: sweep.started,
            ends_by: sweep.hard_stop,
            max_total,
            eligible: sweep.eligible(),
            answered: sweep.answered(),
            called: sweep.called(),
            offers,
        })
    }

    fn running_offer(&self, sweep: &Sweep, quote: &Quote, max_total: Money) -> RunningOffer {
        let partners = &self.config.policy.partners;
        let came = partners.index_of(&quote.partner).and_then(|partner| sweep.offered_at(partner));
        RunningOffer {
            partner: quote.partner.clone(),
            at: came.unwrap_or(sweep.started),
            currency: quote.currency,
            total: quote.worst_total(),
            affordable: quote.is_affordable(max_total),
        }
    }
}
