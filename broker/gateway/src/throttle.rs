//! Limits per address and per token: cells that refill evenly (GCRA, `governor`), and what is left
//! said in `RateLimit` headers (draft-ietf-httpapi-ratelimit-headers).

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use schemas::DurationMs;
use schemas::text::Text;

use crate::config::GatewayConfig;
use crate::problem::{Own, Refusal};
use crate::tokens::Principal;

/// A full bucket holds so many seconds' worth.
const BURST_S: u32 = 2;

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// Endpoints that share a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Group {
    Creates,
    Changes,
    Reads,
    Operators,
}

impl Group {
    pub(crate) fn of(parts: &Parts) -> Self {
        let path = parts.uri.path();
        if path.starts_with("/v1/operator") {
            return Self::Operators;
        }
        match parts.method {
            Method::GET | Method::HEAD => Self::Reads,
            Method::POST if path == "/v1/purchase-requests" || path == "/purchase-request" => {
                Self::Creates
            }
            _ => Self::Changes,
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Self::Creates => "creates",
            Self::Changes => "changes",
            Self::Reads => "reads",
            Self::Operators => "operators",
        }
    }
}

type Cells<K> = RateLimiter<K, DefaultKeyedStateStore<K>, DefaultClock, StateInformationMiddleware>;

/// Of one kind of key; absent where nothing is limited.
struct Limit<K: Hash + Eq + Clone>(Option<(NonZeroU32, Cells<K>)>);

impl<K: Hash + Eq + Clone> Limit<K> {
    fn new(per_s: u32) -> Self {
        Self(NonZeroU32::new(per_s).map(|per_s| {
            let burst = per_s.saturating_mul(NonZeroU32::new(BURST_S).unwrap_or(NonZeroU32::MIN));
            let quota = Quota::per_second(per_s).allow_burst(burst);
            (per_s, RateLimiter::keyed(quota).with_middleware())
        }))
    }

    /// What is left, or how long to wait.
    fn take(&self, key: &K) -> Result<Option<u32>, Duration> {
        let Some((_, cells)) = &self.0 else { return Ok(None) };
        match cells.check_key(key) {
            Ok(state) => Ok(Some(state.remaining_burst_capacity())),
            Err(not_until) => Err(not_until.wait_time_from(DefaultClock::default().now())),
        }
    }

    fn forget_idle(&self) {
        if let Some((_, cells)) = &self.0 {
            cells.retain_recent();
            cells.shrink_to_fit();
        }
    }
}

pub(crate) struct Limits {
    addresses: Limit<IpAddr>,
    tokens: Limit<(Text<64>, Group)>,
    per_address_per_s: u32,
}

impl Limits {
    pub(crate) fn new(config: &GatewayConfig) -> Arc<Self> {
        Arc::new(Self {
            addresses: Limit::new(config.per_address_per_s),
            tokens: Limit::new(config.per_token_per_s),
            per_address_per_s: config.per_address_per_s,
        })
    }

    /// Whoever it is. The headers tell how much is left.
    pub(crate) fn address(&self, address: IpAddr) -> Result<HeaderMap, Refusal> {
        // Who has a network has 2^64 addresses of version 6.
        let key = match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() >> 64 << 64).into()),
        };
        match self.addresses.take(&key) {
            Ok(None) => Ok(HeaderMap::new()),
            Ok(Some(left)) => Ok(headers(self.per_address_per_s, left)),
            Err(wait) => Err(refusal("this address", wait)),
        }
    }

    pub(crate) fn token(&self, principal: &Principal, group: Group) -> Result<(), Refusal> {
        let key = (principal.name.clone(), group);
        let what = || format!("{} of this token", group.label());
        self.tokens.take(&key).map(drop).map_err(|wait| refusal(&what(), wait))
    }

    /// Keys that have not been used for a while need no memory.
    pub(crate) fn forget_idle(&self) {
        self.addresses.forget_idle();
        self.tokens.forget_idle();
    }
}

fn headers(per_s: u32, left: u32) -> HeaderMap {
    let quota = per_s.saturating_mul(BURST_S);
    let policy = format!("\"address\";q={quota};w={BURST_S}");
    let limit = format!("\"address\";r={left};t=1");
    let mut headers = HeaderMap::new();
    for (name, value) in [(POLICY, policy), (LIMIT, limit)] {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
    headers
}

fn refusal(who: &str, wait: Duration) -> Refusal {
    let wait = DurationMs(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1));
    Refusal::own(Own::QuotaExceeded, format!("too many calls: {who}; try again in {wait}"))
        .after(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_let_through_and_then_told_when_to_come_back() {
        let limits = Limits::new(&GatewayConfig { per_address_per_s: 2, ..Default::default() });
        let here = IpAddr::from([127, 0, 0, 1]);
        for left in [3, 2, 1, 0] {
            let headers = limits.address(here).unwrap();
            assert_eq!(headers[LIMIT], format!("\"address\";r={left};t=1"));
        }
        let refused = limits.address(here).unwrap_err();
        assert_eq!(refused.body().code, "quota_exceeded");
        assert!(refused.body().retry_after_ms.unwrap().as_ms() <= 500);
        assert!(limits.address(IpAddr::from([127, 0, 0, 2])).is_ok());
    }

    #[test]
    fn neighbours_of_one_network_of_version_6_share_a_limit() {
        let limits = Limits::new(&GatewayConfig { per_address_per_s: 1, ..Default::default() });
        let address = |last: u16| IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, last]);
        assert!(limits.address(address(1)).is_ok());
        assert!(limits.address(address(2)).is_ok());
        assert!(limits.address(address(3)).is_err());
    }
}
