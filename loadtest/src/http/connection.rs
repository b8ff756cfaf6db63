//! One kept-alive HTTP/1.1 connection, and one call on it.

use std::net::SocketAddr;

use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use hyper::{Method, Request, Uri, Version};
use hyper_util::rt::TokioIo;
use schemas::RequestId;
use tokio::net::TcpStream;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
pub(super) const PATH: &str = "/v1/purchase-requests";

/// What a caller was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Said {
    Status {
        code: u16,
        replayed: bool,
    },
    /// The connection broke: it may have been done.
    Nothing,
}

impl Said {
    pub(super) const ACCEPTED: Self = Self::Status { code: 202, replayed: false };

    /// Whether the request may be there although nobody said so.
    pub(super) const fn is_unknown(self) -> bool {
        matches!(self, Self::Nothing | Self::Status { code: 500.., .. })
    }
}

/// Made at the first call, and again after it broke.
pub(super) struct Connection {
    address: SocketAddr,
    host: HeaderValue,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Connection {
    pub(super) fn new(address: SocketAddr) -> anyhow::Result<Self> {
        let host = HeaderValue::try_from(address.to_string())?;
        Ok(Self { address, host, sender: None })
    }

    /// So that no measured call waits for it.
    pub(super) async fn open(&mut self) -> anyhow::Result<()> {
        let doing = || format!("connecting to {}", self.address);
        let stream = TcpStream::connect(self.address).await.with_context(doing)?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.with_context(doing)?;
        tokio::spawn(async move {
            // What broke it is told to whoever calls.
            let _ = connection.await;
        });
        self.sender = Some(sender);
        Ok(())
    }

    /// One create; the answer is read to its end.
    pub(super) async fn create(
        &mut self,
        request: RequestId,
        token: &HeaderValue,
        body: Bytes,
    ) -> anyhow::Result<Said> {
        let call = self.request(request, token, body)?;
        let said = self.send(call).await;
        if said.is_none() {
            self.sender = None;
        }
        Ok(said.unwrap_or(Said::Nothing))
    }

    async fn send(&mut self, call: Request<Full<Bytes>>) -> Option<Said> {
        if self.sender.is_none() {
            self.open().await.ok()?;
        }
        let sender = self.sender.as_mut()?;
        sender.ready().await.ok()?;
        let response = sender.send_request(call).await.ok()?;
        let code = response.status().as_u16();
        let replayed = response.headers().contains_key(REPLAYED);
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            frame.ok()?;
        }
        Some(Said::Status { code, replayed })
    }

    fn request(
        &self,
        request: RequestId,
        token: &HeaderValue,
        body: Bytes,
    ) -> anyhow::Result<Request<Full<Bytes>>> {
        let mut call = Request::new(Full::new(body));
        *call.method_mut() = Method::POST;
        *call.uri_mut() = Uri::from_static(PATH);
        *call.version_mut() = Version::HTTP_11;
        let headers = call.headers_mut();
        headers.insert(HOST, self.host.clone());
        headers.insert(AUTHORIZATION, token.clone());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(IDEMPOTENCY_KEY, HeaderValue::try_from(request.to_string())?);
        Ok(call)
    }
}
