//! A bookstore that speaks HTTP, as its file describes it: read, checked and ready to be called.

pub(crate) mod compile;
pub mod file;
pub(crate) mod outcome;
pub(crate) mod parts;

use std::collections::BTreeMap;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use reqwest::Url;
use schemas::PartnerId;
use schemas::directory::LookupKind;

use self::compile::Compiler;
use self::file::{LimitsSection, PartnerSection, Promises, StoreFile, Style};
use self::parts::{Callback, Hold, Order, Poll, Quote, Release};
use crate::context::{self, sample};
use crate::template::Templates;

pub use self::outcome::Outcome;

/// Why a store file cannot be used. Nothing is called then.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("cannot read {file}")]
    Read { file: PathBuf, source: std::io::Error },
    #[error("{file} is no store file: {source}")]
    Parse { file: PathBuf, source: Box<toml::de::Error> },
    #[error("{file}: {key}: {why}")]
    Key { file: PathBuf, key: String, why: String },
    #[error("{first} and {second} both describe partner {id}")]
    Twice { id: PartnerId, first: PathBuf, second: PathBuf },
}

/// Largest time that one call may take: commands are given back to the stream after it.
pub const TIMEOUT_MAX_MS: u64 = 60_000;
/// Largest body that a store may be allowed.
pub const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Largest store file.
const FILE_BYTES_MAX: usize = 256 * 1024;

/// A store, ready.
#[derive(Debug)]
pub struct Store {
    pub(crate) file: PathBuf,
    pub(crate) partner: PartnerSection,
    pub(crate) base: Url,
    pub(crate) promises: Promises,
    pub(crate) limits: LimitsSection,
    pub(crate) auth: file::AuthSection,
    pub(crate) templates: Templates,
    pub(crate) quote: Quote,
    pub(crate) reserve: Option<Hold>,
    pub(crate) release: Option<Release>,
    pub(crate) place: Order,
    pub(crate) cancel: Option<Order>,
    pub(crate) lookup: Option<Order>,
    pub(crate) poll: Option<Poll>,
    pub(crate) callback: Option<Callback>,
}

impl Store {
    /// Reads and checks one file.
    ///
    /// # Errors
    /// Says which key is wrong, and why.
    pub fn load(file: &FilePath) -> Result<Self, StoreError> {
        let text = std::fs::read_to_string(file)
            .map_err(|source| StoreError::Read { file: file.to_owned(), source })?;
        Self::parse(&text, file)
    }

    /// Checks the text of `file`.
    ///
    /// # Errors
    /// As [`Store::load`].
    pub fn parse(text: &str, file: &FilePath) -> Result<Self, StoreError> {
        if text.len() > FILE_BYTES_MAX {
            let why = format!("the file must be at most {FILE_BYTES_MAX} bytes");
            return Err(StoreError::Key { file: file.to_owned(), key: "file".to_owned(), why });
        }
        let parsed: StoreFile = toml::from_str(text).map_err(|source| StoreError::Parse {
            file: file.to_owned(),
            source: Box::new(source),
        })?;
        let partner = parsed.partner.clone();
        let compiler = Compiler::new(file, &partner);
        check_limits(&parsed.limits, &compiler)?;
        check_shape(&parsed, &compiler)?;
        let base = base_url(&parsed, &compiler)?;
        let about = [context::existing(&sample::header(), sample::KEY, Some("sample"))];
        let placed = [true, false]
            .map(|full| context::place(&sample::place(full), full.then_some("sample")));
        let held = [context::reserve(&sample::reserve())];
        let order = |section: &Option<file::OrderSection>, key| {
            section.as_ref().map(|s| Order::compile(s, key, &about, &compiler)).transpose()
        };
        Ok(Self {
            quote: Quote::compile(&parsed.quote, &compiler)?,
            reserve: parsed
                .reserve
                .as_ref()
                .map(|section| Hold::compile(section, &held, &compiler))
                .transpose()?,
            release: parsed
                .release
                .as_ref()
                .map(|section| Release::compile(section, &about, &compiler))
                .transpose()?,
            place: Order::compile(&parsed.place, "place", &placed, &compiler)?,
            cancel: order(&parsed.cancel, "cancel")?,
            lookup: order(&parsed.lookup, "lookup")?,
            poll: parsed
                .poll
                .as_ref()
                .map(|section| Poll::compile(section, &about, &compiler))
                .transpose()?,
            callback: parsed
                .callback
                .as_ref()
                .map(|section| Callback::compile(section, &compiler))
                .transpose()?,
            templates: compiler.into_templates(),
            file: file.to_owned(),
            base,
            partner: parsed.partner,
            promises: parsed.promises,
            limits: parsed.limits,
            auth: parsed.auth,
        })
    }

    pub fn id(&self) -> &PartnerId {
        &self.partner.id
    }

    pub(crate) fn host(&self) -> &str {
        self.base.host_str().unwrap_or("")
    }
}

/// Every `*.toml` of a folder, by partner.
///
/// # Errors
/// The first file that cannot be used.
pub fn load_all(dir: &FilePath) -> Result<BTreeMap<PartnerId, Arc<Store>>, StoreError> {
    let read = |source| StoreError::Read { file: dir.to_owned(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(read)? {
        let path = entry.map_err(read)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    files.sort();
    let mut stores: BTreeMap<PartnerId, Arc<Store>> = BTreeMap::new();
    for file in files {
        let store = Store::load(&file)?;
        let id = store.id().clone();
        if let Some(first) = stores.get(&id) {
            let first = first.file.clone();
            return Err(StoreError::Twice { id, first, second: file });
        }
        stores.insert(id, Arc::new(store));
    }
    Ok(stores)
}

fn base_url(parsed: &StoreFile, compiler: &Compiler<'_>) -> Result<Url, StoreError> {
    let key = "[partner] base_url";
    let text = &parsed.partner.base_url;
    let url = Url::parse(text).map_err(|e| compiler.error(key, e.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(compiler.error(key, "must be an http or https address"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(compiler.error(key, "must not have a password in it: use [auth]"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(compiler.error(key, "must end with its path"));
    }
    Ok(url)
}

fn check_limits(limits: &LimitsSection, compiler: &Compiler<'_>) -> Result<(), StoreError> {
    let counts = [
        ("concurrency_max", u64::from(limits.concurrency_max), 1, 10_000),
        ("calls_per_s", u64::from(limits.calls_per_s), 1, 1_000_000),
        ("calls_burst", u64::from(limits.calls_burst), 1, 1_000_000),
        ("connect_timeout_ms", limits.connect_timeout_ms.as_ms(), 1, TIMEOUT_MAX_MS),
        ("timeout_ms", limits.timeout_ms.as_ms(), 1, TIMEOUT_MAX_MS),
        ("body_bytes_max", limits.body_bytes_max as u64, 1, BODY_BYTES_MAX as u64),
        ("waiting_max", limits.waiting_max as u64, 1, 100_000),
        ("retry_after_max_ms", limits.retry_after_max_ms.as_ms(), 1, 3_600_000),
    ];
    match counts.into_iter().find(|(_, value, min, max)| !(min..=max).contains(&value)) {
        Some((name, value, min, max)) => Err(compiler
            .error(&format!("limits.{name}"), format!("must be {min} to {max}, got {value}"))),
        None => Ok(()),
    }
}

/// What belongs together.
fn check_shape(parsed: &StoreFile, compiler: &Compiler<'_>) -> Result<(), StoreError> {
    let needs = |key: &str, there: bool, why: &str| {
        if there { Ok(()) } else { Err(compiler.error(key, why)) }
    };
    let style = parsed.partner.style;
    needs(
        "poll",
        (style == Style::Poll) == parsed.poll.is_some(),
        "there is a [poll] with partner.style = \"poll\", and only then",
    )?;
    needs(
        "callback",
        (style == Style::Callback) == parsed.callback.is_some(),
        "there is a [callback] with partner.style = \"callback\", and only then",
    )?;
    needs(
        "promises.lookup",
        (parsed.promises.lookup == LookupKind::None) == parsed.lookup.is_none(),
        "there is a [lookup] unless the promise is \"none\"",
    )?;
    needs(
        "release",
        parsed.reserve.is_some() || parsed.release.is_none(),
        "there is nothing to release without [reserve]",
    )?;
    let batch = parsed.quote.batch_max;
    needs("quote.batch_max", (1..=256).contains(&batch), "must be 1 to 256")?;
    needs(
        "quote.items",
        batch == 1 || (parsed.quote.items.is_some() && parsed.quote.reference.is_some()),
        "a batch is told apart by `items` and `ref`",
    )?;
    if let Some(poll) = &parsed.poll {
        needs(
            "poll.request",
            poll.request.is_some() || parsed.place.status_url.is_some(),
            "needs a request, or a place.status_url to ask",
        )?;
        let every = poll.every_ms.as_ms();
        needs("poll.every_ms", (10..=3_600_000).contains(&every), "must be 10 to 3600000")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
