//! Reading the synced image from any thread.

use std::ops::Bound;
use std::sync::{Arc, RwLock, RwLockReadGuard};

use broker_core::batch::Stored;
use broker_core::engine::input::TimerRow;
use broker_core::engine::ranking::snapshot::Snapshot;
use broker_core::receipt::Receipt;
use broker_core::timer::TimerKind;
use schemas::{RequestId, Timestamp};

use super::image::Image;
use crate::store::error::StoreError;
use crate::store::port::{Listing, Meta, Reader};
use crate::store::row::{AuditRecord, CommitNumber, DroppedLetter, OutboxSeq, StoredRow};

#[derive(Debug)]
pub(super) struct MemReader {
    image: Arc<RwLock<Image>>,
}

impl MemReader {
    pub(super) const fn new(image: Arc<RwLock<Image>>) -> Self {
        Self { image }
    }

    fn image(&self) -> RwLockReadGuard<'_, Image> {
        self.image.read().expect("nobody panics while holding the image")
    }
}

fn behind(after: Option<RequestId>) -> (Bound<RequestId>, Bound<RequestId>) {
    (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded)
}

/// The rows behind the first `after` ones.
fn page<T: Clone>(rows: &[T], after: u64, limit: usize) -> Vec<T> {
    let start = usize::try_from(after).unwrap_or(usize::MAX).min(rows.len());
    rows[start..].iter().take(limit).cloned().collect()
}

impl Reader for MemReader {
    fn load(&self, request: RequestId) -> Result<Option<Stored>, StoreError> {
        Ok(self.image().requests.get(&request).map(|entry| Stored {
            request: entry.request.clone(),
            commands: entry.commands.clone(),
        }))
    }

    fn receipts(&self, request: RequestId) -> Result<Vec<Receipt>, StoreError> {
        let mut receipts =
            self.image().requests.get(&request).map_or_else(Vec::new, |e| e.receipts.clone());
        receipts.sort_by_key(|receipt| receipt.sweep);
        Ok(receipts)
    }

    fn ids(
        &self,
        listing: &Listing,
        after: Option<RequestId>,
        limit: usize,
    ) -> Result<Vec<RequestId>, StoreError> {
        let image = self.image();
        Ok(match listing {
            Listing::All => {
                image.requests.range(behind(after)).take(limit).map(|(id, _)| *id).collect()
            }
            Listing::Active => image.active.range(behind(after)).take(limit).copied().collect(),
            Listing::Customer(customer) => {
                let Some(ids) = image.customers.get(customer) else { return Ok(Vec::new()) };
                let upper = after.map_or(Bound::Unbounded, Bound::Excluded);
                ids.range((Bound::Unbounded, upper)).rev().take(limit).copied().collect()
            }
        })
    }

    fn due_timers(&self, until: Timestamp, limit: usize) -> Result<Vec<TimerRow>, StoreError> {
        let last =
            (until, TimerKind::ALL[TimerKind::ALL.len() - 1], RequestId::from_bytes([0xff; 16]));
        let image = self.image();
        let due = image.timers.range(..=last).take(limit);
        Ok(due.map(|&(at, kind, request)| TimerRow { at, request, kind }).collect())
    }

    fn outbox_after(&self, after: OutboxSeq, limit: usize) -> Result<Vec<StoredRow>, StoreError> {
        Ok(page(&self.image().outbox, after.0, limit))
    }

    fn audit_after(
        &self,
        after: CommitNumber,
        limit: usize,
    ) -> Result<Vec<AuditRecord>, StoreError> {
        Ok(page(&self.image().audit, after.0, limit))
    }

    fn dropped(&self, number: u64) -> Result<Option<DroppedLetter>, StoreError> {
        Ok(self.image().dropped.get(&number).cloned())
    }

    fn ranking(&self) -> Result<Option<Snapshot>, StoreError> {
        let image = self.image();
        let partners = image.ranked.values().cloned().collect();
        Ok(image.ranking.clone().map(|ranking| Snapshot { partners, ..ranking }))
    }

    fn meta(&self) -> Result<Meta, StoreError> {
        let image = self.image();
        Ok(Meta {
            incarnation: image.incarnation,
            last_commit: image.tail.commit,
            last_at: image.tail.last_at,
            outbox_last: image.tail.outbox_last,
            outbox_sent: image.tail.outbox_sent,
            applied: image.tail.applied,
            streams: image.marks.values().cloned().collect(),
        })
    }
}
