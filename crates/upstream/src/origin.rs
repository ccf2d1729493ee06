//! A server URL, read once when the configuration is built.
//!
//! Reading follows Go's `url.Parse`, so that the same URLs are refused in the same words: what it accepts and cannot be
//! used (`ftp://`, no host) is a server that answers 500.

use crate::pool::digest;
use crate::proxy::Proxy;
use trilithon_flow::BuildError;
use trilithon_flow::record::Name;

/// How a server is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// HTTP/1.1 in clear text.
    Http,
    /// TLS; HTTP/2 or HTTP/1.1 by ALPN.
    Https,
    /// HTTP/2 in clear text, with prior knowledge.
    H2c,
    /// Anything else: the service exists, and answers 500.
    Unsupported,
}

impl Scheme {
    /// As in a URL; HTTP/2 in clear text is `http`.
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::Https => "https",
            Scheme::Http | Scheme::H2c | Scheme::Unsupported => "http",
        }
    }
}

/// One server, as its URL names it.
#[derive(Clone, Debug)]
pub struct Origin {
    pub scheme: Scheme,
    /// Name or address to dial, without brackets.
    pub host: Box<str>,
    pub port: u16,
    /// Host and port as the URL spells them: the `Host` of a request that does not pass the client's.
    pub authority: Name,
    /// Escaped path, without query; may be empty.
    pub path: Box<str>,
    pub query: Option<Box<str>>,
    /// The URL as it was written.
    pub url: Name,
    /// The proxy that the environment names for this server.
    pub(crate) proxy: Option<&'static Proxy>,
    /// Identifies scheme, host and port in pool keys.
    pub(crate) key: u128,
}

impl Origin {
    /// Reads `scheme://host[:port][/path][?query]`.
    ///
    /// # Errors
    /// What Go's `url.Parse` says of text that is no URL.
    pub fn parse(url: &str) -> Result<Origin, BuildError> {
        let parts = split(url).map_err(|why| BuildError::new(format!("parse {url:?}: {why}")))?;
        let (host, port) = host_and_port(parts.authority);
        let scheme = match parts.scheme.to_ascii_lowercase().as_str() {
            _ if host.is_empty() => Scheme::Unsupported,
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            "h2c" => Scheme::H2c,
            _ => Scheme::Unsupported,
        };
        let port = match port {
            "" if scheme == Scheme::Https => 443,
            "" => 80,
            // Go fails when it dials such a port; port 0 refuses at once.
            port => port.parse().unwrap_or(0),
        };
        Ok(Origin {
            scheme,
            key: digest(&format!("{scheme:?} {} {port}", host.to_ascii_lowercase())),
            proxy: Proxy::of(scheme, host, port),
            host: host.into(),
            port,
            authority: parts.authority.into(),
            path: trilithon_flow::target::escape_invalid(parts.path).into(),
            query: parts.query.map(Into::into),
            url: url.into(),
        })
    }

    /// Host and port as they are dialled, with brackets around an IPv6 address.
    pub fn dialled(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

struct Parts<'a> {
    scheme: &'a str,
    authority: &'a str,
    path: &'a str,
    query: Option<&'a str>,
}

fn split(url: &str) -> Result<Parts<'_>, String> {
    if url.bytes().any(|b| b < b' ' || b == 0x7f) {
        return Err("net/url: invalid control character in URL".into());
    }
    let rest = url.split_once('#').map_or(url, |(before, _)| before);
    let (scheme, rest) = scheme_of(rest)?;
    let (rest, query) = match rest.split_once('?') {
        Some((rest, query)) => (rest, Some(query)),
        None => (rest, None),
    };
    let Some(rest) = rest.strip_prefix("//") else {
        let first = rest.split('/').next().unwrap_or_default();
        if scheme.is_empty() && !rest.starts_with('/') && first.contains(':') {
            return Err("first path segment in URL cannot contain colon".into());
        }
        return Ok(Parts {
            scheme,
            authority: "",
            path: if rest.starts_with('/') { rest } else { "" },
            query,
        });
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    check_authority(authority)?;
    check_escapes(path)?;
    Ok(Parts {
        scheme,
        authority,
        path,
        query,
    })
}

/// The scheme and what follows it; no scheme when the text cannot start with one.
fn scheme_of(url: &str) -> Result<(&str, &str), String> {
    for (at, b) in url.bytes().enumerate() {
        match b {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if at > 0 => {}
            b':' if at == 0 => return Err("missing protocol scheme".into()),
            b':' => return Ok((&url[..at], &url[at + 1..])),
            _ => break,
        }
    }
    Ok(("", url))
}

fn check_authority(authority: &str) -> Result<(), String> {
    if let Some(b) = authority.chars().find(|&c| c == ' ' || "\"<>\\^`{|}".contains(c)) {
        return Err(format!("invalid character {:?} in host name", b.to_string()));
    }
    let after = match authority.strip_prefix('[') {
        Some(rest) => rest.split_once(']').ok_or("missing ']' in host")?.1,
        None => authority.find(':').map_or("", |at| &authority[at..]),
    };
    match after.strip_prefix(':') {
        Some(port) if port.bytes().all(|b| b.is_ascii_digit()) => Ok(()),
        None if after.is_empty() => Ok(()),
        _ => Err(format!("invalid port {after:?} after host")),
    }
}

fn check_escapes(path: &str) -> Result<(), String> {
    for (at, _) in path.match_indices('%') {
        let digits = path.as_bytes().get(at + 1..at + 3);
        if !digits.is_some_and(|d| d.iter().all(u8::is_ascii_hexdigit)) {
            let end = path.len().min(at + 3);
            return Err(format!(
                "invalid URL escape {:?}",
                path.get(at..end).unwrap_or("%")
            ));
        }
    }
    Ok(())
}

/// Host without brackets, and the port's digits; both may be empty.
pub(crate) fn host_and_port(authority: &str) -> (&str, &str) {
    if let Some((host, after)) = authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return (host, after.strip_prefix(':').unwrap_or_default());
    }
    authority.rsplit_once(':').unwrap_or((authority, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, want: &str) {
        let got = match Origin::parse(url) {
            Ok(o) => format!(
                "{:?} {} host={} path={}",
                o.scheme,
                o.dialled(),
                o.authority,
                o.path
            ),
            Err(e) => e.message,
        };
        assert_eq!(got, want, "{url}");
    }

    #[test]
    fn server_urls() {
        check(
            "http://127.0.0.1:8080",
            "Http 127.0.0.1:8080 host=127.0.0.1:8080 path=",
        );
        check(
            "HTTPS://a.test/x%2Fy?q",
            "Https a.test:443 host=a.test path=/x%2Fy",
        );
        check("h2c://[::1]:50051/", "H2c [::1]:50051 host=[::1]:50051 path=/");
        check("http://[::1]", "Http [::1]:80 host=[::1] path=");
        check(
            "http://user:secret@a.test:81",
            "Http a.test:81 host=a.test:81 path=",
        );
        check("ftp://a.test", "Unsupported a.test:80 host=a.test path=");
        check("localhost:80", "Unsupported :80 host= path=");
        check("http://", "Unsupported :80 host= path=");
        check(
            "127.0.0.1:80",
            r#"parse "127.0.0.1:80": first path segment in URL cannot contain colon"#,
        );
        check("://a", r#"parse "://a": missing protocol scheme"#);
        check(
            "http://a:b",
            r#"parse "http://a:b": invalid port ":b" after host"#,
        );
        check("http://[::1", r#"parse "http://[::1": missing ']' in host"#);
        check(
            "http://a/%zz",
            r#"parse "http://a/%zz": invalid URL escape "%zz""#,
        );
    }

    #[test]
    fn one_key_per_place() {
        let key = |url| Origin::parse(url).map(|o| o.key).unwrap_or_default();
        assert_eq!(key("http://a.test/x"), key("http://A.test:80/y"));
        assert_ne!(key("http://a.test"), key("h2c://a.test"));
        assert_ne!(key("http://a.test"), key("http://a.test:81"));
    }
}
