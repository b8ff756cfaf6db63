use super::*;

/// Test numbers published by card networks; nobody's cards.
const CARDS: [&str; 7] = [
    "4111111111111111",
    "378282246310005",
    "30569309025904",
    "5555555555554444",
    "6011111111111117",
    "4222222222222",
    "9792030000000000",
];

fn path_of(json: &str) -> Option<String> {
    match refuse_card_numbers(json.as_bytes()) {
        Err(DecodeError::CardNumber { path }) => Some(path),
        Ok(()) => None,
        Err(other) => panic!("{json}: {other}"),
    }
}

#[test]
fn published_test_cards_are_found_plain_and_in_groups() {
    for card in CARDS {
        assert!(contains_card_number(card), "{card}");
        let spaced: Vec<String> = card.chars().map(String::from).collect();
        assert!(contains_card_number(&spaced.join(" ")), "{card} spaced");
    }
    assert!(contains_card_number("card 4111-1111-1111-1111 exp 12/30"));
    assert!(contains_card_number("call 555 0100 or 4111 1111 1111 1111"));
    assert!(contains_card_number("tok_4111111111111111"));
    assert!(contains_card_number("４１１１１１１１１１１１１１１１"), "full-width digits");
}

#[test]
fn other_long_numbers_pass() {
    for fine in [
        "4111111111111112",
        "9780306406157",
        "978-0-306-40615-7 979-10-90636-07-1",
        "01890512-4496-7741-8123-123456789012",
        "accept-01890512-4496-7741-8123-411111111111-1111",
        "00000000000041111111111111111000",
        "1760000000000",
        "41111111111111111111111111",
        "ship to 12345-6789, phone 555 0100",
    ] {
        assert!(!contains_card_number(fine), "{fine}");
    }
}

#[test]
fn every_isbn_13_passes_even_when_it_satisfies_luhn() {
    let mut lucky = 0;
    for body in 0..20_000u64 {
        let prefix = 978_000_000_000 + body * 4_999_999 % 2_000_000_000;
        let Some(isbn) = (0..10).find_map(|check| {
            let text = format!("{}", prefix * 10 + check);
            crate::Isbn13::parse(&text).ok().map(|_| text)
        }) else {
            continue;
        };
        lucky += u32::from(luhn(isbn.as_bytes()));
        assert!(!contains_card_number(&isbn), "{isbn}");
    }
    assert!(lucky > 100, "the sample must contain ISBNs that pass Luhn, found {lucky}");
}

#[test]
fn the_field_is_named_and_the_digits_are_not() {
    assert_eq!(path_of(r#"{"a":{"b":["x","4111 1111 1111 1111"]}}"#), Some("a.b[1]".to_owned()));
    assert_eq!(path_of(r#"{"pan":4111111111111111}"#), Some("pan".to_owned()));
    assert_eq!(path_of(r#"{"pan":-4111111111111111}"#), Some("pan".to_owned()));
    assert_eq!(path_of(r#"{"pan":4111111111111111.0}"#), Some("pan".to_owned()));
    assert_eq!(path_of(r#"{"a":{"4111111111111111":1}}"#), Some("a".to_owned()));
    assert_eq!(path_of(r#""4111111111111111""#), Some(".".to_owned()));
    let err = refuse_card_numbers(br#"{"4111111111111111":"4111111111111111"}"#).unwrap_err();
    assert!(!format!("{err} {err:?} {:?}", err.problem()).contains("4111"), "{err:?}");
}

#[test]
fn a_repeated_field_does_not_hide_the_first_value() {
    assert_eq!(path_of(r#"{"x":"4111111111111111","x":"fine"}"#), Some("x".to_owned()));
}

#[test]
fn a_card_number_in_broken_json_is_still_a_card_number() {
    assert_eq!(path_of(r#"{"x":"4111111111111111","#), Some("x".to_owned()));
    assert!(matches!(refuse_card_numbers(b"{"), Err(DecodeError::Malformed { .. })));
}
