use super::*;

const LINES: &str = r#"
{"isbn13":"9780306406157","title":"The  Left Hand","authors":["A"],"other_ids":["oclc:1234"]}
{"isbn13":"9780804429573","title":"Straße","edition":"1st"}

{"isbn13":"9783161484100","title":"the left hand","other_ids":["oclc:77"]}
"#;

fn title(text: &str) -> ItemIdentifier {
    ItemIdentifier::Title(Text::parse(text).unwrap())
}

fn isbn(text: &str) -> Isbn13 {
    Isbn13::parse(text).unwrap()
}

#[test]
fn an_isbn_needs_no_catalog_and_isbn_10_is_the_same_book() {
    let item = ItemIdentifier::Isbn(Text::parse("0-306-40615-2").unwrap());
    assert_eq!(Catalog::default().resolve(&item), Ok(isbn("9780306406157")));
    let bad = ItemIdentifier::Isbn(Text::parse("0-306-40615-3").unwrap());
    let err = Catalog::default().resolve(&bad).unwrap_err();
    assert_eq!(err.reason(), RejectReason::IdentifierInvalid);
    assert_eq!(err.problem().field.as_deref(), Some("item.value"));
}

#[test]
fn titles_match_whatever_their_case_width_and_white_space() {
    let catalog = Catalog::parse(LINES).unwrap();
    assert_eq!(catalog.len(), 3);
    for same in ["STRASSE", "straße", "Ｓtra\u{df}e", "strasse"] {
        assert_eq!(catalog.resolve(&title(same)), Ok(isbn("9780804429573")), "{same}");
    }
    let err = catalog.resolve(&title("Straß")).unwrap_err();
    assert_eq!(err.reason(), RejectReason::IdentifierUnknown);
}

#[test]
fn several_editions_are_ambiguous_and_named() {
    let catalog = Catalog::parse(LINES).unwrap();
    let err = catalog.resolve(&title("The left\u{a0}hand")).unwrap_err();
    let candidates = vec![isbn("9780306406157"), isbn("9783161484100")];
    assert_eq!(err, CatalogError::Ambiguous { scheme: "title", total: 2, candidates });
    assert!(err.problem().detail.contains("9783161484100"), "{err}");
}

#[test]
fn other_identifiers_resolve_through_the_catalog() {
    let catalog = Catalog::parse(LINES).unwrap();
    let other = |id: &str| ItemIdentifier::Other(Text::parse(id).unwrap());
    assert_eq!(catalog.resolve(&other("oclc:1234")), Ok(isbn("9780306406157")));
    assert_eq!(catalog.entry(isbn("9780306406157")).unwrap().title.as_str(), "The  Left Hand");
    assert!(catalog.resolve(&other("oclc:1")).is_err());
}

#[test]
fn a_bad_line_is_named_with_its_number_and_field() {
    let err = Catalog::parse("\n{\"isbn13\":\"9780306406157\"}").unwrap_err();
    assert_eq!(err.to_string(), "catalog line 2: title: this field is required");
    let twice = "{\"isbn13\":\"9780306406157\",\"title\":\"a\"}\n".repeat(2);
    let err = Catalog::parse(&twice).unwrap_err();
    assert!(matches!(err, CatalogLoadError::Duplicate { line: 2, first: 1, .. }), "{err}");
}
