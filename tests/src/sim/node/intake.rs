//! What comes in: messages of streams, calls of the micro service, what stores say live.

use broker::answers::Fate;
use broker::config::Limits;
use broker::ingress::decode::Refused;
use broker::ingress::give_up;
use broker::questions::listen::Heard;
use broker::wire::view;
use broker_core::batch::{SourceStream, StreamPosition};
use broker_core::engine::input::Input;
use broker_core::engine::output::Answer;
use broker_core::event::{OperatorWord, Ruling};
use schemas::purchase::CommandReply;
use schemas::subject::{PartnerReplyKind, parse_partner_quote, partner_reply};
use schemas::text::Text;
use schemas::{RequestId, subject};

use super::{Died, Node, Waiter};
use crate::auditor::{Seen, Sent};
use crate::sim::fault::Fault;
use crate::sim::jetstream::Delivery;
use crate::sim::scene::{Peer, Scene};

/// The header that carries the id of a message.
const MESSAGE_ID: &str = "Nats-Msg-Id";

impl Node {
    fn may_die_at_input(&self, scene: &mut Scene) -> Result<(), Died> {
        if scene.luck.strikes(Fault::CrashAtInput) { Err(Died::Killed) } else { Ok(()) }
    }

    /// A message of a stream.
    pub fn deliver(&mut self, delivery: Delivery, scene: &mut Scene) -> Result<(), Died> {
        self.may_die_at_input(scene)?;
        let position = position(delivery);
        self.positions.note(position);
        let seen = scene.jetstream.seen(delivery.place);
        match self.decoder.decode(&seen.subject, &seen.body) {
            Ok(decoded) => {
                let origin = self.origin(Waiter::Message(delivery));
                self.inputs.push_back(decoded.into_input(origin, Some(position)));
            }
            Err(refused) => self.give_up(delivery, refused, scene),
        }
        self.turn(scene)
    }

    fn give_up(&mut self, delivery: Delivery, refused: Refused, scene: &mut Scene) {
        scene.luck.coverage.note_reason(refused.reason);
        let position = position(delivery);
        let Seen { subject, body, message_id, at, .. } = scene.jetstream.seen(delivery.place);
        let id = message_id.iter().map(|id| (MESSAGE_ID.to_owned(), id.clone()));
        let headers: Vec<(String, String)> = id.collect();
        let letter = give_up::letter(position.stream, subject, body, &headers, *at, refused);
        self.write_letter(delivery, position, letter, scene);
    }

    /// The engine has decided a message.
    pub(super) fn decided(&mut self, delivery: Delivery, answer: Answer, scene: &mut Scene) {
        match Fate::of(answer) {
            Fate::Done => scene.done(self.id, delivery),
            Fate::Later(after) => {
                let least = Limits::default().redelivery_delay_ms;
                let until = scene.now.saturating_add(after.map_or(least, |after| after.max(least)));
                scene.settle(Peer::Broker(self.id), delivery, Some(until));
            }
            Fate::GivenUp(refused) => self.give_up(delivery, refused, scene),
        }
    }

    /// A call of the micro service.
    pub fn call(&mut self, number: usize, sent: &Sent, scene: &mut Scene) -> Result<(), Died> {
        self.may_die_at_input(scene)?;
        let operation = sent.command.operation();
        let asked = subject::purchase_api(operation, &sent.customer);
        let (operation, customer) =
            subject::parse_purchase(&asked).expect("built by the same module");
        match self.decoder.purchase(operation, customer, &sent.command.body()) {
            Ok(decoded) => {
                let about = decoded.request();
                let origin = self.origin(Waiter::Call { sent: number, about });
                self.inputs.push_back(decoded.into_input(origin, None));
            }
            Err(problem) => {
                scene.luck.coverage.note_reason(problem.code);
                scene.reply(number, &CommandReply::Rejected(problem));
            }
        }
        self.turn(scene)
    }

    /// A human's word about an order that nobody could look up.
    pub fn hear_human(
        &mut self,
        request: RequestId,
        ruling: Ruling,
        scene: &mut Scene,
    ) -> Result<(), Died> {
        self.may_die_at_input(scene)?;
        let text = "asked the store by telephone";
        let word = Box::new(OperatorWord {
            actor: Text::parse("a human").expect("a short text"),
            reason: Text::parse(text).expect("a short text"),
            ruling,
        });
        let origin = self.origin(Waiter::Human);
        self.inputs.push_back(Input::Operator { origin, request, word });
        self.turn(scene)
    }

    pub(super) fn replied(
        &mut self,
        sent: usize,
        about: Option<RequestId>,
        answer: Answer,
        scene: &mut Scene,
    ) {
        if let Some(reply) = view::reply(answer, about) {
            scene.reply(sent, &reply);
        }
    }

    /// A store says something live.
    pub fn hear(&mut self, tapped: usize, scene: &mut Scene) -> Result<(), Died> {
        self.may_die_at_input(scene)?;
        let now = scene.instant();
        let Seen { subject, body, .. } = &scene.tap[tapped];
        let heard = Heard { subject, body, nobody: false };
        self.inputs.extend(heard.read(&self.decoder.partners, &self.asked, now));
        self.turn(scene)
    }

    /// The server says that nobody listens.
    /// The server says that nobody listens for a question: to where its answer would have gone.
    pub fn unheard(&mut self, question: &str, scene: &mut Scene) -> Result<(), Died> {
        let Some(partner) = parse_partner_quote(question) else { return Ok(()) };
        let subject = partner_reply(&partner, PartnerReplyKind::Quote);
        let heard = Heard { subject: &subject, body: &[], nobody: true };
        self.inputs.extend(heard.read(&self.decoder.partners, &self.asked, scene.instant()));
        self.turn(scene)
    }
}

fn position(delivery: Delivery) -> StreamPosition {
    let stream = SourceStream::ALL[delivery.consumer.0];
    StreamPosition { stream, sequence: delivery.sequence }
}
