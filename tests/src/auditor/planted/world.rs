//! A run in order, made without processes: the pure core, the broker's own wire format, pure
//! partners and a pure payment provider, one message at a time. What it writes down is what a
//! real run writes down.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use broker::store::disk::audit::{link, request_body};
use broker::store::{
    AuditBody, AuditRecord, ChainHash, CommitNumber, Incarnation, Meta, OutboxSeq, Outgoing,
    StoredRow, StreamMark,
};
use broker::wire::outgoing::{self, Message};
use broker::wire::{self, WireContext};
use broker_core::batch::{AuditRow, Change, OutboxRow};
use broker_core::effect::AcceptToken;
use broker_core::engine::input::QuoteOutcome;
use broker_core::event::{Conclusion, Finding};
use broker_core::horizon::Horizon;
use broker_core::partner::Partners;
use broker_core::receipt::{Receipt, Verdict};
use broker_core::transition::{self, Transition};
use broker_core::{Event, Policy, PurchaseRequest, Quote};
use bytes::Bytes;
use partner_sim::config::{PartnerGroup, PriceScript, SimConfig};
use partner_sim::profile::ProfileName;
use partner_sim::{Partner, PartnerRequest, PaymentRequest};
use schemas::catalog::Catalog;
use schemas::id::CallId;
use schemas::partner::{QuoteQuestion, QuoteRequests};
use schemas::purchase::{
    CancelPurchase, CommandReply, CreatePurchase, PurchaseView, Strategy, UpdatePurchase,
};
use schemas::subject::{
    self, PartnerOperation, PartnerReplyKind, PaymentOperation, PurchaseOperation,
};
use schemas::{
    Currency, CustomerId, Digest, DurationMs, Isbn13, Money, PartnerId, RequestId, Timestamp, json,
    stream,
};

use crate::auditor::{Answer, Background, Command, Evidence, Route, Seen, Sent};
use crate::harness::{Order, book};

const INCARNATION: Incarnation = Incarnation(0xa11);

/// Two reliable stores and one that has sold its last copy by the time an order arrives.
pub(super) struct World {
    sim: partner_sim::World,
    policy: Policy,
    context: WireContext,
    now: Timestamp,
    heads: BTreeMap<RequestId, PurchaseRequest>,
    receipts: BTreeMap<RequestId, Vec<Receipt>>,
    log: Vec<AuditRecord>,
    sent: Vec<Sent>,
    messages: Vec<Seen>,
    calls: u64,
}

impl World {
    pub(super) fn new() -> Self {
        let id = |text: &str| PartnerId::parse(text).unwrap();
        let mut sold_out = PartnerGroup::named(ProfileName::Instant, id("soldout"));
        sold_out.overrides =
            "reservation = false\nfaults = { no_stock_permille = 1000 }".parse().unwrap();
        let groups = vec![
            PartnerGroup::named(ProfileName::Instant, id("acme")),
            PartnerGroup::named(ProfileName::Instant, id("zeta")),
            sold_out,
        ];
        let price = [("soldout", 900), ("acme", 1_000), ("zeta", 1_100)];
        let price = price.map(|(partner, item)| PriceScript {
            partner: Some(id(partner)),
            isbn: the_book(),
            item,
            shipping: 250,
            tax: 100,
            fee: 0,
        });
        let price = price.to_vec();
        let config = SimConfig { partners: groups, price, ..SimConfig::default() };
        let sim = partner_sim::World::new(&config).unwrap();
        let directory = sim.directory();
        let version = directory.version();
        let profiles = directory.partners.into_iter().map(broker::directory::profile).collect();
        Self {
            policy: Policy::standard(Partners::new(profiles, version)),
            context: WireContext { incarnation: INCARNATION, provider: config.payment.provider },
            sim,
            now: crate::harness::now(),
            heads: BTreeMap::new(),
            receipts: BTreeMap::new(),
            log: Vec::new(),
            sent: Vec::new(),
            messages: Vec::new(),
            calls: 0,
        }
    }

    /// Bought at the cheaper of the two reliable stores.
    pub(super) fn buys(&mut self, customer: &str, limit: u64) -> RequestId {
        let request = self.create(customer, limit);
        let quotes = self.quotes(request, &["acme", "zeta"]);
        self.conclude(request, Finding::Affordable(quotes));
        request
    }

    /// Bought, and then canceled by its customer: the store takes it back.
    pub(super) fn buys_and_cancels(&mut self, customer: &str, limit: u64) {
        let request = self.buys(customer, limit);
        self.cancel(customer, request);
    }

    /// Too dear at first; bought when its customer has raised the limit.
    pub(super) fn buys_after_an_update(&mut self, customer: &str, limit: u64) {
        let request = self.rests(customer, 1);
        let update = UpdatePurchase {
            request_id: request,
            command_id: schemas::CommandId::parse("update-1").unwrap(),
            if_version: None,
            max_total: Some(Money::new(limit, Currency::USD).unwrap()),
            expires_at: None,
            strategy: None,
        };
        let change = wire::command::update(&json::encode(&update)).unwrap();
        let view = self.apply(request, vec![change.event]);
        self.told_at(customer, Command::Update(update), view.unwrap());
    }

    /// Bought at the second store, because the first refuses for good.
    pub(super) fn buys_after_a_refusal(&mut self, customer: &str, limit: u64) {
        let request = self.create(customer, limit);
        let quotes = self.quotes(request, &["soldout", "acme"]);
        self.conclude(request, Finding::Affordable(quotes));
    }

    /// Too dear, and then canceled by its customer.
    pub(super) fn cancels(&mut self, customer: &str, limit: u64) {
        let request = self.rests(customer, limit);
        self.cancel(customer, request);
    }

    fn cancel(&mut self, customer: &str, request: RequestId) {
        let command_id = schemas::CommandId::parse("cancel-1").unwrap();
        let cancel = CancelPurchase { request_id: request, command_id, reason: None };
        let change = wire::command::cancel(&json::encode(&cancel)).unwrap();
        let view = self.apply(request, vec![change.event]);
        self.told_at(customer, Command::Cancel(cancel), view.unwrap());
    }

    /// Too dear everywhere.
    pub(super) fn rests(&mut self, customer: &str, limit: u64) -> RequestId {
        let request = self.create(customer, limit);
        let best = self.quotes(request, &["acme", "zeta"]).remove(0);
        self.conclude(request, Finding::TooDear { best, token: AcceptToken([7; 16]).into() });
        request
    }

    pub(super) fn evidence(self) -> Evidence {
        Evidence {
            background: self.background(),
            sent: self.sent,
            log: self.log,
            heads: self.heads,
            receipts: self.receipts,
            incarnation: INCARNATION,
            policy: self.policy,
            partners: self.sim.partner_ledger(),
            payments: self.sim.payment_ledger(),
            messages: self.messages,
            disturbances: Vec::new(),
            at: self.now.saturating_add(DurationMs(10)),
        }
    }

    fn background(&self) -> Background {
        let mark = StreamMark {
            stream: stream::name::PARTNER_COMMANDS.into(),
            created_unix_ns: 0,
            sequence: 1,
            message_id: None,
            outbox: None,
            settled: None,
        };
        let meta = Meta {
            incarnation: INCARNATION,
            last_commit: CommitNumber(self.log.len() as u64),
            last_at: self.now,
            outbox_last: OutboxSeq(9),
            outbox_sent: OutboxSeq(9),
            applied: [1, 0, 1, 1],
            streams: vec![mark],
        };
        Background {
            standing: crate::auditor::standing(&self.sim, &self.heads, &self.policy),
            vouched: Vec::new(),
            liars: crate::auditor::liars(&self.sim).collect(),
            bridged: BTreeSet::new(),
            meta: Some(meta),
            readings: vec![Digest::of(b"all of it"); 2],
            virtual_time: true,
            store_only: false,
        }
    }

    fn create(&mut self, customer: &str, limit: u64) -> RequestId {
        let order = Order::of(the_book()).max_total(limit);
        let create: CreatePurchase = order.strategy(Strategy::Cheapest).build();
        let request = create.request_id;
        let body = json::encode(&create);
        let owner = CustomerId::parse(customer).unwrap();
        let catalog = Catalog::default();
        let horizon = Horizon::of(&self.policy);
        let submission = wire::command::create(owner, &body, &catalog, &horizon, self.now).unwrap();
        let created = transition::create(submission, self.now, &self.policy).unwrap();
        let admitted =
            transition::transition(&created.next, Event::Admitted, self.now, &self.policy).unwrap();
        let steps = vec![(Change::Created, created), (Change::Applied(Event::Admitted), admitted)];
        let owner = CustomerId::parse(customer).unwrap();
        let subject = subject::purchase_command(PurchaseOperation::Create, &owner);
        self.hear(subject, Some(request.to_string()), body);
        self.commit(request, steps);
        let view = wire::view::view(&self.heads[&request]);
        self.told_at(customer, Command::Create(Box::new(create)), view);
        request
    }

    /// The customer is answered from what was durable then.
    fn told_at(&mut self, customer: &str, command: Command, view: PurchaseView) {
        let reply = CommandReply::Accepted { replayed: false, request: Box::new(view) };
        self.sent.push(Sent {
            customer: CustomerId::parse(customer).unwrap(),
            command,
            route: Route::Service,
            at: self.now,
            answered: self.now,
            answer: Answer::Reply(Box::new(reply)),
        });
    }

    /// Asks the stores; their offers, best first.
    fn quotes(&mut self, request: RequestId, partners: &[&str]) -> Vec<Quote> {
        let mut quotes = Vec::new();
        for partner in partners {
            let id = PartnerId::parse(partner).unwrap();
            let reply_to = subject::partner_reply(&id, PartnerReplyKind::Quote);
            self.calls += 1;
            let head = &self.heads[&request];
            let question = QuoteQuestion {
                call_id: CallId { epoch: 1, counter: self.calls },
                isbn: head.submission.isbn,
                quantity: head.submission.quantity,
                condition: head.submission.condition,
                currency: head.terms.max_total.currency(),
                destination: head.submission.destination.zone(),
                not_after: head.terms.expires_at,
            };
            let asked = PartnerRequest::Quote(QuoteRequests { reply_to, items: vec![question] });
            let now = self.at();
            let answers = self.store(&id).handle(asked, now);
            for answer in answers {
                let body = answer.value.message.encode();
                for answer in wire::quote::answers(&id, &body).unwrap() {
                    if let QuoteOutcome::Offer { quote, .. } = answer.outcome {
                        quotes.push(quote);
                    }
                }
                self.hear(answer.value.subject, None, body);
            }
        }
        quotes.sort_by_cached_key(|quote| quote.rank());
        quotes
    }

    fn conclude(&mut self, request: RequestId, finding: Finding) {
        let (verdict, quotes) = match &finding {
            Finding::Affordable(quotes) => (Verdict::Buy, quotes.clone()),
            Finding::TooDear { best, .. } => (Verdict::TooDear, vec![best.clone()]),
            Finding::NoStock | Finding::NoAnswer => (Verdict::NoStock, Vec::new()),
        };
        let head = &self.heads[&request];
        let receipt = Receipt {
            sweep: head.sweep,
            decided_at: self.now,
            strategy: head.terms.strategy,
            max_total: head.terms.max_total,
            eligible: 3,
            answered: 3,
            directory: self.policy.partners.version(),
            verdict,
            quotes,
            search: None,
        };
        let conclusion = Conclusion { sweep: head.sweep, finding };
        self.receipts.entry(request).or_default().push(receipt);
        self.apply(request, vec![Event::SweepClosed(conclusion)]);
    }

    /// Applies events one after the other, and whatever the stores answer to what they cause; shows
    /// the request after the first of them.
    fn apply(&mut self, request: RequestId, events: Vec<Event>) -> Option<PurchaseView> {
        let mut events = VecDeque::from(events);
        let mut shown = None;
        while let Some(event) = events.pop_front() {
            let now = self.at();
            let head = &self.heads[&request];
            // Answers that change nothing (a copy, a late one) leave no row.
            let Ok(step) = transition::transition(head, event.clone(), now, &self.policy) else {
                continue;
            };
            let messages = self.commit(request, vec![(Change::Applied(event), step)]);
            shown.get_or_insert_with(|| wire::view::view(&self.heads[&request]));
            for message in messages {
                events.extend(self.deliver(&message));
            }
        }
        shown
    }

    /// Writes the steps down as one commit and publishes what they cause.
    fn commit(&mut self, request: RequestId, steps: Vec<(Change, Transition)>) -> Vec<Message> {
        let (mut rows, mut messages) = (Vec::new(), Vec::new());
        for (change, step) in steps {
            let version = step.next.version;
            rows.push(AuditRow { version, at: self.now, change });
            for (effect, index) in step.effects.into_iter().zip(0u8..) {
                let row = OutboxRow { request, version, index, effect, trace: None };
                let outgoing = Outgoing::Effect(row);
                let stored = StoredRow { seq: OutboxSeq(1), at: self.now, outgoing };
                let shown = outgoing::wants_receipt(&stored)
                    .and_then(|_| self.receipts.get(&request)?.last());
                messages.push(outgoing::message(&self.context, &stored, shown));
            }
            self.heads.insert(request, step.next);
        }
        let before = self.log.last().map_or(ChainHash::GENESIS, |record| record.hash);
        let commit = CommitNumber(self.log.len() as u64 + 1);
        let hash = link(before, commit, &request_body(request, &rows));
        self.log.push(AuditRecord { commit, body: AuditBody::Request { request, rows }, hash });
        for message in &messages {
            let id = Some(message.id.to_string());
            self.hear(message.subject.clone(), id, message.body.clone());
        }
        messages
    }

    /// Hands a command to its receiver; the answers as events.
    fn deliver(&mut self, message: &Message) -> Vec<Event> {
        let now = self.at();
        if let Some((partner, operation)) = subject::parse_partner_command(&message.subject) {
            let request = partner_request(operation, &message.body);
            let answers = self.store(&partner).handle(request, now);
            let mut events = Vec::new();
            for answer in answers {
                let body = answer.value.message.encode();
                let said = wire::partner::reply(partner.clone(), operation, &body).unwrap();
                events.push(Event::Partner(said.1));
                self.hear(answer.value.subject, answer.value.message_id, body);
            }
            return events;
        }
        let Some((_, operation)) = subject::parse_payment_command(&message.subject) else {
            return Vec::new();
        };
        let request = payment_request(operation, &message.body);
        let answers = self.sim.provider.handle(request, now);
        let mut events = Vec::new();
        for answer in answers {
            let body = json::encode(&answer.value.reply);
            let said = wire::payment::reply(operation, &body).unwrap();
            events.push(Event::Payment(said.1));
            self.hear(answer.value.subject, Some(answer.value.message_id), body);
        }
        events
    }

    fn hear(&mut self, subject: String, message_id: Option<String>, body: Vec<u8>) {
        let sequence = self.messages.len() as u64 + 1;
        let stored = stream::of_subject(&subject).map(|stream| (stream, sequence));
        let body = Bytes::from(body);
        self.messages.push(Seen { subject, message_id, body, at: self.now, stored });
    }

    fn store(&mut self, id: &PartnerId) -> &mut Partner {
        self.sim.partners.get_mut(id).unwrap()
    }

    /// Every look at the clock is a millisecond later.
    fn at(&mut self) -> Timestamp {
        self.now = self.now.saturating_add(DurationMs(1));
        self.now
    }
}

pub(super) fn the_book() -> Isbn13 {
    book(42)
}

fn partner_request(operation: PartnerOperation, body: &[u8]) -> PartnerRequest {
    let size = usize::MAX;
    match operation {
        PartnerOperation::Reserve => PartnerRequest::Reserve(json::decode(body, size).unwrap()),
        PartnerOperation::Release => PartnerRequest::Release(json::decode(body, size).unwrap()),
        PartnerOperation::Place => PartnerRequest::Place(json::decode(body, size).unwrap()),
        PartnerOperation::Cancel => PartnerRequest::Cancel(json::decode(body, size).unwrap()),
        PartnerOperation::Lookup => PartnerRequest::Lookup(json::decode(body, size).unwrap()),
    }
}

fn payment_request(operation: PaymentOperation, body: &[u8]) -> PaymentRequest {
    let size = usize::MAX;
    match operation {
        PaymentOperation::Authorize => PaymentRequest::Authorize(json::decode(body, size).unwrap()),
        PaymentOperation::Capture => PaymentRequest::Capture(json::decode(body, size).unwrap()),
        PaymentOperation::Void => PaymentRequest::Void(json::decode(body, size).unwrap()),
        PaymentOperation::Refund => PaymentRequest::Refund(json::decode(body, size).unwrap()),
        PaymentOperation::Lookup => PaymentRequest::Lookup(json::decode(body, size).unwrap()),
    }
}
