//! Addresses of entry points.

use std::fmt;
use std::net::IpAddr;

/// What an entry point speaks below HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// TCP, and HTTP over it.
    Tcp,
    /// UDP.
    Udp,
}

/// A parsed `[host]:port[/tcp|/udp]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// A name or an IP address without brackets; empty means all of them.
    pub host: String,
    /// The port; 0 lets the system choose.
    pub port: u16,
    /// TCP unless `/udp` is written.
    pub protocol: Protocol,
}

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    /// A phrase saying what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (place, protocol) = match text.split_once('/') {
            Some((place, word)) => (place, protocol(word)?),
            None => (text, Protocol::Tcp),
        };
        let (host, port) = split(place)?;
        Ok(Self {
            host: host.to_owned(),
            port: number(port)?,
            protocol,
        })
    }

    /// The host as an IP address; nothing for a name or an empty host.
    pub fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// `host:port`, with brackets around IPv6.
    pub fn host_port(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let suffix = if self.protocol == Protocol::Udp {
            "/udp"
        } else {
            ""
        };
        write!(f, "{}{suffix}", self.host_port())
    }
}

fn protocol(word: &str) -> Result<Protocol, String> {
    match word.to_ascii_lowercase().as_str() {
        "tcp" => Ok(Protocol::Tcp),
        "udp" => Ok(Protocol::Udp),
        _ => Err(format!("unknown protocol `{word}`; known are `tcp` and `udp`")),
    }
}

fn split(place: &str) -> Result<(&str, &str), String> {
    if let Some(rest) = place.strip_prefix('[') {
        return match rest.split_once("]:") {
            Some((host, port)) if host.parse::<IpAddr>().is_ok() => Ok((host, port)),
            _ => Err("expected `[IPv6 address]:port`".to_owned()),
        };
    }
    match place.rsplit_once(':') {
        None => Err("the port is missing; write `:80` or `host:80`".to_owned()),
        Some((host, _)) if host.contains(':') => Err("an IPv6 address needs brackets: `[::1]:80`".to_owned()),
        Some(parts) => Ok(parts),
    }
}

fn number(port: &str) -> Result<u16, String> {
    match port {
        "http" => Ok(80),
        "https" => Ok(443),
        _ => port.parse().map_err(|_| format!("`{port}` is not a port")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, want: &str) {
        let got = Address::parse(text).map_or_else(|e| e, |a| a.to_string());
        assert_eq!(got, want, "{text}");
    }

    #[test]
    fn addresses() {
        check(":80", ":80");
        check("127.0.0.1:0/tcp", "127.0.0.1:0");
        check(":53/udp", ":53/udp");
        check(":53/UDP", ":53/udp");
        check("[::1]:443", "[::1]:443");
        check("localhost:https", "localhost:443");
        check("80", "the port is missing; write `:80` or `host:80`");
        check("", "the port is missing; write `:80` or `host:80`");
        check("::1:80", "an IPv6 address needs brackets: `[::1]:80`");
        check("[::1]", "expected `[IPv6 address]:port`");
        check("[x]:1", "expected `[IPv6 address]:port`");
        check(":70000", "`70000` is not a port");
        check(":80/sctp", "unknown protocol `sctp`; known are `tcp` and `udp`");
    }
}
