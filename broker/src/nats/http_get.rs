//! The smallest HTTP client: one GET of the server's own monitoring endpoint.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const TIMEOUT: Duration = Duration::from_secs(2);
/// `/jsz?config=1` is a few kilobytes; anything larger is not what was asked for.
const ANSWER_BYTES_MAX: u64 = 1024 * 1024;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum GetError {
    #[error("{url} is not http://host:port")]
    Url { url: String },
    #[error("no answer from {url} within {TIMEOUT:?}")]
    Timeout { url: String },
    #[error("cannot talk to {url}")]
    Io { url: String, source: std::io::Error },
    #[error("{url} answered {status}")]
    Status { url: String, status: String },
}

/// The body of `GET <base><path>`; `base` is `http://host:port`.
///
/// # Errors
/// No connection, no answer in time, or a status other than 200.
pub async fn get(base: &str, path: &str) -> Result<Vec<u8>, GetError> {
    let url = format!("{}{path}", base.trim_end_matches('/'));
    match tokio::time::timeout(TIMEOUT, exchange(base, path, &url)).await {
        Ok(result) => result,
        Err(_elapsed) => Err(GetError::Timeout { url }),
    }
}

async fn exchange(base: &str, path: &str, url: &str) -> Result<Vec<u8>, GetError> {
    let authority = base
        .strip_prefix("http://")
        .map(|rest| rest.trim_end_matches('/'))
        .filter(|rest| !rest.is_empty() && !rest.contains('/'))
        .ok_or_else(|| GetError::Url { url: base.to_owned() })?;
    let io = |source| GetError::Io { url: url.to_owned(), source };
    let address =
        if authority.contains(':') { authority.to_owned() } else { format!("{authority}:80") };
    let mut stream = TcpStream::connect(address).await.map_err(io)?;
    // HTTP/1.0: the server closes the connection at the end of the body.
    let request = format!("GET {path} HTTP/1.0\r\nHost: {authority}\r\nAccept: */*\r\n\r\n");
    stream.write_all(request.as_bytes()).await.map_err(io)?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await.map_err(io)?;
    split(&answer).map_err(|status| GetError::Status { url: url.to_owned(), status })
}

/// The body, or the status line that is not a success.
fn split(answer: &[u8]) -> Result<Vec<u8>, String> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(answer.len());
    let head = String::from_utf8_lossy(&answer[..end]);
    let status = head.lines().next().unwrap_or_default();
    if status.split(' ').nth(1) == Some("200") {
        return Ok(answer.get(end + 4..).unwrap_or_default().to_vec());
    }
    Err(status.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn body_and_status_are_told_apart() {
        assert_eq!(split(b"HTTP/1.0 200 OK\r\nA: b\r\n\r\n{}"), Ok(b"{}".to_vec()));
        assert_eq!(split(b"HTTP/1.1 404 Not Found\r\n\r\n"), Err("HTTP/1.1 404 Not Found".into()));
        assert_eq!(split(b""), Err(String::new()));
    }

    #[tokio::test]
    async fn an_address_that_is_none_is_refused() {
        let error = get("https://example", "/jsz").await.unwrap_err();
        assert!(matches!(error, GetError::Url { .. }), "{error}");
    }
}
