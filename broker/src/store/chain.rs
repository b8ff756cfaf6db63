//! Following the audit chain: every record must be the next one and hash to what it says.

use super::disk::audit::{body_of, link};
use super::error::StoreError;
use super::port::Reader;
use super::row::{AuditRecord, ChainHash, CommitNumber};

/// Records read at once.
const PAGE: usize = 512;

/// How far the chain has been followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chain {
    last: CommitNumber,
    hash: ChainHash,
}

impl Chain {
    /// Before the first record.
    pub const fn from_genesis() -> Self {
        Self { last: CommitNumber(0), hash: ChainHash::GENESIS }
    }

    /// After `record`, which is trusted.
    pub const fn after(record: &AuditRecord) -> Self {
        Self { last: record.commit, hash: record.hash }
    }

    pub const fn last(&self) -> CommitNumber {
        self.last
    }

    pub const fn hash(&self) -> ChainHash {
        self.hash
    }

    /// Takes the next record in, if it is the next one.
    pub fn take(&mut self, record: &AuditRecord) -> Result<(), StoreError> {
        let broken = |why: String| StoreError::BrokenChain { commit: record.commit.0, why };
        if record.commit.0 != self.last.0 + 1 {
            return Err(broken(format!("it comes after {}", self.last.0)));
        }
        if link(self.hash, record.commit, &body_of(record)) != record.hash {
            return Err(broken("its hash does not match the record and the one before".to_owned()));
        }
        (self.last, self.hash) = (record.commit, record.hash);
        Ok(())
    }
}

/// Follows the chain to the last record of the store.
pub fn follow(reader: &dyn Reader, chain: &mut Chain) -> Result<(), StoreError> {
    loop {
        let page = reader.audit_after(chain.last(), PAGE)?;
        if page.is_empty() {
            return Ok(());
        }
        for record in &page {
            chain.take(record)?;
        }
    }
}
