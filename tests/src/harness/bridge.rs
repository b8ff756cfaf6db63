//! Stores of the simulator that are behind HTTP, and the files by which the bridge speaks to them:
//! the shipped examples under another name.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use broker_bridge::BridgeConfig;
use partner_sim::http::{HttpConfig, Shape};
use schemas::PartnerId;

use super::gateway::{CALLBACK_SECRET, Gateway};
use super::{HarnessError, Scenario};
use crate::nats_server::ports::PortLease;

/// Where the examples say that their stores are.
const EXAMPLE_ADDRESS: &str = "127.0.0.1:8081";
const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../ops/stores");
/// How long a store that says nothing keeps its caller waiting: longer than anybody waits.
const SILENCE_MS: u64 = 30_000;

/// One of the shipped examples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Example {
    /// Its own name; another store can be like it.
    pub partner: &'static str,
    /// In `ops/stores`.
    pub file: &'static str,
    pub shape: Shape,
    /// Whether it holds stock, and cancels.
    pub reserves: bool,
    pub cancels: bool,
}

impl Example {
    pub const JSON: Self =
        Self { reserves: true, ..Self::of("northwind", "json-sync.toml", Shape::JsonSync) };
    pub const CALLBACK: Self = Self::of("callisto", "json-callback.toml", Shape::JsonCallback);
    pub const XML: Self = Self { reserves: true, ..Self::of("xanadu", "xml.toml", Shape::Xml) };
    pub const POLL: Self = Self::of("pollux", "poll.toml", Shape::Poll);
    pub const WALK_IN: Self =
        Self { cancels: false, ..Self::of("walkin", "no-reservation.toml", Shape::NoReservation) };

    const fn of(partner: &'static str, file: &'static str, shape: Shape) -> Self {
        Self { partner, file, shape, reserves: false, cancels: true }
    }

    /// The same file for a store of this name at this address.
    fn text(self, partner: &PartnerId, address: SocketAddr) -> Result<String, HarnessError> {
        let file = Path::new(EXAMPLES).join(self.file);
        let text = std::fs::read_to_string(file).map_err(HarnessError::io("reading an example"))?;
        let place = format!("{EXAMPLE_ADDRESS}/{}", self.partner);
        let name = format!("id = \"{}\"", self.partner);
        let text = text.replace(&place, &format!("{address}/{partner}"));
        Ok(text.replace(&name, &format!("id = \"{partner}\"")))
    }
}

/// The door behind which those stores are.
#[derive(Debug)]
pub struct Bridge {
    pub config: BridgeConfig,
    _port: PortLease,
}

impl Bridge {
    /// Chooses an address for the stores, tells the simulator, and writes their files into
    /// `dir/stores`. They call back at the gateway.
    pub(super) fn prepare(
        scenario: &mut Scenario,
        gateway: Option<&Gateway>,
        dir: &Path,
    ) -> Result<Self, HarnessError> {
        let port = PortLease::any().map_err(HarnessError::io("a port for stores over HTTP"))?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port.port()));
        let stores_dir = dir.join("stores");
        std::fs::create_dir_all(&stores_dir).map_err(HarnessError::io("making stores/"))?;
        for (partner, like) in &scenario.http_stores {
            let text = like.text(partner, address)?;
            std::fs::write(stores_dir.join(format!("{partner}.toml")), text)
                .map_err(HarnessError::io("writing a store file"))?;
        }
        let url = gateway.map(Gateway::url).unwrap_or_default();
        scenario.sim.http = Some(HttpConfig {
            bind: address,
            callback_url: format!("{url}/v1/partners/{{partner}}/callbacks"),
            callback_secret: CALLBACK_SECRET.to_owned(),
            silence_ms: SILENCE_MS,
            shapes: scenario
                .http_stores
                .iter()
                .map(|(id, like)| (id.clone(), like.shape))
                .collect(),
        });
        let config = BridgeConfig {
            stores_dir: Some(stores_dir),
            allow_private_hosts: vec![Ipv4Addr::LOCALHOST.to_string()],
            ..BridgeConfig::default()
        };
        Ok(Self { config, _port: port })
    }
}
