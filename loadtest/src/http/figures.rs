//! What a load came to.

use std::collections::BTreeMap;
use std::time::Duration;

use super::connection::Said;
use super::run::{Call, Load};
use crate::load::Values;
use crate::process;

/// The figures of one load; times are milliseconds.
#[derive(Debug, Clone)]
pub(super) struct Figures {
    pub(super) asked: Load,
    pub(super) sent: usize,
    pub(super) accepted: usize,
    /// Until the last answer.
    pub(super) per_second: f64,
    /// By what was said instead of 202.
    pub(super) others: BTreeMap<String, usize>,
    /// Intended call to 202.
    pub(super) latency: Tail,
    /// How late calls left: no connection was free, or the generator slept.
    pub(super) late: Tail,
    /// Cores used meanwhile, by process.
    pub(super) cores: Vec<(&'static str, f64)>,
    /// Events that were not published yet when the last caller was answered, and how long that
    /// took then.
    pub(super) behind: Option<Behind>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Behind {
    pub(super) rows: u64,
    /// None: longer than anybody waited.
    pub(super) drained_s: Option<f64>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Tail {
    pub(super) p50: f64,
    pub(super) p99: f64,
    pub(super) p999: f64,
    pub(super) max: f64,
}

impl Tail {
    fn of(times: impl Iterator<Item = Duration>) -> Self {
        let values: Values = times.map(|time| time.as_secs_f64() * 1e3).collect();
        let [p50, p99, p999, max] = [500, 990, 999, 1000].map(|permille| values.at(permille));
        Self { p50, p99, p999, max }
    }
}

impl Figures {
    pub(super) fn of(asked: Load, calls: &[Call], cores: Vec<(&'static str, f64)>) -> Self {
        let is_accepted = |call: &&Call| call.said == Said::ACCEPTED;
        let accepted = calls.iter().filter(is_accepted).count();
        let end = calls.iter().map(|call| call.answered).max().unwrap_or_default();
        let mut others: BTreeMap<String, usize> = BTreeMap::new();
        for call in calls.iter().filter(|call| !is_accepted(call)) {
            *others.entry(name(call.said)).or_default() += 1;
        }
        let waited = |call: &Call| call.answered.saturating_sub(call.intended);
        Self {
            asked,
            sent: calls.len(),
            accepted,
            per_second: accepted as f64 / end.as_secs_f64().max(1e-9),
            others,
            latency: Tail::of(calls.iter().filter(is_accepted).map(waited)),
            late: Tail::of(calls.iter().map(|call| call.sent.saturating_sub(call.intended))),
            cores,
            behind: None,
        }
    }
}

fn name(said: Said) -> String {
    match said {
        Said::Status { code, replayed: false } => code.to_string(),
        Said::Status { code, replayed: true } => format!("{code} replayed"),
        Said::Nothing => "no answer".to_owned(),
    }
}

/// CPU of processes since a moment.
pub(super) struct Used(Vec<(&'static str, u32, Duration)>);

impl Used {
    pub(super) fn now(processes: &[(&'static str, u32)]) -> anyhow::Result<Self> {
        let one =
            |&(name, pid): &(&'static str, u32)| anyhow::Ok((name, pid, process::cpu_time(pid)?));
        Ok(Self(processes.iter().map(one).collect::<anyhow::Result<_>>()?))
    }

    /// Cores used since then.
    pub(super) fn cores(self, wall: Duration) -> anyhow::Result<Vec<(&'static str, f64)>> {
        let one = |(name, pid, before)| {
            let used = process::cpu_time(pid)?.saturating_sub(before);
            anyhow::Ok((name, used.as_secs_f64() / wall.as_secs_f64().max(1e-9)))
        };
        self.0.into_iter().map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use schemas::RequestId;

    use super::*;

    fn call(intended_ms: u64, answered_ms: u64, said: Said) -> Call {
        Call {
            request: RequestId::from_parts(1, answered_ms.into()),
            caller: 0,
            intended: Duration::from_millis(intended_ms),
            sent: Duration::from_millis(intended_ms + 1),
            answered: Duration::from_millis(answered_ms),
            said,
        }
    }

    #[test]
    fn a_call_that_had_to_wait_for_a_connection_waited_since_it_was_meant() {
        let refused = Said::Status { code: 503, replayed: false };
        let calls = [
            call(0, 10, Said::ACCEPTED),
            call(100, 2_000, Said::ACCEPTED),
            call(200, 300, refused),
        ];
        let figures = Figures::of(Load::Open { rate: 2 }, &calls, Vec::new());
        assert_eq!((figures.sent, figures.accepted), (3, 2));
        assert!((figures.per_second - 1.0).abs() < 1e-9, "{}", figures.per_second);
        assert!((figures.latency.max - 1_900.0).abs() < 1e-9, "{:?}", figures.latency);
        assert_eq!(figures.others, BTreeMap::from([("503".to_owned(), 1)]));
    }
}
