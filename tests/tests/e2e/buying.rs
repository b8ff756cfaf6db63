//! What the broker is for: the book, at the best landed price, or the truth about why not.

use partner_sim::price::ScriptedPrice;
use partner_sim::profile::ProfileName::{Callback, Calm, Instant, NoReservation};
use schemas::event::{NotificationOutcome, UnaffordableReason, Verdict};
use schemas::purchase::Strategy;
use tests::harness::{Order, book};

use crate::stage::{books, flat, start, world};

fn landed(item: u64, shipping: u64, tax: u64, fee: u64) -> ScriptedPrice {
    ScriptedPrice { item, shipping, tax, fee }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_affordable_book_is_ordered_at_the_cheapest_landed_price_with_a_receipt() {
    let isbn = book(1);
    let scenario = world("cheapest landed", 11)
        .partner("alpha", Calm)
        .partner("beta", Calm)
        .partner("gamma", Calm)
        .price("alpha", isbn, landed(1500, 600, 0, 0))
        .price("beta", isbn, landed(1700, 100, 80, 20))
        .price("gamma", isbn, landed(2000, 300, 0, 0));
    let mut stage = start(scenario).await;
    let ann = stage.requester("ann");
    let create = Order::of(isbn).max_total(2200).strategy(Strategy::Cheapest).build();
    ann.publish_create(&create).await.unwrap();

    let told = stage.told(create.request_id, NotificationOutcome::Ordered).await;
    let checkout = told.request.checkout.unwrap();
    assert_eq!(checkout.quote.partner_id.as_str(), "beta");
    assert_eq!(checkout.order_total.unwrap().minor(), 1900);
    let receipt = told.receipt.unwrap();
    let winner = receipt.winner.unwrap();
    assert_eq!(receipt.verdict, Verdict::Buy);
    assert_eq!((receipt.asked, receipt.answered, receipt.coverage_permille), (3, 3, 1000));
    assert_eq!(
        (winner.item, winner.shipping, winner.tax, winner.fee),
        (1700, Some(100), Some(80), Some(20))
    );
    let beaten: Vec<u64> = receipt.beaten.iter().map(|quote| quote.total.minor()).collect();
    assert_eq!(beaten, [2100], "the cheaper item with the dearer shipping came second");
    assert_eq!(receipt.unaffordable.len(), 1);
    assert_eq!(receipt.unaffordable[0].why, UnaffordableReason::AboveLimit);

    let evidence = stage.judge().await;
    let books = books(&evidence, &create);
    assert_eq!(books.standing(), [("beta".to_owned(), 1900)]);
    assert_eq!(books.paid(), 1900);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_is_met_exactly_buys() {
    let isbn = book(2);
    let scenario =
        world("exact limit", 12).partner("alpha", Instant).price_everywhere(isbn, flat(2000));
    let mut stage = start(scenario).await;
    let ann = stage.requester("ann");
    let (exact, below) =
        (Order::of(isbn).max_total(2000).build(), Order::of(isbn).max_total(1999).build());
    ann.publish_create(&exact).await.unwrap();
    ann.publish_create(&below).await.unwrap();
    stage.told(exact.request_id, NotificationOutcome::Ordered).await;
    stage.told(below.request_id, NotificationOutcome::Quoted).await;
    let evidence = stage.judge().await;
    assert_eq!(books(&evidence, &exact).paid(), 2000);
    assert_eq!(books(&evidence, &below).standing(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_book_that_no_store_has_is_out_of_stock_and_no_money_moves() {
    let isbn = book(3);
    let scenario = world("no stock", 13).partners(Instant, 3).stock_everywhere(isbn, 0);
    let mut stage = start(scenario).await;
    let create = Order::of(isbn).build();
    stage.requester("ann").publish_create(&create).await.unwrap();
    let told = stage.told(create.request_id, NotificationOutcome::OutOfStock).await;
    assert_eq!(told.receipt.unwrap().verdict, Verdict::NoStock);
    let evidence = stage.judge().await;
    assert_eq!(evidence.payments.payments_of(create.request_id).count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_holds_no_stock_for_anybody_can_be_bought_from() {
    let isbn = book(4);
    let scenario = world("no reservation", 14)
        .partner("walk-in", NoReservation)
        .price_everywhere(isbn, flat(900));
    let mut stage = start(scenario).await;
    let create = Order::of(isbn).max_total(1000).build();
    stage.requester("ann").publish_create(&create).await.unwrap();
    stage.told(create.request_id, NotificationOutcome::Ordered).await;
    let evidence = stage.judge().await;
    assert_eq!(evidence.partners.reservations, []);
    assert_eq!(books(&evidence, &create).standing(), [("walk-in".to_owned(), 900)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_calls_back_is_waited_for_and_confirms_by_notice() {
    let isbn = book(5);
    let quick = toml::toml! {
        response_ms = 1500
        quotes = { latency = { p50_ms = 50, p99_ms = 200 } }
        commands = { latency = { p50_ms = 50, p99_ms = 200 } }
    };
    let scenario = world("callback", 15)
        .partner_with("queue", Callback, quick)
        .partner("alpha", Instant)
        .stock("alpha", isbn, 0)
        .price("queue", isbn, flat(700));
    let mut stage = start(scenario).await;
    let create = Order::of(isbn).max_total(1000).build();
    stage.requester("ann").publish_create(&create).await.unwrap();
    stage.told(create.request_id, NotificationOutcome::Ordered).await;
    let notice = schemas::subject::PartnerReplyKind::Notice;
    stage
        .heard("the order is confirmed by notice", |seen| {
            schemas::subject::parse_partner_reply(&seen.subject)
                .is_some_and(|(_, kind)| kind == notice)
        })
        .await;
    let evidence = stage.judge().await;
    assert_eq!(books(&evidence, &create).standing(), [("queue".to_owned(), 700)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_that_calls_back_after_the_sweep_still_buys_the_book() {
    let isbn = book(6);
    let late = toml::toml! {
        response_ms = 20000
        quotes = { latency = { p50_ms = 1200, p99_ms = 1500 } }
        commands = { latency = { p50_ms = 10, p99_ms = 20 } }
    };
    let scenario = world("late callback", 16)
        .partner_with("queue", Callback, late)
        .partner("alpha", Instant)
        .stock("alpha", isbn, 0)
        .price("queue", isbn, flat(700));
    let mut stage = start(scenario).await;
    let create = Order::of(isbn).max_total(1000).build();
    stage.requester("ann").publish_create(&create).await.unwrap();
    stage.told(create.request_id, NotificationOutcome::OutOfStock).await;
    stage.told_later(create.request_id, NotificationOutcome::Ordered).await;
    let evidence = stage.judge().await;
    assert_eq!(books(&evidence, &create).standing(), [("queue".to_owned(), 700)]);
}
