//! The highest rate that is sustained.

use std::time::Duration;

use super::args::Args;
use super::figures::Figures;
use super::run::Load;
use super::stage::Stage;

/// Tried one after the other, as thousandths of what all connections carry without a pause.
const TRIED_PERMILLE: [u32; 7] = [950, 900, 850, 800, 700, 600, 500];
/// Callers wait longer than this, and more wait all the time: such a rate is not sustained.
const P99_MS_MAX: f64 = 250.0;
/// Share of the rate that must be accepted within the time.
const ACCEPTED_MIN: f64 = 0.98;

/// What was found.
pub(super) struct Ceiling {
    /// Every connection calls again as soon as it is answered.
    pub(super) flat_out: Figures,
    /// Accepted at the highest rate that was sustained; 0 if none of those tried was.
    pub(super) per_second: f64,
    pub(super) tried: Vec<Figures>,
}

/// Whatever takes loads.
pub(super) trait Takes {
    async fn take(&mut self, load: Load, length: Duration) -> anyhow::Result<Figures>;
}

impl Takes for Stage {
    async fn take(&mut self, load: Load, length: Duration) -> anyhow::Result<Figures> {
        self.load(load, length).await
    }
}

pub(super) async fn ceiling(server: &mut impl Takes, args: &Args) -> anyhow::Result<Ceiling> {
    let flat_out = server.take(Load::Closed, args.length()).await?;
    let mut tried = Vec::new();
    for permille in TRIED_PERMILLE {
        let rate = (flat_out.per_second * f64::from(permille) / 1000.0) as u32;
        let figures = server.take(Load::Open { rate }, args.length()).await?;
        let sustained = is_sustained(&figures, rate);
        tried.push(figures);
        if sustained {
            break;
        }
    }
    let last = tried.last().filter(|last| match last.asked {
        Load::Open { rate } => is_sustained(last, rate),
        Load::Closed => false,
    });
    let per_second = last.map_or(0.0, |last| last.per_second);
    Ok(Ceiling { flat_out, per_second, tried })
}

pub(super) fn is_sustained(figures: &Figures, rate: u32) -> bool {
    figures.others.is_empty()
        && figures.latency.p99 <= P99_MS_MAX
        && figures.per_second >= f64::from(rate) * ACCEPTED_MIN
}
