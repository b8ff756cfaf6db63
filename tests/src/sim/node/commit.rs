//! Writes on their way to the disk: what waits is synced as one group, and a crash in between
//! loses it, or not.

use broker::ingress::give_up;
use broker::store::{Committed, FailedCommit, OutboxProgress, Store, Write};
use broker_core::Batch;
use broker_core::batch::StreamPosition;
use broker_core::effect::{Effect, Outcome};
use broker_core::engine::input::{CommitToken, Input};
use broker_core::engine::ranking::snapshot::{Snapshot, SnapshotNumber};
use schemas::DurationMs;
use schemas::event::{DeadLetter, DeadPayload};

use super::{Died, Node};
use crate::auditor::Trouble;
use crate::sim::fault::Fault;
use crate::sim::jetstream::Delivery;
use crate::sim::scene::{Item, Scene};
use crate::sim::world::human;

/// One sync of a healthy disk.
const SYNC_MS: DurationMs = DurationMs(1);
/// A slow one takes between these, milliseconds.
const SLOW_SYNC_MS: (u32, u32) = (10, 8_000);
/// A commit that takes longer ends the process, as the shipped watchdog does.
const STALL_MS: DurationMs = DurationMs(broker::store::thread::COMMIT_STALL_MS);

/// Names a write.
#[derive(Debug)]
pub(super) enum Tag {
    Batch(CommitToken),
    Letter { delivery: Delivery, position: StreamPosition, letter: Box<DeadLetter> },
    Progress,
    Ranking(SnapshotNumber),
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Writes {
    waiting: Vec<(Tag, Write)>,
    syncing: Vec<(Tag, Write)>,
    /// The sync under way will not come back in time.
    stalls: bool,
}

impl Writes {
    pub(super) fn are_empty(&self) -> bool {
        self.waiting.is_empty() && self.syncing.is_empty()
    }
}

impl Node {
    pub(super) fn write_batch(&mut self, token: CommitToken, batch: Box<Batch>, scene: &mut Scene) {
        self.write(Tag::Batch(token), Write::Request(batch), scene);
    }

    pub(super) fn write_letter(
        &mut self,
        delivery: Delivery,
        position: StreamPosition,
        letter: DeadLetter,
        scene: &mut Scene,
    ) {
        let write = Write::DeadLetter { letter: give_up::row(&letter), source: Some(position) };
        self.write(Tag::Letter { delivery, position, letter: Box::new(letter) }, write, scene);
    }

    pub(super) fn write_progress(&mut self, progress: OutboxProgress, scene: &mut Scene) {
        self.write(Tag::Progress, Write::Outbox(progress), scene);
    }

    pub(super) fn keep_ranking(&mut self, snapshot: Box<Snapshot>, scene: &mut Scene) {
        self.write(Tag::Ranking(snapshot.number), Write::Ranking(snapshot), scene);
    }

    fn write(&mut self, tag: Tag, write: Write, scene: &mut Scene) {
        self.writes.waiting.push((tag, write));
        self.sync(scene);
    }

    /// Starts a sync of everything that waits, unless one is under way.
    fn sync(&mut self, scene: &mut Scene) {
        if !self.writes.syncing.is_empty() || self.writes.waiting.is_empty() {
            return;
        }
        self.writes.syncing = std::mem::take(&mut self.writes.waiting);
        let mut takes = SYNC_MS;
        if scene.luck.strikes(Fault::StoreSlow) {
            takes = scene.luck.within(Fault::StoreSlow, SLOW_SYNC_MS.0, SLOW_SYNC_MS.1);
            scene.luck.disturb(Trouble::Store, scene.now, scene.now.saturating_add(takes));
        }
        self.writes.stalls = takes >= STALL_MS;
        scene.after(takes.min(STALL_MS), Item::Synced(self.id));
    }

    /// The sync has come to its end.
    pub fn synced(&mut self, scene: &mut Scene) -> Result<(), Died> {
        if self.writes.stalls {
            return Err(Died::Store);
        }
        let group = std::mem::take(&mut self.writes.syncing);
        let (tags, writes): (Vec<Tag>, Vec<Write>) = group.into_iter().unzip();
        let mut failure = None;
        if scene.luck.strikes(Fault::CommitFailedLost) {
            failure = Some(FailedCommit::NotDurable);
        } else if scene.luck.strikes(Fault::CommitFailedDurable) {
            failure = Some(FailedCommit::Durable);
        }
        if let Some(how) = failure {
            scene.store.fail_next_commit(how);
        }
        let Ok(answers) = commit(writes, scene) else {
            // Whoever opens it next finds what is there.
            scene.store.crash();
            return Err(Died::Store);
        };
        for (tag, committed) in tags.into_iter().zip(answers) {
            self.may_die(scene)?;
            self.written(tag, committed, scene);
        }
        self.sync(scene);
        self.turn(scene)
    }

    fn written(&mut self, tag: Tag, committed: Committed, scene: &mut Scene) {
        match (tag, committed) {
            (Tag::Batch(token), Committed::Request { outbox, .. }) => {
                self.egress.push(outbox);
                self.inputs.push_back(Input::Committed { token });
            }
            (Tag::Batch(token), Committed::Conflict { .. }) => {
                self.inputs.push_back(Input::Conflicted { token });
            }
            (Tag::Letter { delivery, .. }, Committed::DeadLetter { outbox }) => {
                self.egress.push(outbox);
                scene.done(self.id, delivery);
            }
            (Tag::Letter { delivery, position, mut letter }, Committed::Refused(_)) => {
                letter.payload = DeadPayload::Withheld;
                letter.headers.clear();
                self.write_letter(delivery, position, *letter, scene);
            }
            (Tag::Progress, Committed::Outbox) => self.egress.saved(),
            (Tag::Ranking(number), Committed::Ranking) => {
                self.inputs.push_back(Input::RankingKept(number));
            }
            (tag, other) => panic!("the store refuses what was decided: {tag:?}: {other:?}"),
        }
    }

    /// The process is gone. What was being synced may have reached the disk.
    pub fn die(mut self, scene: &mut Scene) {
        let group = std::mem::take(&mut self.writes.syncing);
        let unsynced = !group.is_empty() || !self.writes.waiting.is_empty();
        if unsynced && scene.luck.strikes(Fault::UnsyncedTailLost) {
            return;
        }
        let writes = group.into_iter().map(|(_, write)| write).collect();
        commit(writes, scene).expect("only an armed failure fails");
    }
}

/// Whoever is told of an order that nobody can look up.
fn call_human(batch: &Batch, scene: &mut Scene) {
    let told = batch
        .outbox
        .iter()
        .any(|row| matches!(&row.effect, Effect::Notify { outcome: Outcome::Incident, .. }));
    let request = batch.request.id();
    if told && human::is_looked_at(request) {
        scene.after(human::LOOKS_FOR_MS, Item::Human(request));
    }
}

fn commit(
    writes: Vec<Write>,
    scene: &mut Scene,
) -> Result<Vec<Committed>, broker::store::StoreError> {
    for write in &writes {
        if let Write::Request(batch) = write {
            scene.luck.coverage.note_batch(batch);
            call_human(batch, scene);
        }
    }
    scene.store.commit(writes)
}
