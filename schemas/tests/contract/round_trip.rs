//! Generated messages survive the wire, and no bytes make the decoder panic.

use proptest::prelude::*;
use schemas::destination::{Address, Country};
use schemas::generate::message;
use schemas::id::{CallId, PaymentToken, QuoteId};
use schemas::item::ItemIdentifier;
use schemas::json::{self, PARTNER_MESSAGE_BYTES_MAX, Validate, decode_valid, encode};
use schemas::money::AMOUNT_MAX_MINOR;
use schemas::partner::{Component, QuoteAnswer, QuoteAnswers, QuoteOffer, QuoteOutcome};
use schemas::purchase::{CreatePurchase, Mode, Strategy as Sweep};
use schemas::text::Text;
use schemas::violation::Violations;
use schemas::{Condition, Currency, Destination, DurationMs, Isbn13, Money, RequestId, Timestamp};

fn text<const MAX: usize>() -> impl Strategy<Value = Text<MAX>> {
    "[\\PC]{1,40}".prop_filter_map("too long or blank", |s| Text::parse(&s).ok())
}

fn isbn() -> impl Strategy<Value = Isbn13> {
    (0u64..2_000_000_000, 0u64..10).prop_filter_map("check digit", |(body, check)| {
        Isbn13::parse(&((978_000_000_000 + body) * 10 + check).to_string()).ok()
    })
}

fn currency() -> impl Strategy<Value = Currency> {
    prop_oneof![Just(Currency::USD), Just(Currency::EUR), Just(Currency::JPY)]
}

fn money() -> impl Strategy<Value = Money> {
    (1..=AMOUNT_MAX_MINOR, currency()).prop_map(|(minor, c)| Money::new(minor, c).unwrap())
}

fn instant() -> impl Strategy<Value = Timestamp> {
    (0..=Timestamp::MAX.as_unix_ms()).prop_map(Timestamp::from_unix_ms)
}

fn condition() -> impl Strategy<Value = Condition> {
    prop_oneof![Just(Condition::New), Just(Condition::Good), Just(Condition::Acceptable)]
}

fn destination() -> impl Strategy<Value = Destination> {
    let address = (text::<100>(), text::<100>(), proptest::option::of(text::<64>())).prop_map(
        |(name, city, region)| Address { line1: name.clone(), name, line2: None, city, region },
    );
    ("[A-Z]{2}", text::<16>(), proptest::option::of(address)).prop_map(
        |(country, postal_code, address)| Destination {
            country: Country::parse(&country).unwrap(),
            postal_code,
            address,
        },
    )
}

fn item() -> impl Strategy<Value = ItemIdentifier> {
    prop_oneof![
        isbn().prop_map(|i| ItemIdentifier::Isbn(Text::parse(&i.to_string()).unwrap())),
        text::<300>().prop_map(ItemIdentifier::Title),
        text::<100>().prop_map(ItemIdentifier::Other),
    ]
}

prop_compose! {
    fn create()(
        (ms, random) in (0u64..1 << 48, any::<u128>()),
        (item, quantity, max_total) in (item(), 1u8..=99, money()),
        (expires_at, destination) in (instant(), destination()),
        token in "[A-Za-z0-9_]{1,64}",
        condition in condition(),
        (watch, fast, rebuy) in any::<(bool, bool, bool)>(),
    ) -> CreatePurchase {
        CreatePurchase {
            request_id: RequestId::from_parts(ms, random),
            item,
            quantity,
            max_total,
            expires_at,
            destination,
            payment_token: PaymentToken::parse(&token).unwrap(),
            condition,
            strategy: if fast { Sweep::Fast } else { Sweep::Cheapest },
            mode: if watch { Mode::Watch } else { Mode::OneShot },
            rebuy,
        }
    }
}

fn component() -> impl Strategy<Value = Component> {
    (0..=AMOUNT_MAX_MINOR, any::<bool>()).prop_map(|(minor, exact)| {
        if exact { Component::Exact(minor) } else { Component::AtMost(minor) }
    })
}

prop_compose! {
    fn offer()(
        quote_id in "[A-Za-z0-9._:/+=-]{1,64}",
        (isbn, condition, currency) in (isbn(), condition(), currency()),
        item in 0..=AMOUNT_MAX_MINOR,
        (shipping, tax, fee) in (
            proptest::option::of(component()),
            proptest::option::of(component()),
            proptest::option::of(component()),
        ),
        in_stock in any::<u32>(),
        valid_until in instant(),
    ) -> QuoteOffer {
        let quote_id = QuoteId::parse(&quote_id).unwrap();
        QuoteOffer {
            quote_id, isbn, condition, currency, item, shipping, tax, fee, in_stock, valid_until,
        }
    }
}

fn answer() -> impl Strategy<Value = QuoteAnswer> {
    let outcome = prop_oneof![
        offer().prop_map(QuoteOutcome::Offer),
        Just(QuoteOutcome::NoStock),
        (text::<200>(), proptest::option::of((0_u64..60_000).prop_map(DurationMs)))
            .prop_map(|(reason, retry_after_ms)| QuoteOutcome::Refused { reason, retry_after_ms }),
    ];
    (any::<(u32, u64)>(), outcome).prop_map(|((epoch, counter), outcome)| QuoteAnswer {
        call_id: CallId { epoch, counter },
        outcome,
    })
}

/// An example message with some of its bytes replaced, cut or repeated.
fn damaged() -> impl Strategy<Value = (usize, Vec<u8>)> {
    let messages = message::all();
    let texts: Vec<Vec<Vec<u8>>> = messages
        .iter()
        .map(|m| m.examples.iter().map(|e| e.text.clone().into_bytes()).collect())
        .collect();
    let edits = proptest::collection::vec(any::<(prop::sample::Index, u8)>(), 0..4);
    (any::<[prop::sample::Index; 3]>(), edits).prop_map(move |([which, example, cut], edits)| {
        let which = which.index(texts.len());
        let mut bytes = example.get(&texts[which]).clone();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        // Half of the time whole, else cut anywhere.
        let cut = cut.index(bytes.len() * 2);
        bytes.truncate(cut.max(1));
        (which, bytes)
    })
}

proptest! {
    #[test]
    fn any_create_survives_the_wire(create in create()) {
        let mut found = Violations::default();
        create.check(&mut found);
        prop_assert!(found.is_empty(), "{found}");
        let read: CreatePurchase = decode_valid(&encode(&create), 64 * 1024).unwrap();
        prop_assert_eq!(read, create);
    }

    #[test]
    fn any_batch_of_answers_survives_the_wire(
        items in proptest::collection::vec(answer(), 1..20),
    ) {
        let answers = QuoteAnswers { items };
        let bytes = encode(&answers);
        let read: QuoteAnswers = decode_valid(&bytes, PARTNER_MESSAGE_BYTES_MAX).unwrap();
        prop_assert_eq!(read, answers);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for message in message::all() {
            if let Err(refused) = message.recode(&bytes) {
                prop_assert!(!refused.problem().detail.is_empty());
            }
        }
    }

    #[test]
    fn damaged_messages_are_refused_or_read_the_same_twice((which, bytes) in damaged()) {
        let message = message::all().swap_remove(which);
        if let Ok(read) = message.recode(&bytes) {
            let again = message.recode(read.as_bytes());
            prop_assert_eq!(again.as_deref(), Ok(read.as_str()));
        }
    }

    #[test]
    fn the_card_check_never_panics_and_never_repeats_digits(text in ".*") {
        let message = serde_json::json!({ "note": text });
        if let Err(refused) = json::refuse_card_numbers(message.to_string().as_bytes()) {
            let found: String = text.chars().filter(char::is_ascii_digit).collect();
            prop_assert!(found.is_empty() || !refused.to_string().contains(&found));
        }
    }
}
