//! How the bridge shows a store who it is.

use std::path::Path;

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, Url};
use schemas::secret::Secret;
use schemas::{DurationMs, Timestamp};
use tokio::sync::Mutex;

use crate::clock;
use crate::http::guard::Guard;
use crate::http::{CallError, Rendered, Sender};
use crate::read::{Document, Format};
use crate::store::file::AuthSection;
use crate::store::{Store, StoreError};
use crate::template::percent_encoded;

/// A token is renewed so long before it ends.
const RENEW_BEFORE: DurationMs = DurationMs::from_secs(30);
/// Of a token that does not say how long it lasts.
const TOKEN_LIFE: DurationMs = DurationMs::from_secs(300);
const TOKEN_ANSWER_BYTES_MAX: usize = 64 * 1024;

pub(crate) enum Auth {
    None,
    Header(HeaderName, HeaderValue),
    Oauth2(Box<Oauth2>),
}

/// Client credentials, and the token that they were last worth.
pub(crate) struct Oauth2 {
    url: Url,
    basic: HeaderValue,
    body: Bytes,
    token: Mutex<Option<(HeaderValue, Timestamp)>>,
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Auth {
    pub(crate) fn new(store: &Store) -> Result<Self, StoreError> {
        let dir = store.file.parent().unwrap_or(Path::new("."));
        let error = |key: &str, why: String| StoreError::Key {
            file: store.file.clone(),
            key: format!("auth.{key}"),
            why,
        };
        match &store.auth {
            AuthSection::None => Ok(Self::None),
            AuthSection::ApiKey { header, key, prefix } => {
                let name = header.parse().map_err(|_| error("header", "is no header".into()))?;
                let word = key.read(dir).map_err(|why| error("key", why))?;
                let value = secret_header(&format!("{prefix}{}", word.reveal()));
                Ok(Self::Header(name, value.map_err(|why| error("key", why))?))
            }
            AuthSection::Basic { user, password } => {
                let word = password.read(dir).map_err(|why| error("password", why))?;
                let value = basic(user, &word).map_err(|why| error("user", why))?;
                Ok(Self::Header(AUTHORIZATION, value))
            }
            AuthSection::Oauth2ClientCredentials { token_url, client_id, client_secret, scope } => {
                let word = client_secret.read(dir).map_err(|why| error("client_secret", why))?;
                let url = store.url(token_url).map_err(|why| error("token_url", why))?;
                // Both are form-encoded before they are joined (RFC 6749, 2.3.1).
                let encoded = Secret::new(percent_encoded(word.reveal()));
                let basic = basic(&percent_encoded(client_id), &encoded);
                let mut body = "grant_type=client_credentials".to_owned();
                if !scope.is_empty() {
                    body.push_str("&scope=");
                    body.push_str(&percent_encoded(scope));
                }
                Ok(Self::Oauth2(Box::new(Oauth2 {
                    url,
                    basic: basic.map_err(|why| error("client_id", why))?,
                    body: Bytes::from(body),
                    token: Mutex::new(None),
                })))
            }
        }
    }

    /// Adds what shows who we are.
    pub(crate) async fn sign(
        &self,
        headers: &mut HeaderMap,
        client: &Client,
        guard: &Guard,
    ) -> Result<(), CallError> {
        match self {
            Self::None => {}
            Self::Header(name, value) => {
                headers.insert(name.clone(), value.clone());
            }
            Self::Oauth2(oauth) => {
                headers.insert(AUTHORIZATION, oauth.token(client, guard).await?);
            }
        }
        Ok(())
    }

    /// The store did not accept it. Whether another try is worth it.
    pub(crate) async fn refused(&self) -> bool {
        match self {
            Self::None | Self::Header(..) => false,
            Self::Oauth2(oauth) => oauth.token.lock().await.take().is_some(),
        }
    }
}

impl Oauth2 {
    /// One asks for a new token, the others wait for it.
    async fn token(&self, client: &Client, guard: &Guard) -> Result<HeaderValue, CallError> {
        let mut kept = self.token.lock().await;
        let now = clock::now();
        if let Some((token, until)) = &*kept
            && now < *until
        {
            return Ok(token.clone());
        }
        let (token, life) = self.fetch(client, guard, now).await?;
        let until = now.saturating_add(life).saturating_sub(RENEW_BEFORE);
        *kept = Some((token.clone(), until));
        Ok(token)
    }

    async fn fetch(
        &self,
        client: &Client,
        guard: &Guard,
        now: Timestamp,
    ) -> Result<(HeaderValue, DurationMs), CallError> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, self.basic.clone());
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(CONTENT_TYPE, form);
        let (url, body) = (self.url.clone(), self.body.clone());
        let call = Rendered { method: Method::POST, url, headers, body };
        let body_bytes_max = TOKEN_ANSWER_BYTES_MAX;
        let sender = Sender { client, guard, format: Format::Json, body_bytes_max };
        // Whatever became of this call, the one that needs the token was not sent.
        let not_sent = |why: String| CallError::NotSent(format!("no token: {why}"));
        let answer = sender.send(call, now).await.map_err(|e| not_sent(e.to_string()))?;
        let Document::Json(body) = answer.body.map_err(not_sent)? else {
            return Err(not_sent(format!("status {} without a body", answer.status)));
        };
        let token = body.get("access_token").and_then(serde_json::Value::as_str);
        let Some(token) = token.filter(|_| answer.status == 200) else {
            return Err(not_sent(format!("status {}", answer.status)));
        };
        let life = body.get("expires_in").and_then(serde_json::Value::as_u64);
        let life = life.map_or(TOKEN_LIFE, DurationMs::from_secs);
        let value = secret_header(&format!("Bearer {token}")).map_err(not_sent)?;
        Ok((value, life))
    }
}

fn basic(user: &str, password: &Secret) -> Result<HeaderValue, String> {
    let joined = format!("{user}:{}", password.reveal());
    secret_header(&format!("Basic {}", data_encoding::BASE64.encode(joined.as_bytes())))
}

fn secret_header(text: &str) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::from_str(text).map_err(|_| "cannot stand in a header")?;
    value.set_sensitive(true);
    Ok(value)
}
