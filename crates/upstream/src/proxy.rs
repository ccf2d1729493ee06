//! `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`, with Go's meaning: read once, never for the machine itself.

use crate::Scheme;
use crate::origin::host_and_port;
use std::net::IpAddr;
use std::sync::LazyLock;

/// A proxy between us and a server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Proxy {
    pub host: String,
    pub port: u16,
    /// Value of `Proxy-Authorization`.
    pub authorization: Option<String>,
}

impl Proxy {
    /// The proxy that the environment names for a server.
    pub fn of(scheme: Scheme, host: &str, port: u16) -> Option<&'static Proxy> {
        static PROXIES: LazyLock<Proxies> = LazyLock::new(|| Proxies::read(|name| std::env::var(name).ok()));
        PROXIES.of(scheme, host, port)
    }

    /// Reads `[http://][user:password@]host[:port]`.
    fn parse(text: &str) -> Option<Proxy> {
        let rest = text.strip_prefix("http://").unwrap_or(text);
        if rest.is_empty() {
            return None;
        }
        if rest.contains("://") {
            tracing::warn!(
                "only proxies with scheme `http` are supported: the one in the environment is ignored"
            );
            return None;
        }
        let rest = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (user, place) = rest
            .rsplit_once('@')
            .map_or((None, rest), |(user, place)| (Some(user), place));
        let (host, port) = host_and_port(place);
        let port = if port.is_empty() { 80 } else { port.parse().ok()? };
        let authorization = user.map(|user| {
            let user = trilithon_flow::target::decode(user);
            let with_password = if user.contains(&b':') {
                user.into_owned()
            } else {
                [&user[..], b":"].concat()
            };
            format!("Basic {}", base64(&with_password))
        });
        Some(Proxy {
            host: host.to_owned(),
            port,
            authorization,
        })
    }
}

struct Proxies {
    http: Option<Proxy>,
    https: Option<Proxy>,
    no: Vec<Exception>,
}

impl Proxies {
    fn read(variable: impl Fn(&str) -> Option<String>) -> Proxies {
        let either = |name: &str| {
            variable(name)
                .or_else(|| variable(&name.to_lowercase()))
                .unwrap_or_default()
        };
        let exceptions = either("NO_PROXY");
        Proxies {
            // In a CGI environment `HTTP_PROXY` is a header of the client.
            http: if variable("REQUEST_METHOD").is_some() {
                None
            } else {
                Proxy::parse(&either("HTTP_PROXY"))
            },
            https: Proxy::parse(&either("HTTPS_PROXY")),
            no: exceptions
                .split(',')
                .filter_map(|e| Exception::parse(e.trim()))
                .collect(),
        }
    }

    fn of(&self, scheme: Scheme, host: &str, port: u16) -> Option<&Proxy> {
        let proxy = match scheme {
            Scheme::Http => self.http.as_ref()?,
            Scheme::Https => self.https.as_ref()?,
            _ => return None,
        };
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let address = host.parse::<IpAddr>().ok();
        let own = host == "localhost" || address.is_some_and(|a| a.is_loopback());
        let excepted = own || self.no.iter().any(|e| e.covers(&host, address, port));
        (!excepted).then_some(proxy)
    }
}

/// One entry of `NO_PROXY`.
enum Exception {
    All,
    Network(ipnet::IpNet),
    /// A name with everything below it; without itself when it was written with a leading dot.
    Name {
        suffix: String,
        itself: bool,
        port: Option<u16>,
    },
    Address {
        address: IpAddr,
        port: Option<u16>,
    },
}

impl Exception {
    fn parse(text: &str) -> Option<Exception> {
        if text.is_empty() {
            return None;
        }
        if text == "*" {
            return Some(Exception::All);
        }
        if let Ok(network) = text.parse() {
            return Some(Exception::Network(network));
        }
        if let Ok(address) = text.parse() {
            return Some(Exception::Address { address, port: None });
        }
        let (host, port) = host_and_port(text);
        let port = if port.is_empty() {
            None
        } else {
            Some(port.parse().ok()?)
        };
        if let Ok(address) = host.parse() {
            return Some(Exception::Address { address, port });
        }
        let name = host
            .strip_prefix('*')
            .filter(|n| n.starts_with('.'))
            .unwrap_or(host)
            .to_ascii_lowercase();
        let itself = !name.starts_with('.');
        let suffix = if itself { format!(".{name}") } else { name };
        Some(Exception::Name { suffix, itself, port })
    }

    fn covers(&self, host: &str, ip: Option<IpAddr>, to: u16) -> bool {
        match self {
            Exception::All => true,
            Exception::Network(network) => ip.is_some_and(|ip| network.contains(&ip)),
            Exception::Address { address, port } => ip == Some(*address) && port.is_none_or(|p| p == to),
            Exception::Name { suffix, itself, port } => {
                port.is_none_or(|p| p == to)
                    && (host.ends_with(suffix.as_str()) || (*itself && host == &suffix[1..]))
            }
        }
    }
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(environment: &[(&str, &str)], url: &str, want: Option<&str>) {
        let find = |name: &str| {
            environment
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, v)| (*v).to_owned())
        };
        let origin = crate::Origin::parse(url).unwrap();
        let proxies = Proxies::read(find);
        let got = proxies.of(origin.scheme, &origin.host, origin.port);
        let got = got.map(|p| {
            format!(
                "{}:{} {}",
                p.host,
                p.port,
                p.authorization.as_deref().unwrap_or("-")
            )
        });
        assert_eq!(got.as_deref(), want, "{environment:?} {url}");
    }

    #[test]
    fn environment() {
        let both = [("HTTP_PROXY", "http://p1:3128"), ("https_proxy", "u:p%40@p2")];
        check(&[], "http://a.test", None);
        check(&both, "http://a.test", Some("p1:3128 -"));
        check(&both, "https://a.test", Some("p2:80 Basic dTpwQA=="));
        check(&both, "h2c://a.test", None);
        check(&both, "http://localhost:81", None);
        check(&both, "http://127.0.0.9", None);
        check(&both, "http://[::1]", None);
        check(&[("HTTP_PROXY", "socks5://p1:1080")], "http://a.test", None);
        check(
            &[("HTTP_PROXY", "p1"), ("REQUEST_METHOD", "GET")],
            "http://a.test",
            None,
        );
    }

    #[test]
    fn exceptions() {
        let with = |no: &str, url: &str, excepted: bool| {
            check(
                &[("HTTP_PROXY", "p"), ("NO_PROXY", no)],
                url,
                if excepted { None } else { Some("p:80 -") },
            );
        };
        with("*", "http://a.test", true);
        with("a.test", "http://a.test", true);
        with("a.test", "http://x.A.test", true);
        with("a.test", "http://xa.test", false);
        with(".a.test", "http://a.test", false);
        with("*.a.test", "http://x.a.test", true);
        with("b.test, a.test:81", "http://a.test:81", true);
        with("a.test:81", "http://a.test", false);
        with("10.0.0.0/8", "http://10.1.2.3", true);
        with("10.0.0.0/8", "http://11.1.2.3", false);
        with("10.0.0.1", "http://10.0.0.1:99", true);
        with("10.0.0.1:80", "http://10.0.0.1:99", false);
    }
}
