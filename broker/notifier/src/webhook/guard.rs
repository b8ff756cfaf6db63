//! Which addresses may be called. Customers name the URLs, and the machine that calls them stands
//! in a network of its own: whatever is reachable only from there must not be.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::record::Why;

/// Most addresses of a host that are tried.
const ADDRESSES_MAX: usize = 4;

/// Whether an address is everybody's to call.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let special = match address.octets() {
        // This network, shared by carriers, protocol assignments, 6to4 relays, benchmarks.
        [0, ..] | [192, 0, 0, _] | [192, 88, 99, _] => true,
        [100, second, ..] => second & 0xc0 == 64,
        [198, second, ..] => second & 0xfe == 18,
        // Reserved, and broadcast.
        [first, ..] => first >= 240,
    };
    !(special
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation())
}

/// Only global unicast, and of it nothing that carries an IPv4 address or is set apart.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let global = first & 0xe000 == 0x2000;
    let special = match (first, second) {
        // Teredo, ORCHID and other assignments; documentation; 6to4.
        (0x2001, second) => second < 0x200 || second == 0xdb8,
        (0x2002, _) => true,
        (0x3fff, second) => second & 0xf000 == 0,
        _ => false,
    };
    global && !special
}

/// The addresses of a host, looked up once: the connection is made to one of these and no other.
///
/// # Errors
/// There is none, or one of them may not be called.
pub async fn addresses(
    host: &url::Host<&str>,
    port: u16,
    is_private_allowed: bool,
) -> Result<Vec<SocketAddr>, Why> {
    let found: Vec<SocketAddr> = match host {
        url::Host::Ipv4(address) => vec![SocketAddr::from((*address, port))],
        url::Host::Ipv6(address) => vec![SocketAddr::from((*address, port))],
        url::Host::Domain(name) => {
            let looked_up = tokio::net::lookup_host((*name, port)).await;
            looked_up.map_err(|_| Why::UnknownHost)?.collect()
        }
    };
    permitted(found, is_private_allowed)
}

/// A host with one address too many is refused as a whole: which of them is meant is the choice of
/// whoever runs its name server.
fn permitted(mut found: Vec<SocketAddr>, is_private_allowed: bool) -> Result<Vec<SocketAddr>, Why> {
    if found.is_empty() {
        return Err(Why::UnknownHost);
    }
    if !is_private_allowed && found.iter().any(|address| !is_public(address.ip())) {
        return Err(Why::AddressRefused);
    }
    found.truncate(ADDRESSES_MAX);
    Ok(found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_of_every_inner_network_are_refused() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.8.8.8",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::7f00:1",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:a00:1::",
            "3fff::1",
            "fc00::1",
            "fdff::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn addresses_of_the_open_network_are_called() {
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.0.1",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "2001:200::1",
            "2606:4700::1111",
            "2a00:1450:4001::1",
            "2003::1",
        ] {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn a_host_with_one_inner_address_is_refused_as_a_whole() {
        let at = |text: &str| SocketAddr::new(text.parse().unwrap(), 443);
        let (inner, outer) = (at("10.0.0.1"), at("1.1.1.1"));
        assert_eq!(permitted(vec![outer, inner], false), Err(Why::AddressRefused));
        assert_eq!(permitted(vec![outer, inner], true), Ok(vec![outer, inner]));
        assert_eq!(permitted(vec![outer], false), Ok(vec![outer]));
        assert_eq!(permitted(vec![], true), Err(Why::UnknownHost));
    }

    #[tokio::test]
    async fn a_name_for_this_machine_is_refused_unless_it_is_allowed() {
        let host = url::Host::Domain("localhost");
        assert_eq!(addresses(&host, 80, false).await, Err(Why::AddressRefused));
        assert!(addresses(&host, 80, true).await.is_ok());
    }

    proptest! {
        /// An inner IPv4 address stays one in every disguise.
        #[test]
        fn no_ipv6_form_of_an_inner_address_is_public(bits: u32) {
            let v4 = Ipv4Addr::from_bits(bits);
            if !is_public_v4(v4) {
                let [a, b, c, d] = v4.octets().map(u16::from);
                let (high, low) = (a << 8 | b, c << 8 | d);
                let disguises = [
                    v4.to_ipv6_mapped(),
                    Ipv6Addr::new(0, 0, 0, 0, 0, 0, high, low),
                    Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
                    Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
                ];
                for disguise in disguises {
                    prop_assert!(!is_public_v6(disguise), "{}", disguise);
                }
            }
        }
    }
}
