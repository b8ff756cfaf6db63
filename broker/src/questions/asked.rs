//! Which questions a partner was sent last. The server's "nobody listens" names only the partner,
//! so the oldest recent message is taken to be the one that reached nobody; being wrong costs a
//! question its retry.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use broker_core::partner::PartnerIndex;
use schemas::id::CallId;

/// The server answers within milliseconds; what is older was delivered.
const RECENT: Duration = Duration::from_millis(500);
/// Messages remembered per partner.
const MESSAGES_PER_PARTNER_MAX: usize = 64;

/// Calls of the last messages to one partner, oldest first, and when each left.
type Sent = VecDeque<(Instant, Vec<CallId>)>;

/// Shared by the task that sends and the one that listens.
#[derive(Debug)]
pub struct Asked {
    partners: Vec<Mutex<Sent>>,
}

impl Asked {
    pub fn new(partners: usize) -> Self {
        Self { partners: (0..partners).map(|_| Mutex::default()).collect() }
    }

    /// A message with these calls is about to leave.
    pub fn note(&self, partner: PartnerIndex, calls: Vec<CallId>, now: Instant) {
        let Some(queue) = self.partners.get(usize::from(partner.0)) else { return };
        let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
        forget_old(&mut queue, now);
        if queue.len() == MESSAGES_PER_PARTNER_MAX {
            queue.pop_front();
        }
        queue.push_back((now, calls));
    }

    /// The server says that a message to this partner reached nobody.
    pub fn unheard(&self, partner: PartnerIndex, now: Instant) -> Vec<CallId> {
        let Some(queue) = self.partners.get(usize::from(partner.0)) else { return Vec::new() };
        let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
        forget_old(&mut queue, now);
        queue.pop_front().map(|(_, calls)| calls).unwrap_or_default()
    }
}

fn forget_old(queue: &mut Sent, now: Instant) {
    while queue.front().is_some_and(|(at, _)| now.duration_since(*at) > RECENT) {
        queue.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACME: PartnerIndex = PartnerIndex(0);

    #[test]
    fn messages_that_reached_nobody_are_told_in_the_order_they_were_sent() {
        let (asked, now) = (Asked::new(1), Instant::now());
        asked.note(ACME, vec![call(1), call(2)], now);
        asked.note(ACME, vec![call(3)], now);
        assert_eq!(asked.unheard(ACME, now), [call(1), call(2)]);
        assert_eq!(asked.unheard(ACME, now), [call(3)]);
        assert_eq!(asked.unheard(ACME, now), []);
    }

    #[test]
    fn what_was_sent_long_ago_was_heard() {
        let (asked, now) = (Asked::new(1), Instant::now());
        asked.note(ACME, vec![call(1)], now);
        let later = now + RECENT + Duration::from_millis(1);
        asked.note(ACME, vec![call(2)], later);
        assert_eq!(asked.unheard(ACME, later), [call(2)]);
    }

    #[test]
    fn memory_per_partner_is_bounded() {
        let (asked, now) = (Asked::new(1), Instant::now());
        let messages = MESSAGES_PER_PARTNER_MAX as u64 + 1;
        for n in 0..messages {
            asked.note(ACME, vec![call(n)], now);
        }
        assert_eq!(asked.unheard(ACME, now), [call(1)]);
    }

    fn call(counter: u64) -> CallId {
        CallId { epoch: 1, counter }
    }
}
