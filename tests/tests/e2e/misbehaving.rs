//! Stores that refuse, raise the price, or take back what they confirmed.

use partner_sim::profile::ProfileName::{Calm, Hostile, Instant, Liar};
use schemas::RejectReason;
use schemas::event::NotificationOutcome::{Failed, Ordered};
use schemas::purchase::Strategy;
use tests::harness::{Order, book};

use crate::stage::{books, flat, start, world};

#[tokio::test(flavor = "multi_thread")]
async fn a_definite_refusal_of_the_hold_buys_the_next_best_quote() {
    let isbn = book(601);
    let sold_out = toml::toml! { faults = { no_stock_permille = 1000 } };
    let scenario = world("next best", 71)
        .partner_with("cheap", Calm, sold_out)
        .partner("dear", Calm)
        .price("cheap", isbn, flat(1000))
        .price("dear", isbn, flat(1100));
    let mut stage = start(scenario).await;
    let create = Order::of(isbn).max_total(1150).strategy(Strategy::Cheapest).build();
    stage.requester("ann").publish_create(&create).await.unwrap();
    let told = stage.told(create.request_id, Ordered).await;
    assert_eq!(told.request.checkout.unwrap().attempt, 2);
    let evidence = stage.judge().await;
    assert_eq!(books(&evidence, &create).standing(), [("dear".to_owned(), 1100)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_only_refuses_does_not_use_up_all_attempts() {
    let isbn = book(605);
    let sold_out = toml::toml! { faults = { no_stock_permille = 1000 } };
    // The refusing store always answers first, and with this strategy the first offer is bought.
    let scenario = world("refusals", 76)
        .partner_with("cheap", Instant, sold_out)
        .partner("dear", Calm)
        .price("cheap", isbn, flat(1000))
        .price("dear", isbn, flat(1100));
    let mut stage = start(scenario).await;
    let create = Order::of(isbn).max_total(2000).strategy(Strategy::Fast).build();
    stage.requester("ann").publish_create(&create).await.unwrap();
    let told = stage.told(create.request_id, Ordered).await;
    assert_eq!(told.request.checkout.unwrap().attempt, 2);
    let receipt = told.receipt.unwrap();
    assert_eq!(receipt.winner.unwrap().partner_id.as_str(), "dear");
    let evidence = stage.judge().await;
    assert_eq!(books(&evidence, &create).standing(), [("dear".to_owned(), 1100)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_price_that_rose_after_the_quote_is_refused_by_the_cap_and_the_next_best_is_bought() {
    let isbn = book(602);
    let greedy =
        toml::toml! { faults = { price_raised_permille = 1000, price_raise_permille = 50 } };
    let scenario = world("price rose", 72)
        .partner_with("greedy", Calm, greedy)
        .partner("honest", Calm)
        .price("greedy", isbn, flat(1000))
        .price("honest", isbn, flat(1100));
    let mut stage = start(scenario).await;
    let create = Order::of(isbn).max_total(1150).strategy(Strategy::Cheapest).build();
    stage.requester("ann").publish_create(&create).await.unwrap();
    stage.told(create.request_id, Ordered).await;
    let evidence = stage.judge().await;
    let books = books(&evidence, &create);
    assert_eq!(books.standing(), [("honest".to_owned(), 1100)]);
    assert_eq!(books.ever_ordered().len(), 1, "the raised price was never accepted");
    assert_eq!(books.paid(), 1100);
    assert!(books.nothing_held(), "the money of the first attempt is back");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_its_store_takes_back_is_corrected_and_paid_back() {
    let isbn = book(603);
    let scenario = world("liar", 73).partner("liar", Liar).price_everywhere(isbn, flat(900));
    let mut stage = start(scenario).await;
    let create = Order::of(isbn).build();
    stage.requester("ann").publish_create(&create).await.unwrap();
    stage.told(create.request_id, Ordered).await;
    let correction = stage.told_later(create.request_id, Failed).await;
    assert_eq!(correction.number, 1);
    assert_eq!(stage.story(create.request_id).await, [Ordered, Failed]);
    assert_eq!(correction.request.failure, Some(RejectReason::PartnerCanceled));
    let evidence = stage.judge().await;
    let books = books(&evidence, &create);
    assert_eq!((books.standing(), books.paid()), (vec![], 0));
    assert!(books.nothing_held());
}

#[tokio::test(flavor = "multi_thread")]
async fn with_rebuy_an_order_taken_back_is_bought_elsewhere() {
    let isbn = book(604);
    let scenario = world("rebuy", 74)
        .partner("liar", Liar)
        .partner("honest", Instant)
        .price("liar", isbn, flat(900))
        .price("honest", isbn, flat(1000));
    let mut stage = start(scenario).await;
    let create = Order::of(isbn).max_total(1020).rebuy().build();
    stage.requester("ann").publish_create(&create).await.unwrap();
    stage.told(create.request_id, Ordered).await;
    stage
        .notification(create.request_id, "bought again", crate::stage::SOON, |n| {
            let checkout = n.request.checkout.as_ref();
            n.outcome == Ordered
                && checkout.is_some_and(|c| c.quote.partner_id.as_str() == "honest")
        })
        .await
        .unwrap();
    let evidence = stage.judge().await;
    let books = books(&evidence, &create);
    assert_eq!(books.standing(), [("honest".to_owned(), 1000)]);
    assert_eq!((books.ever_ordered().len(), books.paid()), (2, 1000));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_store_cannot_make_anybody_pay_more_or_buy_the_wrong_book() {
    let scenario = world("hostile", 75).partners(Hostile, 2).partners(Calm, 2);
    let mut stage = start(scenario).await;
    let ann = stage.requester("ann");
    let creates: Vec<_> = (0..8).map(|n| Order::of(book(610 + n)).build()).collect();
    for create in &creates {
        ann.publish_create(create).await.unwrap();
    }
    for create in &creates {
        stage.outcome(create.request_id, crate::stage::SOON).await.unwrap();
    }
    stage.judge().await;
}
