//! What the broker itself says, asked by its own command line.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use schemas::purchase::PurchaseView;
use schemas::{CustomerId, RequestId};
use serde::de::DeserializeOwned;
use tokio::process::Command;

use crate::harness::Program;

const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// `broker`, as an operator would type it.
#[derive(Debug)]
pub(super) struct CommandLine {
    pub(super) program: Program,
    pub(super) url: String,
}

impl CommandLine {
    /// `broker get --json`
    pub(super) async fn get(
        &self,
        request: RequestId,
        of: &CustomerId,
    ) -> anyhow::Result<PurchaseView> {
        self.ask(&["get", &request.to_string()], of).await
    }

    /// `broker list --json`
    pub(super) async fn list(&self, of: &CustomerId) -> anyhow::Result<Vec<PurchaseView>> {
        self.ask(&["list"], of).await
    }

    async fn ask<T: DeserializeOwned>(&self, words: &[&str], of: &CustomerId) -> anyhow::Result<T> {
        let mut command = Command::new(&self.program.executable);
        command.args(&self.program.leading).args(words).arg("--json");
        command.args(["--customer", of.as_str(), "--server", &self.url]);
        command.stdin(Stdio::null()).kill_on_drop(true);
        let asked = format!("broker {}", words.join(" "));
        let ended = tokio::time::timeout(ANSWER_TIMEOUT, command.output()).await;
        let ended = ended.with_context(|| format!("`{asked}` does not end"))?;
        let ended = ended.with_context(|| format!("starting `{asked}`"))?;
        if !ended.status.success() {
            bail!("`{asked}` failed: {}", String::from_utf8_lossy(&ended.stderr).trim());
        }
        serde_json::from_slice(&ended.stdout).with_context(|| format!("what `{asked}` printed"))
    }
}
