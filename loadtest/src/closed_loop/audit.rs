//! The end of a closed loop: the store is opened again, and its log is judged. There was no wire and
//! nobody else kept a ledger.

use std::path::Path;

use anyhow::Context;
use broker::store::{FjallOptions, FjallStore, Incarnation, Store};
use broker_core::Policy;
use partner_sim::{PartnerLedger, PaymentLedger};
use tests::auditor::{Background, Evidence};
use tests::harness::{StoreContents, now, read_store};

use crate::verdict;

/// Judges the store in `dir`.
pub(super) fn judge(dir: &Path, policy: Policy) -> anyhow::Result<()> {
    let StoreContents { log, heads, receipts, incarnation, .. } = open(dir)?;
    let background = Background { store_only: true, ..Background::default() };
    verdict::judge(&Evidence {
        sent: Vec::new(),
        log,
        heads,
        receipts,
        incarnation,
        policy,
        partners: PartnerLedger::default(),
        payments: PaymentLedger::default(),
        messages: Vec::new(),
        disturbances: Vec::new(),
        background,
        at: now(),
    })
}

fn open(dir: &Path) -> anyhow::Result<StoreContents> {
    let options = FjallOptions::standard(Incarnation(1));
    let store =
        FjallStore::open(&dir.join("store"), &options).context("opening the store again")?;
    let contents = read_store(store.reader().as_ref()).context("reading the store")?;
    Box::new(store).close().context("closing the store again")?;
    Ok(contents)
}
