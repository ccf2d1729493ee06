//! What browsers ask before a gRPC-Web call, and what they must find in its answer (Fetch §3.2).

use crate::http::vary;
use trilithon_flow::{Headers, Known, Method, Request, Response};

/// Seconds that a browser may keep the answer to its question.
const MAX_AGE: &str = "600";

/// The origins that may call.
#[derive(Debug)]
pub struct Cors {
    origins: Vec<Box<[u8]>>,
    any: bool,
}

impl Cors {
    pub fn new(origins: &[String]) -> Cors {
        Cors {
            any: origins.iter().any(|o| o == "*"),
            origins: origins.iter().map(|o| o.as_bytes().into()).collect(),
        }
    }

    fn allows(&self, origin: Option<&[u8]>) -> bool {
        origin.is_some_and(|o| {
            !o.is_empty() && (self.any || self.origins.iter().any(|allowed| **allowed == *o))
        })
    }

    /// The answer to a browser's question whether it may make a gRPC-Web call; nothing if that is not what is asked.
    pub fn preflight(&self, req: &Request) -> Option<Response> {
        let wanted = req.headers.get("Access-Control-Request-Headers")?;
        let about_us = wanted
            .to_ascii_lowercase()
            .windows(10)
            .any(|w| w == b"x-grpc-web");
        let method = req
            .headers
            .get("Access-Control-Request-Method")
            .filter(|m| !m.is_empty())?;
        if req.method != Method::Options || !about_us {
            return None;
        }
        let mut res = Response::new(200);
        for name in [
            "Origin",
            "Access-Control-Request-Method",
            "Access-Control-Request-Headers",
        ] {
            res.headers.append(Known::Vary.name(), name);
        }
        let origin = req.headers.known(Known::Origin);
        let method = method.to_ascii_uppercase();
        if self.allows(origin) && matches!(&method[..], b"GET" | b"POST" | b"HEAD" | b"OPTIONS") {
            res.headers
                .append("Access-Control-Allow-Origin", origin.unwrap_or_default());
            res.headers.append("Access-Control-Allow-Methods", method);
            res.headers
                .append("Access-Control-Allow-Headers", canonical_list(wanted));
            res.headers.append("Access-Control-Allow-Credentials", "true");
            res.headers.append("Access-Control-Max-Age", MAX_AGE);
        }
        Some(res)
    }

    /// Tells the browser in the answer to a call that its script may read it.
    pub fn mark(&self, headers: &mut Headers, origin: Option<&[u8]>) {
        vary::add_first(headers, "Origin");
        if self.allows(origin) {
            headers.set("Access-Control-Allow-Origin", origin.unwrap_or_default());
            headers.set("Access-Control-Allow-Credentials", "true");
        }
    }
}

/// Names of a list in canonical spelling.
fn canonical_list(list: &[u8]) -> Vec<u8> {
    let names = list
        .split(|b| *b == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|n| !n.is_empty());
    let canonical = |name: &[u8]| {
        let mut name = name.to_vec();
        trilithon_wire::headers::canonicalize(&mut name);
        name
    };
    names.map(canonical).collect::<Vec<_>>().join(&b", "[..])
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{lines, request};
    use super::*;

    fn ask(allowed: &str, origin: &str, method: &str, wanted: &str) -> Option<Vec<String>> {
        let headers = [
            ("Origin", origin),
            ("Access-Control-Request-Method", method),
            ("Access-Control-Request-Headers", wanted),
        ];
        let res = Cors::new(&[allowed.to_owned()]).preflight(&request("OPTIONS", "/", &headers))?;
        assert_eq!((res.status, res.headers.get_all(b"Vary").count()), (200, 3));
        Some(lines(&res.headers).split_off(3))
    }

    #[test]
    fn questions() {
        let yes = |origin: &str| {
            [
                &format!("Access-Control-Allow-Origin: {origin}"),
                "Access-Control-Allow-Methods: POST",
                "Access-Control-Allow-Headers: X-Grpc-Web, Content-Type",
                "Access-Control-Allow-Credentials: true",
                "Access-Control-Max-Age: 600",
            ]
            .map(str::to_owned)
            .to_vec()
        };
        let check = |allowed: &str, origin: &str, method: &str, wanted: &str, want: Option<Vec<String>>| {
            assert_eq!(
                ask(allowed, origin, method, wanted),
                want,
                "{allowed} {origin} {method} {wanted}"
            );
        };
        let wanted = "x-grpc-web,content-type";
        check("http://a", "http://a", "POST", wanted, Some(yes("http://a")));
        check("*", "http://b", "post", wanted, Some(yes("http://b")));
        check("http://a", "http://b", "POST", wanted, Some(vec![]));
        check("http://a", "", "POST", wanted, Some(vec![]));
        check("*", "http://a", "DELETE", wanted, Some(vec![]));
        check("*", "http://a", "POST", "content-type", None);
        check("*", "http://a", "", wanted, None);
    }
}
