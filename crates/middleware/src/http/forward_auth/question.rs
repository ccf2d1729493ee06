//! The request that an authorization server is sent about a client's request.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use trilithon_flow::target::decode;
use trilithon_flow::{Exchange, Headers, Known, Method, Request, Target};
use trilithon_model::dynamic::http::ForwardAuth as Config;

/// Whose word counts about where the client is and what it asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Nothing was said: what the entry point left stands, but for the five headers that are always written anew.
    Unsaid,
    /// The connection's alone.
    Nobody,
    /// What the request says, and the connection's where it says nothing.
    Request,
}

impl Trust {
    pub fn of(config: &Config) -> Trust {
        match config.trust_forward_header {
            None => Trust::Unsaid,
            Some(false) => Trust::Nobody,
            Some(true) => Trust::Request,
        }
    }
}

/// How questions are written.
pub struct Question {
    target: Target,
    host: Box<str>,
    /// The address's user and password, for requests that do not say who they are.
    credentials: Option<Box<str>>,
    keep_method: bool,
    trust: Trust,
    /// Headers of the request that are passed; all when empty.
    chosen: Vec<String>,
}

impl Question {
    pub fn new(address: &str, keep_method: bool, trust: Trust, config: &Config) -> Question {
        let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
        let rest = rest.split('#').next().unwrap_or(rest);
        let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
        let target = if target.starts_with('/') {
            target.to_owned()
        } else {
            format!("/{target}")
        };
        Question {
            target: Target::new(&target),
            host: host.into(),
            credentials: Some(user).filter(|u| !u.is_empty()).map(basic),
            keep_method,
            trust,
            chosen: config.auth_request_headers.clone(),
        }
    }

    /// The question about `req`, without body.
    pub fn about(&self, req: &Request, cx: &Exchange) -> Request {
        let mut headers = Headers::new();
        headers.append(Known::Host.name(), &*self.host);
        for (known, name, value) in req.headers.iter_known() {
            if self.passes(known, name) {
                headers.append_verbatim(name, value);
            }
        }
        if let Some(credentials) = self.credentials.as_deref()
            && !headers.has(Known::Authorization)
        {
            headers.append(Known::Authorization.name(), credentials);
        }
        self.tell(req, cx, &mut headers);
        let method = if self.keep_method {
            req.method.clone()
        } else {
            Method::Get
        };
        Request {
            method,
            target: self.target.clone(),
            headers,
            ..Request::default()
        }
    }

    fn passes(&self, known: Known, name: &[u8]) -> bool {
        // `Proxy-Authorization` is for who checks it on the gateway's behalf (RFC 9110 §11.7.2).
        let dropped = known.is_connection_specific()
            || matches!(known, Known::Host | Known::ContentLength | Known::Expect)
            || (self.trust == Trust::Nobody && known.is_forwarding() && !is_certificate(known));
        !dropped
            && (self.chosen.is_empty()
                || self
                    .chosen
                    .iter()
                    .any(|c| c.as_bytes().eq_ignore_ascii_case(name)))
    }

    /// Says where the client is and what it asked for.
    fn tell(&self, req: &Request, cx: &Exchange, headers: &mut Headers) {
        let peer = cx.connection.peer_ip.as_bytes();
        let earlier = req.headers.get_all(b"X-Forwarded-For");
        let chain: Vec<&[u8]> = match self.trust {
            Trust::Request => earlier.chain([peer]).collect(),
            Trust::Unsaid | Trust::Nobody => vec![peer],
        };
        headers.set_known(Known::XForwardedFor, chain.join(&b", "[..]));
        let proto: &[u8] = if cx.connection.tls.is_some() {
            b"https"
        } else {
            b"http"
        };
        let port = port(req, cx);
        let facts: [(Known, &[u8]); 5] = [
            (Known::XForwardedMethod, req.method.as_str().as_bytes()),
            (Known::XForwardedProto, proto),
            (Known::XForwardedHost, req.host()),
            (Known::XForwardedUri, req.target.as_str().as_bytes()),
            (Known::XForwardedPort, port),
        ];
        for (name, ours) in facts {
            if name == Known::XForwardedPort && self.trust == Trust::Unsaid {
                continue;
            }
            let theirs = req
                .headers
                .known(name)
                .filter(|v| !v.is_empty() && self.trust == Trust::Request);
            headers.set_known(name, theirs.unwrap_or(ours));
        }
    }
}

/// The `Authorization` (RFC 7617) of a URL's `user:password`.
fn basic(user: &str) -> Box<str> {
    let (name, password) = user.split_once(':').unwrap_or((user, ""));
    let mut pair = decode(name).into_owned();
    pair.push(b':');
    pair.extend_from_slice(&decode(password));
    format!("Basic {}", STANDARD.encode(pair)).into()
}

/// Written by the gateway's own middleware, which an outer one may have done on purpose.
fn is_certificate(known: Known) -> bool {
    matches!(
        known,
        Known::XForwardedTlsClientCert | Known::XForwardedTlsClientCertInfo
    )
}

/// The port that the client asked for: the host's, or the scheme's own.
fn port<'a>(req: &'a Request, cx: &Exchange) -> &'a [u8] {
    let host = req.host();
    let colon = host.iter().rposition(|b| *b == b':').map(|at| &host[at + 1..]);
    match colon.filter(|p| !p.is_empty() && p.iter().all(u8::is_ascii_digit)) {
        Some(port) => port,
        None if cx.connection.tls.is_some() => b"443",
        None => b"80",
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{connection, lines, request};
    use super::*;
    use std::rc::Rc;

    fn config(trust: Option<bool>, chosen: &[&str]) -> Config {
        Config {
            trust_forward_header: trust,
            auth_request_headers: chosen.iter().map(|c| (*c).to_owned()).collect(),
            ..Config::default()
        }
    }

    fn question(config: &Config, keep: bool, headers: &[(&str, &str)]) -> Request {
        let cx = Exchange::new(Rc::new(connection("10.1.1.1:99", None)), Rc::default());
        let question = Question::new("http://auth.test:9/check?a=1", keep, Trust::of(config), config);
        question.about(&request("PUT", "/x%20y?q=1", headers), &cx)
    }

    #[test]
    fn where_it_goes() {
        let q = question(&config(None, &[]), false, &[]);
        assert_eq!((q.method, q.target.as_str()), (Method::Get, "/check?a=1"));
        assert_eq!(q.headers.known(Known::Host), Some(&b"auth.test:9"[..]));
        assert_eq!(question(&config(None, &[]), true, &[]).method, Method::Put);
        for (address, want) in [
            ("http://a", "/"),
            ("http://a?b", "/?b"),
            ("http://u:p@a/b#c", "/b"),
            ("http://a/", "/"),
        ] {
            let q = Question::new(address, false, Trust::Nobody, &Config::default());
            assert_eq!((q.target.as_str(), &*q.host), (want, "a"), "{address}");
        }
    }

    #[test]
    fn who_asks() {
        let check = |address: &str, headers: &[(&str, &str)], want: Option<&str>| {
            let cx = Exchange::new(Rc::new(connection("10.1.1.1:99", None)), Rc::default());
            let q = Question::new(address, false, Trust::Nobody, &Config::default());
            let q = q.about(&request("GET", "/", headers), &cx);
            assert_eq!(q.headers.known(Known::Authorization), want.map(str::as_bytes));
        };
        check("http://a/", &[], None);
        check("http://u:p%40@a/", &[], Some("Basic dTpwQA=="));
        check("http://u@a/", &[], Some("Basic dTo="));
        check("http://u:p@a/", &[("Authorization", "x")], Some("x"));
    }

    #[test]
    fn what_it_says() {
        let sent = [
            ("Host", "a.test:8080"),
            ("Cookie", "c"),
            ("Te", "trailers"),
            ("Proxy-Authorization", "Basic"),
            ("Content-Length", "5"),
            ("X-Forwarded-For", "1.1.1.1"),
            ("X-Forwarded-For", "2.2.2.2"),
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Port", "1234"),
            ("X-Forwarded-Prefix", "/p"),
            ("X-Forwarded-Server", "s"),
            ("X-Real-Ip", "9.9.9.9"),
        ];
        let check = |trust: Option<bool>, chosen: &[&str], want: &[&str]| {
            let mut got = lines(&question(&config(trust, chosen), false, &sent).headers);
            got.sort();
            assert_eq!(got, want, "{trust:?} {chosen:?}");
        };
        let own = [
            "X-Forwarded-For: 10.1.1.1",
            "X-Forwarded-Host: a.test:8080",
            "X-Forwarded-Method: PUT",
            "X-Forwarded-Port: 8080",
            "X-Forwarded-Proto: http",
            "X-Forwarded-Uri: /x%20y?q=1",
        ];
        check(
            Some(false),
            &[],
            &[&["Cookie: c", "Proxy-Authorization: Basic"][..], &own].concat(),
        );
        check(Some(false), &["Nothing"], &own);
        let unsaid = [
            "X-Forwarded-For: 10.1.1.1",
            "X-Forwarded-Host: a.test:8080",
            "X-Forwarded-Method: PUT",
            "X-Forwarded-Port: 1234",
            "X-Forwarded-Prefix: /p",
            "X-Forwarded-Proto: http",
            "X-Forwarded-Server: s",
            "X-Forwarded-Uri: /x%20y?q=1",
            "X-Real-Ip: 9.9.9.9",
        ];
        check(
            None,
            &[],
            &[&["Cookie: c", "Proxy-Authorization: Basic"][..], &unsaid].concat(),
        );
        let trusted = [
            "X-Forwarded-For: 1.1.1.1, 2.2.2.2, 10.1.1.1",
            "X-Forwarded-Host: a.test:8080",
            "X-Forwarded-Method: PUT",
            "X-Forwarded-Port: 1234",
            "X-Forwarded-Proto: https",
            "X-Forwarded-Uri: /x%20y?q=1",
        ];
        check(Some(true), &["cookie"], &[&["Cookie: c"][..], &trusted].concat());
    }
}
