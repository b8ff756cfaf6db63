//! The bridge alone, as a process of its own: `test-bridge NATS_URL BRIDGE_TOML`.

use std::process::ExitCode;

use broker_bridge::BridgeConfig;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().unwrap_or_default();
    let file = std::path::PathBuf::from(arguments.next().unwrap_or_default());
    let mut config: BridgeConfig = toml::from_str(&std::fs::read_to_string(&file)?)?;
    let dir = file.parent().unwrap_or(&file).to_owned();
    config.resolve_paths(|path| dir.join(path));
    let client = async_nats::ConnectOptions::new()
        .name("bridge")
        .ping_interval(std::time::Duration::from_secs(2))
        .max_reconnects(None)
        .retry_on_initial_connect()
        .connect(url)
        .await?;
    let (stop, stopped) = watch::channel(false);
    let mut bridge = broker_bridge::start(&config, client.clone(), stopped).await?;
    client.flush().await?;
    tracing::info!("ready");
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => {}
        () = bridge.ended() => anyhow::bail!("the bridge ended by itself"),
    }
    stop.send_replace(true);
    bridge.ended().await;
    Ok(())
}
