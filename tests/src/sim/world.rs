//! The world of one run: who is in it, and what each item of the agenda does to whom.

pub mod human;
mod strangers;
mod strike;

use std::collections::BTreeMap;

use broker_core::Policy;
use broker_core::partner::Partners;
use partner_sim::SimConfig;
use partner_sim::config::PaymentConfig;
use partner_sim::fault::Permille;
use partner_sim::payment::{PaymentFaults, PaymentSettings};
use schemas::catalog::{Catalog, CatalogEntry};
use schemas::{DurationMs, Timestamp, json};

use super::buyers::Buyers;
use super::choices::Lane;
use super::clock::START;
use super::doors::Doors;
use super::fault::Fault;
use super::jetstream::{BROKER_CONSUMERS, StreamIx};
use super::luck::Luck;
use super::node::{Died, Node, Setup};
use super::options::Options;
use super::parties::Parties;
use super::scene::{Item, Peer, ProcessId, Scene, Sender};
use crate::auditor::Trouble;

/// A killed broker is started again after one of these, milliseconds.
const RESTART_MS: [u64; 4] = [50, 500, 3_000, 20_000];
/// A long outage lasts between these, milliseconds.
const LONG_OUTAGE_MS: (u32, u32) = (60_000, 7_200_000);
/// A broker that finds no server looks again after this.
const CONNECT_PAUSE_MS: DurationMs = DurationMs(250);
/// Of two owners of the store one outlives the other by at most this, milliseconds.
const SURVIVES_MAX_MS: u32 = 5_000;
/// Kills of the broker in one run; after them it lives.
const DEATHS_MAX: u32 = 60;

/// See the module.
pub struct World {
    pub scene: Scene,
    pub setup: Setup,
    pub nodes: BTreeMap<ProcessId, Node>,
    pub parties: Parties,
    pub doors: Doors,
    /// Messages that the server had acknowledged and lost before the broker read them, and when.
    pub lost: Vec<(usize, Timestamp)>,
    processes: u32,
    deaths: u32,
    /// Starts on the agenda.
    starting: usize,
    /// What the server will have lost when it is back.
    damage: Vec<Damage>,
    /// What came for processes that stand still.
    held: BTreeMap<ProcessId, Vec<Item>>,
    /// Since when there have been two owners of the store.
    two_since: Option<Timestamp>,
    /// Some clock of the broker was wrong. Two owners with different ideas of the time would write
    /// a history that goes back and forth.
    clock_was_wrong: bool,
}

/// What a killed server comes back with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Damage {
    ForgotIds(StreamIx),
    ForgotAcks,
    ForgotCounts,
    LostTail(StreamIx),
    LostStream(StreamIx),
}

impl World {
    /// Before anything has happened: the first start and all opening acts are on the agenda.
    pub fn new(luck: Luck, buyers: Box<dyn Buyers>) -> Self {
        let shelves = buyers.shelves();
        let config = config(&luck.options, &shelves.stock, &shelves.price);
        let world = partner_sim::World::new(&config).expect("options name stores that can be made");
        let directory = world.directory();
        let version = directory.version();
        let (search, sharing) = (luck.options.search, luck.options.sharing);
        let load = luck.options.load;
        let stores = directory.partners.into_iter().map(broker::directory::profile);
        let profiles = stores.map(|store| sharing.of_store(store)).collect();
        let absence_span = DurationMs(u64::from(luck.options.absence_span_ms));
        let standard = Policy::standard(Partners::new(profiles, version));
        let setup = Setup {
            policy: load.applied_to(sharing.applied_to(search.applied_to(Policy {
                absence_span,
                human_after: DurationMs(luck.options.human_after_ms.into()),
                ..standard
            }))),
            catalog: catalog(&shelves.catalog),
            provider: config.payment.provider,
        };
        let mut scene = Scene::new(luck, &setup.provider);
        let mut parties = Parties::new(world);
        if scene.luck.strikes(Fault::ClockSkew) {
            parties.clock_off_ms = strike::skew(&mut scene.luck);
        }
        let mut doors = Doors::new(buyers);
        scene.after(DurationMs::ZERO, Item::Start);
        doors.open(&mut scene);
        let mut world = Self {
            scene,
            setup,
            nodes: BTreeMap::new(),
            parties,
            doors,
            lost: Vec::new(),
            processes: 0,
            deaths: 0,
            starting: 1,
            damage: Vec::new(),
            held: BTreeMap::new(),
            two_since: None,
            clock_was_wrong: false,
        };
        world.plan_beats();
        world
    }

    /// Takes the next item; false if there is none.
    pub fn step(&mut self) -> bool {
        let Some((at, item)) = self.scene.agenda.pop() else { return false };
        self.scene.now = at;
        self.scene.events += 1;
        self.scene.trace.word(at.as_unix_ms());
        self.scene.trace.word(tag(&item));
        match self.standing_still(&item) {
            Some(process) => self.held.entry(process).or_default().push(item),
            None => self.perform(item),
        }
        true
    }

    fn perform(&mut self, item: Item) {
        let scene = &mut self.scene;
        match item {
            Item::Act(which) => self.doors.act(which, scene),
            Item::GiveUp(sent) => self.doors.give_up(sent, scene),
            Item::Reply { sent, reply } => self.doors.replied(sent, reply, scene),
            Item::Notified(place) => self.doors.notified(place, scene),
            Item::Arrive { publish, generation } => scene.arrive(*publish, generation),
            Item::Due(consumer) => scene.due(consumer),
            Item::Settle { delivery, until, generation } => {
                if scene.network.carries(generation) {
                    scene.settled(delivery, until);
                }
            }
            Item::Acked { to, ack, generation } => self.acked(to, ack, generation),
            Item::Deliver { to, delivery } => {
                if scene.network.carries(delivery.generation) {
                    match to {
                        Peer::Parties if scene.parties_up => self.parties.deliver(delivery, scene),
                        Peer::Parties => {}
                        Peer::Broker(id) => self.node(id, |node, s| node.deliver(delivery, s)),
                    }
                }
            }
            Item::Question { from, subject, body, generation } => {
                if !scene.network.carries(generation) {
                    return;
                }
                if scene.parties_up {
                    self.parties.asked(&subject, &body, scene);
                } else {
                    scene.after(DurationMs(1), Item::Unheard { to: from, subject });
                }
            }
            Item::Spoken { subject, body, life } => {
                if scene.parties_up && life == self.parties.life {
                    scene.speak(subject, body);
                }
            }
            Item::Owed(number) => self.parties.send(number, scene),
            Item::PartiesUp => self.parties_up(),
            Item::ServerUp => self.server_up(),
            Item::ClockRight => scene.wall_off_ms = 0,
            Item::Beat => self.beat(),
            Item::Human(request) => self.human(request),
            of_broker => self.perform_in_broker(of_broker),
        }
    }

    fn perform_in_broker(&mut self, item: Item) {
        match item {
            Item::Start => self.start(),
            Item::Exit(id) => self.died(id),
            Item::Resume(id) => self.resume(id),
            Item::Connect(id) => self.connect(id),
            Item::Disconnect(id) => self.disconnect(id),
            Item::Wake(id) => self.node(id, |node, scene| node.wake(scene)),
            Item::Read(id, question) => self.node(id, |node, scene| node.read(question, scene)),
            Item::Synced(id) => self.node(id, |node, scene| node.synced(scene)),
            Item::Heard { to, tapped, generation } => {
                if self.scene.network.carries(generation) {
                    self.node(to, |node, scene| node.hear(tapped, scene));
                }
            }
            Item::Unheard { to, subject } => {
                self.node(to, |node, scene| node.unheard(&subject, scene));
            }
            Item::Call { to, sent, generation } => {
                if self.scene.network.carries(generation)
                    && let Some(node) = self.nodes.get_mut(&to)
                {
                    node.look_at_clock(&self.scene);
                    let called = node.call(sent, &self.doors.sent[sent], &mut self.scene);
                    self.outlives(to, called);
                }
            }
            other => unreachable!("not the broker's: {other:?}"),
        }
    }

    fn acked(&mut self, to: Sender, ack: broker::egress::ack::Ack, generation: u64) {
        let scene = &mut self.scene;
        if !scene.network.carries(generation) {
            return;
        }
        match to {
            Sender::Customer { sent } => self.doors.acked(sent, ack, scene),
            Sender::Parties { owed } => {
                if matches!(ack, broker::egress::ack::Ack::Stored { .. }) {
                    self.parties.stored(owed, scene);
                }
            }
            Sender::Egress { process, row } => {
                self.node(process, |node, scene| node.acked(row, ack, scene));
            }
            Sender::Broker | Sender::Nobody => {}
        }
    }

    /// The process that an item is for, if it stands still.
    fn standing_still(&self, item: &Item) -> Option<ProcessId> {
        let process = match item {
            Item::Wake(id) | Item::Read(id, _) | Item::Synced(id) => *id,
            Item::Heard { to, .. } | Item::Unheard { to, .. } | Item::Call { to, .. } => *to,
            Item::Deliver { to: Peer::Broker(id), .. } => *id,
            Item::Acked { to: Sender::Egress { process, .. }, .. } => *process,
            _ => return None,
        };
        self.nodes.get(&process)?.paused_until.map(|_| process)
    }

    /// Everything that came for a process while it stood still comes now.
    pub fn resume(&mut self, id: ProcessId) {
        let now = self.scene.now;
        if let Some(node) = self.nodes.get_mut(&id) {
            if node.paused_until.is_some_and(|until| until > now) && !self.scene.luck.is_healed() {
                return;
            }
            node.paused_until = None;
        }
        for item in self.held.remove(&id).unwrap_or_default() {
            self.scene.agenda.push(now, item);
        }
    }

    fn node(&mut self, id: ProcessId, f: impl FnOnce(&mut Node, &mut Scene) -> Result<(), Died>) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        node.look_at_clock(&self.scene);
        let lives = f(node, &mut self.scene);
        self.outlives(id, lives);
    }

    fn outlives(&mut self, id: ProcessId, lives: Result<(), Died>) {
        if lives.is_err() {
            self.died(id);
        }
    }

    /// A process is gone. Somebody starts another one, unless there is another one.
    ///
    /// What a second owner has in memory may be older than what the first one wrote, and where no
    /// commit is needed nothing tells it. The store's lock excludes two owners; here the survivor
    /// is ended too, and what both have read comes again to whoever is started next.
    pub fn died(&mut self, id: ProcessId) {
        let Some(node) = self.nodes.remove(&id) else { return };
        node.die(&mut self.scene);
        self.scene.serving.retain(|serving| *serving != id);
        if let Some(survivor) = self.nodes.keys().next().copied() {
            let pause = self.scene.luck.choices.within(Lane::Crash, 1, SURVIVES_MAX_MS);
            self.scene.after(DurationMs(u64::from(pause)), Item::Exit(survivor));
        } else if let Some(since) = self.two_since.take() {
            self.scene.luck.disturb_since(Trouble::BrokerPaused, since, self.scene.now);
            let jetstream = &mut self.scene.jetstream;
            let read = jetstream.consumers().take(BROKER_CONSUMERS);
            read.for_each(|consumer| jetstream.roll_back(consumer, since, false));
        }
        self.held.remove(&id);
        self.after_death();
    }

    fn after_death(&mut self) {
        self.deaths += 1;
        if self.deaths >= DEATHS_MAX {
            self.scene.luck.spare_the_broker();
        }
        if !self.nodes.is_empty() || self.starting > 0 {
            return;
        }
        let pause = if self.scene.luck.strikes(Fault::LongOutage) {
            self.scene.luck.within(Fault::LongOutage, LONG_OUTAGE_MS.0, LONG_OUTAGE_MS.1)
        } else {
            DurationMs(*self.scene.luck.choices.pick(Lane::Crash, &RESTART_MS))
        };
        let (now, until) = (self.scene.now, self.scene.now.saturating_add(pause));
        self.scene.luck.disturb(Trouble::BrokerDown, now, until);
        self.start_after(pause);
    }

    pub fn start_after(&mut self, pause: DurationMs) {
        self.starting += 1;
        self.scene.after(pause, Item::Start);
    }

    pub fn is_starting(&self) -> bool {
        self.starting > 0
    }

    fn start(&mut self) {
        self.starting -= 1;
        // It came too late to be the second owner.
        if self.scene.luck.is_healed() && !self.nodes.is_empty() {
            return;
        }
        if !self.scene.network.broker_can_ask(self.scene.now) {
            return self.start_after(CONNECT_PAUSE_MS);
        }
        if self.scene.wall_off_ms != 0 && !self.scene.store_knows_better() {
            let now = self.scene.now;
            self.scene.luck.disturb(Trouble::BootClock, now, Timestamp::MAX);
        }
        self.processes += 1;
        let id = ProcessId(self.processes);
        match Node::start(id, &self.setup, &mut self.scene) {
            Ok(node) => {
                if !self.nodes.is_empty() {
                    self.two_since.get_or_insert(self.scene.now);
                }
                self.nodes.insert(id, node);
                self.scene.serving.push(id);
                self.scene.pump_all();
            }
            Err(_) => self.after_death(),
        }
    }

    fn connect(&mut self, id: ProcessId) {
        let now = self.scene.now;
        if !self.nodes.contains_key(&id) || self.scene.serving.contains(&id) {
            return;
        }
        if !self.scene.network.broker_can_ask(now) {
            return self.scene.after(CONNECT_PAUSE_MS, Item::Connect(id));
        }
        self.scene.serving.push(id);
        self.node(id, |node, scene| node.connected(scene));
        self.scene.pump_all();
    }

    fn disconnect(&mut self, id: ProcessId) {
        // It was only a short one.
        if self.scene.network.broker_can_ask(self.scene.now) {
            return;
        }
        self.scene.serving.retain(|serving| *serving != id);
        if let Some(node) = self.nodes.get_mut(&id) {
            node.disconnected();
            self.scene.after(CONNECT_PAUSE_MS, Item::Connect(id));
        }
    }

    fn parties_up(&mut self) {
        if !self.scene.parties_up {
            self.scene.parties_up = true;
            self.parties.restart(&mut self.scene);
            self.scene.pump_all();
        }
    }

    /// How often the broker was started.
    pub fn lives(&self) -> u64 {
        u64::from(self.processes)
    }

    /// How long the run has lasted.
    pub fn virtual_ms(&self) -> u64 {
        self.scene.now.since(START).as_ms()
    }
}

fn config(
    options: &Options,
    stock: &[partner_sim::config::StockScript],
    price: &[partner_sim::config::PriceScript],
) -> SimConfig {
    let trouble = u16::try_from(options.provider_trouble).unwrap_or(0).min(1000);
    let trouble = Permille::try_from(trouble).expect("capped to a thousand");
    let settings = PaymentSettings {
        fences: options.provider_fences,
        faults: PaymentFaults {
            declined_permille: trouble,
            action_required_permille: trouble,
            lost_permille: trouble,
            failed_permille: trouble,
        },
        ..PaymentSettings::default()
    };
    SimConfig {
        seed: options.parties_seed,
        payment: PaymentConfig { settings, ..PaymentConfig::default() },
        partners: options.groups(),
        stock: stock.to_vec(),
        price: price.to_vec(),
        ..SimConfig::default()
    }
}

fn catalog(entries: &[CatalogEntry]) -> Catalog {
    let lines: Vec<String> = entries
        .iter()
        .map(|entry| String::from_utf8(json::encode(entry)).expect("JSON is UTF-8"))
        .collect();
    Catalog::parse(&lines.join("\n")).expect("customers name books that can be listed")
}

/// What an item is, in one word, for the trace.
fn tag(item: &Item) -> u64 {
    let (kind, which) = match item {
        Item::Act(which) => (1, *which as u64),
        Item::GiveUp(sent) => (2, *sent as u64),
        Item::Reply { sent, .. } => (3, *sent as u64),
        Item::Notified(place) => (4, *place as u64),
        Item::Arrive { generation, .. } => (5, *generation),
        Item::Acked { generation, .. } => (6, *generation),
        Item::Deliver { delivery, .. } => (7, delivery.place as u64),
        Item::Settle { delivery, .. } => (8, delivery.place as u64),
        Item::Due(consumer) => (9, consumer.0 as u64),
        Item::Question { body, .. } => (10, body.len() as u64),
        Item::Unheard { to, .. } => (11, u64::from(to.0)),
        Item::Spoken { body, .. } => (12, body.len() as u64),
        Item::Heard { tapped, .. } => (13, *tapped as u64),
        Item::Call { sent, .. } => (14, *sent as u64),
        Item::Start => (15, 0),
        Item::Connect(id) => (16, u64::from(id.0)),
        Item::Disconnect(id) => (17, u64::from(id.0)),
        Item::Wake(id) => (18, u64::from(id.0)),
        Item::Read(id, _) => (19, u64::from(id.0)),
        Item::Synced(id) => (20, u64::from(id.0)),
        Item::Exit(id) => (21, u64::from(id.0)),
        Item::Owed(number) => (22, *number),
        Item::PartiesUp => (23, 0),
        Item::ServerUp => (24, 0),
        Item::ClockRight => (25, 0),
        Item::Beat => (26, 0),
        Item::Resume(id) => (27, u64::from(id.0)),
        Item::Human(_) => (28, 0),
    };
    kind << 48 | which
}
