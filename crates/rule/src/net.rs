//! Addresses and ranges of `ClientIP`.

use std::fmt;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

/// One address or one CIDR range. IPv4 mapped into IPv6 counts as IPv4, and `::/0` holds no IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IpRange(IpNet);

impl IpRange {
    /// Reads `10.0.0.1`, `10.0.0.0/8`, `::1` or `fd00::/8`; host bits of a range are ignored.
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Some(Self(address.to_canonical().into()));
        }
        let net = text.parse::<IpNet>().ok()?.trunc();
        Some(Self(unmapped(net).unwrap_or(net)))
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

fn unmapped(net: IpNet) -> Option<IpNet> {
    let IpNet::V6(net) = net else { return None };
    let address = net.addr().to_ipv4_mapped()?;
    Some(
        Ipv4Net::new(address, net.prefix_len().checked_sub(96)?)
            .ok()?
            .into(),
    )
}

impl fmt::Display for IpRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.prefix_len() == self.0.max_prefix_len() {
            self.0.addr().fmt(f)
        } else {
            self.0.fmt(f)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(range: &str, yes: &[&str], no: &[&str]) {
        let parsed = IpRange::parse(range).unwrap();
        for text in yes {
            assert!(parsed.contains(text.parse().unwrap()), "{range} {text}");
        }
        for text in no {
            assert!(!parsed.contains(text.parse().unwrap()), "{range} {text}");
        }
    }

    #[test]
    fn ranges() {
        check(
            "127.0.0.1",
            &["127.0.0.1", "::ffff:127.0.0.1"],
            &["127.0.0.2", "::1"],
        );
        check("127.0.0.2/31", &["127.0.0.2", "127.0.0.3"], &["127.0.0.1"]);
        check("10.1.2.3/8", &["10.9.9.9"], &["11.0.0.1"]);
        check("::ffff:127.0.0.1", &["127.0.0.1"], &["127.0.0.2"]);
        check("::ffff:10.0.0.0/104", &["10.9.9.9"], &["11.0.0.1"]);
        check("::/0", &["::1", "fe80::1"], &["127.0.0.1", "::ffff:1.2.3.4"]);
        check("0.0.0.0/0", &["1.2.3.4"], &["::1"]);
        for bad in ["x", "", "10.0.0.0/33", "127.0.0.01", "fe80::1%eth0", " 1.1.1.1"] {
            assert_eq!(IpRange::parse(bad), None, "{bad}");
        }
    }
}
