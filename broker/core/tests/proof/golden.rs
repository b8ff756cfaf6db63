//! The whole State×Event table as one text: what every kind of event does in every station of a
//! request's life. A changed line is a changed behaviour: run with `GOLDEN_ACCEPT=1` to accept it,
//! and let the review see it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use broker_core::event::{Event, Finding, LapsedOperation, PartnerOutcome, PaymentOutcome, Ruling};
use broker_core::row::Row;
use broker_core::timer::TimerKind;
use broker_core::transition::{self, Rejection};
use schemas::purchase::Mode;
use schemas::subject::{PartnerOperation, PaymentOperation};

use crate::support::*;

/// Every station, with the partner of its first attempt.
pub(crate) fn stations() -> Vec<(&'static str, &'static str, Scene)> {
    vec![
        ("pending", "plain", Scene::pending()),
        ("searching", "plain", Scene::searching()),
        ("searching, backing off", "plain", Scene::backing_off()),
        ("searching beside a rogue order", "plain", Scene::rogue_order_while_searching()),
        ("quoted", "plain", Scene::quoted()),
        ("quoted, watching", "plain", watching()),
        ("quoted, closed", "plain", Scene::quoted().fired(TimerKind::Expiry)),
        ("out_of_stock", "plain", Scene::out_of_stock()),
        ("reserving", "ideal", Scene::reserving()),
        ("authorizing, reserved", "ideal", Scene::authorizing_reserved()),
        ("authorizing", "plain", Scene::authorizing()),
        ("action_required", "plain", Scene::action_required()),
        ("placing", "plain", Scene::placing()),
        ("placing, reserved", "ideal", Scene::placing_reserved()),
        ("placing, cancel requested", "plain", Scene::placing().then(cancel())),
        ("unknown at plain", "plain", Scene::unknown_at("plain")),
        ("unknown at plain, window closed", "plain", Scene::unknown_past_window_at("plain")),
        ("unknown at trailing, window closed", "trailing", {
            Scene::unknown_past_window_at("trailing")
        }),
        ("unknown at fencing, fencing", "fencing", {
            let absent = says("fencing", 1, PartnerOperation::Lookup, not_found(false));
            Scene::unknown_past_window_at("fencing").then(absent)
        }),
        ("unknown at mute", "mute", Scene::unknown_at("mute")),
        ("unknown, left to a human", "mute", Scene::left_to_a_human()),
        ("searching, frozen", "plain", Scene::searching().frozen()),
        ("quoted, frozen", "plain", Scene::quoted().frozen()),
        ("authorizing, frozen", "plain", Scene::authorizing().frozen()),
        ("placing, frozen", "plain", Scene::placing().frozen()),
        ("unwinding, frozen", "plain", Scene::unwinding().frozen()),
        ("unwinding, another quote waits", "plain", Scene::unwinding()),
        ("capturing", "plain", Scene::capturing()),
        ("capturing at mute", "mute", Scene::capturing_at("mute")),
        ("completed", "plain", Scene::completed()),
        ("canceling", "plain", Scene::canceling()),
        ("capture_failed", "plain", Scene::capture_failed()),
        ("above_cap", "plain", Scene::above_cap()),
        ("rebuying", "plain", Scene::rebuying()),
        ("canceled, giving back", "ideal", Scene::authorizing_reserved().then(cancel())),
        ("canceled", "plain", Scene::canceled()),
        ("expired", "plain", Scene::expired()),
        ("failed (payment_declined)", "plain", Scene::declined()),
    ]
}

fn watching() -> Scene {
    Scene::searching_for(|wanted| wanted.mode = Mode::Watch).then(too_dear(
        1,
        quote("plain", 3500),
        7,
    ))
}

/// Every kind of event with representative contents.
pub(crate) fn events(scene: &Scene, partner: &str) -> Vec<(String, Event)> {
    let number = scene.request.sweep;
    let mut events = vec![
        ("admitted".to_owned(), Event::Admitted),
        ("sweep: affordable".to_owned(), affordable(number, vec![quote("plain", 2400)])),
        ("sweep: too dear".to_owned(), too_dear(number, quote("plain", 3400), 9)),
        ("sweep: no stock".to_owned(), sweep(number, Finding::NoStock)),
        ("sweep: no answer".to_owned(), sweep(number, Finding::NoAnswer)),
        ("sweep: another one".to_owned(), sweep(number + 1, Finding::NoStock)),
        ("late offer".to_owned(), Event::LateOffer(quote("queued", 2800))),
        ("cancel".to_owned(), cancel()),
        ("update: raise the limit".to_owned(), raise_to(3600)),
        ("update: lower the limit".to_owned(), raise_to(100)),
        ("update: expire now".to_owned(), expire_at(scene.now)),
        ("accept_quote".to_owned(), accept(7)),
        ("accept_quote: wrong token".to_owned(), accept(99)),
        ("lapsed: reserve".to_owned(), lapsed(1, LapsedOperation::Reserve)),
        ("lapsed: authorize".to_owned(), lapsed(1, LapsedOperation::Authorize)),
        ("lapsed: place".to_owned(), lapsed(1, LapsedOperation::Place)),
        ("operator: found".to_owned(), ruled_found("o-1", 2500)),
        ("operator: not found".to_owned(), ruled_not_found()),
        ("operator: freeze".to_owned(), ruled(Ruling::Freeze)),
        ("operator: release".to_owned(), ruled(Ruling::Release)),
    ];
    events.extend(TimerKind::ALL.map(|kind| (format!("timer: {}", kind.label()), timer(kind))));
    events.extend(partner_events(partner));
    events.extend(payment_events());
    events
}

fn partner_events(partner: &str) -> Vec<(String, Event)> {
    let mut events = Vec::new();
    let operations = PartnerOperation::ALL.into_iter().map(Some).chain([None]);
    for operation in operations {
        for (what, outcome) in [
            ("reserved", reserved(120_000)),
            ("released", PartnerOutcome::Released),
            ("confirmed", confirmed("o-1", 2500)),
            ("confirmed too dear", confirmed("o-1", 2501)),
            ("canceled", canceled("o-1")),
            ("not_found", not_found(false)),
            ("not_found for good", not_found(true)),
            ("refused", refused(false)),
            ("refused for good", refused(true)),
        ] {
            let name = operation.map_or("notice", |operation| operation.label());
            let event = match operation {
                Some(operation) => says(partner, 1, operation, outcome),
                None => notice(partner, 1, outcome),
            };
            events.push((format!("partner {name}: {what}"), event));
        }
    }
    let stranger = says("queued", 1, PartnerOperation::Place, confirmed("o-9", 1));
    events.push(("a stranger's place: confirmed".to_owned(), stranger));
    let future = says(partner, 9, PartnerOperation::Place, confirmed("o-9", 1));
    events.push(("attempt 9's place: confirmed".to_owned(), future));
    events
}

fn payment_events() -> Vec<(String, Event)> {
    let mut events = Vec::new();
    for operation in PaymentOperation::ALL {
        for (what, outcome) in [
            ("authorized", authorized(2500)),
            ("authorized too little", authorized(2499)),
            ("declined", PaymentOutcome::Declined),
            ("action_required", action_required()),
            ("captured", captured(2500)),
            ("captured another amount", captured(2400)),
            ("voided", PaymentOutcome::Voided),
            ("refunded", PaymentOutcome::Refunded),
            ("not_found", no_payment(false)),
            ("not_found for good", no_payment(true)),
            ("failed", PaymentOutcome::Failed),
        ] {
            let event = pays(1, operation, outcome);
            events.push((format!("payment {}: {what}", operation.label()), event));
        }
    }
    let future = pays(9, PaymentOperation::Capture, captured(2500));
    events.push(("attempt 9's capture: captured".to_owned(), future));
    events
}

/// What the event does there. A timer fires when it is due, if it is set.
fn cell(scene: &Scene, event: &Event) -> (String, Vec<Row>) {
    let mut scene = scene.clone();
    if let Event::Timer(kind) = event
        && scene.request.timers.get(*kind).is_some()
    {
        scene.go_to(*kind);
    }
    match scene.try_apply(event.clone()) {
        Err(Rejection::Ignored(_)) => ("ignored".to_owned(), Vec::new()),
        Err(Rejection::Refused { reason, .. }) => {
            (format!("refused: {}", reason.label()), Vec::new())
        }
        Ok(transition) => {
            let next = &transition.next;
            let mut text = format!("{} | {}", place_of(next), rows(&transition));
            for effect in &transition.effects {
                let line = effect_line(effect, next);
                let label: Vec<&str> = line.split([' ', ',']).take(3).collect();
                write!(text, " | {}", label.join(" ")).unwrap();
            }
            (text, transition.rows)
        }
    }
}

fn place_of(request: &broker_core::PurchaseRequest) -> String {
    let status = request.status.kind().label();
    let step = request.checkout.as_ref().map(|checkout| step(&checkout.step));
    let step = step.map(|step| step.split([',', ' ']).next().unwrap_or_default().to_owned());
    let undo: Vec<_> =
        request.undo.iter().map(|undo| format!("{:?}", undo.kind).to_lowercase()).collect();
    let step = step.map_or(String::new(), |step| format!("/{step}"));
    let undo = if undo.is_empty() { String::new() } else { format!(" undo {}", undo.join("+")) };
    format!("{status}{step}{undo}")
}

/// The table. What a station refuses is listed by reason; what is not listed is ignored there.
fn table() -> (String, BTreeSet<Row>) {
    let mut text = String::new();
    let mut reached = BTreeSet::new();
    for (name, partner, scene) in stations() {
        reached.extend(scene.rows.iter().copied());
        writeln!(text, "== {name} ({})", place_of(&scene.request)).unwrap();
        let mut rest: Vec<(String, Vec<String>)> = Vec::new();
        let mut ignored = 0;
        for (what, event) in events(&scene, partner) {
            let (cell, rows) = cell(&scene, &event);
            reached.extend(rows);
            if cell.contains('|') {
                writeln!(text, "   {what} -> {cell}").unwrap();
            } else if cell == "ignored" {
                ignored += 1;
            } else if let Some((_, group)) = rest.iter_mut().find(|(label, _)| *label == cell) {
                group.push(what);
            } else {
                rest.push((cell, vec![what]));
            }
        }
        let all: Vec<String> = events(&scene, partner).into_iter().map(|(what, _)| what).collect();
        for (label, group) in rest {
            writeln!(text, "   {label}:").unwrap();
            for line in families(&group, &all) {
                writeln!(text, "     {line}").unwrap();
            }
        }
        writeln!(text, "   {ignored} others are ignored").unwrap();
    }
    (text, reached)
}

/// Events by what they answer; `(any)` when every kind of answer is among them.
fn families(group: &[String], all: &[String]) -> Vec<String> {
    let split = |what: &str| match what.split_once(": ") {
        Some((family, kind)) => (family.to_owned(), kind.to_owned()),
        None => (what.to_owned(), String::new()),
    };
    let mut families: Vec<(String, Vec<String>)> = Vec::new();
    for (family, kind) in group.iter().map(|what| split(what)) {
        match families.last_mut().filter(|(last, _)| *last == family) {
            Some((_, kinds)) => kinds.push(kind),
            None => families.push((family, vec![kind])),
        }
    }
    let line = |(family, kinds): (String, Vec<String>)| {
        let possible = all.iter().filter(|what| split(what).0 == family).count();
        let kinds = if kinds.len() == possible { "any".to_owned() } else { kinds.join(", ") };
        format!("{family} ({kinds})")
    };
    families.into_iter().map(line).collect()
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/state_event.txt")
}

#[expect(clippy::disallowed_methods, reason = "a golden file is read and, on request, rewritten")]
fn accepted(text: &str) -> String {
    if std::env::var_os("GOLDEN_ACCEPT").is_some() {
        std::fs::write(path(), text).unwrap();
    }
    std::fs::read_to_string(path()).unwrap_or_default()
}

/// Lines that only one of two texts has, with their station, in order.
fn differences(old: &str, new: &str) -> Vec<String> {
    let lines = |text: &str| {
        let mut station = String::new();
        let mut group = String::new();
        let mut all = BTreeSet::new();
        for line in text.lines() {
            if line.starts_with("==") {
                station = line.to_owned();
                group.clear();
                all.insert(station.clone());
            } else if line.starts_with("     ") {
                all.insert(format!("{station}: {} {group}", line.trim()));
            } else if line.ends_with(':') {
                group = line.trim().to_owned();
            } else {
                all.insert(format!("{station}: {}", line.trim()));
            }
        }
        all
    };
    let (old, new) = (lines(old), lines(new));
    let gone = old.difference(&new).map(|line| format!("- {line}"));
    let come = new.difference(&old).map(|line| format!("+ {line}"));
    gone.chain(come).collect()
}

#[test]
fn the_state_event_table_is_the_golden_one() {
    let (table, _) = table();
    let differences = differences(&accepted(&table), &table);
    assert!(
        differences.is_empty(),
        "{} differs; GOLDEN_ACCEPT=1 accepts it:\n{}",
        path().display(),
        differences.join("\n")
    );
    assert_eq!(accepted(&table), table, "same lines in another order");
}

#[test]
fn every_row_of_both_tables_is_reached() {
    let (_, mut reached) = table();
    reached.extend(transition::create(submission(), T0, &policy()).unwrap().rows);
    let missing: Vec<_> =
        Row::ALL.iter().filter(|row| !reached.contains(row)).map(|row| row.label()).collect();
    assert!(missing.is_empty(), "never reached: {missing:?}");
}

#[test]
fn no_two_stations_are_the_same() {
    let mut seen = BTreeSet::new();
    for (name, _, scene) in stations() {
        assert!(seen.insert(head(&scene.request)), "{name} repeats another station");
    }
}

#[test]
fn a_difference_names_its_station() {
    let old = "== a (x)\n   cancel -> y | T1\n   ignored:\n     admitted\n";
    let new = "== a (x)\n   cancel -> z | T1\n   refused:\n     admitted\n";
    assert_eq!(
        differences(old, new),
        [
            "- == a (x): admitted ignored:",
            "- == a (x): cancel -> y | T1",
            "+ == a (x): admitted refused:",
            "+ == a (x): cancel -> z | T1",
        ]
    );
}
