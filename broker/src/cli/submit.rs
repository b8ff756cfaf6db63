//! `broker submit`: a purchase request from flags or from a file.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use schemas::destination::{Address, Country};
use schemas::id::PaymentToken;
use schemas::item::ItemIdentifier;
use schemas::purchase::{CreatePurchase, Mode, Strategy};
use schemas::subject::PurchaseOperation;
use schemas::text::Text;
use schemas::{Condition, CustomerId, Destination, Money, RequestId, Timestamp, json};

use super::connect::Connect;
use super::error::CliError;
use super::values::{duration, from_now, money, now, timestamp, wire_name};
use super::view;
use super::watch::{self, Until};

/// Until when to look, if nothing else is said.
const EXPIRES_IN_DEFAULT: Duration = Duration::from_secs(24 * 3600);

/// Which book, how much, until when, where to, who pays.
#[derive(Debug, Args)]
pub(super) struct Submit {
    /// Who buys: the token of its subjects.
    #[arg(long, short, env = "BROKER_CUSTOMER", value_name = "ID")]
    customer: CustomerId,
    /// The request as JSON, `-` for standard input; other flags are then not needed.
    #[arg(long, short, value_name = "FILE", conflicts_with_all = ["isbn", "title", "other"])]
    file: Option<PathBuf>,
    /// ISBN-10 or ISBN-13.
    #[arg(long, value_name = "ISBN", value_parser = text::<32>)]
    isbn: Option<Text<32>>,
    /// A title of the broker's catalog.
    #[arg(long, value_parser = text::<300>, conflicts_with = "isbn")]
    title: Option<Text<300>>,
    /// Another identifier of the catalog: `oclc:1234`.
    #[arg(long, value_name = "SCHEME:ID", value_parser = text::<100>, conflicts_with_all = ["isbn", "title"])]
    other: Option<Text<100>>,
    /// Most that book, shipping, tax and fees may cost together: "24.99 USD".
    #[arg(long, value_name = "AMOUNT", value_parser = money)]
    max_total: Option<Money>,
    /// Give up after so long: 30m, 2h, 7d. Default: a day.
    #[arg(long, value_name = "TIME", value_parser = duration, conflicts_with = "expires_at")]
    expires_in: Option<Duration>,
    /// Give up at this instant (RFC 3339).
    #[arg(long, value_name = "INSTANT", value_parser = timestamp)]
    expires_at: Option<Timestamp>,
    /// Country, two letters.
    #[arg(long, value_parser = country, value_name = "CC")]
    country: Option<Country>,
    #[arg(long, value_parser = text::<16>, value_name = "CODE")]
    postal_code: Option<Text<16>>,
    /// Receiver; with it street and city are needed. Partners see it only with the order.
    #[arg(long, value_parser = text::<100>, requires_all = ["street", "city"])]
    name: Option<Text<100>>,
    #[arg(long, value_parser = text::<100>, requires = "name")]
    street: Option<Text<100>>,
    #[arg(long, value_parser = text::<100>, requires = "name")]
    city: Option<Text<100>>,
    #[arg(long, value_parser = text::<64>, requires = "name")]
    region: Option<Text<64>>,
    /// Token of the payment provider; never a card number.
    #[arg(long, value_name = "TOKEN")]
    payment_token: Option<PaymentToken>,
    #[arg(long, default_value_t = 1)]
    quantity: u8,
    /// Worst condition: new, like-new, very-good, good, acceptable.
    #[arg(long, default_value = "new", value_parser = wire_name::<Condition>)]
    condition: Condition,
    /// balanced, cheapest or fast.
    #[arg(long, default_value = "balanced", value_parser = wire_name::<Strategy>)]
    strategy: Strategy,
    /// one-shot (tell the best price once) or watch (keep looking until it expires).
    #[arg(long, default_value = "one-shot", value_parser = wire_name::<Mode>)]
    mode: Mode,
    /// Buy again elsewhere if the store cancels the order.
    #[arg(long)]
    rebuy: bool,
    /// The id, to send the same request once more; made anew if absent.
    #[arg(long, value_name = "UUIDv7")]
    request_id: Option<RequestId>,
    /// Only print the request as it would be sent.
    #[arg(long)]
    dry_run: bool,
    /// Follow it until its outcome is known.
    #[arg(long, short)]
    wait: bool,
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: Connect,
}

impl Submit {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let create = self.create()?;
        if self.dry_run {
            return Ok(super::out::line(&serde_json::to_string_pretty(&create)?)?);
        }
        let session = self.connect.session(self.json).await?;
        let request = create.request_id;
        let events = if self.wait {
            Some(watch::listen(&session, &self.customer, request).await?)
        } else {
            None
        };
        let body = json::encode(&create);
        let about = request.to_string();
        let sent = session.command(PurchaseOperation::Create, &self.customer, &about, body);
        let accepted = sent.await.inspect_err(|error| {
            // The instant is part of the body: said again by flags it would be another request.
            if matches!(error, CliError::Silent { .. }) {
                eprintln!("the request was: {}", String::from_utf8_lossy(&json::encode(&create)));
            }
        })?;
        match events {
            None => Ok(session.out.show(&accepted.request, |request| {
                let again = if accepted.replayed { "accepted before" } else { "accepted" };
                format!("{again}\n{}", view::sheet(request))
            })?),
            Some(events) => events.follow(&session, Until::Outcome).await,
        }
    }

    fn create(&self) -> anyhow::Result<CreatePurchase> {
        if let Some(file) = &self.file {
            return Ok(read(file)?);
        }
        let item = match (&self.isbn, &self.title, &self.other) {
            (Some(isbn), _, _) => ItemIdentifier::Isbn(isbn.clone()),
            (_, Some(title), _) => ItemIdentifier::Title(title.clone()),
            (_, _, Some(other)) => ItemIdentifier::Other(other.clone()),
            (None, None, None) => return Err(needed("--isbn, --title, --other or --file").into()),
        };
        let country = self.country.ok_or_else(|| needed("--country"))?;
        let postal_code = self.postal_code.clone().ok_or_else(|| needed("--postal-code"))?;
        let expires_at = self
            .expires_at
            .unwrap_or_else(|| from_now(self.expires_in.unwrap_or(EXPIRES_IN_DEFAULT)));
        Ok(CreatePurchase {
            request_id: self.request_id.unwrap_or_else(new_id),
            item,
            quantity: self.quantity,
            max_total: self.max_total.ok_or_else(|| needed("--max-total"))?,
            expires_at,
            destination: Destination { country, postal_code, address: self.address() },
            payment_token: self.payment_token.clone().ok_or_else(|| needed("--payment-token"))?,
            condition: self.condition,
            strategy: self.strategy,
            mode: self.mode,
            rebuy: self.rebuy,
        })
    }

    fn address(&self) -> Option<Address> {
        Some(Address {
            name: self.name.clone()?,
            line1: self.street.clone()?,
            line2: None,
            city: self.city.clone()?,
            region: self.region.clone(),
        })
    }
}

pub(super) fn new_id() -> RequestId {
    RequestId::from_parts(now().as_unix_ms(), rand::random())
}

fn read(file: &Path) -> Result<CreatePurchase, CliError> {
    let mut bytes = Vec::new();
    let result = if file == Path::new("-") {
        std::io::stdin().read_to_end(&mut bytes).map(drop)
    } else {
        std::fs::read(file).map(|read| bytes = read)
    };
    let name = file.display();
    result.map_err(|e| CliError::Usage(format!("cannot read {name}: {e}")))?;
    json::decode_command(&bytes).map_err(|e| {
        CliError::Usage(format!(
            "{name} is not a purchase request: {e}; `broker submit --dry-run` prints one"
        ))
    })
}

fn needed(what: &str) -> CliError {
    CliError::Usage(format!("{what} is needed; see `broker submit --help`"))
}

fn text<const N: usize>(text: &str) -> Result<Text<N>, String> {
    Text::parse(text).map_err(|e| e.to_string())
}

fn country(code: &str) -> Result<Country, String> {
    Country::parse(code).map_err(|e| e.to_string())
}
