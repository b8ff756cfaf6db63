//! The list of checks. A new one is added here and gets a planted violation in `planted`.

mod commands;
mod history;
mod limits;
mod money;
mod notices;
mod orders;
mod speakers;
mod wire;

use schemas::RequestId;

use super::casebook::Casebook;
use super::verdict::{Checked, Promise, Violation};

/// One check: a name, the promise it guards, what it demands, and how it finds out.
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) promise: Promise,
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
        (self.run)(book, &mut findings);
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

macro_rules! checks {
    ($($promise:ident $module:ident::$name:ident, $says:literal;)*) => {
        /// Every check, in the order in which it is reported.
        pub(super) const ALL: &[Check] = &[$(Check {
            name: stringify!($name),
            promise: Promise::$promise,
            says: $says,
            run: $module::$name,
        },)*];
    };
}

checks! {
    P1 orders::at_most_one_live_order, "no two orders of one request stand at the same time";
    P1 orders::one_key_per_attempt, "every copy of an attempt carries the same key and terms";
    P1 wire::intent_before_effect, "whatever left the broker follows from its durable history";
    P2 limits::within_budget, "charged ≤ cap ≤ the limit of the version the intent names";
    P2 orders::right_goods, "the ordered book, copies and condition are the asked ones";
    P2 speakers::honest_choice, "what was bought is what that store had offered";
    P3 limits::no_order_after_expiry, "no order is sent or accepted after the deadline";
    P4 commands::nothing_lost, "every acknowledged request comes to one end";
    P4 commands::submit_idempotent, "the same command has one effect and one answer";
    P4 commands::rejected_has_no_effect, "what was refused changed nothing";
    P4 notices::notified_truthfully, "every outcome is notified, and every notice is true";
    P4 notices::outcome_matches_ledgers, "the told outcome is what the stores wrote down";
    P4 history::audit_chain_intact, "the audit log has no gap and no forgery";
    P5 money::money_matches_orders, "captured is what stands ordered, and nothing else is held";
    P5 money::payment_once, "each payment moves once, one at a time, after its order";
    P5 money::no_hold_left_behind, "no stock stays reserved for a request that is over";
    P6 orders::unknown_is_not_no, "nothing is bought elsewhere before the last try is proven gone";
    P7 speakers::nobody_speaks_for_another, "every applied word came from who may say it";
    P8 history::legal_history, "the log folds to the stored request, step by legal step";
}
