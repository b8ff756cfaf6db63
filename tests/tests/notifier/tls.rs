//! A certificate of its own authority, a front that speaks TLS from the first byte before something
//! that does not, and what goes through it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use broker_notifier::config::SmtpSecurity;
use broker_notifier::record::Why;
use rustls::ServerConfig;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use schemas::event::NotificationOutcome::Ordered;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::stage::{SECRET, hooked, mailed, notification, notifier, prepare};

/// For `localhost`; the authority's certificate is left in `dir`.
pub(crate) fn acceptor(dir: &Path) -> (TlsAcceptor, PathBuf) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let ca = dir.join("ca.pem");
    std::fs::write(&ca, made.cert.pem()).unwrap();
    (TlsAcceptor::from(Arc::new(config)), ca)
}

/// Everything decrypted goes to `behind`.
async fn front(acceptor: TlsAcceptor, behind: SocketAddr) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // Who does not trust the certificate goes away again.
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut behind = TcpStream::connect(behind).await.unwrap();
                let _ = copy_bidirectional(&mut stream, &mut behind).await;
            });
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_goes_to_a_server_that_speaks_tls_from_the_first_byte() {
    let mut stage = prepare(|_| mailed("ann"), |_| {}).await;
    let (acceptor, ca) = acceptor(stage.dir.path());
    let port = front(acceptor, (Ipv4Addr::LOCALHOST, stage.mail.port()).into()).await;
    let email = stage.config.email.as_mut().unwrap();
    email.host = "localhost".to_owned();
    email.port = port;
    email.security = SmtpSecurity::Tls;
    email.tls_ca_file = Some(ca);
    stage.notifier = notifier(&stage.nats, &stage.config, stage.dir.path(), "notifier");
    stage.notifier.start().unwrap();
    stage.tell(&notification("ann", 1, Ordered)).await;
    stage.all("ann", 1, "delivered").await;
    assert_eq!(stage.mail.mails().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_goes_over_https_to_whom_is_trusted_and_to_nobody_else() {
    let mut stage = prepare(|_| String::new(), |_| {}).await;
    let (acceptor, ca) = acceptor(stage.dir.path());
    let port = front(acceptor, stage.hook.address()).await;
    let url = format!("https://localhost:{port}/hook");
    std::fs::write(stage.dir.path().join("subscribers.toml"), hooked("ann", &url, &[SECRET]))
        .unwrap();
    stage.config.webhook.allow_private_hosts = vec!["localhost".to_owned()];
    stage.notifier = notifier(&stage.nats, &stage.config, stage.dir.path(), "stranger");
    stage.notifier.start().unwrap();
    stage.tell(&notification("ann", 1, Ordered)).await;
    let why = stage
        .until("an attempt has failed", async || {
            let all = stage.desk().await?.list(&Default::default()).await.ok()?;
            all.into_iter().find_map(|(delivery, _)| delivery.last_failure)
        })
        .await;
    assert_eq!((why.why, why.code), (Why::Tls, None));
    assert_eq!(stage.hook.received().len(), 0);

    stage.notifier.kill_9().unwrap();
    stage.config.webhook.tls_ca_file = Some(ca);
    stage.notifier = notifier(&stage.nats, &stage.config, stage.dir.path(), "notifier");
    stage.notifier.start().unwrap();
    stage.all("ann", 1, "delivered").await;
    let calls = stage.hook.received();
    assert!(calls.iter().all(|call| call.is_signed_with(SECRET)) && !calls.is_empty());
}
