//! The end of a run: stop the broker, gather the evidence.

use std::collections::BTreeMap;
use std::time::Duration;

use broker::store::{AuditRecord, CommitNumber, Listing, Meta, Reader, StoreError};
use broker_core::receipt::Receipt;
use broker_core::{Policy, PurchaseRequest};
use partner_sim::World;
use schemas::{Digest, RequestId, stream};

use super::{Cluster, HarnessError, StreamTail, now};
use crate::auditor::{Background, Evidence, Seen, liars, standing, vouched};

/// Rows read from the store at a time.
const PAGE_ROWS: usize = 1000;

/// What the store holds, read through its own port.
#[derive(Debug)]
pub struct StoreContents {
    pub log: Vec<AuditRecord>,
    pub heads: BTreeMap<RequestId, PurchaseRequest>,
    pub receipts: BTreeMap<RequestId, Vec<Receipt>>,
    pub incarnation: broker::store::Incarnation,
    pub meta: Meta,
}

impl StoreContents {
    /// The same for the same content, whoever reads it and when.
    pub fn digest(&self) -> Digest {
        let Self { log, heads, receipts, incarnation, meta } = self;
        Digest::of(format!("{log:?}{heads:?}{receipts:?}{incarnation}{meta:?}").as_bytes())
    }
}

/// Reads everything an auditor wants from a store.
///
/// # Errors
/// Whatever the store refuses.
pub fn read_store(reader: &dyn Reader) -> Result<StoreContents, StoreError> {
    let mut log: Vec<AuditRecord> = Vec::new();
    loop {
        let after = log.last().map_or(CommitNumber(0), |record| record.commit);
        let page = reader.audit_after(after, PAGE_ROWS)?;
        if page.is_empty() {
            break;
        }
        log.extend(page);
    }
    let (mut heads, mut receipts) = (BTreeMap::new(), BTreeMap::new());
    let mut after = None;
    loop {
        let page = reader.ids(&Listing::All, after, PAGE_ROWS)?;
        let Some(last) = page.last().copied() else { break };
        for request in page {
            if let Some(stored) = reader.load(request)? {
                heads.insert(request, stored.request);
                receipts.insert(request, reader.receipts(request)?);
            }
        }
        after = Some(last);
    }
    let meta = reader.meta()?;
    Ok(StoreContents { log, heads, receipts, incarnation: meta.incarnation, meta })
}

impl Cluster {
    /// Stops the broker if it runs and gathers what everybody wrote down.
    ///
    /// # Errors
    /// When the broker does not stop, a ledger or stream cannot be read, or the store cannot be
    /// opened.
    pub async fn collect(&mut self) -> Result<Evidence, HarnessError> {
        if self.broker.process.is_running() {
            self.broker.terminate().await?;
        }
        // Reading takes its time after a long run, and the broker has none of it.
        let at = now();
        let partners = self.partners.partner_ledger().await?;
        let payments = self.partners.payment_ledger().await?;
        let messages = self.messages().await?;
        let store = self.broker.open_store()?;
        let again = self.broker.open_store()?;
        let policy = self.broker.policy()?;
        let readings = vec![store.digest(), again.digest()];
        let background = self.background(&store, &policy, readings)?;
        Ok(Evidence {
            sent: self.ledger().entries(),
            log: store.log,
            heads: store.heads,
            receipts: store.receipts,
            incarnation: store.incarnation,
            policy,
            partners,
            payments,
            messages,
            disturbances: self.disturbances(),
            background,
            at,
        })
    }

    /// [`Cluster::settle`], then [`Cluster::collect`].
    ///
    /// # Errors
    /// As those two.
    pub async fn settle_and_collect(
        &mut self,
        deadline: Duration,
    ) -> Result<Evidence, HarnessError> {
        self.settle(deadline).await?;
        self.collect().await
    }

    /// Stores that were stopped may have been opened again with other shelves: then nothing is
    /// said of what they would have sold.
    fn background(
        &self,
        store: &StoreContents,
        policy: &Policy,
        readings: Vec<Digest>,
    ) -> Result<Background, HarnessError> {
        let stores = World::new(self.partners.config())
            .map_err(HarnessError::decode("the scenario's partners"))?;
        let unchanged = self.partners.process.outages().is_empty();
        let standing = unchanged.then(|| standing(&stores, &store.heads, policy));
        Ok(Background {
            standing: standing.unwrap_or_default(),
            vouched: if self.quotes_unheard() { vouched(&stores, &store.log) } else { Vec::new() },
            liars: liars(&stores).collect(),
            bridged: self
                .partners
                .config()
                .http
                .iter()
                .flat_map(|http| http.shapes.keys())
                .cloned()
                .collect(),
            meta: Some(store.meta.clone()),
            readings,
            virtual_time: false,
            store_only: false,
        })
    }

    async fn messages(&self) -> Result<Vec<Seen>, HarnessError> {
        let mut messages = self.tap.heard_outside_streams();
        if let Some(archive) = self.archive() {
            messages.extend(archive.messages().await?);
            messages.sort_by_key(|seen| seen.at);
            return Ok(messages);
        }
        for spec in stream::all() {
            let mut tail = StreamTail::new(self.client(), spec.name);
            tail.poll().await?;
            if tail.is_cut() {
                messages.extend(self.tap.heard_before(spec.name, tail.seen().first()));
            }
            messages.extend(tail.into_seen());
        }
        messages.sort_by_key(|seen| seen.at);
        Ok(messages)
    }
}
