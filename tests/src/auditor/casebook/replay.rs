//! The audit log through the pure core: what each commit did and what followed from it.

use std::collections::BTreeMap;

use broker::store::{AuditBody, CommitNumber, OutboxSeq, Outgoing, StoredRow};
use broker_core::batch::{AuditRow, Change, OutboxRow};
use broker_core::effect::Effect;
use broker_core::row::Row;
use broker_core::transition::{self, Transition};
use broker_core::{Event, PurchaseRequest};
use schemas::{RequestId, Timestamp};

use super::{Case, Evidence};

/// One applied event and what followed from it.
pub(in crate::auditor) struct Step<'a> {
    pub(in crate::auditor) commit: CommitNumber,
    pub(in crate::auditor) at: Timestamp,
    pub(in crate::auditor) change: &'a Change,
    pub(in crate::auditor) rows: Vec<Row>,
    /// Its effects as the outbox keeps them. The sequence is not known and given as 0.
    pub(in crate::auditor) outbox: Vec<StoredRow>,
    pub(in crate::auditor) next: PurchaseRequest,
}

impl Step<'_> {
    pub(in crate::auditor) fn effects(&self) -> impl Iterator<Item = &Effect> {
        self.outbox.iter().filter_map(|row| match &row.outgoing {
            Outgoing::Effect(row) => Some(&row.effect),
            Outgoing::DeadLetter(_) => None,
        })
    }

    pub(in crate::auditor) fn effect(&self, index: usize) -> Option<&Effect> {
        self.effects().nth(index)
    }

    pub(in crate::auditor) fn event(&self) -> Option<&Event> {
        self.change.event()
    }

    pub(in crate::auditor) fn label(&self) -> &'static str {
        self.change.label()
    }
}

pub(super) fn replay<'a>(evidence: &'a Evidence, cases: &mut BTreeMap<RequestId, Case<'a>>) {
    for record in &evidence.log {
        let AuditBody::Request { request, rows } = &record.body else { continue };
        let case = cases.entry(*request).or_default();
        for row in rows {
            case.versions.push(row.version);
            if case.broken.is_some() {
                continue;
            }
            match apply(evidence, case, row) {
                Ok(done) => case.steps.push(step(*request, record.commit, row, done)),
                Err(why) => {
                    let (version, label) = (row.version.0, row.change.label());
                    case.broken = Some(format!("version {version}, {label}: {why}"));
                }
            }
        }
    }
}

fn step(request: RequestId, commit: CommitNumber, row: &AuditRow, done: Transition) -> Step<'_> {
    let Transition { next, rows, effects } = done;
    let (version, trace) = (next.version, next.submission.trace);
    let outbox = effects.into_iter().zip(0u8..).map(|(effect, index)| StoredRow {
        seq: OutboxSeq(0),
        at: row.at,
        outgoing: Outgoing::Effect(OutboxRow { request, version, index, effect, trace }),
    });
    Step { commit, at: row.at, change: &row.change, rows, outbox: outbox.collect(), next }
}

fn apply(evidence: &Evidence, case: &Case<'_>, row: &AuditRow) -> Result<Transition, String> {
    let done = match (&row.change, case.steps.last()) {
        (Change::Created, None) => {
            let head = case.head.ok_or("there is no stored request for it")?;
            let submission = head.submission.as_ref().clone();
            transition::create(submission, row.at, &evidence.policy)
        }
        (Change::Created, Some(_)) => return Err("the request was created before".to_owned()),
        (Change::Applied(_) | Change::AppliedInDoubt(_), None) => {
            return Err("the request was never created".to_owned());
        }
        (Change::Applied(event), Some(before)) => {
            transition::transition(&before.next, event.clone(), row.at, &evidence.policy)
        }
        (Change::AppliedInDoubt(event), Some(before)) => {
            transition::transition_in_doubt(&before.next, event.clone(), row.at, &evidence.policy)
        }
    };
    let done = done.map_err(|rejection| format!("the core refuses it: {rejection}"))?;
    if done.next.version != row.version {
        return Err(format!("the next version is {}", done.next.version.0));
    }
    Ok(done)
}
