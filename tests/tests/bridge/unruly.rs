//! What stores do that they should not, one test for each: never an order twice, never a "no" that
//! is none, and never a call to where none may go.

use std::io::Write;
use std::time::Duration;

use axum::response::Response;
use flate2::Compression;
use flate2::write::GzEncoder;
use schemas::partner::{PartnerOutcome, QuoteOutcome};

use crate::rogue::{Rogue, answer, json};
use crate::stage::{SOON, Stage, world};

const LONG: Duration = Duration::from_secs(20);
const ORDER: &str = "POST /orders";
const LOOKUP: &str = "GET /orders/…";
const IDEMPOTENT: &str = "idempotent = true";

async fn staged(test: &str, rogue: &Rogue, format: &str, promises: &str) -> Stage {
    world(test, 31).file("rogue.toml", rogue.file(format, promises)).start().await
}

/// The store answers an order in a way that proves nothing: nothing is said of it, a second copy is
/// not sent, and a look-up tells the truth.
async fn proves_nothing(
    test: &str,
    format: &str,
    found: &'static str,
    to_order: impl Fn() -> Response + Send + Sync + 'static,
) {
    let content_type = if format == "xml" { "text/xml" } else { "application/json" };
    let rogue = Rogue::start(move |what, _| match what {
        ORDER => to_order(),
        _ => answer(200, content_type, found),
    })
    .await;
    let stage = staged(test, &rogue, format, "").await;
    let sent = stage.place("k1", 1, LONG).await;
    stage.commands_done(sent).await;
    assert_eq!(stage.answers().await, [], "silence");
    stage.lookup("k1", 2).await;
    let told = stage.answered("test-lookup-2").await;
    assert!(matches!(told, PartnerOutcome::Confirmed { .. }), "{told:?}");
    stage.place("k1", 3, LONG).await;
    let again = stage.answered("test-place-3").await;
    assert!(matches!(again, PartnerOutcome::Confirmed { .. }), "{again:?}");
    assert_eq!(rogue.calls(ORDER), 1, "sent once");
}

const FOUND: &str = r#"{"id": "o-1", "total": 19.99}"#;
const FOUND_XML: &str = r#"<a id="o-1" total="19.99"/>"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_page_for_people_is_no_answer() {
    let page = || answer(404, "text/html", "<html>Not found</html>");
    proves_nothing("html", "json", FOUND, page).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_error_is_no_answer() {
    proves_nothing("500", "json", FOUND, || json(500, r#"{"error": "oops"}"#)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_cannot_be_read_is_no_answer() {
    proves_nothing("torn", "json", FOUND, || json(200, r#"{"id": "o-1", "tot"#)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_xml_is_no_answer() {
    let torn = || answer(200, "text/xml", "<a id='o-1' total='19.99'");
    proves_nothing("malformed", "xml", FOUND_XML, torn).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entity_bomb_is_no_answer_and_costs_nothing() {
    let bomb = || {
        let mut text = String::from("<!DOCTYPE a [<!ENTITY x0 \"ha\">");
        for n in 1..30 {
            let one = format!("&x{};", n - 1);
            text.push_str(&format!("<!ENTITY x{n} \"{one}{one}\">"));
        }
        text.push_str("]><a id='o-1' total='19.99'>&x29;</a>");
        answer(200, "text/xml", text)
    };
    proves_nothing("entities", "xml", FOUND_XML, bomb).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gzip_bomb_is_cut_off_and_no_answer() {
    let bomb = || {
        let mut packed = GzEncoder::new(Vec::new(), Compression::best());
        packed.write_all(&vec![b' '; 64 * 1024 * 1024]).unwrap();
        let body = packed.finish().unwrap();
        assert!(body.len() < 100_000, "small as it travels");
        let mut response = answer(200, "application/json", body);
        response.headers_mut().insert("content-encoding", "gzip".parse().unwrap());
        response
    };
    proves_nothing("gzip", "json", FOUND, bomb).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_to_another_host_is_not_followed() {
    let inside = Rogue::start(|_, _| json(200, FOUND)).await;
    let target = format!("http://{}/latest/meta-data", inside.address);
    let redirected = move || {
        let mut response = json(307, "{}");
        response.headers_mut().insert("location", target.parse().unwrap());
        response
    };
    proves_nothing("redirect", "json", FOUND, redirected).await;
    assert_eq!(inside.calls("POST /latest/meta-data"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_inside_of_200_is_a_refusal_for_good() {
    let rogue = Rogue::start(|_, _| json(200, r#"{"error": "sold out"}"#)).await;
    let stage = staged("error in 200", &rogue, "json", "").await;
    let quoted = stage.quote(1, SOON).await.unwrap();
    assert!(matches!(quoted, QuoteOutcome::Refused { .. }), "{quoted:?}");
    stage.place("k1", 1, LONG).await;
    let told = stage.answered("test-place-1").await;
    assert!(matches!(told, PartnerOutcome::Refused { final_for_key: true, .. }), "{told:?}");
    stage.place("k1", 2, LONG).await;
    assert_eq!(stage.answered("test-place-2").await, told);
    assert_eq!(rogue.calls(ORDER), 1, "the answer of the first copy is that of all");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_asks_for_patience_gets_it_and_the_order_later() {
    let rogue = Rogue::start(|what, before| match (what, before) {
        (ORDER, 0) => {
            let mut response = json(429, "{}");
            response.headers_mut().insert("retry-after", "1".parse().unwrap());
            response
        }
        _ => json(200, FOUND),
    })
    .await;
    let stage = staged("429", &rogue, "json", "").await;
    let begun = std::time::Instant::now();
    stage.place("k1", 1, LONG).await;
    let told = stage.answered("test-place-1").await;
    assert!(matches!(told, PartnerOutcome::Confirmed { .. }), "{told:?}");
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert_eq!(rogue.calls(ORDER), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quote_is_not_asked_of_a_store_that_asked_for_patience() {
    let rogue = Rogue::start(|_, _| {
        let mut response = json(429, "{}");
        response.headers_mut().insert("retry-after", "30".parse().unwrap());
        response
    })
    .await;
    let stage = staged("429 for quotes", &rogue, "json", "").await;
    for n in 0..3 {
        match stage.quote(n, SOON).await {
            Some(QuoteOutcome::Refused { retry_after_ms: Some(wait), .. }) => {
                assert!((25_000..=30_000).contains(&wait.as_ms()), "{wait}");
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(rogue.calls("GET /quote"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_down_is_tried_until_there_is_no_time_and_then_refused_for_good() {
    let rogue = Rogue::start(|_, _| json(200, FOUND)).await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let file = rogue.file("json", "").replace(&rogue.address.to_string(), &nobody.to_string());
    let stage = world("down", 32).file("rogue.toml", file).start().await;
    stage.place("k1", 1, Duration::from_secs(3)).await;
    let told = stage.answered("test-place-1").await;
    assert!(matches!(told, PartnerOutcome::Refused { final_for_key: true, .. }), "{told:?}");
    stage.lookup("k1", 2).await;
    let told = stage.answered("test-lookup-2").await;
    assert_eq!(told, PartnerOutcome::NotFound { final_for_key: true });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_store_is_not_waited_for_and_an_idempotent_one_may_get_a_second_copy() {
    let (slow, late) = tokio::io::duplex(64);
    // Headers at once, and a body that does not end.
    let stream = tokio::sync::Mutex::new(Some(late));
    let rogue = Rogue::start(move |what, before| match (what, before) {
        (ORDER, 0) => {
            let late = stream.try_lock().unwrap().take();
            let body = axum::body::Body::from_stream(futures_util::stream::once(async move {
                let _kept = late;
                std::future::pending::<Result<bytes::Bytes, std::io::Error>>().await
            }));
            answer(200, "application/json", body)
        }
        (LOOKUP, _) => json(404, "{}"),
        _ => json(200, FOUND),
    })
    .await;
    let stage = staged("slow", &rogue, "json", IDEMPOTENT).await;
    let sent = stage.place("k1", 1, LONG).await;
    stage.commands_done(sent).await;
    assert_eq!(stage.answers().await, []);
    stage.lookup("k1", 2).await;
    let told = stage.answered("test-lookup-2").await;
    assert_eq!(told, PartnerOutcome::NotFound { final_for_key: false }, "it may still come");
    stage.place("k1", 3, LONG).await;
    let told = stage.answered("test-place-3").await;
    assert!(matches!(told, PartnerOutcome::Confirmed { .. }), "{told:?}");
    assert_eq!(rogue.calls(ORDER), 2);
    drop(slow);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_before_the_order_keeps_it_from_ever_being_sent() {
    let rogue = Rogue::start(|_, _| json(200, FOUND)).await;
    let stage = staged("fence", &rogue, "json", "").await;
    stage.cancel("k1", 1).await;
    let told = stage.answered("test-cancel-1").await;
    assert_eq!(told, PartnerOutcome::NotFound { final_for_key: true });
    stage.place("k1", 2, LONG).await;
    let told = stage.answered("test-place-2").await;
    assert!(matches!(told, PartnerOutcome::Refused { final_for_key: true, .. }), "{told:?}");
    stage.place("k2", 3, Duration::ZERO).await;
    let told = stage.answered("test-place-3").await;
    assert!(matches!(told, PartnerOutcome::Refused { final_for_key: true, .. }), "{told:?}");
    assert_eq!(rogue.calls(ORDER), 0);
}
