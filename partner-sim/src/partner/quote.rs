//! Quotes: soft questions, answered without leaving a trace in the ledger.

use std::collections::BTreeMap;

use schemas::id::QuoteId;
use schemas::partner::{
    Component, QuoteAnswer, QuoteAnswers, QuoteOffer, QuoteOutcome, QuoteQuestion, QuoteRequests,
};
use schemas::text::Text;
use schemas::{Condition, DurationMs, Isbn13, Timestamp};

use super::{Partner, PartnerAnswer, PartnerMessage};
use crate::delivery::Scheduled;
use crate::dice::{Lane, Roll, Salt};
use crate::fault::{Fault, Permille};
use crate::price::{Asked, Landed};
use crate::profile::Stated;
use crate::quote_token::QuoteTerms;

/// What a store offers when it offers the wrong book: two real ISBNs, so that one differs.
const WRONG_BOOKS: [Isbn13; 2] =
    [Isbn13::from_number(9_780_306_406_157), Isbn13::from_number(9_780_804_429_573)];

const CONDITIONS: [Condition; 5] = [
    Condition::New,
    Condition::LikeNew,
    Condition::VeryGood,
    Condition::Good,
    Condition::Acceptable,
];

impl Partner {
    pub(super) fn quote(
        &mut self,
        questions: QuoteRequests,
        now: Timestamp,
    ) -> Vec<Scheduled<PartnerAnswer>> {
        if self.profile.quotes.is_plain() {
            let items: Vec<QuoteAnswer> = questions
                .items
                .iter()
                .filter_map(|q| self.quote_one(q, DurationMs::ZERO, now))
                .collect();
            return batch(self, questions.reply_to, items, now, 0).into_iter().collect();
        }
        let mut batches: BTreeMap<Timestamp, Vec<QuoteAnswer>> = BTreeMap::new();
        let latency = self.quote_latency(&questions, now);
        for question in &questions.items {
            let Some(answer) = self.quote_one(question, latency, now) else { continue };
            let way = &self.profile.quotes;
            let roll = retried(question, now);
            let dice = (&self.dice, Lane::Quote, roll);
            let ready = now.saturating_add(latency);
            let times = way.times(dice, ready, Some(question.not_after));
            self.count(&times.faults);
            if let Some(at) = times.second {
                batches.entry(at).or_default().push(answer.clone());
            }
            if let Some(at) = times.first {
                batches.entry(at).or_default().push(answer);
            }
        }
        let mut answers = Vec::with_capacity(batches.len());
        for (n, (at, items)) in batches.into_iter().enumerate() {
            answers.extend(batch(self, questions.reply_to.clone(), items, at, n));
        }
        answers
    }

    /// One response time for the whole message, as one HTTP call would have.
    fn quote_latency(&self, questions: &QuoteRequests, now: Timestamp) -> DurationMs {
        match questions.items.first() {
            Some(first) => {
                self.profile.quotes.latency(&self.dice, Lane::Quote, retried(first, now))
            }
            None => DurationMs::ZERO,
        }
    }

    fn quote_one(
        &mut self,
        question: &QuoteQuestion,
        latency: DurationMs,
        now: Timestamp,
    ) -> Option<QuoteAnswer> {
        if self.profile.honours_not_after && now > question.not_after {
            return None;
        }
        let outcome = self.quote_outcome(question, latency, now);
        Some(QuoteAnswer { call_id: question.call_id, outcome })
    }

    fn quote_outcome(
        &mut self,
        question: &QuoteQuestion,
        latency: DurationMs,
        now: Timestamp,
    ) -> QuoteOutcome {
        let faults = self.profile.faults;
        let roll = asked(question);
        if self.strike(Fault::Busy, roll, faults.quote_busy_permille) {
            return too_much(faults.quote_busy_for_ms);
        }
        if !serves(&self.profile.currencies, &question.currency) {
            return refuse("this currency is not quoted here");
        }
        if !serves(&self.profile.destinations, &question.destination.country) {
            return refuse("this country is not delivered to");
        }
        let in_stock = self.available(question.isbn, now);
        if in_stock < u32::from(question.quantity.max(1))
            || self.strike(Fault::NoStock, roll, faults.quote_no_stock_permille)
        {
            return QuoteOutcome::NoStock;
        }
        let mut isbn = question.isbn;
        if self.strike(Fault::WrongBook, roll, faults.quote_wrong_book_permille) {
            isbn = if isbn == WRONG_BOOKS[0] { WRONG_BOOKS[1] } else { WRONG_BOOKS[0] };
        }
        let absurd = self.strike(Fault::AbsurdPrice, roll, faults.quote_absurd_price_permille);
        let mut landed = self.landed(question, isbn, now);
        if absurd {
            landed = Landed { item: u64::MAX, shipping: u64::MAX, ..landed };
        }
        QuoteOutcome::Offer(self.offer(question, (isbn, landed), in_stock, latency, now))
    }

    fn landed(&self, question: &QuoteQuestion, isbn: Isbn13, now: Timestamp) -> Landed {
        let condition = self.condition_of(isbn, question.condition);
        let country = question.destination.country;
        self.prices.landed(Asked { isbn, quantity: question.quantity, condition, country }, now)
    }

    fn offer(
        &self,
        question: &QuoteQuestion,
        (isbn, landed): (Isbn13, Landed),
        in_stock: u32,
        latency: DurationMs,
        now: Timestamp,
    ) -> QuoteOffer {
        let condition = self.condition_of(isbn, question.condition);
        let country = question.destination.country;
        let valid_until = now.saturating_add(DurationMs(self.profile.quote_valid_ms));
        let terms = QuoteTerms {
            isbn,
            quantity: question.quantity,
            condition,
            country,
            currency: question.currency,
            total: landed.total(),
            valid_until,
            answered_after: latency,
        };
        let stated = self.profile.components;
        QuoteOffer {
            quote_id: terms.to_id(self.secret),
            isbn,
            condition,
            currency: question.currency,
            item: landed.item,
            shipping: state(stated.shipping, landed.shipping),
            tax: state(stated.tax, landed.tax),
            fee: state(stated.fee, landed.fee),
            in_stock,
            valid_until,
        }
    }

    /// What an offer answering `question` says it costs at worst, whatever is on the shelf now:
    /// for auditors, who ask what a store would have said. `None` when the store does not quote
    /// there, states not every part of the price, or changes its prices.
    pub fn list_price(&self, question: &QuoteQuestion, now: Timestamp) -> Option<u64> {
        let country = question.destination.country;
        let serves_it = serves(&self.profile.currencies, &question.currency)
            && serves(&self.profile.destinations, &country);
        if !serves_it || self.profile.pricing.drift_permille > 0 {
            return None;
        }
        let landed = self.landed(question, question.isbn, now);
        let offer = self.offer(question, (question.isbn, landed), 0, DurationMs::ZERO, now);
        let worst = |component: Option<Component>| match component? {
            Component::Exact(minor) | Component::AtMost(minor) => Some(minor),
        };
        let parts = [worst(offer.shipping)?, worst(offer.tax)?, worst(offer.fee)?];
        parts.into_iter().try_fold(offer.item, u64::checked_add)
    }

    /// What an offer said, if this store wrote its id: for auditors and measurements.
    pub fn read_quote(&self, id: &QuoteId) -> Option<QuoteTerms> {
        QuoteTerms::from_id(id, self.secret)
    }

    /// Which copy is offered: one the customer accepts, always the same for the same book.
    fn condition_of(&self, isbn: Isbn13, worst: Condition) -> Condition {
        if self.prices.is_scripted(isbn) {
            return Condition::New;
        }
        let good_enough = CONDITIONS.iter().take_while(|c| c.satisfies(worst)).count() as u64;
        let pick = self.dice.fact(Salt::Condition, isbn.as_number()) % good_enough.max(1);
        CONDITIONS[usize::try_from(pick).unwrap_or(0).min(CONDITIONS.len() - 1)]
    }

    fn strike(&mut self, fault: Fault, roll: Roll, chance: Permille) -> bool {
        let struck = self.dice.strikes(Lane::Quote, fault, roll, chance);
        if struck {
            self.count(&[fault]);
        }
        struck
    }
}

/// What is answered depends on the call alone: asked twice, the same is said.
fn asked(question: &QuoteQuestion) -> Roll {
    Roll::of_numbers(u64::from(question.call_id.epoch), question.call_id.counter)
}

/// Whether and when it is delivered depends on the instant too: a retry has a new chance.
fn retried(question: &QuoteQuestion, now: Timestamp) -> Roll {
    let call = question.call_id;
    Roll::of_numbers(
        crate::dice::mix(u64::from(call.epoch), call.counter),
        now.as_unix_ms().wrapping_add(1),
    )
}

fn batch(
    partner: &Partner,
    subject: String,
    items: Vec<QuoteAnswer>,
    at: Timestamp,
    n: usize,
) -> Option<Scheduled<PartnerAnswer>> {
    let first = items.first()?;
    // Live answers are not stored, so nothing would look at an id.
    let message_id = (!subject.ends_with(".quote"))
        .then(|| format!("{}:{}:{}:{n}", partner.id(), first.call_id, at.as_unix_ms()));
    let message = PartnerMessage::Quotes(QuoteAnswers { items });
    Some(Scheduled { at, value: PartnerAnswer { subject, message_id, message } })
}

/// An empty list serves everybody.
fn serves<T: PartialEq>(served: &[T], asked: &T) -> bool {
    served.is_empty() || served.contains(asked)
}

fn refuse(reason: &str) -> QuoteOutcome {
    QuoteOutcome::Refused { reason: text(reason), retry_after_ms: None }
}

fn too_much(for_ms: u64) -> QuoteOutcome {
    let retry_after_ms = (for_ms > 0).then_some(DurationMs(for_ms));
    QuoteOutcome::Refused { reason: text("busy, ask again"), retry_after_ms }
}

fn text(reason: &str) -> Text<200> {
    Text::parse(reason).expect("reasons are short, printable and not empty")
}

fn state(stated: Stated, minor: u64) -> Option<Component> {
    match stated {
        Stated::Exact => Some(Component::Exact(minor)),
        Stated::AtMost => Some(Component::AtMost(minor.saturating_add(minor / 10))),
        Stated::Missing => None,
    }
}
