//! `broker partner`: what an operator does before a bookstore that speaks HTTP takes part.

use std::path::PathBuf;

use broker_bridge::BridgeConfig;
use broker_bridge::conformance::{Found, Probe, test};
use clap::{Args, Subcommand};
use comfy_table::Cell;
use schemas::Isbn13;
use schemas::destination::Country;
use schemas::text::Text;

use super::error::CliError;
use super::out::{self, Out};

#[derive(Debug, Subcommand)]
pub(super) enum PartnerCommand {
    /// Buys at a live store as the broker would, and says what it keeps of its promises.
    Test(Test),
}

/// Asks, holds, orders and cancels at the store that a file describes. What it ordered it cancels,
/// if the store can: use a store's test system, or a cheap book.
#[derive(Debug, Args)]
pub(super) struct Test {
    /// The store file.
    file: PathBuf,
    /// A book that the store has, better in some copies.
    #[arg(long, value_parser = |text: &str| Isbn13::parse(text))]
    isbn: Isbn13,
    /// Country that it would be sent to.
    #[arg(long, default_value = "US", value_parser = |text: &str| Country::parse(text))]
    country: Country,
    /// Postal code that it would be sent to.
    #[arg(long, default_value = "10001", value_parser = |text: &str| Text::<16>::parse(text))]
    postal_code: Text<16>,
    /// The store may be at a private address.
    #[arg(long, value_name = "HOST")]
    allow_private_host: Vec<String>,
    #[arg(long)]
    json: bool,
}

impl PartnerCommand {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Test(test) => test.run().await,
        }
    }
}

impl Test {
    async fn run(self) -> anyhow::Result<()> {
        let config = BridgeConfig {
            allow_private_hosts: self.allow_private_host,
            ..BridgeConfig::default()
        };
        let probe = Probe { isbn: self.isbn, country: self.country, postal_code: self.postal_code };
        let verdict = test(&self.file, &config, &probe).await?;
        Out::new(self.json).show(&verdict, |verdict| {
            let mut table = out::table(["CHECK", "FOUND", "DETAIL"]);
            for check in &verdict.checks {
                let found = match check.found {
                    Found::Kept => "yes",
                    Found::Broken => "BROKEN",
                    Found::No => "no",
                    Found::Untried => "-",
                };
                table.add_row([Cell::new(check.name), Cell::new(found), Cell::new(&check.detail)]);
            }
            let table = out::trimmed(&table);
            format!("{table}\n\nFor the partner directory:\n\n{}", verdict.directory())
        })?;
        if verdict.is_kept() {
            return Ok(());
        }
        let what = format!("the store does not keep what {} promises", self.file.display());
        Err(CliError::Findings(what).into())
    }
}
