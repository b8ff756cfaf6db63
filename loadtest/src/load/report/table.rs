//! The report in a terminal.

use comfy_table::{Cell, CellAlignment, Table, presets::UTF8_FULL_CONDENSED};

use super::{Quantiles, Report};

/// The slope of a shorter run says nothing.
const SLOPE_SECONDS_MIN: u64 = 60;

/// Prints it to standard output.
pub(crate) fn print(report: &Report) {
    print!("{}", text(report));
}

/// Everything but the curves.
pub(crate) fn text(report: &Report) -> String {
    let mut text = headline(report);
    text.push_str(&format!("{}\n", latencies(report)));
    text.push_str(&format!("{}\n", costs(report)));
    text.push_str(&format!("{}\n", processes(report)));
    if !report.prices.is_empty() {
        text.push_str(&format!("{}\n", prices(report)));
    }
    for budget in &report.budgets {
        text.push_str(&format!("{} {budget}\n", if budget.met { "met   " } else { "MISSED" }));
    }
    text.push_str(&format!("{}\n", report.promises.said));
    text
}

fn headline(report: &Report) -> String {
    let load = &report.load;
    let how = match (load.rate, load.in_flight) {
        (Some(rate), _) => format!("{rate} requests/s"),
        (None, in_flight) => format!("{} in flight", in_flight.unwrap_or_default()),
    };
    let outcomes: Vec<String> =
        report.requests.outcomes.iter().map(|(label, count)| format!("{count} {label}")).collect();
    let build = if report.machine.optimised { "" } else { " (not optimised)" };
    format!(
        "{}: {how} for {} s, {} partners ({} connection{}), {}, seed {}\n\
         {} cores{build}, {}\n\
         {} requests: {}, {} without an outcome; {:.0} outcomes/s, {:.0} orders/s\n",
        report.profile,
        load.seconds,
        load.partners,
        load.connections,
        if load.connections == "own" { "s" } else { "" },
        load.strategies,
        load.seed,
        report.machine.cores,
        report.machine.disk,
        report.requests.sent,
        outcomes.join(", "),
        report.requests.unanswered,
        report.requests.outcomes_per_second,
        report.requests.orders_per_second,
    )
}

fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(head);
    for row in rows {
        let cells = row.into_iter().enumerate().map(|(n, text)| {
            let align = if n == 0 { CellAlignment::Left } else { CellAlignment::Right };
            Cell::new(text).set_alignment(align)
        });
        table.add_row(cells);
    }
    table
}

fn latencies(report: &Report) -> Table {
    let line = |name: &str, of: &Quantiles| {
        let figures = [of.p50, of.p90, of.p99, of.max].map(|value| format!("{value:.1}"));
        [vec![name.to_owned(), of.count.to_string()], figures.to_vec()].concat()
    };
    let overhead = &report.overhead;
    let rows = [
        line("intended send to outcome", &report.latency),
        line("of it broker, NATS and disks", &overhead.total),
        line("  until the first store was asked", &overhead.before),
        line("  after the last awaited answer", &overhead.after),
        line("generator late by", &report.requests.generator_late),
    ];
    table(&["ms", "count", "p50", "p90", "p99", "max"], rows)
}

fn costs(report: &Report) -> Table {
    let calls = &report.calls;
    let mut rows = vec![
        ("partner calls per request", format!("{:.1}", calls.per_request)),
        ("share of asking everyone", format!("{:.3}", calls.of_everyone)),
        ("partner calls per second", format!("{:.0}", calls.per_second)),
        ("questions per message", format!("{:.2}", calls.per_message)),
        ("broker CPU per call", format!("{:.2} us", report.broker_call_us)),
        ("JetStream messages per order", format!("{:.2}", report.messages_per_order)),
        ("drained after", format!("{:.1} s", report.requests.drained_after_s)),
    ];
    if report.load.seconds >= SLOPE_SECONDS_MIN {
        let slope = format!("{:+.1} ms", report.latency_slope_per_hour);
        rows.push(("latency, change per hour", slope));
    }
    if let Some(flash) = report.flash {
        let sold = format!("{} of {}, {} oversold", flash.sold, flash.copies, flash.oversold);
        rows.push(("copies sold", sold));
    }
    if let Some(raw) = &report.baseline {
        let carried = |calls: f64, us: f64| format!("{calls:.0} calls/s, {us:.2} us");
        let batched = carried(raw.calls_per_second, raw.server_call_us);
        rows.push(("raw transport, server CPU per call", batched));
        rows.push(("share of the raw transport", format!("{:.3}", raw.share)));
        let single = carried(raw.single_per_second, raw.single_call_us);
        rows.push(("raw, one question to a message", single));
        rows.push(("share of that", format!("{:.3}", raw.single_share)));
    }
    table(&["cost", ""], rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]))
}

fn processes(report: &Report) -> Table {
    let sloped = report.load.seconds >= SLOPE_SECONDS_MIN;
    let rows = report.processes.iter().map(|process| {
        let mb = |value: f64| format!("{value:.0}");
        vec![
            process.name.clone(),
            format!("{:.2}", process.cores),
            mb(process.resident_mb_first),
            mb(process.resident_mb_max),
            mb(process.resident_mb_last),
            if sloped { format!("{:+.0}", process.resident_mb_per_hour) } else { String::new() },
        ]
    });
    table(&["process", "cores", "MB first", "MB max", "MB last", "MB/h"], rows)
}

fn prices(report: &Report) -> Table {
    let rows = report.prices.iter().map(|price| {
        vec![
            price.strategy.clone(),
            price.orders.to_string(),
            format!("{:.1}", price.asked),
            format!("{:.2}", price.above_percent.mean),
            format!("{:.2}", price.above_percent.p90),
            price.at_minimum.to_string(),
            format!("{:.0}", price.latency_p50_ms),
        ]
    });
    let head =
        ["strategy", "orders", "asked", "% above min", "p90", "at the min", "latency p50, ms"];
    table(&head, rows)
}
