//! A book that is too dear: quoted first, then bought because the customer says so, one way or the
//! other.

use partner_sim::profile::ProfileName::{Calm, Instant};
use schemas::RejectReason;
use schemas::event::{NotificationOutcome, Verdict};
use schemas::purchase::{AcceptQuote, PurchaseStatus};
use schemas::text::Text;
use tests::auditor::Command;
use tests::harness::{Order, Scenario, book};

use crate::stage::{accepted, asks_about, books, flat, rejected, start, world};

const PRICE: u64 = 2500;
const LIMIT: u64 = 2000;

fn too_dear(test: &str, seed: u64, isbn: schemas::Isbn13) -> Scenario {
    world(test, seed).partners(Instant, 3).price_everywhere(isbn, flat(PRICE))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_book_that_is_too_dear_is_quoted_and_bought_once_the_quote_is_accepted() {
    let isbn = book(101);
    let mut stage = start(too_dear("accept quote", 21, isbn)).await;
    let ann = stage.requester("ann");
    let create = Order::of(isbn).max_total(LIMIT).build();
    ann.publish_create(&create).await.unwrap();
    let quoted = stage.told(create.request_id, NotificationOutcome::Quoted).await;
    assert_eq!(quoted.receipt.as_ref().unwrap().verdict, Verdict::TooDear);
    assert_eq!(quoted.request.best_quote.as_ref().unwrap().total.minor(), PRICE);

    accepted(ann.accept_quote(&quoted).await.unwrap());
    let ordered = stage.told_later(create.request_id, NotificationOutcome::Ordered).await;
    assert_eq!(ordered.number, 1);
    assert_eq!(ordered.request.max_total.minor(), PRICE, "the accepted total is the new limit");
    let evidence = stage.judge().await;
    assert_eq!(books(&evidence, &create).paid(), PRICE);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_token_of_the_quote_on_offer_accepts_it() {
    let isbn = book(102);
    let mut stage = start(too_dear("wrong token", 22, isbn)).await;
    let ann = stage.requester("ann");
    let create = Order::of(isbn).max_total(LIMIT).build();
    ann.publish_create(&create).await.unwrap();
    stage.told(create.request_id, NotificationOutcome::Quoted).await;
    for (n, (token, refusal)) in [
        ("00000000000000000000000000000000", RejectReason::TokenInvalid),
        ("not a token", RejectReason::FieldInvalid),
    ]
    .into_iter()
    .enumerate()
    {
        let accept = AcceptQuote {
            request_id: create.request_id,
            command_id: schemas::CommandId::parse(&format!("guess-{n}")).unwrap(),
            accept_token: Text::parse(token).unwrap(),
        };
        let (reason, _) = rejected(ann.request(Command::AcceptQuote(accept)).await.unwrap());
        assert_eq!(reason, refusal, "{token}");
    }
    let evidence = stage.judge().await;
    assert_eq!(books(&evidence, &create).standing(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_raised_limit_buys_the_collected_offer_without_asking_anybody_again() {
    let isbn = book(103);
    let mut stage = start(too_dear("raised limit", 23, isbn)).await;
    let ann = stage.requester("ann");
    let create = Order::of(isbn).max_total(LIMIT).build();
    ann.publish_create(&create).await.unwrap();
    stage.told(create.request_id, NotificationOutcome::Quoted).await;
    let asked_before = stage.tap.heard().iter().filter(|seen| asks_about(seen, isbn)).count();
    assert_eq!(asked_before, 3);

    let (_, view) = accepted(ann.raise_limit(create.request_id, PRICE).await.unwrap());
    assert_eq!(view.status, PurchaseStatus::Ordering);
    stage.told_later(create.request_id, NotificationOutcome::Ordered).await;
    let asked_after = stage.tap.heard().iter().filter(|seen| asks_about(seen, isbn)).count();
    assert_eq!(asked_after, asked_before);
    let evidence = stage.judge().await;
    assert_eq!(books(&evidence, &create).paid(), PRICE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_lowered_before_the_order_undoes_the_attempt_and_searches_again() {
    let isbn = book(105);
    let mut stage = start(too_dear("lowered limit", 25, isbn)).await;
    let ann = stage.requester("ann");
    let create = Order::of(isbn).max_total(PRICE).payment_token("tok_action_abandoned").build();
    ann.publish_create(&create).await.unwrap();
    stage.told(create.request_id, NotificationOutcome::ActionRequired).await;
    accepted(ann.raise_limit(create.request_id, LIMIT).await.unwrap());
    stage.told_later(create.request_id, NotificationOutcome::Quoted).await;
    let evidence = stage.judge().await;
    let books = books(&evidence, &create);
    assert_eq!(books.ever_ordered(), []);
    assert!(books.nothing_held());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_while_the_order_is_out_is_too_late() {
    let isbn = book(106);
    let slow = toml::toml! {
        commands = { latency = { p50_ms = 500, p99_ms = 600 } }
    };
    let scenario = world("update racing order", 26)
        .partner_with("slow", Calm, slow)
        .price_everywhere(isbn, flat(PRICE));
    let mut stage = start(scenario).await;
    let ann = stage.requester("ann");
    let create = Order::of(isbn).max_total(PRICE).build();
    ann.publish_create(&create).await.unwrap();
    stage.heard_order().await;
    let (reason, _) = rejected(ann.raise_limit(create.request_id, LIMIT).await.unwrap());
    assert_eq!(reason, RejectReason::TooLate);
    stage.told(create.request_id, NotificationOutcome::Ordered).await;
    let evidence = stage.judge().await;
    assert_eq!(books(&evidence, &create).paid(), PRICE);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_after_the_order_is_refused() {
    let isbn = book(104);
    let mut stage = start(too_dear("late update", 24, isbn)).await;
    let ann = stage.requester("ann");
    let create = Order::of(isbn).max_total(PRICE).build();
    ann.publish_create(&create).await.unwrap();
    stage.told(create.request_id, NotificationOutcome::Ordered).await;
    let (reason, _) = rejected(ann.raise_limit(create.request_id, 1).await.unwrap());
    assert_eq!(reason, RejectReason::TransitionNotAllowed);
    let evidence = stage.judge().await;
    assert_eq!(books(&evidence, &create).paid(), PRICE);
}
