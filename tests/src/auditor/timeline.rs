//! Everything that anybody wrote down about one request, by time.

use broker_core::batch::Change;
use broker_core::effect::Effect;
use partner_sim::ledger::{Decision, Decisions};
use schemas::event::DeadLetter;
use schemas::{RequestId, Timestamp, json};

use super::casebook::{Case, Casebook};
use super::{Answer, Evidence, Seen, Sent};

/// Longest text of one line; the rest is in the ledgers.
const LINE_CHARS_MAX: usize = 160;

/// One line per fact: instant, who wrote it down, what.
pub fn timeline(evidence: &Evidence, request: RequestId) -> String {
    let book = Casebook::open(evidence);
    let mut lines: Vec<(Timestamp, &'static str, String)> = Vec::new();
    if let Some(case) = book.cases.get(&request) {
        lines.extend(case.sent.iter().map(|copy| (copy.sent.at, "SUB", sent(copy.sent))));
        history(case, &mut lines);
        ledgers(case, &mut lines);
    }
    let id = request.to_string();
    for seen in &evidence.messages {
        let names_it = || String::from_utf8_lossy(&seen.body).contains(&id);
        if seen.stored.is_some() && names_it() {
            let message_id = seen.message_id.as_deref().unwrap_or("-");
            let why = reason(seen).map(|reason| format!(" {reason}")).unwrap_or_default();
            lines.push((seen.at, "MSG", format!("{} {message_id}{why}", seen.subject)));
        }
    }
    lines.sort_by_key(|(at, ..)| *at);
    let mut text = String::new();
    for (at, who, what) in lines {
        let line: String = what.chars().take(LINE_CHARS_MAX).collect();
        text.push_str(&format!("  {at}  {who}  {line}\n"));
    }
    text
}

/// Why a message was given up.
fn reason(seen: &Seen) -> Option<String> {
    let letter: DeadLetter = json::decode(&seen.body, usize::MAX).ok()?;
    Some(format!("{}: {}", letter.reason.label(), letter.detail))
}

fn sent(sent: &Sent) -> String {
    let answer = match &sent.answer {
        Answer::Stored { sequence, duplicate: false } => format!("stored as {sequence}"),
        Answer::Stored { sequence, duplicate: true } => format!("a copy of {sequence}"),
        Answer::Reply(reply) => format!("{reply:?}"),
        Answer::Silent => "no answer".to_owned(),
    };
    let operation = sent.command.operation().label();
    format!("{} by {} ({:?}): {answer}", operation, sent.customer, sent.route)
}

fn history(case: &Case<'_>, lines: &mut Vec<(Timestamp, &'static str, String)>) {
    for step in &case.steps {
        let event = match step.change {
            Change::Created => "created".to_owned(),
            Change::Applied(event) => format!("{event:?}"),
            Change::AppliedInDoubt(event) => format!("in doubt, {event:?}"),
        };
        let leaving: Vec<String> = step.effects().map(effect).collect();
        let (version, status) = (step.next.version.0, step.next.status.kind().label());
        let what = format!("v{version} {status} [{}] by {event}", leaving.join(", "));
        lines.push((step.at, "AUD", what));
    }
}

fn effect(effect: &Effect) -> String {
    match effect {
        Effect::Partner { partner, attempt, command } => {
            let name = format!("{command:?}");
            let name = name.split([' ', '{']).next().unwrap_or_default().to_owned();
            format!("{name} {attempt} → {partner}")
        }
        Effect::Payment { attempt, command } => {
            let name = format!("{command:?}");
            let name = name.split([' ', '{']).next().unwrap_or_default().to_owned();
            format!("{name} {attempt} → provider")
        }
        Effect::Event { kind, .. } => format!("event {}", kind.label()),
        Effect::Notify { outcome, number, .. } => format!("notify {} #{number}", outcome.label()),
    }
}

fn ledgers(case: &Case<'_>, lines: &mut Vec<(Timestamp, &'static str, String)>) {
    for order in &case.orders {
        let name = format!("{} {} {:?}", order.partner, order.placement_key, order.state);
        decisions(&name, "PL ", &order.decisions, lines);
    }
    for hold in &case.reservations {
        let name = format!("{} {}", hold.partner, hold.reservation_key);
        decisions(&name, "PL ", &hold.decisions, lines);
    }
    for payment in &case.payments {
        let name = format!("{} {}", payment.provider, payment.payment_key);
        decisions(&name, "PAY", &payment.decisions, lines);
    }
}

fn decisions<O: std::fmt::Debug>(
    name: &str,
    who: &'static str,
    decisions: &Decisions<O>,
    lines: &mut Vec<(Timestamp, &'static str, String)>,
) {
    for Decision { asked, copy, received_at, outcome, faults, .. } in &decisions.kept {
        let what = format!("{asked:?} #{copy} {name}: {outcome:?} {faults:?}");
        lines.push((*received_at, who, what));
    }
}
