//! What operators are given – alerts, dashboard, runbook, pages – names only what there is: metrics
//! of the broker, headings, tests, files.

#![expect(clippy::unwrap_used, reason = "the helpers of a test fail like the test itself")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use schemas::stream::{self, Discard};
use serde_json::Value;

const ALERTS: &str = "ops/prometheus/alerts.yml";
const ALERT_TESTS: &str = "ops/prometheus/alerts.test.yml";
const DASHBOARD: &str = "ops/grafana/dashboard.json";
const RUNBOOK: &str = "ops/runbooks/alerts.md";
const TEXTS: [&str; 5] = [ALERTS, ALERT_TESTS, DASHBOARD, RUNBOOK, "README.md"];

/// Where metrics are named, and the folder of what is too much for it.
const METRICS_HOME: &str = "broker/src/metrics.rs";
const METRICS_FOLDER: &str = "broker/src/metrics";

/// What everybody's process shows under these names.
const OF_PROCESS: [&str; 5] = [
    "process_cpu_seconds_total",
    "process_max_fds",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
];

/// What a histogram is asked for by.
const OF_HISTOGRAM: [&str; 3] = ["_bucket", "_sum", "_count"];

#[test]
fn alerts_dashboard_and_runbook_name_only_metrics_that_exist() {
    let known = known();
    assert!(known.len() > 60, "only {} metrics were found", known.len());
    for path in TEXTS {
        let unknown: Vec<String> = names(&read(path)).filter(|name| !is(&known, name)).collect();
        assert!(unknown.is_empty(), "{path} names metrics that nobody shows: {unknown:?}");
    }
}

#[test]
fn every_alert_is_explained_and_nothing_else_is() {
    let headings: BTreeSet<String> = read(RUNBOOK)
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .map(str::to_owned)
        .collect();
    assert_eq!(headings, alerts(), "headings of {RUNBOOK} and alerts of {ALERTS}");
    let text = read(ALERTS);
    for alert in alerts() {
        let link = format!("/{RUNBOOK}#{}\n", alert.to_lowercase());
        assert!(text.contains(&link), "{alert} lacks a runbook_url that ends with {link}");
    }
}

#[test]
fn every_alert_is_tested_to_fire_and_to_stay_silent() {
    let tests = read(ALERT_TESTS);
    for alert in alerts() {
        let (fires, silent) = tested(&tests, &alert);
        assert!(fires && silent, "{alert}: tested to fire {fires}, to stay silent {silent}");
    }
}

#[test]
fn every_panel_has_a_unit_and_says_what_it_shows() {
    let board: Value = serde_json::from_str(&read(DASHBOARD)).unwrap();
    let panels = board["panels"].as_array().unwrap();
    let (rows, panels): (Vec<&Value>, Vec<&Value>) =
        panels.iter().partition(|panel| panel["type"] == "row");
    assert!(rows.len() > 5 && panels.len() > 30, "{} rows, {} panels", rows.len(), panels.len());
    let mut titles = BTreeSet::new();
    for panel in panels {
        let title = panel["title"].as_str().unwrap();
        assert!(titles.insert(title), "two panels are called {title}");
        for text in [&panel["description"], &panel["fieldConfig"]["defaults"]["unit"]] {
            assert!(text.as_str().is_some_and(|text| !text.is_empty()), "{title}: {panel}");
        }
        assert!(!panel["targets"].as_array().unwrap().is_empty(), "{title}");
    }
}

#[test]
fn a_stream_that_drops_its_oldest_raises_no_alarm_when_it_is_full() {
    let drops = |stream: &stream::StreamSpec| stream.discard == Discard::Old;
    let mut names: Vec<&str> =
        stream::all().iter().filter(|stream| drops(stream)).map(|stream| stream.name).collect();
    names.sort_unstable();
    let wanted = format!("stream!~\"{}\"", names.join("|"));
    assert!(read(ALERTS).contains(&wanted), "{ALERTS} should say {wanted}");
}

#[test]
fn every_link_of_the_pages_leads_to_a_file_and_a_heading() {
    let mut pages = vec![PathBuf::from("README.md"), PathBuf::from("ARCHITECTURE.md")];
    for folder in ["docs", "ops/runbooks"] {
        let entries = fs::read_dir(workspace().join(folder)).unwrap();
        let names = entries.map(|entry| Path::new(folder).join(entry.unwrap().file_name()));
        pages.extend(names.filter(|path| path.extension().is_some_and(|ending| ending == "md")));
    }
    assert!(pages.len() > 6, "{pages:?}");
    let mut broken = Vec::new();
    for page in pages {
        let text = fs::read_to_string(workspace().join(&page)).unwrap();
        let dir = workspace().join(page.parent().unwrap());
        for link in links(&text) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { workspace().join(&page) } else { dir.join(file) };
            let found = target.exists() && (heading.is_empty() || has_heading(&target, heading));
            if !found {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere: {broken:#?}");
}

/// Targets within the repository.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0));
    targets.filter(|target| !target.contains("://"))
}

fn has_heading(page: &Path, anchor: &str) -> bool {
    let text = fs::read_to_string(page).unwrap();
    text.lines().filter(|line| line.starts_with('#')).any(|line| anchor_of(line) == anchor)
}

/// As the usual renderers make it of a heading.
fn anchor_of(heading: &str) -> String {
    let heading = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.collect::<String>().replace(' ', "-")
}

#[test]
fn a_link_is_what_stands_in_parentheses_and_its_anchor_what_a_renderer_makes() {
    let text = "[a](b.md#c), [d](https://example.org) and [e](#f-g)";
    assert_eq!(links(text).collect::<Vec<_>>(), ["b.md#c", "#f-g"]);
    assert_eq!(anchor_of("### When the `clock` is wrong?"), "when-the-clock-is-wrong");
}

fn workspace() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().expect("the package lies in a directory of the workspace").to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(workspace().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn alerts() -> BTreeSet<String> {
    let text = read(ALERTS);
    let named = text.lines().filter_map(|line| line.trim().strip_prefix("- alert: "));
    let alerts: BTreeSet<String> = named.map(str::to_owned).collect();
    assert!(alerts.len() >= 10, "{alerts:?}");
    alerts
}

/// The metrics that the broker shows.
fn known() -> BTreeSet<String> {
    let mut texts = vec![read(METRICS_HOME)];
    for entry in fs::read_dir(workspace().join(METRICS_FOLDER)).unwrap() {
        texts.push(fs::read_to_string(entry.unwrap().path()).unwrap());
    }
    let mut known: BTreeSet<String> = OF_PROCESS.map(str::to_owned).into();
    known.extend(texts.iter().flat_map(|text| constants(text)));
    known
}

/// The names that a file gives to constants.
fn constants(text: &str) -> impl Iterator<Item = String> {
    let constants = text.lines().filter(|line| line.starts_with("const "));
    constants.flat_map(|line| names(line).collect::<Vec<_>>())
}

fn is(known: &BTreeSet<String>, name: &str) -> bool {
    let whole = |suffix| name.strip_suffix(suffix).is_some_and(|whole| known.contains(whole));
    known.contains(name) || OF_HISTOGRAM.into_iter().any(whole)
}

/// Everything in `text` that looks like the name of a metric. The broker's consumers are called
/// alike.
fn names(text: &str) -> impl Iterator<Item = String> {
    let consumers: Vec<String> =
        stream::broker_consumers().into_iter().map(|consumer| consumer.durable).collect();
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with("broker_") || word.starts_with("process_"))
        .map(str::to_owned)
        .filter(move |word| !consumers.contains(word))
        .collect::<Vec<_>>()
        .into_iter()
}

/// Whether there is a case in which it fires, and one in which it must not.
fn tested(tests: &str, alert: &str) -> (bool, bool) {
    let wanted = format!("alertname: {alert}");
    let cases = tests.match_indices(&wanted).map(|(at, _)| &tests[at + wanted.len()..]);
    let (mut fires, mut silent) = (false, false);
    for case in cases {
        silent |= case.starts_with(", exp_alerts: [] }");
        fires |= case.trim_start().starts_with("exp_alerts:\n");
    }
    (fires, silent)
}

#[test]
fn a_name_that_nobody_shows_is_noticed() {
    let known: BTreeSet<String> = ["broker_a_seconds", "broker_b_total"].map(str::to_owned).into();
    let text =
        "rate(broker_a_seconds_bucket[5m]) / broker_b_total or broker_c{x=\"broker_creates\"}";
    let unknown: Vec<String> = names(text).filter(|name| !is(&known, name)).collect();
    assert_eq!(unknown, ["broker_c"]);
}

#[test]
fn only_a_constant_names_a_metric() {
    let text = "const A: &str = \"broker_a\";\n// broker_b\n    assert!(\"broker_c\");\n";
    assert_eq!(constants(text).collect::<Vec<_>>(), ["broker_a"]);
}

#[test]
fn a_test_that_only_stays_silent_is_no_test_that_it_fires() {
    let silent = "- { eval_time: 1m, alertname: A, exp_alerts: [] }\n";
    let fires = "alertname: A\n        exp_alerts:\n          - exp_labels:\n";
    assert_eq!(tested(silent, "A"), (false, true));
    assert_eq!(tested(fires, "A"), (true, false));
    assert_eq!(tested(fires, "AB"), (false, false));
    assert_eq!(tested("alertname: AB, exp_alerts: [] }", "A"), (false, false));
}
