//! Following a request: every event once, in order, whatever happens to the connection.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use reqwest::Method;
use schemas::event::NotificationOutcome::{Canceled, Ordered, Quoted};
use serde_json::Value;
use tests::harness::{Order, book};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::Barrier;

use super::alone::Alone;
use super::http::{Http, of, said};
use super::open;
use crate::stage::{flat, start};

/// Long enough for an event on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// One event: its id, its name, its version.
type Heard = (u64, String, u64);

/// Reads events until one is called `last`.
async fn follow(http: &Http, request: &str, after: Option<u64>, last: &str) -> Vec<Heard> {
    let mut call = http.call(Method::GET, &format!("/v1/purchase-requests/{request}/events"));
    if let Some(after) = after {
        call = call.header("Last-Event-ID", after.to_string());
    }
    let response = call.send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut bytes = response.bytes_stream();
    let (mut text, mut heard) = (String::new(), Vec::new());
    loop {
        let next = tokio::time::timeout(PATIENCE, bytes.next()).await;
        let Ok(Some(Ok(chunk))) = next else { panic!("no {last} after {heard:?}") };
        text.push_str(std::str::from_utf8(&chunk).unwrap());
        while let Some((block, rest)) = text.split_once("\n\n") {
            heard.extend(event(block));
            text = rest.to_owned();
            if heard.last().is_some_and(|(_, kind, _)| kind == last) {
                return heard;
            }
        }
    }
}

fn event(block: &str) -> Option<Heard> {
    let field = |name: &str| {
        block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim))
    };
    let data: Value = serde_json::from_str(field("data")?).unwrap();
    assert_eq!(data["event"], field("event")?);
    let version = data["version"].as_u64().unwrap();
    Some((field("id")?.parse().unwrap(), field("event")?.to_owned(), version))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_follows_hears_everything_from_the_beginning_and_goes_on_where_it_left() {
    let isbn = book(910);
    let mut stage = start(open("http events", 871).price_everywhere(isbn, flat(2500))).await;
    let ann = Http::of(&stage, "ann");
    let create = Order::of(isbn).max_total(2000).build();
    let (key, body) = of(&create);
    ann.create(&key, &body).await;
    stage.told(create.request_id, Quoted).await;
    let request = create.request_id.to_string();
    let first = follow(&ann, &request, None, "quoted").await;
    let kinds: Vec<&str> = first.iter().map(|(_, kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["created", "quoted"]);
    assert!(first.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].2 < pair[1].2));

    // While nobody listens, and by a gateway that was started later.
    ann.cancel(create.request_id, "c").await;
    stage.told_later(create.request_id, Canceled).await;
    let mut other = Alone::start(&stage).await;
    let last = first.last().unwrap().0;
    let rest = follow(&other.caller(&stage, "ann"), &request, Some(last), "canceled").await;
    assert_eq!(rest.iter().map(|(_, kind, _)| kind.as_str()).collect::<Vec<_>>(), ["canceled"]);
    // An id that no event can have: from the beginning.
    let all = follow(&ann, &request, Some(u64::MAX - 1), "canceled").await;
    assert_eq!(all.len(), 3);
    let bad = ann.call(Method::GET, &format!("/v1/purchase-requests/{request}/events"));
    let bad = said(bad.header("Last-Event-ID", "yesterday")).await;
    bad.refused(400, "parameter_invalid");
    other.kill_9();
    stage.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_clients_that_follow_cost_nobody_the_service() {
    const CLIENTS: usize = 10_000;
    let isbn = book(911);
    let mut stage = start(open("http crowd", 872).price_everywhere(isbn, flat(2500))).await;
    let ann = Http::of(&stage, "ann");
    let create = Order::of(isbn).max_total(2000).build();
    let (key, body) = of(&create);
    ann.create(&key, &body).await;
    stage.told(create.request_id, Quoted).await;
    let gateway = stage.broker.gateway.as_ref().unwrap();
    let (address, token) = (gateway.address, gateway.tokens["ann-looks"].clone());
    let head = format!(
        "GET /v1/purchase-requests/{}/events HTTP/1.1\r\nHost: x\r\n\
         Authorization: Bearer {token}\r\nLast-Event-ID: 1000000\r\n\r\n",
        create.request_id
    );
    let all_there = Arc::new(Barrier::new(CLIENTS + 1));
    let mut clients = tokio::task::JoinSet::new();
    let doors = Arc::new(tokio::sync::Semaphore::new(64));
    for _ in 0..CLIENTS {
        let (head, all_there) = (head.clone(), Arc::clone(&all_there));
        let doors = Arc::clone(&doors);
        clients.spawn(async move {
            let door = doors.acquire_owned().await.unwrap();
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(head.as_bytes()).await.unwrap();
            let mut lines = BufReader::with_capacity(512, stream).lines();
            let status = lines.next_line().await.unwrap().unwrap();
            assert_eq!(status, "HTTP/1.1 200 OK");
            drop(door);
            all_there.wait().await;
            while let Some(line) = lines.next_line().await.unwrap() {
                if line == "event: canceled" {
                    return;
                }
            }
            panic!("the end came before the event");
        });
    }
    all_there.wait().await;
    // The others are served as ever, also what the crowd waits for.
    let other = Order::of(book(912)).build();
    let (key, body) = of(&other);
    assert_eq!(ann.create(&key, &body).await.status, 202);
    stage.told(other.request_id, Ordered).await;
    assert_eq!(ann.cancel(create.request_id, "c").await.status, 200);
    while let Some(ended) = clients.join_next().await {
        ended.unwrap();
    }
    stage.judge().await;
}
