//! The shipped permissions are enough for the bridge, and let it speak for its own stores only.

use async_nats::{ConnectOptions, jetstream};
use broker::nats::streams::ensure_all;
use schemas::PartnerId;
use schemas::stream::{by_name, name};
use schemas::subject::{PartnerOperation, partner_command};
use tests::harness::{Process, StreamTail, wait};
use tests::nats_server::shipped::permissions;
use tests::nats_server::{NatsServer, NatsServerOptions};

use crate::rogue::{Rogue, json, order};
use crate::stage::{SOON, start_bridge};

/// The store that the shipped permissions name.
const STORE: &str = "northwind";

#[tokio::test(flavor = "multi_thread")]
async fn the_shipped_permissions_let_the_bridge_do_its_work() {
    let extra_config = permissions().unwrap();
    let options = NatsServerOptions { extra_config, ..NatsServerOptions::default() };
    let started = tokio::task::spawn_blocking(|| NatsServer::start(options));
    let nats = started.await.unwrap().unwrap();
    let broker = ConnectOptions::with_user_and_password("broker".into(), "pw-broker".into())
        .custom_inbox_prefix("_INBOX.broker");
    let client = broker.connect(nats.url()).await.unwrap();
    let context = jetstream::new(client.clone());
    let streams =
        [name::PARTNER_COMMANDS, name::PARTNER_REPLIES].map(|name| by_name(name).unwrap());
    ensure_all(&context, &client, &streams).await.unwrap();

    let rogue = Rogue::start(|_, _| json(200, r#"{"id": "o-1", "total": 19.99}"#)).await;
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("stores")).unwrap();
    let store = rogue.file("json", "").replace("id = \"rogue\"", &format!("id = \"{STORE}\""));
    std::fs::write(dir.path().join("stores/northwind.toml"), store).unwrap();
    let file = dir.path().join("bridge.toml");
    let text = format!(
        "roles = [\"bridge\"]\n[nats]\nurls = [{:?}]\nuser = \"bridge\"\npassword = \"pw-bridge\"\n\
         inbox_prefix = \"_INBOX.bridge\"\n[bridge]\nstores_dir = \"stores\"\n\
         allow_private_hosts = [\"127.0.0.1\"]\n",
        nats.url()
    );
    std::fs::write(&file, text).unwrap();
    let arguments = ["serve", "--config", &file.to_string_lossy()].map(str::to_owned).to_vec();
    let log = dir.path().join("bridge.log");
    let mut bridge = Process::new("bridge", tests::programs!().broker, arguments, log);
    start_bridge(&mut bridge).await;

    let partner = PartnerId::parse(STORE).unwrap();
    let place = order(&partner, "k1", 1, SOON);
    let subject = partner_command(&partner, PartnerOperation::Place);
    context.publish(subject, place.into()).await.unwrap().await.unwrap();
    let mut tail = StreamTail::new(&client, name::PARTNER_REPLIES);
    wait::until("the order is confirmed", SOON, async || {
        tail.poll().await?;
        let said = tail.seen().iter().map(|seen| String::from_utf8_lossy(&seen.body));
        Ok(said.into_iter().any(|said| said.contains("confirmed")).then_some(()))
    })
    .await
    .unwrap();
    let log = bridge.log_tail();
    assert!(!log.to_ascii_lowercase().contains("permissions violation"), "{log}");
}
