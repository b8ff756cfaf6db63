//! Tables for people, JSON for programs.

use std::io::{self, Write};

use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table, presets};
use schemas::DurationMs;
use schemas::purchase::PurchaseStatus;
use serde::Serialize;

/// To whom we speak.
#[derive(Debug, Clone, Copy)]
pub(super) struct Out {
    pub(super) json: bool,
}

impl Out {
    pub(super) const fn new(json: bool) -> Self {
        Self { json }
    }

    /// One JSON document, or what `human` says.
    pub(super) fn show<T: Serialize>(
        self,
        value: &T,
        human: impl FnOnce(&T) -> String,
    ) -> io::Result<()> {
        if self.json {
            let text = serde_json::to_string_pretty(value).map_err(io::Error::from)?;
            line(&text)
        } else {
            line(human(value).trim_end())
        }
    }

    /// One of many: a line of JSON each, so that a program can read while we go on.
    pub(super) fn next<T: Serialize>(
        self,
        value: &T,
        human: impl FnOnce(&T) -> String,
    ) -> io::Result<()> {
        if self.json {
            line(&serde_json::to_string(value).map_err(io::Error::from)?)
        } else {
            line(human(value).trim_end())
        }
    }
}

/// Not `println!`, which panics when the reader has gone.
pub(super) fn line(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}")?;
    stdout.flush()
}

/// An empty table with these columns. Colours only on a terminal, and not against `NO_COLOR`.
pub(super) fn table<const N: usize>(columns: [&str; N]) -> Table {
    let mut table = plain();
    table.set_header(columns.map(|name| Cell::new(name).add_attribute(Attribute::Bold)));
    table
}

/// A name and its value per row.
pub(super) fn sheet(rows: Vec<(&str, Cell)>) -> String {
    let mut table = plain();
    for (name, value) in rows {
        table.add_row([Cell::new(name).add_attribute(Attribute::Bold), value]);
    }
    trimmed(&table)
}

fn plain() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Disabled);
    if std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) {
        table.force_no_tty();
    }
    table
}

/// Without the blanks that fill the last column.
pub(super) fn trimmed(table: &Table) -> String {
    table.trim_fmt()
}

pub(super) fn status(status: PurchaseStatus) -> Cell {
    let color = match status {
        PurchaseStatus::Ordered => Color::Green,
        PurchaseStatus::Pending | PurchaseStatus::Searching | PurchaseStatus::Ordering => {
            Color::Blue
        }
        PurchaseStatus::Quoted | PurchaseStatus::OutOfStock => Color::Yellow,
        PurchaseStatus::Expired | PurchaseStatus::Failed => Color::Red,
        PurchaseStatus::Canceled => Color::DarkGrey,
    };
    Cell::new(status.label()).fg(color)
}

/// `good` is green, the rest is red.
pub(super) fn verdict(text: impl ToString, good: bool) -> Cell {
    Cell::new(text).fg(if good { Color::Green } else { Color::Red })
}

/// 1,572,864 bytes as `1.5 MiB`, without a float.
pub(super) fn bytes(n: u64) -> String {
    const UNITS: [(&str, u32); 4] = [("GiB", 30), ("MiB", 20), ("KiB", 10), ("B", 0)];
    let (unit, shift) = UNITS.into_iter().find(|(_, shift)| n >= 1 << shift).unwrap_or(("B", 0));
    if shift == 0 {
        return format!("{n} B");
    }
    let tenths = (u128::from(n) * 10) >> shift;
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

/// The largest unit that a span is whole in: `7 d`, `36 h`.
pub(super) fn span(span: DurationMs) -> String {
    const UNITS: [(&str, u64); 5] =
        [("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1000), ("ms", 1)];
    let ms = span.as_ms();
    let whole = UNITS.into_iter().find(|(_, unit)| ms >= *unit && ms.is_multiple_of(*unit));
    let (name, unit) = whole.unwrap_or(("ms", 1));
    format!("{} {name}", ms / unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_shown_in_the_largest_unit_that_loses_nothing() {
        let shown = |secs| span(DurationMs::from_secs(secs));
        assert_eq!([shown(604_800), shown(129_600), shown(90)], ["7 d", "36 h", "90 s"]);
        assert_eq!(span(DurationMs(0)), "0 ms");
    }

    #[test]
    fn sizes_are_cut_to_a_tenth() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1_572_864), "1.5 MiB");
        assert_eq!(bytes(u64::MAX), "17179869183.9 GiB");
    }
}
