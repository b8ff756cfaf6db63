//! One POST on one connection, of which only the head of the answer is read.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use schemas::{DurationMs, Timestamp};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio_rustls::TlsConnector;
use url::{Position, Url};

use super::{Answer, guard, retry_after};
use crate::record::Why;

/// Most bytes of the head of an answer.
const HEAD_BYTES_MAX: usize = 16 * 1024;
const AGENT: &str = concat!("book-purchase-broker/", env!("CARGO_PKG_VERSION"));

/// How calls are made.
#[derive(Debug, Clone)]
pub struct Caller {
    pub tls: Arc<ClientConfig>,
    pub timeout: Duration,
    pub retry_after_max: DurationMs,
}

/// One call.
#[derive(Debug)]
pub struct Call<'a> {
    pub url: &'a Url,
    pub is_private_allowed: bool,
    /// Headers of the standard.
    pub headers: [(&'static str, String); 3],
    pub body: Bytes,
}

impl Caller {
    /// # Errors
    /// There is no answer that could be read in time.
    pub async fn post(&self, call: Call<'_>, now: Timestamp) -> Result<Answer, Why> {
        let exchange = tokio::time::timeout(self.timeout, self.exchange(call));
        let answer = exchange.await.map_err(|_| Why::TimedOut)??;
        let wait = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let wait = wait.and_then(|value| retry_after::parse(value, now, self.retry_after_max));
        Ok(Answer { status: answer.status().as_u16(), retry_after: wait })
    }

    async fn exchange(&self, call: Call<'_>) -> Result<Response<hyper::body::Incoming>, Why> {
        let host = call.url.host().ok_or(Why::UnknownHost)?;
        let port = call.url.port_or_known_default().ok_or(Why::UnknownHost)?;
        let addresses = guard::addresses(&host, port, call.is_private_allowed).await?;
        let stream = self.connect(&addresses).await?;
        let request = request(&call).ok_or(Why::Protocol)?;
        if call.url.scheme() == "http" {
            return ask(stream, request).await;
        }
        let name = match host {
            url::Host::Domain(name) => ServerName::try_from(name.to_owned()).ok(),
            url::Host::Ipv4(address) => Some(ServerName::from(std::net::IpAddr::V4(address))),
            url::Host::Ipv6(address) => Some(ServerName::from(std::net::IpAddr::V6(address))),
        };
        let name = name.ok_or(Why::UnknownHost)?;
        let stream = TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream).await;
        ask(stream.map_err(|error| of_tls(&error))?, request).await
    }

    /// To the first that can be reached; none takes the time of all.
    async fn connect(&self, addresses: &[SocketAddr]) -> Result<TcpStream, Why> {
        let share = self.timeout / u32::try_from(addresses.len()).unwrap_or(1).max(1);
        let mut last = Why::Unreachable;
        for address in addresses {
            match tokio::time::timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    // Small writes of a handshake need not wait for each other.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Ok(Err(_)) => last = Why::Unreachable,
                Err(_) => last = Why::TimedOut,
            }
        }
        Err(last)
    }
}

fn of_tls(error: &io::Error) -> Why {
    let inner = error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>());
    if inner { Why::Tls } else { Why::Unreachable }
}

fn request(call: &Call<'_>) -> Option<Request<Full<Bytes>>> {
    let path = &call.url[Position::BeforePath..Position::AfterQuery];
    let host = &call.url[Position::BeforeHost..Position::AfterPort];
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(if path.is_empty() { "/" } else { path })
        .header(HOST, host)
        .header(USER_AGENT, AGENT)
        .header(CONTENT_TYPE, "application/json");
    for (name, value) in &call.headers {
        request = request.header(*name, value);
    }
    request.body(Full::new(call.body.clone())).ok()
}

/// Ends the connection with the call, however that ends.
struct Ending(AbortHandle);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn ask(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Result<Response<hyper::body::Incoming>, Why> {
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD_BYTES_MAX);
    let (mut sender, connection) =
        builder.handshake(TokioIo::new(stream)).await.map_err(|_| Why::Unreachable)?;
    let connection = tokio::spawn(connection);
    let _ending = Ending(connection.abort_handle());
    sender.send_request(request).await.map_err(|error| of_http(&error))
}

fn of_http(error: &hyper::Error) -> Why {
    if error.is_parse() { Why::Protocol } else { Why::Unreachable }
}
