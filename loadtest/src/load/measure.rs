//! From what everybody wrote down to the figures.

mod money;

use std::collections::BTreeMap;
use std::time::Duration;

use partner_sim::config::Connections;
use schemas::event::NotificationOutcome;
use tests::auditor::audit;

use super::awaited::{overhead, saga_waits};
use super::drive::WARM_UP;
use super::ear::{Told, Wish};
use super::plan::{Load, Plan};
use super::quantiles::Values;
use super::report::{
    Calls, LoadSaid, Machine, OverheadSaid, ProcessSaid, Promises, REPORT_VERSION, Report, Requests,
};
use super::sample::{Look, PROCESSES, cores, points};
use super::slope::per_hour;
use super::stage::Played;

/// The report of a run; the auditor judges it here.
pub(super) fn report(plan: &Plan, played: &Played) -> anyhow::Result<Report> {
    let verdict = audit(&played.evidence);
    let kept = verdict.is_clean();
    let said = if kept { verdict.summary() } else { verdict.to_string() };
    let told = told(played);
    let latency: Values = told.iter().map(|(_, told)| ms(told.after)).collect();
    let window = window(plan);
    let curve: Vec<(f64, f64)> =
        told.iter().map(|(wish, told)| (wish.intended.as_secs_f64(), ms(told.after))).collect();
    let requests = requests(played, &told, window);
    let calls = calls(plan, played, &requests);
    let broker_cpu = whole_run(&played.looks)
        .map_or(Duration::ZERO, |(first, last)| last.cpu[0].saturating_sub(first.cpu[0]));
    let orders = requests.outcomes.get("ordered").copied().unwrap_or(0);
    Ok(Report {
        version: REPORT_VERSION,
        profile: plan.profile.label().to_owned(),
        load: load(plan),
        machine: machine(),
        latency: latency.quantiles(),
        latency_buckets: latency.buckets(),
        latency_slope_per_hour: per_hour(&curve),
        overhead: overheads(played),
        prices: money::prices(played),
        price_dispersion: played.market.dispersion(),
        processes: processes(played, window),
        broker_call_us: broker_cpu.as_secs_f64() * 1e6 / (calls.total as f64).max(1.0),
        messages_per_order: played.stored as f64 / (orders as f64).max(1.0),
        points: points(&played.looks),
        flash: money::flash(plan, played),
        baseline: None,
        promises: Promises { kept, said },
        budgets: Vec::new(),
        requests,
        calls,
    })
}

fn told(played: &Played) -> Vec<(&Wish, &Told)> {
    played.wishes.values().filter_map(|wish| Some((wish, wish.told.as_ref()?))).collect()
}

fn load(plan: &Plan) -> LoadSaid {
    let (kind, rate, in_flight) = match plan.load {
        Load::Open { rate } => ("open", Some(rate), None),
        Load::Closed { in_flight } => ("closed", None, Some(in_flight)),
    };
    LoadSaid {
        kind: kind.to_owned(),
        rate,
        in_flight,
        seconds: plan.length.as_secs(),
        partners: plan.partners,
        connections: match plan.connections {
            Connections::Shared => "shared".to_owned(),
            Connections::Own => "own".to_owned(),
        },
        strategies: plan.mix.to_string(),
        seed: plan.seed,
        tier_size: plan.tier_size,
    }
}

fn machine() -> Machine {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Machine { cores, disk: String::new(), optimised: !cfg!(debug_assertions) }
}

/// The measured time since the start of the load.
fn window(plan: &Plan) -> (Duration, Duration) {
    match plan.load {
        Load::Open { .. } => (Duration::ZERO, plan.length),
        Load::Closed { .. } => (WARM_UP, WARM_UP + plan.length),
    }
}

fn requests(
    played: &Played,
    told: &[(&Wish, &Told)],
    (from, until): (Duration, Duration),
) -> Requests {
    let within = |(wish, told): &&(&Wish, &Told)| {
        let at = wish.intended + told.after;
        from <= at && at < until
    };
    let ended: Vec<_> = told.iter().filter(within).collect();
    let ordered =
        ended.iter().filter(|(_, told)| told.outcome == NotificationOutcome::Ordered).count();
    let seconds = (until - from).as_secs_f64();
    let late: Values = played.late.iter().map(|late| ms(*late)).collect();
    let outcomes: BTreeMap<String, usize> =
        played.outcomes.iter().map(|(label, count)| ((*label).to_owned(), *count)).collect();
    Requests {
        sent: played.wishes.len(),
        unanswered: played.wishes.len() - told.len(),
        outcomes,
        outcomes_per_second: ended.len() as f64 / seconds,
        orders_per_second: ordered as f64 / seconds,
        generator_late: late.quantiles(),
        drained_after_s: played.drained_after.as_secs_f64(),
    }
}

fn calls(plan: &Plan, played: &Played, requests: &Requests) -> Calls {
    let partner_sim::nats::audit::Questions { messages, items } = played.questions;
    let sent = requests.sent.max(1) as f64;
    let per_request = items as f64 / sent;
    Calls {
        total: items,
        messages,
        per_message: items as f64 / (messages as f64).max(1.0),
        per_request,
        of_everyone: per_request / f64::from(plan.partners.max(1)),
        per_second: per_request * requests.outcomes_per_second,
        asked: money::asked(played),
    }
}

fn overheads(played: &Played) -> OverheadSaid {
    let waits = saga_waits(&played.evidence, &played.delays);
    let of_request = |(request, wish): (&schemas::RequestId, &Wish)| {
        let told = wish.told.filter(|told| told.outcome == NotificationOutcome::Ordered)?;
        overhead(&played.evidence, &played.market, (*request, wish, &told), &waits)
    };
    let all: Vec<_> =
        played.wishes.iter().filter_map(|(request, wish)| of_request((request, wish))).collect();
    let total: Values = all.iter().map(|one| one.before + one.after).collect();
    OverheadSaid {
        total: total.quantiles(),
        before: all.iter().map(|one| one.before).collect::<Values>().quantiles(),
        after: all.iter().map(|one| one.after).collect::<Values>().quantiles(),
        buckets: total.buckets(),
        counted: all.len(),
    }
}

/// The first and the last look.
fn whole_run(looks: &[Look]) -> Option<(&Look, &Look)> {
    Some((looks.first()?, looks.last()?))
}

fn processes(played: &Played, (from, until): (Duration, Duration)) -> Vec<ProcessSaid> {
    let looks = &played.looks;
    let within: Vec<&Look> =
        looks.iter().filter(|look| from <= look.at && look.at <= until).collect();
    let used = match (within.first(), within.last()) {
        (Some(first), Some(last)) if last.at > first.at => cores(first, last),
        _ => whole_run(looks).map_or([0.0; 4], |(first, last)| cores(first, last)),
    };
    let second_half = looks.iter().skip(looks.len() / 2);
    PROCESSES
        .iter()
        .enumerate()
        .map(|(n, name)| {
            let mb = |look: &Look| look.resident[n] as f64 / 1e6;
            let curve: Vec<(f64, f64)> =
                second_half.clone().map(|look| (look.at.as_secs_f64(), mb(look))).collect();
            ProcessSaid {
                name: (*name).to_owned(),
                cores: used[n],
                resident_mb_first: looks.first().map_or(0.0, mb),
                resident_mb_max: looks.iter().map(mb).fold(0.0, f64::max),
                resident_mb_last: looks.last().map_or(0.0, mb),
                resident_mb_per_hour: per_hour(&curve),
            }
        })
        .collect()
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
