//! The run itself: provide, start, run every example, compare, tell.

use anyhow::Context as _;
use broker_gateway::GatewayConfig;
use partner_sim::price::ScriptedPrice;
use partner_sim::profile::ProfileName;
use schemas::purchase::{CancelPurchase, CreatePurchase, PurchaseStatus};
use schemas::{Currency, Isbn13, Money, json};

use super::bookstore::{self, Bookstore, Terms};
use super::broker::CommandLine;
use super::programs::{Example, Said};
use super::report::Report;
use super::story::{Ending, Shown, read};
use super::tools::Tools;
use crate::demo::roles;
use crate::fetched::on_path;
use crate::harness::{Cluster, Scenario, book};

const SEED: u64 = 7;
const STORES: u16 = 4;
/// What the common book costs at every store, and what the rare one costs at the example's.
const COMMON: ScriptedPrice = ScriptedPrice { item: 2000, shipping: 300, tax: 200, fee: 0 };
const COMMON_CENTS: u64 = 2500;
const RARE_ITEM_CENTS: u64 = 1000;
/// With 8 % tax and 3.99 USD shipping, as its source says.
const RARE_CENTS: u64 = 1479;
const RARE_COPIES: u32 = 5;
const WRONG_DIGIT: &str = "978-0-306-40615-8";

/// One run of an example.
struct Case {
    what: &'static str,
    isbn: String,
    limit_cents: u64,
    ending: Ending,
    store: Option<&'static str>,
}

/// Whether every example did what it is to do.
pub(super) async fn run() -> anyhow::Result<bool> {
    let tools = tokio::task::spawn_blocking(Tools::provide).await.context("providing tools")??;
    println!("starting nats-server, {STORES} stores, a store in Python, and the broker …");
    let programs = roles::programs().context("finding this executable")?;
    let (common, rare) = (book(1), book(2));
    let scenario = Scenario::new(SEED)
        .partners(ProfileName::Calm, STORES)
        .stock_everywhere(common, 100)
        .price_everywhere(common, COMMON)
        .stock_everywhere(rare, 0)
        .gateway(GatewayConfig::default());
    let program = programs.broker.clone();
    let mut cluster = Cluster::prepare(programs, scenario, None).await?;
    bookstore::register(&tools, cluster.partners.directory_file())?;
    cluster.broker.start().await?;
    let stock = (RARE_COPIES, RARE_ITEM_CENTS);
    let mut store = Bookstore::open(&tools, &cluster, rare, stock).await?;
    let broker = CommandLine { program, url: cluster.nats().url() };

    println!();
    let mut report = Report::default();
    for example in [Example::python(&tools), Example::javascript(&tools), Example::rust(&tools)] {
        play(&example, &cases(common), &broker, &mut report).await?;
    }
    shell(&tools, common, &broker, &mut report).await?;
    let gateway = cluster.broker.gateway.as_ref().context("the scenario has an HTTP door")?;
    for example in Example::over_http(&tools, gateway)? {
        let missing = ["curl", "jq"].into_iter().find(|program| !on_path(program));
        match missing.filter(|_| example.name == "shell http") {
            Some(missing) => report.not_run(example.name, "buys a book", &not_there(missing)),
            None => play(&example, &cases(common), &broker, &mut report).await?,
        }
    }
    let buyer = Example::python(&tools).named("python-rare");
    let case = rare_case(rare)?;
    play(&buyer, &[case], &broker, &mut report).await?;
    let terms = Terms { isbn: rare, price_cap: usd(RARE_CENTS)? };
    let examined = store.examine(terms).await.map_err(|error| format!("{error:#}"));
    report.row("bookstore", "keeps the contract of a partner", examined);

    if !report.is_clean() {
        println!("\nthe log of the broker ends:\n{}", cluster.broker.process.log_tail());
    }
    println!("\n{}", if report.is_clean() { "all examples work" } else { "an example failed" });
    Ok(report.is_clean())
}

fn not_there(program: &str) -> String {
    format!("{program} is not on PATH")
}

fn usd(cents: u64) -> anyhow::Result<Money> {
    Ok(Money::new(cents, Currency::USD)?)
}

fn common_price() -> Money {
    usd(COMMON_CENTS).expect("a price of a few dollars is an amount")
}

fn cases(common: Isbn13) -> [Case; 3] {
    let (isbn, price) = (common.to_string(), common_price());
    [
        Case {
            what: "buys when the limit is the price",
            isbn: isbn.clone(),
            limit_cents: COMMON_CENTS,
            ending: Ending::Ordered(price),
            store: None,
        },
        Case {
            what: "is quoted when it is a cent below",
            isbn,
            limit_cents: COMMON_CENTS - 1,
            ending: Ending::Quoted(price),
            store: None,
        },
        Case {
            what: "shows why a request is refused",
            isbn: WRONG_DIGIT.to_owned(),
            limit_cents: COMMON_CENTS,
            ending: Ending::Refused,
            store: None,
        },
    ]
}

fn rare_case(rare: Isbn13) -> anyhow::Result<Case> {
    Ok(Case {
        what: "buys at the store in Python",
        isbn: rare.to_string(),
        limit_cents: RARE_CENTS,
        ending: Ending::Ordered(usd(RARE_CENTS)?),
        store: Some(bookstore::ID),
    })
}

/// Every case of one example, and nothing but their requests is known to the broker afterwards.
async fn play(
    example: &Example,
    cases: &[Case],
    broker: &CommandLine,
    report: &mut Report,
) -> anyhow::Result<()> {
    let mut made = 0;
    for case in cases {
        let limit = case.limit_cents.to_string();
        let said = example.run(&broker.url, &[&case.isbn, &limit]).await?;
        let verdict = match read(&said, case.ending) {
            Err(why) => Err(why),
            Ok(None) => Ok("refused by name, number and field".to_owned()),
            Ok(Some(shown)) => {
                made += 2;
                agrees(example, case, &shown, broker).await
            }
        };
        report.row(example.name, case.what, verdict.map_err(|why| with_output(&why, &said)));
    }
    let known = broker.list(&example.customer).await?.len();
    let counted = if known == made {
        Ok(format!("{made} requests"))
    } else {
        Err(format!("the broker knows {known} requests, {made} were made"))
    };
    report.row(example.name, "made no request twice", counted);
    Ok(())
}

fn with_output(why: &str, said: &Said) -> String {
    format!("{why}\n--- output ---\n{}--- errors ---\n{}---", said.out, said.err)
}

/// Whether the broker says the same as the program showed.
async fn agrees(
    example: &Example,
    case: &Case,
    shown: &Shown,
    broker: &CommandLine,
) -> Result<String, String> {
    let get = async |id| {
        let got = broker.get(id, &example.customer).await;
        got.map_err(|error| format!("{error:#}"))
    };
    let (bought, canceled) = (get(shown.bought).await?, get(shown.canceled).await?);
    if canceled.status != PurchaseStatus::Canceled {
        return Err(format!("the broker says the other request is {:?}", canceled.status));
    }
    let order = bought.checkout.as_ref().filter(|_| bought.status == PurchaseStatus::Ordered);
    let (quote, total) = match case.ending {
        Ending::Ordered(total) => (order.map(|order| &order.quote), total),
        Ending::Quoted(total) => (bought.best_quote.as_ref(), total),
        Ending::Refused => return Err("a refused request is known".to_owned()),
    };
    let quote = quote.ok_or_else(|| format!("the broker says it is {:?}", bought.status))?;
    let found = (quote.partner_id.as_str(), quote.total);
    if found != (shown.store.as_str(), total) {
        return Err(format!("the broker says {} at {}", found.1, found.0));
    }
    if case.store.is_some_and(|store| store != shown.store) {
        return Err(format!("it was to be bought at {:?}", case.store));
    }
    Ok(format!("{}, {total} at {}", bought.status.label(), shown.store))
}

/// Run where the NATS command line is; elsewhere at least its messages are read.
async fn shell(
    tools: &Tools,
    common: Isbn13,
    broker: &CommandLine,
    report: &mut Report,
) -> anyhow::Result<()> {
    let example = Example::shell(tools);
    if !on_path("jq") {
        report.not_run(example.name, "buys a book", &not_there("jq"));
        return Ok(());
    }
    if on_path("nats") {
        return play(&example, &cases(common), broker, report).await;
    }
    report.not_run(example.name, "buys a book", "the nats command line is not on PATH");
    let limit = COMMON_CENTS.to_string();
    let said = example.run(&broker.url, &["--print", &common.to_string(), &limit]).await?;
    let read = messages(&said.out).map_err(|why| with_output(&why, &said));
    report.row(example.name, "prints messages the broker reads", read);
    Ok(())
}

/// Two creates and a cancel, as the broker's own decoder takes them.
fn messages(printed: &str) -> Result<String, String> {
    let lines: Vec<&[u8]> = printed.lines().map(str::as_bytes).collect();
    let [order, other, cancel] = lines.as_slice() else {
        return Err(format!("{} messages instead of 3", lines.len()));
    };
    for create in [order, other] {
        json::decode_command::<CreatePurchase>(create).map_err(|error| error.to_string())?;
    }
    json::decode_command::<CancelPurchase>(cancel).map_err(|error| error.to_string())?;
    Ok("two creates, a cancel".to_owned())
}
