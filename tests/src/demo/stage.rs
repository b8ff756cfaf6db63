//! The run itself: start, play, show, stop, judge.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Parser as _;
use tokio::task::JoinSet;

use super::act::Script;
use super::board::Board;
use super::options::{Breakage, Options};
use super::paint::Paint;
use super::story::Stories;
use super::{cast, promises, roles, table};
use crate::auditor::audit;
use crate::harness::{Cluster, HarnessError};

/// Between two submissions: quick enough to be at once, slow enough to be seen.
const STAGGER: Duration = Duration::from_millis(40);
const REFRESH: Duration = Duration::from_millis(100);
/// Everything is at rest long before; what is not by then is shown as it is.
const SETTLED: Duration = Duration::from_secs(30);
/// Customers of the demo; requests go round.
const CUSTOMERS: [&str; 5] = ["ann", "bob", "cyd", "dee", "eve"];

pub(super) fn run() -> ExitCode {
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = runtime
        .context("starting the async runtime")
        .and_then(|runtime| runtime.block_on(show(&options)));
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("the demo could not go on: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all promises were kept.
async fn show(options: &Options) -> anyhow::Result<bool> {
    let paint = Paint::for_stdout();
    let began = Instant::now();
    println!(
        "{}",
        paint.bold("Book Purchase Broker: buy a book, at most once, never too dear, never late")
    );
    println!(
        "starting nats-server, 20 bookstores (10 of them speak only HTTP) with a payment \
         provider, and the broker with all its doors …"
    );
    if options.breakage == Some(Breakage::DuplicateCheck) {
        println!("{}", paint.red("the stores' duplicate check is switched off"));
    }
    let programs = roles::programs().context("finding this executable")?;
    let scenario = cast::scenario(options);
    let mut cluster = Cluster::prepare(programs, scenario, options.keep.clone()).await?;
    cluster.broker.start().await?;
    println!(
        "ready after {:.1} s; {} requests follow, half of them by HTTP",
        began.elapsed().as_secs_f32(),
        options.requests
    );
    tell_page(&cluster, options);

    let stories = Stories::default();
    let follower = stories.follow(cluster.client()).await?;
    let scripts: Vec<Script> =
        (0..options.requests).map(|n| Script::new(options.seed, n)).collect();
    let rested = play(&mut cluster, &scripts, &stories, options, paint).await;
    follower.abort();

    if options.stay {
        println!("\nthe page stays open; Ctrl-C ends with the check of all promises");
        let _ = tokio::signal::ctrl_c().await;
    }
    let surprises = table::print(&scripts, &stories, paint);
    let evidence = cluster.collect().await?;
    let verdict = audit(&evidence);
    promises::print(&verdict, &evidence, paint);
    if let Err(error) = &rested {
        println!("{}", paint.red(&format!("not everything came to rest: {error}")));
    }
    if surprises > 0 {
        println!("\nEnded in another way than they were to show: {surprises}");
    }
    if let Some(dir) = &options.keep {
        println!("\nconfiguration, logs, ledgers and store are in {}", dir.display());
    }
    let kept = verdict.is_clean();
    let said = if kept {
        paint.green("all promises were kept")
    } else {
        paint.red("a promise was broken")
    };
    println!("\n{said}; it took {:.1} s", began.elapsed().as_secs_f32());
    Ok(kept && rested.is_ok())
}

/// Where to look, and as whom.
fn tell_page(cluster: &Cluster, options: &Options) {
    let Some(gateway) = &cluster.broker.gateway else { return };
    let token = |name: &str| gateway.tokens.get(name).map(String::as_str).unwrap_or_default();
    println!("page: {} (customer ann: {})", gateway.url(), token("ann"));
    println!("      {}/operator (operator olga: {})", gateway.url(), token("olga"));
    if !options.stay {
        println!("      (`--stay` keeps it open after the show)");
    }
    println!();
}

/// Sends everything, shows it while it happens, and returns when nothing moves any more.
async fn play(
    cluster: &mut Cluster,
    scripts: &[Script],
    stories: &Stories,
    options: &Options,
    paint: Paint,
) -> Result<(), HarnessError> {
    let live = !options.plain && std::io::stdout().is_terminal();
    let mut board = Board::new(scripts, paint, live);
    let mut customers = JoinSet::new();
    let mut stagger = tokio::time::interval(STAGGER);
    for (script, customer) in scripts.iter().zip(CUSTOMERS.iter().cycle()) {
        stagger.tick().await;
        let (script, followed) = (script.clone(), stories.clone());
        let requester = cluster.requester(customer);
        let http = cluster.http_requester(customer)?;
        customers.spawn(async move { script.play(&requester, &http, &followed).await });
        board.refresh(stories);
    }
    let mut refresh = tokio::time::interval(REFRESH);
    let done = loop {
        tokio::select! {
            _ = refresh.tick() => board.refresh(stories),
            ended = customers.join_next() => match ended {
                Some(Ok(Ok(()))) => {}
                Some(Ok(Err(error))) => break Err(error),
                Some(Err(ended)) => break Err(HarnessError::nats("playing a customer")(ended)),
                None => break Ok(()),
            },
        }
    };
    let settled = {
        let settle = cluster.settle(SETTLED);
        tokio::pin!(settle);
        loop {
            tokio::select! {
                _ = refresh.tick() => board.refresh(stories),
                settled = &mut settle => break settled,
            }
        }
    };
    board.finish(stories);
    done.and(settled)
}
