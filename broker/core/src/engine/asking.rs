//! Questions on their way out: batched per partner and turn, bounded by each partner's in-flight
//! cap.

use std::collections::{BTreeMap, VecDeque};

use schemas::id::CallId;

use super::output::{Output, Question};
use crate::partner::PartnerIndex;

/// Questions per message; the rest of a turn follows in further messages.
const QUESTIONS_PER_MESSAGE_MAX: usize = schemas::partner::QUOTE_ITEMS_MAX;

#[derive(Debug)]
pub(super) struct Asking {
    ready: BTreeMap<PartnerIndex, Vec<Question>>,
    load: Vec<Load>,
}

#[derive(Debug, Default)]
struct Load {
    in_flight: u32,
    /// Call counters that wait for a free place, oldest first. Stale ones are skipped.
    waiting: VecDeque<u64>,
    /// Thousandths of a second copy that its questions have earned.
    hedge_credit: u32,
}

/// A second copy costs so much.
const HEDGE_PRICE: u32 = 1000;
/// Second copies that may be saved up.
const HEDGES_SAVED_MAX: u32 = 10;

impl Asking {
    pub(super) fn new(partners: usize) -> Self {
        Self { ready: BTreeMap::new(), load: (0..partners).map(|_| Load::default()).collect() }
    }

    fn load(&mut self, partner: PartnerIndex) -> &mut Load {
        &mut self.load[usize::from(partner.0)]
    }

    /// Takes a place in flight, or queues the call for one.
    pub(super) fn admit(&mut self, partner: PartnerIndex, counter: u64, cap: u32) -> bool {
        let load = self.load(partner);
        if load.in_flight < cap {
            load.in_flight += 1;
            return true;
        }
        load.waiting.push_back(counter);
        false
    }

    /// A call is over; the next waiting one may go.
    pub(super) fn release(&mut self, partner: PartnerIndex) -> Option<u64> {
        let load = self.load(partner);
        load.in_flight = load.in_flight.saturating_sub(1);
        load.waiting.pop_front()
    }

    /// The next waiting call after one turned out to be stale. Takes no place.
    pub(super) fn next_waiting(&mut self, partner: PartnerIndex) -> Option<u64> {
        self.load(partner).waiting.pop_front()
    }

    pub(super) fn take_place(&mut self, partner: PartnerIndex) {
        self.load(partner).in_flight += 1;
    }

    pub(super) fn push(&mut self, partner: PartnerIndex, question: Question) {
        self.ready.entry(partner).or_default().push(question);
    }

    /// Takes back what has not left of a question; whether there was anything.
    pub(super) fn take_back(&mut self, partner: PartnerIndex, call: CallId) -> bool {
        let Some(questions) = self.ready.get_mut(&partner) else { return false };
        let before = questions.len();
        questions.retain(|question| question.call != call);
        let found = questions.len() < before;
        if questions.is_empty() {
            self.ready.remove(&partner);
        }
        found
    }

    /// A question earns its partner a share of a second copy.
    pub(super) fn earn_hedge(&mut self, partner: PartnerIndex, permille: u16) {
        let load = self.load(partner);
        let most = HEDGE_PRICE * HEDGES_SAVED_MAX;
        load.hedge_credit = (load.hedge_credit + u32::from(permille)).min(most);
    }

    /// Whether a second copy may be sent: there is budget, and the partner is not half full.
    pub(super) fn spend_hedge(&mut self, partner: PartnerIndex, cap: u32) -> bool {
        let load = self.load(partner);
        let free = load.in_flight.saturating_mul(2) <= cap;
        if !free || load.hedge_credit < HEDGE_PRICE {
            return false;
        }
        load.hedge_credit -= HEDGE_PRICE;
        true
    }

    pub(super) fn next_message(&mut self) -> Option<Output> {
        let mut entry = self.ready.first_entry()?;
        let partner = *entry.key();
        if entry.get().len() > QUESTIONS_PER_MESSAGE_MAX {
            let questions = entry.get_mut().drain(..QUESTIONS_PER_MESSAGE_MAX).collect();
            return Some(Output::Ask { partner, questions });
        }
        Some(Output::Ask { partner, questions: entry.remove() })
    }
}
