//! How many calls are worked on at once.

use std::sync::Arc;

use schemas::subject::PurchaseOperation;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Of all places, those that creates never take: one of so many. A create may wait for seconds to
/// be let in; who wants to cancel or accept meanwhile must not be sent away for that.
const KEPT_FREE_OF_CREATES: usize = 4;

/// Places for calls.
#[derive(Debug, Clone)]
pub struct Room {
    all: Arc<Semaphore>,
    /// Creates take one of these as well.
    creates: Arc<Semaphore>,
}

/// One call's place, until it is dropped.
#[derive(Debug)]
pub struct Place {
    _of_all: OwnedSemaphorePermit,
    _of_creates: Option<OwnedSemaphorePermit>,
}

impl Room {
    /// For so many calls. With one place only it is everybody's.
    pub fn new(in_flight_max: usize) -> Self {
        let kept = in_flight_max.div_ceil(KEPT_FREE_OF_CREATES);
        let semaphore =
            |places: usize| Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS)));
        Self { all: semaphore(in_flight_max), creates: semaphore((in_flight_max - kept).max(1)) }
    }

    /// A place for a call, if there is one.
    pub fn take(&self, operation: PurchaseOperation) -> Option<Place> {
        let place = |of: &Arc<Semaphore>| Arc::clone(of).try_acquire_owned().ok();
        let of_creates = match operation {
            PurchaseOperation::Create => Some(place(&self.creates)?),
            PurchaseOperation::Get
            | PurchaseOperation::List
            | PurchaseOperation::Receipt
            | PurchaseOperation::Update
            | PurchaseOperation::Cancel
            | PurchaseOperation::AcceptQuote => None,
        };
        Some(Place { _of_all: place(&self.all)?, _of_creates: of_creates })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes(room: &Room, operation: PurchaseOperation) -> Vec<Place> {
        std::iter::from_fn(|| room.take(operation)).collect()
    }

    #[test]
    fn creates_that_wait_leave_places_for_every_other_call() {
        let room = Room::new(1024);
        let creates = takes(&room, PurchaseOperation::Create);
        assert_eq!(creates.len(), 768);
        let others = PurchaseOperation::ALL.into_iter().filter(|o| *o != PurchaseOperation::Create);
        for operation in others {
            assert!(room.take(operation).is_some(), "{}", operation.label());
        }
        assert_eq!(takes(&room, PurchaseOperation::Cancel).len(), 256);
    }

    #[test]
    fn all_calls_together_have_as_many_places_as_was_said() {
        let room = Room::new(8);
        let gets = takes(&room, PurchaseOperation::Get);
        assert_eq!(gets.len(), 8);
        assert!(room.take(PurchaseOperation::Create).is_none());
        drop(gets);
        assert_eq!(takes(&room, PurchaseOperation::Create).len(), 6, "each place came back");
    }

    #[test]
    fn in_the_smallest_room_requests_can_still_be_created() {
        for places in 1..=3 {
            let room = Room::new(places);
            assert!(room.take(PurchaseOperation::Create).is_some(), "of {places}");
        }
    }
}
