//! Every metric of the broker: names, units and labels stand here and in the files of this
//! folder, and nowhere else, one function per observation. Prefix `broker_`, base units, `_total` for
//! counters; no label takes its values from customers, requests or ISBNs. What the process uses has
//! the names that everybody gives it, `process_…`.

pub mod calls;
pub mod load;
pub mod machine;
pub mod open;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use broker_core::engine::limits::breaker::Switched;
use broker_core::engine::output::Fact;
use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use schemas::PartnerId;
use tokio::sync::watch;

use self::calls::Calls;
use crate::clock::agreement::Doubt;

const TRANSITIONS: &str = "broker_transitions_total";
const ROWS: &str = "broker_transition_rows_total";
const REFUSALS: &str = "broker_refusals_total";
const SWEEPS: &str = "broker_sweeps_total";
const SWEEPS_POSTPONED: &str = "broker_sweeps_postponed_total";
const SWEEP_DURATION: &str = "broker_sweep_duration_seconds";
const SWEEP_COVERAGE: &str = "broker_sweep_coverage_ratio";
const SWEEP_CALLS: &str = "broker_sweep_calls_total";
const SWEEP_ENDS: &str = "broker_sweep_ends_total";
const ROUNDS: &str = "broker_sweep_rounds_total";
const HEDGES: &str = "broker_partner_hedges_total";
const QUESTIONS_SAVED: &str = "broker_partner_questions_saved_total";
const COPIES_AWAITED: &str = "broker_copies_awaited_total";
const DEMOTIONS: &str = "broker_partner_demotions_total";
const QUOTES_UNUSED: &str = "broker_quotes_unused_total";
const QUESTIONS_DROPPED: &str = "broker_questions_dropped_total";
const COMMIT_CONFLICTS: &str = "broker_commit_conflicts_total";
const CREATES_HELD: &str = "broker_creates_held_total";
const CREATES_LET_IN: &str = "broker_creates_let_in_total";
const CREATE_WAIT: &str = "broker_create_wait_seconds";
const DEGRADATIONS: &str = "broker_degradations_total";
const LEFT_OUT: &str = "broker_partners_left_out_total";
const RETRIES_DENIED: &str = "broker_quote_retries_denied_total";
const BREAKERS: &str = "broker_breaker_switches_total";
const BREAKER_OPEN: &str = "broker_breaker_open";
const REPEATS_PUT_OFF: &str = "broker_repeats_put_off_total";
const RESERVATIONS: &str = "broker_reservations_total";
const STRAY_ANSWERS: &str = "broker_stray_answers_total";
const RECEIVED: &str = "broker_messages_received_total";
const DEAD_LETTERS: &str = "broker_dead_letters_total";
const REDELIVERIES: &str = "broker_redeliveries_requested_total";
const SERVICE_REPLIES: &str = "broker_service_replies_total";
const SERVICE_DURATION: &str = "broker_service_duration_seconds";
const PUBLISHED: &str = "broker_messages_published_total";
const PUBLISH_RETRIES: &str = "broker_publish_retries_total";
const LAPSED: &str = "broker_outbox_lapsed_total";
const REWINDS: &str = "broker_outbox_rewinds_total";
const OUTBOX_BACKLOG: &str = "broker_outbox_backlog_rows";
const OUTBOX_IN_FLIGHT: &str = "broker_outbox_in_flight_rows";
const OUTBOX_REFUSED: &str = "broker_outbox_refused";
const STREAM_INCIDENTS: &str = "broker_stream_incidents_total";
const NATS_CONNECTED: &str = "broker_nats_connected";
const NATS_CONNECTIONS: &str = "broker_nats_connections_total";
const SLOW_CONSUMERS: &str = "broker_nats_slow_consumer_events_total";
const ACK_DURABLE: &str = "broker_nats_ack_is_durable";
const CLOCK_DISAGREEMENT: &str = "broker_clock_disagreement_seconds";
const ORDERS_HELD: &str = "broker_orders_held";
const READY: &str = "broker_ready";
const WAITING: &str = "broker_waiting_for_engine";

/// The samples of so long wait to be counted.
const SAMPLES_KEPT_MAX: Duration = Duration::from_secs(1);
/// Buckets around the promises: a sweep's hard stop of 3 s, resolution within 5 s.
const SECONDS: &[f64] =
    &[0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 30.0];
const RATIOS: &[f64] = &[0.0, 0.25, 0.5, 0.8, 0.9, 0.99, 1.0];

/// Installs the process-wide recorder once, and gives the handle that renders it.
///
/// # Errors
/// Another recorder was installed by somebody else.
pub fn install() -> anyhow::Result<PrometheusHandle> {
    static HANDLE: Mutex<Option<PrometheusHandle>> = Mutex::new(None);
    // Held while installing: of two brokers that start at once in one process, one waits.
    let mut installed = HANDLE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = &*installed {
        return Ok(handle.clone());
    }
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)?
        .set_buckets_for_metric(Matcher::Suffix("_ratio".to_owned()), RATIOS)?
        .install_recorder()?;
    describe();
    *installed = Some(handle.clone());
    Ok(handle)
}

/// Counts the samples of histograms until told to stop. The recorder keeps each of them until then,
/// also those of a broker that nobody asks for its metrics.
pub async fn count_samples(recorder: PrometheusHandle, mut stop: watch::Receiver<bool>) {
    let mut often = tokio::time::interval(SAMPLES_KEPT_MAX);
    loop {
        tokio::select! {
            _ = often.tick() => recorder.run_upkeep(),
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

fn describe() {
    describe_counter!(TRANSITIONS, "Applied events, by event and resulting status");
    describe_counter!(ROWS, "Rows of the canonical tables that were taken");
    describe_counter!(REFUSALS, "Events that were refused, by event and reason");
    describe_counter!(SWEEPS, "Sweeps started");
    describe_counter!(SWEEPS_POSTPONED, "Sweeps cut short by our limits that begin again later");
    describe_histogram!(SWEEP_DURATION, Unit::Seconds, "From first question to conclusion");
    describe_histogram!(
        SWEEP_COVERAGE,
        "Share of eligible partners that answered, of sweeps in which all had their turn"
    );
    describe_counter!(SWEEP_CALLS, "Partners asked by sweeps that have ended");
    describe_counter!(SWEEP_ENDS, "Sweeps that have ended, by why");
    describe_counter!(ROUNDS, "Rounds of questions, by why they were opened");
    describe_counter!(HEDGES, "Second copies of questions that were only slow, by partner");
    describe_counter!(
        QUESTIONS_SAVED,
        "Questions not sent, by partner and why: shared, remembered"
    );
    describe_counter!(COPIES_AWAITED, "Sweeps that waited for others to buy, by partner");
    describe_counter!(DEMOTIONS, "Partners that lost their tier at once, by partner and why");
    describe_counter!(QUOTES_UNUSED, "Quote answers nobody used, by why");
    describe_counter!(QUESTIONS_DROPPED, "Quote questions not sent, by why");
    describe_counter!(COMMIT_CONFLICTS, "Commits that found another version and were redecided");
    describe_counter!(CREATES_HELD, "Creates that had to wait to be let in, by customer class");
    describe_counter!(CREATES_LET_IN, "Creates let in after waiting, by customer class");
    describe_histogram!(CREATE_WAIT, Unit::Seconds, "How long creates waited to be let in");
    describe_counter!(DEGRADATIONS, "Steps of degradation taken or taken back, by where to");
    describe_counter!(LEFT_OUT, "Partners left out of a sweep in their turn, by partner and why");
    describe_counter!(RETRIES_DENIED, "Quote questions not asked again for want of budget");
    describe_counter!(BREAKERS, "Breakers that switched, by partner, operation and to what");
    describe_gauge!(BREAKER_OPEN, "1 while a breaker is not closed, by partner and operation");
    describe_counter!(REPEATS_PUT_OFF, "Repeated commands that wait for their receiver's budget");
    describe_counter!(
        RESERVATIONS,
        "Reservations that stores were asked for and that came to their end, by partner and outcome"
    );
    describe_counter!(STRAY_ANSWERS, "Answers about requests that do not exist or concern others");
    describe_counter!(RECEIVED, "Messages taken from streams, by stream");
    describe_counter!(DEAD_LETTERS, "Messages given up, by stream and reason");
    describe_counter!(REDELIVERIES, "Messages that could not be decided now, by stream");
    describe_counter!(SERVICE_REPLIES, "Replies of the micro service, by operation and result");
    describe_histogram!(SERVICE_DURATION, Unit::Seconds, "From service call to its reply");
    describe_counter!(PUBLISHED, "Outbox rows acknowledged, by stream and whether known before");
    describe_counter!(PUBLISH_RETRIES, "Publishes to be repeated, by stream and why");
    describe_counter!(LAPSED, "Outbox rows dropped because their time had passed, by operation");
    describe_counter!(REWINDS, "Times the outbox was replayed because a stream had lost its tail");
    describe_gauge!(OUTBOX_BACKLOG, "Durable outbox rows since the first not yet acknowledged");
    describe_gauge!(OUTBOX_IN_FLIGHT, "Outbox rows sent and not yet acknowledged");
    describe_gauge!(OUTBOX_REFUSED, "1 while a stream refuses what the outbox has for it");
    describe_counter!(STREAM_INCIDENTS, "Streams found recreated or cut, by stream and what");
    describe_gauge!(NATS_CONNECTED, "1 while connected");
    describe_counter!(NATS_CONNECTIONS, "Connections made");
    describe_counter!(SLOW_CONSUMERS, "Times the client dropped messages of a full subscription");
    describe_gauge!(
        ACK_DURABLE,
        "1 if a publish acknowledgement survives a power cut, 0 if not or unknown"
    );
    describe_gauge!(
        CLOCK_DISAGREEMENT,
        Unit::Seconds,
        "Largest difference between wall clock, monotonic time and the time given out"
    );
    describe_gauge!(ORDERS_HELD, "1 while no order is placed, by how the clock is in doubt");
    describe_gauge!(READY, "1 once recovered and connected");
    describe_gauge!(WAITING, "Messages and calls that wait for the engine's answer");
    calls::describe();
    load::describe();
    open::describe();
    machine::describe();
}

/// Counts what the engine observed. `name_of` gives the label of a partner.
pub fn fact<'a>(
    fact: &Fact,
    calls: &Calls,
    name_of: impl Fn(broker_core::partner::PartnerIndex) -> &'a PartnerId,
) {
    match fact {
        Fact::Transition { event, rows, to, .. } => {
            counter!(TRANSITIONS, "event" => *event, "status" => to.label()).increment(1);
            for row in rows {
                counter!(ROWS, "row" => row.label()).increment(1);
            }
        }
        Fact::Refused { event, reason, .. } => {
            counter!(REFUSALS, "event" => *event, "reason" => reason.label()).increment(1);
        }
        Fact::SweepStarted { .. } => counter!(SWEEPS).increment(1),
        Fact::SearchPostponed { .. } => counter!(SWEEPS_POSTPONED).increment(1),
        Fact::RoundOpened { why, .. } => counter!(ROUNDS, "why" => why.label()).increment(1),
        Fact::Hedged { partner } => {
            counter!(HEDGES, "partner" => name_of(*partner).to_string()).increment(1);
        }
        Fact::QuestionShared { partner } => question_saved("shared", name_of(*partner)),
        Fact::AnswerRemembered { partner } => question_saved("remembered", name_of(*partner)),
        Fact::WaitsForCopies { partner } => {
            counter!(COPIES_AWAITED, "partner" => name_of(*partner).to_string()).increment(1);
        }
        Fact::Demoted { partner, why } => {
            let partner = name_of(*partner).to_string();
            counter!(DEMOTIONS, "partner" => partner, "why" => why.label()).increment(1);
        }
        Fact::SweepClosed {
            took_ms, answered, eligible, called, all_had_their_turn, why, ..
        } => {
            counter!(SWEEP_CALLS).increment(count(*called));
            counter!(SWEEP_ENDS, "why" => why.label()).increment(1);
            histogram!(SWEEP_DURATION).record(seconds(*took_ms));
            // Of a sweep that ended early the share says nothing about partners.
            if *all_had_their_turn && *eligible > 0 {
                histogram!(SWEEP_COVERAGE).record(ratio(*answered, *eligible));
            }
        }
        Fact::Quote { partner, outcome, took_ms } => calls.ended(*partner, *outcome, *took_ms),
        Fact::LateQuote => counter!(QUOTES_UNUSED, "why" => "late").increment(1),
        Fact::DuplicateQuote => counter!(QUOTES_UNUSED, "why" => "duplicate").increment(1),
        Fact::InvalidQuote { .. } => counter!(QUOTES_UNUSED, "why" => "invalid").increment(1),
        Fact::CommitConflict { .. } => counter!(COMMIT_CONFLICTS).increment(1),
        Fact::Waits { class } => counter!(CREATES_HELD, "class" => class.label()).increment(1),
        Fact::LetIn { class, waited_ms } => {
            counter!(CREATES_LET_IN, "class" => class.label()).increment(1);
            histogram!(CREATE_WAIT).record(seconds(*waited_ms));
        }
        Fact::Rung(rung) => counter!(DEGRADATIONS, "to" => rung.label()).increment(1),
        Fact::LeftOut { partner, why } => {
            let partner = name_of(*partner).to_string();
            counter!(LEFT_OUT, "partner" => partner, "why" => why.label()).increment(1);
        }
        Fact::RetryDenied { partner } => {
            counter!(RETRIES_DENIED, "partner" => name_of(*partner).to_string()).increment(1);
        }
        Fact::Breaker { partner, operation, to } => {
            breaker(name_of(*partner).to_string(), operation.label(), *to);
        }
        Fact::RepeatPutOff { .. } => counter!(REPEATS_PUT_OFF).increment(1),
        Fact::Hold { partner, end } => {
            let partner = name_of(*partner).to_string();
            counter!(RESERVATIONS, "partner" => partner, "outcome" => end.label()).increment(1);
        }
        Fact::StrayAnswer { reason, .. } => {
            counter!(STRAY_ANSWERS, "reason" => reason.label()).increment(1);
        }
    }
}

fn question_saved(why: &'static str, partner: &PartnerId) {
    counter!(QUESTIONS_SAVED, "partner" => partner.to_string(), "why" => why).increment(1);
}

fn breaker(partner: String, operation: &'static str, to: Switched) {
    let open = to == Switched::Opened;
    gauge!(BREAKER_OPEN, "partner" => partner.clone(), "operation" => operation).set(flag(open));
    counter!(BREAKERS, "partner" => partner, "operation" => operation, "to" => to.label())
        .increment(1);
}

/// A quote answer that could not be read.
pub fn quote_unreadable() {
    counter!(QUOTES_UNUSED, "why" => "unreadable").increment(1);
}

/// Questions that were not sent: `disconnected`, `overload` or `refused`.
pub fn questions_dropped(why: &'static str, questions: usize) {
    counter!(QUESTIONS_DROPPED, "why" => why).increment(count(questions));
}

pub fn received(stream: &'static str) {
    counter!(RECEIVED, "stream" => stream).increment(1);
}

pub fn dead_letter(stream: &'static str, reason: &'static str) {
    counter!(DEAD_LETTERS, "stream" => stream, "reason" => reason).increment(1);
}

pub fn redelivery(stream: &'static str) {
    counter!(REDELIVERIES, "stream" => stream).increment(1);
}

/// `result` is `accepted`, `replayed`, `page` or a reject reason.
pub fn service_reply(operation: &'static str, result: &'static str, took: Duration) {
    counter!(SERVICE_REPLIES, "operation" => operation, "result" => result).increment(1);
    histogram!(SERVICE_DURATION, "operation" => operation).record(took.as_secs_f64());
}

pub fn published(stream: &'static str, duplicate: bool) {
    let known = if duplicate { "true" } else { "false" };
    counter!(PUBLISHED, "stream" => stream, "duplicate" => known).increment(1);
}

/// `why` is `timeout`, `refused` or `not_sent`.
pub fn publish_retry(stream: &'static str, why: &'static str) {
    counter!(PUBLISH_RETRIES, "stream" => stream, "why" => why).increment(1);
}

pub fn lapsed(operation: &'static str) {
    counter!(LAPSED, "operation" => operation).increment(1);
}

pub fn rewound(stream: &str) {
    counter!(REWINDS, "stream" => stream.to_owned()).increment(1);
}

pub fn outbox(backlog: u64, in_flight: usize) {
    gauge!(OUTBOX_BACKLOG).set(number(backlog));
    gauge!(OUTBOX_IN_FLIGHT).set(number(count(in_flight)));
}

pub fn outbox_refused(stream: &'static str, refused: bool) {
    gauge!(OUTBOX_REFUSED, "stream" => stream).set(flag(refused));
}

/// `what` is `recreated`, `shorter` or `renumbered`.
pub fn stream_incident(stream: &str, what: &'static str) {
    counter!(STREAM_INCIDENTS, "stream" => stream.to_owned(), "what" => what).increment(1);
}

pub fn nats_connected(connected: bool) {
    gauge!(NATS_CONNECTED).set(flag(connected));
    if connected {
        counter!(NATS_CONNECTIONS).increment(1);
    }
}

pub fn slow_consumer() {
    counter!(SLOW_CONSUMERS).increment(1);
}

pub fn ack_durable(durable: bool) {
    gauge!(ACK_DURABLE).set(flag(durable));
}

pub fn clock_disagreement(ms: u64) {
    gauge!(CLOCK_DISAGREEMENT).set(seconds(ms));
}

/// No order is placed for this reason; `None` if orders flow.
pub fn orders_held(why: Option<&'static str>) {
    for kind in Doubt::LABELS {
        gauge!(ORDERS_HELD, "clock" => kind).set(flag(why == Some(kind)));
    }
}

pub fn ready(ready: bool) {
    gauge!(READY).set(flag(ready));
}

pub fn waiting(waiting: usize) {
    gauge!(WAITING).set(number(count(waiting)));
}

fn flag(on: bool) -> f64 {
    if on { 1.0 } else { 0.0 }
}

fn seconds(ms: u64) -> f64 {
    Duration::from_millis(ms).as_secs_f64()
}

fn ratio(part: usize, whole: usize) -> f64 {
    number(count(part)) / number(count(whole))
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

/// Exact up to 2^32; nothing counted here grows beyond it.
fn number(n: u64) -> f64 {
    f64::from(u32::try_from(n).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_the_prefix_and_counters_end_in_total() {
        let handle = install().unwrap();
        quote_unreadable();
        ready(true);
        service_reply("create", "accepted", Duration::from_millis(3));
        let text = handle.render();
        for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let ours = ["broker_", "process_"].iter().any(|prefix| line.starts_with(prefix));
            assert!(ours, "{line}");
        }
        assert!(text.contains("broker_quotes_unused_total{why=\"unreadable\"}"), "{text}");
        assert!(text.contains("broker_service_duration_seconds_bucket"), "{text}");
    }

    #[test]
    fn installing_twice_gives_the_same_recorder() {
        install().unwrap();
        slow_consumer();
        assert!(install().unwrap().render().contains("broker_nats_slow_consumer_events_total"));
    }
}
