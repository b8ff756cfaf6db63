//! Messages from those who have nothing to say: garbage, other people's answers, old answers.

use bytes::Bytes;
use schemas::subject::{
    self, PARTITION, PartnerOperation, PartnerReplyKind, PaymentOperation, PurchaseOperation,
    parse_partner_reply,
};
use schemas::{CustomerId, PartnerId, ProviderId, RequestId};

use super::World;
use crate::auditor::Seen;
use crate::sim::choices::Lane;
use crate::sim::fault::Fault;
use crate::sim::jetstream::Message;
use crate::sim::scene::{Publish, Sender};

/// Bytes that are no message, or one of the wrong kind.
const GARBAGE: [&[u8]; 6] =
    [b"", b"{", b"null", b"\xff\xfe\x00", b"{\"request_id\":\"x\"}", b"[[[[[[[[[[[[[[[["];

impl World {
    pub(super) fn strangers(&mut self) {
        if self.scene.luck.strikes(Fault::Garbage) {
            self.garbage();
        }
        if self.scene.luck.strikes(Fault::Impostor) {
            self.impostor();
        }
        if self.scene.luck.strikes(Fault::Replayed) {
            self.replayed();
        }
    }

    fn say(&mut self, subject: String, body: Bytes) {
        // A name of its own: what is already known to the server would not get far.
        let id = Some(format!("stranger-{}", self.scene.events));
        let message = Message { subject, id, cursor: None, body };
        self.scene.publish(Publish { from: Sender::Nobody, message });
    }

    fn garbage(&mut self) {
        let partner = self.setup.policy.partners.iter().next().map(|(_, p)| p.id.clone());
        let Some(partner) = partner else { return };
        let customer = CustomerId::parse("nobody").expect("a valid id");
        let place = PartnerReplyKind::Command(PartnerOperation::Place);
        let capture = subject::payment_reply(&self.setup.provider, PaymentOperation::Capture);
        let subjects = [
            subject::partner_reply(&partner, place),
            elsewhere(&subject::partner_reply(&partner, place)),
            elsewhere(&capture),
            subject::partner_reply(&partner, PartnerReplyKind::Notice),
            subject::partner_reply(&partner, PartnerReplyKind::QuoteQueued),
            capture,
            subject::purchase_command(PurchaseOperation::Create, &customer),
            subject::purchase_command(PurchaseOperation::Cancel, &customer),
        ];
        let subject = self.scene.luck.choices.pick(Lane::Network, &subjects).clone();
        let body = *self.scene.luck.choices.pick(Lane::Network, &GARBAGE);
        if self.scene.luck.choices.strikes(Lane::Network, 200) {
            let live = subject::partner_reply(&partner, PartnerReplyKind::Quote);
            self.scene.speak(live, Bytes::from_static(body));
        }
        self.say(subject, Bytes::from_static(body));
    }

    /// An answer that somebody gave.
    fn some_answer(&mut self) -> Option<Seen> {
        let is_answer = |seen: &&Seen| subject::is_answer(&seen.subject);
        let answers: Vec<&Seen> = self.scene.jetstream.history().iter().filter(is_answer).collect();
        let count = u32::try_from(answers.len()).unwrap_or(u32::MAX);
        let which = self.scene.luck.choices.below(Lane::Network, count);
        answers.get(which as usize).map(|seen| (*seen).clone())
    }

    fn impostor(&mut self) {
        let Some(answer) = self.some_answer() else { return };
        if self.scene.luck.choices.strikes(Lane::Network, 300) {
            return self.about_nobody(answer);
        }
        let subject = match parse_partner_reply(&answer.subject) {
            Some((speaker, kind)) => {
                let others: Vec<PartnerId> = self
                    .setup
                    .policy
                    .partners
                    .iter()
                    .map(|(_, profile)| profile.id.clone())
                    .filter(|id| *id != speaker)
                    .chain([PartnerId::parse("stranger").expect("a valid id")])
                    .collect();
                let other = self.scene.luck.choices.pick(Lane::Network, &others);
                subject::partner_reply(other, kind)
            }
            None => {
                let other = ProviderId::parse("otherpay").expect("a valid id");
                subject::payment_reply(&other, PaymentOperation::Authorize)
            }
        };
        self.say(subject, answer.body);
    }

    /// A proper answer to a question about a request that never was.
    fn about_nobody(&mut self, answer: Seen) {
        let made_at = self.scene.now.as_unix_ms();
        let nobody = RequestId::from_parts(made_at, u128::MAX).to_string();
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let about = text.split('"').find(|word| RequestId::parse(word).is_ok());
        let Some(about) = about.map(str::to_owned) else { return };
        self.say(answer.subject, Bytes::from(text.replace(&about, &nobody)));
    }

    fn replayed(&mut self) {
        if let Some(answer) = self.some_answer() {
            self.say(answer.subject, answer.body);
        }
    }
}

/// The same to a partition that nobody serves.
fn elsewhere(subject: &str) -> String {
    subject.replace(&format!(".reply.{PARTITION}."), ".reply.7.")
}
