//! Nothing is tried, kept or sent without an end.

use std::collections::BTreeMap;

use broker_core::Policy;
use broker_core::effect::{Effect, PartnerCommand, PaymentCommand};
use schemas::{DurationMs, RequestId, Timestamp};

use super::Findings;
use crate::auditor::casebook::{Case, Casebook};

/// Questions beyond the ladder: an answer may put a fence up at once, and a cancel may follow an
/// order that turned up.
const ASKED_BESIDES_MAX: usize = 4;

/// The waits of all undos of a request begin anew with each that is added: an order to cancel, money
/// in another state than it was thought to be, stock.
const UNDOS_MAX: usize = 3;

/// What is counted: how often one command about one attempt was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Reserve,
    Place,
    /// Look-ups and cancels of an order.
    AskStore,
    Release,
    Authorize,
    Capture,
    AskProvider,
    /// Voids and refunds.
    GiveBack,
}

/// P1, invariant Bounded: attempts, commands remembered, and copies of each command to one store
/// or to the provider stay within what the policy allows in the time they took.
pub(in crate::auditor) fn bounded(book: &Casebook<'_>, findings: &mut Findings) {
    let policy = &book.evidence.policy;
    for (request, case) in &book.cases {
        let Some(head) = case.head else { continue };
        findings.demand(head.tried.len() <= usize::from(policy.attempts_max), *request, || {
            format!("{} attempts, allowed are {}", head.tried.len(), policy.attempts_max)
        });
        let commands = case.applied_commands().count();
        findings.demand(commands <= policy.commands_max, *request, || {
            format!("{commands} commands were applied, allowed are {}", policy.commands_max)
        });
        copies(*request, case, policy, findings);
    }
}

/// How often, when first and when last.
type Times = (usize, Timestamp, Timestamp);

fn copies(request: RequestId, case: &Case<'_>, policy: &Policy, findings: &mut Findings) {
    let mut sent: BTreeMap<(u8, Kind), Times> = BTreeMap::new();
    for step in &case.steps {
        for (attempt, kind) in step.effects().filter_map(kind) {
            let times = sent.entry((attempt, kind)).or_insert((0, step.at, step.at));
            *times = (times.0 + 1, times.1, step.at);
        }
    }
    for ((attempt, kind), (times, first, last)) in sent {
        let took = last.since(first);
        let allowed = match kind {
            Kind::Reserve | Kind::Authorize => 1,
            Kind::Place => 2,
            Kind::AskStore => {
                rungs(policy.lookup_ladder, took)
                    + UNDOS_MAX * rungs(policy.undo_ladder, took)
                    + ASKED_BESIDES_MAX
            }
            Kind::AskProvider => usize::from(policy.authorize_asks) + 1,
            Kind::Capture => 1 + rungs(&[policy.capture_timeout], took),
            // Money in another state than it was thought to be is given back in another way.
            Kind::Release | Kind::GiveBack => UNDOS_MAX * rungs(policy.undo_ladder, took),
        };
        findings.demand(times <= allowed, request, || {
            format!("{times} × {kind:?} for attempt {attempt} within {took:?}, allowed {allowed}")
        });
    }
}

/// Waits of a ladder that fit into a time, the last one repeating.
fn rungs(ladder: &[DurationMs], took: DurationMs) -> usize {
    let mut left = took.as_ms();
    let mut count = 1;
    for n in 0u8..=u8::MAX {
        let wait = Policy::ladder(ladder, n).as_ms().max(1);
        if usize::from(n) + 1 >= ladder.len() {
            return count + usize::try_from(left / wait).unwrap_or(usize::MAX - count);
        }
        if left < wait {
            break;
        }
        left -= wait;
        count += 1;
    }
    count
}

fn kind(effect: &Effect) -> Option<(u8, Kind)> {
    match effect {
        Effect::Partner { attempt, command, .. } => {
            let kind = match command {
                PartnerCommand::Reserve { .. } => Kind::Reserve,
                PartnerCommand::Release => Kind::Release,
                PartnerCommand::Place { .. } => Kind::Place,
                PartnerCommand::Cancel | PartnerCommand::Lookup => Kind::AskStore,
            };
            Some((*attempt, kind))
        }
        Effect::Payment { attempt, command } => {
            let kind = match command {
                PaymentCommand::Authorize { .. } => Kind::Authorize,
                PaymentCommand::Capture { .. } => Kind::Capture,
                PaymentCommand::Void | PaymentCommand::Refund => Kind::GiveBack,
                PaymentCommand::Lookup => Kind::AskProvider,
            };
            Some((*attempt, kind))
        }
        Effect::Event { .. } | Effect::Notify { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ladder_allows_as_many_waits_as_fit() {
        let ladder = [DurationMs(1), DurationMs(2), DurationMs(10)];
        let fit = |ms| rungs(&ladder, DurationMs(ms));
        assert_eq!([0, 1, 2, 3, 12, 13, 23].map(fit), [1, 2, 2, 3, 3, 4, 5]);
    }
}
