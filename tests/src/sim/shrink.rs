//! Makes a failing run smaller: choices are taken out, set to zero or lowered, as long as the same
//! check is still broken. Zero is the tamest choice, so what is left is what matters.

use std::ops::Range;

use super::choices::{Lane, Script};

/// Runs that one shrinking may take.
pub const SHRINK_RUNS_MAX: usize = 3_000;
/// Lanes that shape the others come first: fewer requests and faults make every later run faster.
const ORDER: [Lane; Lane::COUNT] = [
    Lane::Options,
    Lane::Plan,
    Lane::Crash,
    Lane::Clock,
    Lane::Server,
    Lane::Store,
    Lane::Parties,
    Lane::Network,
    Lane::Buyers,
];

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shrunk {
    pub script: Script,
    /// Runs it took.
    pub runs: usize,
}

/// Shrinks `script`. `still` runs a candidate: if it fails in the same way, it returns the choices
/// the run really made, otherwise nothing.
pub fn shrink(script: Script, still: impl FnMut(&Script) -> Option<Script>) -> Shrunk {
    let mut shrinker = Shrinker { best: script, still, runs: 0 };
    loop {
        let before = size(&shrinker.best);
        for lane in ORDER {
            shrinker.cut_the_tail(lane);
            shrinker.by_chunks(lane, remove);
            shrinker.by_chunks(lane, zero);
            shrinker.lower(lane);
        }
        if size(&shrinker.best) == before || shrinker.is_spent() {
            return Shrunk { script: shrinker.best, runs: shrinker.runs };
        }
    }
}

/// Smaller is simpler: first fewer choices that are not zero, then smaller ones, then fewer.
fn size(script: &Script) -> (usize, u64, usize) {
    let all = || script.lanes.iter().flatten();
    let chosen = all().filter(|choice| **choice != 0).count();
    let sum = all().map(|choice| u64::from(*choice)).sum();
    (chosen, sum, all().count())
}

struct Shrinker<F> {
    best: Script,
    still: F,
    runs: usize,
}

impl<F: FnMut(&Script) -> Option<Script>> Shrinker<F> {
    fn is_spent(&self) -> bool {
        self.runs >= SHRINK_RUNS_MAX
    }

    fn list(&self, lane: Lane) -> &Vec<u32> {
        &self.best.lanes[lane as usize]
    }

    /// Tries a candidate for one lane; true if it is the new best.
    fn attempt(&mut self, lane: Lane, list: Vec<u32>) -> bool {
        if self.is_spent() {
            return false;
        }
        let mut candidate = self.best.clone();
        candidate.lanes[lane as usize] = list;
        if size(&candidate) >= size(&self.best) {
            return false;
        }
        self.runs += 1;
        let Some(made) = (self.still)(&candidate) else { return false };
        // What the run really chose: choices out of range are folded, unused ones are gone. It may
        // also have gone on with zeros.
        self.best = if size(&made) <= size(&candidate) { made } else { candidate };
        true
    }

    /// The shortest beginning that does it, by halves.
    fn cut_the_tail(&mut self, lane: Lane) {
        let mut keep = 0;
        while keep < self.list(lane).len() && !self.is_spent() {
            let list = self.list(lane)[..keep].to_vec();
            if self.attempt(lane, list) {
                return;
            }
            keep += (self.list(lane).len() - keep).div_ceil(2);
        }
    }

    fn by_chunks(&mut self, lane: Lane, change: fn(&[u32], Range<usize>) -> Vec<u32>) {
        let mut chunk = self.list(lane).len().div_ceil(2);
        while chunk > 0 && !self.is_spent() {
            let mut at = 0;
            while at < self.list(lane).len() {
                let before = self.list(lane).len();
                let list = change(self.list(lane), at..(at + chunk).min(before));
                // After a removal, the next chunk stands at the same place.
                if !self.attempt(lane, list) || self.list(lane).len() >= before {
                    at += chunk;
                }
            }
            chunk /= 2;
        }
    }

    fn lower(&mut self, lane: Lane) {
        for at in 0..self.list(lane).len() {
            // The list may have become shorter meanwhile.
            while let Some(choice) = self.list(lane).get(at).copied().filter(|choice| *choice > 1) {
                let mut list = self.list(lane).clone();
                list[at] = choice / 2;
                if self.attempt(lane, list.clone()) {
                    continue;
                }
                list[at] = choice - 1;
                if !self.attempt(lane, list) {
                    break;
                }
            }
        }
    }
}

fn remove(list: &[u32], chunk: Range<usize>) -> Vec<u32> {
    [&list[..chunk.start], &list[chunk.end..]].concat()
}

fn zero(list: &[u32], chunk: Range<usize>) -> Vec<u32> {
    let mut list = list.to_vec();
    list[chunk].fill(0);
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(plan: &[u32], crash: &[u32]) -> Script {
        let mut script = Script::default();
        script.lanes[Lane::Plan as usize] = plan.to_vec();
        script.lanes[Lane::Crash as usize] = crash.to_vec();
        script
    }

    #[test]
    fn only_what_matters_is_left_and_it_is_as_small_as_can_be() {
        let noisy = script(&[9, 8, 700, 3, 3, 3, 1], &[5, 5, 5, 900, 2, 2, 2, 2]);
        // Broken as long as some choice of the plan is above 40 and one of the crashes above 10.
        let still = |candidate: &Script| {
            let has = |lane: Lane, least| candidate.lanes[lane as usize].iter().any(|c| *c > least);
            (has(Lane::Plan, 40) && has(Lane::Crash, 10)).then(|| candidate.clone())
        };
        let shrunk = shrink(noisy, still);
        assert_eq!(shrunk.script, script(&[41], &[11]));
        assert!(shrunk.runs < 200, "{}", shrunk.runs);
    }

    #[test]
    fn what_cannot_be_shrunk_stays() {
        let whole = script(&[1, 1, 1], &[1]);
        let shrunk =
            shrink(whole.clone(), |candidate| (*candidate == whole).then(|| whole.clone()));
        assert_eq!(shrunk.script, whole);
    }

    #[test]
    fn shrinking_ends() {
        let long: Vec<u32> = (1..20_000).collect();
        let mut runs = 0;
        let shrunk = shrink(script(&long, &[]), |candidate| {
            runs += 1;
            let odd = candidate.lanes[Lane::Plan as usize].len() % 2 == 1;
            odd.then(|| candidate.clone())
        });
        assert_eq!(shrunk.runs, runs);
        assert!(runs <= SHRINK_RUNS_MAX);
    }
}
