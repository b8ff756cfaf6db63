//! What one run is made of, drawn anew for each: some faults are off, some are rare, some extreme
//! (swarm testing). Everything drawn is printed with a failure.

mod load;
mod search;
mod sharing;

use std::collections::BTreeMap;
use std::fmt;

use partner_sim::config::PartnerGroup;
use partner_sim::profile::ProfileName;
use schemas::PartnerId;

use super::choices::{Choices, Lane};
use super::fault::Fault;
pub use load::Load;
pub use search::Search;
pub use sharing::Sharing;

/// Thousandths, how likely each opportunity is used.
pub type Permille = u32;

/// Everything about a run that does not change while it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Purchase requests.
    pub requests: u32,
    /// Bookstores, by character; ids are `<profile>-<n>`.
    pub partners: Vec<ProfileName>,
    /// Requests come within this time, milliseconds.
    pub arrival_span_ms: u32,
    /// How long faults strike, milliseconds; after it the world is healed.
    pub chaos_ms: u32,
    /// Longest delay of a message between any two, milliseconds; 1 without [`Fault::Delayed`].
    pub network_delay_max_ms: u32,
    /// How often each fault strikes; what is not listed never does.
    pub faults: BTreeMap<Fault, Permille>,
    /// The seed of bookstores and provider.
    pub parties_seed: u64,
    /// The provider makes sure that a voided key can never be authorised.
    pub provider_fences: bool,
    /// How far two words "not found" are apart before they count as two, milliseconds.
    pub absence_span_ms: u32,
    /// Provider troubles (declined, lost, failed, slow), each strikes this often.
    pub provider_trouble: Permille,
    pub search: Search,
    pub sharing: Sharing,
    /// So long an order may be unknown before a human is called, milliseconds.
    pub human_after_ms: u32,
    pub load: Load,
}

/// How strong a fault is, from never to nearly always; the tamest first.
const STRENGTHS: [Permille; 6] = [0, 0, 5, 30, 150, 600];

impl Options {
    pub fn draw(choices: &mut Choices) -> Self {
        let lane = Lane::Options;
        let requests = *choices.pick(lane, &[1, 2, 3, 5, 8, 20]);
        // One run in eight is calm: there the customers get what they planned, or the broker is
        // at fault.
        let calm = choices.below(lane, 8) == 0;
        let count = *choices.pick(lane, &[2, 1, 3, 5, 10, 10]);
        let partners = (0..count).map(|_| draw_profile(choices, calm)).collect();
        let arrival_span_ms = *choices.pick(lane, &[1, 1_000, 10_000, 60_000]);
        let chaos_ms = *choices.pick(lane, &[5_000, 30_000, 120_000, 900_000]);
        let faults = if calm { BTreeMap::new() } else { draw_faults(choices) };
        let network_delay_max_ms = if faults.contains_key(&Fault::Delayed) {
            *choices.pick(lane, &[5, 50, 500, 5_000, 40_000])
        } else {
            1
        };
        let two_brokers = faults.contains_key(&Fault::Deposed);
        Self {
            requests,
            partners,
            arrival_span_ms,
            chaos_ms,
            network_delay_max_ms,
            faults,
            parties_seed: u64::from(choices.below(lane, u32::MAX)),
            provider_fences: !choices.strikes(lane, 200),
            provider_trouble: if calm { 0 } else { *choices.pick(lane, &[0, 0, 20, 200]) },
            absence_span_ms: *choices.pick(lane, &[30_000, 500]),
            // Last: what was recorded before there was a choice here asks everybody, at once.
            search: Search::draw(choices, calm, two_brokers),
            sharing: Sharing::draw(choices),
            human_after_ms: *choices.pick(lane, &[900_000, 2_000]),
            load: Load::draw(choices),
        }
    }

    /// The bookstores, for the simulator's configuration: `<profile>-<n>`, n counted over all.
    ///
    /// # Panics
    /// Never: labels of profiles are valid ids.
    pub fn groups(&self) -> Vec<PartnerGroup> {
        let group = |(n, profile): (usize, &ProfileName)| {
            let id = format!("{}-{:02}", profile.label(), n + 1);
            let id = PartnerId::parse(&id).expect("labels of profiles are valid ids");
            PartnerGroup { overrides: overrides(*profile, n), ..PartnerGroup::named(*profile, id) }
        };
        self.partners.iter().enumerate().map(group).collect()
    }

    /// Nothing goes wrong in such a run, so everybody gets what was planned.
    pub fn is_calm(&self) -> bool {
        let honest = |profile| HONEST.contains(profile);
        let search = &self.search;
        (search.steered, search.newcomers) == (0, 0)
            && self.faults.is_empty()
            && self.provider_trouble == 0
            && self.load.is_wide_open()
            && self.partners.iter().all(honest)
    }

    /// How often `fault` strikes.
    pub fn rate(&self, fault: Fault) -> Permille {
        self.faults.get(&fault).copied().unwrap_or(0)
    }
}

/// A hostile store that leaves its fee out is never bought from, so nobody would meet it. Every
/// third store ships soon, and keeps an order from then on.
fn overrides(profile: ProfileName, n: usize) -> toml::Table {
    let mut table = match profile {
        ProfileName::Hostile => toml::toml! { components = { fee = "exact" } },
        _ => toml::Table::new(),
    };
    if n % 3 == 2 {
        table.insert("ships_after_ms".to_owned(), toml::Value::Integer(SHIPS_AFTER_MS));
    }
    table
}

/// So soon a few stores ship.
const SHIPS_AFTER_MS: i64 = 2_000;

/// Half of the runs know only a few faults: rare combinations show themselves there.
fn draw_faults(choices: &mut Choices) -> BTreeMap<Fault, Permille> {
    let few = choices.strikes(Lane::Options, 500);
    let mut faults = BTreeMap::new();
    for fault in Fault::ALL {
        if few && !choices.strikes(Lane::Options, 150) {
            continue;
        }
        let strength = *choices.pick(Lane::Options, &STRENGTHS);
        if strength > 0 {
            faults.insert(*fault, strength);
        }
    }
    faults
}

/// The profiles that keep every promise and answer in time.
const HONEST: [ProfileName; 3] =
    [ProfileName::Calm, ProfileName::Instant, ProfileName::NoReservation];

fn draw_profile(choices: &mut Choices, calm: bool) -> ProfileName {
    if calm {
        *choices.pick(Lane::Options, &HONEST)
    } else if choices.strikes(Lane::Options, 500) {
        *choices.pick(Lane::Options, &ProfileName::ALL)
    } else {
        ProfileName::Calm
    }
}

impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} requests within {} ms at", self.requests, self.arrival_span_ms)?;
        for partner in &self.partners {
            write!(f, " {}", partner.label())?;
        }
        write!(f, "; {} ms of", self.chaos_ms)?;
        for (fault, permille) in &self.faults {
            write!(f, " {}={permille}", fault.label())?;
        }
        write!(f, "; delays to {} ms; ", self.network_delay_max_ms)?;
        let fences = if self.provider_fences { "fences" } else { "does not fence" };
        write!(f, "the provider {fences}, trouble={}", self.provider_trouble)?;
        write!(f, "; absent twice after {} ms; {}", self.absence_span_ms, self.search)?;
        write!(f, "; {}; a human after {} ms", self.sharing, self.human_after_ms)?;
        write!(f, "; {}", self.load)
    }
}
