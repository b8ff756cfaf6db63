//! A gateway in a process of its own: the same binary with another role.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use tests::harness::{Process, wait};
use tests::nats_server::ports::PortLease;

use super::http::Http;
use crate::stage::{SOON, Stage};

pub(super) struct Alone {
    process: Process,
    address: SocketAddr,
    _port: PortLease,
}

impl Alone {
    /// Of this stage.
    pub(super) async fn start(stage: &Stage) -> Self {
        Self::start_at(&stage.broker.config().nats.urls, stage.dir()).await
    }

    /// With a configuration that has nothing but what a gateway needs; the tokens are in `dir`.
    pub(super) async fn start_at(urls: &[String], dir: &Path) -> Self {
        let port = PortLease::any().unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port.port()));
        let text = format!(
            "roles = [\"gateway\"]\n[nats]\nurls = {urls:?}\n[gateway]\nbind = \"{address}\"\n\
             tokens_file = \"tokens.toml\"\nper_address_per_s = 0\nper_token_per_s = 0\n\
             call_timeout_ms = 2000\n"
        );
        let file = dir.join("gateway.toml");
        std::fs::write(&file, text).unwrap();
        let arguments = ["serve", "--config", &file.to_string_lossy()].map(str::to_owned).to_vec();
        let log = dir.join("gateway.log");
        let program = tests::programs!().broker;
        let mut process = Process::new("gateway", program, arguments, log);
        process.start().unwrap();
        wait::until("the gateway answers", SOON, async || {
            process.check_alive()?;
            Ok(tokio::net::TcpStream::connect(address).await.ok().map(drop))
        })
        .await
        .unwrap();
        Self { process, address, _port: port }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn caller(&self, stage: &Stage, token: &str) -> Http {
        Http::of(stage, token).through(self.url())
    }

    pub(super) fn kill_9(&mut self) {
        self.process.kill_9().unwrap();
    }

    pub(super) async fn stop(&mut self) {
        let ended = self.process.terminate(Duration::from_secs(20)).await.unwrap();
        assert!(ended.success(), "{ended}");
    }
}
