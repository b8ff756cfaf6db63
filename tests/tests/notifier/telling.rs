//! What customers hear: each outcome on each channel, exactly as it was notified, once.

use std::collections::BTreeSet;

use mailparse::{MailHeaderMap, parse_mail};
use schemas::event::NotificationOutcome::{self, Canceled, Ordered};
use serde_json::json;

use crate::stage::{SECRET, both, customer, mailed, notification, start};

#[tokio::test(flavor = "multi_thread")]
async fn every_outcome_reaches_mail_and_webhook_and_says_what_the_notification_says() {
    let stage = start(|hook| both("ann", hook)).await;
    let mut told = Vec::new();
    for (n, outcome) in (0..).zip(NotificationOutcome::ALL) {
        told.push(notification("ann", n, outcome));
        stage.tell(&told[told.len() - 1]).await;
    }
    let calls = stage.calls(told.len()).await;
    for told in &told {
        let data = serde_json::to_value(told).unwrap();
        let call = calls.iter().find(|call| call.json()["data"] == data);
        let call = call.unwrap_or_else(|| panic!("{:?} was not called", told.outcome));
        let kind = told.outcome.event_type();
        assert_eq!(call.json(), json!({ "type": kind, "timestamp": told.at, "data": data }));
        assert!(call.is_signed_with(SECRET), "{call:?}");
    }
    let ids: BTreeSet<&str> = calls.iter().map(|call| call.id()).collect();
    assert_eq!((calls.len(), ids.len()), (told.len(), told.len()));

    let mails = stage.mails(told.len()).await;
    let mut subjects = BTreeSet::new();
    for mail in &mails {
        assert_eq!(
            (mail.from.as_str(), mail.to.as_slice()),
            ("shop@example.com", &["ann@example.org".to_owned()][..])
        );
        let parsed = parse_mail(mail.data.as_bytes()).unwrap();
        assert_eq!(parsed.ctype.mimetype, "multipart/alternative");
        let kinds: Vec<_> =
            parsed.subparts.iter().map(|part| part.ctype.mimetype.as_str()).collect();
        assert_eq!(kinds, ["text/plain", "text/html"]);
        for part in &parsed.subparts {
            let body = part.get_body().unwrap();
            assert!(body.contains("9780306406157") && body.contains("30.00 USD"), "{body}");
        }
        subjects.insert(parsed.headers.get_first_value("Subject").unwrap());
    }
    assert_eq!((mails.len(), subjects.len()), (told.len(), told.len()));
    stage.all("ann", 2 * told.len(), "delivered").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_copy_of_a_notification_is_not_sent_again() {
    let stage = start(|hook| both("ann", hook)).await;
    let told = notification("ann", 1, Ordered);
    stage.tell(&told).await;
    stage.all("ann", 2, "delivered").await;
    stage.tell_again(&told).await;
    stage.tell(&notification("ann", 2, Canceled)).await;
    stage.all_taken().await;
    stage.all("ann", 4, "delivered").await;
    assert_eq!((stage.hook.received().len(), stage.mail.mails().len()), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_listed_has_a_line_in_the_log_and_nobody_else_hears_of_it() {
    let stage = start(|hook| both("ann", hook)).await;
    let told = notification("bob", 1, Ordered);
    stage.tell(&told).await;
    stage.all_taken().await;
    let log = stage.log();
    let line = log.lines().find(|line| line.contains("told the log")).unwrap();
    for part in ["customer=bob", "outcome=\"ordered\"", told.notification_id.as_str()] {
        assert!(line.contains(part), "{part} in {line}");
    }
    assert_eq!((stage.hook.received().len(), stage.mail.mails().len()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_customer_hears_of_the_outcomes_they_want_and_of_nobody_elses() {
    let stage = start(|hook| {
        let ann = mailed("ann") + "outcomes = [\"canceled\"]\n";
        ann + &both("bob", hook)
    })
    .await;
    for (who, n, outcome) in [("ann", 1, Ordered), ("ann", 2, Canceled), ("bob", 1, Ordered)] {
        stage.tell(&notification(who, n, outcome)).await;
    }
    stage.all_taken().await;
    stage.all("ann", 1, "delivered").await;
    stage.all("bob", 2, "delivered").await;
    let calls = stage.hook.received();
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].json()["data"]["customer_id"], json!(customer("bob")));
    let mut to: Vec<_> = stage.mail.mails().into_iter().flat_map(|mail| mail.to).collect();
    to.sort();
    assert_eq!(to, ["ann@example.org", "bob@example.org"]);
}
