//! How far the run is: a bar on a terminal, nothing elsewhere.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::ear::Ear;

/// The bar, on standard error so that the report can be piped.
pub(super) struct Progress(ProgressBar);

impl Progress {
    pub(super) fn new(length: Duration) -> Self {
        let shown = std::io::stderr().is_terminal();
        let target =
            if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(length.as_secs().max(1)), target);
        let style = ProgressStyle::with_template("{bar:30} {pos:>4}/{len} s  {msg}");
        Self(bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())))
    }

    pub(super) fn seen(&self, ear: &Ear) {
        let (sent, told) = ear.counts();
        self.0.set_position(ear.start_instant().elapsed().as_secs());
        self.0.set_message(format!("{sent} sent, {told} answered, {} open", sent - told));
    }

    /// What follows the load.
    pub(super) fn now(&self, what: &'static str) {
        self.0.set_message(what);
    }

    pub(super) fn end(self) {
        self.0.finish_and_clear();
    }
}
