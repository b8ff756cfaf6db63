//! Just enough HTTP to ask a local process how it is.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A process on the same machine that does not answer within this is asked again.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// Metrics pages are the largest answers read here.
const ANSWER_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Status code and body of `GET path`.
pub(super) async fn get(address: SocketAddr, path: &str) -> io::Result<(u16, String)> {
    let answer = tokio::time::timeout(ANSWER_TIMEOUT, exchange(address, path));
    let text = answer.await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let code = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    let code = code.ok_or_else(|| io::Error::other(format!("no HTTP answer: {head}")))?;
    Ok((code, body.to_owned()))
}

async fn exchange(address: SocketAddr, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut bytes = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut bytes).await?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
