use std::sync::mpsc;
use std::time::Instant;

use broker_core::Policy;
use broker_core::engine::EngineConfig;
use broker_core::engine::ranking::RankingStart;
use broker_core::partner::{PartnerProfile, Partners};
use broker_core::request::{Submission, Terms};
use schemas::id::PaymentToken;
use schemas::purchase::{Mode, PurchaseStatus, Strategy};
use schemas::{Condition, Digest};

use super::*;
use crate::mailbox::{Intake, Results, mailbox};
use crate::wire::fixture;

#[test]
fn nothing_is_told_before_its_commit_is_durable() {
    let (stage, said) = Stage::start();
    stage.intake.try_send(stage.create()).unwrap();
    let Said::Load = said.next() else { panic!("a load first") };
    stage.results.send(Input::Loaded { request: stage.request, stored: None });
    let Said::Commit(token) = said.next() else { panic!("then a commit") };
    assert!(said.is_silent(), "an answer before the commit");
    stage.results.send(Input::Committed { token });
    let Said::Done(Origin(7), Answer::Accepted { request, .. }) = said.next_but_ask() else {
        panic!("then the answer")
    };
    assert_eq!(request.status.kind(), PurchaseStatus::Searching);
    stage.stop();
}

#[test]
fn a_deadline_of_the_engine_is_met_without_any_input() {
    let (stage, said) = Stage::start();
    stage.intake.try_send(stage.create()).unwrap();
    said.next();
    stage.results.send(Input::Loaded { request: stage.request, stored: None });
    let Said::Commit(token) = said.next() else { panic!("a commit") };
    stage.results.send(Input::Committed { token });
    // Nobody answers the question: the sweep ends by itself, which is another commit.
    let ended = said.find(|said| matches!(said, Said::Commit(_)));
    assert!(ended, "the sweep never ended");
    stage.stop();
}

#[test]
fn the_load_is_shown_again_and_again_also_when_there_is_nothing_to_do() {
    let (stage, said) = Stage::start();
    for _ in 0..2 {
        while !matches!(said.0.recv_timeout(DEADLINE).expect("the load is shown"), Said::Show) {}
    }
    stage.stop();
}

#[test]
fn the_room_of_the_intake_comes_back_with_every_turn() {
    let (stage, said) = Stage::start();
    for _ in 0..3 * INTAKE_MAX {
        let deadline = Instant::now() + DEADLINE;
        while stage.intake.try_send(Input::Tick).is_err() {
            assert!(Instant::now() < deadline, "the intake stays full");
            std::thread::yield_now();
        }
    }
    drop(said);
    stage.stop();
}

const INTAKE_MAX: usize = 4;
const DEADLINE: Duration = Duration::from_secs(20);

enum Said {
    Load,
    Commit(CommitToken),
    Ask,
    Done(Origin, Answer),
    ScanTimers,
    Show,
}

struct Recorder(mpsc::Sender<Said>);

impl Recorder {
    fn say(&self, said: Said) {
        // The test may have seen enough.
        let _ = self.0.send(said);
    }
}

impl Ports for Recorder {
    fn load(&mut self, _request: RequestId) {
        self.say(Said::Load);
    }

    fn commit(&mut self, token: CommitToken, _batch: Box<Batch>) {
        self.say(Said::Commit(token));
    }

    fn ask(&mut self, _partner: PartnerIndex, _questions: Vec<Question>) {
        self.say(Said::Ask);
    }

    fn done(&mut self, origin: Origin, answer: Answer) {
        self.say(Said::Done(origin, answer));
    }

    fn scan_timers(&mut self, _until: Timestamp) {
        self.say(Said::ScanTimers);
    }

    fn keep_ranking(&mut self, _snapshot: Box<Snapshot>) {}

    fn observe(&mut self, _fact: Fact) {}

    fn show(&mut self, _load: Load) {
        self.say(Said::Show);
    }
}

struct Listener(mpsc::Receiver<Said>);

impl Listener {
    fn next(&self) -> Said {
        loop {
            match self.0.recv_timeout(DEADLINE).expect("the engine says something in time") {
                // Timers are looked for whenever the engine likes, and the load in its own time.
                Said::ScanTimers | Said::Show => {}
                said => return said,
            }
        }
    }

    fn next_but_ask(&self) -> Said {
        loop {
            match self.next() {
                Said::Ask => {}
                said => return said,
            }
        }
    }

    fn find(&self, wanted: impl Fn(&Said) -> bool) -> bool {
        let deadline = Instant::now() + DEADLINE;
        while Instant::now() < deadline {
            if wanted(&self.next()) {
                return true;
            }
        }
        false
    }

    fn is_silent(&self) -> bool {
        std::iter::from_fn(|| self.0.try_recv().ok())
            .all(|said| matches!(said, Said::ScanTimers | Said::Show))
    }
}

struct Stage {
    intake: Intake,
    results: Results,
    thread: std::thread::JoinHandle<Recorder>,
    clock: Clock,
    request: RequestId,
}

impl Stage {
    fn start() -> (Self, Listener) {
        let profile = PartnerProfile::cautious(fixture::partner());
        let partners = Partners::new(vec![profile], Digest::of(b"one"));
        let mut policy = Policy::standard(partners);
        policy.sweep_hard_stop = DurationMs(50);
        let clock = Clock::system();
        let config = EngineConfig {
            policy,
            boot_epoch: 1,
            token_key: [1; 32],
            hot_max: 10,
            ranking: RankingStart::default(),
        };
        let engine = Engine::new(config, clock.now());
        let (mailbox, intake, results) = mailbox(INTAKE_MAX);
        let (sender, said) = mpsc::channel();
        let dir = tempfile::tempdir().unwrap();
        let quarantine = Quarantine::load(dir.path()).unwrap();
        let driver = Driver::new(engine, clock.clone(), Recorder(sender), mailbox, quarantine);
        let thread = std::thread::spawn(move || driver.run());
        let request = RequestId::from_parts(clock.now().as_unix_ms(), 1 << 64);
        (Self { intake, results, thread, clock, request }, Listener(said))
    }

    fn create(&self) -> Input {
        let now = self.clock.now();
        let submission = Submission {
            id: self.request,
            customer: fixture::customer(),
            digest: Digest::of(b"body"),
            isbn: fixture::isbn(),
            quantity: 1,
            destination: fixture::destination(),
            payment_token: PaymentToken::parse("tok_1").unwrap(),
            condition: Condition::New,
            mode: Mode::OneShot,
            rebuy: false,
            created_at: now,
            trace: None,
            terms: Terms {
                max_total: fixture::usd(2500),
                expires_at: now.saturating_add(DurationMs::from_secs(60)),
                strategy: Strategy::Balanced,
            },
        };
        Input::Create { origin: Origin(7), source: None, submission: Box::new(submission) }
    }

    fn stop(self) {
        self.results.stop();
        self.thread.join().unwrap();
    }
}
