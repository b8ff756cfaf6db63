//! The example of a bookstore: started, and asked what a broker asks when something went wrong.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use async_nats::jetstream;
use schemas::id::{Key, MessageId, QuoteId};
use schemas::partner::{Cancel, CommandHeader, Lookup, PartnerOutcome, PartnerReply, Place};
use schemas::stream::name;
use schemas::subject::{self, PartnerOperation};
use schemas::{Condition, DurationMs, Isbn13, Money, PartnerId, RequestId, Timestamp, json};

use super::tools::Tools;
use crate::harness::{Cluster, Order, Process, Program, StreamTail, now, wait};

pub(super) const ID: &str = "python-books";
const SOON: Duration = Duration::from_secs(30);
/// No broker uses the answers of this partition, it gives them up: the questions here are ours.
const OUR_PARTITION: u32 = 9;
const REPLY_BYTES_MAX: usize = 64 * 1024;

/// The store as a process, and our side of the conversation.
#[derive(Debug)]
pub(super) struct Bookstore {
    process: Process,
    partner: PartnerId,
    jetstream: jetstream::Context,
    replies: StreamTail,
    asked: u32,
}

/// What the store is asked to sell, for at most so much.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    pub(super) isbn: Isbn13,
    pub(super) price_cap: Money,
}

/// Its entry in the directory is the one that its own documentation gives.
pub(super) fn register(tools: &Tools, directory: &Path) -> anyhow::Result<()> {
    let script = tools.examples.join("python/bookstore.py");
    let text = std::fs::read_to_string(&script).context("reading the example of a bookstore")?;
    let entry = text.lines().skip_while(|line| line.trim() != "[[partner]]");
    let entry: Vec<&str> = entry.take_while(|line| !line.trim().is_empty()).collect();
    let entry = format!("\n{}\n", entry.join("\n").replace("STORE_ID", ID));
    let file = std::fs::OpenOptions::new().append(true).open(directory);
    file.and_then(|mut file| file.write_all(entry.as_bytes())).context("writing the directory")
}

impl Bookstore {
    /// Starts it with `copies` of one book and returns once it is open.
    pub(super) async fn open(
        tools: &Tools,
        cluster: &Cluster,
        isbn: Isbn13,
        (copies, cents): (u32, u64),
    ) -> anyhow::Result<Self> {
        let (dir, client) = (cluster.dir(), cluster.client());
        let words = [
            tools.examples.join("python/bookstore.py").display().to_string(),
            ID.to_owned(),
            dir.join("bookstore.db").display().to_string(),
            format!("{isbn}={copies}@{cents}"),
        ];
        let log = dir.join("bookstore.log");
        let mut process = Process::new("bookstore", Program::new("python3"), words.to_vec(), log);
        process.set_env("NATS_URL", cluster.nats().url());
        process.set_env("PYTHONDONTWRITEBYTECODE", "1");
        process.set_env("PYTHONPATH", tools.python_packages.display().to_string());
        let mut store = Self {
            process,
            partner: PartnerId::parse(ID)?,
            jetstream: jetstream::new(client.clone()),
            replies: StreamTail::new(client, name::PARTNER_REPLIES),
            asked: 0,
        };
        store.start(1).await?;
        Ok(store)
    }

    async fn start(&mut self, lives: usize) -> anyhow::Result<()> {
        self.process.start()?;
        let process = &mut self.process;
        wait::until("the example of a bookstore is open", SOON, async || {
            let opened = process.log_tail().matches("is open").count();
            Ok((opened == lives || !process.is_running()).then_some(()))
        })
        .await?;
        anyhow::ensure!(process.is_running(), "the bookstore ended:\n{}", process.log_tail());
        Ok(())
    }

    /// Asks everything a broker relies on; the list is what was found to hold.
    ///
    /// # Errors
    /// The first answer that a broker could not live with.
    pub(super) async fn examine(&mut self, terms: Terms) -> anyhow::Result<String> {
        let first = self.place("KEY-A", terms, Self::in_time()).await?;
        let PartnerOutcome::Confirmed { total, .. } = &first else {
            anyhow::bail!("an order within the cap: {first:?}");
        };
        anyhow::ensure!(total.at_most(terms.price_cap)?, "it charges {total}");
        self.expect("a copy", "KEY-A", &first, PartnerOperation::Place, terms).await?;
        // As after a power cut: only what is on its disk is left.
        self.process.kill_9()?;
        self.start(2).await?;
        self.expect("a look-up after a crash", "KEY-A", &first, PartnerOperation::Lookup, terms)
            .await?;

        let never = PartnerOutcome::NotFound { final_for_key: true };
        self.expect("a cancel first", "KEY-B", &never, PartnerOperation::Cancel, terms).await?;
        let late = self.place("KEY-B", terms, Self::in_time()).await?;
        anyhow::ensure!(is_refused(&late, true), "the order of a canceled key: {late:?}");

        let passed = now().saturating_sub(DurationMs::from_secs(1));
        let late = self.place("KEY-C", terms, passed).await?;
        anyhow::ensure!(is_refused(&late, false), "an order that came too late: {late:?}");

        let PartnerOutcome::Confirmed { order_id, .. } = first else {
            anyhow::bail!("it was confirmed above");
        };
        let canceled = PartnerOutcome::Canceled { order_id };
        self.expect("a cancel", "KEY-A", &canceled, PartnerOperation::Cancel, terms).await?;
        self.expect("a copy of it", "KEY-A", &canceled, PartnerOperation::Cancel, terms).await?;
        Ok("copies, a crash, a cancel first, a late order, a cancel".to_owned())
    }

    async fn expect(
        &mut self,
        what: &str,
        key: &str,
        wanted: &PartnerOutcome,
        operation: PartnerOperation,
        terms: Terms,
    ) -> anyhow::Result<()> {
        let found = match operation {
            PartnerOperation::Place => self.place(key, terms, Self::in_time()).await?,
            PartnerOperation::Cancel => {
                let (header, placement_key) = (self.header(operation)?, Key::parse(key)?);
                let body = json::encode(&Cancel { header: header.clone(), placement_key });
                self.ask(operation, &header, body).await?
            }
            PartnerOperation::Lookup => {
                let (header, placement_key) = (self.header(operation)?, Key::parse(key)?);
                let body = json::encode(&Lookup { header: header.clone(), placement_key });
                self.ask(operation, &header, body).await?
            }
            PartnerOperation::Reserve | PartnerOperation::Release => {
                anyhow::bail!("holds are used by the broker itself")
            }
        };
        anyhow::ensure!(found == *wanted, "{what} of {key}: {found:?} instead of {wanted:?}");
        Ok(())
    }

    async fn place(
        &mut self,
        key: &str,
        terms: Terms,
        not_after: Timestamp,
    ) -> anyhow::Result<PartnerOutcome> {
        let header = self.header(PartnerOperation::Place)?;
        let body = json::encode(&Place {
            header: header.clone(),
            placement_key: Key::parse(key)?,
            quote_id: QuoteId::parse("examined")?,
            reservation_key: None,
            isbn: terms.isbn,
            quantity: 1,
            condition: Condition::New,
            price_cap: terms.price_cap,
            destination: Order::of(terms.isbn).build().destination,
            not_after,
        });
        self.ask(PartnerOperation::Place, &header, body).await
    }

    fn in_time() -> Timestamp {
        now().saturating_add(DurationMs::from_secs(60))
    }

    fn header(&mut self, operation: PartnerOperation) -> anyhow::Result<CommandHeader> {
        self.asked += 1;
        Ok(CommandHeader {
            id: MessageId::parse(&format!("examined-{}", self.asked))?,
            request_id: RequestId::from_parts(now().as_unix_ms(), 0),
            attempt: 1,
            reply_to: format!("partner.{ID}.reply.{OUR_PARTITION}.{}", operation.label()),
        })
    }

    /// One command through its stream, and the answer to it.
    async fn ask(
        &mut self,
        operation: PartnerOperation,
        header: &CommandHeader,
        body: Vec<u8>,
    ) -> anyhow::Result<PartnerOutcome> {
        let command = subject::partner_command(&self.partner, operation);
        self.jetstream.publish(command, body.into()).await?.await?;
        let (replies, process, id) = (&mut self.replies, &self.process, &header.id);
        let reply = wait::until(format!("{id} is answered"), SOON, async || {
            replies.poll().await?;
            let bodies = replies.seen().iter().map(|seen| &seen.body);
            let mut known = bodies.filter_map(|body| json::decode(body, REPLY_BYTES_MAX).ok());
            Ok(known.find(|reply: &PartnerReply| reply.header.in_reply_to == *id))
        });
        let reply = reply.await.with_context(|| format!("it said:\n{}", process.log_tail()))?;
        Ok(reply.outcome)
    }
}

fn is_refused(outcome: &PartnerOutcome, for_key: bool) -> bool {
    matches!(outcome, PartnerOutcome::Refused { final_for_key, .. } if *final_for_key == for_key)
}
