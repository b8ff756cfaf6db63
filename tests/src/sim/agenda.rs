//! What is going to happen, by virtual time; what was put in first comes first at one instant.

use std::collections::BTreeMap;

use schemas::Timestamp;

/// See the module.
#[derive(Debug)]
pub struct Agenda<T> {
    items: BTreeMap<(Timestamp, u64), T>,
    order: u64,
}

impl<T> Default for Agenda<T> {
    fn default() -> Self {
        Self { items: BTreeMap::new(), order: 0 }
    }
}

impl<T> Agenda<T> {
    pub fn push(&mut self, at: Timestamp, item: T) {
        self.order += 1;
        self.items.insert((at, self.order), item);
    }

    pub fn pop(&mut self) -> Option<(Timestamp, T)> {
        self.items.pop_first().map(|((at, _), item)| (at, item))
    }

    pub fn next_at(&self) -> Option<Timestamp> {
        self.items.first_key_value().map(|((at, _), _)| *at)
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn earlier_comes_first_and_at_one_instant_what_was_put_in_first() {
        let mut agenda = Agenda::default();
        for (at, item) in [(2, 'c'), (1, 'a'), (2, 'd'), (1, 'b')] {
            agenda.push(Timestamp::from_unix_ms(at), item);
        }
        let order: String = std::iter::from_fn(|| agenda.pop()).map(|(_, item)| item).collect();
        assert_eq!(order, "abcd");
    }
}
