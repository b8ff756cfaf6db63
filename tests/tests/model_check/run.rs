//! Runs one configuration to its end and says how far that was.

use std::fmt::Write as _;
use std::time::Instant;

use broker_core::row::Row;
use stateright::{Checker, HasDiscoveries, Model, Path};

use super::model::{Action, Market};
use super::promise::Promise;
use super::setting::Setting;
use super::state::State;

/// More states than this, unless a deeper look was asked for, are no small configuration any more.
const STATES_MAX: usize = 4_000_000;
/// Every trouble of every configuration so many times more: for long looks, not for every day.
const DEEPER: &str = "MODEL_DEEPER";

/// Explores every state that can be reached. Every promise must hold in each of them, and every
/// ending that the configuration names must be reached.
pub(crate) fn holds(setting: Setting) {
    let started = Instant::now();
    let deeper = std::env::var(DEEPER).ok().map(|more| more.parse().expect("a small number"));
    let states_max = if deeper.is_some() { usize::MAX } else { STATES_MAX };
    let budget = setting.budget.deeper(deeper.unwrap_or(0));
    let market = Market::new(Setting { budget, ..setting });
    let checked = market.checker().target_state_count(states_max).spawn_bfs().join();
    let market = checked.model();
    let name = market.setting.name;
    println!(
        "{name:<44} {:>8} generated {:>8} unique {:>3} deep {:>6.1} s, rows {}",
        checked.state_count(),
        checked.unique_state_count(),
        checked.max_depth(),
        started.elapsed().as_secs_f64(),
        rows(market.rows()),
    );
    for property in market.properties() {
        let found = checked.discovery(property.name);
        let fine = found.is_some() != property.expectation.discovery_is_failure();
        let story = found.map(|path| tell(market, path)).unwrap_or_default();
        assert!(fine, "{name}: {:?} {:?}\n{story}", property.expectation, property.name);
    }
    assert!(checked.is_done(), "{name}: not every state was looked at");
    assert!(checked.state_count() < states_max, "{name}: not every state was looked at");
}

/// The configuration must break a promise: returns the promise of the first story found.
pub(crate) fn breaks(setting: Setting) -> Vec<&'static str> {
    let started = Instant::now();
    let name = setting.name;
    let market = Market::new(Setting { reaches: Vec::new(), ..setting });
    let checker = market.checker().target_state_count(STATES_MAX);
    let checked = checker.finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let mut broken: Vec<&'static str> = Vec::new();
    let mut steps = 0;
    for (promise, path) in checked.discoveries() {
        broken.push(promise);
        steps = path.into_actions().len();
    }
    broken.sort_unstable();
    println!(
        "{name:<44} {:>8} generated {:>8} unique, broken after {steps} steps, {:.1} s: {broken:?}",
        checked.state_count(),
        checked.unique_state_count(),
        started.elapsed().as_secs_f64(),
    );
    broken
}

fn rows(bits: u64) -> String {
    let taken = Row::ALL.iter().filter(|row| bits & 1 << **row as u64 != 0);
    let labels: Vec<&str> = taken.map(|row| row.label()).collect();
    format!("{}: {}", labels.len(), labels.join(" "))
}

/// The steps that lead to a state, and that state.
fn tell(market: &Market, path: Path<State, Action>) -> String {
    let mut story = String::new();
    let steps = path.into_vec();
    for (state, action) in &steps {
        let ms = state.now.since(super::numbers::T0).as_ms();
        let status = state.request().status.kind().label();
        let version = state.request().version.0;
        let did = action.as_ref().map(|action| what(market, state, action));
        writeln!(story, "+{ms} v{version} {status}: {}", did.unwrap_or_default())
            .expect("a string takes any text");
    }
    let last = steps.last().map(|(state, _)| state);
    writeln!(story, "{last:#?}").expect("a string takes any text");
    story
}

fn what(market: &Market, state: &State, action: &Action) -> String {
    use super::model::Place;
    let mut text = market.format_action(action);
    match action {
        Action::Arrive { from: Place::Lane(lane), .. } => {
            write!(text, " {:?}", state.commands[*lane][0].what).expect("a string takes any text");
        }
        Action::Hear { from: Place::Lane(lane), .. } => {
            write!(text, " {:?}", state.answers[*lane][0]).expect("a string takes any text");
        }
        _ => {}
    }
    text
}

/// Whether one of the broken promises is this one.
pub(crate) fn names(broken: &[&'static str], promise: Promise) -> bool {
    broken.contains(&promise.text())
}
