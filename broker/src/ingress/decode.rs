//! From a stream's message to an input of the engine. Who speaks, and about what, is read from the
//! subject; the body only fills it in.

use broker_core::batch::StreamPosition;
use broker_core::engine::input::{Input, Origin, QuoteAnswer};
use broker_core::event::{PartnerAnswer, PaymentAnswer};
use broker_core::horizon::Horizon;
use broker_core::partner::Partners;
use broker_core::request::Submission;
use schemas::catalog::Catalog;
use schemas::problem::Problem;
use schemas::subject::{
    Elsewhere, PARTITION, PartnerReplyKind, PurchaseOperation, elsewhere, parse_partner_reply,
    parse_payment_reply, parse_purchase,
};
use schemas::{
    CustomerId, PartnerId, ProviderId, RejectReason, RequestId, TraceContext, Violation,
};

use crate::clock::Clock;
use crate::traces::Sampling;
use crate::wire::command::{self, ChangeCommand};
use crate::wire::{Misfit, partner, payment, quote};

/// What decoding depends on.
#[derive(Debug)]
pub struct Decoder {
    pub catalog: Catalog,
    pub partners: Partners,
    pub horizon: Horizon,
    pub provider: ProviderId,
    pub clock: Clock,
    pub sampling: Sampling,
}

/// A message that can be used.
#[derive(Debug)]
pub enum Decoded {
    Create(Box<Submission>),
    Change { customer: CustomerId, change: ChangeCommand },
    Partner { request: RequestId, answer: PartnerAnswer },
    Payment { request: RequestId, answer: PaymentAnswer },
    Quotes { partner: PartnerId, answers: Vec<QuoteAnswer> },
}

/// A message that cannot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    pub reason: RejectReason,
    pub detail: String,
    /// Every rule that the message breaks, if its fields are to blame.
    pub violations: Vec<Violation>,
}

impl Refused {
    pub fn new(reason: RejectReason, detail: String) -> Self {
        Self { reason, detail, violations: Vec::new() }
    }
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self {
            reason: problem.code,
            detail: problem.detail,
            violations: problem.violations.into_vec(),
        }
    }
}

impl From<Misfit> for Refused {
    fn from(misfit: Misfit) -> Self {
        Self { reason: misfit.reason, detail: misfit.detail, violations: misfit.violations }
    }
}

impl Decoder {
    /// Any message of a source stream.
    ///
    /// # Errors
    /// Why it will never be used.
    pub fn decode(&self, subject: &str, body: &[u8]) -> Result<Decoded, Refused> {
        if let Some((operation, customer)) = parse_purchase(subject) {
            return Ok(self.purchase(operation, customer, body)?);
        }
        if let Some((partner, kind)) = parse_partner_reply(subject) {
            return self.partner(partner, kind, body);
        }
        if let Some((provider, operation)) = parse_payment_reply(subject) {
            if provider != self.provider {
                let detail = format!("{provider} is not our payment provider");
                return Err(Refused::new(RejectReason::WrongSender, detail));
            }
            let (request, answer) = payment::reply(operation, body)?;
            return Ok(Decoded::Payment { request, answer });
        }
        let detail = match elsewhere(subject) {
            Some(elsewhere) => other_partition(&elsewhere),
            None => "the broker has no use for this subject".to_owned(),
        };
        Err(Refused::new(RejectReason::NotAsked, detail))
    }

    /// A command of a customer, from a stream or the micro service.
    ///
    /// # Errors
    /// The answer to the customer.
    pub fn purchase(
        &self,
        operation: PurchaseOperation,
        customer: CustomerId,
        body: &[u8],
    ) -> Result<Decoded, Problem> {
        let change = match operation {
            PurchaseOperation::Create => {
                let now = self.clock.now();
                let submission =
                    command::create(customer, body, &self.catalog, &self.horizon, now)?;
                return Ok(Decoded::Create(Box::new(submission)));
            }
            PurchaseOperation::Update => command::update(body)?,
            PurchaseOperation::Cancel => command::cancel(body)?,
            PurchaseOperation::AcceptQuote => command::accept_quote(body)?,
            PurchaseOperation::Get | PurchaseOperation::List | PurchaseOperation::Receipt => {
                let detail = format!("{} changes nothing and is no command", operation.label());
                return Err(Problem::new(RejectReason::NotAsked, detail));
            }
        };
        Ok(Decoded::Change { customer, change })
    }

    fn partner(
        &self,
        partner: PartnerId,
        kind: PartnerReplyKind,
        body: &[u8],
    ) -> Result<Decoded, Refused> {
        match kind {
            PartnerReplyKind::Command(operation) => {
                let (request, answer) = partner::reply(partner, operation, body)?;
                Ok(Decoded::Partner { request, answer })
            }
            PartnerReplyKind::Notice => {
                let (request, answer) = partner::notice(partner, body)?;
                Ok(Decoded::Partner { request, answer })
            }
            PartnerReplyKind::Quote | PartnerReplyKind::QuoteQueued => {
                if self.partners.index_of(&partner).is_none() {
                    let detail = format!("{partner} is not in the partner directory");
                    return Err(Refused::new(RejectReason::UnknownPartner, detail));
                }
                let answers = quote::answers(&partner, body).map_err(Misfit::from)?;
                Ok(Decoded::Quotes { partner, answers })
            }
        }
    }
}

fn other_partition(elsewhere: &Elsewhere) -> String {
    let Elsewhere { partition, here } = elsewhere;
    let sent = match partition {
        Some(partition) => format!("partition {partition}"),
        None => "something that is no partition".to_owned(),
    };
    format!("sent to {sent}, asked was partition {PARTITION}: answer on {here}")
}

impl Decoded {
    /// The purchase request it is about.
    pub fn request(&self) -> Option<RequestId> {
        match self {
            Self::Create(submission) => Some(submission.id),
            Self::Change { change, .. } => Some(change.request),
            Self::Partner { request, .. } | Self::Payment { request, .. } => Some(*request),
            Self::Quotes { .. } => None,
        }
    }

    /// A create begins a trace or goes on with the customer's; what follows belongs to the same.
    #[must_use]
    pub fn traced(mut self, brought: Option<TraceContext>, sampling: Sampling) -> Self {
        if let Self::Create(submission) = &mut self {
            submission.trace = sampling.trace(submission.id, brought);
        }
        self
    }

    pub fn into_input(self, origin: Origin, source: Option<StreamPosition>) -> Input {
        match self {
            Self::Create(submission) => Input::Create { origin, source, submission },
            Self::Change { customer, change } => Input::Command {
                origin,
                source,
                customer,
                request: change.request,
                digest: change.digest,
                event: change.event,
            },
            Self::Partner { request, answer } => Input::Partner { origin, source, request, answer },
            Self::Payment { request, answer } => Input::Payment { origin, source, request, answer },
            Self::Quotes { partner, answers } => {
                Input::Quotes { origin: Some(origin), partner, answers }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use broker_core::Policy;
    use schemas::Digest;
    use serde_json::json;

    use super::*;
    use crate::wire::fixture;

    #[test]
    fn the_subject_decides_who_speaks() {
        let body = json!({"request_id": fixture::request_id(), "command_id": "c",
            "customer_id": "somebody-else"});
        let decoded = decode("purchase.cancel.c9", &body).unwrap();
        let Decoded::Change { customer, .. } = decoded else { panic!("a change") };
        assert_eq!(customer.as_str(), "c9");
    }

    #[test]
    fn a_foreign_provider_is_not_heard() {
        let body = payment_body();
        assert!(decode("payment.sim.reply.0.void", &body).is_ok());
        assert_eq!(reason("payment.other.reply.0.void", &body), RejectReason::WrongSender);
    }

    #[test]
    fn quotes_of_a_store_that_is_not_in_the_directory_are_not_used() {
        let body = json!({"items": [{"call_id": "1-1", "outcome": "no_stock"}]});
        assert!(decode("partner.acme.reply.0.quote_queued", &body).is_ok());
        let unknown = reason("partner.nobody.reply.0.quote_queued", &body);
        assert_eq!(unknown, RejectReason::UnknownPartner);
    }

    #[test]
    fn a_store_that_left_the_directory_still_answers_for_its_orders() {
        let request = fixture::request_id();
        let body = json!({"in_reply_to": format!("1-{request}-3-1"), "request_id": request,
            "attempt": 1, "outcome": "confirmed", "order_id": "o1",
            "total": {"amount": 1, "currency": "USD"}});
        assert!(decode("partner.nobody.reply.0.place", &body).is_ok());
    }

    #[test]
    fn other_subjects_and_other_partitions_are_not_ours() {
        for subject in ["purchase.event.c1.x", "partner.acme.reply.1.place", "x", "purchase.get.c1"]
        {
            assert_eq!(reason(subject, &json!({})), RejectReason::NotAsked, "{subject}");
        }
    }

    #[test]
    fn an_answer_to_another_partition_is_told_the_right_one() {
        for (subject, here) in [
            ("partner.acme.reply.7.place", "partner.acme.reply.0.place"),
            ("payment.sim.reply.7.void", "payment.sim.reply.0.void"),
        ] {
            let refused = decode(subject, &payment_body()).unwrap_err();
            assert_eq!(refused.reason, RejectReason::NotAsked, "{subject}");
            let told =
                ["partition 7", "partition 0", here].map(|part| refused.detail.contains(part));
            assert_eq!(told, [true; 3], "{}", refused.detail);
        }
    }

    #[test]
    fn an_input_keeps_origin_and_position() {
        let position = StreamPosition {
            stream: broker_core::batch::SourceStream::PaymentReplies,
            sequence: 7,
        };
        let decoded = decode("payment.sim.reply.0.void", &payment_body()).unwrap();
        assert_eq!(decoded.request(), Some(fixture::request_id()));
        let Input::Payment { origin, source, .. } = decoded.into_input(Origin(3), Some(position))
        else {
            panic!("a payment answer");
        };
        assert_eq!((origin, source), (Origin(3), Some(position)));
    }

    fn payment_body() -> serde_json::Value {
        let request = fixture::request_id();
        json!({"in_reply_to": format!("1-{request}-3-1"), "request_id": request, "attempt": 1,
            "outcome": "voided"})
    }

    fn reason(subject: &str, body: &serde_json::Value) -> RejectReason {
        decode(subject, body).unwrap_err().reason
    }

    fn decode(subject: &str, body: &serde_json::Value) -> Result<Decoded, Refused> {
        let profile = broker_core::partner::PartnerProfile::cautious(fixture::partner());
        let partners = Partners::new(vec![profile], Digest::of(b""));
        let decoder = Decoder {
            catalog: Catalog::default(),
            partners: partners.clone(),
            horizon: Horizon::of(&Policy::standard(partners)),
            provider: fixture::provider(),
            clock: Clock::system(),
            sampling: Sampling::default(),
        };
        decoder.decode(subject, body.to_string().as_bytes())
    }
}
