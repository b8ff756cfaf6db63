//! What all parts of the world share: the time, the agenda, the wires, the server's disk, the
//! broker's disk, chance, and what is written down.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::jetstream::AckKind;
use broker::clock::agreement::DISAGREEMENT_MAX_MS;
use broker::egress::ack::Ack;
use broker::ingress::session::when_done;
use broker::store::{Incarnation, MemStore, Reader, Store};
use bytes::Bytes;
use schemas::purchase::CommandReply;
use schemas::stream::{name, simulator_commands_consumer, simulator_quotes_consumer};
use schemas::{DurationMs, RequestId, Timestamp};

use super::agenda::Agenda;
use super::clock::START;
use super::fault::Fault;
use super::jetstream::{BROKER_CONSUMERS, ConsumerIx, Delivery, JetStream, Message};
use super::luck::Luck;
use super::network::Network;
use super::trace::Trace;
use crate::auditor::{Promise, Seen, Trouble, Violation};

/// One life of the broker's process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProcessId(pub u32);

/// The store's name in message ids.
const INCARNATION: Incarnation = Incarnation(0x51a);
/// One way through the network when nothing is wrong.
const HOP_MS: DurationMs = DurationMs(1);
/// Shortest and longest time after which a ghost is stored, milliseconds.
const GHOST_MS: (u32, u32) = (500, 9_000);

/// Something that is going to happen.
#[derive(Debug)]
pub enum Item {
    /// A customer acts.
    Act(usize),
    /// A customer waits no longer for the answer to what was sent.
    GiveUp(usize),
    /// The broker's reply reaches a customer.
    Reply { sent: usize, reply: Box<CommandReply> },
    /// A notification reaches its customer.
    Notified(usize),
    /// A publish reaches the server.
    Arrive { publish: Box<Publish>, generation: u64 },
    /// The server's acknowledgement reaches the publisher.
    Acked { to: Sender, ack: Ack, generation: u64 },
    /// A message of a stream reaches its reader.
    Deliver { to: Peer, delivery: Delivery },
    /// A reader's word about a delivery reaches the server.
    Settle { delivery: Delivery, until: Option<Timestamp>, generation: u64 },
    /// Deliveries of a consumer may be due again.
    Due(ConsumerIx),
    /// A live question reaches the stores.
    Question { from: ProcessId, subject: String, body: Bytes, generation: u64 },
    /// The server says that nobody listens for a question.
    Unheard { to: ProcessId, subject: String },
    /// A store says something outside of streams: its place in the tap is not given yet.
    Spoken { subject: String, body: Bytes, life: u32 },
    /// What a store said reaches the broker.
    Heard { to: ProcessId, tapped: usize, generation: u64 },
    /// A call of the micro service reaches the broker.
    Call { to: ProcessId, sent: usize, generation: u64 },
    /// A process of the broker is started.
    Start,
    /// It has a connection (again).
    Connect(ProcessId),
    /// It notices that the server does not answer.
    Disconnect(ProcessId),
    /// Something of it is due.
    Wake(ProcessId),
    /// Its store answers a question.
    Read(ProcessId, Question),
    /// Its store has synced a group.
    Synced(ProcessId),
    /// It is ended from outside.
    Exit(ProcessId),
    /// It stood still and goes on.
    Resume(ProcessId),
    /// An answer that the stores owe is to be sent.
    Owed(u64),
    /// The stores' process is back.
    PartiesUp,
    /// The server is back.
    ServerUp,
    /// The broker's wall clock is right again.
    ClockRight,
    /// An opportunity for faults that last.
    Beat,
    /// A human has looked at a request that was left to one.
    Human(RequestId),
}

/// Who reads a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    Broker(ProcessId),
    Parties,
}

/// A question to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    Load(RequestId),
    Timers(Timestamp),
}

/// A message on its way into a stream.
#[derive(Debug)]
pub struct Publish {
    pub from: Sender,
    pub message: Message,
}

/// Who wants to know what became of a publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    Egress {
        process: ProcessId,
        row: u64,
    },
    /// The broker, not waiting for an answer.
    Broker,
    Customer {
        sent: usize,
    },
    Parties {
        owed: u64,
    },
    Nobody,
}

/// See the module.
pub struct Scene {
    pub now: Timestamp,
    pub agenda: Agenda<Item>,
    pub luck: Luck,
    pub network: Network,
    pub jetstream: JetStream,
    pub store: MemStore,
    pub reader: Arc<dyn Reader>,
    /// Processes of the broker that read streams, listen and serve.
    pub serving: Vec<ProcessId>,
    pub parties_up: bool,
    /// How far the wall clock of the broker's host is off, milliseconds.
    pub wall_off_ms: i64,
    /// What was said outside of streams.
    pub tap: Vec<Seen>,
    pub trace: Trace,
    pub events: u64,
    /// What was seen to be wrong while it happened.
    pub violations: Vec<Violation>,
    /// Instant of [`START`] for code that counts in instants.
    base: Instant,
    due_at: Vec<Option<Timestamp>>,
    /// When the last publish of the broker arrives.
    broker_sent_until: Timestamp,
}

impl Scene {
    pub fn new(luck: Luck, provider: &schemas::ProviderId) -> Self {
        let readers = vec![
            simulator_commands_consumer(),
            simulator_quotes_consumer(),
            schemas::stream::payment_commands_consumer(provider),
        ];
        let store = MemStore::new(INCARNATION);
        let jetstream = JetStream::new(readers, START);
        Self {
            now: START,
            agenda: Agenda::default(),
            luck,
            network: Network::default(),
            due_at: vec![None; jetstream.consumers().count()],
            jetstream,
            reader: store.reader(),
            store,
            serving: Vec::new(),
            parties_up: true,
            wall_off_ms: 0,
            tap: Vec::new(),
            trace: Trace::default(),
            events: 0,
            violations: Vec::new(),
            broker_sent_until: START,
            base: Instant::now(),
        }
    }

    pub fn after(&mut self, pause: DurationMs, item: Item) {
        self.agenda.push(self.now.saturating_add(pause), item);
    }

    /// Now, for code that counts in instants.
    pub fn instant(&self) -> Instant {
        self.base + Duration::from(self.now.since(START))
    }

    /// The virtual time of an instant.
    pub fn time_of(&self, instant: Instant) -> Timestamp {
        let ms = instant.saturating_duration_since(self.base).as_millis();
        START.saturating_add(DurationMs(u64::try_from(ms).unwrap_or(u64::MAX)))
    }

    /// Whether a broker that is started now finds the wall clock behind what its store remembers.
    pub fn store_knows_better(&self) -> bool {
        let meta = self.reader.meta().expect("the twin can always be read");
        self.wall().saturating_add(DISAGREEMENT_MAX_MS) < meta.last_at
    }

    /// The wall clock of the broker's host.
    pub fn wall(&self) -> Timestamp {
        let ms = self.now.as_unix_ms().saturating_add_signed(self.wall_off_ms);
        Timestamp::from_unix_ms(ms)
    }

    pub fn violated(
        &mut self,
        promise: Promise,
        check: &'static str,
        request: Option<RequestId>,
        said: String,
    ) {
        self.violations.push(Violation { check, promise, request, said });
    }

    /// How long a message takes.
    pub fn hop(&mut self) -> DurationMs {
        if !self.luck.strikes(Fault::Delayed) {
            return HOP_MS;
        }
        let max = self.luck.options.network_delay_max_ms.max(2);
        let takes = self.luck.within(Fault::Delayed, 2, max);
        self.luck.disturb(Trouble::Network, self.now, self.now.saturating_add(takes));
        takes
    }

    /// Sends a message to a stream.
    pub fn publish(&mut self, publish: Publish) {
        let of_broker = matches!(publish.from, Sender::Egress { .. } | Sender::Broker);
        let cut = of_broker && !self.network.broker_is_heard(self.now);
        let generation = self.network.generation;
        if self.luck.strikes(Fault::GhostPublish) {
            let wait = self.luck.within(Fault::GhostPublish, GHOST_MS.0, GHOST_MS.1);
            self.luck.disturb(Trouble::Network, self.now, self.now.saturating_add(wait));
            let ghost = Publish { from: Sender::Nobody, ..publish };
            // It sits in some buffer and survives the server.
            return self.after(wait, Item::Arrive { publish: Box::new(ghost), generation: 0 });
        }
        if cut || self.luck.strikes(Fault::PublishLost) {
            return self.luck.disturb(Trouble::Network, self.now, self.now);
        }
        let takes = self.hop();
        let mut at = self.now.saturating_add(takes);
        if of_broker {
            // One connection keeps its order.
            at = at.max(self.broker_sent_until);
            self.broker_sent_until = at;
        }
        self.agenda.push(at, Item::Arrive { publish: Box::new(publish), generation });
    }

    /// A publish has reached the server.
    pub fn arrive(&mut self, publish: Publish, generation: u64) {
        let is_ghost = generation == 0;
        if !self.network.server_up || (!is_ghost && self.network.generation != generation) {
            return;
        }
        let Publish { from, message } = publish;
        let Some(stream) = self.jetstream.stream_of(&message.subject) else {
            let ack = Ack::Refused { why: "no stream takes this subject".to_owned() };
            return self.answer(from, ack);
        };
        let (ack, place) = self.jetstream.store(stream, message, self.now);
        if let Some(place) = place {
            self.trace.bytes(&self.jetstream.seen(place).body);
            if self.jetstream.spec(stream).name == name::NOTIFICATIONS {
                self.after(HOP_MS, Item::Notified(place));
            }
            let readers: Vec<ConsumerIx> = self.jetstream.readers_of(stream).collect();
            readers.into_iter().for_each(|reader| self.pump(reader));
        }
        self.answer(from, ack);
    }

    fn answer(&mut self, to: Sender, ack: Ack) {
        match to {
            Sender::Nobody | Sender::Broker => return,
            Sender::Egress { .. } if !self.network.broker_hears(self.now) => return,
            Sender::Egress { .. } | Sender::Customer { .. } | Sender::Parties { .. } => {}
        }
        if self.luck.strikes(Fault::AckLost) {
            return self.luck.disturb(Trouble::Network, self.now, self.now);
        }
        let takes = self.hop();
        let generation = self.network.generation;
        self.after(takes, Item::Acked { to, ack, generation });
    }

    /// Delivers what a consumer has and its readers have room for.
    pub fn pump(&mut self, consumer: ConsumerIx) {
        while self.network.server_up
            && let Some(to) = self.reader_of(consumer)
            && let Some(delivery) = self.jetstream.take(consumer, self.now)
        {
            self.deliver(to, delivery);
            if self.luck.strikes(Fault::Redelivered) {
                self.deliver(to, delivery);
            }
        }
        self.look_again(consumer);
    }

    fn deliver(&mut self, to: Peer, delivery: Delivery) {
        let cut = matches!(to, Peer::Broker(_)) && !self.network.broker_hears(self.now);
        // What is cut off comes again after its ack wait.
        if !cut {
            let takes = self.hop();
            let delivery = Delivery { generation: self.network.generation, ..delivery };
            self.after(takes, Item::Deliver { to, delivery });
        }
    }

    fn reader_of(&mut self, consumer: ConsumerIx) -> Option<Peer> {
        if consumer.0 >= BROKER_CONSUMERS {
            return self.parties_up.then_some(Peer::Parties);
        }
        self.some_process().map(Peer::Broker)
    }

    /// One of the processes that serve.
    pub fn some_process(&mut self) -> Option<ProcessId> {
        match self.serving.as_slice() {
            [] => None,
            [only] => Some(*only),
            several => {
                let count = u32::try_from(several.len()).unwrap_or(u32::MAX);
                let which = self.luck.choices.below(super::choices::Lane::Network, count);
                self.serving.get(which as usize).copied()
            }
        }
    }

    fn look_again(&mut self, consumer: ConsumerIx) {
        let Some(due) = self.jetstream.next_due(consumer) else { return };
        if self.due_at[consumer.0].is_none_or(|at| at > due) {
            self.due_at[consumer.0] = Some(due);
            self.agenda.push(due, Item::Due(consumer));
        }
    }

    /// The time to look at a consumer's deliveries has come.
    pub fn due(&mut self, consumer: ConsumerIx) {
        if self.due_at[consumer.0].is_some_and(|at| at <= self.now) {
            self.due_at[consumer.0] = None;
        }
        self.jetstream.expire(consumer, self.now);
        self.pump(consumer);
    }

    pub fn pump_all(&mut self) {
        self.jetstream.consumers().for_each(|consumer| self.pump(consumer));
    }

    /// A process of the broker has dealt with a message.
    pub fn done(&mut self, by: ProcessId, delivery: Delivery) {
        let until = match when_done(self.network.carries(delivery.generation)) {
            AckKind::Ack => None,
            _ => Some(self.now),
        };
        self.settle(Peer::Broker(by), delivery, until);
    }

    /// A reader is done with a delivery, or wants it back at an instant.
    pub fn settle(&mut self, from: Peer, delivery: Delivery, until: Option<Timestamp>) {
        let cut = matches!(from, Peer::Broker(_)) && !self.network.broker_is_heard(self.now);
        let lost = cut || self.luck.strikes(Fault::AckLost);
        if !lost {
            let generation = self.network.generation;
            self.after(HOP_MS, Item::Settle { delivery, until, generation });
        }
    }

    /// A reader's word has reached the server.
    pub fn settled(&mut self, delivery: Delivery, until: Option<Timestamp>) {
        match until {
            None => self.jetstream.ack(delivery, self.now),
            Some(until) => self.jetstream.nak(delivery, until.max(self.now)),
        }
        self.pump(delivery.consumer);
    }

    /// How often a core message arrives, and after how long: lost, once or twice.
    pub fn core(&mut self) -> Vec<DurationMs> {
        if self.luck.strikes(Fault::CoreLost) {
            self.luck.disturb(Trouble::Network, self.now, self.now);
            return Vec::new();
        }
        let mut arrivals = vec![self.hop()];
        if self.luck.strikes(Fault::CoreDoubled) {
            let second = self.hop();
            arrivals.push(DurationMs(second.as_ms() + 1));
        }
        arrivals
    }

    /// A live question leaves the broker.
    pub fn ask(&mut self, from: ProcessId, subject: &str, body: &Bytes) {
        if !self.network.broker_is_heard(self.now) {
            return;
        }
        for takes in self.core() {
            let (subject, body) = (subject.to_owned(), body.clone());
            let generation = self.network.generation;
            self.after(takes, Item::Question { from, subject, body, generation });
        }
    }

    /// A store says something to the broker outside of streams.
    pub fn speak(&mut self, subject: String, body: Bytes) {
        if !self.network.server_up {
            return;
        }
        self.trace.bytes(&body);
        let tapped = self.tap.len();
        self.tap.push(Seen { subject, message_id: None, body, at: self.now, stored: None });
        if !self.network.broker_hears(self.now) {
            return;
        }
        for to in self.serving.clone() {
            for takes in self.core() {
                let generation = self.network.generation;
                self.after(takes, Item::Heard { to, tapped, generation });
            }
        }
    }

    /// The broker answers a call.
    pub fn reply(&mut self, sent: usize, reply: &CommandReply) {
        if !self.network.broker_is_heard(self.now) {
            return;
        }
        for takes in self.core() {
            self.after(takes, Item::Reply { sent, reply: Box::new(reply.clone()) });
        }
    }
}
