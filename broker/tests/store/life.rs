//! Batches as the real engine makes them: one request from creation to a captured payment, with
//! every partner answering at once.

use broker_core::batch::{Batch, OutboxRow, SourceStream, StreamPosition};
use broker_core::effect::{Effect, PartnerCommand, PaymentCommand};
use broker_core::engine::input::{Input, Origin, QuoteAnswer, QuoteOutcome};
use broker_core::engine::output::Output;
use broker_core::engine::ranking::RankingStart;
use broker_core::engine::{Engine, EngineConfig};
use broker_core::event::{PartnerAnswer, PartnerOutcome, PaymentAnswer, PaymentOutcome};
use broker_core::partner::{PartnerProfile, Partners};
use broker_core::policy::Policy;
use broker_core::quote::{Cost, Quote};
use schemas::id::{OrderId, QuoteId, ReservationId};
use schemas::purchase::Strategy;
use schemas::subject::{PartnerOperation, PaymentOperation};
use schemas::{Condition, Currency, Digest, PartnerId, Timestamp};

use crate::samples::{NOON_MS, submission};

/// Two different partners at least: the best quote and those it beats.
pub(crate) fn policy(partners: u16) -> Policy {
    let profile = |n: u16| {
        let id = PartnerId::parse(&format!("bookstore-{n:03}")).unwrap();
        let cautious = PartnerProfile::cautious(id);
        PartnerProfile {
            reservation: true,
            key_first: true,
            in_flight_max: 64,
            in_flight_start: 64,
            ..cautious
        }
    };
    let profiles = (0..partners).map(profile).collect();
    Policy::standard(Partners::new(profiles, Digest::of(b"directory")))
}

/// Every batch of one request that ends ordered and captured, in order. `n` chooses the id.
pub(crate) fn ordered(n: u64, policy: &Policy) -> Vec<Batch> {
    let now = Timestamp::from_unix_ms(NOON_MS + n);
    let config = EngineConfig {
        policy: policy.clone(),
        boot_epoch: 1,
        token_key: [7; 32],
        hot_max: 10,
        ranking: RankingStart::default(),
    };
    let mut life = Life { engine: Engine::new(config, now), now, batches: Vec::new(), messages: n };
    life.run(n);
    life.batches
}

struct Life {
    engine: Engine,
    now: Timestamp,
    batches: Vec<Batch>,
    messages: u64,
}

impl Life {
    fn run(&mut self, n: u64) {
        let mut submission = Box::new(submission(n));
        // Waits for every quote, so that the receipt is as long as it gets.
        submission.terms.strategy = Strategy::Cheapest;
        let source = self.position(SourceStream::PurchaseCreates);
        self.engine.handle(Input::Create { origin: Origin(n), source, submission }, self.now);
        // The grace window and near timers need a few turns of the clock.
        for _ in 0..64 {
            while let Some(output) = self.engine.poll_output() {
                self.perform(output);
            }
            let Some((at, _)) = self.engine.poll_timeout() else { return };
            if at > Timestamp::from_unix_ms(NOON_MS + n + 10_000) {
                return;
            }
            self.now = self.now.max(at);
            self.engine.handle(Input::Tick, self.now);
        }
    }

    fn perform(&mut self, output: Output) {
        match output {
            Output::Load(request) => {
                self.engine.handle(Input::Loaded { request, stored: None }, self.now);
            }
            Output::Commit { token, batch } => {
                let outbox = batch.outbox.clone();
                self.batches.push(*batch);
                self.engine.handle(Input::Committed { token }, self.now);
                outbox.into_iter().for_each(|row| self.answer(row));
            }
            Output::Ask { partner, questions } => {
                let partner = self.engine.policy().partners.at(partner).id.clone();
                let answers = questions.iter().map(|question| QuoteAnswer {
                    call: question.call,
                    outcome: QuoteOutcome::Offer {
                        isbn: question.isbn,
                        quote: self.quote(&partner, question.call.counter),
                    },
                });
                let answers = answers.collect();
                self.engine.handle(Input::Quotes { origin: None, partner, answers }, self.now);
            }
            Output::ScanTimers { until } => {
                self.engine.handle(Input::Timers { until, timers: Vec::new() }, self.now);
            }
            Output::SaveRanking(_) | Output::Done { .. } | Output::Observe(_) => {}
        }
    }

    fn quote(&self, partner: &PartnerId, counter: u64) -> Quote {
        Quote {
            partner: partner.clone(),
            quote_id: QuoteId::parse(&format!("q-{:012x}", counter * 0x9e37_79b9)).unwrap(),
            currency: Currency::USD,
            item: 1500 + counter * 7 % 900,
            shipping: Cost::Exact(399),
            tax: Cost::Exact(160),
            fee: Cost::Exact(0),
            condition: Condition::New,
            in_stock: 12,
            valid_until: self.now.saturating_add(schemas::DurationMs::from_secs(300)),
        }
    }

    fn position(&mut self, stream: SourceStream) -> Option<StreamPosition> {
        self.messages += 1;
        Some(StreamPosition { stream, sequence: self.messages })
    }

    fn answer(&mut self, row: OutboxRow) {
        let valid_until = self.now.saturating_add(schemas::DurationMs::from_secs(600));
        match row.effect {
            Effect::Partner { partner, attempt, command } => {
                let (operation, outcome) = match command {
                    PartnerCommand::Reserve { .. } => {
                        let id = ReservationId::parse("r-00000000a1b2").unwrap();
                        let outcome = PartnerOutcome::Reserved { id, valid_until };
                        (PartnerOperation::Reserve, outcome)
                    }
                    PartnerCommand::Place { price_cap, .. } => {
                        let order_id = OrderId::parse("o-00000000c3d4").unwrap();
                        let outcome = PartnerOutcome::Confirmed { order_id, total: price_cap };
                        (PartnerOperation::Place, outcome)
                    }
                    PartnerCommand::Release => {
                        (PartnerOperation::Release, PartnerOutcome::Released)
                    }
                    PartnerCommand::Cancel => {
                        let order_id = OrderId::parse("o-00000000c3d4").unwrap();
                        let outcome = PartnerOutcome::Canceled { order_id: Some(order_id) };
                        (PartnerOperation::Cancel, outcome)
                    }
                    PartnerCommand::Lookup => return,
                };
                let operation = Some(operation);
                let in_reply_to = Some(row.version);
                let answer = PartnerAnswer { partner, attempt, operation, in_reply_to, outcome };
                let source = self.position(SourceStream::PartnerReplies);
                let origin = Origin(self.messages);
                let input = Input::Partner { origin, source, request: row.request, answer };
                self.engine.handle(input, self.now);
            }
            Effect::Payment { attempt, command } => {
                let (operation, outcome) = match command {
                    PaymentCommand::Authorize { amount, .. } => {
                        let outcome = PaymentOutcome::Authorized { amount, valid_until };
                        (PaymentOperation::Authorize, outcome)
                    }
                    PaymentCommand::Capture { amount } => {
                        (PaymentOperation::Capture, PaymentOutcome::Captured { amount })
                    }
                    PaymentCommand::Void => (PaymentOperation::Void, PaymentOutcome::Voided),
                    PaymentCommand::Refund => (PaymentOperation::Refund, PaymentOutcome::Refunded),
                    PaymentCommand::Lookup => return,
                };
                let in_reply_to = Some(row.version);
                let answer = PaymentAnswer { attempt, operation, in_reply_to, outcome };
                let source = self.position(SourceStream::PaymentReplies);
                let origin = Origin(self.messages);
                let input = Input::Payment { origin, source, request: row.request, answer };
                self.engine.handle(input, self.now);
            }
            Effect::Event { .. } | Effect::Notify { .. } => {}
        }
    }
}
