//! How a client's address is found: the peer's, or one that proxies in front wrote into `X-Forwarded-For`. Whether that header
//! can be believed is decided at the entry point.

use crate::ip_set::{IpSet, parse_ip, parse_ip_with_port};
use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};
use trilithon_flow::{BuildError, Exchange, Known, Request};
use trilithon_model::dynamic::http::IpStrategy as Config;

/// Where the address is taken from, and how much of it counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IpStrategy {
    from: From,
    /// Bits of an IPv6 address that count, 1 to 128.
    ipv6_subnet: Option<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum From {
    Peer,
    /// The n-th entry from the right, from 1.
    Depth(usize),
    /// The rightmost entry that is none of these.
    Excluding(IpSet),
}

impl IpStrategy {
    /// The peer's address.
    pub const PEER: IpStrategy = IpStrategy {
        from: From::Peer,
        ipv6_subnet: None,
    };

    /// From the option. `depth` wins over `excludedIPs`; neither means the peer.
    ///
    /// # Errors
    /// An `ipv6Subnet` outside of 1 to 128; an excluded entry that is no address.
    pub fn build(config: Option<&Config>) -> Result<IpStrategy, BuildError> {
        let Some(config) = config else {
            return Ok(IpStrategy::PEER);
        };
        let from = match usize::try_from(config.depth) {
            Ok(depth) if depth > 0 => From::Depth(depth),
            _ if config.excluded_ips.is_empty() => From::Peer,
            _ => From::Excluding(IpSet::parse(&config.excluded_ips).map_err(BuildError::new)?),
        };
        Ok(IpStrategy {
            from,
            ipv6_subnet: subnet(config.ipv6_subnet)?,
        })
    }

    /// The address as a name for its requests; empty when there is none. What is in `X-Forwarded-For` need not be an address.
    pub fn source<'a>(&self, req: &'a Request, cx: &'a Exchange) -> Cow<'a, [u8]> {
        let text = match self.entry(req) {
            Some(entry) => entry,
            None => cx.connection.peer_ip.as_bytes(),
        };
        match self.ipv6_subnet.and_then(|bits| network(text, bits)) {
            Some(network) => Cow::Owned(network.to_string().into_bytes()),
            None => Cow::Borrowed(text),
        }
    }

    /// The address, if there is one; entries may have a port.
    pub fn ip(&self, req: &Request, cx: &Exchange) -> Option<IpAddr> {
        let ip = match self.entry(req) {
            Some(entry) => parse_ip_with_port(std::str::from_utf8(entry).ok()?)?,
            None => cx.client_ip(),
        };
        Some(match (ip, self.ipv6_subnet) {
            (IpAddr::V6(ip), Some(bits)) => IpAddr::V6(mask(ip, bits)),
            _ => ip,
        })
    }

    /// The chosen entry of `X-Forwarded-For`; `None` when the peer is asked for.
    fn entry<'a>(&self, req: &'a Request) -> Option<&'a [u8]> {
        let forwarded = || {
            let header = req.headers.known(Known::XForwardedFor).unwrap_or_default();
            header.rsplit(|b| *b == b',').map(<[u8]>::trim_ascii)
        };
        let found = match &self.from {
            From::Peer => return None,
            From::Depth(depth) => forwarded().nth(depth - 1),
            From::Excluding(set) => forwarded().find(|entry| !entry.is_empty() && !is_in(set, entry)),
        };
        Some(found.unwrap_or_default())
    }
}

fn is_in(set: &IpSet, entry: &[u8]) -> bool {
    std::str::from_utf8(entry)
        .ok()
        .and_then(parse_ip)
        .is_some_and(|ip| set.contains(ip))
}

fn subnet(bits: Option<i64>) -> Result<Option<u8>, BuildError> {
    match bits {
        None => Ok(None),
        Some(bits @ 1..=128) => Ok(Some(bits as u8)),
        Some(bits) => Err(BuildError::new(format!(
            "invalid IPv6 subnet {bits} value, should be greater to 0 and lower or equal to 128"
        ))),
    }
}

/// The network of an IPv6 address in text; nothing of anything else.
fn network(text: &[u8], bits: u8) -> Option<Ipv6Addr> {
    match parse_ip(std::str::from_utf8(text).ok()?)? {
        IpAddr::V6(ip) => Some(mask(ip, bits)),
        IpAddr::V4(_) => None,
    }
}

fn mask(ip: Ipv6Addr, bits: u8) -> Ipv6Addr {
    let kept = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
    Ipv6Addr::from_bits(ip.to_bits() & kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::{connection, get};
    use std::rc::Rc;

    fn config(depth: i64, excluded: &[&str], ipv6_subnet: Option<i64>) -> Config {
        Config {
            depth,
            excluded_ips: excluded.iter().map(|e| e.to_string()).collect(),
            ipv6_subnet,
        }
    }

    fn check(config: &Config, peer: &str, forwarded: &str, source: &str, ip: Option<&str>) {
        let strategy = IpStrategy::build(Some(config)).unwrap();
        let req = get("/", &[("X-Forwarded-For", forwarded)]);
        let cx = Exchange::new(Rc::new(connection(peer, None)), Rc::default());
        assert_eq!(
            strategy.source(&req, &cx),
            source.as_bytes(),
            "{config:?} {forwarded}"
        );
        assert_eq!(
            strategy.ip(&req, &cx),
            ip.map(|ip| ip.parse().unwrap()),
            "{config:?} {forwarded}"
        );
    }

    #[test]
    fn peers() {
        check(
            &config(0, &[], None),
            "9.9.9.9:1",
            "1.1.1.1",
            "9.9.9.9",
            Some("9.9.9.9"),
        );
        check(
            &config(-1, &[], None),
            "9.9.9.9:1",
            "1.1.1.1",
            "9.9.9.9",
            Some("9.9.9.9"),
        );
        check(
            &config(0, &[], None),
            "[::ffff:9.9.9.9]:1",
            "",
            "9.9.9.9",
            Some("9.9.9.9"),
        );
        check(
            &config(0, &[], Some(64)),
            "[1:2:3:4:5::6]:1",
            "",
            "1:2:3:4::",
            Some("1:2:3:4::"),
        );
        check(
            &config(0, &[], Some(64)),
            "9.9.9.9:1",
            "",
            "9.9.9.9",
            Some("9.9.9.9"),
        );
    }

    #[test]
    fn depths() {
        check(
            &config(1, &[], None),
            "9.9.9.9:1",
            "1.1.1.1, 2.2.2.2",
            "2.2.2.2",
            Some("2.2.2.2"),
        );
        check(
            &config(2, &["1.1.1.1"], None),
            "9.9.9.9:1",
            "1.1.1.1 ,2.2.2.2",
            "1.1.1.1",
            Some("1.1.1.1"),
        );
        check(&config(3, &[], None), "9.9.9.9:1", "1.1.1.1, 2.2.2.2", "", None);
        check(&config(1, &[], None), "9.9.9.9:1", "", "", None);
        check(&config(1, &[], None), "9.9.9.9:1", "x", "x", None);
        check(
            &config(1, &[], None),
            "9.9.9.9:1",
            "1.1.1.1:80",
            "1.1.1.1:80",
            Some("1.1.1.1"),
        );
        check(
            &config(1, &[], Some(32)),
            "9.9.9.9:1",
            "1:2:3::4",
            "1:2::",
            Some("1:2::"),
        );
        check(
            &config(1, &[], Some(128)),
            "9.9.9.9:1",
            "1:2:3::4",
            "1:2:3::4",
            Some("1:2:3::4"),
        );
        check(
            &config(1, &[], None),
            "9.9.9.9:1",
            "::ffff:10.0.0.1",
            "::ffff:10.0.0.1",
            Some("10.0.0.1"),
        );
    }

    #[test]
    fn exclusions() {
        let ten = config(0, &["10.0.0.0/8", "::1"], None);
        check(
            &ten,
            "9.9.9.9:1",
            "1.1.1.1, 10.0.0.1, , ::1, 10.2.3.4",
            "1.1.1.1",
            Some("1.1.1.1"),
        );
        check(&ten, "9.9.9.9:1", "10.0.0.1", "", None);
        check(&ten, "9.9.9.9:1", "1.1.1.1, x, 10.0.0.1", "x", None);
        check(&ten, "9.9.9.9:1", "", "", None);
    }

    #[test]
    fn errors() {
        for bad in [0, -1, 129] {
            assert!(
                IpStrategy::build(Some(&config(0, &[], Some(bad))))
                    .unwrap_err()
                    .message
                    .contains(&format!("subnet {bad} value"))
            );
        }
        assert!(IpStrategy::build(Some(&config(0, &["x"], None))).is_err());
        assert_eq!(IpStrategy::build(None), Ok(IpStrategy::PEER));
    }
}
