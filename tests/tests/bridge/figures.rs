//! What the bridge adds to a call, measured and told, not judged: `--nocapture` shows it.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::rogue::{Rogue, json};
use crate::stage::{SOON, world};

const CALLS: u64 = 500;
const WARM_UP: u64 = 50;
const BODY: &str = r#"{"price": "19.99"}"#;

fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() - 1) * percent / 100]
}

fn told(what: &str, mut took: Vec<Duration>) -> Duration {
    took.drain(..WARM_UP as usize);
    took.sort();
    let p50 = percentile(&took, 50);
    println!("{what}: p50 {p50:?}, p99 {:?}, {} calls", percentile(&took, 99), took.len());
    p50
}

/// The store by itself: one connection that is kept, one call after the other.
async fn direct(rogue: &Rogue) -> Vec<Duration> {
    let mut stream = TcpStream::connect(rogue.address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let request = format!("GET /quote HTTP/1.1\r\nHost: {}\r\n\r\n", rogue.address);
    let mut took = Vec::new();
    for _ in 0..CALLS {
        let begun = Instant::now();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut seen = Vec::new();
        while !seen.ends_with(BODY.as_bytes()) {
            assert!(stream.read_buf(&mut seen).await.unwrap() > 0);
        }
        took.push(begun.elapsed());
    }
    took
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_bridge_adds_to_a_quote_is_told() {
    let rogue = Rogue::start(|_, _| json(200, BODY)).await;
    let file = rogue.file("json", "").replace("[limits]", "[limits]\ncalls_per_s = 100000");
    let stage = world("figures", 41).file("rogue.toml", file).start().await;
    let direct = told("the store alone", direct(&rogue).await);
    let mut took = Vec::new();
    for n in 0..CALLS {
        let begun = Instant::now();
        stage.quote(n, SOON).await.unwrap();
        took.push(begun.elapsed());
    }
    let through = told("by NATS, bridge and store, with a new subscription each", took);
    println!("NATS and bridge add {:?} at the median", through.saturating_sub(direct));
}
