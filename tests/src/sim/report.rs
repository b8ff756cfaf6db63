//! What is printed about a failing run, and the file it is written to.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::buyers::Customers;
use super::choices::Script;
use super::options::Options;
use super::probe::{Failure, Probe, Runner};
use super::script::Case;
use super::shrink::{Shrunk, shrink};

/// Where shrunk runs are written, below the working directory.
const DIRECTORY: &str = "target/sim";

/// Options and plans of a run, in words.
pub fn outline(case: &Case) -> String {
    let mut choices = case.choices();
    let options = Options::draw(&mut choices);
    let customers = Customers::plan(&options, &mut choices);
    let mut text = format!("options: {options}\n");
    for (request, plan) in customers.plans() {
        writeln!(text, "plan of {request}: {plan}").expect("a string takes all");
    }
    text
}

/// Everything about a failing run.
pub fn failure(case: &Case, failure: &Failure) -> String {
    let mut text = String::new();
    if let Case::Seed(seed) = case {
        writeln!(text, "seed {seed}").expect("a string takes all");
    }
    text.push_str(&outline(case));
    writeln!(text, "{failure}").expect("a string takes all");
    if let Some(timeline) = &failure.timeline {
        text.push_str(timeline);
    }
    text
}

/// The smallest run found that breaks the same check.
pub fn shrunk(runner: &impl Runner, probe: &Probe, failure: &Failure) -> Shrunk {
    shrink(probe.made.clone(), |candidate| same_failure(runner, candidate, failure))
}

fn same_failure(runner: &impl Runner, candidate: &Script, failure: &Failure) -> Option<Script> {
    let probe = runner.run(&Case::Script(Box::new(candidate.clone())));
    let is_same = probe.failure.is_some_and(|found| found.check == failure.check);
    is_same.then_some(probe.made)
}

/// Writes a run to a file, ready to be kept once its cause is known.
///
/// # Errors
/// The file or its directory cannot be written.
pub fn write(name: &str, case: &Case, failure: &Failure) -> std::io::Result<PathBuf> {
    let path = Path::new(DIRECTORY).join(format!("{name}.txt"));
    std::fs::create_dir_all(DIRECTORY)?;
    let said: String = failure.to_string().lines().take(1).collect();
    let text = format!("# cause: \n# found: \n# broken: {said}\n{case}");
    std::fs::write(&path, text)?;
    Ok(path)
}
