//! The live table: one line per request on a terminal, one line per change elsewhere.

use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use schemas::event::NotificationOutcome;
use schemas::purchase::PurchaseStatus;

use super::act::Script;
use super::paint::Paint;
use super::story::{Stories, Story};

const TICK: Duration = Duration::from_millis(80);
/// Wide enough for the longest title of a kind.
const TITLE_CHARS: usize = 26;

pub(super) struct Board {
    scripts: Vec<Script>,
    paint: Paint,
    began: Instant,
    shown: Vec<String>,
    live: Option<(MultiProgress, Vec<ProgressBar>)>,
}

impl Board {
    /// `live` on a terminal.
    pub(super) fn new(scripts: &[Script], paint: Paint, live: bool) -> Self {
        let live = live.then(|| lines(scripts, paint));
        let shown = vec![String::new(); scripts.len()];
        Self { scripts: scripts.to_vec(), paint, began: Instant::now(), shown, live }
    }

    /// Shows what has changed since the last time.
    pub(super) fn refresh(&mut self, stories: &Stories) {
        for (n, script) in self.scripts.iter().enumerate() {
            let story = stories.of(script.request());
            let now = state(&story);
            if now == self.shown[n] {
                continue;
            }
            match &self.live {
                Some((_, bars)) => {
                    bars[n].set_message(self.line(script, &story));
                    let over = story.status.is_some_and(is_end);
                    if over && !bars[n].is_finished() {
                        bars[n].finish();
                    }
                }
                None if !now.is_empty() => {
                    let at = self.began.elapsed().as_secs_f32();
                    println!("{at:6.2} s  {}", self.line(script, &story));
                }
                None => {}
            }
            self.shown[n] = now;
        }
    }

    /// Leaves the last state on the screen.
    pub(super) fn finish(mut self, stories: &Stories) {
        self.refresh(stories);
        if let Some((_, bars)) = &self.live {
            bars.iter().for_each(|bar| bar.abandon());
        }
    }

    fn line(&self, script: &Script, story: &Story) -> String {
        let title = format!("{:<TITLE_CHARS$}", script.kind.title());
        let status = match story.status {
            // Admission follows in the same commit and has no event of its own.
            Some(PurchaseStatus::Pending) => PurchaseStatus::Searching.label(),
            Some(status) => status.label(),
            None => "sent",
        };
        let padded = format!("{status:<13}");
        let status = match story.status {
            Some(PurchaseStatus::Ordered) => self.paint.green(&padded),
            Some(PurchaseStatus::Failed | PurchaseStatus::Expired) => self.paint.red(&padded),
            Some(PurchaseStatus::Ordering) => self.paint.cyan(&padded),
            Some(status) if is_end(status) => self.paint.yellow(&padded),
            Some(_) | None => self.paint.dim(&padded),
        };
        let number = script.number + 1;
        format!("#{number:<3} {title} {status} {}", detail(story))
    }
}

fn lines(scripts: &[Script], paint: Paint) -> (MultiProgress, Vec<ProgressBar>) {
    let all = MultiProgress::with_draw_target(ProgressDrawTarget::stdout());
    let style = ProgressStyle::with_template("{spinner} {wide_msg}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
        .tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏·");
    let bars = scripts.iter().map(|script| {
        let bar = all.add(ProgressBar::new_spinner().with_style(style.clone()));
        let title = format!("{:<TITLE_CHARS$}", script.kind.title());
        bar.set_message(format!("#{:<3} {title} {}", script.number + 1, paint.dim("waiting")));
        bar.enable_steady_tick(TICK);
        bar
    });
    let bars = bars.collect();
    (all, bars)
}

fn is_end(status: PurchaseStatus) -> bool {
    match status {
        PurchaseStatus::Pending | PurchaseStatus::Searching | PurchaseStatus::Ordering => false,
        PurchaseStatus::Quoted
        | PurchaseStatus::OutOfStock
        | PurchaseStatus::Ordered
        | PurchaseStatus::Expired
        | PurchaseStatus::Failed
        | PurchaseStatus::Canceled => true,
    }
}

/// What makes one line differ from the one before.
fn state(story: &Story) -> String {
    let status = story.status.map_or("", PurchaseStatus::label);
    format!("{status} {}", detail(story)).trim().to_owned()
}

fn detail(story: &Story) -> String {
    let mut parts = Vec::new();
    if let Some(notice) = story.notices.last() {
        let view = &notice.request;
        match (&view.checkout, &view.best_quote) {
            (_, Some(best)) => parts.push(format!("best {} at {}", best.total, best.partner_id)),
            (Some(checkout), None) if view.status == PurchaseStatus::Ordered => {
                let total = checkout.order_total.unwrap_or(checkout.quote.total);
                parts.push(format!("{total} at {}", checkout.quote.partner_id));
            }
            _ => {}
        }
        if let Some(failure) = view.failure {
            parts.push(failure.label().to_owned());
        }
        if notice.outcome == NotificationOutcome::ActionRequired {
            parts.push("the customer authenticates".to_owned());
        }
    }
    parts.extend(story.remark.clone());
    parts.join(", ")
}
