//! Commands about one key take turns in this process; between processes the records decide.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedMutexGuard;

use crate::calls::Name;

#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<HashMap<Name, Arc<tokio::sync::Mutex<()>>>>);

/// It is ours until it is dropped.
pub(crate) struct Turn<'a> {
    turns: &'a Turns,
    name: Name,
    guard: Option<OwnedMutexGuard<()>>,
}

impl Turns {
    pub(crate) async fn take(&self, name: &Name) -> Turn<'_> {
        let line = Arc::clone(self.lines().entry(name.clone()).or_default());
        let guard = Some(line.lock_owned().await);
        Turn { turns: self, name: name.clone(), guard }
    }

    fn lines(&self) -> MutexGuard<'_, HashMap<Name, Arc<tokio::sync::Mutex<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut lines = self.turns.lines();
        self.guard = None;
        // Nobody else holds it or waits for it.
        if lines.get(&self.name).is_some_and(|line| Arc::strong_count(line) == 1) {
            lines.remove(&self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use schemas::PartnerId;
    use schemas::id::Key;

    use super::*;

    #[tokio::test]
    async fn one_key_is_one_line_and_leaves_nothing_behind() {
        let turns = Turns::default();
        let partner = PartnerId::parse("a").unwrap();
        let [a, b] = ["k1", "k2"].map(|key| Name::order(&partner, &Key::parse(key).unwrap()));
        let first = turns.take(&a).await;
        let _other = turns.take(&b).await;
        let waiting = turns.take(&a);
        tokio::pin!(waiting);
        assert!(futures_util::poll!(&mut waiting).is_pending());
        drop(first);
        drop(waiting.await);
        assert_eq!(turns.lines().len(), 1);
    }
}
