//! The profiles: what load, on what stores, within what budgets.

use std::time::Duration;

use broker::config::{OverloadConfig, StreamsConfig};
use partner_sim::config::{Connections, PartnerGroup};
use partner_sim::latency::Latency;
use partner_sim::profile::ProfileName;
use schemas::Isbn13;
use tests::harness::{Scenario, book};

use super::args::{Args, BudgetArgs, Door};
use super::mix::Mix;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    Peak,
    Flash,
    Soak,
    Ceiling,
}

/// How customers come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Load {
    /// At their own instants, so many a second.
    Open { rate: u32 },
    /// So many at once; whoever is served is replaced.
    Closed { in_flight: usize },
}

/// A run before it starts.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) profile: Profile,
    pub(super) load: Load,
    pub(super) length: Duration,
    pub(super) partners: u16,
    pub(super) door: Door,
    pub(super) connections: Connections,
    pub(super) mix: Mix,
    pub(super) seed: u64,
    pub(super) tier_size: Option<u16>,
    pub(super) budgets: BudgetArgs,
}

/// Copies of the one book of [`Profile::Flash`], over all stores.
pub(super) const FLASH_COPIES: u32 = 500;
/// Nobody reads outcomes away: with the room as shipped a long run would measure a full stream.
const OUTCOMES_BYTES_MAX: u64 = 16 << 30;
/// Books of the other profiles.
const BOOKS: u32 = 2_000;

/// Streams that hold every outcome of a run.
pub fn room_for_outcomes() -> StreamsConfig {
    StreamsConfig { notifications_max_bytes: OUTCOMES_BYTES_MAX, ..StreamsConfig::default() }
}

impl Profile {
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Peak => "peak",
            Self::Flash => "flash",
            Self::Soak => "soak",
            Self::Ceiling => "ceiling",
        }
    }

    const fn seconds(self) -> u64 {
        match self {
            Self::Peak => 60,
            Self::Flash => 30,
            Self::Soak => 1_200,
            Self::Ceiling => 15,
        }
    }

    fn load(self, args: &Args) -> Load {
        let open = |usual| Load::Open { rate: args.rate.unwrap_or(usual) };
        match self {
            Self::Peak => open(200),
            Self::Flash => open(2_000),
            // What it leaves behind is audited whole: memory bounds rate times length.
            Self::Soak => open(50),
            Self::Ceiling => Load::Closed { in_flight: args.in_flight.unwrap_or(256) },
        }
    }

    /// The figures that the product is to show.
    fn budgets(self, connections: Connections) -> BudgetArgs {
        let none = BudgetArgs::default();
        match self {
            Self::Peak => BudgetArgs {
                budget_p90_ms: Some(5_000.0),
                budget_overhead_p90_ms: Some(50.0),
                budget_cores: Some(0.6),
                budget_calls_share: Some(0.5),
                budget_price_percent: Some(1.0),
                ..none
            },
            Self::Flash => BudgetArgs { budget_p99_ms: Some(3_000.0), ..none },
            Self::Soak => BudgetArgs { budget_p90_ms: Some(5_000.0), ..none },
            Self::Ceiling => BudgetArgs {
                budget_orders_per_second: Some(match connections {
                    Connections::Shared => 1_200.0,
                    Connections::Own => 800.0,
                }),
                budget_raw_share: Some(0.55),
                budget_call_us: Some(6.0),
                budget_messages: Some(14.0),
                ..none
            },
        }
    }
}

impl Plan {
    pub(super) fn new(profile: Profile, args: &Args) -> Self {
        let connections = args.connections();
        let mix = match profile {
            Profile::Peak | Profile::Soak | Profile::Flash => Mix::USUAL,
            Profile::Ceiling => Mix::ONLY_CHEAPEST,
        };
        let usual = profile.budgets(connections);
        Self {
            profile,
            load: profile.load(args),
            length: Duration::from_secs(args.seconds.unwrap_or(profile.seconds())),
            partners: args.partners.unwrap_or(100),
            door: args.door,
            connections,
            mix: args.strategy.unwrap_or(mix),
            seed: args.seed,
            tier_size: args.tier_size,
            budgets: args.budgets.over(usual),
        }
    }

    /// The stores, their shelves and their tempers.
    pub(super) fn scenario(&self) -> anyhow::Result<Scenario> {
        let mut scenario = Scenario::new(self.seed);
        scenario.quotes_unheard = true;
        scenario.overload = OverloadConfig {
            calls_in_flight_max: CALLS_AT_ONCE,
            region_calls_per_s: CALLS_PER_S,
            region_calls_burst: CALLS_PER_S,
            ..scenario.overload
        };
        scenario.streams = room_for_outcomes();
        scenario.log_filter = Some("warn".to_owned());
        scenario.policy.tier_size = self.tier_size;
        scenario.sim.nats.connections = self.connections;
        let mut scenario = match self.profile {
            Profile::Ceiling => {
                let mut group = PartnerGroup::of(ProfileName::Instant, self.partners);
                // Every request asks every store: that is what is measured.
                group.overrides = toml::toml! { quotes_reusable = false };
                scenario.sim.partners.push(group);
                scenario
            }
            Profile::Peak | Profile::Flash | Profile::Soak => {
                scenario.sim.payment.settings.answers.latency = PAYMENT_LATENCY;
                let mut group = PartnerGroup::of(ProfileName::Calm, self.partners);
                group.prefix = Some("store".to_owned());
                group.overrides = temper();
                scenario.sim.partners.push(group);
                scenario
            }
        };
        if self.profile == Profile::Flash {
            for (store, copies) in (1..=self.partners).zip(self.flash_copies()) {
                scenario = scenario.stock(&format!("store-{store:02}"), book(0), copies);
            }
        }
        Ok(scenario)
    }

    /// Copies of the one book at each store.
    pub(super) fn flash_copies(&self) -> impl Iterator<Item = u32> {
        let stores = u32::from(self.partners.max(1));
        (0..stores).map(move |n| FLASH_COPIES / stores + u32::from(n < FLASH_COPIES % stores))
    }

    /// What can be bought, most popular first.
    pub(super) fn books(&self) -> Vec<Isbn13> {
        let count = if self.profile == Profile::Flash { 1 } else { BOOKS };
        (0..count).map(book).collect()
    }
}

/// What a machine with these loads has to carry; what it can is what is measured.
const CALLS_AT_ONCE: u32 = 1_000_000;
const CALLS_PER_S: u32 = 1_000_000;

/// Log-normal response times, 2 % of all answers never come, 1 % are "busy, ask again"; shelves that
/// do not run empty. Prices differ by store and book, and have nothing to do with speed.
fn temper() -> toml::Table {
    toml::toml! {
        quotes = { silent_permille = 20, latency = { p50_ms = 120, p99_ms = 480 } }
        commands = { silent_permille = 20, latency = { p50_ms = 120, p99_ms = 480 } }
        faults = { quote_busy_permille = 10, busy_permille = 10 }
        stock = { on_hand_min = 1_000_000_000, on_hand_max = 1_000_000_000 }
    }
}

/// The payment provider is as quick as the stores, and always answers.
const PAYMENT_LATENCY: Latency = Latency::new(120, 480);

impl BudgetArgs {
    /// What was said, and for the rest what is usual.
    fn over(self, usual: Self) -> Self {
        if self.no_budgets {
            return Self { no_budgets: true, ..Self::default() };
        }
        Self {
            no_budgets: false,
            budget_p90_ms: self.budget_p90_ms.or(usual.budget_p90_ms),
            budget_p99_ms: self.budget_p99_ms.or(usual.budget_p99_ms),
            budget_overhead_p90_ms: self.budget_overhead_p90_ms.or(usual.budget_overhead_p90_ms),
            budget_cores: self.budget_cores.or(usual.budget_cores),
            budget_calls_share: self.budget_calls_share.or(usual.budget_calls_share),
            budget_price_percent: self.budget_price_percent.or(usual.budget_price_percent),
            budget_orders_per_second: self
                .budget_orders_per_second
                .or(usual.budget_orders_per_second),
            budget_raw_share: self.budget_raw_share.or(usual.budget_raw_share),
            budget_call_us: self.budget_call_us.or(usual.budget_call_us),
            budget_messages: self.budget_messages.or(usual.budget_messages),
        }
    }
}
