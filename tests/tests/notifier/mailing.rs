//! Mail servers as they are: down, behind TLS, picky.

use std::collections::BTreeSet;

use broker_notifier::config::SmtpSecurity;
use broker_notifier::record::Why;
use schemas::event::NotificationOutcome::Ordered;
use tests::mail_server::MailServer;

use crate::stage::{Stage, both, mailed, notification, notifier, prepare, start};
use crate::tls::acceptor;

#[tokio::test(flavor = "multi_thread")]
async fn while_the_mail_server_is_down_mail_waits_and_nothing_else_does() {
    let mut stage = prepare(|hook| both("ann", hook), |_| {}).await;
    stage.mail.down().await;
    stage.notifier.start().unwrap();
    for n in 0..10 {
        stage.tell(&notification("ann", n, Ordered)).await;
    }
    stage.calls(10).await;
    stage.log_has("the mail server is left alone").await;
    stage.log_has("result=\"unreachable\"").await;
    assert_eq!(stage.mail.mails(), []);
    // A restart while it is down forgets nothing.
    stage.notifier.kill_9().unwrap();
    stage.notifier.start().unwrap();
    stage.mail.up().unwrap();
    stage.all("ann", 20, "delivered").await;
    let mut ids: Vec<_> =
        stage.mail.mails().iter().map(|mail| mail.header("Message-ID").unwrap()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!((ids.len(), stage.mail.mails().len()), (10, 10));
    // The kill may have come between a call and its record: then that one came twice.
    let called: BTreeSet<_> =
        stage.hook.received().iter().map(|call| call.id().to_owned()).collect();
    assert_eq!(called.len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_that_does_not_exist_is_not_tried_again_and_keeps_nobody_waiting() {
    let stage = prepare(|_| mailed("ann") + &mailed("bob"), |_| {}).await;
    stage.mail.refuse("ann@example.org", "550 5.1.1 no such mailbox");
    let mut stage = stage;
    stage.notifier.start().unwrap();
    stage.tell(&notification("ann", 1, Ordered)).await;
    stage.tell(&notification("bob", 1, Ordered)).await;
    let failed = stage.all("ann", 1, "failed").await;
    let why = failed[0].last_failure.unwrap();
    assert_eq!((failed[0].attempts, why.why, why.code), (1, Why::MailRefused, Some(550)));
    assert!(failed[0].notification.is_some(), "kept for a replay");
    stage.all("bob", 1, "delivered").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_wants_it_later_gets_it_later() {
    let stage = start(|_| mailed("ann")).await;
    stage.mail.greylist();
    stage.tell(&notification("ann", 1, Ordered)).await;
    let done = stage.all("ann", 1, "delivered").await;
    let why = done[0].last_failure.unwrap();
    assert_eq!((done[0].attempts, why.why, why.code), (2, Why::MailDeferred, Some(451)));
}

/// A mail server behind STARTTLS with a certificate of its own authority.
async fn behind_tls(security: SmtpSecurity) -> Stage {
    let mut stage = prepare(|_| mailed("ann"), |_| {}).await;
    let (acceptor, ca) = acceptor(stage.dir.path());
    let server = MailServer::start(Some(acceptor)).await.unwrap();
    let password = stage.dir.path().join("password");
    std::fs::write(&password, "correct\n").unwrap();
    let email = stage.config.email.as_mut().unwrap();
    email.host = "localhost".to_owned();
    email.port = server.port();
    email.security = security;
    if security != SmtpSecurity::None {
        email.user = Some("shop".to_owned());
        email.password_file = Some(password);
        email.tls_ca_file = Some(ca);
    }
    stage.mail = server;
    stage.notifier = notifier(&stage.nats, &stage.config, stage.dir.path(), "notifier");
    stage.notifier.start().unwrap();
    stage
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_goes_over_tls_and_with_a_login_where_the_server_wants_it() {
    let stage = behind_tls(SmtpSecurity::Starttls).await;
    stage.tell(&notification("ann", 1, Ordered)).await;
    let mails = stage.mails(1).await;
    assert!(mails[0].encrypted);
    assert_eq!(mails[0].user.as_deref(), Some("shop"));
    stage.all("ann", 1, "delivered").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_wanted_tls_no_mail_leaves() {
    let mut stage = prepare(
        |_| mailed("ann"),
        |config| config.email.as_mut().unwrap().security = SmtpSecurity::Starttls,
    )
    .await;
    stage.notifier.start().unwrap();
    stage.tell(&notification("ann", 1, Ordered)).await;
    let failed = stage
        .until("an attempt has failed", async || {
            let all = stage.desk().await?.list(&Default::default()).await.ok()?;
            all.into_iter().find_map(|(delivery, _)| delivery.last_failure)
        })
        .await;
    assert_eq!(failed.code, None);
    assert_eq!(stage.mail.mails(), []);
}
