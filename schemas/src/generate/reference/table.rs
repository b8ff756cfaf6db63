//! A table of Markdown.

use std::fmt;

/// Columns and rows; a bar inside a cell does not end it.
pub(super) struct Table {
    columns: usize,
    lines: Vec<String>,
}

impl Table {
    pub(super) fn new(heads: &[&str]) -> Self {
        let rule = vec!["---"; heads.len()].join("|");
        let lines = vec![format!("| {} |", heads.join(" | ")), format!("|{rule}|")];
        Self { columns: heads.len(), lines }
    }

    pub(super) fn row<const N: usize>(&mut self, cells: [String; N]) {
        debug_assert_eq!(N, self.columns, "a cell for each column");
        let cells = cells.map(|cell| cell.replace('|', "\\|"));
        self.lines.push(format!("| {} |", cells.join(" | ")));
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}
