//! Watches whether the clock can be trusted: says so once when it changes, and asks the server
//! when its word is all that is missing.

use std::time::{Duration, Instant};

use schemas::DurationMs;

use super::Task;
use crate::clock::agreement::{Doubt, Finding, SERVER_ANSWER_MAX_MS};
use crate::metrics;
use crate::nats::server_time;
use crate::storage::describe;

/// Between two questions to a server that does not answer in time.
const SERVER_PAUSE: Duration = Duration::from_secs(1);

/// What was last said of the clock.
#[derive(Debug, Default)]
pub(super) struct Hour {
    doubt: Option<Doubt>,
    since: Option<Instant>,
    ask_at: Option<Instant>,
}

impl Task {
    /// One look, at every turn.
    pub(super) async fn watch_clock(&mut self) {
        let doubt = self.with.clock.doubt();
        self.hour.tell(doubt);
        let now = Instant::now();
        let may_ask = self.is_session_open() && self.hour.ask_at.is_none_or(|at| at <= now);
        if doubt.is_some() && may_ask && self.ask_server().await {
            self.hour.tell(self.with.clock.doubt());
        }
    }

    /// Whether nothing may be ordered now.
    pub(super) fn doubts_clock(&mut self) -> bool {
        let doubt = self.with.clock.doubt();
        self.hour.tell(doubt);
        doubt.is_some()
    }

    /// True if its answer ended a doubt.
    async fn ask_server(&mut self) -> bool {
        let Some(asked) = self.with.clock.server_time_wanted() else { return false };
        self.hour.ask_at = Some(Instant::now() + SERVER_PAUSE);
        let limit = Duration::from(SERVER_ANSWER_MAX_MS);
        let server = match tokio::time::timeout(limit, server_time::ask(&self.jetstream)).await {
            Ok(Ok(server)) => server,
            Ok(Err(error)) => {
                tracing::warn!(error = describe(&error), "the server does not say what time it is");
                return false;
            }
            Err(_) => {
                tracing::warn!("the server does not say in time what time it is");
                return false;
            }
        };
        match self.with.clock.server_time(asked, server) {
            Finding::Confirmed => true,
            Finding::Contradicted { apart } => {
                tracing::error!(
                    %apart, %server,
                    "wall clock and server disagree about the hour: one of them is wrong"
                );
                false
            }
            Finding::Nothing => false,
        }
    }
}

/// Some doubts end by themselves, if the clock is right; with the others somebody has to help.
fn say(doubt: Doubt) {
    let held = "no order is placed: the clock is in doubt";
    match doubt {
        // As at every start, for the time of one question.
        Doubt::Unconfirmed(DurationMs::ZERO) => tracing::info!(why = %doubt, "{held}"),
        Doubt::Ahead(_) | Doubt::Unconfirmed(_) => tracing::warn!(why = %doubt, "{held}"),
        Doubt::Behind(_) | Doubt::InThePast(_) => tracing::error!(why = %doubt, "{held}"),
    }
}

impl Hour {
    fn tell(&mut self, doubt: Option<Doubt>) {
        let kind = |doubt: Option<Doubt>| doubt.map(Doubt::label);
        if kind(self.doubt) != kind(doubt) {
            metrics::orders_held(doubt.map(Doubt::label));
            match doubt {
                Some(doubt) => {
                    self.since.get_or_insert_with(Instant::now);
                    say(doubt);
                }
                None => {
                    let held_s = self.since.take().map_or(0, |since| since.elapsed().as_secs());
                    tracing::info!(held_s, "orders flow: the clocks agree");
                }
            }
        }
        self.doubt = doubt;
    }
}
