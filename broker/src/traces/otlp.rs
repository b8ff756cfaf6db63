//! Spans to a collector, by the SDK's own batches and exporter.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::WithExportConfig as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SpanData, SpanEvents, SpanLinks, SpanProcessor,
};
use schemas::Timestamp;

use super::{Kind, Span};

/// Spans that wait for the next batch; more are dropped.
const QUEUE_SPANS_MAX: usize = 8192;
const BATCH_SPANS_MAX: usize = 512;
const SEND_EVERY: Duration = Duration::from_secs(1);
const SEND_TIMEOUT: Duration = Duration::from_secs(5);

/// A thread of the SDK that sends what is queued.
#[derive(Debug, Clone)]
pub(super) struct Exporter {
    processor: Arc<BatchSpanProcessor>,
    scope: InstrumentationScope,
}

impl Exporter {
    pub(super) fn start(endpoint: &str) -> Result<Self, String> {
        let exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_endpoint(endpoint)
            .with_timeout(SEND_TIMEOUT)
            .build()
            .map_err(|error| error.to_string())?;
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(QUEUE_SPANS_MAX)
            .with_max_export_batch_size(BATCH_SPANS_MAX)
            .with_scheduled_delay(SEND_EVERY)
            .build();
        let mut processor =
            BatchSpanProcessor::builder(exporter).with_batch_config(batches).build();
        let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let resource = Resource::builder().with_service_name("book-purchase-broker");
        processor.set_resource(&resource.with_attribute(version).build());
        let scope = InstrumentationScope::builder("broker").build();
        Ok(Self { processor: Arc::new(processor), scope })
    }

    pub(super) fn tell(&self, span: Span) {
        let flags =
            if span.place.is_sampled() { TraceFlags::SAMPLED } else { TraceFlags::NOT_SAMPLED };
        let trace = TraceId::from_bytes(span.place.trace_id());
        let id = SpanId::from_bytes(span.place.span_id());
        let attributes = span.attributes.into_iter();
        self.processor.on_end(SpanData {
            span_context: SpanContext::new(trace, id, flags, false, TraceState::default()),
            parent_span_id: span.parent.map_or(SpanId::INVALID, SpanId::from_bytes),
            parent_span_is_remote: span.kind == Kind::Consumer,
            span_kind: match span.kind {
                Kind::Internal => SpanKind::Internal,
                Kind::Producer => SpanKind::Producer,
                Kind::Consumer => SpanKind::Consumer,
            },
            name: span.name.into(),
            start_time: instant(span.began),
            end_time: instant(span.ended.max(span.began)),
            attributes: attributes.map(|(key, value)| KeyValue::new(key, value)).collect(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: self.scope.clone(),
        });
    }

    pub(super) fn stop(&self) {
        if let Err(error) = self.processor.shutdown_with_timeout(SEND_TIMEOUT) {
            tracing::warn!(%error, "the last spans were not sent");
        }
    }
}

fn instant(at: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(at.as_unix_ms())
}
