//! What happens to any plan besides: copies, other bodies under its id, strangers, questions,
//! nonsense.

use bytes::Bytes;
use schemas::id::CommandId;
use schemas::json::encode;
use schemas::purchase::{CancelPurchase, GetPurchase, ListPurchases, PurchaseStatus};
use schemas::subject::PurchaseOperation;
use schemas::{DurationMs, Money};

use super::Act;
use super::desk::{self, Desk};
use super::nonsense;
use super::plan::Plan;
use crate::auditor::{Command, Route};

/// Adds to a plan that is complete.
pub(super) fn add(desk: &mut Desk<'_>, plan: &mut Plan) {
    if desk.strikes(350) {
        copies(desk, plan);
    }
    if desk.strikes(60) {
        another_body(desk, plan);
    }
    if desk.strikes(100) {
        stranger(desk, plan);
    }
    if desk.strikes(150) {
        questions(desk, plan);
    }
    if desk.strikes(120) {
        nonsense::say_something(desk, plan);
    }
    if desk.strikes(40) {
        nobody(desk, plan);
    }
}

/// The same words again, through either door, at once or much later.
fn copies(desk: &mut Desk<'_>, plan: &mut Plan) {
    for _ in 0..desk.within(1, 3) {
        let count = u32::try_from(plan.acts.len()).expect("a few acts");
        let act = plan.acts[desk.below(count) as usize].clone();
        let span = desk.pick(&[0, 5, 1_000, 10_000, 300_000]);
        let at = act.at.saturating_add(DurationMs(desk.within(0, span)));
        let route = desk.route();
        plan.acts.push(Act { at, route, ..act });
    }
}

/// Another body under the same id: whoever comes first has it.
fn another_body(desk: &mut Desk<'_>, plan: &mut Plan) {
    let creates = plan.acts.iter().filter_map(|act| match &act.command {
        Command::Create(create) => Some(create.clone()),
        _ => None,
    });
    let Some(mut create) = creates.last() else { return };
    let limit = create.max_total;
    create.max_total = Money::new(limit.minor() + 1, limit.currency()).unwrap_or(limit);
    let at = plan.at.saturating_add(DurationMs(desk.within(0, 2_000)));
    let route = desk.route();
    plan.say(at, Command::Create(create), route);
    plan.expectation = None;
}

/// Somebody else speaks of the request.
fn stranger(desk: &mut Desk<'_>, plan: &mut Plan) {
    let at = plan.at.saturating_add(DurationMs(desk.within(0, 2_000)));
    let (command, route) = if desk.strikes(300) {
        (get(plan), Route::Service)
    } else {
        let command_id = CommandId::parse("stranger-1").expect("a short word");
        let cancel = CancelPurchase { request_id: plan.request, command_id, reason: None };
        (Command::Cancel(cancel), desk.route())
    };
    plan.acts.push(Act { at, customer: desk::customer(desk::STRANGER), command, route });
}

fn questions(desk: &mut Desk<'_>, plan: &mut Plan) {
    for _ in 0..desk.within(1, 4) {
        let at = plan.at.saturating_add(DurationMs(desk.within(0, 10_000)));
        let command = if desk.strikes(500) {
            let status = desk.pick(&[None, Some(PurchaseStatus::Ordered)]);
            let limit = desk.pick(&[None, Some(1)]);
            let list = ListPurchases { status, after: None, limit };
            raw(PurchaseOperation::List, encode(&list))
        } else {
            get(plan)
        };
        plan.say(at, command, Route::Service);
    }
}

/// A change of a request that does not exist.
fn nobody(desk: &mut Desk<'_>, plan: &mut Plan) {
    let request_id = desk.id(plan.at);
    let command_id = CommandId::parse("nobody-1").expect("a short word");
    let cancel = CancelPurchase { request_id, command_id, reason: None };
    let route = desk.route();
    plan.say(plan.at, Command::Cancel(cancel), route);
}

fn get(plan: &Plan) -> Command {
    let get = GetPurchase { request_id: plan.request };
    raw(PurchaseOperation::Get, encode(&get))
}

fn raw(operation: PurchaseOperation, body: Vec<u8>) -> Command {
    Command::Raw { operation, body: Bytes::from(body) }
}
