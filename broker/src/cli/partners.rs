//! `broker partners`: who is asked, what is assumed of them, how they stand, and what operators say.

mod steering;

use clap::Args;
use comfy_table::Cell;
use serde_json::json;

use super::config::ConfigArgs;
use super::out::{self, Out};
use super::view::name;
use crate::directory::load_partners;
use steering::Ask;

/// Checks and shows the partner directory of a configuration, without asking any server; or asks
/// the serving broker about its partners.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct PartnersArgs {
    #[command(subcommand)]
    ask: Option<Ask>,
    #[command(flatten)]
    from: ConfigArgs,
    #[arg(long)]
    json: bool,
}

impl PartnersArgs {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self.ask {
            Some(ask) => ask.run().await,
            None => self.show_directory(),
        }
    }

    fn show_directory(&self) -> anyhow::Result<()> {
        let config = self.from.load()?.config;
        let partners = load_partners(&config.partners_file)?;
        if self.json {
            let all: Vec<_> = partners
                .iter()
                .map(|(_, p)| {
                    json!({
                        "id": p.id, "transport": p.transport, "reservation": p.reservation,
                        "cancel": p.cancel, "lookup": p.lookup, "settle_ms": p.settle,
                        "key_first": p.key_first, "fences_cancel": p.fences_cancel,
                        "honours_not_after": p.honours_not_after, "response_ms": p.response,
                        "currencies": p.currencies, "destinations": p.destinations,
                        "in_flight_max": p.in_flight_max,
                        "in_flight_start": p.in_flight_start,
                        "calls_per_s": p.calls_per_s, "calls_burst": p.calls_burst,
                        "breaker": p.breaker,
                    })
                })
                .collect();
            return Ok(Out::new(true).show(&all, |_| String::new())?);
        }
        let mut table = out::table([
            "PARTNER",
            "TRANSPORT",
            "RESERVES",
            "CANCELS",
            "LOOKUP",
            "KEY FIRST",
            "FENCES",
            "ANSWERS IN",
            "AT ONCE",
            "CURRENCIES",
            "COUNTRIES",
        ]);
        let yes = |on: bool| Cell::new(if on { "yes" } else { "-" });
        for (_, p) in partners.iter() {
            let any = |list: Vec<&str>| {
                Cell::new(if list.is_empty() { "any".to_owned() } else { list.join(" ") })
            };
            table.add_row([
                Cell::new(&p.id),
                Cell::new(name(&p.transport)),
                yes(p.reservation),
                yes(p.cancel),
                Cell::new(name(&p.lookup)),
                yes(p.key_first),
                yes(p.fences_cancel),
                Cell::new(p.response),
                Cell::new(p.in_flight_max),
                any(p.currencies.iter().map(schemas::Currency::code).collect()),
                any(p.destinations.iter().map(schemas::destination::Country::code).collect()),
            ]);
        }
        Ok(out::line(&out::trimmed(&table))?)
    }
}
