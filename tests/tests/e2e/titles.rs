//! Books named by something else than an ISBN.

use partner_sim::profile::ProfileName::Instant;
use schemas::RejectReason;
use schemas::catalog::CatalogEntry;
use schemas::event::NotificationOutcome;
use schemas::item::ItemIdentifier;
use schemas::text::Text;
use tests::harness::{Order, book};

use crate::stage::{accepted, books, flat, rejected, start, world};

fn edition(n: u32, title: &str, other: &str) -> CatalogEntry {
    CatalogEntry {
        isbn13: book(n),
        title: Text::parse(title).unwrap(),
        authors: Vec::new(),
        edition: None,
        other_ids: vec![Text::parse(other).unwrap()],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_title_is_resolved_and_an_ambiguous_one_is_refused_with_its_candidates() {
    let moby = edition(501, "Moby-Dick", "oclc:1");
    let first = edition(502, "Collected  Poems", "oclc:2");
    let second = edition(503, "collected poems", "oclc:3");
    let scenario = world("titles", 61)
        .partners(Instant, 2)
        .price_everywhere(moby.isbn13, flat(1200))
        .price_everywhere(second.isbn13, flat(1300))
        .catalog(vec![moby.clone(), first.clone(), second.clone()]);
    let mut stage = start(scenario).await;
    let ann = stage.requester("ann");

    let by_title = Order::titled(&moby).build();
    let (_, view) = accepted(ann.create(&by_title).await.unwrap());
    assert_eq!(view.isbn, moby.isbn13);
    let mut by_number = Order::of(second.isbn13).build();
    by_number.item = ItemIdentifier::Other(Text::parse("OCLC:3").unwrap());
    let (_, view) = accepted(ann.create(&by_number).await.unwrap());
    assert_eq!(view.isbn, second.isbn13);
    for create in [&by_title, &by_number] {
        stage.told(create.request_id, NotificationOutcome::Ordered).await;
    }

    let (reason, detail) = rejected(ann.create(&Order::titled(&first).build()).await.unwrap());
    assert_eq!(reason, RejectReason::IdentifierAmbiguous);
    for candidate in [first.isbn13, second.isbn13] {
        assert!(detail.contains(&candidate.to_string()), "{detail}");
    }
    let nobody = edition(504, "Never Written", "oclc:4");
    let (reason, _) = rejected(ann.create(&Order::titled(&nobody).build()).await.unwrap());
    assert_eq!(reason, RejectReason::IdentifierUnknown);
    let evidence = stage.judge().await;
    assert_eq!(books(&evidence, &by_title).paid(), 1200);
    assert_eq!(books(&evidence, &by_number).paid(), 1300);
}
