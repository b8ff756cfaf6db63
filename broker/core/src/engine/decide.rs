//! Deciding: one task at a time per request, from durable state only.

use schemas::purchase::PurchaseStatus;
use schemas::{CustomerId, Digest, RejectReason, RequestId, Timestamp};

use super::Engine;
use super::hot::{Hot, Presence, Task, Work};
use super::input::TimerRow;
use super::output::{Answer, Fact, Output};
use super::repeats::{receiver, told_again};
use crate::batch::{CommandRecord, Part};
use crate::event::Event;
use crate::receipt::Receipt;
use crate::request::{PurchaseRequest, Submission};
use crate::timer::TimerKind;
use crate::transition::{self, Rejection, Transition};

/// What a task leads to.
pub(super) enum Decision {
    /// Told at once: it follows from what is durable.
    Answer(Answer),
    /// Nothing to do and nobody to tell.
    Nothing,
    Commit(Box<Change>),
}

/// One or two transitions that become durable together.
pub(super) struct Change {
    pub(super) steps: Vec<(crate::batch::Change, Transition)>,
    pub(super) parts: Vec<Part>,
    pub(super) command: Option<CommandRecord>,
}

impl Engine {
    /// Works through the queue of one request until a commit is in flight or nothing is left.
    pub(super) fn advance(&mut self, request: RequestId) {
        loop {
            let Some(hot) = self.hot.get_mut(&request) else { return };
            let is_loading = matches!(hot.presence, Presence::Loading);
            if hot.committing.is_some() || is_loading || hot.waits_outside() {
                return;
            }
            let Some(work) = hot.queue.pop_front() else { break };
            self.work(request, work);
        }
        self.align_slot(request);
        self.align_sweep(request);
        self.go_on(request);
        self.forget_if_idle(request);
    }

    fn work(&mut self, request: RequestId, work: Work) {
        let Some(work) = self.may_enter(request, work) else { return };
        let hot = &self.hot[&request];
        let decision = match &hot.presence {
            Presence::Present(record) => self.decide(hot, record, &work.task),
            Presence::Absent | Presence::Loading => self.decide_absent(request, &work.task),
        };
        match decision {
            Decision::Commit(change) => {
                if !self.may_leave_now(request, &work.task, &change) {
                    // Its timer stays as it is, and comes back by itself.
                    return self.observe(Fact::RepeatPutOff { request });
                }
                self.commit(request, work, *change);
            }
            Decision::Answer(answer) => {
                if let Answer::Rejected { reason, .. } = &answer {
                    self.observe(work.task.refused(request, *reason));
                }
                if let Some(origin) = work.origin {
                    self.outputs.push_back(Output::Done { origin, answer });
                }
            }
            Decision::Nothing => {
                if let Some(origin) = work.origin {
                    self.outputs.push_back(Output::Done { origin, answer: Answer::Taken });
                }
            }
        }
    }

    /// Whether what this change sends has the budget to leave. First messages always have, and earn
    /// some for repetitions.
    fn may_leave_now(&mut self, request: RequestId, task: &Task, change: &Change) -> bool {
        let policy = &self.config.policy;
        let effects = change.steps.iter().flat_map(|(_, step)| &step.effects);
        let record = self.hot.get(&request).and_then(|hot| hot.request());
        if let (&Task::Timer { kind, at }, Some(record)) = (task, record) {
            let again = told_again(record, kind, effects.clone(), policy);
            if !again.is_empty() {
                let row = TimerRow { at, request, kind };
                return self.repeats.allows(again, row, (self.now, policy));
            }
        }
        for to in effects.filter_map(|effect| receiver(effect, policy)) {
            self.repeats.sent(to, self.now, policy);
        }
        true
    }

    fn decide_absent(&self, request: RequestId, task: &Task) -> Decision {
        match task {
            Task::Create(submission) => self.create(submission),
            Task::Command { .. } => self.of_a_create_to_come(request).unwrap_or_else(not_found),
            Task::Get { .. } => not_found(),
            Task::Operator(_) => rejected(RejectReason::NotFound, "there is no such request"),
            Task::Answer(_) => rejected(RejectReason::UnknownRequest, "no such request"),
            Task::Timer { .. } | Task::Sweep { .. } => Decision::Nothing,
        }
    }

    fn create(&self, submission: &Submission) -> Decision {
        let policy = &self.config.policy;
        let created = match transition::create(submission.clone(), self.now, policy) {
            Ok(created) => created,
            Err(rejection) => return refused(rejection),
        };
        // Who waits to be let in waits before it exists: what exists is let in.
        let admitted = (created.next.status.kind() == PurchaseStatus::Pending)
            .then(|| transition::transition(&created.next, Event::Admitted, self.now, policy).ok())
            .flatten();
        let mut steps = vec![(crate::batch::Change::Created, created)];
        steps.extend(admitted.map(|t| (crate::batch::Change::Applied(Event::Admitted), t)));
        Decision::Commit(Box::new(Change { steps, parts: vec![Part::Submission], command: None }))
    }

    fn decide(&self, hot: &Hot, record: &PurchaseRequest, task: &Task) -> Decision {
        match task {
            Task::Create(submission) => create_again(record, submission),
            Task::Command { customer, digest, event } => {
                self.command(hot, record, customer, *digest, event)
            }
            Task::Get { customer } if *customer == record.submission.customer => {
                accepted(record, true)
            }
            Task::Get { .. } => not_found(),
            Task::Answer(event) => self.apply(record, event, None, Vec::new()),
            Task::Operator(word) => {
                self.apply(record, &Event::Operator((**word).clone()), None, Vec::new())
            }
            Task::Timer { kind, at } => self.timer(record, *kind, *at),
            Task::Sweep { event, receipt } => self.sweep_event(record, event, receipt.as_deref()),
        }
    }

    fn command(
        &self,
        hot: &Hot,
        record: &PurchaseRequest,
        customer: &CustomerId,
        digest: Digest,
        event: &Event,
    ) -> Decision {
        if *customer != record.submission.customer {
            return not_found();
        }
        let Some(command) = event.command() else {
            return rejected(RejectReason::Internal, "not a customer's command");
        };
        if let Some(known) = hot.commands.iter().find(|known| known.command == *command) {
            return if known.digest == digest {
                accepted(record, true)
            } else {
                rejected(RejectReason::Conflict, "command_id was used with another body")
            };
        }
        if hot.commands.len() >= self.config.policy.commands_max {
            return rejected(RejectReason::TooManyCommands, "no more changes to this request");
        }
        let version = crate::request::Version(record.version.0 + 1);
        let applied = CommandRecord { command: command.clone(), digest, version };
        let parts = vec![Part::Command(applied.clone())];
        match self.apply(record, event, Some(applied), parts) {
            Decision::Nothing => accepted(record, true),
            decision @ (Decision::Answer(_) | Decision::Commit(_)) => decision,
        }
    }

    fn timer(&self, record: &PurchaseRequest, kind: TimerKind, at: Timestamp) -> Decision {
        // A row of the past: the timer was moved or cleared since.
        if record.timers.get(kind) != Some(at) {
            return Decision::Nothing;
        }
        self.apply(record, &Event::Timer(kind), None, Vec::new())
    }

    fn sweep_event(
        &self,
        record: &PurchaseRequest,
        event: &Event,
        receipt: Option<&Receipt>,
    ) -> Decision {
        let parts = receipt.cloned().map(Part::Receipt).into_iter().collect();
        self.apply(record, event, None, parts)
    }

    fn apply(
        &self,
        record: &PurchaseRequest,
        event: &Event,
        command: Option<CommandRecord>,
        mut parts: Vec<Part>,
    ) -> Decision {
        let policy = &self.config.policy;
        let in_doubt = self.is_in_doubt(record);
        let transition =
            if in_doubt { transition::transition_in_doubt } else { transition::transition };
        match transition(record, event.clone(), self.now, policy) {
            Ok(step) => {
                parts.extend(self.receipt_at_hand(record, &step.next).map(Part::Receipt));
                let change = if in_doubt {
                    crate::batch::Change::AppliedInDoubt(event.clone())
                } else {
                    crate::batch::Change::Applied(event.clone())
                };
                Decision::Commit(Box::new(Change { steps: vec![(change, step)], parts, command }))
            }
            Err(rejection) => refused(rejection),
        }
    }

    /// The clock has jumped, or the process has started, while something of this request was on
    /// its way: for a while nothing is proven by having waited.
    fn is_in_doubt(&self, record: &PurchaseRequest) -> bool {
        let policy = &self.config.policy;
        let checkout = record.open_checkout();
        if checkout.is_none() && record.undo.is_empty() {
            return false;
        }
        let ordering = checkout.filter(|checkout| checkout.intent.is_some());
        let store = ordering.map(|checkout| policy.partners.profile(&checkout.quote.partner));
        self.now < self.steady_since.saturating_add(policy.doubt_after_jump(store.as_deref()))
    }

    /// Only active requests stay in memory.
    fn forget_if_idle(&mut self, request: RequestId) {
        let Some(hot) = self.hot.get(&request) else { return };
        let idle = hot.committing.is_none() && hot.queue.is_empty() && hot.sweep.is_none();
        let active = match &hot.presence {
            Presence::Present(record) => record.is_active(),
            Presence::Absent => false,
            Presence::Loading => true,
        };
        if idle && !active {
            self.hot.remove(&request);
        }
    }
}

impl Task {
    const fn label(&self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::Get { .. } => "get",
            Self::Timer { .. } => "timer",
            Self::Operator(_) => "operator",
            Self::Command { event, .. } | Self::Answer(event) | Self::Sweep { event, .. } => {
                event.label()
            }
        }
    }

    /// A requester is refused; an answer that is refused was given to nobody's question.
    pub(super) const fn refused(&self, request: RequestId, reason: RejectReason) -> Fact {
        match self {
            Self::Answer(_) => Fact::StrayAnswer { request, reason },
            Self::Create(_)
            | Self::Get { .. }
            | Self::Timer { .. }
            | Self::Command { .. }
            | Self::Operator(_)
            | Self::Sweep { .. } => Fact::Refused { request, event: self.label(), reason },
        }
    }
}

fn create_again(record: &PurchaseRequest, submission: &Submission) -> Decision {
    let known = &record.submission;
    if known.customer != submission.customer {
        return rejected(RejectReason::Conflict, "request_id is taken; make a new one");
    }
    if known.digest != submission.digest {
        return rejected(RejectReason::Conflict, "request_id was used with another body");
    }
    accepted(record, true)
}

fn accepted(record: &PurchaseRequest, replayed: bool) -> Decision {
    Decision::Answer(Answer::Accepted { replayed, request: Box::new(record.clone()) })
}

fn not_found() -> Decision {
    rejected(RejectReason::NotFound, "you have no request with this id")
}

fn rejected(reason: RejectReason, detail: &str) -> Decision {
    let detail = detail.to_owned();
    Decision::Answer(Answer::Rejected { reason, detail, retry_after: None })
}

fn refused(rejection: Rejection) -> Decision {
    match rejection {
        Rejection::Ignored(_) => Decision::Nothing,
        Rejection::Refused { reason, detail } => {
            Decision::Answer(Answer::Rejected { reason, detail, retry_after: None })
        }
    }
}
