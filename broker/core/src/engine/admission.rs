//! The queue of creates that wait to be let in. Nobody has been promised anything yet: who is
//! turned away here is told so, with when to try again, before the request exists.
//!
//! Three classes share what there is: each has a guaranteed share, and what one does not use the
//! others may. Within a class the nearest deadline goes first; who could not wait any longer goes
//! before everybody, whatever its class. Nobody waits longer than a quarter of the time that its
//! request has: a sweep that starts too late is worth nothing (CoDel's insight: judge a queue by
//! how long one stays in it, not by how long it is).

use std::collections::{BTreeMap, BTreeSet};

use schemas::{DurationMs, RequestId, Timestamp};

/// Which customers go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Class {
    Gold,
    Silver,
    #[default]
    Free,
}

impl Class {
    pub const ALL: [Self; 3] = [Self::Gold, Self::Silver, Self::Free];

    pub const fn label(self) -> &'static str {
        match self {
            Self::Gold => "gold",
            Self::Silver => "silver",
            Self::Free => "free",
        }
    }
}

/// What happens to who comes when the queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum WhenFull {
    /// Whoever has the worst place, newcomer or not, is turned away.
    Drop,
    /// It waits all the same, as long as its patience lasts.
    Delay,
    /// It is turned away and told when to try again.
    #[default]
    Retry,
}

/// The rules of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdmissionPolicy {
    pub waiting_max: usize,
    pub when_full: WhenFull,
    /// Guaranteed shares, in the order of [`Class::ALL`]; only their proportion counts.
    pub shares: [u32; 3],
    /// The longest that anybody waits: this share of the time it has, thousandths …
    pub patience_permille: u16,
    /// … and never longer than this.
    pub patience_max: DurationMs,
    /// Who has no more time than this until its deadline cannot wait for its turn.
    pub urgent: DurationMs,
}

/// Somebody who waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    pub request: RequestId,
    pub class: Class,
    pub deadline: Timestamp,
    pub came: Timestamp,
}

impl Ticket {
    /// It waits until then.
    pub fn patience_ends(&self, policy: &AdmissionPolicy) -> Timestamp {
        let has = u128::from(self.deadline.since(self.came).as_ms());
        let share = has * u128::from(policy.patience_permille) / 1000;
        let share = u64::try_from(share).unwrap_or(u64::MAX).min(policy.patience_max.as_ms());
        self.came.saturating_add(DurationMs(share))
    }
}

/// What came of a newcomer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joined {
    Waits,
    /// It waits, and this one was turned away for it.
    InsteadOf(RequestId),
    TurnedAway,
}

/// Its place: nearest deadline first, then who came first.
type Place = (Timestamp, u64);

/// See the module.
#[derive(Debug, Default)]
pub struct Admission {
    lines: [BTreeMap<Place, Ticket>; 3],
    /// When patience ends, and whose.
    leaving: BTreeSet<(Timestamp, Place, Class)>,
    /// How much each class has had, in units in which shares are equal.
    served: [u64; 3],
    next: u64,
}

/// What one admission costs a class whose share is everything.
const COST: u64 = 1_000_000;

impl Admission {
    pub fn len(&self) -> usize {
        self.leaving.len()
    }

    pub fn is_empty(&self) -> bool {
        self.leaving.is_empty()
    }

    /// Somebody wants to wait.
    pub fn join(&mut self, ticket: Ticket, policy: &AdmissionPolicy) -> Joined {
        let full = self.len() >= policy.waiting_max;
        match policy.when_full {
            WhenFull::Retry if full => Joined::TurnedAway,
            WhenFull::Drop if full => {
                let place = self.add(ticket, policy);
                let (class, worst) = self.worst(policy).expect("somebody has just joined");
                let gone = self.remove(class, worst, policy).expect("it has just been found");
                match worst == place {
                    true => Joined::TurnedAway,
                    false => Joined::InsteadOf(gone.request),
                }
            }
            WhenFull::Retry | WhenFull::Drop | WhenFull::Delay => {
                self.add(ticket, policy);
                Joined::Waits
            }
        }
    }

    /// Whose turn it is.
    pub fn next(&mut self, policy: &AdmissionPolicy, now: Timestamp) -> Option<Ticket> {
        let (class, place) = self.urgent(policy, now).or_else(|| self.fair())?;
        let ticket = self.remove(class, place, policy)?;
        self.served[class as usize] =
            self.served[class as usize].saturating_add(price(class, policy));
        Some(ticket)
    }

    /// Somebody whose patience has ended.
    pub fn give_up(&mut self, policy: &AdmissionPolicy, now: Timestamp) -> Option<Ticket> {
        let (at, place, class) = *self.leaving.first()?;
        if at > now {
            return None;
        }
        self.remove(class, place, policy)
    }

    /// When the next one's patience ends.
    pub fn next_give_up(&self) -> Option<Timestamp> {
        self.leaving.first().map(|(at, ..)| *at)
    }

    /// How full it is, thousandths.
    pub fn full_permille(&self, policy: &AdmissionPolicy) -> u16 {
        let full = self.len().saturating_mul(1000) / policy.waiting_max.max(1);
        u16::try_from(full).unwrap_or(1000).min(1000)
    }

    /// How much of the longest wait whoever gives up next has behind it, thousandths. A short
    /// patience of its own is no pressure.
    pub fn worn_permille(&self, policy: &AdmissionPolicy, now: Timestamp) -> u16 {
        let Some((_, place, class)) = self.leaving.first() else { return 0 };
        let Some(ticket) = self.lines[*class as usize].get(place) else { return 0 };
        let whole = u128::from(policy.patience_max.as_ms().max(1));
        let worn = u128::from(now.since(ticket.came).as_ms()) * 1000 / whole;
        u16::try_from(worn).unwrap_or(1000).min(1000)
    }

    fn add(&mut self, ticket: Ticket, policy: &AdmissionPolicy) -> Place {
        let place = (ticket.deadline, self.next);
        self.next += 1;
        let class = ticket.class as usize;
        if self.lines[class].is_empty() {
            // Who was away has not saved anything up.
            let others = self.lines.iter().zip(&self.served);
            let least = others.filter(|(line, _)| !line.is_empty()).map(|(_, had)| *had).min();
            let least = least.or_else(|| self.served.iter().max().copied()).unwrap_or(0);
            self.served[class] = self.served[class].max(least);
        }
        self.leaving.insert((ticket.patience_ends(policy), place, ticket.class));
        self.lines[class].insert(place, ticket);
        place
    }

    fn remove(&mut self, class: Class, place: Place, policy: &AdmissionPolicy) -> Option<Ticket> {
        let ticket = self.lines[class as usize].remove(&place)?;
        self.leaving.remove(&(ticket.patience_ends(policy), place, class));
        Some(ticket)
    }

    /// The nearest deadline of all, if it cannot wait.
    fn urgent(&self, policy: &AdmissionPolicy, now: Timestamp) -> Option<(Class, Place)> {
        let firsts = Class::ALL.into_iter().filter_map(|class| {
            let (place, _) = self.lines[class as usize].first_key_value()?;
            Some((*place, class))
        });
        let (place, class) = firsts.min()?;
        (place.0 <= now.saturating_add(policy.urgent)).then_some((class, place))
    }

    /// The first of the class that has had least of its share.
    fn fair(&self) -> Option<(Class, Place)> {
        let waiting = Class::ALL.into_iter().filter_map(|class| {
            let (place, _) = self.lines[class as usize].first_key_value()?;
            Some((self.served[class as usize], class, *place))
        });
        waiting.min().map(|(_, class, place)| (class, place))
    }

    /// The last of the class that waits in the greatest number for its share.
    fn worst(&self, policy: &AdmissionPolicy) -> Option<(Class, Place)> {
        let waiting = Class::ALL.into_iter().filter_map(|class| {
            let line = &self.lines[class as usize];
            let (place, _) = line.last_key_value()?;
            let length = u64::try_from(line.len()).unwrap_or(u64::MAX);
            Some((length.saturating_mul(price(class, policy)), class, *place))
        });
        waiting.max().map(|(_, class, place)| (class, place))
    }
}

fn price(class: Class, policy: &AdmissionPolicy) -> u64 {
    let all: u64 = policy.shares.iter().copied().map(u64::from).sum();
    COST.saturating_mul(all.max(1)) / u64::from(policy.shares[class as usize].max(1))
}
