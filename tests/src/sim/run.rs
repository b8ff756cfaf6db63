//! One run: chaos, heal, drain, reconcile.

use schemas::{DurationMs, RejectReason, Timestamp};

use super::buyers::{Buyers, planned_outcome};
use super::choices::{Choices, Script};
use super::clock::START;
use super::coverage::{Coverage, Group};
use super::evidence;
use super::luck::Luck;
use super::options::Options;
use super::probe::Stats;
use super::world::World;
use crate::auditor::{Checked, Promise, Verdict, Violation, audit, timeline};

/// Longest virtual time from the healing to the end, whatever customers wanted.
const DRAIN_MAX_MS: DurationMs = DurationMs::from_secs(48 * 3600);
/// Nothing may move for so long before a run is over: longer than the longest delay.
const QUIET_MS: DurationMs = DurationMs(60_000);
/// Gaps of the agenda shorter than this are no quiet.
const GAP_MS: DurationMs = DurationMs(1_000);
/// A run that takes more items than this goes round in circles.
const EVENTS_MAX: u64 = 5_000_000;

/// What a run came to.
#[derive(Debug)]
pub struct Run {
    pub verdict: Verdict,
    pub coverage: Coverage,
    pub script: Script,
    pub options: Options,
    /// Equal for equal choices.
    pub trace_hash: u64,
    pub stats: Stats,
}

/// Plays the run that the choices describe.
pub fn run(
    mut choices: Choices,
    make: impl FnOnce(&Options, &mut Choices) -> Box<dyn Buyers>,
) -> Run {
    let options = Options::draw(&mut choices);
    let buyers = make(&options, &mut choices);
    let mut world = World::new(Luck::new(choices, options), buyers);
    let chaos_ms = DurationMs(u64::from(world.scene.luck.options.chaos_ms));
    let stuck = play(&mut world, START.saturating_add(chaos_ms));
    reconcile(world, stuck)
}

/// Chaos until `heal_at`, then healing, then until everything is at rest. Gives what did not come
/// to rest.
fn play(world: &mut World, heal_at: Timestamp) -> Vec<Violation> {
    while world.scene.agenda.next_at().is_some_and(|at| at < heal_at) && goes_on(world) {
        world.step();
    }
    world.scene.now = world.scene.now.max(heal_at);
    world.heal();
    let last = heal_at.saturating_add(DRAIN_MAX_MS);
    let mut at_rest_since = None;
    while let Some(next) = world.scene.agenda.next_at() {
        let now = world.scene.now;
        if next > last || !goes_on(world) {
            return stuck(world);
        }
        if next.since(now) >= GAP_MS {
            let rests = at_rest(world);
            let since = *at_rest_since.get_or_insert(now);
            if !rests {
                at_rest_since = None;
            } else if next.since(since) >= QUIET_MS {
                world.scene.now = since.saturating_add(QUIET_MS);
                return Vec::new();
            }
        }
        world.step();
    }
    if at_rest(world) { Vec::new() } else { stuck(world) }
}

fn goes_on(world: &World) -> bool {
    world.scene.events < EVENTS_MAX && world.scene.violations.is_empty()
}

/// Everything that was sent is dealt with.
fn at_rest(world: &World) -> bool {
    let scene = &world.scene;
    !world.doors.wait_for_something()
        && !world.parties.owes_something()
        && scene.jetstream.consumers().all(|consumer| scene.jetstream.is_idle(consumer))
        && world.nodes.len() == 1
        && world.nodes.values().all(super::node::Node::is_idle)
        && evidence::unfinished(world).is_empty()
}

fn stuck(world: &World) -> Vec<Violation> {
    let scene = &world.scene;
    if !scene.violations.is_empty() {
        return Vec::new();
    }
    let general = || {
        let busy: Vec<_> =
            scene.jetstream.consumers().filter(|ix| !scene.jetstream.is_idle(*ix)).collect();
        format!(
            "not at rest at {} after {} items: processes {}, idle {}, customers wait {}, \
             stores owe {}, consumers busy {busy:?}",
            scene.now,
            scene.events,
            world.nodes.len(),
            world.nodes.values().all(super::node::Node::is_idle),
            world.doors.wait_for_something(),
            world.parties.owes_something(),
        )
    };
    let of = |request, said| Violation { check: "liveness", promise: Promise::P4, request, said };
    let unfinished = evidence::unfinished(world).into_iter();
    let mut all: Vec<_> = unfinished.map(|(id, said)| of(Some(id), said)).collect();
    if all.is_empty() {
        all.push(of(None, general()));
    }
    all
}

/// Refusals for load in a run whose limits nobody can reach.
fn unexplained(world: &World) -> Vec<Violation> {
    let luck = &world.scene.luck;
    let refused = [RejectReason::RateLimited, RejectReason::Overloaded]
        .into_iter()
        .filter(|reason| luck.coverage.count(Group::Reason, reason.label()) > 0)
        .filter(|_| luck.options.load.is_wide_open());
    let violation = |reason: RejectReason| Violation {
        check: "explained_refusals",
        promise: Promise::P4,
        request: None,
        said: format!("somebody was refused as {}", reason.label()),
    };
    refused.map(violation).collect()
}

fn reconcile(mut world: World, stuck: Vec<Violation>) -> Run {
    let gathered = evidence::collect(&mut world);
    let mut verdict = audit(&gathered);
    let examined = gathered.heads.len();
    let mut own = |name, says, promise, violations: Vec<Violation>| {
        verdict.checks.push(Checked { name, promise, says, examined, violations });
    };
    own("liveness", "after the healing everything comes to rest", Promise::P4, stuck);
    let seen = std::mem::take(&mut world.scene.violations);
    own("every_step", "no step of the run breaks a promise", Promise::P1, seen);
    let unexplained = unexplained(&world);
    own(
        "explained_refusals",
        "nobody is refused for a limit out of reach",
        Promise::P4,
        unexplained,
    );
    if world.scene.luck.options.is_calm() {
        verdict.checks.push(planned_outcome(world.doors.buyers(), &gathered));
    }
    if verdict.timeline.is_none() {
        let first = verdict.violations().find_map(|violation| violation.request);
        verdict.timeline = first.map(|request| timeline(&gathered, request));
    }
    let mut trace = world.scene.trace;
    if let Some(last) = gathered.log.last() {
        trace.bytes(&last.hash.0);
    }
    let stats = Stats {
        requests: gathered.heads.len() as u64,
        events: world.scene.events,
        faults: world.scene.luck.struck,
        lives: world.lives(),
        virtual_ms: world.virtual_ms(),
    };
    let Luck { choices, options, mut coverage, .. } = world.scene.luck;
    coverage.note_verdict(&verdict);
    Run {
        verdict,
        coverage,
        script: choices.into_made(),
        options,
        trace_hash: trace.value(),
        stats,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::buyers::Customers;

    fn play_seed(seed: u64) -> Run {
        let make = |options: &Options, choices: &mut Choices| -> Box<dyn Buyers> {
            Box::new(Customers::plan(options, choices))
        };
        run(Choices::from_seed(seed), make)
    }

    #[test]
    fn many_seeds_break_no_promise() {
        for seed in 0..30 {
            let run = play_seed(seed);
            assert!(run.verdict.is_clean(), "seed {seed}: {}\n{}", run.options, run.verdict);
        }
    }

    #[test]
    fn the_same_choices_make_the_same_run() {
        for seed in 0..10 {
            let (one, other) = (play_seed(seed), play_seed(seed));
            assert_eq!(one.trace_hash, other.trace_hash, "seed {seed}");
            assert_eq!(one.script, other.script, "seed {seed}");
        }
    }
}
