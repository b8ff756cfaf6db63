//! What a test sets up, said in one expression: which stores there are, what is on their shelves
//! and at which price, how the payment provider behaves, and with which numbers the broker runs.

use std::path::PathBuf;

use broker::config::{
    CustomersConfig, Limits, OverloadConfig, PolicyOverrides, StreamsConfig, TracesConfig,
};
use broker_gateway::GatewayConfig;
use broker_notifier::NotifierConfig;
use partner_sim::config::{PartnerGroup, PriceScript, SimConfig, StockScript};
use partner_sim::payment::PaymentSettings;
use partner_sim::price::ScriptedPrice;
use partner_sim::profile::ProfileName;
use schemas::catalog::CatalogEntry;
use schemas::{Isbn13, PartnerId};

use super::bridge::Example;
use crate::nats_server::NatsServerOptions;

/// A world to start a [`super::Cluster`] in.
#[derive(Debug, Clone, Default)]
pub struct Scenario {
    /// Partners and payment provider; files and URL are filled in by the cluster.
    pub sim: SimConfig,
    /// Numbers of the broker's core that differ from the standard ones.
    pub policy: PolicyOverrides,
    pub limits: Limits,
    pub streams: StreamsConfig,
    pub traces: TracesConfig,
    /// Wide enough for a few customers who are in a hurry; the rest is as shipped.
    pub overload: OverloadConfig,
    pub customers: CustomersConfig,
    /// The broker's HTTP door; its address and files are filled in by the cluster.
    pub gateway: Option<GatewayConfig>,
    /// The broker's process notifies customers, too.
    pub notifier: Option<NotifierConfig>,
    /// Stores that speak HTTP, and the example that each is like; the bridge finds their files in
    /// the folder `stores` of the cluster.
    pub http_stores: Vec<(PartnerId, Example)>,
    /// The broker's process speaks for them, too.
    pub bridge: bool,
    /// Titles and other identifiers the broker knows; ISBNs need none.
    pub catalog: Vec<CatalogEntry>,
    pub nats: NatsServerOptions,
    /// `CRASH_AT` of the broker's first start: `<name>:<n>`.
    pub crash_at: Option<String>,
    /// Broker and partner-sim reach the server through a [`super::FaultProxy`] each.
    pub proxied: bool,
    /// The broker's store, if it is not to be beside everything else.
    pub store_dir: Option<PathBuf>,
    /// What the stores and the provider remember of an earlier life.
    pub ledger: Option<PathBuf>,
    /// Live quotes are not listened to: at many thousands a second, the ear would be most of the
    /// load. Their stores are asked about the decisive ones at the end.
    pub quotes_unheard: bool,
    /// Nothing at all is listened to: what is measured is no more than what was asked for.
    pub unheard: bool,
    /// Log filter of broker and partner-sim, in the syntax of `RUST_LOG`; `info` if `None`.
    pub log_filter: Option<String>,
}

/// A handful of customers do what thousands do elsewhere.
const CREATES_PER_MIN: u32 = 100_000;

impl Scenario {
    /// No partners yet. Same seed, same behaviour of partners and provider.
    pub fn new(seed: u64) -> Self {
        let overload = OverloadConfig {
            creates_per_min: CREATES_PER_MIN,
            creates_burst: CREATES_PER_MIN,
            ..OverloadConfig::default()
        };
        Self { sim: SimConfig { seed, ..SimConfig::default() }, overload, ..Self::default() }
    }

    /// One store by name.
    #[must_use]
    pub fn partner(self, id: &str, profile: ProfileName) -> Self {
        self.partner_with(id, profile, toml::Table::new())
    }

    /// One store whose profile differs in some fields, as in `partner-sim.toml`:
    /// `toml::toml! { faults = { busy_permille = 1000 } }`.
    #[must_use]
    pub fn partner_with(mut self, id: &str, profile: ProfileName, overrides: toml::Table) -> Self {
        let group = PartnerGroup { overrides, ..PartnerGroup::named(profile, partner_id(id)) };
        self.sim.partners.push(group);
        self
    }

    /// One store that speaks HTTP.
    #[must_use]
    pub fn http_partner(
        mut self,
        id: &str,
        like: Example,
        profile: ProfileName,
        mut overrides: toml::Table,
    ) -> Self {
        overrides.insert("reservation".to_owned(), like.reserves.into());
        overrides.insert("cancel".to_owned(), like.cancels.into());
        self.http_stores.push((partner_id(id), like));
        self.partner_with(id, profile, overrides)
    }

    /// `count` stores of one character, named `<profile>-01` and so on.
    #[must_use]
    pub fn partners(mut self, profile: ProfileName, count: u16) -> Self {
        self.sim.partners.push(PartnerGroup::of(profile, count));
        self
    }

    /// Copies of one book at one store. Later lines win.
    #[must_use]
    pub fn stock(mut self, partner: &str, isbn: Isbn13, on_hand: u32) -> Self {
        let partner = Some(partner_id(partner));
        self.sim.stock.push(StockScript { partner, isbn, on_hand });
        self
    }

    /// Copies of one book at every store.
    #[must_use]
    pub fn stock_everywhere(mut self, isbn: Isbn13, on_hand: u32) -> Self {
        self.sim.stock.push(StockScript { partner: None, isbn, on_hand });
        self
    }

    /// Price of one copy at one store, minor units. Later lines win.
    #[must_use]
    pub fn price(mut self, partner: &str, isbn: Isbn13, price: ScriptedPrice) -> Self {
        self.sim.price.push(script(Some(partner_id(partner)), isbn, price));
        self
    }

    /// Price of one copy at every store, minor units.
    #[must_use]
    pub fn price_everywhere(mut self, isbn: Isbn13, price: ScriptedPrice) -> Self {
        self.sim.price.push(script(None, isbn, price));
        self
    }

    /// With an HTTP door.
    #[must_use]
    pub fn gateway(mut self, config: GatewayConfig) -> Self {
        self.gateway = Some(config);
        self
    }

    /// With every other door in the broker's process.
    #[must_use]
    pub fn bridge_and_notifier(mut self) -> Self {
        self.bridge = true;
        self.notifier = Some(NotifierConfig::default());
        self
    }

    /// Character of the payment provider.
    #[must_use]
    pub fn payment(mut self, settings: PaymentSettings) -> Self {
        self.sim.payment.settings = settings;
        self
    }

    #[must_use]
    pub fn policy(mut self, policy: PolicyOverrides) -> Self {
        self.policy = policy;
        self
    }

    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    #[must_use]
    pub fn traces(mut self, traces: TracesConfig) -> Self {
        self.traces = traces;
        self
    }

    #[must_use]
    pub fn streams(mut self, streams: StreamsConfig) -> Self {
        self.streams = streams;
        self
    }

    #[must_use]
    pub fn overload(mut self, overload: OverloadConfig) -> Self {
        self.overload = overload;
        self
    }

    #[must_use]
    pub fn catalog(mut self, entries: Vec<CatalogEntry>) -> Self {
        self.catalog = entries;
        self
    }

    #[must_use]
    pub fn nats(mut self, options: NatsServerOptions) -> Self {
        self.nats = options;
        self
    }

    /// Lets the broker abort at a named point, `<name>:<n>`, in its first life only.
    #[must_use]
    pub fn crash_at(mut self, point: &str) -> Self {
        self.crash_at = Some(point.to_owned());
        self
    }
}

fn partner_id(id: &str) -> PartnerId {
    PartnerId::parse(id).expect("a scenario names its partners by valid ids")
}

fn script(partner: Option<PartnerId>, isbn: Isbn13, price: ScriptedPrice) -> PriceScript {
    let ScriptedPrice { item, shipping, tax, fee } = price;
    PriceScript { partner, isbn, item, shipping, tax, fee }
}
