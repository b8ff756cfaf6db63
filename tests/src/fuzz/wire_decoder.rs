//! Messages as the broker takes them from NATS: the first line is the subject, the rest the body.
//! Whatever is accepted can be stored, and what is read back from the store is the same.

use std::sync::LazyLock;

use broker::clock::{Clock, TimeSource};
use broker::ingress::decode::{Decoded, Decoder};
use broker::traces::Sampling;
use broker_core::batch::{AuditRow, Change};
use broker_core::engine::input::QuoteOutcome;
use broker_core::event::Event;
use broker_core::horizon::Horizon;
use broker_core::partner::{PartnerProfile, Partners};
use broker_core::policy::Policy;
use broker_core::quote::Quote;
use broker_core::request::{Submission, Version};
use broker_core::transition;
use schemas::catalog::Catalog;
use schemas::subject;
use schemas::{Digest, PartnerId, ProviderId, RequestId, Timestamp};

use super::{Reading, first_line, store};

/// The instant at which every message arrives: 2026-11-20T12:00:00Z, as in the golden messages.
const NOW_MS: u64 = 1_795_176_000_000;

const CATALOG: &str = r#"{"isbn13":"9780306406157","title":"A Book","authors":["Ann"],"other_ids":["oclc:1234"]}
{"isbn13":"9780838577011","title":"Principles of Neural Science"}
{"isbn13":"9781861972712","title":"Two Books"}
{"isbn13":"9780136083252","title":"Two Books"}"#;

struct Frozen;

impl TimeSource for Frozen {
    fn wall_ms(&self) -> u64 {
        NOW_MS
    }

    fn monotonic_ms(&self) -> u64 {
        0
    }
}

static DECODER: LazyLock<Decoder> = LazyLock::new(|| {
    let acme = PartnerId::parse("acme").expect("a valid id");
    let partners = Partners::new(vec![PartnerProfile::cautious(acme)], Digest::of(b"fuzz"));
    Decoder {
        catalog: Catalog::parse(CATALOG).expect("a valid catalog"),
        partners: partners.clone(),
        horizon: Horizon::of(&Policy::standard(partners)),
        provider: ProviderId::parse("simpay").expect("a valid id"),
        clock: Clock::new(Frozen),
        sampling: Sampling::default(),
    }
});

pub(super) fn run(bytes: &[u8]) -> Reading {
    read(bytes).into()
}

fn read(bytes: &[u8]) -> Option<()> {
    let (subject, body) = first_line(bytes)?;
    subjects_come_back(subject);
    match DECODER.decode(subject, body).ok()? {
        Decoded::Create(submission) => return is_created(*submission),
        Decoded::Change { change, .. } => {
            is_recorded(change.request, change.event);
        }
        Decoded::Partner { request, answer } => is_recorded(request, Event::Partner(answer)),
        Decoded::Payment { request, answer } => is_recorded(request, Event::Payment(answer)),
        Decoded::Quotes { answers, .. } => {
            let quotes = answers.into_iter().filter_map(|answer| match answer.outcome {
                QuoteOutcome::Offer { quote, .. } => Some(quote),
                QuoteOutcome::NoStock | QuoteOutcome::Refused { .. } => None,
            });
            are_comparable(&quotes.collect::<Vec<_>>());
        }
    }
    Some(())
}

/// A subject that is understood is the one that would be built from what was understood.
fn subjects_come_back(text: &str) {
    if let Some((operation, customer)) = subject::parse_purchase(text) {
        let built = [
            subject::purchase_command(operation, &customer),
            subject::purchase_api(operation, &customer),
        ];
        assert!(built.contains(&text.to_owned()), "{text} reads as {built:?}");
    }
    if let Some((partner, kind)) = subject::parse_partner_reply(text) {
        assert_eq!(subject::partner_reply(&partner, kind), text);
    }
    if let Some((provider, operation)) = subject::parse_payment_reply(text) {
        assert_eq!(subject::payment_reply(&provider, operation), text);
    }
    if let Some((partner, operation)) = subject::parse_partner_command(text) {
        assert_eq!(subject::partner_command(&partner, operation), text);
    }
    if let Some((provider, operation)) = subject::parse_payment_command(text) {
        assert_eq!(subject::payment_command(&provider, operation), text);
    }
}

fn is_created(submission: Submission) -> Option<()> {
    store::submission_comes_back(&submission);
    let policy = Policy::standard(DECODER.partners.clone());
    let now = Timestamp::from_unix_ms(NOW_MS);
    let created = transition::create(submission, now, &policy).ok()?;
    store::head_comes_back(&created.next);
    Some(())
}

fn is_recorded(request: RequestId, event: Event) {
    let at = Timestamp::from_unix_ms(NOW_MS);
    let row = AuditRow { version: Version(2), at, change: Change::Applied(event) };
    store::audit_comes_back(request, vec![row]);
}

/// Ranking is a total order that agrees with itself, and the worst total is never below a part.
fn are_comparable(quotes: &[Quote]) {
    for quote in quotes {
        store::quote_comes_back(quote);
        if let Some(total) = quote.worst_total() {
            assert!(total.minor() >= quote.item, "a total below the price: {quote:?}");
            assert!(quote.is_affordable(total), "a quote above its own total: {quote:?}");
        }
    }
    for pair in quotes.windows(2) {
        let (a, b) = (pair[0].rank(), pair[1].rank());
        assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
    }
}
