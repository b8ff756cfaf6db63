//! The report as one page that needs nothing else: figures, plots, light and dark.

use super::svg::{Bar, Series, bars, escape, lines, short};
use super::{Bucket, Point, Report, table};
use crate::load::sample::PROCESSES;

const STYLE: &str = "
:root{color-scheme:light dark;--ink:#1d2129;--paper:#fff;--grid:#dfe3ea;
--c0:#2a6fdb;--c1:#d9622b;--c2:#2a9d62;--c3:#8a5cd0}
@media(prefers-color-scheme:dark){:root{--ink:#e4e7ec;--paper:#14171c;--grid:#323843;
--c0:#6aa5ff;--c1:#ff9a66;--c2:#5fd399;--c3:#bd96ff}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);
max-width:760px;margin:2rem auto;padding:0 1rem}
pre{overflow-x:auto;font-size:12.5px;line-height:1.35}
svg{width:100%;height:auto}svg text{font-size:11px;fill:var(--ink)}
.grid{stroke:var(--grid)}.line{fill:none;stroke-width:1.6}
.line.c0{stroke:var(--c0)}.line.c1{stroke:var(--c1)}
.line.c2{stroke:var(--c2)}.line.c3{stroke:var(--c3)}
.bar.c0{fill:var(--c0)}.bar.c1{fill:var(--c1)}.bar.c2{fill:var(--c2)}.bar.c3{fill:var(--c3)}
.key{margin-right:1.2em}.key i{display:inline-block;width:.8em;height:.8em;margin-right:.4em}
i.c0{background:var(--c0)}i.c1{background:var(--c1)}
i.c2{background:var(--c2)}i.c3{background:var(--c3)}
.legend{margin:.2em 0 1.5em}.bad{color:var(--c1);font-weight:600}";

/// The whole page.
pub(crate) fn page(report: &Report) -> String {
    let title = format!("Load test: {}", report.profile);
    let verdict = match (report.promises.kept, report.budgets.iter().all(|budget| budget.met)) {
        (true, true) => "<p>All promises kept, all budgets met.</p>".to_owned(),
        (true, false) => "<p class=\"bad\">All promises kept, a budget missed.</p>".to_owned(),
        (false, _) => "<p class=\"bad\">A promise was broken.</p>".to_owned(),
    };
    let figures = escape(&table::text(report));
    let plots: String = plots(report)
        .into_iter()
        .map(|(title, plot)| format!("<h2>{}</h2>{plot}", escape(title)))
        .collect();
    let title = escape(&title);
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>\
         <style>{STYLE}</style></head><body><h1>{title}</h1>{verdict}<pre>{figures}</pre>\
         {plots}</body></html>\n"
    )
}

fn plots(report: &Report) -> Vec<(&'static str, String)> {
    let latency = [("requests", buckets(&report.latency_buckets))];
    let overhead = [("orders", buckets(&report.overhead.buckets))];
    vec![
        ("From intended send to outcome, requests by ms", bars("", &latency)),
        ("Of it broker, NATS and disks, orders by ms", bars("", &overhead)),
        ("Requests by how many partners they asked", bars("", &asked(report))),
        ("Price above the minimum, % by strategy", bars("%", &prices(report))),
        ("What waits", lines("s", "", &queues(&report.points))),
        ("CPU by process", lines("s", "cores", &by_process(&report.points, |point| point.cores))),
        ("Memory by process", lines("s", "MB", &by_process(&report.points, |p| p.resident_mb))),
    ]
}

fn buckets(buckets: &[Bucket]) -> Vec<Bar> {
    let bar = |bucket: &Bucket| Bar { label: short(bucket.from), value: bucket.count as f64 };
    buckets.iter().map(bar).collect()
}

fn asked(report: &Report) -> Vec<(&'static str, Vec<Bar>)> {
    let bar = |of: &super::Asked| Bar { label: of.partners.to_string(), value: of.requests as f64 };
    vec![("requests", report.calls.asked.iter().map(bar).collect())]
}

fn prices(report: &Report) -> Vec<(&'static str, Vec<Bar>)> {
    let of = |value: fn(&super::Price) -> f64| {
        let bar = |price: &super::Price| Bar {
            label: format!("{}, {:.0} asked", price.strategy, price.asked),
            value: value(price),
        };
        report.prices.iter().map(bar).collect()
    };
    vec![
        ("on average", of(|price| price.above_percent.mean)),
        ("90 of 100 orders", of(|price| price.above_percent.p90)),
    ]
}

fn queues(points: &[Point]) -> Vec<Series<'static>> {
    let of = |name, value: fn(&Point) -> f64| Series {
        name,
        points: points.iter().map(|point| (point.at_s, value(point))).collect(),
    };
    vec![
        of("requests without an outcome", |point| point.open as f64),
        of("outbox rows not acknowledged", |point| point.queues.outbox),
        of("messages waiting for the engine", |point| point.queues.engine),
    ]
}

fn by_process(points: &[Point], value: impl Fn(&Point) -> [f64; 4]) -> Vec<Series<'static>> {
    let of = |(n, name): (usize, &'static str)| Series {
        name,
        points: points.iter().map(|point| (point.at_s, value(point)[n])).collect(),
    };
    PROCESSES.into_iter().enumerate().map(of).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::load::report::{
        Asked, Calls, LoadSaid, Machine, OverheadSaid, Price, ProcessSaid, Promises, Quantiles,
        Queues, REPORT_VERSION, Requests,
    };

    fn quantiles() -> Quantiles {
        Quantiles { count: 10, mean: 500.0, p50: 450.0, p90: 900.0, p99: 990.0, max: 1000.0 }
    }

    /// A made-up run.
    pub(crate) fn report() -> Report {
        let process = |name: &&str| ProcessSaid {
            name: (*name).to_owned(),
            cores: 0.25,
            resident_mb_first: 30.0,
            resident_mb_max: 50.0,
            resident_mb_last: 40.0,
            resident_mb_per_hour: 1.0,
        };
        Report {
            version: REPORT_VERSION,
            profile: "peak".to_owned(),
            load: LoadSaid {
                kind: "open".to_owned(),
                rate: Some(200),
                in_flight: None,
                seconds: 60,
                partners: 100,
                connections: "shared".to_owned(),
                strategies: "balanced=1".to_owned(),
                seed: 7,
                tier_size: None,
            },
            machine: Machine { cores: 2, disk: "disk: fast".to_owned(), optimised: true },
            requests: Requests {
                sent: 10,
                unanswered: 0,
                outcomes: [("ordered".to_owned(), 10)].into(),
                outcomes_per_second: 200.0,
                orders_per_second: 200.0,
                generator_late: quantiles(),
                drained_after_s: 1.0,
            },
            latency: quantiles(),
            latency_buckets: vec![Bucket { from: 100.0, to: 1000.0, count: 10 }],
            latency_slope_per_hour: 0.0,
            overhead: OverheadSaid { total: quantiles(), counted: 10, ..OverheadSaid::default() },
            calls: Calls {
                total: 200,
                messages: 100,
                per_message: 2.0,
                per_request: 20.0,
                of_everyone: 0.2,
                per_second: 4000.0,
                asked: vec![Asked { partners: 20, requests: 10 }],
            },
            prices: vec![Price {
                strategy: "balanced".to_owned(),
                orders: 10,
                asked: 20.0,
                above_percent: quantiles(),
                at_minimum: 1,
                latency_p50_ms: 450.0,
            }],
            price_dispersion: 0.1,
            processes: PROCESSES.iter().map(process).collect(),
            broker_call_us: 5.0,
            messages_per_order: 14.0,
            points: vec![Point {
                at_s: 1.0,
                cores: [0.1; 4],
                resident_mb: [30.0; 4],
                queues: Queues::default(),
                open: 3,
            }],
            flash: None,
            baseline: None,
            promises: Promises { kept: true, said: "all promises kept".to_owned() },
            budgets: Vec::new(),
        }
    }

    #[test]
    fn the_page_needs_nothing_from_anywhere_and_has_a_plot_for_everything() {
        let page = page(&report());
        for outside in ["http:", "https:", "src=", "href=", "@import", "url("] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert_eq!(page.matches("<svg").count(), 7);
        assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
        assert!(page.contains("prefers-color-scheme:dark"));
        assert!(page.contains("All promises kept, all budgets met."));
    }

    #[test]
    fn a_report_comes_back_from_its_json() {
        let text = serde_json::to_string(&report()).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report());
        assert!(text.contains("\"version\":1"));
    }

    #[test]
    fn the_table_has_every_figure() {
        let text = table::text(&report());
        for figure in ["900.0", "20.0", "5.00 us", "14.00", "nats-server", "balanced", "0.25"] {
            assert!(text.contains(figure), "{figure} is missing in\n{text}");
        }
    }
}
