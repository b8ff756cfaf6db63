//! The other side of the raw transport: answers whatever is asked with the same bytes.

use std::process::ExitCode;

use anyhow::Context;
use async_nats::{Client, Subscriber};
use bytes::Bytes;
use clap::Parser;
use futures_util::StreamExt;
use schemas::id::{CallId, QuoteId};
use schemas::partner::{Component, QuoteAnswer, QuoteAnswers, QuoteOffer, QuoteOutcome};
use schemas::subject::{filter, partner_quote};
use schemas::{Condition, Currency, Timestamp, json};
use tests::harness::book;

use super::ids;

/// Messages buffered by a connection; the asker bounds what can be on its way.
const SUBSCRIPTION_MESSAGES_MAX: usize = 1 << 20;

/// The command line of the hidden role.
#[derive(Debug, Clone, Parser)]
pub(crate) struct RawArgs {
    url: String,
    partners: u16,
    per_message: usize,
    #[arg(action = clap::ArgAction::Set)]
    own_connections: bool,
}

/// Answers until it is killed.
pub(crate) fn serve(args: &RawArgs) -> ExitCode {
    let served = tokio::runtime::Runtime::new()
        .context("starting the runtime")
        .and_then(|runtime| runtime.block_on(answer_all(args)));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("raw partners: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn answer_all(args: &RawArgs) -> anyhow::Result<()> {
    let body = answers(args.per_message)?;
    let mut tasks = tokio::task::JoinSet::new();
    if args.own_connections {
        for partner in ids(args.partners)? {
            let client = connect(&args.url).await?;
            let asked = client.subscribe(partner_quote(&partner)).await?;
            tasks.spawn(answer(client, asked, body.clone()));
        }
    } else {
        let client = connect(&args.url).await?;
        let asked = client.subscribe(filter::partner_quotes()).await?;
        tasks.spawn(answer(client, asked, body));
    }
    while let Some(ended) = tasks.join_next().await {
        ended.context("a partner")??;
    }
    Ok(())
}

async fn connect(url: &str) -> anyhow::Result<Client> {
    let options =
        async_nats::ConnectOptions::new().subscription_capacity(SUBSCRIPTION_MESSAGES_MAX);
    options.connect(url).await.with_context(|| format!("connecting to {url}"))
}

async fn answer(client: Client, mut asked: Subscriber, body: Bytes) -> anyhow::Result<()> {
    while let Some(question) = asked.next().await {
        if let Some(reply) = question.reply {
            client.publish(reply, body.clone()).await?;
        }
    }
    Ok(())
}

/// As long as what partner-sim says.
fn answers(per_message: usize) -> anyhow::Result<Bytes> {
    let quote_id = QuoteId::parse("8e8b6a1b1c0.1.0USUSD.1a2b.19a2b3c4d5e.0.deadbeef")?;
    let item = |n: usize| QuoteAnswer {
        call_id: CallId { epoch: 1, counter: 1_000_000 + n as u64 },
        outcome: QuoteOutcome::Offer(QuoteOffer {
            quote_id: quote_id.clone(),
            isbn: book(0),
            condition: Condition::New,
            currency: Currency::USD,
            item: 4_321,
            shipping: Some(Component::Exact(321)),
            tax: Some(Component::Exact(123)),
            fee: Some(Component::Exact(0)),
            in_stock: 1_000_000_000,
            valid_until: Timestamp::from_unix_ms(1_700_000_000_000),
        }),
    };
    let items = (0..per_message).map(item).collect();
    Ok(Bytes::from(json::encode(&QuoteAnswers { items })))
}
