//! The NATS micro service `broker`: the same commands as through the streams, answered after the
//! broker's own sync. No call goes unanswered: what cannot be worked on now is told so at once.

mod admin;
mod letters;
mod list;
mod partners;
mod receipt;
pub mod reply;
pub mod room;
mod sweeps;

use std::sync::Arc;
use std::time::Instant;

use async_nats::service::endpoint::Endpoint;
use async_nats::service::{Request, Service, ServiceExt};
use async_nats::{Client, jetstream};
use broker_core::engine::input::Input;
use bytes::Bytes;
use futures_util::StreamExt;
use schemas::subject::{self, PurchaseOperation, parse_purchase, purchase_api_endpoint};
use schemas::{CustomerId, DurationMs, RejectReason, problem::Problem};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::ingress::decode::Decoder;
use crate::ingress::envelope;
use crate::mailbox::Intake;
use crate::nats::{NatsError, headers};
use crate::storage::Storage;
use crate::waiters::{Call, Waiter, Waiters};
use crate::wire::command;
use room::Room;

/// Name under which `$SRV` lists it.
pub const NAME: &str = "broker";

/// Whoever finds no place may come back after so long: most calls take milliseconds.
const RETRY_AFTER: DurationMs = DurationMs::from_secs(1);

/// What the endpoints share.
#[derive(Clone)]
pub struct Calls {
    pub intake: Intake,
    pub waiters: Arc<Waiters>,
    pub decoder: Arc<Decoder>,
    pub storage: Arc<Storage>,
    /// For dead letters that an operator drops.
    pub jetstream: jetstream::Context,
    /// One place per call being worked on.
    pub room: Room,
    /// Becomes true when no more calls are to be taken.
    pub stop: watch::Receiver<bool>,
}

/// Registers the service and its endpoints; each endpoint has its own task from here on, which
/// ends with the service.
///
/// # Errors
/// The server refuses a subscription.
pub async fn start(
    client: &Client,
    calls: &Calls,
) -> Result<(Service, Vec<JoinHandle<()>>), NatsError> {
    let failed = |source| NatsError::Service { source };
    let service = client
        .service_builder()
        .description("Buys books: create, get, list, update, cancel, accept_quote, receipt")
        .start(NAME, env!("CARGO_PKG_VERSION"))
        .await
        .map_err(failed)?;
    let mut tasks = Vec::new();
    for operation in PurchaseOperation::ALL {
        let endpoint = service
            .endpoint_builder()
            .name(operation.label())
            .add(purchase_api_endpoint(operation))
            .await
            .map_err(failed)?;
        tasks.push(tokio::spawn(calls.clone().run(operation, endpoint)));
    }
    for operation in admin::OFFERED {
        let endpoint = service
            .endpoint_builder()
            .name(operation.label())
            .add(subject::admin(operation))
            .await
            .map_err(failed)?;
        tasks.push(tokio::spawn(calls.clone().run_admin(operation, endpoint)));
    }
    known_to_the_server(client).await;
    Ok((service, tasks))
}

/// Subscribing only queues the words. The server works through one connection in order: once it
/// has carried a question of ours, it knows the endpoints that were registered before. Until then
/// a call would find nobody, and a broker that says it is ready would be lying.
async fn known_to_the_server(client: &Client) {
    if let Err(error) = client.request(subject::service_ping(NAME), Bytes::new()).await {
        // Disconnected: the client subscribes again before readiness returns.
        tracing::warn!(%error, "the micro service could not be seen on the server yet");
    }
}

impl Calls {
    /// After the stop, calls that are already here are still answered: with a refusal.
    async fn run(mut self, operation: PurchaseOperation, mut endpoint: Endpoint) {
        loop {
            let stopping = *self.stop.borrow();
            let next = tokio::select! {
                biased;
                request = endpoint.next() => request,
                _ = self.stop.changed(), if !stopping => continue,
            };
            match next {
                Some(request) if *self.stop.borrow() => {
                    let problem = Problem::new(RejectReason::ShuttingDown, "try another broker");
                    reply::refuse_now(&request, operation, problem).await;
                }
                Some(request) => self.take(operation, request).await,
                None => return,
            }
        }
    }

    async fn take(&self, operation: PurchaseOperation, request: Request) {
        let since = Instant::now();
        let Some((_, customer)) = parse_purchase(&request.message.subject) else {
            let problem = Problem::new(RejectReason::FieldInvalid, "the customer_id is malformed");
            return reply::refuse_now(&request, operation, problem).await;
        };
        let Some(place) = self.room.take(operation) else {
            let problem = Problem::new(RejectReason::Overloaded, "too many calls; try again");
            let problem = problem.with_retry_after(RETRY_AFTER);
            return reply::refuse_now(&request, operation, problem).await;
        };
        let call = Call { request, operation, about: None, since, place };
        match operation {
            PurchaseOperation::List => {
                let storage = Arc::clone(&self.storage);
                tokio::spawn(list::answer(call, customer, storage));
            }
            PurchaseOperation::Receipt => {
                tokio::spawn(receipt::answer(call, customer, self.clone()));
            }
            PurchaseOperation::Get => self.get(call, customer).await,
            PurchaseOperation::Create
            | PurchaseOperation::Update
            | PurchaseOperation::Cancel
            | PurchaseOperation::AcceptQuote => self.change(call, customer).await,
        }
    }

    async fn get(&self, mut call: Call, customer: CustomerId) {
        match command::get(&call.request.message.payload) {
            Ok(request) => {
                call.about = Some(request);
                let origin = self.waiters.add(Waiter::Call(call));
                self.send(Input::Get { origin, customer, request }, origin).await;
            }
            Err(problem) => reply::refuse(&call, problem).await,
        }
    }

    async fn change(&self, mut call: Call, customer: CustomerId) {
        let body = &call.request.message.payload;
        let of_call = call.request.message.headers.as_ref();
        let decoded = envelope::check(of_call)
            .and_then(|()| self.decoder.purchase(call.operation, customer, body))
            .map(|decoded| decoded.traced(headers::trace(of_call), self.decoder.sampling));
        match decoded {
            Ok(decoded) => {
                call.about = decoded.request();
                let origin = self.waiters.add(Waiter::Call(call));
                self.send(decoded.into_input(origin, None), origin).await;
            }
            Err(problem) => reply::refuse(&call, problem).await,
        }
    }

    async fn send(&self, input: Input, origin: broker_core::engine::input::Origin) {
        if self.intake.send(input).await.is_err()
            && let Some(Waiter::Call(call)) = self.waiters.take(origin)
        {
            let problem = Problem::new(RejectReason::ShuttingDown, "try another broker");
            reply::refuse(&call, problem).await;
        }
    }
}
