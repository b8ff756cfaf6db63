//! One request, one answer: what is sent, how far it is followed, how much of it is read.

use bytes::{Bytes, BytesMut};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{Client, Method, StatusCode, Url};
use schemas::{DurationMs, Timestamp};

use super::guard::Guard;
use crate::read::{Document, Format};

/// Redirects that are followed, all on the same host.
const REDIRECTS_MAX: usize = 3;

/// A call that is filled in.
#[derive(Debug, Clone)]
pub(crate) struct Rendered {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// The store knows nothing of it.
    #[error("not sent: {0}")]
    NotSent(String),
    /// The store may have done anything.
    #[error("no answer: {0}")]
    NoAnswer(String),
}

/// A status, and a body if it can be read.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<DurationMs>,
    pub(crate) body: Result<Document, String>,
}

pub(crate) struct Sender<'a> {
    pub(crate) client: &'a Client,
    pub(crate) guard: &'a Guard,
    pub(crate) format: Format,
    pub(crate) body_bytes_max: usize,
}

impl Sender<'_> {
    pub(crate) async fn send(
        &self,
        mut call: Rendered,
        now: Timestamp,
    ) -> Result<Answer, CallError> {
        let mut followed = 0;
        let mut sent = false;
        loop {
            self.guard
                .check_host(call.url.host_str().unwrap_or(""))
                .map_err(|e| CallError::NotSent(e.to_string()))?;
            let response = self.exchange(&call).await.map_err(|error| match error {
                CallError::NotSent(why) if sent => CallError::NoAnswer(why),
                error => error,
            })?;
            sent = true;
            let Some(next) = redirect(&call, &response).map_err(CallError::NoAnswer)? else {
                return self.read(response, now).await;
            };
            followed += 1;
            if followed > REDIRECTS_MAX {
                return Err(CallError::NoAnswer(format!("more than {REDIRECTS_MAX} redirects")));
            }
            call.url = next;
        }
    }

    async fn exchange(&self, call: &Rendered) -> Result<reqwest::Response, CallError> {
        let accept = match self.format {
            Format::Json => "application/json",
            Format::Xml => "application/xml, text/xml",
        };
        let mut request = self
            .client
            .request(call.method.clone(), call.url.clone())
            .header(ACCEPT, accept)
            .headers(call.headers.clone());
        if !call.body.is_empty() {
            request = request.body(call.body.clone());
        }
        request.send().await.map_err(|error| {
            let why = chain(&error);
            // Before there was a connection nothing was sent.
            if error.is_connect() { CallError::NotSent(why) } else { CallError::NoAnswer(why) }
        })
    }

    async fn read(
        &self,
        mut response: reqwest::Response,
        now: Timestamp,
    ) -> Result<Answer, CallError> {
        let status = response.status().as_u16();
        let retry_after = retry_after(response.headers(), now);
        let content_type = header(response.headers(), &CONTENT_TYPE);
        let mut body = BytesMut::new();
        // Counted unpacked: a small answer can unpack to any size.
        while let Some(chunk) =
            response.chunk().await.map_err(|e| CallError::NoAnswer(chain(&e)))?
        {
            if body.len() + chunk.len() > self.body_bytes_max {
                let why = format!("the answer is longer than {} bytes", self.body_bytes_max);
                return Ok(Answer { status, retry_after, body: Err(why) });
            }
            body.extend_from_slice(&chunk);
        }
        let body = self.parse(&body, content_type.as_deref());
        Ok(Answer { status, retry_after, body })
    }

    fn parse(&self, body: &[u8], content_type: Option<&str>) -> Result<Document, String> {
        if body.is_empty() {
            return Ok(Document::Empty);
        }
        let shown = content_type.unwrap_or("nothing");
        if !content_type.is_some_and(|text| is_of(text, self.format)) {
            return Err(format!("the answer says it is {shown:?}"));
        }
        Document::parse(self.format, body).map_err(|error| error.to_string())
    }
}

fn is_of(content_type: &str, format: Format) -> bool {
    let essence = content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    let (word, suffix) = match format {
        Format::Json => ("json", "+json"),
        Format::Xml => ("xml", "+xml"),
    };
    let Some((kind, sub)) = essence.split_once('/') else { return false };
    let plain = matches!(kind, "application" | "text") && sub == word;
    // XHTML is for people.
    plain || (sub.ends_with(suffix) && sub != "xhtml+xml")
}

/// Where to go instead, if that is on the same host and keeps the call what it is.
fn redirect(call: &Rendered, response: &reqwest::Response) -> Result<Option<Url>, String> {
    let status = response.status();
    let moved = matches!(
        status,
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    );
    if !moved {
        return Ok(None);
    }
    let keeps = matches!(status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT);
    if call.method != Method::GET && !keeps {
        return Err(format!("redirected with {status}, which would make it a question"));
    }
    let to = header(response.headers(), &LOCATION).ok_or("redirected to nowhere")?;
    let next = call.url.join(&to).map_err(|e| format!("redirected to {to:?}: {e}"))?;
    if next.origin() != call.url.origin() {
        let host = next.host_str().unwrap_or("nowhere");
        return Err(format!("redirected to another host, {host}"));
    }
    Ok(Some(next))
}

/// Seconds, or a date of HTTP.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<DurationMs> {
    let text = header(headers, &RETRY_AFTER)?;
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(DurationMs::from_secs(seconds));
    }
    let at = httpdate::parse_http_date(text).ok()?;
    let at = at.duration_since(std::time::UNIX_EPOCH).ok()?;
    let at = Timestamp::from_unix_ms(u64::try_from(at.as_millis()).ok()?);
    Some(at.since(now))
}

fn header(headers: &HeaderMap, name: &reqwest::header::HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// The whole story of an error, without the address that it was about: it can hold a key.
fn chain(error: &reqwest::Error) -> String {
    let mut story = String::new();
    let mut next: Option<&dyn std::error::Error> = std::error::Error::source(error);
    while let Some(error) = next {
        if !story.is_empty() {
            story.push_str(": ");
        }
        story.push_str(&error.to_string());
        next = error.source();
    }
    if error.is_timeout() { format!("timed out: {story}") } else { story }
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn a_pause_is_asked_for_in_seconds_or_by_date() {
        let mut headers = HeaderMap::new();
        let now = Timestamp::parse("2015-10-21T07:28:00Z").unwrap();
        assert_eq!(retry_after(&headers, now), None);
        headers.insert(RETRY_AFTER, HeaderValue::from_static(" 7 "));
        assert_eq!(retry_after(&headers, now), Some(DurationMs(7000)));
        let date = HeaderValue::from_static("Wed, 21 Oct 2015 07:28:30 GMT");
        headers.insert(RETRY_AFTER, date);
        assert_eq!(retry_after(&headers, now), Some(DurationMs(30_000)));
        headers.insert(RETRY_AFTER, HeaderValue::from_static("soon"));
        assert_eq!(retry_after(&headers, now), None);
    }

    #[test]
    fn only_the_stores_own_language_is_read() {
        for good in ["application/json", "Application/JSON; charset=utf-8", "application/hal+json"]
        {
            assert!(is_of(good, Format::Json), "{good}");
        }
        for bad in ["text/html", "text/html; x=json", "json", "application/xml", ""] {
            assert!(!is_of(bad, Format::Json), "{bad}");
        }
        assert!(is_of("text/xml", Format::Xml) && is_of("application/atom+xml", Format::Xml));
        assert!(!is_of("application/xhtml+xml", Format::Xml));
    }
}
