//! The sans-IO engine. Four families of methods, called in this order by a driver:
//!
//! 1. [`Engine::handle`] – any number of inputs, with non-decreasing `now`;
//! 2. [`Engine::poll_output`] – until it returns `None`;
//! 3. [`Engine::poll_timeout`] – when to call `handle(Input::Tick, now)` at the latest.
//!
//! The driver takes no decisions: it performs outputs and feeds results back.
//!
//! Per request there is one commit in flight. Work that arrives meanwhile waits in that request's
//! queue; an answer (`Output::Done`) is given only from durable state. Sweeps are soft: they live
//! here only and are simply run again after a crash.

pub mod admission;
mod admitting;
mod answering;
mod asking;
mod calls;
mod choosing;
mod commit;
mod concluding;
mod decide;
mod holds;
mod hot;
mod in_hand;
pub mod input;
mod kept;
mod late;
mod learning;
pub mod limits;
mod offers;
pub mod output;
mod pacing;
pub mod planner;
mod postponing;
mod put_off;
pub mod ranking;
mod repeats;
pub mod showing;
mod sweep;
mod sweeping;
mod timers;

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use schemas::{RequestId, Timestamp};

use crate::event::Event;
use crate::policy::Policy;
use admission::Admission;
use asking::Asking;
use hot::{Hot, Presence, Task, Work};
use input::{CommitToken, Input, Origin};
use late::LateCalls;
use limits::board::Board;
use limits::ladder::{Ladder, Rung};
use limits::load::Load;
use offers::cache::OfferCache;
use offers::flights::Flights;
use offers::slots::Slots;
use output::{Fact, Output};
use put_off::PutOff;
use ranking::snapshot::SnapshotNumber;
use ranking::{Ranking, RankingStart};
use repeats::{Receiver, Repeats};
use timers::DurableTimers;
pub use timers::WakeReason;

/// Tasks that may wait for one request; more are turned away as `overloaded`.
pub const QUEUE_PER_REQUEST_MAX: usize = 256;

/// Requests that are read from the store at the same time because a timer of theirs is due. When a
/// million fall due together, they come as fast as they are decided.
pub const LOADING_MAX: usize = 4096;

/// Operators' words that may wait for the snapshot that keeps them; more are turned away.
pub const STEERED_MAX: usize = 64;

/// What the shell decides before the engine starts.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    pub policy: Policy,
    /// Different at every start, so that answers to an earlier life's questions are recognised.
    pub boot_epoch: u32,
    /// Secret random bytes, the same at every start; accept tokens are a keyed hash of (request,
    /// partner, total) under it.
    pub token_key: [u8; 32],
    /// Requests held in memory; creates beyond it are refused as `overloaded`.
    pub hot_max: usize,
    /// What was learned about partners before.
    pub ranking: RankingStart,
}

/// The machine.
#[derive(Debug)]
pub struct Engine {
    config: EngineConfig,
    /// Looked up by id, never iterated: order must not depend on a hasher. Boxed, because the table
    /// doubles: with the requests themselves in it, that stood still for a quarter of a second.
    hot: HashMap<RequestId, Box<Hot>>,
    /// How many of them are being read.
    loading: usize,
    /// First call counter of each running sweep.
    sweeps: BTreeMap<u64, RequestId>,
    /// When each running sweep wants to be looked at.
    wakes: BTreeSet<(Timestamp, RequestId)>,
    timers: DurableTimers,
    /// Creates that wait to be let in.
    admission: Admission,
    /// Requests that were let in and whose sweep has not begun.
    starting: BTreeSet<RequestId>,
    put_off: PutOff,
    /// When searches that our limits cut short begin again.
    postponed: BTreeSet<(Timestamp, RequestId)>,
    ladder: Ladder,
    board: Board,
    repeats: Repeats,
    asking: Asking,
    offers: OfferCache,
    flights: Flights,
    slots: Slots,
    /// Sweeps that lost a question while something else was done.
    stirred: BTreeSet<RequestId>,
    late: LateCalls,
    ranking: Ranking,
    /// Operators' words that wait for the snapshot that keeps them, oldest first.
    steered: Vec<(SnapshotNumber, Origin)>,
    commits: BTreeMap<CommitToken, RequestId>,
    next_call: u64,
    next_commit: u64,
    now: Timestamp,
    /// Only since then as much time has passed as `now` shows.
    steady_since: Timestamp,
    outputs: VecDeque<Output>,
}

impl Engine {
    pub fn new(mut config: EngineConfig, now: Timestamp) -> Self {
        let partners = config.policy.partners.len();
        let start = std::mem::take(&mut config.ranking);
        let ranking = Ranking::new(start, &config.policy.partners, now);
        let board = Board::new(&config.policy.partners, &config.policy.overload, now);
        Self {
            config,
            hot: HashMap::new(),
            loading: 0,
            sweeps: BTreeMap::new(),
            wakes: BTreeSet::new(),
            timers: DurableTimers::default(),
            admission: Admission::default(),
            starting: BTreeSet::new(),
            put_off: PutOff::default(),
            postponed: BTreeSet::new(),
            ladder: Ladder::default(),
            board,
            repeats: Repeats::default(),
            asking: Asking::new(partners),
            offers: OfferCache::new(partners),
            flights: Flights::default(),
            slots: Slots::default(),
            stirred: BTreeSet::new(),
            late: LateCalls::default(),
            ranking,
            steered: Vec::new(),
            commits: BTreeMap::new(),
            next_call: 0,
            next_commit: 0,
            now,
            steady_since: now,
            outputs: VecDeque::new(),
        }
    }

    /// Takes one input in. `now` is clamped so that it never goes backwards.
    pub fn handle(&mut self, input: Input, now: Timestamp) {
        self.now = self.now.max(now);
        self.take(input);
        self.wake_due();
        self.come_to_rest();
    }

    /// The clock has jumped ahead: only since `at` as much time has passed as it shows.
    pub fn time_is_steady_since(&mut self, at: Timestamp) {
        self.steady_since = self.steady_since.max(at);
    }

    /// The next thing to do outside; `None` when there is nothing. Questions come last, so that
    /// all of one turn travel to a partner in one message.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front().or_else(|| self.asking.next_message())
    }

    /// When to call again at the latest, and why.
    pub fn poll_timeout(&self) -> Option<(Timestamp, WakeReason)> {
        let overload = &self.config.policy.overload;
        let sweep = self.wakes.first().map(|(at, _)| (*at, WakeReason::Sweep));
        let resume = self.postponed.first().map(|(at, _)| (*at, WakeReason::Sweep));
        let pace = self.asking.next_paced().map(|at| (at, WakeReason::Pace));
        let repeat = self.repeats.next_ready().map(|at| (at, WakeReason::Repeat));
        let calm = self.ladder.next_step(&overload.ladder);
        let admission = self.admission.next_give_up().into_iter().chain(calm).min();
        let admission = admission.map(|at| (at, WakeReason::Admission));
        // What has been read calls by itself.
        let timer = self.timers.next_wake().filter(|_| self.loading < LOADING_MAX);
        let all = [timer, sweep, resume, pace, repeat, admission];
        all.into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    /// Requests in memory.
    pub fn hot_requests(&self) -> usize {
        self.hot.len()
    }

    pub fn policy(&self) -> &Policy {
        &self.config.policy
    }

    pub fn ranking(&self) -> &Ranking {
        &self.ranking
    }

    /// How much is given up because there is too much to do.
    pub fn rung(&self) -> Rung {
        self.ladder.rung()
    }

    /// Creates that wait to be let in.
    pub fn waiting(&self) -> usize {
        self.admission.len()
    }

    /// What there is to do and what the limits are, for operators.
    pub fn load(&self, now: Timestamp) -> Load {
        let partners = self.config.policy.partners.iter();
        Load {
            creates_waiting: self.waiting(),
            questions_in_flight: self.asking.in_flight(),
            rung: self.rung(),
            partners: partners.map(|(partner, _)| self.board.load(partner, now)).collect(),
        }
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Tick => {}
            Input::Recover(request) => self.ensure_loaded(request),
            Input::Create { origin, source, submission } => {
                let request = submission.id;
                if self.hot.len() >= self.config.hot_max && !self.hot.contains_key(&request) {
                    return self.turn_away(Some(origin), request);
                }
                self.enqueue(request, Some(origin), source, Task::Create(submission));
            }
            Input::Command { origin, source, customer, request, digest, event } => {
                let task = Task::Command { customer, digest, event };
                self.enqueue(request, Some(origin), source, task);
            }
            Input::Get { origin, customer, request } => {
                self.enqueue(request, Some(origin), None, Task::Get { customer });
            }
            Input::Partner { origin, source, request, answer } => {
                self.heard(Receiver::partner(&answer.partner, &self.config.policy));
                self.enqueue(request, Some(origin), source, Task::Answer(Event::Partner(answer)));
            }
            Input::Payment { origin, source, request, answer } => {
                self.heard(Receiver::Provider);
                self.enqueue(request, Some(origin), source, Task::Answer(Event::Payment(answer)));
            }
            Input::Steer { origin, word } => self.steer(origin, *word),
            Input::ShowRanking { origin } => self.show_ranking(origin),
            Input::ShowSweeps { origin, of } => self.show_sweeps(origin, of),
            Input::RankingKept(number) => self.ranking_kept(number),
            Input::Operator { origin, request, word } => {
                self.enqueue(request, Some(origin), None, Task::Operator(word));
            }
            Input::Lapsed { request, attempt, operation } => {
                let event = Event::Lapsed { attempt, operation };
                self.enqueue(request, None, None, Task::Answer(event));
            }
            Input::Quotes { origin, partner, answers } => self.quotes(origin, &partner, answers),
            Input::PartnerDown { partner, calls } => self.partner_down(&partner, &calls),
            Input::NotSent { calls } => self.not_sent(&calls),
            Input::Loaded { request, stored } => self.loaded(request, stored),
            Input::Committed { token } => self.committed(token),
            Input::Conflicted { token } => self.conflicted(token),
            Input::Timers { until, timers } => self.timers.scanned(until, timers),
        }
    }

    fn enqueue(
        &mut self,
        request: RequestId,
        origin: Option<Origin>,
        source: Option<crate::batch::StreamPosition>,
        task: Task,
    ) {
        self.ensure_loaded(request);
        let hot = self.hot.get_mut(&request).expect("just ensured");
        if hot.queue.len() >= QUEUE_PER_REQUEST_MAX {
            return self.turn_away(origin, request);
        }
        hot.queue.push_back(Work { origin, source, task });
        self.advance(request);
    }

    fn turn_away(&mut self, origin: Option<Origin>, request: RequestId) {
        if let Some(origin) = origin {
            let answer = self.too_busy(request);
            self.outputs.push_back(Output::Done { origin, answer });
        }
    }

    fn heard(&mut self, from: Receiver) {
        self.repeats.answered(from, self.now, &self.config.policy);
    }

    fn ensure_loaded(&mut self, request: RequestId) {
        if let Entry::Vacant(entry) = self.hot.entry(request) {
            entry.insert(Box::new(Hot::loading()));
            self.loading += 1;
            self.outputs.push_back(Output::Load(request));
        }
    }

    fn loaded(&mut self, request: RequestId, stored: Option<Box<crate::batch::Stored>>) {
        let Some(hot) = self.hot.get_mut(&request) else { return };
        if !matches!(hot.presence, Presence::Loading) {
            return;
        }
        self.loading -= 1;
        hot.presence = match stored {
            Some(stored) => {
                hot.commands = stored.commands;
                Presence::Present(Box::new(stored.request))
            }
            None => Presence::Absent,
        };
        self.advance(request);
    }

    /// Durable timers and sweeps whose time has come.
    fn wake_due(&mut self) {
        while let Some(row) = self.repeats.pop_ready(self.now, &self.config.policy) {
            self.enqueue(row.request, None, None, Task::Timer { kind: row.kind, at: row.at });
        }
        while self.loading < LOADING_MAX
            && let Some(row) = self.timers.pop_due(self.now)
        {
            self.enqueue(row.request, None, None, Task::Timer { kind: row.kind, at: row.at });
        }
        while let Some((at, request)) = self.wakes.first().copied() {
            if at > self.now {
                break;
            }
            self.wakes.remove(&(at, request));
            self.sweep_woke(request);
        }
        self.resume_postponed();
        if let Some(until) = self.timers.scan_wanted(self.now) {
            self.outputs.push_back(Output::ScanTimers { until });
        }
    }

    /// What one thing's end allows others: questions that waited leave, sweeps that lost some go
    /// on, creates are let in. Until nothing more follows.
    fn come_to_rest(&mut self) {
        loop {
            self.offer_freed_slots();
            self.pump_due();
            while let Some(request) = self.stirred.pop_first() {
                self.go_on(request);
            }
            self.admit_waiting();
            if self.stirred.is_empty() && !self.slots.any_freed() && !self.may_pump() {
                return;
            }
        }
    }

    fn observe(&mut self, fact: Fact) {
        self.outputs.push_back(Output::Observe(fact));
    }
}
