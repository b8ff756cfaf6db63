//! The two programs that call the gateway, run to their end.

use std::ffi::OsString;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use tokio::process::Command;

use super::stage::{STORES, Stage};
use super::tools::{Browser, Questioner};

/// Each takes a fraction of it; longer, it hangs.
const PROGRAM_TIMEOUT: Duration = Duration::from_secs(300);

/// Whether the page did everything; its tests tell by themselves.
pub(super) async fn browse(browser: &Browser, stage: &Stage<'_>) -> anyhow::Result<bool> {
    let mut node = Command::new(&browser.node);
    node.args(["--test", "--test-reporter=spec"]).arg(&browser.script);
    node.env("PLAYWRIGHT", &browser.playwright).env("CHROMIUM", &browser.chromium);
    node.env("CUSTOMER_TOKEN", stage.token("ann")?).env("OPERATOR_TOKEN", stage.token("olga")?);
    node.env("BOOK", &stage.book).env("BOOK_CENTS", stage.book_cents.to_string());
    node.env("FAST_STORES", STORES.to_string());
    node.env("GATEWAY_URL", &stage.url).current_dir(stage.dir);
    node.stdin(Stdio::null()).kill_on_drop(true);
    let ended = tokio::time::timeout(PROGRAM_TIMEOUT, node.status()).await;
    let ended = ended.context("the tests of the page do not end")?;
    Ok(ended.context("starting the tests of the page")?.success())
}

/// What one caller may ask.
#[derive(Debug, Clone, Copy)]
pub(super) struct Interview {
    pub(super) token: &'static str,
    /// Options that choose operations.
    pub(super) operations: [&'static str; 2],
}

/// Whether the gateway kept its contract. What it broke is told with the calls that show it.
pub(super) async fn question(
    questioner: &Questioner,
    stage: &Stage<'_>,
    interview: Interview,
) -> anyhow::Result<bool> {
    let mut python = Command::new("python3");
    python.arg(questioner.packages.join("bin/schemathesis"));
    python.arg("--config-file").arg(questioner.directory.join("schemathesis.toml"));
    python.args(["run", &format!("{}/openapi.json", stage.url), "--no-color"]);
    python.args(interview.operations);
    let mut path = OsString::from(&questioner.packages);
    path.push(":");
    path.push(&questioner.directory);
    python.env("PYTHONPATH", path).env("PYTHONDONTWRITEBYTECODE", "1");
    python.env("SCHEMATHESIS_HOOKS", "wishes").env("BOOK", &stage.book);
    python.env("TOKEN", stage.token(interview.token)?).current_dir(stage.dir);
    python.stdin(Stdio::null()).kill_on_drop(true);
    let ended = tokio::time::timeout(PROGRAM_TIMEOUT, python.output()).await;
    let ended = ended.context("schemathesis does not end")?.context("starting schemathesis")?;
    let said = String::from_utf8_lossy(&ended.stdout);
    if !ended.status.success() {
        println!("{said}{}", String::from_utf8_lossy(&ended.stderr));
    }
    let cases = said.lines().skip_while(|line| *line != "Test cases:").nth(1).unwrap_or_default();
    let verdict = if ended.status.success() { "ok" } else { "FAILED" };
    println!("the contract, asked by {:<5} {verdict:<7} {}", interview.token, cases.trim());
    Ok(ended.status.success())
}
