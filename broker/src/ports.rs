//! The engine's outputs on their way out. Called on the engine's thread: everything here hands over
//! to another thread or task and returns.

use std::sync::Arc;

use broker_core::Batch;
use broker_core::engine::input::{CommitToken, Origin};
use broker_core::engine::limits::load::Load;
use broker_core::engine::output::{Answer, Fact, Question};
use broker_core::engine::ranking::snapshot::Snapshot;
use broker_core::partner::{PartnerIndex, Partners};
use schemas::{DurationMs, RequestId, Timestamp};
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::driver::Ports;
use crate::metrics;
use crate::metrics::calls::Calls;
use crate::questions::send::Ask;
use crate::storage::Storage;
use crate::traces::{Kind, Span, Traces, span_of};

/// The real ones.
pub struct ShellPorts {
    pub storage: Arc<Storage>,
    pub questions: mpsc::Sender<Ask>,
    /// Bounded by the number of waiters.
    pub answers: mpsc::UnboundedSender<(Origin, Answer)>,
    pub clock: Clock,
    pub calls: Calls,
    pub partners: Partners,
    /// The load as it was last shown.
    pub shown: Option<Load>,
    pub traces: Traces,
}

impl Ports for ShellPorts {
    fn load(&mut self, request: RequestId) {
        self.storage.load(request);
    }

    fn commit(&mut self, token: CommitToken, batch: Box<Batch>) {
        self.storage.commit(token, batch);
    }

    fn ask(&mut self, partner: PartnerIndex, questions: Vec<Question>) {
        let count = questions.len();
        if self.questions.try_send((partner, questions)).is_err() {
            metrics::questions_dropped("overload", count);
        }
    }

    fn done(&mut self, origin: Origin, answer: Answer) {
        // The task that passes answers on outlives the engine, except when the process is dying.
        let _ = self.answers.send((origin, answer));
    }

    fn scan_timers(&mut self, until: Timestamp) {
        self.storage.scan_timers(until);
    }

    fn keep_ranking(&mut self, snapshot: Box<Snapshot>) {
        self.storage.keep_ranking(snapshot);
    }

    fn observe(&mut self, fact: Fact) {
        log(&fact, &self.partners);
        self.trace(&fact);
        metrics::fact(&fact, &self.calls, |partner| &self.partners.at(partner).id);
    }

    fn show(&mut self, load: Load) {
        metrics::load::show(&load, self.shown.as_ref(), &self.partners);
        self.shown = Some(load);
        self.storage.show(self.clock.now());
    }
}

impl ShellPorts {
    fn trace(&self, fact: &Fact) {
        let Fact::SweepClosed { request, took_ms, answered, eligible, called, why, trace, .. } =
            fact
        else {
            return;
        };
        if !self.traces.wants(*trace) {
            return;
        }
        let ended = self.clock.now();
        self.traces.tell(Span {
            place: trace.at(span_of(&format!("sweep {request} {}", ended.as_unix_ms()))),
            parent: Some(trace.span_id()),
            kind: Kind::Internal,
            name: "sweep".to_owned(),
            began: ended.saturating_sub(DurationMs(*took_ms)),
            ended,
            attributes: vec![
                ("request_id", request.to_string()),
                ("answered", answered.to_string()),
                ("eligible", eligible.to_string()),
                ("called", called.to_string()),
                ("why", why.label().to_owned()),
            ],
        });
    }
}

fn log(fact: &Fact, partners: &Partners) {
    match fact {
        Fact::Transition { request, event, from, to, .. } => {
            let from = from.map_or("none", |status| status.label());
            tracing::debug!(%request, event, from, to = to.label(), "transition");
        }
        Fact::Refused { request, event, reason } => {
            tracing::debug!(%request, event, reason = reason.label(), "refused");
        }
        Fact::SweepClosed { request, took_ms, answered, eligible, called, why, .. } => {
            let why = why.label();
            tracing::debug!(%request, took_ms, answered, eligible, called, why, "sweep closed");
        }
        Fact::StrayAnswer { request, reason } => {
            tracing::warn!(%request, reason = reason.label(), "an answer that concerns nobody");
        }
        Fact::CommitConflict { request } => {
            tracing::warn!(%request, "the store had another version; decided again");
        }
        Fact::Demoted { partner, why } => {
            let partner = &partners.at(*partner).id;
            tracing::warn!(%partner, why = why.label(), "a partner has lost its tier");
        }
        Fact::Breaker { partner, operation, to } => {
            let (partner, operation) = (&partners.at(*partner).id, operation.label());
            tracing::warn!(%partner, operation, to = to.label(), "a breaker has switched");
        }
        Fact::Rung(rung) => tracing::warn!(to = rung.label(), "degradation has changed"),
        Fact::LeftOut { partner, why } => {
            let (partner, why) = (&partners.at(*partner).id, why.label());
            tracing::debug!(%partner, why, "a partner is left out of a sweep");
        }
        Fact::SweepStarted { .. }
        | Fact::SearchPostponed { .. }
        | Fact::Waits { .. }
        | Fact::LetIn { .. }
        | Fact::RetryDenied { .. }
        | Fact::RepeatPutOff { .. }
        | Fact::Hold { .. }
        | Fact::RoundOpened { .. }
        | Fact::Hedged { .. }
        | Fact::QuestionShared { .. }
        | Fact::AnswerRemembered { .. }
        | Fact::WaitsForCopies { .. }
        | Fact::Quote { .. }
        | Fact::LateQuote
        | Fact::DuplicateQuote
        | Fact::InvalidQuote { .. } => {}
    }
}
