//! What rules may know of a request or a connection.

use std::net::{IpAddr, Ipv4Addr};

/// One request or connection, as matchers read it. Nothing here may block or fail; a TCP connection leaves the HTTP facts
/// at their defaults.
pub trait Facts {
    /// The canonical host ([`crate::canonical_host`]); for TCP the server name of TLS in lower case, empty without one.
    fn host(&self) -> &[u8];

    /// The address of the peer, not of any header.
    fn client_ip(&self) -> IpAddr;

    /// The method, letter case as sent.
    fn method(&self) -> &[u8] {
        b""
    }

    /// The routing path ([`crate::routing_path`]).
    fn path(&self) -> &[u8] {
        b""
    }

    /// The raw query, without `?`.
    fn query(&self) -> &[u8] {
        b""
    }

    /// Whether `test` holds for any value of the header `name` (canonical form, such as `X-Foo`; compare without regard
    /// to case). `Host` is not a header.
    fn any_header(&self, _name: &str, _test: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        false
    }

    /// The `model` that a JSON body names; none when there is no such body, or it was not read.
    fn model(&self) -> Option<&[u8]> {
        None
    }

    /// The host behind the CNAME chain, when `hostResolver.cnameFlattening` found one.
    fn flattened_host(&self) -> Option<&[u8]> {
        None
    }

    /// Whether the client offered this ALPN protocol (TCP only).
    fn offers(&self, _protocol: &[u8]) -> bool {
        false
    }
}

/// A TLS or plain TCP connection.
#[derive(Clone, Copy, Debug)]
pub struct Conn<'a> {
    /// Lower case; empty for plain TCP and for TLS without a name.
    pub server_name: &'a [u8],
    /// What the client offered by ALPN.
    pub protocols: &'a [&'a [u8]],
    pub client_ip: IpAddr,
}

impl Facts for Conn<'_> {
    fn host(&self) -> &[u8] {
        self.server_name
    }

    fn client_ip(&self) -> IpAddr {
        self.client_ip
    }

    fn offers(&self, protocol: &[u8]) -> bool {
        self.protocols.contains(&protocol)
    }
}

/// A made-up request, for explanations and tests: "what would happen to this?".
#[derive(Clone, Debug)]
pub struct Sample {
    pub host: Vec<u8>,
    pub method: Vec<u8>,
    pub path: Vec<u8>,
    pub query: Vec<u8>,
    pub headers: Vec<(String, Vec<u8>)>,
    pub client_ip: IpAddr,
    pub model: Option<Vec<u8>>,
    pub flattened_host: Option<Vec<u8>>,
    pub protocols: Vec<Vec<u8>>,
}

impl Sample {
    /// A `GET` from 127.0.0.1. `target` is a path with or without a query; a path that cannot be decoded stays as it is.
    pub fn get(host: &str, target: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let path = path.as_bytes();
        Self {
            host: crate::canonical_host(host.as_bytes()).into_owned(),
            method: b"GET".to_vec(),
            path: crate::routing_path(path).map_or(path.to_vec(), |p| p.into_owned()),
            query: query.as_bytes().to_vec(),
            headers: Vec::new(),
            client_ip: Ipv4Addr::LOCALHOST.into(),
            model: None,
            flattened_host: None,
            protocols: Vec::new(),
        }
    }

    /// The same with a body that names a model.
    pub fn model(mut self, model: &str) -> Self {
        self.model = Some(model.as_bytes().to_vec());
        self
    }

    /// The same with one more header line.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.as_bytes().to_vec()));
        self
    }
}

impl Facts for Sample {
    fn host(&self) -> &[u8] {
        &self.host
    }

    fn client_ip(&self) -> IpAddr {
        self.client_ip
    }

    fn method(&self) -> &[u8] {
        &self.method
    }

    fn path(&self) -> &[u8] {
        &self.path
    }

    fn query(&self) -> &[u8] {
        &self.query
    }

    fn any_header(&self, name: &str, test: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.headers
            .iter()
            .any(|(n, value)| n.eq_ignore_ascii_case(name) && test(value))
    }

    fn model(&self) -> Option<&[u8]> {
        self.model.as_deref()
    }

    fn flattened_host(&self) -> Option<&[u8]> {
        self.flattened_host.as_deref()
    }

    fn offers(&self, protocol: &[u8]) -> bool {
        self.protocols.iter().any(|p| p == protocol)
    }
}
