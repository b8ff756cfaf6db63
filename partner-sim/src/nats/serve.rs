//! Puts it all together and takes it apart again.

use std::pin::pin;
use std::sync::Arc;

use async_nats::Client;
use schemas::PartnerId;
use schemas::stream::{
    partner_commands_consumer, partner_quotes_consumer, payment_commands_consumer,
    simulator_commands_consumer, simulator_quotes_consumer,
};
use schemas::subject::{filter, partner_quote, sim_ledger};
use tokio::sync::oneshot::error::RecvError;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::consume::Inlet;
use super::delay::Delays;
use super::desk::{Delayed, Desk};
use super::egress::Egress;
use super::journal::{Journal, JournalError};
use super::ledgers::{self, Which};
use super::{connect, quotes};
use crate::config::{ConfigError, Connections, SimConfig};
use crate::world::World;

/// Why the stores closed.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("the configuration cannot be used")]
    Config(#[from] ConfigError),
    #[error("the ledger file cannot be used")]
    Ledger(#[from] JournalError),
    #[error("cannot connect to {url}")]
    Connect { url: String, source: async_nats::ConnectError },
    #[error("cannot subscribe to {subject}")]
    Subscribe { subject: String, source: async_nats::SubscribeError },
    #[error(transparent)]
    Http(#[from] crate::http::HttpError),
    #[error("a task of the shell ended")]
    Task(#[source] Option<tokio::task::JoinError>),
}

/// Serves the configured partners and the payment provider until `shutdown` resolves. The ledgers
/// are served last: a client that gets a page knows that questions are answered too.
///
/// # Errors
/// A configuration or ledger file that cannot be used, no connection, and any failure to write
/// the ledger: then what was decided is not known to be on disk, and only a restart tells.
pub async fn serve(
    config: SimConfig,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let world = World::new(&config)?;
    config.write_directory()?;
    let (journal, mut writer, lines) = Journal::open(&config.ledger_file)?;
    let elsewhere = config.http.iter().flat_map(|http| http.shapes.keys().cloned()).collect();
    let (desk, owed) = Desk::new(world, journal, lines, elsewhere);
    let (stop, stopped) = watch::channel(false);
    let shell = Shell {
        desk: Arc::new(desk),
        delays: Delays::new(config.nats.delayed_max, stopped),
        tasks: JoinSet::new(),
    };
    let mut shutdown = pin!(shutdown);
    let mut tasks = tokio::select! {
        opened = shell.open(&config, owed) => opened?,
        () = &mut shutdown => return Ok(()),
    };
    tracing::info!(partners = config.profiles()?.len(), "the stores are open");
    let ended = tokio::select! {
        () = shutdown => Ok(()),
        Some(ended) = tasks.join_next() => Err(ServeError::Task(ended.err())),
        ended = &mut writer.ended => Err(closed(ended).into()),
    };
    // Every task lets go of the desk, the last one closes the file, and its thread syncs it.
    stop.send_replace(true);
    tasks.shutdown().await;
    if ended.is_ok()
        && let Ok(Err(error)) = writer.ended.await
    {
        return Err(error.into());
    }
    tracing::info!("the stores are closed");
    ended
}

fn closed(ended: Result<Result<(), JournalError>, RecvError>) -> JournalError {
    match ended {
        Ok(Err(error)) => error,
        Ok(Ok(())) | Err(_) => JournalError::Closed,
    }
}

struct Shell {
    desk: Arc<Desk>,
    delays: Delays,
    tasks: JoinSet<()>,
}

impl Shell {
    async fn open(
        mut self,
        config: &SimConfig,
        owed: Vec<Delayed>,
    ) -> Result<JoinSet<()>, ServeError> {
        let url = &config.nats.url;
        let shared = self.connect(url, "partner-sim").await?;
        let egress = Egress::new(shared.clone());
        let (by_http, owed) = owed.into_iter().partition(Delayed::is_for_http);
        self.resume(&egress, owed).await;
        if let Some(http) = &config.http {
            let (desk, delays) = (Arc::clone(&self.desk), self.delays.clone());
            self.tasks.spawn(crate::http::open(http, desk, delays, by_http).await?);
        }
        match config.nats.connections {
            Connections::Shared => {
                self.quotes(&shared, &egress, filter::partner_quotes()).await?;
                self.inlet(&egress, simulator_commands_consumer());
                self.inlet(&egress, simulator_quotes_consumer());
            }
            Connections::Own => {
                for (id, _) in config.profiles()? {
                    if self.desk.has_partner(&id) {
                        self.own(url, &id).await?;
                    }
                }
            }
        }
        self.inlet(&egress, payment_commands_consumer(&config.payment.provider));
        self.ledger(&shared, Which::Partners, "partners").await?;
        self.ledger(&shared, Which::Payments, "payments").await?;
        Ok(self.tasks)
    }

    async fn own(&mut self, url: &str, id: &PartnerId) -> Result<(), ServeError> {
        let client = self.connect(url, id.as_str()).await?;
        let egress = Egress::new(client.clone());
        self.quotes(&client, &egress, partner_quote(id)).await?;
        self.inlet(&egress, partner_commands_consumer(id));
        self.inlet(&egress, partner_quotes_consumer(id));
        Ok(())
    }

    async fn connect(&self, url: &str, name: &str) -> Result<Client, ServeError> {
        connect::connect(url, name)
            .await
            .map_err(|source| ServeError::Connect { url: url.to_owned(), source })
    }

    /// Answers that an earlier life owed: at their instant, or at once if it has passed.
    async fn resume(&self, egress: &Egress, owed: Vec<Delayed>) {
        if !owed.is_empty() {
            tracing::info!(answers = owed.len(), "sending what an earlier life still owed");
        }
        for delayed in owed {
            let seat = self.delays.seat().await;
            let (desk, egress) = (Arc::clone(&self.desk), egress.clone());
            self.delays.run(seat, delayed.at, async move {
                egress.publish(delayed.message, None).await;
                desk.sent(delayed.number);
            });
        }
    }

    async fn quotes(
        &mut self,
        client: &Client,
        egress: &Egress,
        subject: String,
    ) -> Result<(), ServeError> {
        let questions = subscribe(client, subject).await?;
        let (desk, client) = (Arc::clone(&self.desk), client.clone());
        self.tasks.spawn(quotes::run(desk, client, egress.clone(), self.delays.clone(), questions));
        Ok(())
    }

    fn inlet(&mut self, egress: &Egress, spec: schemas::stream::ConsumerSpec) {
        let inlet = Inlet {
            spec,
            desk: Arc::clone(&self.desk),
            egress: egress.clone(),
            delays: self.delays.clone(),
        };
        self.tasks.spawn(inlet.run());
    }

    async fn ledger(
        &mut self,
        client: &Client,
        which: Which,
        name: &str,
    ) -> Result<(), ServeError> {
        let asked = subscribe(client, sim_ledger(name)).await?;
        self.tasks.spawn(ledgers::run(Arc::clone(&self.desk), client.clone(), which, asked));
        Ok(())
    }
}

async fn subscribe(client: &Client, subject: String) -> Result<async_nats::Subscriber, ServeError> {
    client
        .subscribe(subject.clone())
        .await
        .map_err(|source| ServeError::Subscribe { subject, source })
}
