//! Questions on their way out: batched per partner and turn. What may not leave yet waits in its
//! partner's lane: for a place at that partner, for one of the places of all, or for a rate.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use schemas::Timestamp;
use schemas::id::CallId;

use super::output::{Output, Question};
use crate::partner::PartnerIndex;

/// Questions per message; the rest of a turn follows in further messages.
const QUESTIONS_PER_MESSAGE_MAX: usize = schemas::partner::QUOTE_ITEMS_MAX;

#[derive(Debug)]
pub(super) struct Asking {
    ready: BTreeMap<PartnerIndex, Vec<Question>>,
    lanes: Vec<Lane>,
    /// Questions open at all partners together.
    in_flight: u32,
    /// Questions that wait in all lanes together.
    waiting: u32,
    /// When lanes are to be looked at again, and a number so that all get their turn.
    paced: BTreeSet<(Timestamp, u64, PartnerIndex)>,
    next_pace: u64,
    /// Lanes that wait for one of the places of all, the longest waiting first.
    crowded_out: VecDeque<PartnerIndex>,
}

#[derive(Debug, Default)]
struct Lane {
    in_flight: u32,
    /// Call counters of what waits, the oldest first.
    waiting: BTreeSet<u64>,
    /// Its entry in [`Asking::paced`].
    paced: Option<(Timestamp, u64)>,
    /// Its place among those that wait for a rate, kept until a question of it has left: of those
    /// that share a rate the one that has waited longest is the next.
    turn: Option<u64>,
    /// It stands in [`Asking::crowded_out`].
    is_crowded_out: bool,
    /// Thousandths of a second copy that its questions have earned.
    hedge_credit: u32,
}

/// A second copy costs so much.
const HEDGE_PRICE: u32 = 1000;
/// Second copies that may be saved up.
const HEDGES_SAVED_MAX: u32 = 10;

impl Asking {
    pub(super) fn new(partners: usize) -> Self {
        Self {
            ready: BTreeMap::new(),
            lanes: (0..partners).map(|_| Lane::default()).collect(),
            in_flight: 0,
            waiting: 0,
            paced: BTreeSet::new(),
            next_pace: 0,
            crowded_out: VecDeque::new(),
        }
    }

    fn lane(&mut self, partner: PartnerIndex) -> &mut Lane {
        &mut self.lanes[usize::from(partner.0)]
    }

    /// Questions open at all partners together.
    pub(super) fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// Questions that wait in all lanes together.
    pub(super) fn waiting(&self) -> u32 {
        self.waiting
    }

    /// Questions open at this partner.
    pub(super) fn in_flight_at(&self, partner: PartnerIndex) -> u32 {
        self.lanes[usize::from(partner.0)].in_flight
    }

    /// Some lane waits for one of the places of all.
    pub(super) fn is_crowded(&self) -> bool {
        !self.crowded_out.is_empty()
    }

    /// A call wants to leave; how many are ahead of it.
    pub(super) fn queue(&mut self, partner: PartnerIndex, counter: u64) -> usize {
        let lane = self.lane(partner);
        let is_new = lane.waiting.insert(counter);
        let ahead = lane.waiting.len() - 1;
        self.waiting += u32::from(is_new);
        ahead
    }

    pub(super) fn first_waiting(&self, partner: PartnerIndex) -> Option<u64> {
        self.lanes[usize::from(partner.0)].waiting.first().copied()
    }

    /// A call no longer waits.
    pub(super) fn unqueue(&mut self, partner: PartnerIndex, counter: u64) {
        let was_there = self.lane(partner).waiting.remove(&counter);
        self.waiting -= u32::from(was_there);
    }

    pub(super) fn take_place(&mut self, partner: PartnerIndex) {
        let lane = self.lane(partner);
        lane.in_flight += 1;
        lane.turn = None;
        self.in_flight += 1;
    }

    /// A call is over.
    pub(super) fn release(&mut self, partner: PartnerIndex) {
        let lane = self.lane(partner);
        if lane.in_flight > 0 {
            lane.in_flight -= 1;
            self.in_flight -= 1;
        }
    }

    /// This lane is to be looked at again then. An earlier note is replaced.
    pub(super) fn pace(&mut self, partner: PartnerIndex, at: Timestamp) {
        let next = self.next_pace;
        let lane = self.lane(partner);
        let turn = *lane.turn.get_or_insert(next);
        let before = lane.paced.replace((at, turn));
        self.next_pace += u64::from(turn == next);
        if let Some((before, turn)) = before {
            self.paced.remove(&(before, turn, partner));
        }
        self.paced.insert((at, turn, partner));
    }

    pub(super) fn next_paced(&self) -> Option<Timestamp> {
        self.paced.first().map(|(at, ..)| *at)
    }

    pub(super) fn pop_paced(&mut self, now: Timestamp) -> Option<PartnerIndex> {
        let (at, number, partner) = *self.paced.first()?;
        if at > now {
            return None;
        }
        self.paced.remove(&(at, number, partner));
        self.lane(partner).paced = None;
        Some(partner)
    }

    /// This lane waits for one of the places of all.
    pub(super) fn crowd_out(&mut self, partner: PartnerIndex) {
        let lane = self.lane(partner);
        if !std::mem::replace(&mut lane.is_crowded_out, true) {
            self.crowded_out.push_back(partner);
        }
    }

    pub(super) fn pop_crowded_out(&mut self) -> Option<PartnerIndex> {
        let partner = self.crowded_out.pop_front()?;
        self.lane(partner).is_crowded_out = false;
        Some(partner)
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
        let lane = self.lane(partner);
        let most = HEDGE_PRICE * HEDGES_SAVED_MAX;
        lane.hedge_credit = (lane.hedge_credit + u32::from(permille)).min(most);
    }

    /// Whether a second copy may be sent: there is budget, and the partner is not half full.
    pub(super) fn spend_hedge(&mut self, partner: PartnerIndex, cap: u32) -> bool {
        let lane = self.lane(partner);
        let free = lane.in_flight.saturating_mul(2) <= cap;
        if !free || lane.hedge_credit < HEDGE_PRICE {
            return false;
        }
        lane.hedge_credit -= HEDGE_PRICE;
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
