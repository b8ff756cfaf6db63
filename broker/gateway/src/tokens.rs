//! Bearer tokens: who calls, and what they may do. The file has hashes only, so that whoever reads
//! it cannot call. Tokens have 256 random bits, which is why a plain hash is enough.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use rand::TryRng;
use rand::rngs::SysRng;
use ring::digest::{SHA256, digest};
use schemas::text::Text;
use schemas::{CustomerId, PartnerId};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// Beginning of every token, so that scanners of leaked secrets know it.
const PREFIX: &str = "bpb_";
const SECRET_BYTES: usize = 32;
/// Longest token that is looked at.
const TOKEN_CHARS_MAX: usize = 128;
/// Most tokens of one file.
const TOKENS_MAX: usize = 100_000;
/// Between two looks whether the file has changed: the longest time that a revoked token works.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// What a token is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Everything about the requests of one customer.
    Requester(CustomerId),
    /// Looking at the requests of one customer.
    ReadOnly(CustomerId),
    /// Partners, incidents and dead letters.
    Operator,
    /// How one bookstore stands.
    Partner(PartnerId),
}

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Of the token; what audit logs say.
    pub name: Text<64>,
    pub scope: Scope,
}

/// One `[[token]]` table.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenEntry {
    pub name: Text<64>,
    pub scope: ScopeName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<CustomerId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partner_id: Option<PartnerId>,
    /// SHA-256 of the token, 64 lower-case hex digits.
    pub sha256: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScopeName {
    Requester,
    ReadOnly,
    Operator,
    Partner,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenFile {
    #[serde(default)]
    token: Vec<TokenEntry>,
}

/// Why a file of tokens cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("cannot read the tokens in {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("the tokens in {} are not what is expected: {why}", path.display())]
    Syntax { path: PathBuf, why: String },
    #[error("the operating system gives no random bytes: {0}")]
    Random(String),
}

/// A new secret, shown once, and the entry that goes into the file.
///
/// # Errors
/// No random bytes, or a scope without its customer or partner.
pub fn create(
    name: Text<64>,
    scope: ScopeName,
    customer_id: Option<CustomerId>,
    partner_id: Option<PartnerId>,
) -> Result<(String, TokenEntry), TokenError> {
    let mut secret = [0; SECRET_BYTES];
    SysRng.try_fill_bytes(&mut secret).map_err(|error| TokenError::Random(error.to_string()))?;
    let token = format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&secret));
    let sha256 = HEXLOWER.encode(&hash(&token));
    let entry = TokenEntry { name, scope, customer_id, partner_id, sha256 };
    principal(&entry).map_err(|why| TokenError::Syntax { path: PathBuf::new(), why })?;
    Ok((token, entry))
}

/// The TOML that is added to the file.
pub fn to_toml(entry: &TokenEntry) -> String {
    let file = TokenFile { token: vec![entry.clone()] };
    toml::to_string(&file).unwrap_or_default()
}

fn hash(token: &str) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    out
}

type Table = HashMap<[u8; 32], Arc<Principal>>;

/// The tokens in force.
#[derive(Debug, Clone)]
pub struct Tokens {
    path: PathBuf,
    table: Arc<RwLock<Table>>,
}

impl Tokens {
    /// # Errors
    /// An unreadable file, or an entry that makes no sense.
    pub fn load(path: &Path) -> Result<Self, TokenError> {
        let table = Arc::new(RwLock::new(read(path)?));
        Ok(Self { path: path.to_owned(), table })
    }

    /// Whose token it is.
    pub fn find(&self, token: &str) -> Option<Arc<Principal>> {
        if token.len() > TOKEN_CHARS_MAX {
            return None;
        }
        // By its hash: how long the search takes says nothing about a token.
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        table.get(&hash(token)).cloned()
    }

    /// Reads the file again when it changes. A broken one changes nothing and is told.
    pub async fn follow(self, mut stop: watch::Receiver<bool>) {
        let mut known = stamp(&self.path).await;
        loop {
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(LOOK_INTERVAL) => {}
            }
            let now = stamp(&self.path).await;
            if now == known {
                continue;
            }
            known = now;
            match read(&self.path) {
                Ok(table) => {
                    tracing::info!(tokens = table.len(), "the tokens have changed");
                    *self.table.write().unwrap_or_else(PoisonError::into_inner) = table;
                }
                Err(error) => tracing::error!(%error, "the tokens of before stay in force"),
            }
        }
    }
}

async fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let seen = tokio::fs::metadata(path).await.ok()?;
    Some((seen.modified().ok()?, seen.len()))
}

fn read(path: &Path) -> Result<Table, TokenError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| TokenError::Read { path: path.to_owned(), source })?;
    parse(&text).map_err(|why| TokenError::Syntax { path: path.to_owned(), why })
}

fn parse(text: &str) -> Result<Table, String> {
    let file: TokenFile = toml::from_str(text).map_err(|error| error.to_string())?;
    if file.token.len() > TOKENS_MAX {
        return Err(format!("at most {TOKENS_MAX} tokens"));
    }
    let mut table = Table::new();
    for entry in &file.token {
        let principal = principal(entry).map_err(|why| format!("token {}: {why}", entry.name))?;
        let bytes = HEXLOWER.decode(entry.sha256.as_bytes()).ok();
        let hash: Option<[u8; 32]> = bytes.and_then(|bytes| bytes.try_into().ok());
        let hash = hash.ok_or_else(|| {
            format!("token {}: sha256 must be 64 lower-case hex digits", entry.name)
        })?;
        if table.insert(hash, Arc::new(principal)).is_some() {
            return Err(format!("token {}: another entry has the same sha256", entry.name));
        }
    }
    Ok(table)
}

fn principal(entry: &TokenEntry) -> Result<Principal, String> {
    let (customer, partner) = (entry.customer_id.clone(), entry.partner_id.clone());
    let scope = match (entry.scope, customer, partner) {
        (ScopeName::Requester, Some(customer), None) => Scope::Requester(customer),
        (ScopeName::ReadOnly, Some(customer), None) => Scope::ReadOnly(customer),
        (ScopeName::Operator, None, None) => Scope::Operator,
        (ScopeName::Partner, None, Some(partner)) => Scope::Partner(partner),
        (ScopeName::Requester | ScopeName::ReadOnly, _, _) => {
            return Err("this scope needs customer_id and nothing else".to_owned());
        }
        (ScopeName::Operator, _, _) => {
            return Err("operators have neither customer_id nor partner_id".to_owned());
        }
        (ScopeName::Partner, _, _) => {
            return Err("this scope needs partner_id and nothing else".to_owned());
        }
    };
    Ok(Principal { name: entry.name.clone(), scope })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Text<64> {
        Text::parse(text).unwrap()
    }

    #[test]
    fn a_new_token_is_found_by_its_hash_and_never_stands_in_the_file() {
        let ann = CustomerId::parse("ann").unwrap();
        let (token, entry) =
            create(name("shop"), ScopeName::Requester, Some(ann.clone()), None).unwrap();
        let text = to_toml(&entry);
        assert!(!text.contains(&token) && !text.contains(&token[PREFIX.len()..]), "{text}");
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tokens.toml");
        std::fs::write(&path, text).unwrap();
        let tokens = Tokens::load(&path).unwrap();
        assert_eq!(tokens.find(&token).unwrap().scope, Scope::Requester(ann));
        assert!(tokens.find(&token[1..]).is_none());
        assert!(tokens.find(&"x".repeat(1000)).is_none());
    }

    #[test]
    fn an_entry_that_makes_no_sense_is_refused_by_its_name() {
        let hash = "0".repeat(64);
        for (entry, why) in [
            (format!("name='a'\nscope='requester'\nsha256='{hash}'"), "needs customer_id"),
            (format!("name='a'\nscope='partner'\nsha256='{hash}'"), "needs partner_id"),
            (format!("name='a'\nscope='operator'\ncustomer_id='x'\nsha256='{hash}'"), "neither"),
            ("name='a'\nscope='operator'\nsha256='abc'".to_owned(), "64 lower-case hex digits"),
            (format!("name='a'\nscope='god'\nsha256='{hash}'"), "god"),
            (format!("name='a'\nscope='operator'\nsha256='{hash}'\nx=1"), "unknown field"),
        ] {
            let error = parse(&format!("[[token]]\n{entry}")).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
