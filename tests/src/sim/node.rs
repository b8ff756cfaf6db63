//! One life of the broker's process: the shipped engine, decoder, wire code, outbox window and
//! healing, and the shipped in-memory store, moved by the agenda instead of by threads and tasks.
//!
//! A process may die at every output it performs, at every input it takes, and while it recovers;
//! whatever it had only in memory is gone then.

mod commit;
mod egress;
mod intake;
mod operator;
mod session;

use std::collections::{BTreeMap, VecDeque};

use broker::clock::Clock;
use broker::ingress::decode::Decoder;
use broker::positions::Positions;
use broker::questions::asked::Asked;
use broker::questions::send;
use broker::storage;
use broker::store::Meta;
use broker::traces::Sampling;
use broker::wire::WireContext;
use broker_core::engine::EngineConfig;
use broker_core::engine::input::{Input, Origin};
use broker_core::engine::output::{Answer, Output};
use broker_core::engine::ranking::{RankingStart, Word};
use broker_core::horizon::Horizon;
use broker_core::{Engine, Policy};
use schemas::catalog::Catalog;
use schemas::{DurationMs, ProviderId, RequestId, Timestamp};

use super::clock::Hands;
use super::fault::Fault;
use super::jetstream::{Delivery, Message};
use super::scene::{Item, ProcessId, Publish, Question, Scene, Sender};
use commit::Writes;
use egress::Egress;
use operator::{directory_of, told_operator};

/// The secret behind accept tokens: the same at every start.
const TOKEN_KEY: [u8; 32] = [7; 32];
/// Requests held in memory, as in the shipped configuration.
const HOT_MAX: usize = 200_000;
/// A process looks at its engine at least this much later.
const PAUSE_MIN: DurationMs = DurationMs(1);

/// Why a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Died {
    /// Killed.
    Killed,
    /// Its store failed: it ended itself.
    Store,
}

/// What every life of the broker is started with.
#[derive(Debug, Clone)]
pub struct Setup {
    pub policy: Policy,
    pub catalog: Catalog,
    pub provider: ProviderId,
}

/// Who waits for the engine's word.
#[derive(Debug)]
enum Waiter {
    Message(Delivery),
    Call {
        sent: usize,
        about: Option<RequestId>,
    },
    Human,
    /// Whoever steers partners.
    Operator(Box<Word>),
}

/// See the module.
pub struct Node {
    pub id: ProcessId,
    /// The connection in force, by the life of the server it was made to.
    pub connection: Option<u64>,
    pub paused_until: Option<Timestamp>,
    hands: Hands,
    clock: Clock,
    started: Timestamp,
    wall_at_start: Timestamp,
    engine: Engine,
    decoder: Decoder,
    context: WireContext,
    inputs: VecDeque<Input>,
    waiters: BTreeMap<u64, Waiter>,
    next_origin: u64,
    asked: Asked,
    positions: Positions,
    /// Requests found at the start that are not loaded yet.
    recovering: usize,
    writes: Writes,
    egress: Egress,
    wake_at: Option<Timestamp>,
}

impl Node {
    /// Opens the store and goes on with what was active. The server is reachable.
    pub fn start(id: ProcessId, setup: &Setup, scene: &mut Scene) -> Result<Self, Died> {
        let hands = Hands::default();
        hands.set(scene.wall(), DurationMs::ZERO);
        let clock = Clock::new(hands.clone());
        let meta: Meta = scene.reader.meta().expect("the twin can always be read");
        clock.not_before(meta.last_at);
        let snapshot = scene.reader.ranking().expect("the twin can always be read");
        let partners = directory_of(id, &setup.policy.partners, scene);
        let config = EngineConfig {
            policy: Policy { partners: partners.clone(), ..setup.policy.clone() },
            boot_epoch: id.0,
            token_key: TOKEN_KEY,
            hot_max: HOT_MAX,
            ranking: RankingStart { seed: scene.luck.options.parties_seed, snapshot },
        };
        let positions = Positions::default();
        let mut node = Self {
            id,
            connection: Some(scene.network.generation),
            paused_until: None,
            started: scene.now,
            wall_at_start: scene.wall(),
            engine: Engine::new(config, clock.now()),
            asked: Asked::new(partners.len()),
            decoder: Decoder {
                catalog: setup.catalog.clone(),
                partners,
                horizon: Horizon::of(&setup.policy),
                provider: setup.provider.clone(),
                clock: clock.clone(),
                sampling: Sampling::default(),
            },
            context: WireContext {
                incarnation: meta.incarnation,
                provider: setup.provider.clone(),
            },
            egress: Egress::new(&meta, positions.clone()),
            hands,
            clock,
            inputs: VecDeque::new(),
            waiters: BTreeMap::new(),
            next_origin: 0,
            positions,
            recovering: 0,
            writes: Writes::default(),
            wake_at: None,
        };
        node.recover(scene)?;
        Ok(node)
    }

    fn recover(&mut self, scene: &mut Scene) -> Result<(), Died> {
        let inputs = &mut self.inputs;
        let found = storage::recover(scene.reader.as_ref(), |input| inputs.push_back(input));
        self.recovering = found.expect("the twin can always be read");
        if self.recovering > 0 {
            self.may_die(scene)?;
        }
        self.turn(scene)
    }

    /// Killed here, if chance wants it.
    fn may_die(&self, scene: &mut Scene) -> Result<(), Died> {
        let fault = if self.recovering > 0 { Fault::CrashInRecovery } else { Fault::CrashAtOutput };
        if scene.luck.strikes(fault) { Err(Died::Killed) } else { Ok(()) }
    }

    /// Moves the hands of this process' clocks to the present.
    pub fn look_at_clock(&self, scene: &Scene) {
        self.hands.set(scene.wall(), scene.now.since(self.started));
    }

    fn engine_takes(&mut self, input: Input) {
        let now = self.clock.now();
        self.engine.time_is_steady_since(self.clock.steady_since());
        self.engine.handle(input, now);
    }

    /// One turn of the engine thread, then one of egress.
    pub fn turn(&mut self, scene: &mut Scene) -> Result<(), Died> {
        loop {
            while let Some(input) = self.inputs.pop_front() {
                self.engine_takes(input);
            }
            let now = self.clock.now();
            if self.engine.poll_timeout().is_some_and(|(at, _)| at <= now) {
                self.engine_takes(Input::Tick);
            }
            while let Some(output) = self.engine.poll_output() {
                self.perform(output, scene)?;
            }
            if self.inputs.is_empty() {
                break;
            }
        }
        self.egress_turn(scene)?;
        self.arrange_wake(scene);
        Ok(())
    }

    fn perform(&mut self, output: Output, scene: &mut Scene) -> Result<(), Died> {
        if let Output::Observe(fact) = &output {
            scene.luck.coverage.note_fact(fact);
            return Ok(());
        }
        self.may_die(scene)?;
        match output {
            Output::Load(request) => {
                scene.after(DurationMs::ZERO, Item::Read(self.id, Question::Load(request)));
            }
            Output::ScanTimers { until } => {
                scene.after(DurationMs::ZERO, Item::Read(self.id, Question::Timers(until)));
            }
            Output::Commit { token, batch } => self.write_batch(token, batch, scene),
            Output::Ask { partner, questions } => {
                let profile = self.decoder.partners.at(partner).clone();
                for asking in send::messages(&profile, questions) {
                    self.ask(partner, asking, scene);
                }
            }
            Output::Done { origin, answer } => self.done(origin, answer, scene),
            Output::SaveRanking(snapshot) => self.keep_ranking(snapshot, scene),
            Output::Observe(_) => {}
        }
        Ok(())
    }

    fn ask(
        &mut self,
        partner: broker_core::partner::PartnerIndex,
        asking: send::Asking,
        scene: &mut Scene,
    ) {
        if self.connection.is_none() {
            return self.inputs.push_back(Input::NotSent { calls: asking.calls });
        }
        let send::Asking { subject, reply, id, calls, body, trace: _ } = asking;
        match reply {
            Some(_) => {
                self.asked.note(partner, calls, scene.instant());
                scene.ask(self.id, &subject, &body);
            }
            None => {
                let message = Message { subject, id: Some(id.to_string()), cursor: None, body };
                scene.publish(Publish { from: Sender::Broker, message });
            }
        }
    }

    fn origin(&mut self, waiter: Waiter) -> Origin {
        let origin = self.next_origin;
        self.next_origin += 1;
        self.waiters.insert(origin, waiter);
        Origin(origin)
    }

    fn done(&mut self, origin: Origin, answer: Answer, scene: &mut Scene) {
        match self.waiters.remove(&origin.0) {
            Some(Waiter::Message(delivery)) => self.decided(delivery, answer, scene),
            Some(Waiter::Call { sent, about }) => self.replied(sent, about, answer, scene),
            Some(Waiter::Operator(word)) => told_operator(&word, &answer, scene),
            Some(Waiter::Human) | None => {}
        }
    }

    /// The store answers a question of the engine.
    pub fn read(&mut self, question: Question, scene: &mut Scene) -> Result<(), Died> {
        let input = match question {
            Question::Load(request) => {
                let stored = scene.reader.load(request).expect("the twin can always be read");
                self.recovering = self.recovering.saturating_sub(1);
                Input::Loaded { request, stored: stored.map(Box::new) }
            }
            Question::Timers(until) => storage::due_timers(scene.reader.as_ref(), until)
                .expect("the twin can always be read"),
        };
        self.inputs.push_back(input);
        self.turn(scene)
    }

    /// Something may be due.
    pub fn wake(&mut self, scene: &mut Scene) -> Result<(), Died> {
        if self.wake_at.is_some_and(|at| at <= scene.now) {
            self.wake_at = None;
        }
        self.turn(scene)
    }

    /// Arranges to be called when the next thing is due.
    fn arrange_wake(&mut self, scene: &mut Scene) {
        let now = self.clock.now();
        // A clock that was set back stands still until the hands have caught up with it.
        let stands_ms = now.since(scene.wall().max(self.steady(scene)));
        let engine = self.engine.poll_timeout().map(|(at, _)| {
            let wait = DurationMs(at.since(now).as_ms() + stands_ms.as_ms());
            scene.now.saturating_add(wait.max(PAUSE_MIN))
        });
        let due = [engine, self.egress_due(scene)].into_iter().flatten().min();
        let Some(due) = due else { return };
        let due = due.max(scene.now.saturating_add(PAUSE_MIN));
        if self.wake_at.is_none_or(|at| at > due) {
            self.wake_at = Some(due);
            scene.agenda.push(due, Item::Wake(self.id));
        }
    }

    /// The wall clock at the start and the time since.
    fn steady(&self, scene: &Scene) -> Timestamp {
        self.wall_at_start.saturating_add(scene.now.since(self.started))
    }

    /// A connection was made.
    pub fn connected(&mut self, scene: &mut Scene) -> Result<(), Died> {
        self.connection = Some(scene.network.generation);
        self.turn(scene)
    }

    pub fn disconnected(&mut self) {
        self.connection = None;
    }

    /// Everything durable has left and is acknowledged.
    pub fn is_idle(&self) -> bool {
        self.inputs.is_empty()
            && self.waiters.is_empty()
            && self.writes.are_empty()
            && self.egress.is_idle()
    }
}
