//! Messages for one attempt of one request, and a store to send them to.
#![allow(dead_code, unreachable_pub)] // Each test binary uses its own part.

use partner_sim::partner::{PartnerMessage, PartnerRequest};
use partner_sim::profile::{Profile, ProfileName};
use partner_sim::{Partner, PartnerAnswer, Scheduled};
use schemas::destination::Country;
use schemas::id::{CallId, Key, MessageId, QuoteId};
use schemas::partner::{
    Cancel, CommandHeader, Lookup, PartnerOutcome, Place, QuoteOffer, QuoteOutcome, QuoteQuestion,
    QuoteRequests, Release, Reserve,
};
use schemas::text::Text;
use schemas::{
    Condition, Currency, Destination, DurationMs, Isbn13, Money, PartnerId, RequestId, Timestamp,
};

pub const NOW: Timestamp = Timestamp::from_unix_ms(1_700_000_000_000);

pub fn after(ms: u64) -> Timestamp {
    NOW.saturating_add(DurationMs(ms))
}

pub fn isbn() -> Isbn13 {
    Isbn13::parse("9780306406157").unwrap()
}

pub fn usd(minor: u64) -> Money {
    Money::new(minor, Currency::USD).unwrap()
}

pub fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

pub fn store(profile: Profile) -> Partner {
    Partner::new(PartnerId::parse("alpha").unwrap(), profile, 7)
}

/// Answers at once, never misbehaves.
pub fn perfect() -> Profile {
    ProfileName::Instant.profile()
}

fn destination() -> Destination {
    Destination {
        country: Country::parse("US").unwrap(),
        postal_code: Text::parse("10001").unwrap(),
        address: None,
    }
}

pub fn header(copy: &str, operation: &str) -> CommandHeader {
    CommandHeader {
        id: MessageId::parse(&format!("0-r-{operation}-{copy}")).unwrap(),
        request_id: RequestId::from_parts(1_700_000_000_000, 1),
        attempt: 1,
        reply_to: format!("partner.alpha.reply.0.{operation}"),
    }
}

pub fn question(counter: u64) -> QuoteQuestion {
    QuoteQuestion {
        call_id: CallId { epoch: 1, counter },
        isbn: isbn(),
        quantity: 1,
        condition: Condition::New,
        currency: Currency::USD,
        destination: destination(),
        not_after: after(1_000),
    }
}

pub fn quotes(items: Vec<QuoteQuestion>) -> PartnerRequest {
    let reply_to = "partner.alpha.reply.0.quote".to_owned();
    PartnerRequest::Quote(QuoteRequests { reply_to, items })
}

pub fn offer_of(partner: &mut Partner, at: Timestamp) -> QuoteOffer {
    let question = QuoteQuestion { not_after: at.saturating_add(DurationMs(1_000)), ..question(1) };
    match &quote_outcomes(&partner.handle(quotes(vec![question]), at))[..] {
        [QuoteOutcome::Offer(offer)] => offer.clone(),
        other => panic!("expected one offer, got {other:?}"),
    }
}

pub fn quote_outcomes(answers: &[Scheduled<PartnerAnswer>]) -> Vec<QuoteOutcome> {
    let items = |answer: &Scheduled<PartnerAnswer>| match &answer.value.message {
        PartnerMessage::Quotes(quotes) => quotes.items.clone(),
        other => panic!("expected quotes, got {other:?}"),
    };
    answers.iter().flat_map(items).map(|item| item.outcome).collect()
}

pub fn total(offer: &QuoteOffer) -> u64 {
    let minor = |component| match component {
        Some(schemas::partner::Component::Exact(minor)) => minor,
        other => panic!("expected an exact component, got {other:?}"),
    };
    offer.item + minor(offer.shipping) + minor(offer.tax) + minor(offer.fee)
}

pub fn reserve(copy: &str, name: &str, quote: QuoteId) -> Reserve {
    Reserve {
        header: header(copy, "reserve"),
        reservation_key: key(name),
        quote_id: quote,
        isbn: isbn(),
        quantity: 1,
        ttl_ms: DurationMs(10_000),
        not_after: after(2_000),
    }
}

pub fn release(copy: &str, name: &str) -> PartnerRequest {
    let header = header(copy, "release");
    PartnerRequest::Release(Release { header, reservation_key: key(name) })
}

pub fn place(copy: &str, name: &str, quote: QuoteId) -> Place {
    Place {
        header: header(copy, "place"),
        placement_key: key(name),
        quote_id: quote,
        reservation_key: None,
        isbn: isbn(),
        quantity: 1,
        condition: Condition::New,
        price_cap: usd(100_000),
        destination: destination(),
        not_after: after(2_000),
    }
}

pub fn cancel(copy: &str, name: &str) -> PartnerRequest {
    PartnerRequest::Cancel(Cancel { header: header(copy, "cancel"), placement_key: key(name) })
}

pub fn lookup(copy: &str, name: &str) -> PartnerRequest {
    PartnerRequest::Lookup(Lookup { header: header(copy, "lookup"), placement_key: key(name) })
}

/// The outcomes of all replies, notices left out.
pub fn outcomes(answers: &[Scheduled<PartnerAnswer>]) -> Vec<PartnerOutcome> {
    let outcome = |answer: &Scheduled<PartnerAnswer>| match &answer.value.message {
        PartnerMessage::Reply(reply) => Some(reply.outcome.clone()),
        PartnerMessage::Notice(_) => None,
        PartnerMessage::Quotes(_) => panic!("quotes in answer to a command"),
    };
    answers.iter().filter_map(outcome).collect()
}

/// The only outcome there is.
pub fn ask(partner: &mut Partner, request: PartnerRequest, at: Timestamp) -> PartnerOutcome {
    match &outcomes(&partner.handle(request, at))[..] {
        [outcome] => outcome.clone(),
        other => panic!("expected one answer, got {other:?}"),
    }
}

pub fn is_confirmed(outcome: &PartnerOutcome) -> bool {
    matches!(outcome, PartnerOutcome::Confirmed { .. })
}

pub fn is_refused(outcome: &PartnerOutcome, for_key: bool) -> bool {
    matches!(outcome, PartnerOutcome::Refused { final_for_key, .. } if *final_for_key == for_key)
}
