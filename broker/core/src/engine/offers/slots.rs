//! Who is buying which copies right now. A purchase takes a slot of its store, book and condition
//! before it starts, and gives it back once the store has said whether it holds the copies. So no
//! more purchases run than there are copies known, and whoever came first gets the last one.
//!
//! Soft state, taken up again from the requests themselves after a crash: that no copy is sold
//! twice is the store's to see to; slots keep requests from being refused by it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use schemas::{Condition, Isbn13, RequestId};

use crate::partner::PartnerIndex;

/// Purchases at once where there are plenty of copies.
const PARALLEL_MAX: usize = 16;
/// With no more copies than this, purchases go one after another.
const SERIAL_BELOW: u32 = 10;

/// Waiting is worth while with fewer than so many before oneself per copy: not everybody takes one.
const HOPE: usize = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::engine) struct SlotKey {
    pub(in crate::engine) partner: PartnerIndex,
    pub(in crate::engine) isbn: Isbn13,
    pub(in crate::engine) condition: Condition,
}

/// How many copies there are, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) struct Supply {
    pub(in crate::engine) copies: u32,
    /// The figure may be wrong any moment: purchases go one after another whatever it says.
    pub(in crate::engine) volatile: bool,
}

#[derive(Debug, Default)]
pub(in crate::engine) struct Slots {
    slots: BTreeMap<SlotKey, Slot>,
    /// Looked up by request, never iterated: order must not depend on a hasher.
    holds: HashMap<RequestId, SlotKey>,
    waits: HashMap<RequestId, (SlotKey, Ticket)>,
    next_ticket: u64,
    /// Slots in which something has changed for those who wait.
    freed: BTreeSet<SlotKey>,
}

/// A place in line: who has the lower one came first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Ticket(u64);

#[derive(Debug, Default)]
struct Slot {
    holders: Vec<(RequestId, u8)>,
    queue: BTreeMap<Ticket, RequestId>,
}

impl Supply {
    fn parallel(self) -> usize {
        if self.volatile || self.copies <= SERIAL_BELOW {
            return 1;
        }
        usize::try_from(self.copies).unwrap_or(PARALLEL_MAX).min(PARALLEL_MAX)
    }
}

impl Slot {
    fn has_room(&self, copies: u8, supply: Supply) -> bool {
        let held: u32 = self.holders.iter().map(|(_, copies)| u32::from(*copies)).sum();
        self.holders.len() < supply.parallel()
            && held.saturating_add(copies.into()) <= supply.copies
    }
}

impl Slots {
    /// Whether a purchase may start now. Those who came before and still wait go first.
    pub(in crate::engine) fn is_free(
        &self,
        request: RequestId,
        key: SlotKey,
        copies: u8,
        supply: Supply,
    ) -> bool {
        let Some(slot) = self.slots.get(&key) else { return u32::from(copies) <= supply.copies };
        let first = slot.queue.values().next().is_none_or(|first| *first == request);
        first && slot.has_room(copies, supply)
    }

    /// Whether so few are before this request that some may well leave it a copy.
    pub(in crate::engine) fn has_hope(
        &self,
        request: RequestId,
        key: SlotKey,
        supply: Supply,
    ) -> bool {
        let Some(slot) = self.slots.get(&key) else { return true };
        let most = usize::try_from(supply.copies).unwrap_or(usize::MAX).saturating_mul(HOPE);
        let place = self.waits.get(&request).filter(|(at, _)| *at == key);
        let before = match place {
            Some((_, ticket)) => slot.queue.range(..ticket).take(most).count(),
            None => slot.queue.len(),
        };
        slot.holders.len() + before < most
    }

    /// Takes a slot, also where none is free: what is under way already is under way.
    pub(in crate::engine) fn hold(&mut self, request: RequestId, key: SlotKey, copies: u8) {
        if self.holds.get(&request) == Some(&key) {
            return;
        }
        self.release(request);
        self.stop_waiting(request);
        self.holds.insert(request, key);
        self.slots.entry(key).or_default().holders.push((request, copies));
    }

    /// Gives back what the request holds.
    pub(in crate::engine) fn release(&mut self, request: RequestId) -> Option<SlotKey> {
        let key = self.holds.remove(&request)?;
        if let Some(slot) = self.slots.get_mut(&key) {
            slot.holders.retain(|(holder, _)| *holder != request);
        }
        self.tidy(key);
        Some(key)
    }

    /// Waits in line for a slot, keeping its place if it does already; whether it is new there.
    pub(in crate::engine) fn wait(&mut self, request: RequestId, key: SlotKey) -> bool {
        if self.waits.get(&request).is_some_and(|(at, _)| *at == key) {
            return false;
        }
        self.stop_waiting(request);
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        self.waits.insert(request, (key, ticket));
        self.slots.entry(key).or_default().queue.insert(ticket, request);
        true
    }

    pub(in crate::engine) fn stop_waiting(&mut self, request: RequestId) {
        let Some((key, ticket)) = self.waits.remove(&request) else { return };
        if let Some(slot) = self.slots.get_mut(&key) {
            slot.queue.remove(&ticket);
        }
        self.tidy(key);
    }

    fn tidy(&mut self, key: SlotKey) {
        let Some(slot) = self.slots.get(&key) else { return };
        match (slot.queue.is_empty(), slot.holders.is_empty()) {
            (true, true) => {
                self.slots.remove(&key);
            }
            (true, false) => {}
            (false, _) => {
                self.freed.insert(key);
            }
        }
    }

    /// A slot in which those who wait should look again.
    pub(in crate::engine) fn pop_freed(&mut self) -> Option<SlotKey> {
        self.freed.pop_first()
    }

    pub(in crate::engine) fn any_freed(&self) -> bool {
        !self.freed.is_empty()
    }

    /// Who waits there, first come first.
    pub(in crate::engine) fn waiting(&self, key: SlotKey) -> Option<RequestId> {
        self.slots.get(&key)?.queue.values().next().copied()
    }

    pub(in crate::engine) fn holds(&self, request: RequestId) -> Option<SlotKey> {
        self.holds.get(&request).copied()
    }
}
