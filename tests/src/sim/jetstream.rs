//! JetStream as it was measured: a pipe that stores what it acknowledges, mostly; that recognises
//! a message id as long as it still has the message and the window has not passed; and whose
//! consumers deliver at least once.
//!
//! Pure bookkeeping. When something arrives, and what goes wrong, is decided by the world.

mod consumer;
mod stream;

use broker::egress::ack::Ack;
use broker::egress::heal;
use bytes::Bytes;
use schemas::Timestamp;
use schemas::stream::{self as declared, ConsumerSpec, StreamSpec, broker_consumers};
use schemas::subject::filter;

use crate::auditor::Seen;
use consumer::Consumer;
use stream::Stream;

pub use consumer::Delivery;

/// A stream by its place in the declaration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct StreamIx(pub usize);

/// A consumer: the broker's four come first, in the order of its sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConsumerIx(pub usize);

/// How many consumers are the broker's.
pub const BROKER_CONSUMERS: usize = 4;

/// A message as its sender hands it over.
#[derive(Debug, Clone)]
pub struct Message {
    pub subject: String,
    /// `Nats-Msg-Id`.
    pub id: Option<String>,
    /// The broker's cursor when it was sent.
    pub cursor: Option<u64>,
    pub body: Bytes,
}

/// The server's disk.
#[derive(Debug)]
pub struct JetStream {
    streams: Vec<Stream>,
    consumers: Vec<Consumer>,
    /// Every message that was ever stored, whatever became of it.
    history: Vec<Seen>,
}

impl JetStream {
    pub fn new(readers: Vec<ConsumerSpec>, now: Timestamp) -> Self {
        let streams: Vec<Stream> =
            declared::all().into_iter().map(|spec| Stream::new(spec, now)).collect();
        let specs = broker_consumers().into_iter().chain(readers);
        let consumers = specs.map(|spec| {
            let at = streams.iter().position(|stream| stream.name() == spec.stream);
            Consumer::new(StreamIx(at.expect("consumers read declared streams")), spec)
        });
        let consumers = consumers.collect();
        Self { streams, consumers, history: Vec::new() }
    }

    /// The stream that stores `subject`.
    pub fn stream_of(&self, subject: &str) -> Option<StreamIx> {
        let captures = |stream: &Stream| stream.captures(subject);
        self.streams.iter().position(captures).map(StreamIx)
    }

    pub fn by_name(&self, name: &str) -> Option<StreamIx> {
        self.streams.iter().position(|stream| stream.name() == name).map(StreamIx)
    }

    pub fn streams(&self) -> impl Iterator<Item = StreamIx> + use<> {
        (0..self.streams.len()).map(StreamIx)
    }

    pub fn spec(&self, stream: StreamIx) -> &StreamSpec {
        self.streams[stream.0].spec()
    }

    /// Stores a message, unless its id is known or the stream is full. The number is the place in
    /// the history of a message that was stored now.
    pub fn store(
        &mut self,
        stream: StreamIx,
        message: Message,
        now: Timestamp,
    ) -> (Ack, Option<usize>) {
        let place = self.history.len();
        let into = &mut self.streams[stream.0];
        let (ack, stored) = into.store(message, place, now);
        let Some(seen) = stored else { return (ack, None) };
        self.history.push(seen);
        (ack, Some(place))
    }

    pub fn seen(&self, place: usize) -> &Seen {
        &self.history[place]
    }

    pub fn history(&self) -> &[Seen] {
        &self.history
    }

    pub fn into_history(self) -> Vec<Seen> {
        self.history
    }

    /// Consumers that read `stream`.
    pub fn readers_of(&self, stream: StreamIx) -> impl Iterator<Item = ConsumerIx> + '_ {
        let reads = move |(_, consumer): &(usize, &Consumer)| consumer.stream() == stream;
        self.consumers.iter().enumerate().filter(reads).map(|(ix, _)| ConsumerIx(ix))
    }

    pub fn consumers(&self) -> impl Iterator<Item = ConsumerIx> + use<> {
        (0..self.consumers.len()).map(ConsumerIx)
    }

    /// The next message for a reader, if the consumer has one and room.
    pub fn take(&mut self, ix: ConsumerIx, now: Timestamp) -> Option<Delivery> {
        let consumer = &mut self.consumers[ix.0];
        consumer.take(ix, &self.streams[consumer.stream().0], now)
    }

    /// Deliveries that were not acknowledged in time are due again.
    pub fn expire(&mut self, ix: ConsumerIx, now: Timestamp) {
        self.consumers[ix.0].expire(now);
    }

    /// When a delivery of this consumer is due again.
    pub fn next_due(&self, ix: ConsumerIx) -> Option<Timestamp> {
        self.consumers[ix.0].next_due()
    }

    pub fn ack(&mut self, delivery: Delivery, now: Timestamp) {
        if self.is_current(delivery) {
            self.consumers[delivery.consumer.0].ack(delivery.sequence, now);
        }
    }

    pub fn nak(&mut self, delivery: Delivery, until: Timestamp) {
        if self.is_current(delivery) {
            self.consumers[delivery.consumer.0].nak(delivery.sequence, until);
        }
    }

    fn is_current(&self, delivery: Delivery) -> bool {
        let consumer = &self.consumers[delivery.consumer.0];
        self.streams[consumer.stream().0].created_unix_ns() == delivery.created_unix_ns
    }

    /// Nothing is left to deliver or to acknowledge.
    pub fn is_idle(&self, ix: ConsumerIx) -> bool {
        let consumer = &self.consumers[ix.0];
        consumer.is_idle(&self.streams[consumer.stream().0])
    }

    /// What a session of the broker sees of a stream it writes to.
    pub fn seen_by_session(&self, stream: StreamIx, marked: u64) -> heal::Seen {
        let stream = &self.streams[stream.0];
        let id_at_mark = stream.place_of(marked).and_then(|place| {
            let seen: &Seen = &self.history[place];
            seen.message_id.clone()
        });
        heal::Seen {
            created_unix_ns: stream.created_unix_ns(),
            last_sequence: stream.last_sequence(),
            id_at_mark,
            last_cursor: stream.last_cursor(),
        }
    }

    /// Creation and last sequence.
    pub fn state(&self, stream: StreamIx) -> (i128, u64) {
        let stream = &self.streams[stream.0];
        (stream.created_unix_ns(), stream.last_sequence())
    }

    /// Places in the history of what the stream has, oldest first.
    pub fn places(&self, stream: StreamIx) -> impl DoubleEndedIterator<Item = usize> + '_ {
        self.streams[stream.0].places()
    }

    /// Publishes are refused until then.
    pub fn fill(&mut self, stream: StreamIx, until: Timestamp) {
        self.streams[stream.0].fill(until);
    }

    /// Forgets the ids of the last messages.
    pub fn forget_ids(&mut self, stream: StreamIx) {
        self.streams[stream.0].forget_ids();
    }

    /// Acks of the last moments are forgotten; `count_too` how often it delivered as well.
    pub fn roll_back(&mut self, ix: ConsumerIx, since: Timestamp, count_too: bool) {
        self.consumers[ix.0].roll_back(since, count_too);
    }

    /// The last `count` messages are gone and their sequences are given out again. Gives the
    /// places of what was lost.
    pub fn truncate(&mut self, stream: StreamIx, count: usize) -> Vec<usize> {
        let lost = self.streams[stream.0].truncate(count);
        let last = self.streams[stream.0].last_sequence();
        for consumer in self.consumers.iter_mut().filter(|c| c.stream() == stream) {
            consumer.cut(last);
        }
        for place in &lost {
            self.streams[stream.0].forget_id_of(&self.history[*place]);
        }
        lost
    }

    /// The stream was deleted, with its consumers, and everything is made again.
    pub fn recreate(&mut self, stream: StreamIx, now: Timestamp) -> Vec<usize> {
        let lost = self.streams[stream.0].places().collect();
        let spec = self.streams[stream.0].spec().clone();
        self.streams[stream.0] = Stream::new(spec, now);
        for consumer in self.consumers.iter_mut().filter(|c| c.stream() == stream) {
            consumer.start_over();
        }
        lost
    }

    /// Whether the broker's consumer of this stream has had its ack for everything up to there.
    pub fn has_unread(&self, place: usize) -> bool {
        let Some((name, sequence)) = self.history[place].stored else { return false };
        self.consumers.iter().take(BROKER_CONSUMERS).any(|consumer| {
            self.streams[consumer.stream().0].name() == name && consumer.is_open(sequence)
        })
    }
}

fn captured_by(filters: &[String], subject: &str) -> bool {
    filters.iter().any(|wanted| filter::matches(wanted, subject))
}
