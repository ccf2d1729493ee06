//! Sets of addresses and networks, as `sourceRange`, `excludedIPs` and `trustedIPs` spell them. Not how a client's address is
//! found: that is an [`IpStrategy`](crate::http::ip_strategy::IpStrategy).

use ipnet::IpNet;
use std::net::IpAddr;

/// Addresses and networks. IPv4 addresses written as IPv6 (`::ffff:10.0.0.1`) count as IPv4, on both sides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct IpSet {
    /// First and last addresses, sorted, not overlapping.
    ranges: Vec<(IpAddr, IpAddr)>,
}

impl IpSet {
    /// Reads addresses (`10.0.0.1`, `fe80::1`) and networks in CIDR notation (`10.0.0.0/8`; host bits are ignored).
    ///
    /// # Errors
    /// The first entry that is neither.
    pub fn parse<S: AsRef<str>>(entries: &[S]) -> Result<IpSet, String> {
        let mut ranges = Vec::with_capacity(entries.len());
        for entry in entries {
            let entry = entry.as_ref().trim();
            ranges.push(
                range(entry).ok_or_else(|| {
                    format!("parsing CIDR trusted IPs {entry}: invalid CIDR address: {entry}")
                })?,
            );
        }
        Ok(IpSet {
            ranges: merge(ranges),
        })
    }

    /// Whether the set holds this address.
    pub fn contains(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        let after = self.ranges.partition_point(|(first, _)| *first <= ip);
        after > 0 && self.ranges[after - 1].1 >= ip
    }
}

/// First and last address of an entry.
fn range(entry: &str) -> Option<(IpAddr, IpAddr)> {
    if let Some(ip) = parse_ip(entry) {
        return Some((ip, ip));
    }
    let net: IpNet = entry.parse().ok()?;
    Some((net.network().to_canonical(), net.broadcast().to_canonical()))
}

fn merge(mut ranges: Vec<(IpAddr, IpAddr)>) -> Vec<(IpAddr, IpAddr)> {
    ranges.sort_unstable();
    let mut merged: Vec<(IpAddr, IpAddr)> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match merged.last_mut() {
            Some(before) if first <= before.1 => before.1 = before.1.max(last),
            _ => merged.push((first, last)),
        }
    }
    merged
}

/// An address as text, without its zone (`fe80::1%eth0`).
pub fn parse_ip(text: &str) -> Option<IpAddr> {
    let text = text.split_once('%').map_or(text, |(ip, _zone)| ip);
    text.parse().ok().map(|ip: IpAddr| ip.to_canonical())
}

/// An address as text that may have a port behind it (`10.0.0.1:80`, `[::1]:80`).
pub fn parse_ip_with_port(text: &str) -> Option<IpAddr> {
    if let Some(ip) = parse_ip(text) {
        return Some(ip);
    }
    let (host, _port) = text.rsplit_once(':')?;
    match host.strip_prefix('[') {
        Some(inner) => parse_ip(inner.strip_suffix(']')?),
        None if host.contains(':') => None,
        None => parse_ip(host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(entries: &[&str], inside: &[&str], outside: &[&str]) {
        let set = IpSet::parse(entries).unwrap();
        for ip in inside {
            assert!(set.contains(parse_ip(ip).unwrap()), "{ip} in {entries:?}");
        }
        for ip in outside {
            assert!(!set.contains(parse_ip(ip).unwrap()), "{ip} not in {entries:?}");
        }
    }

    #[test]
    fn membership() {
        check(
            &["10.0.0.0/8"],
            &["10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3"],
            &["9.255.255.255", "11.0.0.0", "::1"],
        );
        check(
            &["10.1.2.3/8", "10.200.0.0/16", "127.0.0.1"],
            &["10.0.0.1", "127.0.0.1"],
            &["127.0.0.2"],
        );
        check(
            &["::ffff:10.0.0.0/104"],
            &["10.9.9.9"],
            &["11.0.0.1", "::10.0.0.1"],
        );
        check(
            &["fe80::/64", "::1"],
            &["fe80::1%eth0", "fe80::ffff", "::1"],
            &["fe80:0:0:1::", "0.0.0.1"],
        );
        check(&["0.0.0.0/0"], &["1.2.3.4"], &["::1"]);
        check(&["::/0"], &["::1", "ffff::"], &[]);
        check(&[" 1.1.1.1 "], &["1.1.1.1"], &["1.1.1.2"]);
        check(&[], &[], &["1.1.1.1"]);
    }

    #[test]
    fn every_address_of_overlapping_networks_is_found() {
        let set = IpSet::parse(&["10.0.0.0/8", "10.0.0.0/24", "10.0.0.5", "192.168.0.0/16"]).unwrap();
        for text in ["10.0.0.4", "10.0.0.6", "10.0.1.0", "10.255.0.0", "192.168.3.4"] {
            assert!(set.contains(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn what_is_not_an_address_is_named() {
        for bad in ["x", "10.0.0.0/33", "10.0.0", "10.0.0.0/", ""] {
            assert!(
                IpSet::parse(&["10.0.0.1", bad])
                    .unwrap_err()
                    .contains(&format!("IPs {bad}:")),
                "{bad}"
            );
        }
    }

    #[test]
    fn ports() {
        let check = |text: &str, want: Option<&str>| {
            assert_eq!(
                parse_ip_with_port(text),
                want.map(|w| w.parse().unwrap()),
                "{text}"
            )
        };
        check("10.0.0.1", Some("10.0.0.1"));
        check("10.0.0.1:80", Some("10.0.0.1"));
        check("::1", Some("::1"));
        check("[::1]:80", Some("::1"));
        check("1::2:80", Some("1::2:80"));
        check("[::1", None);
        check("1::2::80", None);
        check("host:80", None);
        check("", None);
    }
}
