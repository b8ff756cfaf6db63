//! Call-backs with the signature of Standard Webhooks, sent until somebody takes them.

use std::time::Duration;

use schemas::PartnerId;

use super::HttpConfig;
use crate::nats::clock;

/// Pauses between tries, milliseconds; the last one is repeated.
const LADDER_MS: [u64; 5] = [100, 300, 1_000, 3_000, 5_000];
const TRIES_MAX: usize = 60;
const TIMEOUT: Duration = Duration::from_secs(5);

pub(super) struct Webhooks {
    client: reqwest::Client,
    url: String,
    key: ring::hmac::Key,
}

impl Webhooks {
    pub(super) fn new(config: &HttpConfig) -> Result<Self, String> {
        let secret = config.callback_secret.strip_prefix("whsec_").ok_or("needs whsec_")?;
        let secret =
            data_encoding::BASE64.decode(secret.as_bytes()).map_err(|error| error.to_string())?;
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .no_proxy()
            .timeout(TIMEOUT)
            .build()
            .map_err(|error| error.to_string())?;
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &secret);
        Ok(Self { client, url: config.callback_url.clone(), key })
    }

    pub(super) async fn send(&self, partner: &PartnerId, id: &str, body: String) {
        let url = self.url.replace("{partner}", partner.as_str());
        for n in 0..TRIES_MAX {
            match self.try_send(&url, id, &body).await {
                Ok(status) if status.is_success() => return,
                Ok(status) => tracing::warn!(%partner, %status, "a call-back was not taken"),
                Err(error) => tracing::info!(%partner, %error, "a call-back did not arrive"),
            }
            let pause = LADDER_MS.get(n).or(LADDER_MS.last()).copied().unwrap_or(1_000);
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        tracing::warn!(%partner, id, "a call-back is given up");
    }

    async fn try_send(
        &self,
        url: &str,
        id: &str,
        body: &str,
    ) -> Result<reqwest::StatusCode, reqwest::Error> {
        let at = clock::now().as_unix_ms() / 1000;
        let tag = ring::hmac::sign(&self.key, format!("{id}.{at}.{body}").as_bytes());
        let signature = format!("v1,{}", data_encoding::BASE64.encode(tag.as_ref()));
        let sent = self
            .client
            .post(url)
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", at.to_string())
            .header("webhook-signature", signature)
            .body(body.to_owned());
        Ok(sent.send().await?.status())
    }
}
