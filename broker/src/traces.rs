//! What happened to a purchase request, as spans of one trace. Their ids follow from the ids of
//! what they are about, so that the lives of a process, and copies of a message, agree on them:
//!
//! ```text
//! (the customer's span) ─▶ purchase ─┬─▶ sweep …
//!                                    └─▶ send … ─▶ (the receiver's spans) ─▶ process …
//! ```
//!
//! Which traces are sampled is settled by the create and durable with it. Spans are told when they
//! have ended; they are a convenience and no promise: a full queue drops them.

#[cfg_attr(not(feature = "otlp"), path = "traces/without.rs")]
mod otlp;

use schemas::trace::purchase_span;
use schemas::{Digest, RequestId, Timestamp, TraceContext};

use crate::config::TracesConfig;

/// What a span is to those beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Internal,
    Producer,
    Consumer,
}

/// A span that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    pub place: TraceContext,
    pub parent: Option<[u8; 8]>,
    pub kind: Kind,
    /// One of few: subjects and ids are attributes.
    pub name: String,
    pub began: Timestamp,
    pub ended: Timestamp,
    pub attributes: Vec<(&'static str, String)>,
}

/// A place of its own for whatever has this name.
pub fn span_of(name: &str) -> [u8; 8] {
    let [a, b, c, d, e, f, g, h, ..] = *Digest::of(name.as_bytes()).as_bytes();
    [a, b, c, d, e, f, g, h]
}

/// Which requests without a trace of their customer's are sampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sampling {
    permille: u16,
}

impl Sampling {
    /// None of them if nothing is exported.
    pub fn of(config: &TracesConfig) -> Self {
        let permille = config.otlp_endpoint.as_ref().map_or(0, |_| config.sampled_permille);
        Self { permille }
    }

    /// The trace to keep with a new request. The same for every copy of its create.
    pub fn trace(self, request: RequestId, brought: Option<TraceContext>) -> Option<TraceContext> {
        let own = || {
            let [a, b, ..] = purchase_span(request);
            // The bits of the variant are always the same.
            let drawn = (u32::from(u16::from_be_bytes([a & 0x3f, b])) * 1000) >> 14;
            let sampled = drawn < u32::from(self.permille);
            sampled.then(|| TraceContext::of_request(request).sampled(true))
        };
        brought.or_else(own)
    }
}

/// Takes spans that have ended; cloning is cheap.
#[derive(Debug, Clone)]
pub struct Traces(Option<otlp::Exporter>);

impl Traces {
    /// # Errors
    /// The exporter cannot be made.
    pub fn start(config: &TracesConfig) -> Result<Self, String> {
        config.otlp_endpoint.as_deref().map(otlp::Exporter::start).transpose().map(Self)
    }

    /// Whether anybody wants to know of spans at this place.
    pub fn wants(&self, place: TraceContext) -> bool {
        self.0.is_some() && place.is_sampled()
    }

    /// Never blocks.
    pub fn tell(&self, span: Span) {
        if let Some(exporter) = &self.0 {
            exporter.tell(span);
        }
    }

    /// Sends what has not been sent. Blocks, for some seconds at most.
    pub fn stop(&self) {
        if let Some(exporter) = &self.0 {
            exporter.stop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(permille: u16) -> TracesConfig {
        let otlp_endpoint = Some("http://localhost:4318/v1/traces".to_owned());
        TracesConfig { otlp_endpoint, sampled_permille: permille }
    }

    #[test]
    fn as_many_requests_are_sampled_as_the_configuration_says() {
        let request = |n: u64| {
            let [a, b, c, d, e, f, g, h] = span_of(&n.to_string());
            // The part of the id that is random and behind its variant.
            let random = u128::from(u64::from_be_bytes([a, b, c, d, e, f, g, h])) << 48;
            RequestId::from_parts(n, random)
        };
        for permille in [0, 100, 1000] {
            let sampling = Sampling::of(&config(permille));
            let sampled =
                (0..10_000).filter(|n| sampling.trace(request(*n), None).is_some()).count();
            assert!(sampled.abs_diff(usize::from(permille) * 10) < 200, "{permille}: {sampled}");
        }
    }

    #[test]
    fn a_customers_own_decision_is_kept() {
        let request = RequestId::from_parts(1, 2);
        let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
        let brought = TraceContext::parse(text);
        assert_eq!(Sampling::of(&config(1000)).trace(request, brought), brought);
        assert_eq!(Sampling::of(&TracesConfig::default()).trace(request, None), None);
    }
}
