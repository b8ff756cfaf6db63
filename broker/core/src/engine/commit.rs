//! From a decision to a durable batch, and from the batch to what may then be told.

use schemas::RequestId;

use super::Engine;
use super::decide::Change;
use super::holds;
use super::hot::{InFlight, Presence, Task, Work};
use super::input::CommitToken;
use super::kept;
use super::output::{Answer, Fact, Output};
use super::pacing::{Awaited, News};
use super::ranking::Demotion;
use crate::batch::{AuditRow, Batch, Expect, IndexOp, OutboxRow};
use crate::request::{Incident, PurchaseRequest};

impl Engine {
    pub(super) fn commit(&mut self, request: RequestId, work: Work, change: Change) {
        let hot = self.hot.get_mut(&request).expect("only hot requests are decided");
        let before = hot.request();
        let expect = before.map_or(Expect::Absent, |record| Expect::Version(record.version));
        let event = change.steps.last().map_or("none", |(last, _)| last.label());
        let rows = change.steps.iter().flat_map(|(_, step)| step.rows.iter().copied()).collect();
        let mut audit = Vec::with_capacity(change.steps.len());
        let mut outbox = Vec::new();
        let mut next: Option<PurchaseRequest> = None;
        for (applied, step) in change.steps {
            let version = step.next.version;
            let trace = step.next.submission.trace;
            audit.push(AuditRow { version, at: self.now, change: applied });
            outbox.extend(step.effects.into_iter().zip(0u8..).map(|(effect, index)| OutboxRow {
                request,
                version,
                index,
                effect,
                trace,
            }));
            next = Some(step.next);
        }
        let next = next.expect("a change has at least one step");
        let timers = next.timers.diff(&before.map(|record| record.timers).unwrap_or_default());
        let index = index_ops(before, &next);
        let fact = Fact::Transition {
            request,
            event,
            rows,
            from: before.map(|record| record.status.kind()),
            to: next.status.kind(),
        };
        let answer = match &work.task {
            Task::Create(_) | Task::Command { .. } | Task::Operator(_) | Task::Get { .. } => {
                Answer::Accepted { replayed: false, request: Box::new(next.clone()) }
            }
            Task::Answer(_) | Task::Timer { .. } | Task::Sweep { .. } => Answer::Taken,
        };
        let token = CommitToken(self.next_commit);
        self.next_commit += 1;
        let batch = Batch {
            expect,
            request: next.clone(),
            parts: change.parts,
            outbox,
            timers: timers.clone(),
            index,
            audit,
            source: work.source,
        };
        hot.committing = Some(InFlight {
            token,
            work,
            next: Box::new(next),
            command: change.command,
            timers,
            answer,
            fact,
        });
        self.commits.insert(token, request);
        self.outputs.push_back(Output::Commit { token, batch: Box::new(batch) });
    }

    /// The batch is on disk: the request has changed, and whoever waits may be told.
    pub(super) fn committed(&mut self, token: CommitToken) {
        let Some((request, done)) = self.take_in_flight(token) else { return };
        self.timers.apply(request, &done.timers);
        let hot = self.hot.get_mut(&request).expect("a committing request is hot");
        let above_cap = |record: &PurchaseRequest| record.incident == Some(Incident::PriceAboveCap);
        let lied = above_cap(&done.next) && !hot.request().is_some_and(above_cap);
        let liar = done.next.checkout.as_ref().filter(|_| lied).map(|c| c.quote.partner.clone());
        let kept = hot.request().and_then(|before| kept::word(before, &done.next, &done.work.task));
        let policy = &self.config.policy;
        let hold = hot
            .request()
            .and_then(|before| holds::ended(before, &done.next, &done.work.task, self.now, policy));
        let awaited = hot.request().and_then(Awaited::of);
        let terms_changed = hot.request().is_some_and(|record| record.terms != done.next.terms);
        hot.commands.extend(done.command);
        if terms_changed && let Some(sweep) = hot.sweep.as_mut() {
            sweep.reconsider(&done.next.terms, self.now, &self.config.policy);
        }
        hot.presence = Presence::Present(done.next);
        self.watch_checkout(request, awaited, News::of(&done.work.task));
        if terms_changed {
            self.register_wake(request);
        }
        if let Some(partner) = liar.and_then(|id| self.config.policy.partners.index_of(&id)) {
            self.demote(partner, Demotion::Integrity);
        }
        if let Some(word) = kept {
            self.took_up(&word.partner, word.kept);
        }
        self.outputs.push_back(Output::Observe(done.fact));
        if let Some((id, end)) = hold
            && let Some(partner) = self.config.policy.partners.index_of(&id)
        {
            self.outputs.push_back(Output::Observe(Fact::Hold { partner, end }));
        }
        if let Some(origin) = done.work.origin {
            self.outputs.push_back(Output::Done { origin, answer: done.answer });
        }
        self.advance(request);
    }

    /// Somebody else moved the request on: read it again and decide again.
    pub(super) fn conflicted(&mut self, token: CommitToken) {
        let Some((request, lost)) = self.take_in_flight(token) else { return };
        let hot = self.hot.get_mut(&request).expect("a committing request is hot");
        hot.queue.push_front(lost.work);
        hot.presence = Presence::Loading;
        self.loading += 1;
        self.outputs.push_back(Output::Observe(Fact::CommitConflict { request }));
        self.outputs.push_back(Output::Load(request));
    }

    fn take_in_flight(&mut self, token: CommitToken) -> Option<(RequestId, InFlight)> {
        let request = self.commits.remove(&token)?;
        let in_flight = self.hot.get_mut(&request)?.committing.take()?;
        assert!(in_flight.token == token, "one commit in flight per request");
        Some((request, in_flight))
    }
}

fn index_ops(before: Option<&PurchaseRequest>, next: &PurchaseRequest) -> Vec<IndexOp> {
    let mut ops = Vec::new();
    if before.is_none() {
        ops.push(IndexOp::AddToCustomer);
    }
    let was_active = before.is_some_and(PurchaseRequest::is_active);
    match (was_active, next.is_active()) {
        (false, true) => ops.push(IndexOp::AddActive),
        (true, false) => ops.push(IndexOp::RemoveActive),
        (true, true) | (false, false) => {}
    }
    ops
}
