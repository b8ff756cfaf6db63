//! The steady load: customers who ask for books, in every way there is, without pause, whatever
//! is broken at the moment. They are patient: what nobody took is sent again with the same bytes.

mod ask;
mod served;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::StreamExt;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use schemas::event::{Notification, NotificationOutcome};
use schemas::{json, subject::filter};
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};

use crate::harness::{Cluster, Order, Requester};

pub(super) use served::Served;

use super::world::sold_out;
use ask::Ask;

/// Customers of the steady load.
const CUSTOMERS: [&str; 5] = ["ann", "bob", "cleo", "dan", "eve"];
/// The one who floods.
const FLOODER: &str = "flood";
/// Requests that are on their way at once; beyond it the load waits for the broker.
const ON_THEIR_WAY_MAX: usize = 4_000;
/// Creates that the flooder has on their way at once.
const FLOOD_AT_ONCE: usize = 64;
/// One of so many quotes above the limit is accepted nevertheless.
const ACCEPTED_OF: u32 = 2;

/// A load that runs until it is stopped.
pub(super) struct Load {
    served: Arc<Served>,
    flooder: Requester,
    stop: Option<oneshot::Sender<()>>,
    asking: JoinHandle<()>,
    /// Ends with this value.
    _listening: watch::Sender<()>,
}

impl Load {
    /// Starts asking, `rate` times a second.
    pub(super) async fn start(cluster: &Cluster, seed: u64, rate: u32) -> anyhow::Result<Self> {
        let served = Arc::new(Served::default());
        let (listening, end) = watch::channel(());
        let notices = cluster.client().subscribe(filter::notifications()).await;
        let notices = notices.context("listening to notifications")?;
        let customers = CUSTOMERS.map(|name| cluster.requester(name));
        tokio::spawn(listen(notices, customers.to_vec(), Arc::clone(&served), end));
        let (stop, stopped) = oneshot::channel();
        let steady = Steady { customers, served: Arc::clone(&served), seed, rate };
        let asking = tokio::spawn(steady.run(stopped));
        let flooder = cluster.requester(FLOODER);
        Ok(Self { served, flooder, stop: Some(stop), asking, _listening: listening })
    }

    pub(super) fn served(&self) -> &Served {
        &self.served
    }

    /// Asks for no more, and returns once what was asked for has found somebody.
    pub(super) async fn stop(&mut self) -> anyhow::Result<()> {
        if let Some(stop) = self.stop.take() {
            // It ends by itself only by a panic, which is told here.
            let _ = stop.send(());
        }
        (&mut self.asking).await.context("the load ended")
    }

    /// One customer asks for `count` books that nobody has, as fast as the server takes it.
    pub(super) async fn flood(&self, count: u32) -> anyhow::Result<()> {
        let asks = futures_util::stream::iter(0..count).map(|_| async {
            self.flooder.publish_create(&Order::of(sold_out()).build()).await.map(drop)
        });
        let mut asks = asks.buffer_unordered(FLOOD_AT_ONCE);
        while let Some(asked) = asks.next().await {
            asked.context("the flooder is not taken")?;
        }
        Ok(())
    }
}

struct Steady {
    customers: [Requester; CUSTOMERS.len()],
    served: Arc<Served>,
    seed: u64,
    rate: u32,
}

impl Steady {
    async fn run(self, mut stop: oneshot::Receiver<()>) {
        let mut pace = tokio::time::interval(Duration::from_secs(1) / self.rate);
        let mut asks = JoinSet::new();
        for number in 0_u64.. {
            tokio::select! {
                _ = &mut stop => break,
                _ = pace.tick() => {}
            }
            if asks.len() >= ON_THEIR_WAY_MAX {
                drop(asks.join_next().await);
            }
            // Each request has its own dice: the script does not depend on who is faster.
            let mut dice = StdRng::seed_from_u64(self.seed ^ number);
            let customer = self.customers[dice.random_range(0..CUSTOMERS.len())].clone();
            let ask = Ask { customer, served: Arc::clone(&self.served), dice };
            asks.spawn(ask.run());
            while asks.try_join_next().is_some() {}
        }
        while asks.join_next().await.is_some() {}
    }
}

/// Hears what customers are told, until the other end of `end` is dropped.
async fn listen(
    mut notices: async_nats::Subscriber,
    customers: Vec<Requester>,
    served: Arc<Served>,
    mut end: watch::Receiver<()>,
) {
    let mut quotes = 0;
    loop {
        let message = tokio::select! {
            _ = end.changed() => return,
            message = notices.next() => message,
        };
        let Some(message) = message else { return };
        // The auditor reads every notification again and says what is wrong with it.
        let Ok(notice) = json::decode::<Notification>(&message.payload, usize::MAX) else {
            continue;
        };
        served.told(&notice);
        if notice.outcome != NotificationOutcome::Quoted || notice.accept_token.is_none() {
            continue;
        }
        quotes += 1;
        let customer = customers.iter().find(|one| *one.customer() == notice.customer_id).cloned();
        if let Some(customer) = customer.filter(|_| quotes % ACCEPTED_OF == 0) {
            // An answer that gets lost leaves a quote that lapses: both are honest ends.
            tokio::spawn(async move { customer.accept_quote(&notice).await.map(drop) });
        }
    }
}
