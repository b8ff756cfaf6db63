//! Every decision of a run that chance takes. Recorded, so that a run can be replayed, shrunk, and
//! driven by a fuzzer's bytes.
//!
//! Zero is always the tamest choice: no fault, the shortest list, the smallest number. A list that
//! is too short is continued with zeros. So whatever shrinking removes makes the run calmer.
//!
//! Choices of different kinds live in different lanes: taking one out of one lane does not shift
//! the others.

use std::cell::RefCell;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What a choice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Lane {
    /// Which faults there are in this run, and how often.
    Options,
    /// What customers want and when.
    Plan,
    /// What customers do in answer to what they see.
    Buyers,
    /// Loss, delay, doubling and order of messages on the way.
    Network,
    /// Misbehaviour of the JetStream server.
    Server,
    /// Misbehaviour of the store.
    Store,
    /// Crashes and pauses of processes.
    Crash,
    /// Clocks.
    Clock,
    /// Bookstores and provider.
    Parties,
}

impl Lane {
    pub const ALL: [Self; 9] = [
        Self::Options,
        Self::Plan,
        Self::Buyers,
        Self::Network,
        Self::Server,
        Self::Store,
        Self::Crash,
        Self::Clock,
        Self::Parties,
    ];
    pub const COUNT: usize = Self::ALL.len();
}

/// The choices a run made, one list for each lane.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Script {
    pub lanes: [Vec<u32>; Lane::COUNT],
}

/// Choices a run may make; more of them are all zero, so that a run driven by a fuzzer ends.
pub const CHOICES_PER_LANE_MAX: usize = 1 << 20;

#[derive(Debug)]
enum Source {
    Seeded(Box<[ChaCha8Rng; Lane::COUNT]>),
    Script(Box<Script>),
}

/// See the module.
#[derive(Debug)]
pub struct Choices {
    source: Source,
    made: Script,
}

impl Choices {
    pub fn from_seed(seed: u64) -> Self {
        let lanes = Lane::ALL.map(|lane| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(lane as u64);
            rng
        });
        Self { source: Source::Seeded(Box::new(lanes)), made: Script::default() }
    }

    pub fn from_script(script: Script) -> Self {
        Self { source: Source::Script(Box::new(script)), made: Script::default() }
    }

    /// Bytes are dealt to the lanes in turn, four to a choice.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut script = Script::default();
        for (n, chunk) in bytes.chunks(4).enumerate() {
            let mut word = [0; 4];
            word[..chunk.len()].copy_from_slice(chunk);
            script.lanes[n % Lane::COUNT].push(u32::from_le_bytes(word));
        }
        Self::from_script(script)
    }

    /// What was chosen so far.
    pub fn made(&self) -> &Script {
        &self.made
    }

    pub fn into_made(mut self) -> Script {
        std::mem::take(&mut self.made)
    }

    /// A number in `0..bound`; 0 when `bound` is 0 or 1 (and then nothing is drawn).
    pub fn below(&mut self, lane: Lane, bound: u32) -> u32 {
        if bound <= 1 {
            return 0;
        }
        let drawn = self.next(lane) % bound;
        self.made.lanes[lane as usize].push(drawn);
        drawn
    }

    /// A number in `low..=high`, `low` being the tamest.
    pub fn within(&mut self, lane: Lane, low: u32, high: u32) -> u32 {
        low + self.below(lane, high.saturating_sub(low) + 1)
    }

    /// Whether something happens that happens `permille` times in a thousand. Nothing is drawn for
    /// what never happens.
    pub fn strikes(&mut self, lane: Lane, permille: u32) -> bool {
        permille > 0 && self.below(lane, 1000) >= 1000_u32.saturating_sub(permille)
    }

    /// One of `items`, the first being the tamest.
    ///
    /// # Panics
    /// When there are none.
    pub fn pick<'a, T>(&mut self, lane: Lane, items: &'a [T]) -> &'a T {
        let len = u32::try_from(items.len()).expect("lists of choices are short");
        &items[self.below(lane, len) as usize]
    }

    fn next(&mut self, lane: Lane) -> u32 {
        let at = self.made.lanes[lane as usize].len();
        if at >= CHOICES_PER_LANE_MAX {
            return 0;
        }
        match &mut self.source {
            Source::Seeded(lanes) => lanes[lane as usize].next_u32(),
            Source::Script(script) => script.lanes[lane as usize].get(at).copied().unwrap_or(0),
        }
    }
}

thread_local! {
    static LEFT: RefCell<Script> = RefCell::new(Script::default());
}

/// A run that panics leaves its choices to whoever catches it.
impl Drop for Choices {
    fn drop(&mut self) {
        if std::thread::panicking() {
            LEFT.set(std::mem::take(&mut self.made));
        }
    }
}

/// The choices of the run that panicked last in this thread.
pub fn left_by_a_panic() -> Script {
    LEFT.take()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_run_makes_the_same_choices_again() {
        let draw = |choices: &mut Choices| -> Vec<u32> {
            (0..50).map(|n| choices.below(Lane::ALL[n % Lane::COUNT], 1000)).collect()
        };
        let mut seeded = Choices::from_seed(7);
        let first = draw(&mut seeded);
        let mut replayed = Choices::from_script(seeded.into_made());
        assert_eq!(draw(&mut replayed), first);
    }

    #[test]
    fn nothing_strikes_once_the_list_is_used_up() {
        let mut choices = Choices::from_script(Script::default());
        assert!(!choices.strikes(Lane::Network, 999));
        assert!(choices.strikes(Lane::Network, 1000));
        assert_eq!(choices.within(Lane::Plan, 3, 9), 3);
    }

    #[test]
    fn lanes_do_not_shift_each_other() {
        let mut one = Choices::from_seed(7);
        let mut other = Choices::from_seed(7);
        other.below(Lane::Crash, 1000);
        assert_eq!(one.below(Lane::Plan, 1 << 30), other.below(Lane::Plan, 1 << 30));
    }
}
