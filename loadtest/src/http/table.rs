//! The report in a terminal.

use comfy_table::{Cell, CellAlignment, Table, presets::UTF8_FULL_CONDENSED};

use super::Found;
use super::args::Args;
use super::figures::Figures;
use super::run::Load;

pub(super) fn text(args: &Args, found: &Found, disk: &str) -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let build = if cfg!(debug_assertions) { " (not optimised)" } else { "" };
    let mut text = format!(
        "http: creates for {} s each, {} connections, {} customers, seed {}\n\
         {cores} cores{build}, {disk}\n",
        args.seconds, args.connections, args.customers, args.seed
    );
    let mut rows: Vec<Vec<String>> =
        found.runs.iter().map(|(name, figures)| row(name, figures)).collect();
    if let Some(ceiling) = &found.ceiling {
        rows.push(row("all connections, no pause", &ceiling.flat_out));
        rows.extend(ceiling.tried.iter().map(|tried| row("open", tried)));
    }
    if let Some(raw) = &found.raw {
        rows.extend(raw.runs.iter().map(|(name, figures)| row(name, figures)));
        rows.push(row("raw: all connections, no pause", &raw.flat_out));
    }
    text.push_str(&format!("{}\n", table(rows)));
    if let Some(ceiling) = &found.ceiling {
        text.push_str(&format!("sustained: {:.0} creates/s\n", ceiling.per_second));
    }
    if let (Some(ceiling), Some(raw)) = (&found.ceiling, &found.raw) {
        let share = ceiling.flat_out.per_second / raw.flat_out.per_second;
        text.push_str(&format!("without a pause, share of raw: {share:.3}\n"));
    }
    text.push_str(&format!("{}\n", found.kept.said()));
    text
}

fn table(rows: Vec<Vec<String>>) -> Table {
    let head = [
        "load",
        "asked/s",
        "accepted/s",
        "accepted",
        "others",
        "p50 ms",
        "p99",
        "p99.9",
        "max",
        "late p99",
        "cores",
        "behind",
    ];
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

fn row(name: &str, figures: &Figures) -> Vec<String> {
    let asked = match figures.asked {
        Load::Open { rate } => rate.to_string(),
        Load::Closed => String::new(),
    };
    let others: Vec<String> =
        figures.others.iter().map(|(said, count)| format!("{count} x {said}")).collect();
    let cores: Vec<String> =
        figures.cores.iter().map(|(name, cores)| format!("{name} {cores:.2}")).collect();
    let behind = figures.behind.map_or_else(String::new, |behind| {
        let took = behind.drained_s.map_or("too long".to_owned(), |took| format!("{took:.1} s"));
        format!("{} events, {took}", behind.rows)
    });
    let ms = |value: f64| format!("{value:.1}");
    let latency = figures.latency;
    vec![
        name.to_owned(),
        asked,
        format!("{:.0}", figures.per_second),
        format!("{} of {}", figures.accepted, figures.sent),
        others.join(", "),
        ms(latency.p50),
        ms(latency.p99),
        ms(latency.p999),
        ms(latency.max),
        ms(figures.late.p99),
        cores.join("\n"),
        behind,
    ]
}
