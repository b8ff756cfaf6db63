//! A whole transition as text: nothing that changed or leaves is left out, so a comparison of two
//! texts is a comparison of everything.

use std::fmt::Write as _;

use broker_core::effect::{Effect, PartnerCommand, PaymentCommand};
use broker_core::event::Event;
use broker_core::request::{Checkout, PurchaseRequest, Status, Step, Undo};
use broker_core::timer::TimerKind;
use broker_core::transition::{Rejection, Transition};
use schemas::Timestamp;

use super::T0;

/// Seconds since [`T0`], such as `+1.500s`.
pub(crate) fn when(at: Timestamp) -> String {
    if at < T0 {
        return format!("-{}ms", T0.since(at).as_ms());
    }
    let ms = at.since(T0).as_ms();
    format!("+{}.{:03}s", ms / 1000, ms % 1000)
}

pub(crate) fn result(outcome: &Result<Transition, Rejection>) -> String {
    match outcome {
        Ok(transition) => show(transition),
        Err(rejection) => format!("{rejection}\n"),
    }
}

/// Everything about a transition, several lines.
pub(crate) fn show(transition: &Transition) -> String {
    let mut text = String::new();
    writeln!(text, "rows:    {}", rows(transition)).unwrap();
    text.push_str(&head(&transition.next));
    for effect in &transition.effects {
        writeln!(text, "effect:  {}", effect_line(effect, &transition.next)).unwrap();
    }
    text
}

pub(crate) fn rows(transition: &Transition) -> String {
    let labels: Vec<_> = transition.rows.iter().map(|row| row.label()).collect();
    if labels.is_empty() { "-".to_owned() } else { labels.join(" ") }
}

/// The head, every field that is not as it was at the beginning.
pub(crate) fn head(request: &PurchaseRequest) -> String {
    let mut text = String::new();
    writeln!(text, "status:  v{} {}{}", request.version.0, status(request), marks(request))
        .unwrap();
    if let Some(checkout) = &request.checkout {
        writeln!(text, "attempt: {}", attempt(checkout)).unwrap();
    }
    for known in &request.known_orders {
        writeln!(text, "known:   {}#{}", known.order_id, known.attempt).unwrap();
    }
    for undo in &request.undo {
        writeln!(text, "undo:    {}", undo_line(undo)).unwrap();
    }
    writeln!(text, "timers:  {}", timers(request)).unwrap();
    text
}

fn undo_line(undo: &Undo) -> String {
    let kind = format!("{:?}", undo.kind).to_lowercase();
    let (attempt, partner, tries) = (undo.attempt, &undo.partner, undo.tries);
    let lapses = when(undo.lapses_at);
    let mut text = format!("{kind}#{attempt} at {partner}, sent {tries} times, lapses {lapses}");
    if let Some(from) = undo.conclusive_from {
        write!(text, ", conclusive from v{}", from.0).unwrap();
    }
    text
}

pub(crate) fn status(request: &PurchaseRequest) -> String {
    match &request.status {
        Status::Failed(reason) => format!("failed ({})", reason.label()),
        Status::Quoted(offered) => {
            let total = offered.quote.worst_total().map_or("?".to_owned(), |m| m.to_string());
            format!("quoted {total} at {}", offered.quote.partner)
        }
        Status::Pending
        | Status::Searching
        | Status::OutOfStock
        | Status::Ordering
        | Status::Ordered
        | Status::Expired
        | Status::Canceled => request.status.kind().label().to_owned(),
    }
}

fn marks(request: &PurchaseRequest) -> String {
    let mut marks = String::new();
    let submitted = request.submission.terms;
    if request.terms.max_total != submitted.max_total {
        write!(marks, ", max {}", request.terms.max_total).unwrap();
    }
    if request.terms.expires_at != submitted.expires_at {
        write!(marks, ", expires {}", when(request.terms.expires_at)).unwrap();
    }
    if request.terms.strategy != submitted.strategy {
        write!(marks, ", {:?}", request.terms.strategy).unwrap();
    }
    if request.sweep > 0 {
        write!(marks, ", sweep {}", request.sweep).unwrap();
    }
    if request.fruitless > 0 {
        write!(marks, ", fruitless {}", request.fruitless).unwrap();
    }
    if request.notified > 0 {
        write!(marks, ", notified {}", request.notified).unwrap();
    }
    match request.told_best {
        None => {}
        Some(u64::MAX) => marks.push_str(", told that nobody has it"),
        Some(best) => write!(marks, ", told {best}").unwrap(),
    }
    if request.cancel_requested {
        marks.push_str(", cancel requested");
    }
    if let Some(incident) = request.incident {
        write!(marks, ", incident {incident:?}").unwrap();
    }
    if let Some(closed_at) = request.closed_at {
        write!(marks, ", closed {}", when(closed_at)).unwrap();
    }
    if request.tried.len() > 1 {
        let names: Vec<_> = request.tried.iter().map(ToString::to_string).collect();
        write!(marks, ", tried {}", names.join(" ")).unwrap();
    }
    marks
}

fn attempt(checkout: &Checkout) -> String {
    let mut text = format!("{} at {}", checkout.attempt, checkout.quote.partner);
    write!(text, ": {}", step(&checkout.step)).unwrap();
    if !checkout.runners_up.is_empty() {
        let names: Vec<_> = checkout.runners_up.iter().map(|q| q.partner.to_string()).collect();
        write!(text, ", next {}", names.join(" ")).unwrap();
    }
    let mut holds = Vec::new();
    if let Some(reservation) = &checkout.reservation {
        holds.push(format!("reserved until {}", when(reservation.valid_until)));
    }
    if let Some(authorization) = &checkout.authorization {
        holds.push(format!("authorized {}", authorization.amount));
    }
    if let Some(intent) = &checkout.intent {
        let (cap, until) = (intent.price_cap, when(intent.not_after));
        holds.push(format!("intent of v{} cap {cap} until {until}", intent.version.0));
    }
    if let Some(order) = &checkout.order {
        holds.push(format!("order {} {}", order.order_id, order.total));
    }
    if !holds.is_empty() {
        write!(text, "\nholds:   {}", holds.join(", ")).unwrap();
    }
    text
}

pub(crate) fn step(step: &Step) -> String {
    match step {
        Step::Reserving { not_after } => format!("reserving until {}", when(*not_after)),
        Step::Authorizing { not_after, asks } => {
            format!("authorizing until {}, asked {asks} times", when(*not_after))
        }
        Step::ActionRequired { until, .. } => format!("action_required until {}", when(*until)),
        Step::Placing => "placing".to_owned(),
        Step::PlacementUnknown(unknown) => {
            let mut text = format!("unknown since {}, asks {}", when(unknown.since), unknown.asks);
            if let Some(from) = unknown.conclusive_from {
                write!(text, ", conclusive from v{}", from.0).unwrap();
            }
            if let Some(since) = unknown.absent_since {
                write!(text, ", absent since {}", when(since)).unwrap();
            }
            text.push_str(if unknown.fencing { ", fencing" } else { "" });
            text
        }
        Step::Capturing { tries } => format!("capturing, tried {tries} times"),
        Step::Completed => "completed".to_owned(),
        Step::Failed(reason) => format!("failed ({})", reason.label()),
    }
}

pub(crate) fn timers(request: &PurchaseRequest) -> String {
    let set = TimerKind::ALL.into_iter().filter_map(|kind| {
        request.timers.get(kind).map(|at| format!("{} {}", kind.label(), when(at)))
    });
    let set: Vec<_> = set.collect();
    if set.is_empty() { "none".to_owned() } else { set.join(", ") }
}

/// One effect; its snapshot must be the request as it is afterwards.
pub(crate) fn effect_line(effect: &Effect, next: &PurchaseRequest) -> String {
    match effect {
        Effect::Partner { partner, attempt, command } => {
            format!("{partner} {}", partner_command(*attempt, command))
        }
        Effect::Payment { attempt, command } => format!("pay {}", payment(*attempt, command)),
        Effect::Event { kind, snapshot } => {
            assert_eq!(**snapshot, *next, "an event shows the request as it is afterwards");
            format!("event {}", kind.label())
        }
        Effect::Notify { outcome, number, token, snapshot } => {
            assert_eq!(**snapshot, *next, "a notification shows the request as it is afterwards");
            let token = if token.is_some() { " with a token" } else { "" };
            format!("notify {number} {}{token}", outcome.label())
        }
    }
}

fn partner_command(attempt: u8, command: &PartnerCommand) -> String {
    match command {
        PartnerCommand::Reserve { quote_id, quantity, ttl, not_after, .. } => {
            format!("reserve#{attempt} {quantity} of {quote_id} for {ttl}, by {}", when(*not_after))
        }
        PartnerCommand::Release => format!("release#{attempt}"),
        PartnerCommand::Place { quote_id, reserved, quantity, price_cap, not_after, .. } => {
            let held = if *reserved { " reserved" } else { "" };
            let by = when(*not_after);
            format!("place#{attempt} {quantity}{held} of {quote_id} cap {price_cap}, by {by}")
        }
        PartnerCommand::Cancel => format!("cancel#{attempt}"),
        PartnerCommand::Lookup => format!("lookup#{attempt}"),
    }
}

fn payment(attempt: u8, command: &PaymentCommand) -> String {
    match command {
        PaymentCommand::Authorize { amount, not_after, .. } => {
            format!("authorize#{attempt} {amount}, by {}", when(*not_after))
        }
        PaymentCommand::Capture { amount } => format!("capture#{attempt} {amount}"),
        PaymentCommand::Void => format!("void#{attempt}"),
        PaymentCommand::Refund => format!("refund#{attempt}"),
        PaymentCommand::Lookup => format!("lookup#{attempt}"),
    }
}

/// An event in a few words, for traces.
pub(crate) fn event_line(event: &Event) -> String {
    match event {
        Event::Partner(a) => {
            let operation = a.operation.map_or("notice", |operation| operation.label());
            format!("{} {operation}#{}: {:?}", a.partner, a.attempt, a.outcome)
        }
        Event::Payment(a) => format!("pay {}#{}: {:?}", a.operation.label(), a.attempt, a.outcome),
        Event::Timer(kind) => format!("timer {}", kind.label()),
        Event::Lapsed { attempt, operation } => format!("lapsed {operation:?}#{attempt}"),
        Event::Operator(word) => format!("operator: {:?}", word.ruling),
        Event::SweepClosed(conclusion) => {
            let finding = format!("{:?}", conclusion.finding);
            let kind = finding.split(['(', ' ']).next().unwrap_or_default();
            format!("sweep {} closed: {kind}", conclusion.sweep)
        }
        Event::Admitted
        | Event::LateOffer(_)
        | Event::Update(_)
        | Event::Cancel { .. }
        | Event::AcceptQuote { .. } => event.label().to_owned(),
    }
}

/// Compares a rendering with an expected text, whose indentation is that of the test.
#[track_caller]
pub(crate) fn assert_shows(actual: &str, expected: &str) {
    let expected: Vec<&str> =
        expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let expected = expected.join("\n");
    let actual = actual.trim_end();
    assert!(actual == expected, "expected\n{expected}\n\nbut got\n{actual}\n");
}
