//! The log at its most talkative has ids, and nobody's address, token, secret or card number.

use schemas::event::NotificationOutcome::{ActionRequired, Quoted};
use schemas::text::Text;

use crate::hook::Answer;
use crate::stage::{SECRET, hooked, mailed, notification, start};

const KEY: &str = "unmistakable-key";
const CARD: &str = "4111111111111111";

#[tokio::test(flavor = "multi_thread")]
async fn the_log_has_every_delivery_by_its_id_and_nobodys_secrets() {
    let stage = start(|hook| {
        hooked("ann", &format!("{}?key={KEY}", hook.url()), &[SECRET]) + &mailed("bob")
    })
    .await;
    stage.mail.refuse("bob@example.org", "550 5.1.1 bob@example.org is no mailbox");
    stage.hook.then([Answer::Status(500)]);
    let quoted = notification("ann", 1, Quoted);
    let mut action = notification("bob", 1, ActionRequired);
    let checkout = action.request.checkout.as_mut().unwrap();
    checkout.action_url = Text::parse(&format!("https://bank.example.com/{KEY}")).ok();
    stage.tell(&quoted).await;
    stage.tell(&action).await;
    let with_card = format!("{{\"customer_id\":\"{CARD}\"}}");
    stage.tell_raw(&quoted, with_card.into_bytes(), "with-card").await;
    stage.tell_raw(&quoted, CARD.as_bytes().to_vec(), "only-card").await;
    let done = stage.all("ann", 1, "delivered").await;
    let failed = stage.all("bob", 1, "failed").await;
    stage.all_taken().await;
    let log = stage.log();
    for id in [done[0].id.as_str(), failed[0].id.as_str()] {
        assert!(log.contains(&format!("delivery={id}")), "{id}");
    }
    let token = quoted.accept_token.unwrap();
    for secret in [KEY, CARD, &token, SECRET, "MfKQ9r8", "bob@example.org"] {
        assert_eq!(log.lines().find(|line| line.contains(secret)), None, "the log tells {secret}");
    }
    // The settings, which come first, and the client of NATS name addresses of this machine.
    let (_settings, told) = log.split_once("notifier ready").unwrap();
    for place in ["127.0.0.1", "/hook"] {
        let ours = |line: &&str| line.contains(place) && !line.contains("async_nats");
        assert_eq!(told.lines().find(ours), None, "the log tells {place}");
    }
}
