//! What a search shared with others, appended to its account: which answers no question of its own
//! had asked for, and whom it left its copies to. Where there is nothing of the kind, nothing is
//! written.

use broker_core::receipt::search::{Search, Source};
use schemas::{DurationMs, PartnerId};
use serde::{Deserialize, Serialize};

use super::DiskError;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskSharing<'a> {
    sources: Vec<DiskSourceOf>,
    #[serde(borrow)]
    passed_over: Vec<&'a str>,
}

/// The source of one answer: which round, and which of those asked in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskSourceOf {
    round: u16,
    asked: u16,
    source: DiskSource,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DiskSource {
    Shared,
    Remembered { age_ms: u64 },
}

impl<'a> DiskSharing<'a> {
    pub(super) fn new(search: &'a Search) -> Self {
        let mut sources = Vec::new();
        for (number, round) in (0..).zip(&search.rounds) {
            for (place, asked) in (0..).zip(&round.asked) {
                let source = match asked.source {
                    Source::Asked => continue,
                    Source::Shared => DiskSource::Shared,
                    Source::Remembered { age } => DiskSource::Remembered { age_ms: age.as_ms() },
                };
                sources.push(DiskSourceOf { round: number, asked: place, source });
            }
        }
        let passed_over: Vec<_> = search.passed_over.iter().map(PartnerId::as_str).collect();
        Self { sources, passed_over }
    }

    /// It shared nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.sources.is_empty() && self.passed_over.is_empty()
    }

    /// Puts it back into the account it was taken from.
    pub(super) fn restore(self, search: &mut Search) -> Result<(), DiskError> {
        for of in self.sources {
            let round = search.rounds.get_mut(usize::from(of.round));
            let asked = round.and_then(|round| round.asked.get_mut(usize::from(of.asked)));
            let missing = || DiskError::new("sharing", "the source of an answer that is not there");
            asked.ok_or_else(missing)?.source = match of.source {
                DiskSource::Shared => Source::Shared,
                DiskSource::Remembered { age_ms } => Source::Remembered { age: DurationMs(age_ms) },
            };
        }
        let named = |name| PartnerId::parse(name).map_err(|e| DiskError::new("sharing", e));
        search.passed_over = self.passed_over.into_iter().map(named).collect::<Result<_, _>>()?;
        Ok(())
    }
}
