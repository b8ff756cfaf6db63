//! `broker partner test` against the stores of the examples.

use partner_sim::profile::ProfileName::Instant;
use serde_json::Value;
use tests::harness::{Example, book};

use crate::rogue::{Rogue, json};
use crate::stage::{Stage, world};

async fn tried(stage: &Stage, partner: &str) -> (Value, String, bool) {
    let file = stage.dir().join("stores").join(format!("{partner}.toml"));
    let isbn = book(1).to_string();
    let file = file.display().to_string();
    let arguments =
        ["partner", "test", &file, "--isbn", &isbn, "--allow-private-host", "127.0.0.1"];
    let run = |more: &[&str]| {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_test-broker"));
        command.args(arguments).args(more);
        command
    };
    let output = run(&["--json"]).output().await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let verdict = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}{said}"));
    (verdict, said, output.status.success())
}

fn found(verdict: &Value, name: &str) -> String {
    let checks = verdict["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["name"] == name);
    let check = check.unwrap_or_else(|| panic!("no {name} in {verdict:#}"));
    check["found"].as_str().unwrap().to_owned()
}

async fn keeps_its_word(test: &str, seed: u64, example: Example) -> Value {
    let stage = world(test, seed).store(example, Instant).start().await;
    let (verdict, said, kept) = tried(&stage, example.partner).await;
    assert!(kept, "{said}\n{verdict:#}");
    assert_eq!(verdict["entry"]["id"], example.partner);
    assert_eq!(verdict["entry"]["reservation"], example.reserves, "{verdict:#}");
    assert_eq!(verdict["entry"]["cancel"], example.cancels, "{verdict:#}");
    assert_eq!(verdict["entry"]["lookup"], "read_your_writes", "{verdict:#}");
    assert_eq!(found(&verdict, "price honesty"), "kept");
    verdict
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_in_json_is_found_to_keep_all_its_promises() {
    let verdict = keeps_its_word("conformance json", 51, Example::JSON).await;
    for name in ["idempotent order", "cancel fencing", "time limit of orders", "release"] {
        assert_eq!(found(&verdict, name), "kept", "{verdict:#}");
    }
    assert_eq!(verdict["entry"]["fences_cancel"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_in_xml_is_found_to_keep_all_its_promises() {
    keeps_its_word("conformance xml", 52, Example::XML).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_calls_back_is_found_to_keep_all_its_promises() {
    keeps_its_word("conformance callback", 53, Example::CALLBACK).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_polled_is_found_to_keep_all_its_promises() {
    keeps_its_word("conformance poll", 54, Example::POLL).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_promises_little_is_assumed_to_do_little() {
    let verdict = keeps_its_word("conformance walk-in", 55, Example::WALK_IN).await;
    assert_eq!(found(&verdict, "idempotent order"), "untried");
    assert_eq!(verdict["entry"]["fences_cancel"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_sells_twice_and_dearer_is_found_out() {
    let rogue = Rogue::start(|what, before| match what {
        "POST /orders" => json(200, &format!(r#"{{"id": "o-{before}", "total": "25.00"}}"#)),
        "GET /quote" => json(200, r#"{"price": "19.99"}"#),
        _ => json(404, "{}"),
    })
    .await;
    let file = rogue.file("json", "idempotent = true");
    let stage = world("conformance rogue", 56).file("rogue.toml", file).start().await;
    let (verdict, said, kept) = tried(&stage, "rogue").await;
    assert!(!kept && said.contains("does not keep"), "{said}");
    for name in ["idempotent order", "price honesty", "look-up"] {
        assert_eq!(found(&verdict, name), "broken", "{verdict:#}");
    }
    assert_eq!(verdict["entry"]["lookup"], "none");
}
