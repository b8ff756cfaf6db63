//! Starts that are refused, with a message that says what to do.

use std::path::Path;
use std::process::ExitStatus;

use tests::harness::{Process, Program};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::stage::SOON;

/// Runs the broker with `config` until it ends by itself; how, and what it said.
async fn refused(dir: &Path, config: &str) -> (ExitStatus, String) {
    let file = dir.join("broker.toml");
    std::fs::write(&file, config).unwrap();
    let arguments = ["serve", "--config", file.to_str().unwrap()].map(str::to_owned).to_vec();
    let log = dir.join("broker.log");
    let program = Program::new(env!("CARGO_BIN_EXE_test-broker"));
    let mut process = Process::new("broker", program, arguments, log.clone());
    process.start().unwrap();
    let status = process.wait_for_end(SOON).await.unwrap();
    (status, std::fs::read_to_string(log).unwrap())
}

/// A server of another age: says its version and answers pings.
async fn old_server(version: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(greet(stream, version, port));
        }
    });
    port
}

async fn greet(mut stream: TcpStream, version: &str, port: u16) {
    let info = format!(
        "INFO {{\"server_id\":\"OLD\",\"server_name\":\"old\",\"version\":\"{version}\",\
         \"proto\":1,\"host\":\"127.0.0.1\",\"port\":{port},\"headers\":true,\
         \"max_payload\":1048576,\"jetstream\":true,\"client_id\":1}}\r\n"
    );
    let mut heard = [0; 4096];
    if stream.write_all(info.as_bytes()).await.is_err() {
        return;
    }
    while let Ok(1..) = stream.read(&mut heard).await {
        if stream.write_all(b"PONG\r\n").await.is_err() {
            return;
        }
    }
}

fn config(port: u16) -> String {
    format!(
        "partners_file = \"partners.toml\"\npayment_provider = \"simpay\"\n\
         [nats]\nurls = [\"nats://127.0.0.1:{port}\"]\n[store]\ndir = \"store\"\n"
    )
}

fn directory() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let alpha = "[[partner]]\nid = \"alpha\"\n";
    std::fs::write(dir.path().join("partners.toml"), alpha).unwrap();
    dir
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_too_old_is_refused_by_its_version() {
    let dir = directory();
    let port = old_server("2.10.29").await;
    let (status, said) = refused(dir.path(), &config(port)).await;
    assert!(!status.success());
    assert!(said.contains("2.10.29") && said.contains("2.11.0"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_misspelt_setting_is_refused_by_its_name() {
    let dir = directory();
    let text = format!("{}\n[limits]\nintake_maximum = 5\n", config(4222));
    let (status, said) = refused(dir.path(), &text).await;
    assert!(!status.success());
    assert!(said.contains("broker.toml:9: limits.intake_maximum"), "{said}");
    assert!(said.contains("did you mean limits.intake_max?"), "{said}");
    assert_eq!(status.code(), Some(2), "a usage error, for supervisors that restart");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_partner_directory_is_refused_by_its_path() {
    let dir = directory();
    std::fs::remove_file(dir.path().join("partners.toml")).unwrap();
    let (status, said) = refused(dir.path(), &config(4222)).await;
    assert!(!status.success());
    assert!(said.contains("partners.toml"), "{said}");
}
