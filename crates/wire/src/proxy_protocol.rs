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
