//! The list of checks. A new one is added here and gets a planted violation in `planted`.

mod bounds;
mod choice;
mod commands;
mod history;
mod last_words;
mod limits;
mod money;
mod notices;
mod orders;
mod progress;
mod races;
mod secrets;
mod speakers;
mod streams;
mod terms;
mod wire;

use schemas::RequestId;

use super::casebook::Casebook;
use super::verdict::{Checked, Promise, Violation};

/// One check: a name, the promise it guards, the invariants it is made of, what it demands, and how
/// it finds out.
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) promise: Promise,
    /// Numbers in the project's list of invariants.
    pub(super) invariants: &'static [u8],
    pub(super) says: &'static str,
    pub(super) run: fn(&Casebook<'_>, &mut Findings),
}

/// What a check collects while it looks.
#[derive(Default)]
pub(super) struct Findings {
    examined: usize,
    said: Vec<(Option<RequestId>, String)>,
}

impl Findings {
    /// One more thing was looked at.
    pub(super) fn examine(&mut self) {
        self.examined += 1;
    }

    pub(super) fn about(&mut self, request: RequestId, said: impl Into<String>) {
        self.said.push((Some(request), said.into()));
    }

    pub(super) fn general(&mut self, said: impl Into<String>) {
        self.said.push((None, said.into()));
    }

    /// Looks at one thing and says what is wrong unless it holds.
    pub(super) fn demand(
        &mut self,
        holds: bool,
        request: RequestId,
        said: impl FnOnce() -> String,
    ) {
        self.examine();
        if !holds {
            self.about(request, said());
        }
    }
}

impl Check {
    pub(super) fn judge(&self, book: &Casebook<'_>) -> Checked {
        let mut findings = Findings::default();
        if !book.evidence.background.store_only || OF_THE_LOG.contains(&self.name) {
            (self.run)(book, &mut findings);
        }
        let Self { name, promise, says, .. } = *self;
        let violations = findings.said.into_iter();
        let violations =
            violations.map(|(request, said)| Violation { check: name, promise, request, said });
        Checked {
            name,
            promise,
            says,
            examined: findings.examined,
            violations: violations.collect(),
        }
    }
}

/// Checks that need nothing but the broker's own log and heads.
pub(super) const OF_THE_LOG: &[&str] = &[
    "fenced",
    "bounded",
    "choice_recomputed",
    "progresses",
    "event_once",
    "audit_chain_intact",
    "legal_history",
    "store_reopens_the_same",
];

macro_rules! checks {
    ($($promise:ident $invariants:tt $module:ident::$name:ident, $says:literal;)*) => {
        /// Every check, in the order in which it is reported.
        pub(super) const ALL: &[Check] = &[$(Check {
            name: stringify!($name),
            promise: Promise::$promise,
            invariants: &$invariants,
            says: $says,
            run: $module::$name,
        },)*];
    };
}

checks! {
    P1 [1] orders::at_most_one_live_order, "no two orders of one request stand at the same time";
    P1 [2] orders::one_key_per_attempt, "every copy of an attempt carries the same key and terms";
    P1 [3] wire::intent_before_effect, "whatever left the broker follows from its durable history";
    P1 [26] history::fenced, "one history, whoever wrote it; one id, one message";
    P1 [22] bounds::bounded, "attempts and copies stay within the policy";
    P2 [5] limits::within_budget, "charged ≤ cap ≤ the limit of the version the intent names";
    P2 [6] orders::right_goods, "the ordered book, copies and condition are the asked ones";
    P2 [16] choice::honest_choice, "what was bought is what that store had offered";
    P2 [16] choice::choice_recomputed, "chosen again from its receipt, it comes out the same";
    P2 [15] races::update_linearizable, "an accepted update binds every later order";
    P3 [4] limits::no_order_after_expiry, "no order is decided or accepted after the deadline";
    P3 [4, 5] terms::terms_are_the_customers, "limit and deadline are what the customer sent";
    P3 [4, 27] limits::deadlines_monotone, "no clock lets an order leave late";
    P4 [11] commands::nothing_lost, "every acknowledged request comes to one end";
    P4 [11, 23] progress::progresses, "nothing waits longer than it may without a human knowing";
    P4 [13] commands::submit_idempotent, "the same command has one effect and one answer";
    P4 [14] races::cancel_linearizable, "what a cancel was answered is what happened";
    P4 [17] commands::rejected_has_no_effect, "what was refused changed nothing";
    P4 [17, 22] speakers::given_up_is_told, "what nobody could use has a dead letter, and only one";
    P4 [18] history::event_once, "no answer counts twice";
    P4 [12] notices::notified_truthfully, "every outcome is notified, and every notice is true";
    P4 [7, 12] notices::outcome_matches_ledgers, "the told outcome is what the stores wrote down";
    P4 [20] streams::stream_agreement, "what a stream acknowledged, the store dealt with";
    P4 [21] streams::outbox_drained, "everything decided went out, in order, byte for byte";
    P4 [25] history::audit_chain_intact, "the audit log has no gap and no forgery";
    P5 [7] money::money_matches_orders, "captured is what stands ordered, and nothing else is held";
    P5 [8] money::no_money_against_order, "no money moves against a standing order";
    P5 [9] money::payment_once, "each payment moves once, one at a time";
    P5 [7] money::no_hold_left_behind, "no stock stays reserved for a request that is over";
    P6 [2] orders::unknown_is_not_no, "nothing is bought elsewhere before the last try is gone";
    P7 [17] speakers::nobody_speaks_for_another, "every applied word came from who may say it";
    P7 [25] secrets::no_secret_leaks, "tokens and addresses go only where they must";
    P8 [10, 19] history::legal_history, "the log folds to the stored request, by legal steps";
    P8 [19] history::store_reopens_the_same, "the store holds after opening what it held before";
    P8 [24] progress::useful, "what an honest store would have sold is bought";
}
