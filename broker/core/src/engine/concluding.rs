//! The end of a sweep: what its offers amount to, and the receipt that says why.

use schemas::{PartnerId, RequestId};

use super::Engine;
use super::choosing::Choice;
use super::hot::{Presence, Task};
use super::output::{Fact, Output};
use super::planner::Next;
use crate::effect::AcceptToken;
use crate::event::{Conclusion, Event, Finding};
use crate::quote::Quote;
use crate::receipt::search::Ending;
use crate::receipt::{Receipt, Verdict};
use crate::request::{PurchaseRequest, Status};

impl Engine {
    /// Asks more partners, or ends the sweep when the strategy has seen enough and nothing else is
    /// being decided. After a commit this runs again, under the terms of that commit.
    pub(super) fn go_on(&mut self, request: RequestId) {
        let Some(hot) = self.hot.get(&request) else { return };
        if hot.committing.is_some() || !hot.queue.is_empty() {
            return;
        }
        let (Some(sweep), Presence::Present(record)) = (&hot.sweep, &hot.presence) else {
            return;
        };
        let policy = &self.config.policy;
        let why = match sweep.next(&record.terms, self.now, policy) {
            Next::Wait => return,
            Next::Ask(why) => {
                let calls = sweep.round(why, &record.terms, self.now, policy);
                self.open_round(request, why, &calls);
                // Nobody in that round may be worth waiting for.
                return self.go_on(request);
            }
            Next::End(why) => why,
        };
        if self.postpone(request) {
            return;
        }
        let Choice::Go { passed_over, spoken_for } = self.choose(request) else { return };
        self.learn_from(request);
        let (event, receipt) = self.conclude(request, why, passed_over, spoken_for);
        self.drop_sweep(request);
        let task = Task::Sweep { event, receipt: Some(Box::new(receipt)) };
        self.enqueue(request, None, None, task);
    }

    fn conclude(
        &mut self,
        request: RequestId,
        why: Ending,
        passed_over: Vec<PartnerId>,
        spoken_for: bool,
    ) -> (Event, Receipt) {
        let hot = self.hot.get_mut(&request).expect("a concluding sweep is hot");
        let Presence::Present(record) = &hot.presence else {
            unreachable!("a sweep runs only for a present request")
        };
        let sweep = hot.sweep.as_mut().expect("a concluding sweep runs");
        let mut quotes = std::mem::take(&mut sweep.offers);
        let max = record.terms.max_total;
        let open = |quote: &Quote| !passed_over.contains(&quote.partner);
        let valid = |quote: &Quote| quote.valid_until > self.now && open(quote);
        let buyable = |quote: &Quote| valid(quote) && quote.is_affordable(max);
        let let_down = |quote: &Quote| record.let_down_by() == Some(&quote.partner);
        // The winner first: what cannot be bought, however cheap, comes after what can.
        let choice = |quote: &Quote| (!buyable(quote), buyable(quote) && let_down(quote));
        quotes.sort_by_cached_key(|quote| (choice(quote), quote.rank()));
        let policy = &self.config.policy;
        let (eligible, answered) = (sweep.eligible(), sweep.answered());
        let all_had_their_turn = sweep.unopened == 0;
        let enough = all_had_their_turn
            && answered * 1000 >= eligible * usize::from(policy.min_coverage_permille);
        // Asked once more, and all there is goes to others: for this customer there is none.
        let last_look = record.fruitless >= policy.sweep_retries;
        let taken = spoken_for && last_look && !quotes.iter().any(open);
        let affordable: Vec<_> = quotes
            .iter()
            .filter(|quote| buyable(quote))
            .take(usize::from(policy.attempts_max))
            .cloned()
            .collect();
        // A price that lapsed meanwhile is none; without a complete one it is stock all the same.
        let best = quotes.iter().find(|quote| valid(quote)).cloned();
        let (finding, verdict) = match best {
            Some(_) if !affordable.is_empty() => (Finding::Affordable(affordable), Verdict::Buy),
            Some(best) => {
                let token = accept_token(&self.config.token_key, request, &best);
                (Finding::TooDear { best, token: token.into() }, Verdict::TooDear)
            }
            None if eligible > 0 && enough && (quotes.is_empty() || taken) => {
                (Finding::NoStock, Verdict::NoStock)
            }
            None => (Finding::NoAnswer, Verdict::NoAnswer),
        };
        let receipt = Receipt {
            sweep: sweep.number,
            decided_at: self.now,
            strategy: record.terms.strategy,
            max_total: max,
            eligible: u16::try_from(eligible).unwrap_or(u16::MAX),
            answered: u16::try_from(answered).unwrap_or(u16::MAX),
            directory: policy.partners.version(),
            verdict,
            quotes,
            search: Some(sweep.account(why, passed_over, &policy.partners, self.now)),
        };
        let fact = Fact::SweepClosed {
            request,
            took_ms: self.now.since(sweep.started).as_ms(),
            answered,
            eligible,
            called: sweep.called(),
            all_had_their_turn,
            why,
            trace: record.submission.purchase_trace(),
        };
        let conclusion = Conclusion { sweep: sweep.number, finding };
        self.outputs.push_back(Output::Observe(fact));
        (Event::SweepClosed(conclusion), receipt)
    }
}

impl Engine {
    /// Why this change buys, if it buys an offer at hand: a sweep of one, which that offer has won.
    pub(super) fn receipt_at_hand(
        &self,
        before: &PurchaseRequest,
        next: &PurchaseRequest,
    ) -> Option<Receipt> {
        let bought = next.status == Status::Ordering && next.sweep != before.sweep;
        let checkout = next.checkout.as_ref().filter(|_| bought)?;
        Some(Receipt {
            sweep: next.sweep,
            decided_at: self.now,
            strategy: next.terms.strategy,
            max_total: next.terms.max_total,
            eligible: 1,
            answered: 1,
            directory: self.config.policy.partners.version(),
            verdict: Verdict::Buy,
            quotes: vec![checkout.quote.clone()],
            search: None,
        })
    }
}

/// Unguessable without the key, and the same as long as the same store offers the book to this
/// request at the same total: an unchanged price found by the next sweep is not told again, so the
/// token that was told must stay good for it.
fn accept_token(key: &[u8; 32], request: RequestId, offer: &Quote) -> AcceptToken {
    let partner = offer.partner.as_str();
    let mut hasher = blake3::Hasher::new_keyed(key);
    hasher.update(request.as_bytes());
    hasher.update(&[u8::try_from(partner.len()).expect("ids are short")]);
    hasher.update(partner.as_bytes());
    hasher.update(offer.currency.as_bytes());
    let total = offer.worst_total().map_or(u64::MAX, |total| total.minor());
    hasher.update(&total.to_be_bytes());
    let mut token = [0u8; 16];
    token.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    AcceptToken(token)
}
