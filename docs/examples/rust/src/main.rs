//! Buys a book from your own NATS client: `submit ISBN MAX_TOTAL_IN_CENTS`.
//!
//! Exit codes: 0 ordered, 7 ended without an order, 1 anything else (as the command line does).
//! `NATS_URL`, `NATS_USER`, `NATS_PASSWORD` and `BROKER_CUSTOMER` say where and as whom.

use std::env;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::{Client, ConnectOptions, jetstream};
use futures_util::StreamExt as _;
use schemas::destination::Country;
use schemas::event::{Notification, NotificationOutcome};
use schemas::id::PaymentToken;
use schemas::item::ItemIdentifier;
use schemas::purchase::{CancelPurchase, CommandReply, CreatePurchase, Mode, Strategy};
use schemas::stream::customer_notifications_consumer;
use schemas::subject::{PurchaseOperation, purchase_api};
use schemas::text::Text;
use schemas::{
    CommandId, Condition, Currency, CustomerId, Destination, DurationMs, Money, RequestId,
    Timestamp, json,
};

const OPEN_FOR: Duration = Duration::from_secs(60);
/// After the deadline: an order that was sent in time may be confirmed later.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two attempts, milliseconds; the reply to a refusal for now says when by itself.
const PAUSES_MS: [u64; 5] = [500, 1000, 2000, 4000, 8000];
const MESSAGE_BYTES_MAX: usize = 1024 * 1024;
const WRONG_DIGIT: &str = "978-0-306-40615-8";

fn wish(isbn: &str, cents: u64, mode: Mode) -> anyhow::Result<CreatePurchase> {
    // The request's id and idempotency key: made once, before the first attempt to send.
    let request_id = RequestId::from_bytes(uuid::Uuid::now_v7().into_bytes());
    let open_for = DurationMs(u64::try_from(OPEN_FOR.as_millis())?);
    Ok(CreatePurchase {
        request_id,
        item: ItemIdentifier::Isbn(Text::parse(isbn)?),
        quantity: 1,
        max_total: Money::new(cents, Currency::USD)?, // delivered: everything included
        expires_at: Timestamp::from_unix_ms(request_id.unix_ms()).saturating_add(open_for),
        destination: Destination {
            country: Country::parse("US")?,
            postal_code: Text::parse("94107")?,
            address: None,
        },
        payment_token: PaymentToken::parse("tok_visa")?, // of the provider; never a card number
        condition: Condition::New,
        strategy: Strategy::Balanced,
        mode,
        rebuy: false,
    })
}

struct Shop {
    client: Client,
    customer: CustomerId,
    mail: PullConsumer,
}

impl Shop {
    async fn enter(customer: CustomerId) -> anyhow::Result<Self> {
        let mut options = ConnectOptions::new()
            // Nobody else may read our answers.
            .custom_inbox_prefix(format!("_INBOX.{customer}"))
            .request_timeout(Some(Duration::from_secs(5)));
        if let (Ok(user), Ok(password)) = (env::var("NATS_USER"), env::var("NATS_PASSWORD")) {
            options = options.user_and_password(user, password);
        }
        let url = env::var("NATS_URL").unwrap_or_else(|_| "nats://127.0.0.1:4222".to_owned());
        let client = options.connect(url).await?;
        // Before the first request. Durable: what is told while we are away waits for us.
        let spec = customer_notifications_consumer(&customer);
        let notices = jetstream::new(client.clone()).get_stream_no_info(spec.stream).await?;
        let mail = match notices.get_consumer(&spec.durable).await {
            Ok(mail) => mail,
            Err(_none) => {
                let config = pull::Config {
                    durable_name: Some(spec.durable),
                    filter_subjects: spec.filter_subjects,
                    ack_policy: AckPolicy::Explicit,
                    ..pull::Config::default()
                };
                notices.create_consumer(config).await?
            }
        };
        Ok(Self { client, customer, mail })
    }

    /// Silence does not tell whether it was done, and the same bytes are done only once: repeat.
    async fn ask(&self, op: PurchaseOperation, body: Vec<u8>) -> anyhow::Result<CommandReply> {
        for pause_ms in PAUSES_MS {
            let asked = self.client.request(purchase_api(op, &self.customer), body.clone().into());
            let mut pause = Duration::from_millis(pause_ms);
            if let Ok(answer) = asked.await {
                match json::decode(&answer.payload, MESSAGE_BYTES_MAX)? {
                    CommandReply::Rejected(problem) if problem.retryable => {
                        pause = problem.retry_after_ms.map_or(pause, Duration::from);
                    }
                    decided => return Ok(decided),
                }
            }
            tokio::time::sleep(pause).await;
        }
        bail!("{}: no answer; send the same bytes again later", op.label())
    }

    /// What the customer is told. Copies are possible: `notification_id` recognises them.
    async fn outcome(&self, request: RequestId, mode: Mode) -> anyhow::Result<Notification> {
        let told = async {
            let mut messages = self.mail.messages().await?;
            while let Some(message) = messages.next().await {
                let Ok(message) = message else { continue }; // reconnects by itself
                let told: Notification = json::decode(&message.payload, MESSAGE_BYTES_MAX)?;
                // A real program stores it first.
                message.ack().await.map_err(|error| anyhow!("acknowledging: {error}"))?;
                if told.request_id == request && is_ending(told.outcome, mode) {
                    return Ok(told);
                }
            }
            bail!("the consumer ended")
        };
        let told = tokio::time::timeout(OPEN_FOR + PATIENCE, told).await;
        told.with_context(|| format!("{request}: no outcome yet; ask for it with `get`"))?
    }
}

/// A request that watches goes on after a price or an empty shelf.
fn is_ending(outcome: NotificationOutcome, mode: Mode) -> bool {
    match outcome {
        NotificationOutcome::Incident | NotificationOutcome::ActionRequired => false,
        NotificationOutcome::Quoted | NotificationOutcome::OutOfStock => mode == Mode::OneShot,
        NotificationOutcome::Ordered
        | NotificationOutcome::Expired
        | NotificationOutcome::Failed
        | NotificationOutcome::Canceled => true,
    }
}

fn show(told: &Notification) {
    let Notification { request_id, outcome, request, receipt, .. } = told;
    let quote = request.checkout.as_ref().map(|checkout| &checkout.quote);
    let price = quote
        .or(request.best_quote.as_ref())
        .map_or_else(String::new, |best| format!(" {} at {}", best.total, best.partner_id));
    println!("{} {request_id}{price}", outcome.label());
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
}

async fn buy(isbn: &str, cents: u64) -> anyhow::Result<NotificationOutcome> {
    let customer = env::var("BROKER_CUSTOMER").unwrap_or_else(|_| "alice".to_owned());
    let shop = Shop::enter(CustomerId::parse(&customer)?).await?;
    let order = wish(isbn, cents, Mode::OneShot)?;
    for word in ["accepted", "repeated"] {
        // The second time as after a lost answer.
        match shop.ask(PurchaseOperation::Create, json::encode(&order)).await? {
            CommandReply::Accepted { replayed, .. } => {
                println!("{word} {} replayed={replayed}", order.request_id);
            }
            CommandReply::Rejected(no) => {
                bail!("refused {} ({}): {}", no.code.label(), no.number, no.detail)
            }
        }
    }
    let told = shop.outcome(order.request_id, order.mode).await?;
    show(&told);

    // One that stays open, as nobody sells at that price, until we change our mind.
    let other = wish(isbn, 1, Mode::Watch)?;
    shop.ask(PurchaseOperation::Create, json::encode(&other)).await?;
    let cancel = CancelPurchase {
        request_id: other.request_id,
        command_id: CommandId::parse("cancel-1")?,
        reason: Some(Text::parse("found one")?),
    };
    shop.ask(PurchaseOperation::Cancel, json::encode(&cancel)).await?;
    show(&shop.outcome(other.request_id, other.mode).await?);

    let wrong = wish(WRONG_DIGIT, cents, Mode::OneShot)?;
    if let CommandReply::Rejected(no) =
        shop.ask(PurchaseOperation::Create, json::encode(&wrong)).await?
    {
        let field = no.field.unwrap_or_default();
        println!("refused {} ({}) in {field}: {}", no.code.label(), no.number, no.detail);
    }
    Ok(told.outcome)
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let wanted = match arguments.as_slice() {
        [isbn, cents] => {
            cents.parse().map(|cents| (isbn, cents)).map_err(|e| anyhow!("{cents}: {e}"))
        }
        _ => Err(anyhow!("usage: submit ISBN MAX_TOTAL_IN_CENTS")),
    };
    let outcome = match wanted {
        Ok((isbn, cents)) => buy(isbn, cents).await,
        Err(error) => Err(error),
    };
    match outcome {
        Ok(NotificationOutcome::Ordered) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(7),
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
