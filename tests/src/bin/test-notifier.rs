//! The notifier alone as a process: `test-notifier URL FILE`, where the file is its configuration.
//! Logs in as `NATS_USER` with `NATS_PASSWORD`, if they are there.

use std::process::ExitCode;

use broker_notifier::NotifierConfig;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_ansi(false)
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .init();
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(url), Some(file)) = (arguments.next(), arguments.next()) else {
        anyhow::bail!("usage: test-notifier URL FILE");
    };
    let config: NotifierConfig = toml::from_str(&std::fs::read_to_string(file)?)?;
    let mut terminated = signal(SignalKind::terminate())?;
    let (tell, stop) = watch::channel(false);
    let login = std::env::var("NATS_USER").ok().zip(std::env::var("NATS_PASSWORD").ok());
    let options = login.map_or_else(async_nats::ConnectOptions::new, |(user, password)| {
        let inbox = format!("_INBOX.{user}");
        async_nats::ConnectOptions::with_user_and_password(user, password)
            .custom_inbox_prefix(inbox)
    });
    let client = options.connect(url).await?;
    let mut notifier = broker_notifier::start(&config, client, stop).await?;
    println!("ready");
    tokio::select! {
        () = notifier.ended() => anyhow::bail!("a task of the notifier has ended"),
        _ = terminated.recv() => {}
    }
    tell.send_replace(true);
    notifier.stopped().await;
    Ok(())
}
