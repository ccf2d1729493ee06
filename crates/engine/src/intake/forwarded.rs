//! Who the client is: which `X-Forwarded-*` headers of the peer are believed, and what the gateway itself says.

use crate::entry_point::EntryPoint;
use ipnet::IpNet;
use smallvec::SmallVec;
use std::net::IpAddr;
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

/// Drops what an untrusted peer claims and fills in what is missing.
pub fn apply(req: &mut Request, connection: &Connection, entry_point: &EntryPoint) {
    if !entry_point.forwarded.holds(connection.ip()) {
        drop_claims(req);
    }
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
        .set_known(Known::XForwardedServer, entry_point.hostname.as_bytes());
    keep_listed(req, entry_point);
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
    let host = req.host();
    if let Some(at) = host.iter().rposition(|&b| b == b':')
        && at + 1 < host.len()
        && !host[at..].contains(&b']')
    {
        return &host[at + 1..];
    }
    match req.headers.known(Known::XForwardedProto) {
        Some(b"https" | b"wss") => b"443",
        _ if tls => b"443",
        _ => b"80",
    }
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
