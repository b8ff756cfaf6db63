//! An operator of the broker: pins and bans stores, and adds some to the directory.

use broker::store::AuditBody;
use broker::store::CommitNumber;
use broker_core::engine::input::Input;
use broker_core::engine::output::Answer;
use broker_core::engine::ranking::{Steer, Word};
use broker_core::partner::{PartnerProfile, Partners};
use schemas::text::Text;
use schemas::{DurationMs, PartnerId, Timestamp};

use super::{Died, Node, Waiter};
use crate::auditor::Trouble;
use crate::sim::choices::Lane;
use crate::sim::scene::{ProcessId, Scene};

/// A word holds between these, milliseconds.
const HOLDS_MS: (u32, u32) = (1, 120_000);

/// The stores that a life of the broker is told of: newcomers are none in its first.
pub(super) fn directory_of(id: ProcessId, all: &Partners, scene: &mut Scene) -> Partners {
    let newcomers = usize::try_from(scene.luck.options.search.newcomers).unwrap_or(0);
    if id.0 > 1 || newcomers == 0 {
        return all.clone();
    }
    scene.luck.disturb(Trouble::Directory, scene.now, Timestamp::MAX);
    // Somebody must be there to buy from.
    let known = all.len().saturating_sub(newcomers).max(1);
    let known: Vec<PartnerProfile> =
        all.iter().take(known).map(|(_, profile)| profile.clone()).collect();
    Partners::new(known, all.version())
}

/// Whoever is told that a word is kept finds it in the audit log.
pub(super) fn told_operator(word: &Word, answer: &Answer, scene: &mut Scene) {
    let kept = match answer {
        Answer::Taken => true,
        Answer::Rejected { reason, .. } => {
            scene.luck.coverage.note_reason(*reason);
            false
        }
        Answer::Accepted { .. } | Answer::Ranking(_) | Answer::Sweeps(_) => {
            unreachable!("no answer to a word")
        }
    };
    if !kept {
        return;
    }
    let mut after = CommitNumber(0);
    loop {
        let page = scene.reader.audit_after(after, PAGE).expect("the twin can always be read");
        let Some(last) = page.last() else { break };
        after = last.commit;
        if page.iter().any(|record| record.body == AuditBody::Steered(word.clone())) {
            return;
        }
    }
    panic!("an operator was told that this is kept, and it is not in the audit log: {word:?}");
}

/// Records read at once.
const PAGE: usize = 512;

impl Node {
    /// The operator says something about some store.
    pub fn steered(&mut self, scene: &mut Scene) -> Result<(), Died> {
        let stores: Vec<PartnerId> =
            self.decoder.partners.iter().map(|(_, profile)| profile.id.clone()).collect();
        let choices = &mut scene.luck.choices;
        let partner = choices.pick(Lane::Options, &stores).clone();
        let steer = *choices.pick(Lane::Options, &[None, Some(Steer::Pin), Some(Steer::Ban)]);
        let holds = choices.within(Lane::Options, HOLDS_MS.0, HOLDS_MS.1);
        let said_at = self.clock.now();
        let until = said_at.saturating_add(DurationMs(u64::from(holds)));
        scene.luck.disturb(Trouble::Directory, scene.now, until);
        let text = "chance wants it";
        let word = Word {
            partner,
            steer,
            until,
            said_at,
            by: Text::parse("operator").expect("a short word"),
            why: Text::parse(text).expect("a short word"),
        };
        let origin = self.origin(Waiter::Operator(Box::new(word.clone())));
        self.inputs.push_back(Input::Steer { origin, word: Box::new(word) });
        self.turn(scene)
    }
}
