//! The run: start everything, break one thing after the other, come to rest, judge.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use super::inject::{Injected, inject};
use super::kind::Kind;
use super::options::{Options, Script};
use super::percentiles::Percentiles;
use super::report::{Report, Tally};
use super::rig::{Pace, Plan, Rig};
use crate::auditor::{Evidence, Trouble, audit};
use crate::harness::Programs;

/// Until everything is at rest. The last requests live for a minute; what killed processes held is
/// given back after its `ack_wait`.
const SETTLED: Duration = Duration::from_secs(300);
/// Kills of one round, beside one of everything else.
const BROKER_KILLS: usize = 4;
const SERVER_KILLS: usize = 2;
/// The check behind the figure that nobody wants to see above zero.
const NOTHING_LOST: &str = "nothing_lost";

/// Runs chaos in `dir` and judges it.
///
/// # Errors
/// A process that cannot be started or does not come back, or a broker that goes on when it must
/// end: these are findings too.
pub async fn run(
    options: &Options,
    programs: Programs,
    dir: &std::path::Path,
) -> anyhow::Result<Report> {
    let seed = options.seed.unwrap_or_else(rand::random);
    println!("seed {seed} (--seed {seed} runs the same script again)");
    let pace = match options.script {
        Script::Rounds => Pace::Long,
        Script::Once { .. } => Pace::Short,
    };
    let rate = options.rate;
    let install = options.install;
    let plan = Plan { programs, dir: dir.to_owned(), seed, rate, pace, install };
    let mut rig = Rig::start(plan).await?;
    let began = Instant::now();
    let mut chaos = Chaos { options, began, tallies: BTreeMap::new() };
    let broken = match options.script {
        Script::Rounds => chaos.rounds(&mut rig).await,
        Script::Once { broker_kills, server_kills } => {
            let script = once(options, &mut rig.dice, (broker_kills, server_kills));
            chaos.all(&mut rig, &script).await
        }
    };
    broken.with_context(|| log_tail(&rig))?;
    let tallies = chaos.tallies;
    finish(rig, seed, began, tallies).await
}

struct Chaos<'o> {
    options: &'o Options,
    began: Instant,
    tallies: BTreeMap<Kind, Tally>,
}

impl Chaos<'_> {
    /// Rounds of every kind until the time is over.
    async fn rounds(&mut self, rig: &mut Rig) -> anyhow::Result<()> {
        while !self.is_over() {
            for kind in round(self.options, &mut rig.dice) {
                if self.is_over() {
                    break;
                }
                self.one(rig, kind).await?;
            }
        }
        Ok(())
    }

    async fn all(&mut self, rig: &mut Rig, script: &[Kind]) -> anyhow::Result<()> {
        for kind in script {
            self.one(rig, *kind).await?;
        }
        Ok(())
    }

    async fn one(&mut self, rig: &mut Rig, kind: Kind) -> anyhow::Result<()> {
        let tally = self.tallies.entry(kind).or_default();
        if tally.not_possible.is_some() {
            return Ok(());
        }
        let at = self.began.elapsed();
        let injected = inject(rig, kind).await.with_context(|| format!("during {kind}"))?;
        let took = self.began.elapsed() - at;
        match injected {
            Injected::Done { ordered, said } => {
                tally.injected += 1;
                tally.ordered += ordered;
                let said = said.unwrap_or_default();
                let (at, took) = (at.as_secs_f64(), took.as_secs_f64());
                println!("{at:7.1} s  {kind:<14} {took:5.1} s  {ordered:>5} ordered  {said}");
            }
            Injected::Not(why) => {
                println!("           {kind:<14} NOT PROVEN: {why}");
                tally.not_possible = Some(why);
            }
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.began.elapsed() >= self.options.duration()
    }
}

/// Every wanted kind in a random order; kills come more often.
fn round(options: &Options, dice: &mut StdRng) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = Kind::ALL.to_vec();
    kinds.extend([Kind::KillBroker; BROKER_KILLS]);
    kinds.extend([Kind::KillServer; SERVER_KILLS]);
    if options.flood {
        let others = kinds.len();
        kinds.extend(std::iter::repeat_n(Kind::Flood, others));
    }
    kinds.retain(|kind| options.wants(*kind));
    kinds.shuffle(dice);
    kinds
}

/// One round with so many kills.
fn once(options: &Options, dice: &mut StdRng, (broker, server): (u32, u32)) -> Vec<Kind> {
    let single = |kind: &Kind| !matches!(kind, Kind::KillBroker | Kind::KillServer);
    let mut kinds: Vec<Kind> = Kind::ALL.iter().copied().filter(single).collect();
    kinds.extend((0..broker).map(|_| Kind::KillBroker));
    kinds.extend((0..server).map(|_| Kind::KillServer));
    kinds.retain(|kind| options.wants(*kind));
    kinds.shuffle(dice);
    kinds
}

async fn finish(
    mut rig: Rig,
    seed: u64,
    began: Instant,
    tallies: BTreeMap<Kind, Tally>,
) -> anyhow::Result<Report> {
    let took = began.elapsed();
    println!("chaos is over; everything comes to rest …");
    let resting = Instant::now();
    rig.load.stop().await?;
    rig.cluster.settle(SETTLED).await.context("coming to rest")?;
    let settled = resting.elapsed();
    println!("at rest after {:.1} s; the auditor reads …", settled.as_secs_f64());
    let evidence = rig.cluster.collect().await.context("gathering the evidence")?;
    let auditing = Instant::now();
    let verdict = audit(&evidence);
    let lost = lost(evidence.clone());
    let audited = auditing.elapsed();
    let waits = rig.load.served().waits(began, Instant::now());
    Ok(Report {
        seed,
        took,
        settled,
        audited,
        tallies,
        asked: rig.load.served().asked_so_far(),
        ordered: Report::ordered_in(&evidence),
        commits: evidence.log.len(),
        messages: evidence.messages.len(),
        recoveries: Percentiles::of(std::mem::take(&mut rig.recoveries)),
        waits: Percentiles::of(waits),
        sent_again: rig.sent_again,
        lost,
        ended_itself: rig.ended_itself,
        verdict,
    })
}

/// Acknowledged creates of which nothing is to be found. A damaged server is no excuse here: what
/// it lost, its customers sent again.
fn lost(mut evidence: Evidence) -> usize {
    evidence.disturbances.retain(|disturbance| disturbance.what != Trouble::StreamLoss);
    audit(&evidence).violations().filter(|violation| violation.check == NOTHING_LOST).count()
}

fn log_tail(rig: &Rig) -> String {
    format!("the broker's log ends:\n{}", rig.cluster.broker.process.log_tail())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn a_round_has_every_kind_and_the_same_seed_the_same_order() {
        let options = Options::parse_from(["chaos"]);
        let script = |seed| round(&options, &mut StdRng::seed_from_u64(seed));
        assert!(Kind::ALL.iter().all(|kind| script(1).contains(kind)));
        assert_eq!(script(1), script(1));
        assert_ne!(script(1), script(2));
    }

    #[test]
    fn one_round_can_be_asked_for_so_many_kills() {
        let options = Options::parse_from(["chaos"]);
        let kinds = once(&options, &mut StdRng::seed_from_u64(1), (20, 5));
        let count = |kind| kinds.iter().filter(|one| **one == kind).count();
        assert_eq!((count(Kind::KillBroker), count(Kind::KillServer)), (20, 5));
        assert_eq!(kinds.len(), Kind::ALL.len() - 2 + 25);
    }
}
