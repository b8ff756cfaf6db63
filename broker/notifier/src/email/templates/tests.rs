use super::*;

fn sample(outcome: NotificationOutcome) -> Notification {
    samples()
        .into_iter()
        .find(|sample| sample.outcome == outcome && sample.receipt.is_some())
        .unwrap()
}

fn shipped() -> Templates {
    Templates::load(None).unwrap()
}

#[test]
fn an_order_is_told_with_its_price_store_and_number() {
    let told = shipped().render(&sample(NotificationOutcome::Ordered)).unwrap();
    assert_eq!(told.subject, "Update: Your book is ordered (9780306406157)");
    for part in ["27.61 USD", "acme-books", "A-20261120-0815", "30.00 USD", "29.11 USD"] {
        assert!(told.text.contains(part), "{part} in {}", told.text);
        assert!(told.html.contains(part), "{part} in {}", told.html);
    }
    assert!(!told.text.contains("token"), "{}", told.text);
}

#[test]
fn every_outcome_has_words_of_its_own_in_all_three_parts() {
    let templates = shipped();
    let mut seen = std::collections::BTreeSet::new();
    for outcome in NotificationOutcome::ALL {
        let told = templates.render(&sample(outcome)).unwrap();
        assert!(!told.subject.contains("News of"), "{outcome:?}");
        assert!(!told.text.contains("There is news"), "{outcome:?}");
        assert!(!told.html.contains("There is news"), "{outcome:?}");
        assert!(seen.insert(told.subject));
        for line in told.text.lines() {
            assert_eq!(line.trim_end(), line, "{outcome:?}");
        }
    }
}

#[test]
fn only_a_quote_tells_its_token_and_only_a_payment_its_link() {
    let templates = shipped();
    for outcome in NotificationOutcome::ALL {
        let mut told = sample(outcome);
        told.accept_token = Some("0123456789abcdef0123456789abcdef".to_owned());
        let rendered = templates.render(&told).unwrap();
        let quoted = outcome == NotificationOutcome::Quoted;
        assert_eq!(rendered.text.contains("0123456789abcdef"), quoted, "{outcome:?}");
        let action = outcome == NotificationOutcome::ActionRequired;
        assert_eq!(rendered.html.contains("bank.example.com"), action, "{outcome:?}");
    }
}

#[test]
fn html_is_escaped_and_no_link_goes_anywhere_but_https() {
    let mut told = sample(NotificationOutcome::ActionRequired);
    let checkout = told.request.checkout.as_mut().unwrap();
    checkout.action_url = Text::parse("javascript:alert('<b>\"x\"</b>')").ok();
    let rendered = shipped().render(&told).unwrap();
    assert!(
        !rendered.html.contains("<b>") && !rendered.html.contains("href="),
        "{}",
        rendered.html
    );
    checkout_url(&mut told, "https://bank.example.com/?a=\"><script>");
    let rendered = shipped().render(&told).unwrap();
    assert!(!rendered.html.contains("<script>"), "{}", rendered.html);
    assert!(rendered.html.contains("href=\"https:"), "{}", rendered.html);
}

fn checkout_url(told: &mut Notification, url: &str) {
    told.request.checkout.as_mut().unwrap().action_url = Text::parse(url).ok();
}

#[test]
fn a_subject_is_one_line_whatever_a_template_makes_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let breaking = "a\r\nBcc: all@example.com\n\tb\u{0}\u{2028}c {{ request.isbn }}";
    std::fs::write(dir.path().join(SUBJECT), breaking).unwrap();
    let templates = Templates::load(Some(dir.path())).unwrap();
    let told = templates.render(&sample(NotificationOutcome::Ordered)).unwrap();
    assert_eq!(told.subject, "a Bcc: all@example.com b c 9780306406157");
}

#[test]
fn templates_of_ones_own_are_used_and_the_others_stay_as_shipped() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(TEXT), "Hello {{ customer_id }}").unwrap();
    let templates = Templates::load(Some(dir.path())).unwrap();
    let told = templates.render(&sample(NotificationOutcome::Ordered)).unwrap();
    assert_eq!(told.text, "Hello c-1001");
    assert!(told.html.contains("Your book is ordered"));
}

#[test]
fn what_is_wrong_with_a_template_is_told_at_start_with_file_and_line() {
    let broken = [
        ("\n{{ request.isnb }}", "body.txt, line 2"),
        ("{% if %}", "body.txt, line 1"),
        ("{{ request.isbn | money }}", "body.txt, line 1"),
        ("{{ request.checkout.order_total | money }}", "body.txt, line 1"),
        ("{% include 'other.txt' %}", "body.txt, line 1"),
        ("{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}", "body"),
    ];
    for (source, place) in broken {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(TEXT), source).unwrap();
        let why = Templates::load(Some(dir.path())).unwrap_err();
        assert!(why.starts_with(place), "{source}: {why}");
    }
}

#[test]
fn amounts_are_exact_in_every_currency() {
    assert_eq!(amount(2761, "USD").unwrap(), "27.61 USD");
    assert_eq!(amount(1500, "JPY").unwrap(), "1500 JPY");
    assert!(amount(1, "XYZ").is_err());
}
