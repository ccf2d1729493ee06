//! `redirectScheme`: redirects to another scheme or port. What the client used is what `X-Forwarded-Proto` says, and only
//! without it what the connection is: the gateway may stand behind another one.

use super::redirect::redirect;
use trilithon_flow::{Build, BuildError, Edit, Exchange, Known, Request, Response, Step};
use trilithon_model::dynamic::http::RedirectScheme as Config;

/// Builds the step.
///
/// # Errors
/// No scheme.
pub fn build(config: &Config, _cx: &mut Build<'_>) -> Result<Step, BuildError> {
    if config.scheme.is_empty() {
        return Err(
            BuildError::new("you must provide a target scheme").help("set `scheme`, for instance to `https`")
        );
    }
    let port = if is_default(&config.scheme, &config.port) {
        String::new()
    } else {
        config.port.clone()
    };
    Ok(Step::edit(RedirectScheme {
        scheme: config.scheme.clone(),
        port,
        permanent: config.permanent,
    }))
}

struct RedirectScheme {
    scheme: String,
    /// Empty when it is the scheme's own.
    port: String,
    permanent: bool,
}

impl Edit for RedirectScheme {
    fn request(&self, req: &mut Request, cx: &mut Exchange) -> Result<(), Response> {
        let scheme = scheme(req, cx);
        let host = String::from_utf8_lossy(req.host());
        let (host, port) = split_port(&host);
        let port = if is_default(scheme, port) { "" } else { port };
        if scheme == self.scheme && port == self.port {
            return Ok(());
        }
        let colon = if self.port.is_empty() { "" } else { ":" };
        let url = format!(
            "{}://{host}{colon}{}{}",
            self.scheme,
            self.port,
            req.target.as_str()
        );
        Err(redirect(&req.method, &url, self.permanent))
    }
}

/// The scheme that the client used.
fn scheme(req: &Request, cx: &Exchange) -> &'static str {
    let told = req.headers.known(Known::XForwardedProto).unwrap_or_default();
    let is = |name: &str| told.eq_ignore_ascii_case(name.as_bytes());
    // An upgrade is announced as `ws`; the request for it is HTTP all the same.
    if is("http") || is("ws") {
        "http"
    } else if is("https") || is("wss") || cx.connection.tls.is_some() {
        "https"
    } else {
        "http"
    }
}

fn is_default(scheme: &str, port: &str) -> bool {
    matches!((scheme, port), (_, "") | ("http", "80") | ("https", "443"))
}

/// Host and port of a `Host` header; brackets stay with the host.
fn split_port(host: &str) -> (&str, &str) {
    match host.rsplit_once(':') {
        Some((name, port))
            if port.bytes().all(|b| b.is_ascii_digit()) && (name.ends_with(']') || !name.contains(':')) =>
        {
            (name, port)
        }
        _ => (host, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::{Bench, build_error, connection, get, request, step};
    use trilithon_flow::TlsInfo;

    fn config(scheme: &str, port: &str) -> Config {
        Config {
            scheme: scheme.into(),
            port: port.into(),
            permanent: false,
        }
    }

    fn check(to: (&str, &str), tls: bool, proto: &str, host: &str, want: Option<&str>) {
        let bench = Bench::new(vec![step(|cx| build(&config(to.0, to.1), cx))]);
        let mut req = get("/x?y", &[("Host", host)]);
        if !proto.is_empty() {
            req.headers.append("X-Forwarded-Proto", proto);
        }
        let res = bench.run_as(req, connection("127.0.0.1:1", tls.then(TlsInfo::default)));
        let location = res
            .headers
            .known(Known::Location)
            .map(|l| std::str::from_utf8(l).unwrap());
        assert_eq!(location, want, "{to:?} tls={tls} proto={proto} host={host}");
        assert_eq!(res.status, if want.is_some() { 302 } else { 200 });
    }

    #[test]
    fn to_https() {
        let https = ("https", "");
        check(https, false, "", "a.test", Some("https://a.test/x?y"));
        check(https, false, "http", "a.test:80", Some("https://a.test/x?y"));
        check(https, false, "http", "a.test:8080", Some("https://a.test/x?y"));
        check(https, true, "", "a.test", None);
        check(https, true, "https", "a.test:443", None);
        check(https, true, "https", "a.test:8443", Some("https://a.test/x?y"));
        check(https, false, "https", "a.test", None);
        check(https, false, "WSS", "a.test", None);
        check(https, true, "http", "a.test", Some("https://a.test/x?y"));
        check(https, true, "ws", "a.test", Some("https://a.test/x?y"));
        check(https, true, "nonsense", "a.test", None);
    }

    #[test]
    fn ports() {
        check(("https", "443"), false, "", "a.test", Some("https://a.test/x?y"));
        check(
            ("https", "8443"),
            false,
            "",
            "a.test:80",
            Some("https://a.test:8443/x?y"),
        );
        check(("https", "8443"), true, "", "a.test:8443", None);
        check(
            ("https", "8443"),
            true,
            "",
            "a.test",
            Some("https://a.test:8443/x?y"),
        );
        check(("http", "80"), false, "", "a.test", None);
        check(
            ("http", "8080"),
            true,
            "",
            "a.test",
            Some("http://a.test:8080/x?y"),
        );
        check(("wss", ""), false, "", "a.test", Some("wss://a.test/x?y"));
    }

    #[test]
    fn ipv6_hosts_keep_their_brackets() {
        check(("https", ""), false, "", "[::1]", Some("https://[::1]/x?y"));
        check(("https", ""), false, "", "[::1]:8080", Some("https://[::1]/x?y"));
        check(
            ("https", "8443"),
            false,
            "",
            "[::1]:80",
            Some("https://[::1]:8443/x?y"),
        );
    }

    #[test]
    fn other_methods_and_errors() {
        let bench = Bench::new(vec![step(|cx| {
            build(
                &Config {
                    permanent: true,
                    ..config("https", "")
                },
                cx,
            )
        })]);
        assert_eq!(bench.run(request("HEAD", "/", &[])).status, 308);
        assert_eq!(
            build_error(|cx| build(&config("", ""), cx)),
            "you must provide a target scheme"
        );
    }
}
