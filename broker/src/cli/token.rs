//! `broker token`: who may call the HTTP gateway.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context;
use broker_gateway::tokens::{self, ScopeName};
use clap::Args;
use schemas::text::Text;
use schemas::{CustomerId, PartnerId};
use serde_json::json;

use super::out;
use super::values::wire_name;

/// Makes a token and adds its hash to a file.
#[derive(Debug, Args)]
pub(super) struct Token {
    /// What the token is called in audit logs and limits.
    #[arg(value_parser = |text: &str| Text::<64>::parse(text))]
    name: Text<64>,
    /// requester (buys for a customer), read_only (looks), operator, partner.
    #[arg(long, value_parser = wire_name::<ScopeName>)]
    scope: ScopeName,
    /// With requester and read_only: whose requests.
    #[arg(long, value_name = "ID")]
    customer: Option<CustomerId>,
    /// With partner: which bookstore.
    #[arg(long, value_name = "ID")]
    partner: Option<PartnerId>,
    /// The `gateway.tokens_file`; made if it is missing. A running gateway reads it within seconds.
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    #[arg(long)]
    json: bool,
}

impl Token {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let (token, entry) = tokens::create(self.name, self.scope, self.customer, self.partner)?;
        let doing = || format!("cannot add a token to {}", self.file.display());
        let mut file = std::fs::OpenOptions::new();
        let mut file = file.create(true).append(true).open(&self.file).with_context(doing)?;
        let text = format!("\n{}", tokens::to_toml(&entry));
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).with_context(doing)?;
        if self.json {
            return Ok(out::line(&json!({ "name": entry.name, "token": token }).to_string())?);
        }
        Ok(out::line(&token)?)
    }
}
