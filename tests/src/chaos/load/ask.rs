//! One request of the load, from the first word to the last copy.

use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;
use schemas::purchase::{CancelPurchase, CommandReply, CreatePurchase};
use schemas::subject::PurchaseOperation;
use schemas::{CommandId, RequestId};

use super::Served;
use crate::auditor::Command;
use crate::chaos::pass::pass;
use crate::chaos::world::{PRICE, affordable, sold_out, too_dear};
use crate::harness::{Order, Requester};

/// Tries with the same bytes before a customer gives up: far longer than anything is broken.
const TRIES_MAX: u32 = 120;
/// Between two questions to a micro service that does not answer.
const ASK_AGAIN: Duration = Duration::from_millis(500);
/// How long after the request a second thought may come: anywhere in the life of an order.
const SECOND_THOUGHT_MS_MAX: u64 = 600;
/// Less than it takes to buy anything.
const TOO_SHORT: Duration = Duration::from_millis(120);
/// Whoever watches the price does so for so long.
const WATCHES_FOR: Duration = Duration::from_secs(20);

pub(super) struct Ask {
    pub(super) customer: Requester,
    pub(super) served: Arc<Served>,
    pub(super) dice: StdRng,
}

impl Ask {
    /// Sends one request of a random kind.
    pub(super) async fn run(mut self) {
        let buy = || Order::of(affordable()).max_total(2 * PRICE);
        match self.dice.random_range(0..24) {
            0..=11 => self.publish_create(buy().build()).await,
            12..=14 => self.ask(&buy().build()).await,
            15 => self.twice(buy().build()).await,
            16 => self.another_body(buy().build()).await,
            17 => self.cancel(buy().build()).await,
            18 => self.raise().await,
            19 => self.publish_create(Order::of(too_dear()).max_total(PRICE).build()).await,
            20 => self.publish_create(Order::of(sold_out()).build()).await,
            21 => self.publish_create(buy().expires_in(TOO_SHORT).build()).await,
            22 => self.publish_create(buy().payment_token("tok_declined").build()).await,
            _ => self.garbage().await,
        }
    }

    async fn publish_create(&self, create: CreatePurchase) {
        self.served.asked(create.request_id);
        self.publish(Command::Create(Box::new(create))).await;
    }

    /// Both doors, in either order, and once more.
    async fn twice(&mut self, create: CreatePurchase) {
        self.publish_create(create.clone()).await;
        self.ask(&create).await;
        self.publish(Command::Create(Box::new(create))).await;
    }

    /// The same id with another limit is refused and changes nothing.
    async fn another_body(&mut self, create: CreatePurchase) {
        let other = Order::of(affordable()).max_total(3 * PRICE).id(create.request_id).build();
        self.publish_create(create.clone()).await;
        self.ask(&create).await;
        self.publish(Command::Create(Box::new(other))).await;
    }

    /// A second thought, through either door.
    async fn cancel(&mut self, create: CreatePurchase) {
        let request = create.request_id;
        self.publish_create(create).await;
        self.hesitate().await;
        let cancel = Command::Cancel(cancel_of(request));
        if self.dice.random() {
            self.publish(cancel).await;
        } else {
            self.request(cancel).await;
        }
    }

    /// Watches a book that is too dear, and raises the limit.
    async fn raise(&mut self) {
        let create = Order::of(too_dear()).max_total(PRICE).watch().expires_in(WATCHES_FOR).build();
        let request = create.request_id;
        self.publish_create(create).await;
        self.hesitate().await;
        // Whether it was heard or not, the watch ends honestly.
        drop(self.customer.raise_limit(request, 6 * PRICE).await);
    }

    async fn garbage(&self) {
        let body = bytes::Bytes::from_static(b"{\"request_id\": 7, oops");
        self.publish(Command::Raw { operation: PurchaseOperation::Create, body }).await;
    }

    async fn publish(&self, command: Command) {
        for _ in 0..TRIES_MAX {
            if self.customer.publish_once(&command).await.is_some() {
                return;
            }
        }
    }

    async fn ask(&self, create: &CreatePurchase) {
        self.served.asked(create.request_id);
        self.request(Command::Create(Box::new(create.clone()))).await;
    }

    /// The micro service, with the same bytes until it has decided.
    async fn request(&self, command: Command) {
        let mut pace = tokio::time::interval(ASK_AGAIN);
        for _ in 0..TRIES_MAX {
            pace.tick().await;
            match self.customer.request(command.clone()).await {
                // "Shutting down" and the like: the next broker may answer otherwise.
                Ok(CommandReply::Rejected(problem)) if problem.retryable => {}
                Ok(_) => return,
                Err(_) => {}
            }
        }
    }

    async fn hesitate(&mut self) {
        let ms = self.dice.random_range(0..SECOND_THOUGHT_MS_MAX);
        pass(Duration::from_millis(ms)).await;
    }
}

fn cancel_of(request: RequestId) -> CancelPurchase {
    let command_id = CommandId::parse(&format!("cancel-{request}"));
    let command_id = command_id.expect("a word, a dash and a UUID");
    CancelPurchase { request_id: request, command_id, reason: None }
}
