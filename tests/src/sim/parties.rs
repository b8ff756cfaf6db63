//! Bookstores and payment provider: the pure ones of `partner-sim`, on streams and live questions.
//!
//! What they decided is in their ledger at once and survives their process. Answers whose instant
//! has not come are owed, across a crash as well; an answer that was on its way when the process
//! died is not, but its command was not acknowledged either and comes again.

use std::collections::BTreeMap;

use bytes::Bytes;
use partner_sim::{Partner, PartnerRequest, PaymentRequest, Scheduled, World};
use schemas::json::{PARTNER_MESSAGE_BYTES_MAX, decode, decode_valid};
use schemas::subject::{
    PartnerOperation, PaymentOperation, parse_partner_command, parse_partner_quote,
    parse_payment_command,
};
use schemas::{DurationMs, PartnerId, RequestId, Timestamp};

use super::jetstream::{Delivery, Message};
use super::scene::{Item, Peer, Publish, Scene, Sender};
use crate::auditor::Promise;

/// No acknowledgement within this: the answer is published again.
const ACK_TIMEOUT_MS: DurationMs = DurationMs(2000);

/// An answer that is not stored yet.
#[derive(Debug)]
struct Owed {
    message: Message,
    /// The command it finishes, which is acknowledged when all of its answers are stored; absent
    /// for one whose instant lay ahead.
    command: Option<u64>,
    /// Its instant, in the world's time; a crash does not bring it forward.
    at: Timestamp,
}

#[derive(Debug)]
struct Handling {
    delivery: Delivery,
    answers_left: usize,
}

/// See the module.
pub struct Parties {
    pub world: World,
    /// How far their clock is off, milliseconds.
    pub clock_off_ms: i64,
    /// Counts the lives of their process.
    pub life: u32,
    owed: BTreeMap<u64, Owed>,
    handling: BTreeMap<u64, Handling>,
    next: u64,
    /// Placement keys by request, to look at whether two orders stand.
    placed: BTreeMap<RequestId, Vec<(PartnerId, schemas::id::Key)>>,
}

impl Parties {
    pub fn new(world: World) -> Self {
        Self {
            world,
            clock_off_ms: 0,
            life: 1,
            owed: BTreeMap::new(),
            handling: BTreeMap::new(),
            next: 0,
            placed: BTreeMap::new(),
        }
    }

    pub fn owes_something(&self) -> bool {
        !self.owed.is_empty()
    }

    /// What their clock shows.
    pub fn clock(&self, scene: &Scene) -> Timestamp {
        let ms = scene.now.as_unix_ms().saturating_add_signed(self.clock_off_ms);
        Timestamp::from_unix_ms(ms)
    }

    /// When the world's clock is there, theirs shows `at`.
    fn in_the_world(&self, at: Timestamp) -> Timestamp {
        Timestamp::from_unix_ms(at.as_unix_ms().saturating_add_signed(-self.clock_off_ms))
    }

    /// A live question.
    pub fn asked(&mut self, subject: &str, body: &[u8], scene: &mut Scene) {
        let now = self.clock(scene);
        let Some(partner) = parse_partner_quote(subject) else { return };
        let Some(store) = self.world.partners.get_mut(&partner) else { return };
        let Ok(questions) = decode_valid(body, PARTNER_MESSAGE_BYTES_MAX) else { return };
        for answer in store.handle(PartnerRequest::Quote(questions), now) {
            let at = self.in_the_world(answer.at).max(scene.now);
            let body = Bytes::from(answer.value.message.encode());
            let subject = answer.value.subject;
            scene.agenda.push(at, Item::Spoken { subject, body, life: self.life });
        }
    }

    /// A message of a stream: a command, or a queued question.
    pub fn deliver(&mut self, delivery: Delivery, scene: &mut Scene) {
        let now = self.clock(scene);
        let seen = scene.jetstream.seen(delivery.place);
        let (subject, body) = (seen.subject.as_str(), seen.body.clone());
        let answers = if let Some((_, operation)) = parse_payment_command(subject) {
            payment_request(operation, &body).map(|request| self.pay(request, now))
        } else if let Some((partner, operation)) = parse_partner_command(subject) {
            let store = self.world.partners.get_mut(&partner);
            let request = partner_request(operation, &body);
            store.zip(request).map(|(store, request)| command(store, request, now))
        } else {
            let partner = parse_partner_quote(subject);
            let store = partner.and_then(|partner| self.world.partners.get_mut(&partner));
            let request = decode_valid(&body, PARTNER_MESSAGE_BYTES_MAX).ok();
            let request = request.map(PartnerRequest::Quote);
            store.zip(request).map(|(store, request)| command(store, request, now))
        };
        self.look_at_order(&body, delivery, scene);
        self.owe(delivery, answers.unwrap_or_default(), now, scene);
    }

    fn pay(&mut self, request: PaymentRequest, now: Timestamp) -> Vec<Scheduled<Message>> {
        let answers = self.world.provider.handle(request, now).into_iter();
        let convert = |answer: Scheduled<partner_sim::PaymentAnswer>| {
            let partner_sim::PaymentAnswer { subject, message_id, reply } = answer.value;
            let body = schemas::json::encode(&reply).into();
            let value = Message { subject, id: Some(message_id), cursor: None, body };
            Scheduled { at: answer.at, value }
        };
        answers.map(convert).collect()
    }

    fn owe(
        &mut self,
        delivery: Delivery,
        answers: Vec<Scheduled<Message>>,
        now: Timestamp,
        scene: &mut Scene,
    ) {
        let command = self.next;
        let mut at_once = 0;
        for Scheduled { at, value: message } in answers {
            self.next += 1;
            let is_due = at <= now;
            at_once += usize::from(is_due);
            let of = is_due.then_some(command);
            let at = self.in_the_world(at).max(scene.now);
            self.owed.insert(self.next, Owed { message, command: of, at });
            scene.agenda.push(at, Item::Owed(self.next));
        }
        self.next += 1;
        if at_once == 0 {
            return scene.settle(Peer::Parties, delivery, None);
        }
        self.handling.insert(command, Handling { delivery, answers_left: at_once });
    }

    /// The instant of an answer has come, or it was not acknowledged in time.
    pub fn send(&mut self, number: u64, scene: &mut Scene) {
        if !scene.parties_up {
            return;
        }
        let Some(owed) = self.owed.get(&number) else { return };
        let from = Sender::Parties { owed: number };
        scene.publish(Publish { from, message: owed.message.clone() });
        scene.after(ACK_TIMEOUT_MS, Item::Owed(number));
    }

    /// An answer is stored.
    pub fn stored(&mut self, number: u64, scene: &mut Scene) {
        let Some(owed) = self.owed.remove(&number) else { return };
        let Some(command) = owed.command else { return };
        let Some(handling) = self.handling.get_mut(&command) else { return };
        handling.answers_left -= 1;
        if handling.answers_left == 0 {
            scene.settle(Peer::Parties, handling.delivery, None);
            self.handling.remove(&command);
        }
    }

    /// The process dies. What was being answered is forgotten; its command comes again.
    pub fn crash(&mut self) {
        self.life += 1;
        self.handling.clear();
        self.owed.retain(|_, owed| owed.command.is_none());
    }

    /// The process is back and sends what it owes.
    pub fn restart(&mut self, scene: &mut Scene) {
        for (number, owed) in &self.owed {
            scene.agenda.push(owed.at.max(scene.now), Item::Owed(*number));
        }
    }

    /// The first promise, looked at whenever a store has decided something about an order.
    fn look_at_order(&mut self, body: &[u8], delivery: Delivery, scene: &mut Scene) {
        let subject = &scene.jetstream.seen(delivery.place).subject;
        let Some((partner, PartnerOperation::Place)) = parse_partner_command(subject) else {
            return;
        };
        let Ok(place) = decode::<schemas::partner::Place>(body, PARTNER_MESSAGE_BYTES_MAX) else {
            return;
        };
        let (request, key) = (place.header.request_id, place.placement_key);
        let placed = self.placed.entry(request).or_default();
        if !placed.iter().any(|known| (&known.0, &known.1) == (&partner, &key)) {
            placed.push((partner, key));
        }
        let now = self.clock(scene);
        let stands = |(partner, key): &&(PartnerId, schemas::id::Key)| {
            let store = self.world.partners.get(partner);
            store.and_then(|store| store.order(key)).is_some_and(|order| order.is_live(now))
        };
        let placed = &self.placed[&request];
        let standing: Vec<_> = placed.iter().filter(stands).collect();
        if standing.len() > 1 {
            let said = format!("at {} these orders stand: {standing:?}", scene.now);
            scene.violated(Promise::P1, "step:at_most_one_live_order", Some(request), said);
        }
    }
}

fn command(
    store: &mut Partner,
    request: PartnerRequest,
    now: Timestamp,
) -> Vec<Scheduled<Message>> {
    let convert = |answer: Scheduled<partner_sim::PartnerAnswer>| {
        let partner_sim::PartnerAnswer { subject, message_id, message } = answer.value;
        let body = message.encode().into();
        Scheduled { at: answer.at, value: Message { subject, id: message_id, cursor: None, body } }
    };
    store.handle(request, now).into_iter().map(convert).collect()
}

fn partner_request(operation: PartnerOperation, body: &[u8]) -> Option<PartnerRequest> {
    let max = PARTNER_MESSAGE_BYTES_MAX;
    match operation {
        PartnerOperation::Reserve => decode(body, max).ok().map(PartnerRequest::Reserve),
        PartnerOperation::Release => decode(body, max).ok().map(PartnerRequest::Release),
        PartnerOperation::Place => decode(body, max).ok().map(PartnerRequest::Place),
        PartnerOperation::Cancel => decode(body, max).ok().map(PartnerRequest::Cancel),
        PartnerOperation::Lookup => decode(body, max).ok().map(PartnerRequest::Lookup),
    }
}

fn payment_request(operation: PaymentOperation, body: &[u8]) -> Option<PaymentRequest> {
    let max = PARTNER_MESSAGE_BYTES_MAX;
    match operation {
        PaymentOperation::Authorize => decode(body, max).ok().map(PaymentRequest::Authorize),
        PaymentOperation::Capture => decode(body, max).ok().map(PaymentRequest::Capture),
        PaymentOperation::Void => decode(body, max).ok().map(PaymentRequest::Void),
        PaymentOperation::Refund => decode(body, max).ok().map(PaymentRequest::Refund),
        PaymentOperation::Lookup => decode(body, max).ok().map(PaymentRequest::Lookup),
    }
}
