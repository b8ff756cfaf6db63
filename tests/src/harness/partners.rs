//! The simulated partners and the payment provider as a process of their own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_nats::Client;
use partner_sim::config::SimConfig;
use partner_sim::ledger::{PartnerLedger, PaymentLedger};
use partner_sim::nats::audit::{self, Questions};

use super::{HarnessError, Process, Program, wait};

const READY_DEADLINE: Duration = Duration::from_secs(30);
const STOP_DEADLINE: Duration = Duration::from_secs(20);

/// `partner-sim serve`. Its memory is its ledger file: killing it loses nothing.
#[derive(Debug)]
pub struct PartnerSim {
    /// Signals, environment, log.
    pub process: Process,
    config: SimConfig,
    directory_file: PathBuf,
    ledger_file: PathBuf,
    client: Client,
}

impl PartnerSim {
    /// Writes `partner-sim.toml` into `dir` and starts nothing yet.
    pub(super) fn prepare(
        program: Program,
        mut config: SimConfig,
        nats_url: &str,
        client: Client,
        dir: &Path,
    ) -> Result<Self, HarnessError> {
        nats_url.clone_into(&mut config.nats.url);
        let ledger_file = dir.join("partner-sim-ledger.jsonl");
        config.ledger_file.clone_from(&ledger_file);
        let directory_file = dir.join("partners.toml");
        config.directory_file = Some(directory_file.clone());
        let text = config.to_toml().map_err(HarnessError::decode("the scenario's partners"))?;
        let file = dir.join("partner-sim.toml");
        std::fs::write(&file, text).map_err(HarnessError::io("writing partner-sim.toml"))?;
        let arguments = ["serve", "--config", &file.to_string_lossy()].map(str::to_owned).to_vec();
        let process = Process::new("partner-sim", program, arguments, dir.join("partner-sim.log"));
        Ok(Self { process, config, directory_file, ledger_file, client })
    }

    /// Gives it the memory of another life, before its first start.
    pub(super) fn remember(&self, ledger: &Path) -> Result<(), HarnessError> {
        let copied = std::fs::copy(ledger, &self.ledger_file);
        copied.map(drop).map_err(HarnessError::io(format!("copying {}", ledger.display())))
    }

    /// The file that it remembers by.
    pub fn ledger_file(&self) -> &Path {
        &self.ledger_file
    }

    /// Starts it and returns once it answers questions.
    ///
    /// # Errors
    /// When it runs already, ends, or does not get ready; its log is in the message.
    pub async fn start(&mut self) -> Result<(), HarnessError> {
        self.process.start()?;
        let (process, client) = (&mut self.process, &self.client);
        // Ledgers are served last: who gets a page knows that questions are answered too.
        let ready = wait::until("", READY_DEADLINE, async || {
            process.check_alive()?;
            Ok(audit::payment_ledger(client).await.ok().map(drop))
        });
        ready.await.map_err(|error| not_ready(error, &self.process, "partner-sim"))
    }

    /// # Errors
    /// When it cannot be killed.
    pub fn kill_9(&mut self) -> Result<(), HarnessError> {
        self.process.kill_9()
    }

    /// # Errors
    /// When it is not running or does not end.
    pub async fn terminate(&mut self) -> Result<(), HarnessError> {
        self.process.terminate(STOP_DEADLINE).await.map(drop)
    }

    /// The broker's partner directory that it writes at start.
    pub fn directory_file(&self) -> &Path {
        &self.directory_file
    }

    /// What its stores and provider were to be like when it was first started.
    pub fn config(&self) -> &SimConfig {
        &self.config
    }

    /// What the stores really did, as far as it is on their disk.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn partner_ledger(&self) -> Result<PartnerLedger, HarnessError> {
        let ledger = audit::partner_ledger(&self.client).await;
        ledger.map_err(HarnessError::nats("reading the ledger of the partners"))
    }

    /// How many quotes its stores were asked for since it was started.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn questions(&self) -> Result<Questions, HarnessError> {
        let asked = audit::questions(&self.client).await;
        asked.map_err(HarnessError::nats("asking the partners how often they were asked"))
    }

    /// What the provider really did, as far as it is on its disk.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn payment_ledger(&self) -> Result<PaymentLedger, HarnessError> {
        let ledger = audit::payment_ledger(&self.client).await;
        ledger.map_err(HarnessError::nats("reading the ledger of the payment provider"))
    }
}

/// A time-out while waiting for a process is told with that process's log.
pub(super) fn not_ready(
    error: HarnessError,
    process: &Process,
    name: &'static str,
) -> HarnessError {
    match error {
        HarnessError::TimedOut { after, .. } => {
            HarnessError::NotReady { name, after, log: process.log_tail() }
        }
        other => other,
    }
}
