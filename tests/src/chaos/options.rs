//! What can be asked of a chaos run.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use super::kind::Kind;

/// Runs nats-server, the broker and simulated bookstores as processes of their own, keeps
/// customers asking, and breaks one thing after the other. Ends with the auditor's verdict; the
/// exit code says whether every promise was kept.
#[derive(Debug, Clone, Parser)]
#[command(name = "cargo chaos", version)]
pub struct Options {
    /// How long to break things; coming to rest and the audit take their time on top
    #[arg(value_name = "MINUTES", default_value_t = 10.0)]
    pub minutes: f64,

    /// Same seed, same script; drawn and printed if not given
    #[arg(long)]
    pub seed: Option<u64>,

    /// Purchase requests per second
    #[arg(long, value_name = "N", default_value_t = 10,
        value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rate: u32,

    /// Inject only these kinds of faults
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    pub only: Vec<Kind>,

    /// Fail unless these kinds are proven; "all" is every kind
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_parser = required)]
    pub require: Vec<Required>,

    /// Flood the broker again and again, whatever else happens
    #[arg(long)]
    pub flood: bool,

    /// Keep logs, ledgers and (where they lie on no image) stores in this empty directory
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,

    /// Make a frozen store for the upgrade test, in this file, and do nothing else
    #[arg(long, value_name = "FILE", hide = true)]
    pub freeze: Option<PathBuf>,

    /// Install what is missing (libfaketime) if that is allowed
    #[arg(skip = true)]
    pub install: bool,

    /// Injections of each kind per round, where that is not one
    #[arg(skip)]
    pub script: Script,
}

/// What `--require` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Required {
    All,
    Kind(Kind),
}

/// How the kinds follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Script {
    /// Rounds of all kinds, each round in another order, until the time is over.
    #[default]
    Rounds,
    /// One round with so many kills, however long that takes.
    Once { broker_kills: u32, server_kills: u32 },
}

impl Options {
    /// As on the command line, without the name of the program.
    ///
    /// # Panics
    /// When `arguments` are not what `--help` tells.
    pub fn of<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Self {
        let line = std::iter::once("chaos").chain(arguments);
        Self::try_parse_from(line).expect("the arguments of a test are those that there are")
    }

    pub fn duration(&self) -> Duration {
        Duration::try_from_secs_f64(self.minutes * 60.0).unwrap_or_default()
    }

    /// Whether a kind is to be injected at all.
    pub fn wants(&self, kind: Kind) -> bool {
        self.only.is_empty() || self.only.contains(&kind)
    }

    /// Whether the run fails if this kind is not proven.
    pub fn requires(&self, kind: Kind) -> bool {
        let named = |required: &Required| *required == Required::Kind(kind);
        self.require.contains(&Required::All) || self.require.iter().any(named)
    }
}

fn required(text: &str) -> Result<Required, String> {
    if text == "all" { Ok(Required::All) } else { text.parse().map(Required::Kind) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_named_on_the_command_line() {
        let text = ["chaos", "0.5", "--only", "cut,reset", "--require", "cut"];
        let options = Options::parse_from(text);
        assert_eq!(options.duration(), Duration::from_secs(30));
        assert!(options.wants(Kind::Reset) && !options.wants(Kind::Latency));
        assert!(options.requires(Kind::Cut) && !options.requires(Kind::Reset));
        assert!(Options::parse_from(["chaos", "--require", "all"]).requires(Kind::Flood));
        assert!(Options::try_parse_from(["chaos", "--only", "rain"]).is_err());
    }
}
