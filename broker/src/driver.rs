//! The engine thread. It moves data between the engine and the [`Ports`] and takes no decision.
//!
//! One turn, in this order of priority:
//!
//! 1. answers to the engine's own outputs (commits, loads, timers): they free requests;
//! 2. inputs from outside, at most [`TURN_INPUTS_MAX`], so that 1 and 3 get their turn;
//! 3. the engine's own time, if its deadline has come;
//! 4. everything the engine wants done;
//! 5. now and then a look at the load, for operators;
//! 6. sleep until something arrives or the next deadline.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use broker_core::Batch;
use broker_core::Engine;
use broker_core::engine::input::{CommitToken, Input, Origin};
use broker_core::engine::limits::load::Load;
use broker_core::engine::output::{Answer, Fact, Output, Question};
use broker_core::engine::ranking::snapshot::Snapshot;
use broker_core::partner::PartnerIndex;
use crossbeam_channel::select;
use schemas::{DurationMs, RequestId, Timestamp};

use crate::clock::Clock;
use crate::crash;
use crate::mailbox::{Mail, Mailbox};
use crate::quarantine::Quarantine;

/// Inputs from outside in one turn.
pub const TURN_INPUTS_MAX: usize = 256;

/// Sleep when the engine names no deadline.
const IDLE_MAX: Duration = Duration::from_secs(1);
/// Between two looks at the load.
pub const SHOW_EVERY_MS: DurationMs = DurationMs(1000);
/// Shortest sleep: a deadline in the current millisecond is not met by spinning.
const PAUSE_MIN: Duration = Duration::from_millis(1);

/// Where the engine's outputs go. Called on the engine thread: must not block.
pub trait Ports: Send + 'static {
    /// Answer with [`Input::Loaded`].
    fn load(&mut self, request: RequestId);
    /// Answer with [`Input::Committed`] or [`Input::Conflicted`]; the outbox rows of the batch
    /// leave once they are durable.
    fn commit(&mut self, token: CommitToken, batch: Box<Batch>);
    /// Best effort: a lost question costs a retry.
    fn ask(&mut self, partner: PartnerIndex, questions: Vec<Question>);
    fn done(&mut self, origin: Origin, answer: Answer);
    /// Answer with [`Input::Timers`].
    fn scan_timers(&mut self, until: Timestamp);
    /// Answer with [`Input::RankingKept`].
    fn keep_ranking(&mut self, snapshot: Box<Snapshot>);
    fn observe(&mut self, fact: Fact);
    /// Once in [`SHOW_EVERY_MS`].
    fn show(&mut self, load: Load);
}

/// The engine with its clock, mailbox and ports.
pub struct Driver<P> {
    engine: Engine,
    clock: Clock,
    ports: P,
    mailbox: Mailbox,
    quarantine: Quarantine,
    /// When the load is shown next.
    show_at: Timestamp,
}

impl<P: Ports> Driver<P> {
    pub fn new(
        engine: Engine,
        clock: Clock,
        ports: P,
        mailbox: Mailbox,
        quarantine: Quarantine,
    ) -> Self {
        let show_at = clock.now();
        Self { engine, clock, ports, mailbox, quarantine, show_at }
    }

    /// Runs until [`Results`](crate::mailbox::Results) says stop, on the calling thread. Gives the
    /// ports back, so that what they hold ends after the engine.
    pub fn run(mut self) -> P {
        let mut stop = false;
        loop {
            // 1. Answers to our own outputs.
            stop |= self.take_results();
            // 2. Inputs from outside.
            let taken = self.take_intake();
            // 3. Time.
            let now = self.clock.now();
            if self.engine.poll_timeout().is_some_and(|(at, _)| at <= now) {
                self.engine_takes(Input::Tick);
            }
            // 4. Outputs.
            self.perform_outputs();
            if stop {
                return self.ports;
            }
            // 5. The load.
            if self.show_at <= now {
                self.ports.show(self.engine.load(now));
                self.show_at = now.saturating_add(SHOW_EVERY_MS);
            }
            // 6. Sleep, unless more is waiting already.
            if taken < TURN_INPUTS_MAX {
                stop = self.sleep();
            }
        }
    }

    fn take_results(&mut self) -> bool {
        let mut stop = false;
        while let Ok(mail) = self.mailbox.results.try_recv() {
            stop |= self.take_mail(mail);
        }
        stop
    }

    fn take_mail(&mut self, mail: Mail) -> bool {
        match mail {
            Mail::Input(input) => {
                self.engine_takes(*input);
                false
            }
            Mail::Stop => true,
        }
    }

    fn take_intake(&mut self) -> usize {
        let mut taken = 0;
        while taken < TURN_INPUTS_MAX
            && let Ok(input) = self.mailbox.intake.try_recv()
        {
            self.engine_takes(input);
            taken += 1;
        }
        self.mailbox.give_back(taken);
        taken
    }

    /// The time first: a jump after it was read is one for the next input. After a panic nothing is
    /// known of the engine's memory, so the broker ends; the message in hand is written down first.
    fn engine_takes(&mut self, input: Input) {
        let now = self.clock.now();
        self.engine.time_is_steady_since(self.clock.steady_since());
        let in_hand = self.engine.in_hand(&input);
        let handled = catch_unwind(AssertUnwindSafe(|| {
            crash::panic_point(in_hand);
            self.engine.handle(input, now);
        }));
        if let Err(panic) = handled {
            if let Some(position) = in_hand {
                self.quarantine.note(position);
            }
            resume_unwind(panic);
        }
    }

    fn perform_outputs(&mut self) {
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Load(request) => self.ports.load(request),
                Output::Commit { token, batch } => self.ports.commit(token, batch),
                Output::Ask { partner, questions } => self.ports.ask(partner, questions),
                Output::Done { origin, answer } => self.ports.done(origin, answer),
                Output::ScanTimers { until } => self.ports.scan_timers(until),
                Output::SaveRanking(snapshot) => self.ports.keep_ranking(snapshot),
                Output::Observe(fact) => self.ports.observe(fact),
            }
        }
    }

    /// True when told to stop, which includes that nobody is left who could send anything.
    fn sleep(&mut self) -> bool {
        let pause = self.pause();
        select! {
            recv(self.mailbox.results) -> mail => match mail {
                Ok(mail) => self.take_mail(mail),
                Err(_gone) => true,
            },
            recv(self.mailbox.intake) -> input => {
                if let Ok(input) = input {
                    self.engine_takes(input);
                    self.mailbox.give_back(1);
                } else {
                    // Nobody outside is left; only our own results still matter.
                    std::thread::sleep(PAUSE_MIN);
                }
                false
            },
            default(pause) => false,
        }
    }

    fn pause(&self) -> Duration {
        match self.engine.poll_timeout() {
            Some((at, _kind)) => {
                Duration::from(at.since(self.clock.now())).clamp(PAUSE_MIN, IDLE_MAX)
            }
            None => IDLE_MAX,
        }
    }
}

#[cfg(test)]
mod tests;
