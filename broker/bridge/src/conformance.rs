//! `broker partner test FILE`: what a live store really does, against what its file promises, and
//! what the broker should therefore assume. It buys: what it ordered it cancels, if the store can.

mod checks;

use std::path::Path;
use std::sync::Arc;

use schemas::destination::Country;
use schemas::directory::{LookupKind, PartnerEntry};
use schemas::text::Text;
use schemas::{DurationMs, Isbn13};
use serde::Serialize;

use crate::caller::{Caller, CallerError};
use crate::config::BridgeConfig;
use crate::http;
use crate::store::{Store, StoreError};

/// A store that answers within this is asked in vain only rarely.
const RESPONSE_FACTOR: u64 = 3;
const RESPONSE_MIN_MS: u64 = 200;
const RESPONSE_MAX_MS: u64 = 60_000;

/// What to buy, and where it would go.
#[derive(Debug, Clone)]
pub struct Probe {
    /// A book that the store has in stock, better in some copies.
    pub isbn: Isbn13,
    pub country: Country,
    pub postal_code: Text<16>,
}

/// What became of one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    Kept,
    /// The file promises it, and it is not so.
    Broken,
    /// It does not do it, and does not promise it.
    No,
    /// It could not be tried.
    Untried,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    pub name: &'static str,
    pub found: Found,
    pub detail: String,
}

/// All checks, and the entry of the partner directory that follows from them.
#[derive(Debug, Clone, Serialize)]
pub struct Verdict {
    pub checks: Vec<Check>,
    pub entry: PartnerEntry,
}

/// Why nothing was tried.
#[derive(Debug, thiserror::Error)]
pub enum ConformanceError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Caller(#[from] CallerError),
    #[error(transparent)]
    Client(#[from] http::ClientError),
}

impl Verdict {
    /// Whether the file may stay as it is.
    pub fn is_kept(&self) -> bool {
        self.checks.iter().all(|check| check.found != Found::Broken)
    }

    /// `[[partner]]` for the partner directory.
    pub fn directory(&self) -> String {
        let entry = schemas::directory::Directory { partners: vec![self.entry.clone()] };
        toml::to_string(&entry).unwrap_or_default()
    }
}

/// What was found out; everything that was not is assumed to be missing.
#[derive(Debug, Default)]
struct Findings {
    checks: Vec<Check>,
    reserves: bool,
    cancels: bool,
    fences_cancel: bool,
    honours_not_after: bool,
    lookup: LookupKind,
    settle: Option<DurationMs>,
    slowest: DurationMs,
}

/// Tries a store out.
///
/// # Errors
/// When its file is wrong or its host may not be called.
pub async fn test(
    file: &Path,
    config: &BridgeConfig,
    probe: &Probe,
) -> Result<Verdict, ConformanceError> {
    let store = Arc::new(Store::load(file)?);
    let caller = Caller::new(Arc::clone(&store), config, &http::tls()?)?;
    let findings = checks::run(&caller, probe).await;
    Ok(verdict(&store, findings))
}

fn verdict(store: &Store, found: Findings) -> Verdict {
    let promises = &store.promises;
    let response = found.slowest.as_ms().saturating_mul(RESPONSE_FACTOR);
    let id = serde_json::json!({ "id": store.id() });
    let cautious: PartnerEntry =
        serde_json::from_value(id).expect("an entry needs nothing but its id");
    let entry = PartnerEntry {
        reservation: found.reserves,
        cancel: found.cancels,
        lookup: found.lookup,
        settle_ms: found.settle.unwrap_or(promises.settle_ms),
        // The bridge looks a key up before anything else, whatever the store does.
        key_first: true,
        fences_cancel: found.fences_cancel,
        honours_not_after: found.honours_not_after,
        response_ms: DurationMs(response.clamp(RESPONSE_MIN_MS, RESPONSE_MAX_MS)),
        currencies: promises.currencies.clone(),
        destinations: promises.destinations.clone(),
        in_flight_max: store.limits.concurrency_max,
        calls_per_s: store.limits.calls_per_s,
        calls_burst: store.limits.calls_burst,
        quotes_reusable: promises.quotes_reusable,
        ..cautious
    };
    Verdict { checks: found.checks, entry }
}
