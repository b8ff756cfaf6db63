//! A short load as a stranger runs it: on a real nats-server, with a report that has its figures.
//! Nothing is said of how fast anything was.

#![expect(clippy::unwrap_used, reason = "the helpers of a test fail like the test itself")]

use std::path::Path;
use std::process::{Command, Output};

use loadtest::load::Report;

fn run(dir: &Path, arguments: &str) -> (Output, Report) {
    let json = dir.join("report.json");
    let output = Command::new(env!("CARGO_BIN_EXE_loadtest"))
        .args(arguments.split_whitespace())
        .arg("--dir")
        .arg(dir)
        .arg("--json")
        .arg(&json)
        .arg("--html")
        .arg(dir.join("report.html"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let text = std::fs::read(&json).unwrap_or_else(|error| panic!("{error}: {said}"));
    let report = serde_json::from_slice(&text).unwrap();
    (output, report)
}

#[test]
fn a_short_peak_keeps_all_promises_and_reports_every_figure() {
    let dir = tempfile::tempdir().unwrap();
    let arguments = "peak --rate 20 --seconds 4 --partners 10 --no-budgets --baseline raw";
    let (output, report) = run(dir.path(), arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(report.promises.kept, "{}", report.promises.said);
    assert!(report.requests.sent > 20, "{:?}", report.requests);
    assert_eq!(report.requests.unanswered, 0);
    assert_eq!(report.latency.count, report.requests.sent);
    assert!(report.overhead.counted > 0 && !report.overhead.buckets.is_empty());
    assert!(report.calls.total > 0 && report.calls.per_message >= 1.0);
    let asked: usize = report.calls.asked.iter().map(|asked| asked.requests).sum();
    assert_eq!(asked, report.requests.sent);
    assert_eq!(report.prices.len(), 3);
    assert!(report.prices.iter().all(|price| price.orders > 0));
    assert!(report.messages_per_order > 10.0);
    assert!(report.processes.iter().all(|process| process.resident_mb_max > 1.0));
    assert!(!report.points.is_empty());
    assert!(report.baseline.unwrap().calls_per_second > 0.0);
    let page = std::fs::read_to_string(dir.path().join("report.html")).unwrap();
    assert!(page.contains("<svg") && page.contains("all promises kept"));
}

#[test]
fn a_missed_budget_fails_the_run_after_the_report() {
    let dir = tempfile::tempdir().unwrap();
    let arguments = "flash --rate 20 --seconds 2 --partners 4 --budget-p99-ms 0.001";
    let (output, report) = run(dir.path(), arguments);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("missed: ") && said.contains("latency p99"), "{said}");
    assert!(report.promises.kept, "{}", report.promises.said);
    assert_eq!(report.flash.unwrap().oversold, 0);
}

#[test]
fn creates_over_http_are_all_in_the_store_of_a_killed_broker() {
    let dir = tempfile::tempdir().unwrap();
    let arguments = "http --rate 50 --seconds 2 --connections 8 --customers 20 --no-budgets";
    let output = Command::new(env!("CARGO_BIN_EXE_loadtest"))
        .args(arguments.split_whitespace())
        .arg("--dir")
        .arg(dir.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains(" accepted: 0 not in the store"), "{said}");
    assert!(said.contains("raw: 50/s"), "{said}");
}
