//! E7, E8: what a client says to make a server, or the client's own browser, act against somebody.

use crate::world::{before, gateway};
use trilithon_testkit::{Gateway, Response, Upstream};

/// A gateway whose only router goes through middleware `m`, before an echo.
fn behind(middleware: &str) -> Gateway {
    let routing = format!(
        "
http:
  routers: {{all: {{rule: 'PathPrefix(`/`)', service: s, middlewares: [m]}}}}
  middlewares: {{m: {{{middleware}}}}}
  services: {{s: {{loadBalancer: {{servers: [{{url: 'http://127.0.0.1:@b1@'}}]}}}}}}
"
    );
    gateway()
        .routing(&routing)
        .upstream("b1", Upstream::echo())
        .start()
}

/// A header that servers take for where to send their own requests.
#[test]
fn e07_proxy_is_no_header() {
    let upstream = Upstream::echo();
    let gateway = before(&upstream);
    for name in ["Proxy", "proxy", "PROXY"] {
        let line = format!("{name}: http://evil.test:3128");
        assert_eq!(
            gateway.get_with("a.test", "/", &[&line, "X-Proxy: 1"]).status,
            200
        );
        let seen = upstream.last().headers;
        assert!(!seen.has("proxy") && seen.has("x-proxy"), "{name}: {seen:?}");
    }
}

#[test]
fn e07_ranges_by_the_hundred() {
    let upstream = Upstream::echo();
    let gateway = before(&upstream);
    let range = |parts: usize| format!("Range: bytes=0-0{}", ",2-2".repeat(parts - 1));
    let check = |lines: &[&str], passes: bool| {
        assert_eq!(gateway.get_with("a.test", "/", lines).status, 200);
        assert_eq!(
            upstream.last().headers.has("range"),
            passes,
            "{} lines",
            lines.len()
        );
    };
    check(&[&range(1)], true);
    check(&[&range(100)], true);
    check(&[&range(101)], false);
    check(&[&range(1500)], false);
    check(&[&range(60), &range(60)], false);
}

/// `Location` of an answer.
fn location(answer: &Response) -> &str {
    answer.header("location")
}

/// Where a redirection leads is said by the configuration and by the host asked for, which is a host and nothing else.
#[test]
fn e07_redirections_lead_to_the_host_asked_for() {
    let scheme = behind("redirectScheme: {scheme: https}");
    let regex = behind("redirectRegex: {regex: '^http://([^/]+)/(.*)$', replacement: 'https://${1}/x/${2}'}");
    for (gateway, start) in [(&scheme, "https://a.test/"), (&regex, "https://a.test/x/")] {
        let forged = [
            "X-Forwarded-Host: evil.test",
            "Forwarded: host=evil.test",
            "X-Original-Host: evil.test",
        ];
        for path in [
            "/",
            "/y?z",
            "//evil.test/",
            "/%2Fevil.test",
            "/\\evil.test",
            "/@evil.test",
            "/..//evil.test",
        ] {
            let answer = gateway.get_with("a.test", path, &forged);
            assert!(
                answer.status == 302 && location(&answer).starts_with(start),
                "{path}: {} {}",
                answer.status,
                location(&answer)
            );
        }
        for host in [
            "a.test@evil.test",
            "evil.test/",
            "evil.test\\a.test",
            "evil.test?a.test",
            "evil.test#a.test",
            "a.test:80@evil.test",
            "a.test:evil",
            "a.test, evil.test",
            "a.test evil.test",
        ] {
            let answer = gateway.get(host, "/");
            assert_eq!((answer.status, location(&answer)), (400, ""), "{host}");
        }
    }
}

/// What a path alone becomes stays on the site: no browser reads another host out of it.
#[test]
fn e07_redirections_to_a_path_stay_on_the_site() {
    let gateway = behind("redirectRegex: {regex: '^http://[^/]+/old(/.*)$', replacement: '${1}'}");
    for path in ["/old//evil.test", "/old///evil.test/x", "/old/..//old//evil.test"] {
        let answer = gateway.get("a.test", path);
        assert_eq!(answer.status, 302, "{path}");
        assert!(
            location(&answer).starts_with("/evil.test"),
            "{path}: {}",
            location(&answer)
        );
    }
}

/// Who may read the answer, as a browser that comes from `origin` is told.
fn allowed(gateway: &Gateway, origin: &str) -> Option<String> {
    let lines = [
        &*format!("Origin: {origin}"),
        "Access-Control-Request-Method: PUT",
    ];
    let read = |answer: Response| {
        let told = answer
            .headers
            .all("access-control-allow-origin")
            .next()
            .map(str::to_owned);
        assert!(
            answer.headers.all("access-control-allow-origin").count() < 2,
            "{origin}"
        );
        told
    };
    let answer = read(gateway.get_with("a.test", "/", &lines[..1]));
    let preflight = read(gateway.ask("web", "OPTIONS", "a.test", "/", &lines));
    assert_eq!(answer, preflight, "{origin}: the preflight says something else");
    answer
}

const STRANGERS: [&str; 12] = [
    "null",
    "NULL",
    "https://evil.test",
    "http://shop.test",
    "https://shop.test.evil.test",
    "https://evilshop.test",
    "https://shop.test:8443",
    "https://shop.test/",
    "https://SHOP.test",
    "https://shop.test@evil.test",
    "https://shop_test",
    "https://shop.test https://evil.test",
];

#[test]
fn e08_origins_are_exact() {
    let gateway = behind(
        "headers: {accessControlAllowOriginList: ['https://shop.test'], accessControlAllowCredentials: true, \
         accessControlAllowMethods: [PUT], addVaryHeader: true}",
    );
    assert_eq!(
        allowed(&gateway, "https://shop.test").as_deref(),
        Some("https://shop.test")
    );
    for origin in STRANGERS {
        assert_eq!(allowed(&gateway, origin), None, "{origin}");
    }
    let answer = gateway.get_with("a.test", "/", &["Origin: null"]);
    assert_eq!(
        answer.header("vary"),
        "Origin",
        "a cache must not serve one origin's answer to another"
    );
}

#[test]
fn e08_patterns_of_origins() {
    let gateway = behind(
        "headers: {accessControlAllowOriginListRegex: ['^https://([a-z]+\\.)?shop\\.test$'], \
         accessControlAllowCredentials: true, accessControlAllowMethods: [PUT]}",
    );
    for origin in ["https://shop.test", "https://www.shop.test"] {
        assert_eq!(allowed(&gateway, origin).as_deref(), Some(origin));
    }
    for origin in STRANGERS {
        assert_eq!(allowed(&gateway, origin), None, "{origin}");
    }
}

/// `*` says "anybody, but without the browser's cookies", and it says it to everybody alike.
#[test]
fn e08_anybody_comes_without_credentials() {
    let gateway = behind("headers: {accessControlAllowOriginList: ['*'], accessControlAllowMethods: [PUT]}");
    for origin in STRANGERS {
        assert_eq!(allowed(&gateway, origin).as_deref(), Some("*"), "{origin}");
        let answer = gateway.get_with("a.test", "/", &[&format!("Origin: {origin}")]);
        assert!(
            !answer.headers.has("access-control-allow-credentials"),
            "{origin}"
        );
    }
}

/// Traefik names the origin back where `*` and credentials are both configured, and its users' sites rely on that. Credentials
/// never stand beside `*` itself, and never without an origin.
#[test]
fn e08_anybody_with_credentials_is_named() {
    let gateway = behind(
        "headers: {accessControlAllowOriginList: ['*'], accessControlAllowCredentials: true, accessControlAllowMethods: [PUT]}",
    );
    assert_eq!(
        allowed(&gateway, "https://x.test").as_deref(),
        Some("https://x.test")
    );
    assert!(
        !gateway
            .get("a.test", "/")
            .headers
            .has("access-control-allow-origin")
    );
}
