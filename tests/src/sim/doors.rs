//! Where customers meet the wires: their acts become messages, their answers come back, and the
//! submission ledger is written.

use schemas::event::{Notification, NotificationOutcome};
use schemas::purchase::CommandReply;
use schemas::{DurationMs, json, subject};

use super::buyers::{Act, Buyers};
use super::jetstream::Message;
use super::scene::{Item, Publish, Scene, Sender};
use crate::auditor::{Answer, Route, Seen, Sent};
use crate::harness::message_id;

/// No acknowledgement within this: the customer does not know.
const ACK_TIMEOUT_MS: DurationMs = DurationMs(2_000);
/// No reply within this: the same.
const REPLY_TIMEOUT_MS: DurationMs = DurationMs(10_000);

/// See the module.
pub struct Doors {
    buyers: Box<dyn Buyers>,
    acts: Vec<Act>,
    /// What was sent, in order, with the act it belongs to.
    pub sent: Vec<Sent>,
    act_of: Vec<usize>,
    waiting: Vec<bool>,
    /// Planned and not done.
    acts_left: usize,
}

impl Doors {
    pub fn new(buyers: Box<dyn Buyers>) -> Self {
        Self {
            buyers,
            acts: Vec::new(),
            sent: Vec::new(),
            act_of: Vec::new(),
            waiting: Vec::new(),
            acts_left: 0,
        }
    }

    pub fn open(&mut self, scene: &mut Scene) {
        let acts = self.buyers.opening(&mut scene.luck.choices);
        self.plan(acts, scene);
    }

    pub fn buyers(&self) -> &dyn Buyers {
        self.buyers.as_ref()
    }

    pub fn wait_for_something(&self) -> bool {
        self.acts_left > 0 || self.waiting.contains(&true)
    }

    fn plan(&mut self, acts: Vec<Act>, scene: &mut Scene) {
        for act in acts {
            scene.agenda.push(act.at.max(scene.now), Item::Act(self.acts.len()));
            self.acts.push(act);
            self.acts_left += 1;
        }
    }

    /// A customer sends something.
    pub fn act(&mut self, which: usize, scene: &mut Scene) {
        let Act { customer, command, route, .. } = self.acts[which].clone();
        self.acts_left -= 1;
        let number = self.sent.len();
        let timeout = match route {
            Route::Stream => ACK_TIMEOUT_MS,
            Route::Service => REPLY_TIMEOUT_MS,
        };
        let (at, answered) = (scene.now, scene.now);
        self.sent.push(Sent { customer, command, route, at, answered, answer: Answer::Silent });
        self.act_of.push(which);
        self.waiting.push(true);
        match route {
            Route::Stream => self.publish(number, scene),
            Route::Service => self.call(number, scene),
        }
        scene.after(timeout, Item::GiveUp(number));
    }

    fn publish(&self, number: usize, scene: &mut Scene) {
        let Sent { customer, command, .. } = &self.sent[number];
        let message = Message {
            subject: subject::purchase_command(command.operation(), customer),
            id: Some(message_id(customer, command)),
            cursor: None,
            body: command.body(),
        };
        scene.publish(Publish { from: Sender::Customer { sent: number }, message });
    }

    /// The server's word about a publish.
    pub fn acked(&mut self, number: usize, ack: broker::egress::ack::Ack, scene: &mut Scene) {
        match ack {
            broker::egress::ack::Ack::Stored { sequence, duplicate } => {
                self.told(number, Answer::Stored { sequence, duplicate }, scene);
            }
            // Not stored; whether another copy was, the customer does not know.
            broker::egress::ack::Ack::Refused { .. } => self.told(number, Answer::Silent, scene),
        }
    }

    pub fn replied(&mut self, number: usize, reply: Box<CommandReply>, scene: &mut Scene) {
        self.told(number, Answer::Reply(reply), scene);
    }

    pub fn give_up(&mut self, number: usize, scene: &mut Scene) {
        self.told(number, Answer::Silent, scene);
    }

    fn told(&mut self, number: usize, answer: Answer, scene: &mut Scene) {
        if !std::mem::replace(&mut self.waiting[number], false) {
            return;
        }
        let sent = &mut self.sent[number];
        sent.answer = answer;
        sent.answered = scene.now;
        let act = &self.acts[self.act_of[number]];
        let choices = &mut scene.luck.choices;
        let more = self.buyers.answered(act, &sent.answer, scene.now, choices);
        self.plan(more, scene);
    }

    /// A notification arrives.
    pub fn notified(&mut self, place: usize, scene: &mut Scene) {
        let Seen { subject, body, .. } = scene.jetstream.seen(place);
        let outcome = subject.rsplit('.').next().and_then(NotificationOutcome::parse);
        if outcome.is_some_and(|outcome| !self.buyers.awaits(outcome)) {
            return;
        }
        // One that cannot be read is the auditor's to find.
        let Ok(notice) = json::decode::<Notification>(body, usize::MAX) else { return };
        let more = self.buyers.notified(&notice, scene.now, &mut scene.luck.choices);
        self.plan(more, scene);
    }

    /// Nobody there is told at once; for the customer it is the same as silence.
    fn call(&mut self, number: usize, scene: &mut Scene) {
        if !scene.network.server_up {
            return;
        }
        for (copy, takes) in scene.core().into_iter().enumerate() {
            // Each copy that arrives may have its effect, whatever was said to the other.
            let sent = if copy == 0 { number } else { self.copy_of(number) };
            if let Some(to) = scene.some_process()
                && scene.network.broker_hears(scene.now)
            {
                let generation = scene.network.generation;
                scene.after(takes, Item::Call { to, sent, generation });
            }
        }
    }

    /// A copy that nobody waits for.
    fn copy_of(&mut self, number: usize) -> usize {
        self.sent.push(Sent { answer: Answer::Silent, ..self.sent[number].clone() });
        self.act_of.push(self.act_of[number]);
        self.waiting.push(false);
        self.sent.len() - 1
    }
}
