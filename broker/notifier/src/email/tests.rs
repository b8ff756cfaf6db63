use schemas::id::MessageId;

use super::*;
use crate::key::Channel;

fn mailer() -> Mailer {
    Mailer::new(&EmailConfig::new("mail.example.com", "Book Shop <shop@example.com>")).unwrap()
}

fn rendered(subject: &str) -> Rendered {
    let (text, html) = ("plain ü".to_owned(), "<p>rich</p>".to_owned());
    Rendered { subject: subject.to_owned(), text, html }
}

fn message(subject: &str) -> String {
    let id = DeliveryId::of(&MessageId::parse("n-1").unwrap(), Channel::Email);
    let to = "ann@example.org".parse().unwrap();
    let message = mailer().message(&id, &to, rendered(subject)).unwrap();
    String::from_utf8(message.formatted()).unwrap()
}

#[test]
fn a_message_has_both_forms_and_an_id_that_never_changes() {
    let (first, second) = (message("Hello"), message("Hello"));
    let id =
        |text: &str| text.lines().find(|line| line.starts_with("Message-ID: ")).unwrap().to_owned();
    assert_eq!(id(&first), id(&second));
    assert!(id(&first).starts_with("Message-ID: <msg_") && id(&first).ends_with("@example.com>"));
    for part in [
        "multipart/alternative",
        "text/plain",
        "text/html",
        "From: \"Book Shop\" <shop@example.com>",
        "To: ann@example.org",
        "Auto-Submitted: auto-generated",
        "Subject: Hello",
        "Date: ",
    ] {
        assert!(first.contains(part), "{part} in {first}");
    }
}

#[test]
fn no_text_becomes_a_header() {
    let text = message("Hi\r\nBcc: eve@example.com");
    assert!(!text.lines().any(|line| line.starts_with("Bcc:")), "{text}");
}

#[test]
fn an_address_cannot_carry_a_second_receiver_or_a_header() {
    for bad in ["a@b.c\r\nBcc: e@e.e", "a@b.c, e@e.e", "a@b.c>\r\nDATA", "a b@c.d", "@", ""] {
        assert!(bad.parse::<Address>().is_err(), "{bad}");
    }
}
