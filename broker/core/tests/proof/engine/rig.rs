//! The engine with a store in memory that honours compare-and-set, and nothing else: no IO, no
//! clock. A test plays partners and provider by hand, or lets [`Rig::play_along`] do it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use broker_core::batch::{
    AuditRow, Batch, CommandRecord, Expect, IndexOp, OutboxRow, Part, SourceStream, Stored,
    StreamPosition,
};
use broker_core::effect::{Effect, PartnerCommand, PaymentCommand};
use broker_core::engine::input::{CommitToken, Input, Origin, QuoteAnswer, QuoteOutcome, TimerRow};
use broker_core::engine::output::{Answer, Fact, Output, Question};
use broker_core::engine::ranking::RankingStart;
use broker_core::engine::ranking::snapshot::Snapshot;
use broker_core::engine::{Engine, EngineConfig};
use broker_core::event::{Event, PartnerAnswer, PartnerOutcome, PaymentAnswer, PaymentOutcome};
use broker_core::partner::PartnerProfile;
use broker_core::quote::Quote;
use broker_core::receipt::Receipt;
use broker_core::request::{PurchaseRequest, Submission};
use broker_core::timer::TimerOp;
use schemas::id::CallId;
use schemas::subject::{PartnerOperation, PaymentOperation};
use schemas::{CustomerId, Digest, DurationMs, RequestId, Timestamp};

use crate::support::{T0, isbn, order_id, partner, policy_with, quote, reservation_id};

/// One question as it left.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) partner: String,
    pub(crate) question: Question,
}

/// What survives a crash.
#[derive(Default)]
pub(crate) struct Disk {
    pub(crate) requests: BTreeMap<RequestId, Stored>,
    pub(crate) receipts: Vec<Receipt>,
    pub(crate) ranking: Option<Snapshot>,
    pub(crate) timers: BTreeSet<TimerRow>,
    pub(crate) active: BTreeSet<RequestId>,
    pub(crate) outbox: Vec<OutboxRow>,
    pub(crate) audit: BTreeMap<RequestId, Vec<AuditRow>>,
}

pub(crate) struct Rig {
    pub(crate) engine: Engine,
    pub(crate) now: Timestamp,
    pub(crate) profiles: Vec<PartnerProfile>,
    pub(crate) disk: Disk,
    /// Outbox rows already played.
    pub(crate) played: usize,
    pub(crate) asked: VecDeque<Asked>,
    /// Number of messages that carried questions.
    pub(crate) messages: usize,
    pub(crate) done: Vec<(Origin, Answer)>,
    pub(crate) facts: Vec<Fact>,
    /// Commits not yet answered, when the test holds them back.
    pub(crate) held: VecDeque<(CommitToken, Box<Batch>)>,
    pub(crate) hold_commits: bool,
    pub(crate) loads: Vec<RequestId>,
    pub(crate) scans: Vec<Timestamp>,
    /// Every output as text, in order.
    pub(crate) log: Vec<String>,
    next_origin: u64,
}

pub(crate) fn customer() -> CustomerId {
    CustomerId::parse("ann").unwrap()
}

fn config(profiles: &[PartnerProfile], epoch: u32) -> EngineConfig {
    EngineConfig {
        policy: policy_with(profiles.to_vec()),
        boot_epoch: epoch,
        token_key: [7; 32],
        hot_max: 1000,
        ranking: RankingStart::default(),
    }
}

impl Rig {
    pub(crate) fn new(profiles: Vec<PartnerProfile>) -> Self {
        Self::with(profiles, |_| {})
    }

    pub(crate) fn with(
        profiles: Vec<PartnerProfile>,
        change: impl FnOnce(&mut EngineConfig),
    ) -> Self {
        let mut config = config(&profiles, 1);
        change(&mut config);
        Self {
            engine: Engine::new(config, T0),
            now: T0,
            profiles,
            disk: Disk::default(),
            played: 0,
            asked: VecDeque::new(),
            messages: 0,
            done: Vec::new(),
            facts: Vec::new(),
            held: VecDeque::new(),
            hold_commits: false,
            loads: Vec::new(),
            scans: Vec::new(),
            log: Vec::new(),
            next_origin: 0,
        }
    }

    /// A new life on the same disk.
    pub(crate) fn crash(&mut self, epoch: u32) {
        let snapshot = self.disk.ranking.clone();
        let ranking = RankingStart { snapshot, ..RankingStart::default() };
        let policy = self.engine.policy().clone();
        let config = EngineConfig { ranking, policy, ..config(&self.profiles, epoch) };
        self.engine = Engine::new(config, self.now);
        self.asked.clear();
        self.held.clear();
        for request in self.disk.active.clone() {
            self.send(Input::Recover(request));
        }
    }

    pub(crate) fn origin(&mut self) -> Origin {
        self.next_origin += 1;
        Origin(self.next_origin)
    }

    pub(crate) fn send(&mut self, input: Input) {
        self.engine.handle(input, self.now);
        self.pump();
    }

    /// Performs outputs until there are none.
    pub(crate) fn pump(&mut self) {
        while let Some(output) = self.engine.poll_output() {
            self.log.push(format!("{output:?}"));
            match output {
                Output::Load(request) => {
                    self.loads.push(request);
                    let stored = self.disk.requests.get(&request).cloned().map(Box::new);
                    self.engine.handle(Input::Loaded { request, stored }, self.now);
                }
                Output::Commit { token, batch } => {
                    self.held.push_back((token, batch));
                    if !self.hold_commits {
                        self.commit_one();
                    }
                }
                Output::Ask { partner, questions } => {
                    self.messages += 1;
                    let partner = self.profiles[usize::from(partner.0)].id.to_string();
                    self.asked.extend(
                        questions
                            .into_iter()
                            .map(|question| Asked { partner: partner.clone(), question }),
                    );
                }
                Output::Done { origin, answer } => self.done.push((origin, answer)),
                Output::ScanTimers { until } => {
                    self.scans.push(until);
                    let due = self.disk.timers.iter().filter(|row| row.at <= until);
                    let timers = due.copied().collect();
                    self.engine.handle(Input::Timers { until, timers }, self.now);
                }
                Output::SaveRanking(snapshot) => {
                    let number = snapshot.number;
                    self.disk.ranking = Some(*snapshot);
                    self.engine.handle(Input::RankingKept(number), self.now);
                }
                Output::Observe(fact) => self.facts.push(fact),
            }
        }
    }

    /// The store takes the oldest held batch, or refuses it because the version has moved on.
    pub(crate) fn commit_one(&mut self) {
        let (token, batch) = self.held.pop_front().expect("a commit is held");
        let input = if self.disk.apply(&batch) {
            Input::Committed { token }
        } else {
            Input::Conflicted { token }
        };
        self.engine.handle(input, self.now);
    }

    pub(crate) fn commit_held(&mut self) {
        self.commit_one();
        self.pump();
    }

    /// Time passes; the engine is called whenever it asked to be.
    pub(crate) fn wait(&mut self, ms: u64) {
        let end = self.now.saturating_add(DurationMs(ms));
        while let Some((at, _)) = self.engine.poll_timeout().filter(|(at, _)| *at <= end) {
            let stuck = at <= self.now;
            self.now = self.now.max(at);
            self.send(Input::Tick);
            let next = self.engine.poll_timeout().map(|(at, _)| at);
            assert!(!stuck || next > Some(at), "asks to be called again and again at {at}");
        }
        self.now = end;
        self.send(Input::Tick);
    }

    pub(crate) fn create(&mut self, submission: Submission) -> Origin {
        let origin = self.origin();
        self.send(Input::Create { origin, source: None, submission: Box::new(submission) });
        origin
    }

    /// From its stream, which keeps it until it is decided.
    pub(crate) fn create_from_stream(&mut self, submission: Submission, sequence: u64) -> Origin {
        let origin = self.origin();
        let source = StreamPosition { stream: SourceStream::PurchaseCreates, sequence };
        let submission = Box::new(submission);
        self.send(Input::Create { origin, source: Some(source), submission });
        origin
    }

    pub(crate) fn command(&mut self, request: RequestId, event: Event) -> Origin {
        let digest = Digest::of(format!("{event:?}").as_bytes());
        self.command_of("ann", request, digest, event)
    }

    pub(crate) fn command_of(
        &mut self,
        customer: &str,
        request: RequestId,
        digest: Digest,
        event: Event,
    ) -> Origin {
        let origin = self.origin();
        let customer = CustomerId::parse(customer).unwrap();
        self.send(Input::Command { origin, source: None, customer, request, digest, event });
        origin
    }

    pub(crate) fn answer(&self, origin: Origin) -> Option<&Answer> {
        self.done.iter().find(|(of, _)| *of == origin).map(|(_, answer)| answer)
    }

    /// `accepted`, `replayed`, the reason of a rejection, or `nothing yet`.
    pub(crate) fn told(&self, origin: Origin) -> String {
        match self.answer(origin) {
            None => "nothing yet".to_owned(),
            Some(Answer::Accepted { replayed: true, .. }) => "replayed".to_owned(),
            Some(Answer::Accepted { replayed: false, .. }) => "accepted".to_owned(),
            Some(Answer::Rejected { reason, .. }) => reason.label().to_owned(),
            Some(Answer::Taken) => "taken".to_owned(),
            Some(Answer::Ranking(_)) => "ranking".to_owned(),
            Some(Answer::Sweeps(_)) => "sweeps".to_owned(),
        }
    }

    pub(crate) fn request(&self, id: RequestId) -> &PurchaseRequest {
        &self.disk.requests[&id].request
    }

    pub(crate) fn status(&self, id: RequestId) -> String {
        crate::support::status(self.request(id))
    }

    /// The oldest unanswered question to a partner.
    pub(crate) fn question(&mut self, name: &str) -> Question {
        let index = self.asked.iter().position(|asked| asked.partner == name);
        let index = index.unwrap_or_else(|| panic!("{name} was not asked"));
        self.asked.remove(index).expect("just found").question
    }

    pub(crate) fn asked_names(&self) -> Vec<String> {
        self.asked.iter().map(|asked| asked.partner.clone()).collect()
    }

    pub(crate) fn say(&mut self, name: &str, call: CallId, outcome: QuoteOutcome) {
        let answers = vec![QuoteAnswer { call, outcome }];
        self.send(Input::Quotes { origin: None, partner: partner(name), answers });
    }

    /// The partner answers its oldest question with this total.
    pub(crate) fn offers(&mut self, name: &str, total: u64) -> CallId {
        self.offers_quote(name, quote(name, total))
    }

    pub(crate) fn offers_quote(&mut self, name: &str, quote: Quote) -> CallId {
        let call = self.question(name).call;
        self.say(name, call, QuoteOutcome::Offer { isbn: isbn(), quote });
        call
    }

    pub(crate) fn has_none(&mut self, name: &str) {
        let call = self.question(name).call;
        self.say(name, call, QuoteOutcome::NoStock);
    }

    /// Effects that left so far, as text.
    pub(crate) fn left(&self) -> Vec<String> {
        let line = |row: &OutboxRow| match &row.effect {
            Effect::Event { kind, .. } => format!("event {}", kind.label()),
            Effect::Notify { outcome, number, .. } => {
                format!("notify {number} {}", outcome.label())
            }
            Effect::Partner { partner, attempt, command } => {
                let what = format!("{command:?}");
                let what = what.split([' ', '{']).next().unwrap_or_default().to_lowercase();
                format!("{partner} {what}#{attempt}")
            }
            Effect::Payment { attempt, command } => {
                let what = format!("{command:?}");
                let what = what.split([' ', '{']).next().unwrap_or_default().to_lowercase();
                format!("pay {what}#{attempt}")
            }
        };
        self.disk.outbox.iter().map(line).collect()
    }

    /// Stores and provider answer every command at once, to everybody's content.
    pub(crate) fn play_along(&mut self) {
        while self.play_next() {}
    }

    /// The same for the oldest unanswered command; false if there is none.
    pub(crate) fn play_next(&mut self) -> bool {
        let Some(row) = self.disk.outbox.get(self.played).cloned() else { return false };
        self.played += 1;
        self.play(&row);
        true
    }

    /// Everybody goes along until the store says its final no to this request's order.
    pub(crate) fn place_refused(&mut self, request: RequestId, name: &str) {
        loop {
            let row = self.disk.outbox.get(self.played).cloned().expect("an order comes");
            match &row.effect {
                Effect::Partner { attempt, command: PartnerCommand::Place { .. }, .. }
                    if row.request == request =>
                {
                    self.played += 1;
                    let answer = PartnerAnswer {
                        partner: partner(name),
                        attempt: *attempt,
                        operation: Some(PartnerOperation::Place),
                        in_reply_to: Some(row.version),
                        outcome: crate::support::refused(true),
                    };
                    let origin = self.origin();
                    return self.send(Input::Partner { origin, source: None, request, answer });
                }
                _ => assert!(self.play_next()),
            }
        }
    }

    fn play(&mut self, row: &OutboxRow) {
        let origin = self.origin();
        let (request, source) = (row.request, None);
        match &row.effect {
            Effect::Partner { partner, attempt, command } => {
                let (operation, outcome) = content_store(command, self.now);
                let answer = PartnerAnswer {
                    partner: partner.clone(),
                    attempt: *attempt,
                    operation: Some(operation),
                    in_reply_to: Some(row.version),
                    outcome,
                };
                self.send(Input::Partner { origin, source, request, answer });
            }
            Effect::Payment { attempt, command } => {
                let (operation, outcome) = content_provider(command, self.now);
                let (attempt, in_reply_to) = (*attempt, Some(row.version));
                let answer = PaymentAnswer { attempt, operation, in_reply_to, outcome };
                self.send(Input::Payment { origin, source, request, answer });
            }
            Effect::Event { .. } | Effect::Notify { .. } => {}
        }
    }
}

fn content_store(command: &PartnerCommand, now: Timestamp) -> (PartnerOperation, PartnerOutcome) {
    match command {
        PartnerCommand::Reserve { ttl, .. } => {
            let valid_until = now.saturating_add(*ttl);
            let id = reservation_id("r-1");
            (PartnerOperation::Reserve, PartnerOutcome::Reserved { id, valid_until })
        }
        PartnerCommand::Release => (PartnerOperation::Release, PartnerOutcome::Released),
        PartnerCommand::Place { price_cap, .. } => {
            let confirmed =
                PartnerOutcome::Confirmed { order_id: order_id("o-1"), total: *price_cap };
            (PartnerOperation::Place, confirmed)
        }
        PartnerCommand::Cancel => (PartnerOperation::Cancel, crate::support::canceled("o-1")),
        PartnerCommand::Lookup => {
            (PartnerOperation::Lookup, PartnerOutcome::NotFound { final_for_key: true })
        }
    }
}

fn content_provider(
    command: &PaymentCommand,
    now: Timestamp,
) -> (PaymentOperation, PaymentOutcome) {
    match command {
        PaymentCommand::Authorize { amount, .. } => {
            let valid_until = now.saturating_add(DurationMs::from_secs(3600));
            let outcome = PaymentOutcome::Authorized { amount: *amount, valid_until };
            (PaymentOperation::Authorize, outcome)
        }
        PaymentCommand::Capture { amount } => {
            (PaymentOperation::Capture, PaymentOutcome::Captured { amount: *amount })
        }
        PaymentCommand::Void => (PaymentOperation::Void, PaymentOutcome::Voided),
        PaymentCommand::Refund => (PaymentOperation::Refund, PaymentOutcome::Refunded),
        PaymentCommand::Lookup => {
            (PaymentOperation::Lookup, PaymentOutcome::NotFound { final_for_key: true })
        }
    }
}

impl Disk {
    /// Compare and set: the whole batch, or nothing.
    pub(crate) fn apply(&mut self, batch: &Batch) -> bool {
        let id = batch.request.id();
        let stored = self.requests.get(&id);
        let expected = match batch.expect {
            Expect::Absent => stored.is_none(),
            Expect::Version(version) => {
                stored.is_some_and(|stored| stored.request.version == version)
            }
        };
        if !expected {
            return false;
        }
        let before = stored.map_or(0, |stored| stored.request.version.0);
        let grown = before + batch.audit.len() as u64;
        assert_eq!(batch.request.version.0, grown, "each audit row is one version");
        let mut commands: Vec<CommandRecord> =
            stored.map(|stored| stored.commands.clone()).unwrap_or_default();
        for part in &batch.parts {
            match part {
                Part::Submission => assert!(stored.is_none(), "a submission is written once"),
                Part::Command(record) => commands.push(record.clone()),
                Part::Receipt(receipt) => self.receipts.push(receipt.clone()),
            }
        }
        for op in &batch.timers {
            let row = |at, kind| TimerRow { at, request: id, kind };
            match *op {
                TimerOp::Set { kind, at } => {
                    assert!(self.timers.insert(row(at, kind)), "set twice")
                }
                TimerOp::Clear { kind, at } => {
                    assert!(self.timers.remove(&row(at, kind)), "cleared but not set");
                }
            }
        }
        for op in &batch.index {
            match op {
                IndexOp::AddToCustomer => assert!(stored.is_none(), "indexed once"),
                IndexOp::AddActive => assert!(self.active.insert(id), "active twice"),
                IndexOp::RemoveActive => assert!(self.active.remove(&id), "was not active"),
            }
        }
        self.audit.entry(id).or_default().extend(batch.audit.iter().cloned());
        self.outbox.extend(batch.outbox.iter().cloned());
        self.requests.insert(id, Stored { request: batch.request.clone(), commands });
        true
    }
}
