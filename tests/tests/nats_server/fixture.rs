//! What the other suites rely on when they kill, freeze and restart a server.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use async_nats::jetstream::{self, stream};
use tests::nats_server::{
    MINIMUM_VERSION, NatsServer, NatsServerOptions, ServerError, SyncInterval, resolve_once,
};

/// Longer than any answer takes; a test that waits this long is about to fail.
const PATIENCE: Duration = Duration::from_secs(10);

fn start() -> NatsServer {
    NatsServer::start(NatsServerOptions::default()).unwrap()
}

fn monitor_page(server: &NatsServer, page: &str) -> String {
    let address = server.monitor_url().replace("http://", "");
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {page} HTTP/1.0\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

/// One client that has been greeted, for the tests that need no more than PING.
fn greeted(server: &NatsServer) -> BufReader<TcpStream> {
    let mut reader = BufReader::new(TcpStream::connect(("127.0.0.1", server.port())).unwrap());
    reader.read_line(&mut String::new()).unwrap();
    reader.get_mut().write_all(b"CONNECT {\"verbose\":false}\r\n").unwrap();
    reader
}

fn pong(client: &mut BufReader<TcpStream>, within: Duration) -> bool {
    client.get_ref().set_read_timeout(Some(within)).unwrap();
    let mut line = String::new();
    client.read_line(&mut line).is_ok() && line == "PONG\r\n"
}

async fn jetstream_of(server: &NatsServer) -> jetstream::Context {
    jetstream::new(async_nats::connect(server.url()).await.unwrap())
}

async fn keep_one_message(server: &NatsServer) {
    let jetstream = jetstream_of(server).await;
    let config = stream::Config {
        name: "KEPT".to_owned(),
        subjects: vec!["kept.>".to_owned()],
        ..stream::Config::default()
    };
    jetstream.create_stream(config).await.unwrap();
    jetstream.publish("kept.one", "still here".into()).await.unwrap().await.unwrap();
}

async fn kept_messages(server: &NatsServer) -> u64 {
    let stream = jetstream_of(server).await.get_stream("KEPT").await.unwrap();
    stream.cached_info().state.messages
}

#[test]
fn the_server_of_this_machine_runs_and_is_new_enough() {
    let resolved = resolve_once().unwrap();
    assert!(resolved.version >= MINIMUM_VERSION);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledged_message_is_still_there_after_kill_and_restart_at_the_same_address() {
    let mut server = start();
    let url = server.url();
    keep_one_message(&server).await;
    server.kill_9().unwrap();
    assert_eq!(server.pid(), None);
    assert!(TcpStream::connect(("127.0.0.1", server.port())).is_err());
    server.restart().unwrap();
    assert_eq!(server.url(), url);
    assert_eq!(kept_messages(&server).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_graceful_stop_ends_the_process_and_keeps_the_store() {
    let mut server = start();
    keep_one_message(&server).await;
    server.stop_gracefully().unwrap();
    let log = fs::read_to_string(server.log_path()).unwrap();
    assert!(log.contains("Server Exiting"), "{log}");
    server.restart().unwrap();
    assert_eq!(kept_messages(&server).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_store_directory_outlives_the_fixture() {
    let store = tempfile::tempdir().unwrap();
    let options = NatsServerOptions {
        store_dir: Some(store.path().to_owned()),
        ..NatsServerOptions::default()
    };
    let first = NatsServer::start(options.clone()).unwrap();
    keep_one_message(&first).await;
    drop(first);
    let second = NatsServer::start(options).unwrap();
    assert_eq!(kept_messages(&second).await, 1);
}

#[test]
fn a_paused_server_keeps_connections_open_and_answers_only_after_it_is_resumed() {
    let server = start();
    let mut client = greeted(&server);
    client.get_mut().write_all(b"PING\r\n").unwrap();
    assert!(pong(&mut client, PATIENCE));
    server.pause().unwrap();
    client.get_mut().write_all(b"PING\r\n").unwrap();
    assert!(!pong(&mut client, Duration::from_millis(300)));
    server.resume().unwrap();
    assert!(pong(&mut client, PATIENCE));
}

#[test]
fn a_paused_server_can_be_stopped_and_restarted() {
    let mut server = start();
    server.pause().unwrap();
    server.stop_gracefully().unwrap();
    server.restart().unwrap();
    assert!(server.pid().is_some());
}

#[test]
fn servers_started_at_the_same_time_share_neither_port_nor_store() {
    let servers: Vec<NatsServer> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(start)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for (index, server) in servers.iter().enumerate() {
        for other in &servers[index + 1..] {
            assert_ne!(server.url(), other.url());
            assert_ne!(server.monitor_url(), other.monitor_url());
            assert_ne!(server.store_dir(), other.store_dir());
        }
    }
}

#[test]
fn the_monitor_tells_what_a_publish_acknowledgement_is_worth() {
    let synced = start();
    assert!(monitor_page(&synced, "/jsz").contains(r#""sync_always": true"#));
    let sync = SyncInterval::Default;
    let weak = NatsServer::start(NatsServerOptions { sync, ..NatsServerOptions::default() });
    assert!(!monitor_page(&weak.unwrap(), "/jsz").contains("sync_always"));
}

#[test]
fn a_wish_for_a_port_is_granted() {
    let port = start().port();
    let options = NatsServerOptions { port: Some(port), ..NatsServerOptions::default() };
    assert_eq!(NatsServer::start(options).unwrap().url(), format!("nats://127.0.0.1:{port}"));
}

#[test]
fn a_port_of_another_running_fixture_is_refused() {
    let first = start();
    let port = Some(first.port());
    let second = NatsServer::start(NatsServerOptions { port, ..NatsServerOptions::default() });
    assert!(matches!(second, Err(ServerError::Prepare { what: "client port", .. })));
}

#[test]
fn a_start_that_fails_quotes_the_log_of_the_server() {
    let extra_config = "no_such_option: true".to_owned();
    let options = NatsServerOptions { extra_config, ..NatsServerOptions::default() };
    let error = NatsServer::start(options).unwrap_err();
    assert!(matches!(error, ServerError::Ended { .. }));
    assert!(error.to_string().contains("no_such_option"), "{error}");
}

#[test]
fn a_running_server_is_not_started_a_second_time() {
    let mut server = start();
    assert!(matches!(server.restart(), Err(ServerError::StillRunning)));
}

#[test]
fn a_dropped_server_is_gone() {
    let server = start();
    let (port, store) = (server.port(), server.store_dir());
    drop(server);
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    assert!(!store.exists());
}
