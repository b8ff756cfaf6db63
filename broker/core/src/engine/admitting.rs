//! Who may create a request now, who waits, and who is told to come back. Decided before anything
//! is promised; what exists already is answered from the store whatever the load.

use schemas::{DurationMs, RejectReason, RequestId};

use super::Engine;
use super::admission::{Joined, Ticket};
use super::decide::Decision;
use super::hot::{Entrance, Hot, Presence, Task, Work};
use super::limits::ladder::Rung;
use super::output::{Answer, Fact, Output};
use super::ranking::sampling::Stream;
use crate::request::Submission;

/// What is said of a request comes back so much later than its create, milliseconds.
const AFTER_ITS_CREATE_MS: u64 = 100;

impl Engine {
    /// Whether this task may be decided now. Otherwise it waits or was told off.
    pub(super) fn may_enter(&mut self, request: RequestId, work: Work) -> Option<Work> {
        let hot = &self.hot[&request];
        let is_new = matches!(hot.presence, Presence::Absent) && hot.entrance == Entrance::Closed;
        let Task::Create(submission) = &work.task else { return Some(work) };
        // What is said here is said anew.
        self.put_off.remove(request);
        // What was accepted by a stream and waited there too long still ends as expired.
        if !is_new || submission.terms.expires_at <= self.now {
            return Some(work);
        }
        if let Some(answer) = self.refused_at_once(submission) {
            self.tell_off(request, work, answer);
            return None;
        }
        self.board.take_create(&submission.customer, &self.config.policy.overload, self.now);
        if self.admission.is_empty() && self.has_room() {
            self.let_in(request);
            return Some(work);
        }
        self.wait_in_line(request, work);
        None
    }

    fn refused_at_once(&self, submission: &Submission) -> Option<Answer> {
        let policy = &self.config.policy.overload;
        let idle = self.admission.is_empty() && self.has_room();
        if self.ladder.rung() >= Rung::Refusing && !idle {
            return Some(self.too_busy(submission.id));
        }
        let wait = self.board.create_wait(&submission.customer, policy, self.now);
        (wait > DurationMs::ZERO).then(|| Answer::Rejected {
            reason: RejectReason::RateLimited,
            detail: format!("too many requests were created; try again in {wait}"),
            retry_after: Some(wait),
        })
    }

    /// What a customer says of a request whose create is to come back from its stream: that comes
    /// first.
    pub(super) fn of_a_create_to_come(&self, request: RequestId) -> Option<Decision> {
        let until = self.put_off.until(request, self.now)?;
        let after = DurationMs(until.since(self.now).as_ms().saturating_add(AFTER_ITS_CREATE_MS));
        let after = after.max(self.config.policy.overload.retry_after);
        Some(Decision::Answer(Answer::Rejected {
            reason: RejectReason::Overloaded,
            detail: format!("the request is not created yet; try again in {after}"),
            retry_after: Some(after),
        }))
    }

    /// Whom a stream keeps comes back by itself, each of its customer at its own time; of too many
    /// nothing more is kept.
    fn put_off(&mut self, submission: &Submission, answer: Answer) -> Answer {
        let Answer::Rejected { reason, retry_after: Some(wait), .. } = &answer else {
            return answer;
        };
        let customer = &submission.customer;
        let ahead = self.put_off.of(customer);
        let policy = &self.config.policy.overload;
        let turn = if *reason == RejectReason::RateLimited {
            self.board.creates_time_of(customer, ahead, policy)
        } else {
            DurationMs::ZERO
        };
        let wait = DurationMs(wait.as_ms().saturating_add(turn.as_ms()));
        let until = self.now.saturating_add(wait);
        let most = (policy.creates_put_off_max, self.now);
        if !self.put_off.add(submission.id, customer, until, most) {
            return Answer::Rejected {
                reason: RejectReason::TooManyCreates,
                detail: format!("{ahead} creates of this customer wait already; publish slower"),
                retry_after: None,
            };
        }
        let detail = format!("there is too much to do; it comes back in {wait}");
        Answer::Rejected { reason: *reason, detail, retry_after: Some(wait) }
    }

    /// Not all are told the same time: they would come back together.
    pub(super) fn too_busy(&self, request: RequestId) -> Answer {
        let base = self.config.policy.overload.retry_after.as_ms();
        let mut seed = [0; 8];
        seed.copy_from_slice(&request.as_bytes()[8..]);
        let more = Stream(u64::from_be_bytes(seed)).below(base.saturating_add(1));
        let after = DurationMs(base.saturating_add(more));
        Answer::Rejected {
            reason: RejectReason::Overloaded,
            detail: format!("there is too much to do; try again in {after}"),
            retry_after: Some(after),
        }
    }

    fn wait_in_line(&mut self, request: RequestId, work: Work) {
        let Task::Create(submission) = &work.task else { return };
        let policy = &self.config.policy.overload;
        let ticket = Ticket {
            request,
            class: policy.classes.of(&submission.customer),
            deadline: submission
                .terms
                .expires_at
                .saturating_sub(self.config.policy.placement_budget),
            came: self.now,
        };
        let joined = self.admission.join(ticket, &policy.admission);
        if joined == Joined::TurnedAway {
            let answer = self.too_busy(request);
            return self.turn_away_unserved(request, work, answer);
        }
        let hot = self.hot.get_mut(&request).expect("only hot requests are decided");
        hot.queue.push_front(work);
        hot.entrance = Entrance::Waiting;
        self.observe(Fact::Waits { class: ticket.class });
        if let Joined::InsteadOf(other) = joined {
            self.turn_away_waiting(other);
        }
    }

    /// Whoever waits for `work` is told `answer`.
    fn tell_off(&mut self, request: RequestId, work: Work, mut answer: Answer) {
        if let (Task::Create(submission), Some(_)) = (&work.task, work.source) {
            answer = self.put_off(submission, answer);
        }
        if let Answer::Rejected { reason, .. } = &answer {
            self.observe(work.task.refused(request, *reason));
        }
        if let Some(origin) = work.origin {
            self.outputs.push_back(Output::Done { origin, answer });
        }
    }

    fn turn_away_waiting(&mut self, request: RequestId) {
        let Some(hot) = self.hot.get_mut(&request) else { return };
        hot.entrance = Entrance::Closed;
        let Some(work) = hot.queue.pop_front() else { return };
        let answer = self.too_busy(request);
        self.turn_away_unserved(request, work, answer);
        self.advance(request);
    }

    /// It had its customer's leave to create and got nothing for it.
    fn turn_away_unserved(&mut self, request: RequestId, work: Work, answer: Answer) {
        if let Task::Create(submission) = &work.task {
            let policy = &self.config.policy.overload;
            self.board.give_back_create(&submission.customer, policy, self.now);
        }
        self.tell_off(request, work, answer);
    }

    fn let_in(&mut self, request: RequestId) {
        let hot = self.hot.get_mut(&request).expect("only hot requests are decided");
        hot.entrance = Entrance::Open;
        self.starting.insert(request);
    }

    /// Fewer questions are open, wait for their partner or are about to be asked than may be open.
    fn has_room(&self) -> bool {
        let policy = &self.config.policy;
        let each = usize::from(policy.tier_size).min(policy.partners.len()).max(1);
        let coming = u32::try_from(self.starting.len().saturating_mul(each)).unwrap_or(u32::MAX);
        let wanted = self.asking.in_flight().saturating_add(self.asking.waiting());
        wanted.saturating_add(coming) < policy.overload.calls_in_flight_max
    }

    /// Who waits is let in as far as there is room, or told off when its patience ends.
    pub(super) fn admit_waiting(&mut self) {
        while let Some(gone) =
            self.admission.give_up(&self.config.policy.overload.admission, self.now)
        {
            self.turn_away_waiting(gone.request);
        }
        while self.has_room() {
            let policy = &self.config.policy.overload.admission;
            let Some(next) = self.admission.next(policy, self.now) else { break };
            let waited_ms = self.now.since(next.came).as_ms();
            self.observe(Fact::LetIn { class: next.class, waited_ms });
            self.let_in(next.request);
            self.advance(next.request);
        }
        self.step_the_ladder();
    }

    fn step_the_ladder(&mut self) {
        let policy = &self.config.policy.overload;
        if self.admission.is_empty() && self.ladder.rung() == Rung::Normal {
            return;
        }
        let full = self.admission.full_permille(&policy.admission);
        // One that waits long shows that there is much to do, not that nobody can be let in.
        let worn = self.admission.worn_permille(&policy.admission, self.now);
        let pressure = full.max(worn.min(policy.ladder.refuse_permille.saturating_sub(1)));
        if let Some(rung) = self.ladder.feel(pressure, &policy.ladder, self.now) {
            self.observe(Fact::Rung(rung));
        }
    }
}

impl Hot {
    /// Nothing of it may be decided before it is let in.
    pub(super) fn waits_outside(&self) -> bool {
        self.entrance == Entrance::Waiting
    }
}
