//! What the runs reached, counted: rows of the tables, events, states, effects, reject reasons,
//! faults, outcomes, and what the auditor's checks looked at. Two things follow from it: a hunt
//! that never reached something says so and fails, and the numbers are what "tested" means.

mod groups;

use std::fmt;

use broker_core::batch::{Batch, Change};
use broker_core::effect::Effect;
use broker_core::engine::output::Fact;
use broker_core::request::{PurchaseRequest, Status, Step};
use partner_sim::World;
use schemas::RejectReason;
use schemas::purchase::PurchaseStatus;

use super::fault::Fault;
use crate::auditor::Verdict;

pub use groups::{Group, OUT_OF_REACH, OutOfReach};

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    counts: [Vec<u64>; Group::COUNT],
    /// What the auditor's checks examined, in its order.
    checks: Vec<(&'static str, u64)>,
}

impl Default for Coverage {
    fn default() -> Self {
        Self { counts: Group::ALL.map(|group| vec![0; group.labels().len()]), checks: Vec::new() }
    }
}

impl Coverage {
    /// A fault of the simulated world struck.
    pub fn note_fault(&mut self, fault: Fault) {
        self.add(Group::Fault, fault as usize, 1);
    }

    /// A fault of the bookstores or the provider struck.
    pub fn note_party_fault(&mut self, fault: partner_sim::fault::Fault, times: u64) {
        let index = partner_sim::fault::Fault::ALL.iter().position(|known| *known == fault);
        self.add(Group::PartyFault, index.expect("every fault is listed"), times);
    }

    /// Everything that struck the customers of one life of the bookstores' process.
    pub fn note_parties(&mut self, world: &World) {
        let struck = world.partners.values().map(|partner| partner.faults_struck());
        for faults in struck.chain([world.provider.faults_struck()]) {
            for (fault, times) in faults {
                self.note_party_fault(*fault, *times);
            }
        }
    }

    /// What the engine says it did.
    pub fn note_fact(&mut self, fact: &Fact) {
        let label = match fact {
            Fact::Transition { rows, to, .. } => {
                for row in rows {
                    self.add(Group::Row, *row as usize, 1);
                }
                return self.add(Group::Status, *to as usize, 1);
            }
            Fact::Refused { reason, .. } => return self.note_reason(*reason),
            Fact::StrayAnswer { reason, .. } => {
                self.note_reason(*reason);
                "stray_answer"
            }
            Fact::SweepStarted { .. } => "sweep_started",
            Fact::RoundOpened { why, .. } => {
                return self.add(Group::Round, *why as usize, 1);
            }
            Fact::SweepClosed { why, .. } => {
                self.add(Group::Ending, *why as usize, 1);
                "sweep_closed"
            }
            Fact::QuestionShared { .. } => "question_shared",
            Fact::AnswerRemembered { .. } => "answer_remembered",
            Fact::WaitsForCopies { .. } => "waits_for_copies",
            Fact::Hedged { .. } => "hedged",
            Fact::Demoted { .. } => "demoted",
            Fact::Quote { outcome, .. } => groups::call_label(*outcome),
            Fact::LateQuote => "late_quote",
            Fact::DuplicateQuote => "duplicate_quote",
            Fact::InvalidQuote { .. } => "invalid_quote",
            Fact::CommitConflict { .. } => "commit_conflict",
            // Its rows are counted with the transition.
            Fact::Hold { .. } => return,
            Fact::Waits { .. }
            | Fact::LetIn { .. }
            | Fact::Rung(_)
            | Fact::LeftOut { .. }
            | Fact::RetryDenied { .. }
            | Fact::SearchPostponed { .. }
            | Fact::Breaker { .. }
            | Fact::RepeatPutOff { .. } => {
                return self.named(Group::Load, groups::load_label(fact));
            }
        };
        self.named(Group::Search, label);
    }

    /// A commit that became durable: its events, its effects, the state it leads to.
    pub fn note_batch(&mut self, batch: &Batch) {
        for row in &batch.audit {
            match &row.change {
                Change::Created => {
                    self.add(Group::Status, PurchaseStatus::Pending as usize, 1);
                    self.named(Group::Event, "created");
                }
                Change::Applied(event) | Change::AppliedInDoubt(event) => {
                    self.named(Group::Event, groups::event_label(event))
                }
            }
        }
        for row in &batch.outbox {
            match &row.effect {
                Effect::Partner { command, .. } => {
                    self.named(Group::Command, groups::partner_label(command));
                }
                Effect::Payment { command, .. } => {
                    self.named(Group::Command, groups::payment_label(command));
                }
                Effect::Event { kind, .. } => self.add(Group::Told, *kind as usize, 1),
                Effect::Notify { outcome, .. } => self.add(Group::Notice, *outcome as usize, 1),
            }
        }
        self.note_head(&batch.request);
    }

    fn note_head(&mut self, request: &PurchaseRequest) {
        if let Some(checkout) = &request.checkout {
            let status = groups::checkout_status(&checkout.step, !request.undo.is_empty());
            self.add(Group::Checkout, status as usize, 1);
            if let Step::Failed(reason) = &checkout.step {
                self.note_reason(*reason);
            }
        }
        if let Status::Failed(reason) = &request.status {
            self.note_reason(*reason);
        }
        if let Some(incident) = request.incident {
            self.named(Group::Incident, groups::incident_label(incident));
        }
    }

    /// Somebody was refused for this reason, or something failed for it.
    pub fn note_reason(&mut self, reason: RejectReason) {
        let index = RejectReason::ALL.iter().position(|known| *known == reason);
        self.add(Group::Reason, index.expect("every reason is listed"), 1);
    }

    /// How a request stands at the end of a run.
    pub fn note_end(&mut self, request: &PurchaseRequest) {
        self.add(Group::Outcome, request.status.kind() as usize, 1);
    }

    /// What the auditor looked at.
    pub fn note_verdict(&mut self, verdict: &Verdict) {
        for check in &verdict.checks {
            let examined = check.examined as u64;
            self.check(check.name, examined);
        }
    }

    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            for (mine, theirs) in mine.iter_mut().zip(theirs) {
                *mine += theirs;
            }
        }
        for (name, examined) in &other.checks {
            self.check(name, *examined);
        }
    }

    /// How often `label` of `group` was reached.
    ///
    /// # Panics
    /// When the group has no such label.
    pub fn count(&self, group: Group, label: &str) -> u64 {
        self.counts[group as usize][group.index(label)]
    }

    /// All counts of one group together.
    pub fn total(&self, group: Group) -> u64 {
        self.counts[group as usize].iter().sum()
    }

    /// What was never reached although it should have been, as `<group> <label>`.
    pub fn unreached(&self) -> Vec<String> {
        let counts = Group::ALL.into_iter().flat_map(|group| {
            let labels = group.labels().iter().zip(&self.counts[group as usize]);
            labels
                .filter(move |(label, count)| **count == 0 && !group.is_out_of_reach(label))
                .map(move |(label, _)| format!("{} {label}", group.label()))
        });
        let idle = self.checks.iter().filter(|(_, examined)| *examined == 0);
        counts.chain(idle.map(|(name, _)| format!("check {name}"))).collect()
    }

    /// What was reached although the list of exceptions says that it cannot be.
    pub fn surprises(&self) -> Vec<String> {
        let reached = |exception: &&OutOfReach| self.count(exception.group, exception.label) > 0;
        let name = |exception: &OutOfReach| {
            format!("{} {}: {}", exception.group.label(), exception.label, exception.why)
        };
        OUT_OF_REACH.iter().filter(reached).map(name).collect()
    }

    fn check(&mut self, name: &'static str, examined: u64) {
        match self.checks.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += examined,
            None => self.checks.push((name, examined)),
        }
    }

    fn named(&mut self, group: Group, label: &'static str) {
        self.add(group, group.index(label), 1);
    }

    fn add(&mut self, group: Group, index: usize, times: u64) {
        self.counts[group as usize][index] += times;
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for group in Group::ALL {
            let counts = &self.counts[group as usize];
            let labels = group.labels();
            let reached: Vec<String> = labels
                .iter()
                .zip(counts)
                .filter(|(_, count)| **count > 0)
                .map(|(label, count)| format!("{label} {count}"))
                .collect();
            let share = format!("{}/{}", reached.len(), labels.len());
            writeln!(f, "{:<12} {share:>6}  {}", group.label(), reached.join(", "))?;
        }
        let checks: Vec<String> =
            self.checks.iter().map(|(name, examined)| format!("{name} {examined}")).collect();
        writeln!(f, "{:<12} {:>6}  {}", "examined", self.checks.len(), checks.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_reached_at_first_and_every_exception_is_a_real_label() {
        let coverage = Coverage::default();
        let all: usize = Group::ALL.iter().map(|group| group.labels().len()).sum();
        assert_eq!(coverage.unreached().len(), all - OUT_OF_REACH.len());
        assert_eq!(coverage.surprises(), Vec::<String>::new());
    }

    #[test]
    fn what_was_reached_is_no_longer_missing_and_an_exception_reached_is_a_surprise() {
        let mut coverage = Coverage::default();
        assert!(coverage.unreached().contains(&"fault core_lost".to_owned()));
        coverage.note_fault(Fault::CoreLost);
        coverage.note_reason(OUT_OF_REACH_REASON);
        assert!(!coverage.unreached().contains(&"fault core_lost".to_owned()));
        assert_eq!(coverage.surprises().len(), 1);
    }

    #[test]
    fn merging_adds_up() {
        let mut one = Coverage::default();
        one.note_reason(RejectReason::Conflict);
        let mut other = one.clone();
        other.note_reason(RejectReason::Conflict);
        one.merge(&other);
        assert_eq!(one.count(Group::Reason, "conflict"), 3);
    }

    /// No code path of the product gives this reason.
    const OUT_OF_REACH_REASON: RejectReason = RejectReason::NoInventory;
}
