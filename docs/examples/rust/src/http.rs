//! Buys a book over HTTP: `submit-http ISBN MAX_TOTAL_IN_CENTS`.
//!
//! Exit codes: 0 ordered, 7 ended without an order, 1 anything else (as the command line does).
//! `GATEWAY_URL` and `BROKER_TOKEN` say where and as whom; `broker token` makes tokens.

use std::env;
use std::fmt;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use futures_util::StreamExt as _;
use reqwest::{Client, Method, RequestBuilder, Response};
use schemas::event::{PurchaseEvent, Receipt};
use schemas::purchase::{PurchaseStatus, PurchaseView};
use schemas::{DurationMs, RequestId, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

const REQUESTS: &str = "/v1/purchase-requests";
const OPEN_FOR: Duration = Duration::from_secs(60);
/// After the deadline: an order that was sent in time may be confirmed later.
const PATIENCE: Duration = Duration::from_secs(30);
const CALL_TIMEOUT: Duration = Duration::from_secs(15);
/// Between two attempts, milliseconds; the answer to a refusal for now says when by itself.
const PAUSES_MS: [u64; 5] = [500, 1000, 2000, 4000, 8000];
const WRONG_DIGIT: &str = "978-0-306-40615-8";

/// Problem details (RFC 9457).
#[derive(Debug, Deserialize)]
struct Problem {
    code: String,
    number: Option<u16>,
    detail: String,
    retryable: bool,
    #[serde(default)]
    errors: Vec<FieldError>,
}

#[derive(Debug, Deserialize)]
struct FieldError {
    code: String,
    pointer: String,
    detail: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.number.unwrap_or_default();
        write!(f, "refused {} ({number}): {}", self.code, self.detail)
    }
}

impl std::error::Error for Problem {}

#[derive(Debug, Deserialize)]
struct Shown {
    receipt: Option<Receipt>,
}

/// The idempotency key, and the request's id: made once, before the first attempt to send.
fn new_key() -> RequestId {
    RequestId::from_bytes(uuid::Uuid::now_v7().into_bytes())
}

fn wish(key: RequestId, isbn: &str, cents: u64, mode: &str) -> anyhow::Result<Value> {
    let open_for = DurationMs(u64::try_from(OPEN_FOR.as_millis())?);
    Ok(json!({
        "item": { "scheme": "isbn", "value": isbn },
        "max_total": { "amount": cents, "currency": "USD" }, // delivered: everything included
        "expires_at": Timestamp::from_unix_ms(key.unix_ms()).saturating_add(open_for),
        "destination": { "country": "US", "postal_code": "94107" },
        "payment_token": "tok_visa", // from the payment provider; never a card number
        "mode": mode,
    }))
}

struct Shop {
    client: Client,
    gateway: String,
    token: String,
}

impl Shop {
    fn from_env() -> anyhow::Result<Self> {
        // Only one fails: it was installed before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let gateway =
            env::var("GATEWAY_URL").unwrap_or_else(|_| "http://127.0.0.1:8090".to_owned());
        let token = env::var("BROKER_TOKEN").context("BROKER_TOKEN is needed")?;
        Ok(Self { client: Client::builder().build()?, gateway, token })
    }

    fn call(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.gateway)).bearer_auth(&self.token)
    }

    /// Silence does not tell whether it was done, and with the same key it is done only once: repeat.
    async fn ask(&self, call: RequestBuilder) -> anyhow::Result<Response> {
        for pause_ms in PAUSES_MS {
            let mut pause = Duration::from_millis(pause_ms);
            let attempt = call.try_clone().context("the body is text")?;
            if let Ok(answer) = attempt.timeout(CALL_TIMEOUT).send().await {
                if answer.status().is_success() {
                    return Ok(answer);
                }
                let after = answer.headers().get("Retry-After").and_then(|text| text.to_str().ok());
                let after = after.and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs);
                pause = after.unwrap_or(pause);
                let problem: Problem = answer.json().await?;
                if !problem.retryable {
                    return Err(problem.into());
                }
            }
            tokio::time::sleep(pause).await;
        }
        bail!("no answer; send the same call with the same key again later")
    }

    async fn create(&self, key: RequestId, wish: &Value) -> anyhow::Result<(PurchaseView, bool)> {
        let call = self.call(Method::POST, REQUESTS).header("Idempotency-Key", key.to_string());
        let answer = self.ask(call.json(wish)).await?;
        let replayed = answer.headers().contains_key("Idempotent-Replayed");
        Ok((answer.json().await?, replayed))
    }

    async fn cancel(&self, request: RequestId) -> anyhow::Result<()> {
        let call = self.call(Method::POST, &format!("{REQUESTS}/{request}/cancel"));
        let call = call.header("Idempotency-Key", new_key().to_string());
        self.ask(call.json(&json!({ "reason": "found one" }))).await.map(drop)
    }

    /// Follows the request until it has ended, or rests if it does not `watch`.
    async fn outcome(&self, request: RequestId, watch: bool) -> anyhow::Result<PurchaseView> {
        let followed = async {
            let mut last = 0;
            loop {
                if let Ok(Some(ending)) = self.follow(request, watch, &mut last).await {
                    return ending;
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        };
        let told = tokio::time::timeout(OPEN_FOR + PATIENCE, followed).await;
        told.with_context(|| format!("{request}: no outcome yet; ask for it later"))
    }

    /// One connection with server-sent events; it goes on behind the `last` one that came.
    async fn follow(
        &self,
        request: RequestId,
        watch: bool,
        last: &mut u64,
    ) -> anyhow::Result<Option<PurchaseView>> {
        let call = self.call(Method::GET, &format!("{REQUESTS}/{request}/events"));
        let answer = call.header("Last-Event-ID", last.to_string()).send().await?;
        let mut chunks = answer.error_for_status()?.bytes_stream();
        let mut bytes = Vec::new();
        while let Some(chunk) = chunks.next().await {
            bytes.extend_from_slice(&chunk?);
            while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = bytes.drain(..=end).collect();
                let line = String::from_utf8(line)?;
                if let Some(id) = line.strip_prefix("id: ") {
                    *last = id.trim().parse()?;
                } else if let Some(data) = line.strip_prefix("data: ") {
                    let told: PurchaseEvent = serde_json::from_str(data)?;
                    if is_ending(told.status, watch) {
                        return Ok(Some(told.request));
                    }
                }
            }
        }
        Ok(None)
    }

    async fn show(&self, request: &PurchaseView) -> anyhow::Result<()> {
        let id = request.request_id;
        let quote = request.checkout.as_ref().map(|checkout| &checkout.quote);
        let price = quote
            .or(request.best_quote.as_ref())
            .map_or_else(String::new, |best| format!(" {} at {}", best.total, best.partner_id));
        println!("{} {id}{price}", request.status.label());
        let answer = self.ask(self.call(Method::GET, &format!("{REQUESTS}/{id}/receipt"))).await?;
        let receipt = answer.json::<Shown>().await?.receipt;
        for beaten in receipt.iter().flat_map(|receipt| &receipt.beaten).take(3) {
            println!("  beaten: {} at {}", beaten.total, beaten.partner_id);
        }
        let search = receipt.as_ref().and_then(|receipt| receipt.search.as_ref());
        for round in search.iter().flat_map(|search| &search.rounds) {
            println!("  asked after {} ms, {:?}:", round.after_ms.as_ms(), round.why);
            for turn in &round.asked {
                println!("    {} {:?} {} ms", turn.partner_id, turn.outcome, turn.took_ms.as_ms());
            }
        }
        Ok(())
    }
}

/// A request that watches goes on after a price or an empty shelf.
fn is_ending(status: PurchaseStatus, watch: bool) -> bool {
    match status {
        PurchaseStatus::Pending | PurchaseStatus::Searching | PurchaseStatus::Ordering => false,
        PurchaseStatus::Quoted | PurchaseStatus::OutOfStock => !watch,
        PurchaseStatus::Ordered
        | PurchaseStatus::Expired
        | PurchaseStatus::Failed
        | PurchaseStatus::Canceled => true,
    }
}

async fn buy(isbn: &str, cents: u64) -> anyhow::Result<PurchaseStatus> {
    let shop = Shop::from_env()?;
    let key = new_key();
    let order = wish(key, isbn, cents, "one_shot")?;
    for word in ["accepted", "repeated"] {
        // The second time as after a lost answer.
        let (request, replayed) = shop.create(key, &order).await?;
        println!("{word} {} replayed={replayed}", request.request_id);
    }
    let told = shop.outcome(key, false).await?;
    shop.show(&told).await?;

    // One that stays open, as nobody sells at that price, until we change our mind.
    let other = new_key();
    shop.create(other, &wish(other, isbn, 1, "watch")?).await?;
    shop.cancel(other).await?;
    shop.show(&shop.outcome(other, true).await?).await?;

    let key = new_key();
    let refused = shop.create(key, &wish(key, WRONG_DIGIT, cents, "one_shot")?).await;
    if let Some(no) = refused.err().as_ref().and_then(|error| error.downcast_ref::<Problem>()) {
        let number = no.number.unwrap_or_default();
        for error in &no.errors {
            println!("refused {} ({number}) in {}: {}", error.code, error.pointer, error.detail);
        }
    }
    Ok(told.status)
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let wanted = match arguments.as_slice() {
        [isbn, cents] => {
            cents.parse().map(|cents| (isbn, cents)).map_err(|e| anyhow!("{cents}: {e}"))
        }
        _ => Err(anyhow!("usage: submit-http ISBN MAX_TOTAL_IN_CENTS")),
    };
    let status = match wanted {
        Ok((isbn, cents)) => buy(isbn, cents).await,
        Err(error) => Err(error),
    };
    match status {
        Ok(PurchaseStatus::Ordered) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(7),
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
