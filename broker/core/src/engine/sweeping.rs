//! Running sweeps: asking, taking answers in, asking again, taking questions back.

use std::sync::Arc;

use schemas::RequestId;

use super::Engine;
use super::offers::Wanted;
use super::output::Fact;
use super::planner;
use super::sweep::{CallState, Due, Sweep};
use crate::receipt::search::Opening;
use crate::request::Status;
use crate::timer::TimerKind;

impl Engine {
    /// Starts, keeps or drops the sweep so that it fits the request as it now stands.
    pub(super) fn align_sweep(&mut self, request: RequestId) {
        self.starting.remove(&request);
        let Some(hot) = self.hot.get(&request) else { return };
        let Some(record) = hot.request() else { return };
        let wanted = (record.status == Status::Searching
            && record.frozen_at.is_none()
            && record.timers.get(TimerKind::Sweep).is_none())
        .then_some(record.sweep);
        let running = hot.sweep.as_ref().map(|sweep| sweep.number);
        if wanted == running || (wanted.is_some() && hot.postponed.waits()) {
            return;
        }
        self.drop_sweep(request);
        if let Some(number) = wanted {
            self.start_sweep(request, number);
        }
    }

    fn start_sweep(&mut self, request: RequestId, number: u32) {
        let Some(hot) = self.hot.get_mut(&request) else { return };
        let Some(record) = hot.request() else { return };
        // Without time for a sweep the expiry timer ends the request.
        let policy = &self.config.policy;
        self.ranking.review_if_due(policy, self.now);
        let load = (&self.board, self.ladder.rung());
        let plan = planner::plan(record, self.now, policy, &mut self.ranking, load);
        let Some(plan) = plan else { return };
        let first_call = self.next_call;
        self.next_call += plan.calls.len().max(1) as u64;
        let (asked, why) = (plan.first, plan.opening);
        let last_resort = record.let_down_by().cloned();
        let snapshot = self.ranking.number();
        let wanted = Arc::new(Wanted::of(record));
        let sweep = Sweep::new(number, first_call, plan, wanted, last_resort, snapshot, self.now);
        hot.sweep = Some(sweep);
        self.sweeps.insert(first_call, request);
        self.observe(Fact::SweepStarted { request, asked });
        let first: Vec<usize> = (0..asked).collect();
        self.open_round(request, why, &first);
    }

    /// It is the turn of these calls.
    pub(super) fn open_round(&mut self, request: RequestId, why: Opening, calls: &[usize]) {
        let Some(sweep) = self.hot.get_mut(&request).and_then(|hot| hot.sweep.as_mut()) else {
            return;
        };
        sweep.open(why, calls, self.now, &self.config.policy);
        self.observe(Fact::RoundOpened { why, asked: calls.len() });
        for index in calls {
            self.ask_or_wait(request, *index);
        }
        self.register_wake(request);
    }

    /// Notes when the sweep wants to be looked at; an earlier note is replaced.
    pub(super) fn register_wake(&mut self, request: RequestId) {
        let Some(sweep) = self.hot.get_mut(&request).and_then(|hot| hot.sweep.as_mut()) else {
            return;
        };
        if sweep.registered == Some(sweep.wake) {
            return;
        }
        if let Some(before) = sweep.registered.replace(sweep.wake) {
            self.wakes.remove(&(before, request));
        }
        self.wakes.insert((sweep.wake, request));
    }

    /// A sweep asked to be looked at now: time-outs, retries, grace, hard stop.
    pub(super) fn sweep_woke(&mut self, request: RequestId) {
        let Some(sweep) = self.hot.get_mut(&request).and_then(|hot| hot.sweep.as_mut()) else {
            return;
        };
        sweep.registered = None;
        for (index, due) in sweep.due(self.now, &self.config.policy) {
            self.call_due(request, index, due);
        }
        let now = self.now;
        if let Some(sweep) = self.hot.get_mut(&request).and_then(|hot| hot.sweep.as_mut()) {
            sweep.rearm(now, &self.config.policy);
            if sweep.wake > now {
                self.register_wake(request);
            }
        }
        self.go_on(request);
    }

    fn call_due(&mut self, request: RequestId, index: usize, due: Due) {
        let Some(sweep) = self.hot.get_mut(&request).and_then(|hot| hot.sweep.as_mut()) else {
            return;
        };
        let partner = sweep.calls[index].partner();
        match due {
            Due::Retry => {
                if self.waits_for_a_copy_of_others(request, index) {
                    return;
                }
                let policy = &self.config.policy.overload;
                let allowed = self.board.may_retry(partner, policy, self.now)
                    && self.may_repeat(partner, request);
                if allowed {
                    return self.ask_again(request, index);
                }
                self.observe(Fact::RetryDenied { partner });
                self.give_up_call(request, index);
            }
            Due::GiveUp => self.give_up_call(request, index),
            Due::Hedge => {
                sweep.hedged(index);
                let cap = self.board.limit(partner);
                if self.asking.spend_hedge(partner, cap) && self.may_repeat(partner, request) {
                    self.send_copy(request, index);
                    self.observe(Fact::Hedged { partner });
                }
            }
        }
    }

    /// Forgets the sweep.
    pub(super) fn drop_sweep(&mut self, request: RequestId) {
        let Some(hot) = self.hot.get_mut(&request) else { return };
        let Some(sweep) = hot.sweep.take() else { return };
        self.slots.stop_waiting(request);
        self.sweeps.remove(&sweep.first_call);
        if let Some(at) = sweep.registered {
            self.wakes.remove(&(at, request));
        }
        for (call, counter) in sweep.calls.iter().zip(sweep.first_call..) {
            if matches!(call.state, CallState::Waiting | CallState::Asked) {
                self.stop_waiting(request, counter, call);
            }
        }
        self.judge_silence();
    }
}
