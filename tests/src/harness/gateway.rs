//! The HTTP door of the cluster's broker, and who may call it.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use broker_gateway::GatewayConfig;
use broker_gateway::tokens::{ScopeName, create, to_toml};
use schemas::text::Text;
use schemas::{CustomerId, PartnerId};

use super::HarnessError;
use super::bridge::Example;
use crate::nats_server::ports::PortLease;

/// The secret of all bookstores that call back: `acme`, and those that speak HTTP.
pub const CALLBACK_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Customers with a token of their own name; each has one that only looks, too: `<name>-looks`.
const CUSTOMERS: [&str; 5] = ["ann", "bob", "cyd", "dee", "eve"];

/// A gateway that is to run in the process of the broker.
#[derive(Debug)]
pub struct Gateway {
    pub address: SocketAddr,
    /// By the name of the token.
    pub tokens: BTreeMap<String, String>,
    pub(super) config: GatewayConfig,
    _port: PortLease,
}

impl Gateway {
    /// Writes its files into `dir`. The address is the harness's to choose.
    pub(super) fn prepare(
        config: &GatewayConfig,
        stores: &[(PartnerId, Example)],
        dir: &Path,
    ) -> Result<Self, HarnessError> {
        let port = PortLease::any().map_err(HarnessError::io("a port for the gateway"))?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port.port()));
        let mut tokens = BTreeMap::new();
        let mut text = String::new();
        for (name, scope, customer, partner) in callers() {
            let called = Text::parse(&name).map_err(HarnessError::decode("a token's name"))?;
            let made = create(called, scope, customer, partner);
            let (token, entry) = made.map_err(HarnessError::decode("a token"))?;
            text.push_str(&to_toml(&entry));
            tokens.insert(name, token);
        }
        let tokens_file = dir.join("tokens.toml");
        std::fs::write(&tokens_file, text).map_err(HarnessError::io("writing tokens.toml"))?;
        let callbacks_file = dir.join("callbacks.toml");
        let calling = stores.iter().map(|(id, _)| id.as_str()).chain(["acme"]);
        let entry =
            |id| format!("[[partner]]\npartner_id = '{id}'\nsecrets = ['{CALLBACK_SECRET}']\n");
        let text: String = calling.map(entry).collect();
        std::fs::write(&callbacks_file, text)
            .map_err(HarnessError::io("writing callbacks.toml"))?;
        let config = GatewayConfig {
            bind: address,
            tokens_file: Some(tokens_file),
            callbacks_file: Some(callbacks_file),
            ..config.clone()
        };
        Ok(Self { address, tokens, config, _port: port })
    }

    /// `http://127.0.0.1:…`
    pub fn url(&self) -> String {
        let scheme = if self.config.tls_cert_file.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }
}

type Caller = (String, ScopeName, Option<CustomerId>, Option<PartnerId>);

fn callers() -> Vec<Caller> {
    let mut callers = vec![
        ("olga".to_owned(), ScopeName::Operator, None, None),
        ("acme".to_owned(), ScopeName::Partner, None, PartnerId::parse("acme").ok()),
    ];
    for name in CUSTOMERS {
        let customer = CustomerId::parse(name).ok();
        callers.push((name.to_owned(), ScopeName::Requester, customer.clone(), None));
        callers.push((format!("{name}-looks"), ScopeName::ReadOnly, customer, None));
    }
    callers
}
