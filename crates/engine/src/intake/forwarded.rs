//! Who the client is: which `X-Forwarded-*` headers of the peer are believed, and what the gateway itself says.

use crate::entry_point::EntryPoint;
use ipnet::IpNet;
use smallvec::SmallVec;
use std::net::IpAddr;
use std::sync::Arc;
use trilithon_flow::{Connection, Headers, Known, Request};

/// Peers that are believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// Everybody is.
    pub insecure: bool,
    pub networks: Vec<IpNet>,
}

impl Trust {
    /// Parses addresses and networks.
    ///
    /// # Errors
    /// The first entry that is neither.
    pub fn new(insecure: bool, entries: &[String]) -> Result<Trust, String> {
        let parse = |s: &String| {
            s.parse::<IpNet>()
                .or_else(|_| s.parse::<IpAddr>().map(IpNet::from))
                .map_err(|_| s.clone())
        };
        Ok(Trust {
            insecure,
            networks: entries.iter().map(parse).collect::<Result<_, _>>()?,
        })
    }

    /// Whether `peer` is believed.
    #[inline]
    pub fn holds(&self, peer: IpAddr) -> bool {
        self.insecure || self.networks.iter().any(|n| n.contains(&peer))
    }
}

/// What every server is told of an ordinary request, whoever sends it: scheme, port and this machine's name.
#[derive(Clone, Debug)]
pub struct Introduction {
    hostname: Arc<str>,
    clear: Headers,
    secure: Headers,
}

impl Introduction {
    pub fn new(hostname: Arc<str>) -> Introduction {
        let lines = |tls| {
            let mut lines = Headers::new();
            lines.append_known(Known::XForwardedProto, scheme(tls, false));
            lines.append_known(Known::XForwardedPort, default_port(tls));
            lines.append_known(Known::XForwardedServer, hostname.as_bytes());
            lines
        };
        Introduction {
            clear: lines(false),
            secure: lines(true),
            hostname,
        }
    }
}

/// Drops what an untrusted peer claims and fills in what is missing.
pub fn apply(req: &mut Request, connection: &Connection, entry_point: &EntryPoint) {
    if !entry_point.forwarded.holds(connection.ip()) {
        drop_claims(req);
    }
    if is_ordinary(req) {
        introduce(req, connection, &entry_point.introduction);
    } else {
        fill_in(req, connection, &entry_point.introduction.hostname);
    }
    keep_listed(req, entry_point);
}

/// Nothing is claimed, and neither host nor protocol asks for another port or scheme than usual.
fn is_ordinary(req: &Request) -> bool {
    !req.headers.has_forwarding() && req.upgrade.is_none() && port_of(req.host()).is_none()
}

/// Says of an ordinary request what [`fill_in`] would say.
fn introduce(req: &mut Request, connection: &Connection, introduction: &Introduction) {
    let known = if connection.tls.is_some() {
        &introduction.secure
    } else {
        &introduction.clear
    };
    req.headers.extend(known);
    req.headers
        .append_known(Known::XRealIp, connection.peer_ip.as_bytes());
    if !req.host().is_empty() {
        req.headers.append_copy(Known::XForwardedHost, Known::Host);
    }
}

/// Fills in what the client, as far as it is believed, does not say.
fn fill_in(req: &mut Request, connection: &Connection, hostname: &str) {
    join_forwarded_for(req);
    let tls = connection.tls.is_some();
    let headers = &mut req.headers;
    if is_missing(headers, Known::XRealIp) {
        headers.set_known(Known::XRealIp, connection.peer_ip.as_bytes());
    }
    if is_missing(headers, Known::XForwardedProto) {
        let websocket = req
            .upgrade
            .as_deref()
            .is_some_and(|p| p.eq_ignore_ascii_case("websocket"));
        headers.set_known(Known::XForwardedProto, scheme(tls, websocket));
    }
    if is_missing(headers, Known::XForwardedPort) {
        // The port is lent by the list that is about to change.
        let port: SmallVec<[u8; 8]> = SmallVec::from_slice(forwarded_port(req, tls));
        req.headers.set_known(Known::XForwardedPort, port);
    }
    if is_missing(&req.headers, Known::XForwardedHost) && !req.host().is_empty() {
        req.headers.remove_known(Known::XForwardedHost);
        req.headers.append_copy(Known::XForwardedHost, Known::Host);
    }
    req.headers
        .set_known(Known::XForwardedServer, hostname.as_bytes());
}

/// An empty value says nothing.
fn is_missing(headers: &Headers, known: Known) -> bool {
    headers.known(known).is_none_or(<[u8]>::is_empty)
}

fn scheme(tls: bool, websocket: bool) -> &'static str {
    match (tls, websocket) {
        (true, false) => "https",
        (false, false) => "http",
        (true, true) => "wss",
        (false, true) => "ws",
    }
}

/// Deletes every managed header, in the spellings with `_` too, which some servers take for the same name.
fn drop_claims(req: &mut Request) {
    let managed =
        |known: Known, name: &[u8]| known.is_forwarding() || known == Known::Other && is_alias(name);
    if req.headers.has_forwarding() || req.headers.iter_known().any(|(k, n, _)| managed(k, n)) {
        req.headers.retain(|known, name, _| !managed(known, name));
    }
}

/// Whether a name with `_` or `.` is another spelling of a managed header: servers fold either into `-`.
fn is_alias(name: &[u8]) -> bool {
    let starts = name.first().is_some_and(|b| b.eq_ignore_ascii_case(&b'x'));
    let odd = |b: &u8| matches!(b, b'_' | b'.');
    starts && name.iter().any(odd) && {
        let folded: Vec<u8> = name.iter().map(|b| if odd(b) { b'-' } else { *b }).collect();
        Known::of(&folded).is_forwarding()
    }
}

/// Several lines become one; an empty value says nothing and is dropped.
fn join_forwarded_for(req: &mut Request) {
    if !req.headers.has(Known::XForwardedFor) {
        return;
    }
    let name = Known::XForwardedFor.name();
    let lines: Vec<&[u8]> = req
        .headers
        .get_all(name.as_bytes())
        .filter(|v| !v.is_empty())
        .collect();
    let joined = lines.join(&b", "[..]);
    if joined.is_empty() {
        req.headers.remove_known(Known::XForwardedFor);
    } else {
        req.headers.set_known(Known::XForwardedFor, joined);
    }
}

fn forwarded_port(req: &Request, tls: bool) -> &[u8] {
    if let Some(port) = port_of(req.host()) {
        return port;
    }
    match req.headers.known(Known::XForwardedProto) {
        Some(b"https" | b"wss") => b"443",
        _ => default_port(tls),
    }
}

fn default_port(tls: bool) -> &'static [u8] {
    if tls { b"443" } else { b"80" }
}

/// The port that a host names.
fn port_of(host: &[u8]) -> Option<&[u8]> {
    let at = host.iter().rposition(|&b| b == b':')?;
    let port = &host[at + 1..];
    (!port.is_empty() && !port.contains(&b']')).then_some(port)
}

/// Removes the headers that the client lists in `Connection`, except those that it may not strip and those that the entry
/// point lets through; what is left of the list stays for the middlewares.
fn keep_listed(req: &mut Request, entry_point: &EntryPoint) {
    let Some(first) = req.headers.known(Known::Connection) else {
        return;
    };
    let plain = first.eq_ignore_ascii_case(b"keep-alive") || first.eq_ignore_ascii_case(b"close");
    if plain && req.headers.get_all(b"connection").nth(1).is_none() {
        req.headers.remove_known(Known::Connection);
        return;
    }
    let mut kept: Vec<Vec<u8>> = Vec::new();
    let mut dropped: Vec<Vec<u8>> = Vec::new();
    for line in req.headers.get_all(b"connection") {
        for name in line
            .split(|&b| b == b',')
            .map(<[u8]>::trim_ascii)
            .filter(|n| !n.is_empty())
        {
            let known = Known::of(name);
            if known.is_forwarding() || is_alias(name) || matches!(known, Known::Upgrade | Known::Connection)
            {
                continue;
            }
            if entry_point
                .connection_headers
                .iter()
                .any(|h| h.as_bytes().eq_ignore_ascii_case(name))
            {
                kept.push(name.to_vec());
            } else {
                dropped.push(name.to_vec());
            }
        }
    }
    for name in dropped {
        // `Te: trailers` is how a gRPC client says that it reads trailers; the far side is told anyway.
        if Known::of(&name) != Known::Te && Known::of(&name) != Known::Host {
            req.headers.remove(&name);
        }
    }
    if req.upgrade.is_some() {
        kept.push(b"Upgrade".to_vec());
    }
    if kept.is_empty() {
        req.headers.remove_known(Known::Connection);
    } else {
        req.headers.set_known(Known::Connection, kept.join(&b","[..]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trilithon_flow::TlsInfo;

    /// What is said of an ordinary request is what is filled in where nothing is claimed, in whatever order.
    #[test]
    fn an_ordinary_request_is_introduced_as_any_other() {
        let introduction = Introduction::new("gate".into());
        for (host, tls, ordinary) in [
            ("a.test", false, true),
            ("a.test", true, true),
            ("a.test:", false, true),
            ("[::1]", true, true),
            ("", false, true),
            ("a.test:8080", false, false),
            ("[::1]:8443", true, false),
        ] {
            let peer = "192.0.2.7:5000".parse().unwrap();
            let connection = Connection::new(peer, peer, "web".into(), tls.then(TlsInfo::default));
            let request = || Request {
                headers: [("Host", host)].into_iter().collect(),
                ..Request::default()
            };
            assert_eq!(is_ordinary(&request()), ordinary, "{host}");
            let (mut short, mut long) = (request(), request());
            introduce(&mut short, &connection, &introduction);
            fill_in(&mut long, &connection, "gate");
            if ordinary {
                assert_eq!(said(&short), said(&long), "{host}");
            }
        }
    }

    fn said(req: &Request) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut all: Vec<_> = req
            .headers
            .iter()
            .map(|(n, v)| (n.to_vec(), v.to_vec()))
            .collect();
        all.sort();
        all
    }
}
