//! PROXY protocol, versions 1 and 2: who is at the far end of a connection that a proxy passed on.

use crate::reject::Reject;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Longest line of version 1, CRLF included.
const V1_MAX: usize = 107;
/// Most bytes behind the fixed part of version 2: addresses and TLVs. Real ones stay far below.
const V2_MAX: usize = 8 * 1024;
const V1_START: &[u8] = b"PROXY ";
const V2_START: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
const V2_FIXED: usize = 16;

/// What a PROXY header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProxyHeader {
    /// Bytes to drop; 0 when the connection does not start with a PROXY header.
    pub len: usize,
    /// Source and destination; `None` when the sender does not know them or they are no IP addresses.
    pub addresses: Option<(SocketAddr, SocketAddr)>,
    /// The proxy speaks for itself (`LOCAL`): a health check.
    pub local: bool,
}

/// Reads a header at the start of a connection; `None` when more bytes are needed.
///
/// # Errors
/// The bytes start as a header does and are none.
pub fn parse(buf: &[u8]) -> Result<Option<ProxyHeader>, Reject> {
    if starts(buf, V1_START) {
        parse_v1(buf)
    } else if starts(buf, V2_START) {
        parse_v2(buf)
    } else {
        Ok(Some(ProxyHeader {
            len: 0,
            addresses: None,
            local: false,
        }))
    }
}

/// Whether `buf` is the beginning of `with`, or the other way round.
fn starts(buf: &[u8], with: &[u8]) -> bool {
    let n = buf.len().min(with.len());
    buf[..n] == with[..n]
}

fn parse_v1(buf: &[u8]) -> Result<Option<ProxyHeader>, Reject> {
    let window = &buf[..buf.len().min(V1_MAX)];
    let Some(end) = window.iter().position(|&b| b == b'\n') else {
        return if window.len() == V1_MAX {
            Err(Reject::Proxy)
        } else {
            Ok(None)
        };
    };
    let line = window[..end]
        .strip_suffix(b"\r")
        .and_then(|l| l.strip_prefix(V1_START))
        .ok_or(Reject::Proxy)?;
    let addresses = v1_addresses(line).ok_or(Reject::Proxy)?;
    Ok(Some(ProxyHeader {
        len: end + 1,
        addresses,
        local: false,
    }))
}

/// `TCP4 source destination port port`, with single spaces; or `UNKNOWN` and anything.
fn v1_addresses(line: &[u8]) -> Option<Option<(SocketAddr, SocketAddr)>> {
    let text = std::str::from_utf8(line).ok()?;
    let mut words = text.split(' ');
    let family = match words.next()? {
        "UNKNOWN" => return Some(None),
        family => family,
    };
    let mut ip = || -> Option<IpAddr> {
        let word = words.next()?;
        match family {
            "TCP4" => word.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
            "TCP6" => word.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
            _ => None,
        }
    };
    let (from, to) = (ip()?, ip()?);
    let (from_port, to_port) = (port(words.next()?)?, port(words.next()?)?);
    words.next().is_none().then_some(Some((
        SocketAddr::new(from, from_port),
        SocketAddr::new(to, to_port),
    )))
}

/// Digits without sign and leading zeros.
fn port(text: &str) -> Option<u16> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

fn parse_v2(buf: &[u8]) -> Result<Option<ProxyHeader>, Reject> {
    let Some(&[version_command, family, high, low]) = buf.get(V2_START.len()..V2_FIXED) else {
        return Ok(None);
    };
    let local = match version_command {
        0x20 => true,
        0x21 => false,
        _ => return Err(Reject::Proxy),
    };
    let len = usize::from(u16::from_be_bytes([high, low]));
    if len > V2_MAX {
        return Err(Reject::Proxy);
    }
    let Some(rest) = buf.get(V2_FIXED..V2_FIXED + len) else {
        return Ok(None);
    };
    let addresses = if local { None } else { v2_addresses(family, rest)? };
    Ok(Some(ProxyHeader {
        len: V2_FIXED + len,
        addresses,
        local,
    }))
}

/// Address family in the high half, transport in the low one.
fn v2_addresses(family: u8, rest: &[u8]) -> Result<Option<(SocketAddr, SocketAddr)>, Reject> {
    let size = match (family >> 4, family & 15) {
        (0, 0..=2) => return Ok(None),
        (1, 0..=2) => 12,
        (2, 0..=2) => 36,
        (3, 0..=2) => 216,
        _ => return Err(Reject::Proxy),
    };
    let (addresses, tlvs) = rest.split_at_checked(size).ok_or(Reject::Proxy)?;
    check_tlvs(tlvs)?;
    let port = |at: usize| u16::from_be_bytes([addresses[at], addresses[at + 1]]);
    Ok(match size {
        12 => pair::<4>(addresses, port(8), port(10)),
        36 => pair::<16>(addresses, port(32), port(34)),
        _ => None,
    })
}

fn pair<const N: usize>(text: &[u8], from: u16, to: u16) -> Option<(SocketAddr, SocketAddr)>
where
    IpAddr: From<[u8; N]>,
{
    let ip = |at: usize| -> Option<IpAddr> {
        Some(IpAddr::from(<[u8; N]>::try_from(text.get(at..at + N)?).ok()?))
    };
    Some((SocketAddr::new(ip(0)?, from), SocketAddr::new(ip(N)?, to)))
}

/// Type-length-value triples are passed over, but they must add up.
fn check_tlvs(mut rest: &[u8]) -> Result<(), Reject> {
    while !rest.is_empty() {
        let &[_, high, low, ..] = rest else {
            return Err(Reject::Proxy);
        };
        let len = usize::from(u16::from_be_bytes([high, low]));
        rest = rest.get(3 + len..).ok_or(Reject::Proxy)?;
    }
    Ok(())
}

/// Appends a header of version 1; `UNKNOWN` when the two addresses are of different families.
pub fn write_v1(out: &mut Vec<u8>, source: SocketAddr, destination: SocketAddr) {
    let family = match (source, destination) {
        (SocketAddr::V4(_), SocketAddr::V4(_)) => "TCP4",
        (SocketAddr::V6(_), SocketAddr::V6(_)) => "TCP6",
        _ => return out.extend_from_slice(b"PROXY UNKNOWN\r\n"),
    };
    let (from, to) = (source.ip(), destination.ip());
    // Writing to memory cannot fail.
    let _ = write!(
        out,
        "PROXY {family} {from} {to} {} {}\r\n",
        source.port(),
        destination.port()
    );
}

/// Appends a header of version 2, for TCP and without TLVs; addresses unspecified when the families differ.
pub fn write_v2(out: &mut Vec<u8>, source: SocketAddr, destination: SocketAddr) {
    out.extend_from_slice(V2_START);
    match (source.ip(), destination.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            out.extend_from_slice(&[0x21, 0x11, 0, 12]);
            out.extend_from_slice(&from.octets());
            out.extend_from_slice(&to.octets());
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            out.extend_from_slice(&[0x21, 0x21, 0, 36]);
            out.extend_from_slice(&from.octets());
            out.extend_from_slice(&to.octets());
        }
        _ => return out.extend_from_slice(&[0x21, 0, 0, 0]),
    }
    out.extend_from_slice(&source.port().to_be_bytes());
    out.extend_from_slice(&destination.port().to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(a: &str, b: &str) -> Option<(SocketAddr, SocketAddr)> {
        Some((a.parse().unwrap(), b.parse().unwrap()))
    }

    fn check(bytes: &[u8], want: Result<Option<ProxyHeader>, Reject>) {
        assert_eq!(parse(bytes), want, "{}", String::from_utf8_lossy(bytes));
    }

    fn found(len: usize, addresses: Option<(SocketAddr, SocketAddr)>) -> Result<Option<ProxyHeader>, Reject> {
        Ok(Some(ProxyHeader {
            len,
            addresses,
            local: false,
        }))
    }

    #[test]
    fn version_1() {
        let good = |line: &str, addresses| {
            check(
                format!("{line}\r\nGET").as_bytes(),
                found(line.len() + 2, addresses),
            )
        };
        good(
            "PROXY TCP4 1.2.3.4 5.6.7.8 123 65535",
            pair("1.2.3.4:123", "5.6.7.8:65535"),
        );
        good(
            "PROXY TCP6 ::1 2001:db8::2 0 1",
            pair("[::1]:0", "[2001:db8::2]:1"),
        );
        good("PROXY UNKNOWN", None);
        good("PROXY UNKNOWN ffff::1 whatever", None);
        // E6
        for bad in [
            "PROXY TCP4 1.2.3.4 5.6.7.8 123",
            "PROXY TCP4 1.2.3.4 5.6.7.8 123 1 2",
            "PROXY TCP4  1.2.3.4 5.6.7.8 1 2",
            "PROXY TCP4 1.2.3.4 5.6.7.8 +1 2",
            "PROXY TCP4 1.2.3.4 5.6.7.8 01 2",
            "PROXY TCP4 1.2.3.4 5.6.7.8 65536 2",
            "PROXY TCP4 1.2.3.4 5.6.7.8  2",
            "PROXY TCP4 1.2.3.04 5.6.7.8 1 2",
            "PROXY TCP4 ::1 ::2 1 2",
            "PROXY TCP6 1.2.3.4 ::2 1 2",
            "PROXY TCP6 fe80::1%eth0 ::2 1 2",
            "PROXY tcp4 1.2.3.4 5.6.7.8 1 2",
            "PROXY UDP4 1.2.3.4 5.6.7.8 1 2",
            "PROXY ",
            "PROXY TCP4",
        ] {
            check(format!("{bad}\r\n").as_bytes(), Err(Reject::Proxy));
        }
        check(b"PROXY UNKNOWN\n", Err(Reject::Proxy));
        check(
            &[b"PROXY UNKNOWN ", &[b'x'; 200][..]].concat(),
            Err(Reject::Proxy),
        );
    }

    fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        [
            V2_START,
            &[command, family],
            &(rest.len() as u16).to_be_bytes(),
            rest,
        ]
        .concat()
    }

    #[test]
    fn version_2() {
        let four = [1, 2, 3, 4, 5, 6, 7, 8, 0, 80, 1, 187];
        let want = pair("1.2.3.4:80", "5.6.7.8:443");
        check(&v2(0x21, 0x11, &four), found(28, want));
        check(&v2(0x21, 0x12, &four), found(28, want));
        check(&[&v2(0x21, 0x11, &four)[..], b"tail"].concat(), found(28, want));
        let six = [&[0; 15][..], &[1], &[0; 15], &[2], &[0, 1, 0, 2]].concat();
        check(&v2(0x21, 0x21, &six), found(52, pair("[::1]:1", "[::2]:2")));
        check(&v2(0x21, 0x31, &[0; 216]), found(232, None));
        check(&v2(0x21, 0, b"any"), found(19, None));
        check(
            &v2(0x20, 0, b""),
            Ok(Some(ProxyHeader {
                len: 16,
                addresses: None,
                local: true,
            })),
        );
        let tlvs = |tlvs: &[u8]| v2(0x21, 0x11, &[&four[..], tlvs].concat());
        check(&tlvs(&[4, 0, 2, 9, 9, 0xe0, 0, 0]), found(36, want));
        // E6
        check(&tlvs(&[4, 0, 2, 9]), Err(Reject::Proxy));
        check(&tlvs(&[4, 0]), Err(Reject::Proxy));
        check(&v2(0x21, 0x11, &four[..11]), Err(Reject::Proxy));
        check(&v2(0x21, 0x21, &four), Err(Reject::Proxy));
        check(&v2(0x22, 0x11, &four), Err(Reject::Proxy));
        check(&v2(0x11, 0x11, &four), Err(Reject::Proxy));
        check(&v2(0x21, 0x13, &four), Err(Reject::Proxy));
        check(&v2(0x21, 0x41, &four), Err(Reject::Proxy));
        check(
            &[V2_START, &[0x21, 0x11, 0xff, 0xff]].concat(),
            Err(Reject::Proxy),
        );
    }

    #[test]
    fn any_split_asks_for_more_and_then_agrees() {
        let (from, to) = ("1.2.3.4:5".parse().unwrap(), "6.7.8.9:10".parse().unwrap());
        let (six, seven) = ("[2001:db8::1]:5".parse().unwrap(), "[::1]:10".parse().unwrap());
        for write in [write_v1, write_v2] {
            for (source, destination) in [(from, to), (six, seven)] {
                let mut bytes = Vec::new();
                write(&mut bytes, source, destination);
                for cut in 0..bytes.len() {
                    check(&bytes[..cut], Ok(None));
                }
                check(&bytes, found(bytes.len(), Some((source, destination))));
            }
            let mut bytes = Vec::new();
            write(&mut bytes, from, seven);
            check(&bytes, found(bytes.len(), None));
        }
    }

    #[test]
    fn other_traffic_is_left_alone() {
        for other in [
            &b"GET / HTTP/1.1"[..],
            b"PRI",
            b"POST",
            b"PROXY/",
            b"\x16\x03",
            b"\r\nGET",
            b"\r\n\r\nx",
        ] {
            check(other, found(0, None));
        }
        check(b"P", Ok(None));
        check(b"\r\n", Ok(None));
    }
}
