//! Everything at once: unreliable stores, and a random one of the processes killed again and again.
//! What becomes of a request in such weather is open; that no promise is broken is not.

use partner_sim::profile::ProfileName::{Callback, Calm, Eventual, Flaky, Liar, Silent};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::kill_broker::traffic;
use crate::load::{honest_books, under_load};
use crate::stage::{start, world};

const BLOWS: u32 = 10;
const MESSAGES_BETWEEN_BLOWS_MAX: usize = 120;

#[tokio::test(flavor = "multi_thread")]
async fn no_promise_breaks_in_a_storm() {
    let scenario = honest_books(
        world("storm", 161)
            .partners(Calm, 2)
            .partners(Flaky, 2)
            .partner("silent", Silent)
            .partner("liar", Liar)
            .partner("callback", Callback)
            .partner("eventual", Eventual),
    );
    let mut stage = start(scenario).await;
    let mut chance = StdRng::seed_from_u64(stage.seed());
    under_load(&mut stage, async |stage| {
        for _ in 0..BLOWS {
            traffic(stage, chance.random_range(1..=MESSAGES_BETWEEN_BLOWS_MAX)).await;
            match chance.random_range(0..6) {
                0 | 1 => {
                    stage.broker.kill_9().unwrap();
                    stage.broker.process.start().unwrap();
                }
                2 => {
                    stage.broker.terminate().await.unwrap();
                    stage.broker.process.start().unwrap();
                }
                3 | 4 => {
                    stage.kill_nats().unwrap();
                    stage.restart_nats().await.unwrap();
                }
                _ => {
                    stage.partners.kill_9().unwrap();
                    stage.partners.start().await.unwrap();
                }
            }
        }
        stage.broker.wait_until_ready().await.unwrap();
    })
    .await;
    stage.judge().await;
}
