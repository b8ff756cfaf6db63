use schemas::event::NotificationOutcome::{Canceled, Ordered, Quoted};

use super::*;
use crate::config::EmailConfig;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn config() -> NotifierConfig {
    let mut config = NotifierConfig {
        email: Some(EmailConfig::new("mail", "shop@example.com")),
        ..NotifierConfig::default()
    };
    config.webhook.allow_private_hosts = vec!["hooks.internal".to_owned(), "127.0.0.1".to_owned()];
    config
}

fn read(text: &str) -> Result<Subscribers, String> {
    let read = Subscribers::parse(text, "subscribers.toml", Path::new("/"), &config());
    read.map_err(|error| error.to_string())
}

fn with_url(url: &str) -> Result<Subscribers, String> {
    read(&format!(
        "[[subscriber]]\ncustomer_id = \"ann\"\nwebhook = {{ url = \"{url}\", secrets = [\"{SECRET}\"] }}"
    ))
}

fn ann() -> CustomerId {
    CustomerId::parse("ann").unwrap()
}

#[test]
fn everybody_hears_what_they_want_on_the_channels_they_chose() {
    let text = format!(
        r#"
        [[subscriber]]
        customer_id = "ann"
        [subscriber.email]
        address = "ann@example.com"
        outcomes = ["ordered", "canceled"]
        [subscriber.webhook]
        url = "https://example.com/hook?key=1"
        secrets = ["{SECRET}"]
        [subscriber.log]
        outcomes = ["ordered"]

        [[subscriber]]
        customer_id = "bob"
        "#
    );
    let all = read(&text).unwrap();
    assert_eq!(all.channels(&ann(), Ordered), [Channel::Email, Channel::Webhook]);
    assert_eq!(all.channels(&ann(), Quoted), [Channel::Webhook]);
    assert_eq!((all.logs(&ann(), Ordered, true), all.logs(&ann(), Canceled, true)), (true, false));
    let bob = CustomerId::parse("bob").unwrap();
    assert_eq!((all.channels(&bob, Ordered), all.logs(&bob, Ordered, true)), (vec![], false));
    let eve = CustomerId::parse("eve").unwrap();
    assert_eq!((all.channels(&eve, Ordered), all.logs(&eve, Ordered, true)), (vec![], true));
    assert!(!all.logs(&eve, Ordered, false));
}

#[test]
fn unknown_keys_outcomes_and_customers_named_twice_are_refused() {
    let twice = "[[subscriber]]\ncustomer_id = \"ann\"\n".repeat(2);
    assert!(read(&twice).unwrap_err().ends_with("subscriber ann: is there twice"));
    for bad in [
        "[[subscriber]]\ncustomer_id = \"ann\"\nfax = 1",
        "[[subscriber]]\ncustomer_id = \"ann\"\nemail = { address = \"a@b.c\", outcomes = [\"won\"] }",
        "[[subscriber]]\ncustomer_id = \"a b\"",
        "[[subscriber]]\n",
        "[[subscribers]]\n",
        "not toml",
    ] {
        let why = read(bad).unwrap_err();
        assert!(why.starts_with("subscribers.toml, line "), "{why}");
    }
}

#[test]
fn only_public_https_endpoints_are_called_unless_the_host_is_allowed_by_name() {
    for good in [
        "https://example.com/hook",
        "https://1.1.1.1/hook",
        "http://hooks.internal:8080/x",
        "https://hooks.internal/x",
        "http://127.0.0.1:9/x",
    ] {
        assert!(with_url(good).is_ok(), "{good}");
    }
    for bad in [
        "http://example.com/hook",
        "ftp://hooks.internal/x",
        "https://10.0.0.1/x",
        "https://[::1]/x",
        "https://[::ffff:10.0.0.1]/x",
        "https://0x0a000001/x",
        "https://169.254.169.254/latest",
        "https://user:word@example.com/",
        "/relative",
        "https://",
    ] {
        let why = with_url(bad).unwrap_err();
        assert!(why.contains("subscriber ann: webhook.url "), "{bad}: {why}");
    }
    // Another spelling of an allowed address is that address; of a host it is another host.
    assert!(with_url("http://2130706433:9/").is_ok());
    assert!(with_url("http://hooks.internal.evil.com/").is_err());
}

#[test]
fn secrets_must_be_of_the_standard() {
    for bad in ["hush", "whsec_", "whsec_c2hvcnQ=", "whsec_!!!!"] {
        let text = format!(
            "[[subscriber]]\ncustomer_id = \"ann\"\n[subscriber.webhook]\nurl = \"https://e.com\"\nsecrets = [\"{bad}\"]"
        );
        let why = read(&text).unwrap_err();
        assert!(why.contains("whsec_ and base64"), "{why}");
        assert!(bad == "whsec_" || !why.contains(bad), "{why}");
    }
    let none = "[[subscriber]]\ncustomer_id = \"ann\"\nwebhook = { url = \"https://e.com\" }";
    assert!(read(none).unwrap_err().contains("1 to 4 secrets"));
}

#[test]
fn no_message_repeats_an_address_a_url_or_a_secret() {
    let hush = ["hush-hush", "private-host"];
    let texts = [
        "[[subscriber]]\ncustomer_id = \"ann\"\nemail = { address = \"hush-hush\" }".to_owned(),
        "[[subscriber]]\ncustomer_id = \"ann\"\nwebhook = \"hush-hush\"".to_owned(),
        "[[subscriber]]\ncustomer_id = \"ann\"\nwebhook = { url = \"http://private-host/\", \
         secrets = [\"hush-hush\"] }"
            .to_owned(),
        "[[subscriber]]\ncustomer_id = \"ann\"\nsecrets = \"hush-hush".to_owned(),
        "[[subscriber]]\ncustomer_id = 7\nemail = { address = [\"hush-hush\"] }".to_owned(),
    ];
    for text in texts {
        let why = read(&text).unwrap_err();
        assert!(!hush.iter().any(|word| why.contains(word)), "{why}");
    }
    let read = with_url(&format!("https://example.com/?key={}", hush[0])).unwrap();
    assert!(
        !format!("{:?}", read.get(&ann()).unwrap().webhook.as_ref().unwrap().keys).contains("MfKQ")
    );
}

#[test]
fn who_wants_mail_needs_a_mail_server() {
    let text = "[[subscriber]]\ncustomer_id = \"ann\"\nemail = { address = \"a@b.c\" }";
    let none = NotifierConfig::default();
    let why = Subscribers::parse(text, "s", Path::new("/"), &none).unwrap_err().to_string();
    assert!(why.contains("no [notifier.email]"), "{why}");
}
