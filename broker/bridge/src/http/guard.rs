//! No call goes to an address inside: who can write a store file, or the DNS of a store, must not
//! reach what only this machine can reach. A connection is made to an address that was looked at,
//! never to a name, so that no second look-up can bring another one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// The way from names to addresses of one store.
#[derive(Debug, Clone)]
pub struct Guard {
    /// The operator allows this store to be inside.
    inside_allowed: bool,
}

/// Why an address is not called.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    #[error("{host} has no address")]
    Nowhere { host: String },
    #[error(
        "{host} is at {address}, which is not public: name it in bridge.allow_private_hosts if it \
         is meant"
    )]
    Inside { host: String, address: IpAddr },
    #[error("{host} cannot be resolved")]
    Resolve { host: String, source: std::io::Error },
}

impl Guard {
    pub fn new(inside_allowed: bool) -> Self {
        Self { inside_allowed }
    }

    /// A host that is an address is not resolved: it is looked at before the call.
    ///
    /// # Errors
    /// When it is inside.
    pub fn check_host(&self, host: &str) -> Result<(), GuardError> {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        match bare.parse::<IpAddr>() {
            Ok(address) if !self.allows(address) => {
                Err(GuardError::Inside { host: host.to_owned(), address })
            }
            Ok(_) | Err(_) => Ok(()),
        }
    }

    fn allows(&self, address: IpAddr) -> bool {
        self.inside_allowed || is_public(address)
    }

    /// Only the public ones of its addresses.
    async fn addresses(&self, host: &str) -> Result<Vec<SocketAddr>, GuardError> {
        let found = tokio::net::lookup_host((host, 0)).await;
        let found: Vec<SocketAddr> = found
            .map_err(|source| GuardError::Resolve { host: host.to_owned(), source })?
            .collect();
        let Some(first) = found.first().map(SocketAddr::ip) else {
            return Err(GuardError::Nowhere { host: host.to_owned() });
        };
        let outside: Vec<_> = found.into_iter().filter(|at| self.allows(at.ip())).collect();
        if outside.is_empty() {
            return Err(GuardError::Inside { host: host.to_owned(), address: first });
        }
        Ok(outside)
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let found = guard.addresses(name.as_str()).await?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Whether the whole world can reach it, by the special-purpose registries of IANA.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(v4: Ipv4Addr) -> bool {
    let [a, b, c, _] = v4.octets();
    let special = v4.is_unspecified()
        || v4.is_private()
        || v4.is_loopback()
        || v4.is_link_local()
        || v4.is_multicast()
        || v4.is_broadcast()
        || v4.is_documentation()
        || a == 0
        || a >= 240
        // Carrier-grade NAT, protocol assignments, 6to4 relays, benchmarks.
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19));
    !special
}

fn is_public_v6(v6: Ipv6Addr) -> bool {
    if let Some(v4) = embedded_v4(v6) {
        return is_public_v4(v4);
    }
    let [a, b, ..] = v6.segments();
    // Only 2000::/3 is given out; of it, protocol assignments and documentation are not.
    (a & 0xe000) == 0x2000
        && !(a == 0x2001 && b < 0x0200)
        && !(a == 0x2001 && b == 0x0db8)
        && !(a == 0x3fff && b < 0x1000)
}

/// IPv4 in IPv6: mapped, compatible, translated (64:ff9b::/96), 6to4.
fn embedded_v4(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let s = v6.segments();
    let last = Ipv4Addr::from((u32::from(s[6]) << 16) | u32::from(s[7]));
    match s {
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => Some(last),
        [0x2002, high, low, ..] => Some(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_inside_are_told_from_those_outside() {
        let inside = [
            "127.0.0.1",
            "127.9.9.9",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "100.127.255.255",
            "0.0.0.0",
            "0.1.2.3",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "192.0.0.1",
            "192.0.2.1",
            "198.18.0.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd12:3456::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "2001::1",
            "fec0::1",
        ];
        for text in inside {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
        let outside = [
            "1.1.1.1",
            "100.63.0.1",
            "100.128.0.1",
            "172.32.0.1",
            "198.20.0.1",
            "192.1.0.1",
            "2606:4700::1111",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
            "2002:101:101::",
        ];
        for text in outside {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn a_host_that_is_an_address_inside_is_refused_unless_it_is_allowed() {
        for host in ["127.0.0.1", "[::1]", "[::ffff:10.0.0.1]"] {
            assert!(Guard::new(false).check_host(host).is_err(), "{host}");
            assert!(Guard::new(true).check_host(host).is_ok(), "{host}");
        }
        assert!(Guard::new(false).check_host("store.example").is_ok());
    }

    #[tokio::test]
    async fn a_name_that_leads_inside_is_refused_unless_it_is_allowed() {
        let refused = Guard::new(false).addresses("localhost").await.unwrap_err();
        assert!(matches!(refused, GuardError::Inside { .. }), "{refused}");
        assert!(!Guard::new(true).addresses("localhost").await.unwrap().is_empty());
    }
}
