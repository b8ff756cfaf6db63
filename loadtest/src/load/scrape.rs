//! What the broker says of its own queues, from its `/metrics` page.

use serde::{Deserialize, Serialize};

/// Waiting things. A queue that this broker does not have is empty.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Queues {
    /// Outbox rows that the server has not acknowledged.
    pub outbox: f64,
    /// Of them, sent.
    pub in_flight: f64,
    /// Messages and calls that wait for the engine.
    pub engine: f64,
}

impl Queues {
    pub(super) fn read(page: &str) -> Self {
        Self {
            outbox: sum(page, "broker_outbox_backlog_rows"),
            in_flight: sum(page, "broker_outbox_in_flight_rows"),
            engine: sum(page, "broker_waiting_for_engine"),
        }
    }
}

/// Sum of all samples of a metric.
fn sum(page: &str, metric: &str) -> f64 {
    let value = |line: &str| {
        let rest = line.strip_prefix(metric)?;
        let of_metric = rest.starts_with(' ') || rest.starts_with('{');
        of_metric.then(|| rest.rsplit(' ').next()?.parse::<f64>().ok()).flatten()
    };
    page.lines().filter_map(value).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_one_metric_are_summed_and_longer_names_are_others() {
        let page = "# TYPE broker_outbox_backlog_rows gauge\nbroker_outbox_backlog_rows 7\n\
                    broker_outbox_backlog_rows_total 100\n\
                    broker_waiting_for_engine{kind=\"a b\"} 1\nbroker_waiting_for_engine{} 2\n";
        assert_eq!(Queues::read(page), Queues { outbox: 7.0, in_flight: 0.0, engine: 3.0 });
    }
}
