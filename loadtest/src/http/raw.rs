//! The least that takes creates over HTTP: reads one JSON body, and says 202 once it is synced in
//! one fjall keyspace, as many as wait in one group, as the broker's own store does. No token, no
//! limit, no rule, no NATS, no event: what is left is HTTP, JSON and the disk.

mod server;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use schemas::CustomerId;
use tests::harness::{Process, Program, wait};
use tests::nats_server::ports::PortLease;
use tokio::net::TcpStream;

pub(crate) use server::{RawHttpArgs, serve};

use super::args::Args;
use super::callers::Callers;
use super::figures::{Figures, Used};
use super::run::{self, Load, Target};

pub(crate) const RAW_HTTP_ROLE: &str = "role-raw-http";

const READY_WITHIN: Duration = Duration::from_secs(30);
const WARM_UP: Duration = Duration::from_secs(1);

pub(super) struct Found {
    pub(super) flat_out: Figures,
    /// At the rates of the broker's runs.
    pub(super) runs: Vec<(String, Figures)>,
}

/// The same loads by the same callers, right after the run.
pub(super) async fn measure(args: &Args, runs: &[(String, Figures)]) -> anyhow::Result<Found> {
    let home = tempfile::tempdir_in(&args.dir)?;
    let port = PortLease::any()?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port.port()));
    let this = std::env::current_exe().context("finding this executable")?;
    let arguments = vec![address.to_string(), home.path().display().to_string()];
    let log = home.path().join("log");
    let program = Program::new(this).role(RAW_HTTP_ROLE);
    let mut server = Process::new("raw-http", program, arguments, log);
    server.start()?;
    wait::until("the raw server listens", READY_WITHIN, async || {
        server.check_alive()?;
        Ok(TcpStream::connect(address).await.ok().map(drop))
    })
    .await?;
    let nobody = (CustomerId::parse("nobody")?, "none".to_owned());
    let callers = Arc::new(Callers::new(vec![nobody])?);
    let (connections, seed) = (args.connections, args.seed);
    let target = Target { address, callers, connections, seed };
    run::run(&target, Load::Closed, WARM_UP).await?;
    let pid = server.pid().context("the raw server is not running")?;
    let mut found = Vec::new();
    for (name, figures) in runs {
        found.push((format!("raw: {name}"), one(&target, pid, figures.asked, args).await?));
    }
    let flat_out = one(&target, pid, Load::Closed, args).await?;
    server.kill_9()?;
    Ok(Found { flat_out, runs: found })
}

async fn one(target: &Target, pid: u32, load: Load, args: &Args) -> anyhow::Result<Figures> {
    let processes = [("raw server", pid), ("callers", std::process::id())];
    let (before, started) = (Used::now(&processes)?, Instant::now());
    let calls = run::run(target, load, args.length()).await?;
    Ok(Figures::of(load, &calls, before.cores(started.elapsed())?))
}
