//! One purchase is one trace: the customer's `traceparent` goes through every message, and a
//! collector is told what happened under it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_nats::{Client, Message};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use broker::config::TracesConfig;
use futures_util::StreamExt;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use partner_sim::profile::ProfileName::Instant;
use prost::Message as _;
use schemas::TraceContext;
use schemas::event::NotificationOutcome::Ordered;
use schemas::purchase::CommandReply;
use schemas::trace::{TRACEPARENT, purchase_span};
use tests::harness::{Order, book, wait};

use crate::stage::{SOON, accepted, start, world};

const BROUGHT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// An OTLP collector that keeps what it is told.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<Span>>>);

impl Collector {
    async fn start() -> (Self, String) {
        let collector = Self::default();
        let app = Router::new().route("/v1/traces", post(take)).with_state(collector.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}/v1/traces", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        (collector, endpoint)
    }

    fn spans(&self) -> Vec<Span> {
        self.0.lock().unwrap().clone()
    }
}

async fn take(State(collector): State<Collector>, body: Bytes) {
    let export = ExportTraceServiceRequest::decode(body).unwrap();
    let scopes = export.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
    collector.0.lock().unwrap().extend(scopes.flat_map(|scope| scope.spans));
}

/// The places in traces of all messages, by the first two words of their subjects.
struct Ear(Arc<Mutex<Vec<(String, TraceContext)>>>);

impl Ear {
    async fn listen(client: &Client) -> Self {
        let mut messages = client.subscribe("*.>").await.unwrap();
        client.flush().await.unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ear = Self(Arc::clone(&heard));
        tokio::spawn(async move {
            while let Some(message) = messages.next().await {
                heard.lock().unwrap().extend(place(&message));
            }
        });
        ear
    }

    fn heard(&self) -> Vec<(String, TraceContext)> {
        self.0.lock().unwrap().clone()
    }
}

fn place(message: &Message) -> Option<(String, TraceContext)> {
    let value = message.headers.as_ref()?.get(TRACEPARENT)?;
    let trace = TraceContext::parse(value.as_str()).unwrap_or_else(|| panic!("{value}"));
    Some((message.subject.to_string(), trace))
}

fn name_of(span: &Span) -> &str {
    &span.name
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purchase_is_one_trace_in_its_customers_own() {
    let (collector, endpoint) = Collector::start().await;
    let traces = TracesConfig { otlp_endpoint: Some(endpoint), ..TracesConfig::default() };
    let mut stage = start(world("traces", 156).partners(Instant, 2).traces(traces)).await;
    let ear = Ear::listen(stage.client()).await;
    let brought = TraceContext::parse(BROUGHT).unwrap();
    let ann = stage.requester("ann").within(brought);
    let create = Order::of(book(1411)).build();
    let request = create.request_id;
    accepted(ann.create(&create).await.unwrap());
    stage.told(request, Ordered).await;

    let wanted = [
        "purchase",
        "sweep",
        "send PARTNER_COMMANDS",
        "send PAYMENT_COMMANDS",
        "send PURCHASE_EVENTS",
        "send NOTIFICATIONS",
        "process PARTNER_REPLIES",
        "process PAYMENT_REPLIES",
    ];
    let spans = wait::until("the collector has every kind of span", SOON, async || {
        let spans = collector.spans();
        let has_all = wanted.iter().all(|name| spans.iter().any(|span| name_of(span) == *name));
        Ok(has_all.then_some(spans))
    });
    let names = || collector.spans().iter().map(|span| span.name.clone()).collect::<Vec<_>>();
    let spans = spans.await.unwrap_or_else(|error| panic!("{error}: {:?}", names()));
    let by_id: BTreeMap<_, _> = spans.iter().map(|span| (span.span_id.clone(), span)).collect();
    for span in &spans {
        assert_eq!(span.trace_id, brought.trace_id(), "{span:#?}");
        assert!(span.end_time_unix_nano >= span.start_time_unix_nano, "{span:#?}");
        let parent = by_id.get(&span.parent_span_id).map(|parent| name_of(parent));
        match name_of(span) {
            "purchase" => {
                assert_eq!(span.span_id, purchase_span(request));
                assert_eq!(span.parent_span_id, brought.span_id());
            }
            name if name.starts_with("process") => {
                let parent = parent.unwrap_or_default();
                assert!(parent.starts_with("send"), "{name} after {parent:?}");
            }
            name => assert_eq!(span.parent_span_id, purchase_span(request), "{name}"),
        }
    }
    let heard = ear.heard();
    for subject in ["partner.", "payment.", "purchase.event.", "notify.", "_INBOX."] {
        assert!(heard.iter().any(|(of, _)| of.starts_with(subject)), "{subject}: {heard:#?}");
    }
    for (subject, trace) in heard {
        assert_eq!(trace.trace_id(), brought.trace_id(), "{subject}");
    }
    stage.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_trace_of_its_customers_a_purchase_has_one_under_its_id() {
    let mut stage = start(world("own trace", 157).partners(Instant, 2)).await;
    let ear = Ear::listen(stage.client()).await;
    let create = Order::of(book(1412)).build();
    stage.requester("ann").publish_create(&create).await.unwrap();
    stage.told(create.request_id, Ordered).await;
    let heard = ear.heard();
    assert!(heard.iter().any(|(of, _)| of.ends_with(".quote")), "{heard:#?}");
    for (subject, trace) in heard {
        assert_eq!(&trace.trace_id(), create.request_id.as_bytes(), "{subject}");
        assert!(!trace.is_sampled(), "nobody collects anything: {subject}");
    }
    stage.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_gone_changes_nothing() {
    let endpoint = Some("http://127.0.0.1:9/v1/traces".to_owned());
    let traces = TracesConfig { otlp_endpoint: endpoint, ..TracesConfig::default() };
    let mut stage = start(world("no collector", 158).partners(Instant, 2).traces(traces)).await;
    let create = Order::of(book(1413)).build();
    let reply = stage.requester("ann").create(&create).await.unwrap();
    assert!(matches!(reply, CommandReply::Accepted { .. }), "{reply:?}");
    stage.told(create.request_id, Ordered).await;
    stage.broker.terminate().await.unwrap();
    stage.broker.start().await.unwrap();
    stage.judge().await;
}
