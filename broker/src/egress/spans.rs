//! What leaves, for the trace of its request.

use broker_core::Effect;
use schemas::Timestamp;
use schemas::trace::purchase_span;

use crate::store::{Outgoing, StoredRow};
use crate::traces::{Kind, Span, Traces};
use crate::wire::outgoing::Message;

/// The spans that end when `message` is stored by the server. Nothing if nobody wants them.
pub(super) fn of(row: &StoredRow, message: &Message, traces: &Traces) -> Vec<Span> {
    let Outgoing::Effect(effect_row) = &row.outgoing else { return Vec::new() };
    let Some(place) = message.trace.filter(|place| traces.wants(*place)) else { return Vec::new() };
    let request = effect_row.request;
    let mut spans = vec![Span {
        place,
        parent: Some(purchase_span(request)),
        kind: Kind::Producer,
        name: format!("send {}", message.stream),
        began: row.at,
        ended: row.at,
        attributes: vec![
            ("messaging.system", "nats".to_owned()),
            ("messaging.operation.name", "send".to_owned()),
            ("messaging.destination.name", message.subject.clone()),
            ("messaging.message.id", message.id.to_string()),
            ("request_id", request.to_string()),
        ],
    }];
    // Corrections belong to a purchase that has ended.
    if let Effect::Notify { outcome, number: 0, snapshot, .. } = &effect_row.effect {
        let submission = &snapshot.submission;
        let own = submission.purchase_trace();
        let brought = submission.trace.map(|trace| trace.span_id());
        spans.push(Span {
            place: own,
            parent: brought.filter(|span| *span != own.span_id()),
            kind: Kind::Internal,
            name: "purchase".to_owned(),
            began: submission.created_at,
            ended: row.at,
            attributes: vec![
                ("request_id", request.to_string()),
                ("outcome", outcome.label().to_owned()),
            ],
        });
    }
    spans
}

/// The server has stored the message.
pub(super) fn tell(spans: &[Span], now: Timestamp, traces: &Traces) {
    for span in spans {
        let ended = if span.kind == Kind::Producer { now } else { span.ended };
        traces.tell(Span { ended, ..span.clone() });
    }
}
