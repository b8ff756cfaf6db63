//! The tables of `tests/README.md`: every fault and every invariant has its row, and every test,
//! check or fault that a row names exists. What nothing covers says so, and is counted.

use std::fs;

use crate::source::{self, Source, workspace};

const FAULTS: &str = "## Which fault is shown where";
const FAULTS_MAX: usize = 78;
const INVARIANTS: &str = "## Which invariant is watched by what";
const INVARIANTS_MAX: usize = 27;
const NOT_COVERED: &str = "not covered: ";

/// Where the tests behind the first part of a name are.
const AREAS: &[(&str, &[&str])] = &[
    ("e2e", &["tests/tests/e2e/"]),
    ("chaos", &["tests/tests/chaos/"]),
    ("demo", &["tests/tests/demo/"]),
    ("sim", &["tests/tests/sim/"]),
    ("model_check", &["tests/tests/model_check/"]),
    ("nats_server", &["tests/tests/nats_server/"]),
    ("corpus", &["tests/tests/corpus.rs"]),
    ("notifier", &["tests/tests/notifier/"]),
    ("tidy", &["tests/tests/tidy/"]),
    ("tests", &["tests/src/"]),
    ("core", &["broker/core/"]),
    ("broker", &["broker/src/", "broker/tests/"]),
    ("broker_notifier", &["broker/notifier/src/"]),
    ("schemas", &["schemas/"]),
    ("partner_sim", &["partner-sim/"]),
];

struct Row<'a> {
    number: usize,
    title: &'a str,
    shown_by: &'a str,
}

/// The rows of the table under a heading.
fn rows<'a>(readme: &'a str, heading: &str) -> Vec<Row<'a>> {
    let table = readme.split_once(heading).map_or("", |(_, rest)| rest);
    let table = table.split("\n## ").next().unwrap_or_default();
    let rows = table.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| ")?.strip_suffix(" |")?.splitn(3, " | ");
        let number = cells.next()?.parse().ok()?;
        Some(Row { number, title: cells.next()?, shown_by: cells.next()? })
    });
    rows.collect()
}

/// What a row names, between backticks.
fn names<'a>(row: &Row<'a>) -> impl Iterator<Item = &'a str> {
    row.shown_by.split('`').skip(1).step_by(2)
}

/// Whether something of this name exists.
fn exists(name: &str, sources: &[Source]) -> bool {
    if name.contains("::") {
        return is_test(name, sources);
    }
    match name.split_once(':') {
        Some(("auditor", check)) => invariants_of(check, sources).is_some(),
        Some(("sim", fault)) => is_said_in("tests/src/sim/fault.rs", fault, sources),
        Some(("party", fault)) => is_said_in("tests/src/auditor/coverage.rs", fault, sources),
        Some(("chaos", kind)) => is_said_in("tests/src/chaos/kind.rs", kind, sources),
        Some(("bugbase", bug)) => workspace().join(format!("tests/bugbase/{bug}.patch")).is_file(),
        Some(_) | None => false,
    }
}

/// The invariants that a check of the auditor is made of: `P1 [1] orders::name, "…";` in its list.
fn invariants_of(check: &str, sources: &[Source]) -> Option<Vec<usize>> {
    let list = sources.iter().find(|source| source.path == "tests/src/auditor/checks.rs")?;
    let named = format!("::{check},");
    let line = list.code().find(|line| line.text.contains(&named))?;
    let (_, numbers) = line.text.split_once('[')?;
    let (numbers, _) = numbers.split_once(']')?;
    numbers.split(',').map(|number| number.trim().parse().ok()).collect()
}

fn is_said_in(path: &str, text: &str, sources: &[Source]) -> bool {
    let file = sources.iter().find(|source| source.path == path);
    file.is_some_and(|file| file.strings().any(|line| line.text.contains(&format!("\"{text}\""))))
}

/// A function of this name in a file whose path holds all the parts before it, in their order.
/// Tests that a macro declares stand at the start of its line.
fn is_test(name: &str, sources: &[Source]) -> bool {
    let mut parts: Vec<&str> = name.split("::").collect();
    let function = parts.pop().unwrap_or_default();
    let area = AREAS.iter().find(|(area, _)| parts.first() == Some(area));
    let Some((_, dirs)) = area else { return false };
    let (declared, listed) = (format!("fn {function}("), format!("{function}: "));
    sources.iter().any(|source| {
        let dir = dirs.iter().find(|dir| source.path.starts_with(**dir));
        dir.is_some_and(|dir| holds_in_order(&source.path[dir.len()..], &parts[1..]))
            && source.code().any(|line| {
                line.text.contains(&declared) || line.text.trim_start().starts_with(&listed)
            })
    })
}

fn holds_in_order(path: &str, parts: &[&str]) -> bool {
    let mut places = path.split(['/', '.']);
    parts.iter().all(|part| places.any(|place| place == *part))
}

/// The numbers are complete, and each row names something that exists. Returns the rows that
/// nothing covers.
fn check(readme: &str, heading: &str, last: usize, sources: &[Source]) -> Vec<String> {
    let rows = rows(readme, heading);
    let numbers: Vec<usize> = rows.iter().map(|row| row.number).collect();
    assert_eq!(numbers, (1..=last).collect::<Vec<_>>(), "the rows of \"{heading}\"");
    let (mut uncovered, mut missing) = (Vec::new(), Vec::new());
    for row in &rows {
        let place = format!("row {} ({}) of \"{heading}\"", row.number, row.title);
        if row.shown_by.starts_with(NOT_COVERED) {
            uncovered.push(place.clone());
        } else {
            assert!(names(row).next().is_some(), "{place} names nothing");
        }
        let unknown = names(row).filter(|name| !exists(name, sources));
        missing.extend(unknown.map(|name| format!("{place} names {name}, which does not exist")));
    }
    assert!(missing.is_empty(), "\n{}\n", missing.join("\n"));
    uncovered
}

fn readme() -> String {
    fs::read_to_string(workspace().join("tests/README.md")).unwrap()
}

#[test]
fn every_fault_of_the_matrix_has_its_row_and_every_name_in_it_exists() {
    let uncovered = check(&readme(), FAULTS, FAULTS_MAX, &source::all());
    println!("{} of {FAULTS_MAX} faults are not covered: {uncovered:#?}", uncovered.len());
    assert!(uncovered.len() * 10 < FAULTS_MAX, "too much is not covered: {uncovered:#?}");
}

#[test]
fn every_invariant_has_its_row_and_a_check_that_is_made_of_it() {
    let (readme, sources) = (readme(), source::all());
    let uncovered = check(&readme, INVARIANTS, INVARIANTS_MAX, &sources);
    assert!(uncovered.is_empty(), "{uncovered:#?}");
    for row in rows(&readme, INVARIANTS) {
        let mut checks = names(&row).filter_map(|name| name.strip_prefix("auditor:"));
        let made_of_it = checks
            .any(|check| invariants_of(check, &sources).is_some_and(|of| of.contains(&row.number)));
        assert!(made_of_it, "no check of row {} says that it is made of it", row.number);
    }
}

#[test]
fn every_answer_of_the_faq_names_tests_that_exist() {
    let (faq, sources) =
        (fs::read_to_string(workspace().join("docs/faq.md")).unwrap(), source::all());
    let answers: Vec<&str> = faq.split("\n## ").skip(1).collect();
    assert!(answers.len() >= 8, "{} answers", answers.len());
    for answer in answers {
        let question = answer.lines().next().unwrap_or_default();
        let shown_by = answer.split_once("Shown by").map_or("", |(_, names)| names);
        let names: Vec<&str> = shown_by.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "{question} names nothing that shows the answer");
        let unknown: Vec<_> = names.iter().filter(|name| !exists(name, &sources)).collect();
        assert!(unknown.is_empty(), "{question} names {unknown:?}, which does not exist");
    }
}

#[test]
fn a_name_that_does_not_exist_is_noticed() {
    let sources = source::all();
    for good in ["auditor:useful", "sim:ghost_publish", "party:silent", "tidy::tables::exists"] {
        assert!(exists(good, &sources), "{good}");
    }
    for bad in ["auditor:usefull", "sim:ghost", "e2e::tables::exists", "nowhere::exists", "x:y"] {
        assert!(!exists(bad, &sources), "{bad}");
    }
    let table = format!("{FAULTS}\n\n| # | fault | shown by |\n|---|---|---|\n| 1 | a | `b` |\n");
    let rows = rows(&table, FAULTS);
    assert_eq!(rows.iter().map(|row| row.number).collect::<Vec<_>>(), [1]);
    assert_eq!(names(&rows[0]).collect::<Vec<_>>(), ["b"]);
}
