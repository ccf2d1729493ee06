//! E: who says what about the client. Only the gateway, and peers that it was told to believe.

use crate::world::{Before, INSTALL, ROUTING, before, gateway};
use trilithon_testkit::{Answer, Gateway, PATIENCE, Upstream};

/// What the gateway says by itself, and `evil` never is.
const MANAGED: [&str; 7] = [
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Port",
    "X-Forwarded-Proto",
    "X-Forwarded-Server",
    "X-Forwarded-Prefix",
    "X-Real-Ip",
];

fn behind(upstream: &Upstream, middlewares: &str, names: &str) -> Gateway {
    let routing = format!(
        "
http:
  routers: {{all: {{rule: 'PathPrefix(`/`)', service: s, middlewares: [{names}]}}}}
  middlewares:
{middlewares}
  services:
    s: {{loadBalancer: {{servers: [{{url: 'http://127.0.0.1:@b1@'}}]}}}}
    page: {{loadBalancer: {{servers: [{{url: 'http://127.0.0.1:@page@'}}]}}}}
"
    );
    gateway()
        .routing(&routing)
        .upstream("b1", upstream)
        .upstream("page", Upstream::echo())
        .upstream("auth", Upstream::echo())
        .start()
}

/// An entry point with these options.
fn entry_point(options: &str) -> Gateway {
    let install = INSTALL.replace("'127.0.0.1:@web@'}", &format!("'127.0.0.1:@web@', {options}}}"));
    gateway()
        .install(&install)
        .routing(ROUTING)
        .upstream("b1", Upstream::echo())
        .start()
}

#[test]
fn e01_headers_named_by_connection() {
    let upstream = Upstream::echo();
    let gateway = before(&upstream);
    for names in [
        MANAGED.join(", "),
        MANAGED.join(",").to_lowercase(),
        MANAGED.join(" , ").to_uppercase(),
        MANAGED.join(", ").replace('-', "_"),
    ] {
        assert_eq!(
            gateway
                .get_with("a.test", "/", &[&format!("Connection: {names}")])
                .status,
            200
        );
        let seen = upstream.last().headers;
        for name in MANAGED.iter().filter(|n| **n != "X-Forwarded-Prefix") {
            assert!(seen.has(name), "`{name}` was taken off by `Connection: {names}`");
        }
        assert_eq!(seen.get("x-forwarded-for"), "127.0.0.1");
    }
    // What concerns one connection only goes no further, and what it names neither.
    let lines = [
        "Connection: X-Hop, Keep-Alive",
        "X-Hop: 1",
        "Keep-Alive: 5",
        "Proxy-Connection: x",
        "Proxy-Authorization: x",
        "Te: gzip",
        "X-Stays: 1",
    ];
    gateway.get_with("a.test", "/", &lines);
    let seen = upstream.last().headers;
    for name in [
        "Connection",
        "X-Hop",
        "Keep-Alive",
        "Proxy-Connection",
        "Proxy-Authorization",
        "Te",
    ] {
        assert!(!seen.has(name), "{name}");
    }
    assert!(seen.has("x-stays"));
}

/// What a middleware says cannot be taken off by the client.
#[test]
fn e01_headers_of_middlewares() {
    let upstream = Upstream::echo();
    let gateway = behind(
        &upstream,
        "    m: {headers: {customRequestHeaders: {X-Tenant: acme}}}",
        "m",
    );
    gateway.get_with("a.test", "/", &["Connection: X-Tenant", "X-Tenant: evil"]);
    assert_eq!(
        upstream.last().headers.all("x-tenant").collect::<Vec<_>>(),
        ["acme"]
    );
}

#[test]
fn e02_spellings_of_managed_headers() {
    let upstream = Upstream::echo();
    let gateway = before(&upstream);
    for name in MANAGED {
        for spelling in [
            name.to_owned(),
            name.to_lowercase(),
            name.to_uppercase(),
            name.replace('-', "_"),
            name.replacen('-', "_", 1),
            name.replace('-', "."),
        ] {
            gateway.get_with(
                "a.test",
                "/",
                &[
                    &format!("{spelling}: evil"),
                    &format!("{}: evil", name.to_uppercase()),
                ],
            );
            let seen = upstream.last().headers;
            assert!(
                !seen.0.iter().any(|(_, value)| value.contains("evil")),
                "{spelling}: {seen:?}"
            );
        }
    }
    // A peer that is believed may say so, in the one right spelling.
    let gateway = entry_point("forwardedHeaders: {trustedIPs: [127.0.0.1]}");
    let answer = gateway.get_with(
        "a.test",
        "/",
        &[
            "X-Forwarded-For: 10.9.9.9",
            "X-Forwarded-For: 10.8.8.8",
            "X-Forwarded-Proto: https",
        ],
    );
    assert_eq!(
        (&*answer.saw("x-forwarded-for"), &*answer.saw("x-forwarded-proto")),
        ("10.9.9.9, 10.8.8.8, 127.0.0.1", "https")
    );
}

#[test]
fn e02_underscores() {
    let underscored = ["X_Custom: 1", "X_Forwarded_Proto: https"];
    let gateway = entry_point("http: {underscoreHeadersStrategy: delete}");
    let answer = gateway.get_with("a.test", "/", &underscored);
    assert_eq!(
        (
            answer.status,
            answer.saw("x_custom"),
            answer.saw("x_forwarded_proto")
        ),
        (200, String::new(), String::new())
    );
    let gateway = entry_point("http: {underscoreHeadersStrategy: reject}");
    let looked = Before::look(&gateway, "web", "underscore-header");
    assert_eq!(gateway.get_with("a.test", "/", &underscored).status, 400);
    looked.refused_once("an underscore");
    assert_eq!(gateway.get("a.test", "/").status, 200);
}

/// The header in which a middleware says who the user is never comes from the client, in no spelling.
#[test]
fn e03_identity_headers() {
    let evil = ["X-User: evil", "x-user: evil", "X_User: evil", "X.USER: evil"];
    let is_clean = |gateway: &Gateway, user: Option<&str>| {
        let seen = gateway.upstream("b1").last().headers;
        assert!(!seen.0.iter().any(|(_, value)| value == "evil"), "{seen:?}");
        assert_eq!(seen.all("x-user").collect::<Vec<_>>(), Vec::from_iter(user));
    };
    // A password in clear text is none of Traefik's forms; this is the SHA-1 of `secret`.
    let basic = behind(
        &Upstream::echo(),
        "    m: {basicAuth: {users: ['me:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ='], headerField: X-User}}",
        "m",
    );
    let lines = [&evil[..], &["Authorization: Basic bWU6c2VjcmV0"]].concat();
    assert_eq!(basic.get_with("a.test", "/", &lines).status, 200);
    is_clean(&basic, Some("me"));
    assert_eq!(basic.get_with("a.test", "/", &evil).status, 401);

    // The authorisation server names nobody: then nobody is named.
    let forward =
        "    m: {forwardAuth: {address: 'http://127.0.0.1:@auth@/', authResponseHeaders: [X-User]}}";
    let auth = behind(&Upstream::echo(), forward, "m");
    assert_eq!(auth.get_with("a.test", "/", &evil).status, 200);
    is_clean(&auth, None);
    // It names somebody: then nobody else is.
    let named = Upstream::answering(|_| Answer::new(200, "").header("X-User", "me"));
    let routing = forward.replace("@auth@", &named.port().to_string());
    let auth = behind(&Upstream::echo(), &routing, "m");
    assert_eq!(auth.get_with("a.test", "/", &evil).status, 200);
    is_clean(&auth, Some("me"));
}

/// An authorisation server is told what the gateway knows, not what an unknown client claims.
#[test]
fn e04_claims_in_authorisation_requests() {
    let claims: Vec<String> = [
        "For", "Host", "Port", "Proto", "Uri", "Method", "Prefix", "Server",
    ]
    .iter()
    .map(|n| format!("X-Forwarded-{n}: evil"))
    .collect();
    let lines: Vec<&str> = claims
        .iter()
        .map(String::as_str)
        .chain(["X-Real-Ip: evil", "X_Forwarded_Uri: evil"])
        .collect();
    for trust in ["", ", trustForwardHeader: false", ", trustForwardHeader: true"] {
        let gateway = behind(
            &Upstream::echo(),
            &format!("    m: {{forwardAuth: {{address: 'http://127.0.0.1:@auth@/'{trust}}}}}"),
            "m",
        );
        assert_eq!(gateway.get_with("a.test", "/x?y", &lines).status, 200);
        let seen = gateway.upstream("auth").last().headers;
        assert!(
            !seen.0.iter().any(|(_, value)| value.contains("evil")),
            "{trust}: {seen:?}"
        );
        assert_eq!(seen.get("x-forwarded-host"), "a.test", "{trust}");
        assert_eq!(
            (
                seen.get("x-forwarded-uri"),
                seen.get("x-forwarded-method"),
                seen.get("x-forwarded-proto")
            ),
            ("/x?y", "GET", "http"),
            "{trust}"
        );
    }
}

/// Requests beside the client's carry what they were told to carry.
#[test]
fn e05_secrets_in_other_requests() {
    let secrets = [
        "Authorization: secret",
        "Cookie: a=secret",
        "X-Ok: 1",
        "X-Do: status=503",
    ];
    let gateway = behind(
        &Upstream::echo(),
        "    m: {errors: {status: ['503'], service: page, query: /, errorRequestHeaders: [X-Ok]}}",
        "m",
    );
    assert_eq!(gateway.get_with("a.test", "/", &secrets).status, 503);
    let seen = gateway.upstream("page").last().headers;
    assert!(
        seen.has("x-ok") && !seen.0.iter().any(|(_, value)| value.contains("secret")),
        "{seen:?}"
    );
    let gateway = behind(
        &Upstream::echo(),
        "    m: {forwardAuth: {address: 'http://127.0.0.1:@auth@/', authRequestHeaders: [X-Ok]}}",
        "m",
    );
    assert_eq!(gateway.get_with("a.test", "/", &secrets[..3]).status, 200);
    let seen = gateway.upstream("auth").last().headers;
    assert!(
        seen.has("x-ok") && !seen.0.iter().any(|(_, value)| value.contains("secret")),
        "{seen:?}"
    );
}

const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// A header of version 2 for TCP over IPv4 from 1.2.3.4:5 to 6.7.8.9:10.
fn version_2(tlvs: &[u8]) -> Vec<u8> {
    let length = (12 + tlvs.len() as u16).to_be_bytes();
    [
        V2,
        &[0x21, 0x11],
        &length,
        &[1, 2, 3, 4, 6, 7, 8, 9, 0, 5, 0, 10],
        tlvs,
    ]
    .concat()
}

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";

#[test]
fn e06_proxy_protocol() {
    let gateway = entry_point("proxyProtocol: {trustedIPs: [127.0.0.1]}");
    let check = |header: &[u8], client: &str| {
        // Whole, and byte by byte.
        let answer = gateway.client("web").send([header, GET].concat()).response();
        assert_eq!(
            (answer.status, &*answer.saw("x-real-ip")),
            (200, client),
            "{}",
            header.escape_ascii()
        );
        let mut slow = gateway.client("web");
        for byte in header {
            slow.send([*byte]);
        }
        let answer = slow.send(GET).response();
        assert_eq!(
            (answer.status, &*answer.saw("x-forwarded-for")),
            (200, client),
            "{}",
            header.escape_ascii()
        );
    };
    check(b"", "127.0.0.1");
    check(b"PROXY TCP4 1.2.3.4 6.7.8.9 5 10\r\n", "1.2.3.4");
    check(b"PROXY TCP6 2001:db8::1 ::1 5 10\r\n", "2001:db8::1");
    check(b"PROXY UNKNOWN\r\n", "127.0.0.1");
    check(b"PROXY UNKNOWN whatever else\r\n", "127.0.0.1");
    check(&version_2(b""), "1.2.3.4");
    check(&version_2(&[0xee, 0, 3, 1, 2, 3, 0xef, 0, 0]), "1.2.3.4");
    check(&[V2, &[0x20, 0, 0, 0]].concat(), "127.0.0.1");
}

#[test]
fn e06_proxy_protocol_that_is_none() {
    let gateway = entry_point("proxyProtocol: {trustedIPs: [127.0.0.1]}");
    let check = |header: &[u8], reason: &str| {
        let what = header.escape_ascii().to_string();
        let looked = Before::look(&gateway, "web", reason);
        let mut client = gateway.client("web");
        if reason.starts_with("truncated") {
            client.send(header).finish();
        } else {
            // The gateway may have closed before all is sent.
            let _ = client.try_send([header, GET].concat());
        }
        let (bytes, ended) = client.read_to_end(PATIENCE);
        assert!(
            bytes.is_empty() && ended != trilithon_testkit::Ended::Open,
            "{what}"
        );
        looked.refused_once(&what);
    };
    for line in [
        "PROXY TCP4 1.2.3.4 6.7.8.9 5\r\n",
        "PROXY TCP4 1.2.3.4 6.7.8.9 5 10 11\r\n",
        "PROXY TCP4 1.2.3.4 6.7.8.9 5 70000\r\n",
        "PROXY TCP4 1.2.3.4 6.7.8.9 05 10\r\n",
        "PROXY TCP4 1.2.3.4 6.7.8.9 +5 10\r\n",
        "PROXY TCP4 2001:db8::1 ::1 5 10\r\n",
        "PROXY TCP6 1.2.3.4 6.7.8.9 5 10\r\n",
        "PROXY TCP6 fe80::1%eth0 ::1 5 10\r\n",
        "PROXY TCP4  1.2.3.4 6.7.8.9 5 10\r\n",
        "PROXY UDP4 1.2.3.4 6.7.8.9 5 10\r\n",
        "PROXY TCP4 1.2.3.4 6.7.8.9 5 10\n",
        "PROXY \r\n",
    ] {
        check(line.as_bytes(), "bad-proxy-header");
    }
    check(
        format!("PROXY UNKNOWN {}\r\n", "x".repeat(200)).as_bytes(),
        "bad-proxy-header",
    );
    check(&[V2, &[0x31, 0x11, 0, 12], &[0; 12]].concat(), "bad-proxy-header");
    check(&[V2, &[0x22, 0x11, 0, 12], &[0; 12]].concat(), "bad-proxy-header");
    check(&[V2, &[0x21, 0x51, 0, 12], &[0; 12]].concat(), "bad-proxy-header");
    check(&[V2, &[0x21, 0x11, 0, 8], &[0; 8]].concat(), "bad-proxy-header");
    check(&[V2, &[0x21, 0x11, 0xff, 0xff]].concat(), "bad-proxy-header");
    check(&version_2(&[0xee, 0, 9, 1]), "bad-proxy-header");
    check(&version_2(&[0xee, 0]), "bad-proxy-header");
    // The length takes in the request that follows: then there is none, and no address either.
    check(&[V2, &[0x21, 0x11, 0, 40], &[0; 12]].concat(), "bad-proxy-header");
    check(&version_2(b"")[..14], "truncated-proxy-header");
}

/// From a peer that is not believed the header is taken off, and means nothing.
#[test]
fn e06_proxy_protocol_of_strangers() {
    let gateway = entry_point("proxyProtocol: {trustedIPs: [10.0.0.1]}");
    for header in [&b"PROXY TCP4 1.2.3.4 6.7.8.9 5 10\r\n"[..], &version_2(b"")] {
        let answer = gateway.client("web").send([header, GET].concat()).response();
        assert_eq!((answer.status, &*answer.saw("x-real-ip")), (200, "127.0.0.1"));
    }
    // Where no entry point speaks it, it is no request.
    let gateway = before(&Upstream::echo());
    let (bytes, _) = gateway
        .client("web")
        .send([&version_2(b"")[..], GET].concat())
        .read_to_end(PATIENCE);
    assert!(
        bytes.is_empty() || bytes.starts_with(b"HTTP/1.1 400"),
        "{}",
        bytes.escape_ascii()
    );
    assert_eq!(gateway.upstream("b1").requests(), 0);
}
