//! Headers that concern one connection only (RFC 9110 §7.6.1): taken off in both directions.

use trilithon_flow::{Headers, Known};

const STANDARD: [Known; 7] = [
    Known::Connection,
    Known::KeepAlive,
    Known::ProxyConnection,
    Known::Te,
    Known::TransferEncoding,
    Known::Upgrade,
    Known::Http2Settings,
];

/// Takes them off, with those that `Connection` names. What the gateway says of the client cannot be taken off this way.
pub(crate) fn strip(headers: &mut Headers) {
    if headers.has(Known::Connection) {
        strip_named(headers);
    }
    for known in STANDARD {
        headers.remove_known(known);
    }
}

/// Takes off what a client and its proxy say to prove who the client is: none of the server's business. An
/// authorization server's is another matter, so that this is not part of [`strip`].
pub(crate) fn strip_proof(headers: &mut Headers) {
    headers.remove_known(Known::ProxyAuthenticate);
    headers.remove_known(Known::ProxyAuthorization);
}

fn strip_named(headers: &mut Headers) {
    let values: Vec<Vec<u8>> = headers.get_all(b"Connection").map(<[u8]>::to_vec).collect();
    let names = values
        .iter()
        .flat_map(|v| v.split(|&b| b == b','))
        .map(<[u8]>::trim_ascii);
    for name in names.filter(|n| !n.is_empty() && !is_managed(n)) {
        headers.remove(name);
    }
}

/// Whether this is one of the headers in which the gateway says who the client is, in any spelling.
fn is_managed(name: &[u8]) -> bool {
    let name: Vec<u8> = name
        .iter()
        .map(|&b| if b == b'_' { b'-' } else { b.to_ascii_lowercase() })
        .collect();
    name == b"x-real-ip"
        || name.strip_prefix(b"x-forwarded-").is_some_and(|rest| {
            matches!(
                rest,
                b"for"
                    | b"host"
                    | b"method"
                    | b"port"
                    | b"prefix"
                    | b"proto"
                    | b"server"
                    | b"tls-client-cert"
                    | b"tls-client-cert-info"
                    | b"uri"
            )
        })
}

/// Whether `Te` allows trailers.
pub(crate) fn allows_trailers(headers: &Headers) -> bool {
    headers.has(Known::Te)
        && headers
            .get_all(b"Te")
            .flat_map(|v| v.split(|&b| b == b','))
            .any(|token| token.trim_ascii().eq_ignore_ascii_case(b"trailers"))
}

/// The protocols asked for without `h2c`: that is between the client and the gateway.
pub(crate) fn without_h2c(protocols: &str) -> Option<String> {
    let kept: Vec<&str> = protocols
        .split(',')
        .map(str::trim)
        .filter(|p| !p.is_empty() && !p.eq_ignore_ascii_case("h2c"))
        .collect();
    (!kept.is_empty()).then(|| kept.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_off() {
        let check = |fields: &[(&str, &str)], want: &str| {
            let mut headers: Headers = fields.iter().copied().collect();
            strip(&mut headers);
            let names: Vec<_> = headers
                .iter()
                .map(|(n, _)| String::from_utf8_lossy(n).into_owned())
                .collect();
            assert_eq!(names.join(" "), want);
        };
        check(&[("Host", "a"), ("X-A", "1")], "Host X-A");
        check(
            &[
                ("Connection", "X-A, close"),
                ("connection", "x-b"),
                ("X-A", "1"),
                ("X-B", "2"),
                ("X-C", "3"),
            ],
            "X-C",
        );
        check(
            &[
                ("Keep-Alive", "5"),
                ("Proxy-Connection", "x"),
                ("Te", "x"),
                ("Upgrade", "x"),
                ("Trailer", "X"),
            ],
            "Trailer",
        );
        check(
            &[("Transfer-Encoding", "chunked"), ("Proxy-Authenticate", "x")],
            "Proxy-Authenticate",
        );
        check(
            &[("Connection", "Cookie"), ("Cookie", "a"), ("Authorization", "b")],
            "Authorization",
        );
        check(
            &[
                ("Connection", "X-Forwarded-For, x-real-ip, X_Forwarded_Proto"),
                ("X-Forwarded-For", "1"),
                ("X-Real-Ip", "2"),
                ("X_Forwarded_Proto", "3"),
            ],
            "X-Forwarded-For X-Real-Ip X_forwarded_proto",
        );
    }

    #[test]
    fn upgrades_without_h2c() {
        let check = |asked: &str, want: Option<&str>| assert_eq!(without_h2c(asked).as_deref(), want);
        check("websocket", Some("websocket"));
        check("h2c", None);
        check("H2C, websocket , h2c", Some("websocket"));
        check("foo, bar", Some("foo, bar"));
    }

    #[test]
    fn trailers() {
        let check = |te: &str, want: bool| {
            assert_eq!(allows_trailers(&[("Te", te)].into_iter().collect()), want, "{te}")
        };
        check("trailers", true);
        check("gzip, Trailers", true);
        check("gzip", false);
        check("trailers;q=1", false);
    }
}
