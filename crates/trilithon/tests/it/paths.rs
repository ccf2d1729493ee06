//! D: a request means one thing. The path that is matched is the one that is authorised, logged and forwarded; hosts, methods
//! and headers are compared byte by byte.

use crate::world::{self, INSTALL, ROUTING, gateway, refused};
use trilithon_testkit::{Gateway, Response, Upstream, eventually};

/// `/admin` is for nobody, all else for everybody; what was asked goes to `access.log`.
const GUARDED: &str = "
http:
  routers:
    all: {rule: 'PathPrefix(`/`)', service: s}
    admin: {rule: 'PathPrefix(`/admin`)', service: s, middlewares: [nobody]}
  middlewares: {nobody: {ipAllowList: {sourceRange: [10.0.0.1]}}}
  services: {s: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@b1@'}]}}}
";

fn guarded() -> Gateway {
    let install = format!("{INSTALL}accessLog: {{filePath: '@DIR@/access.log', format: json}}\n");
    gateway()
        .install(&install)
        .routing(GUARDED)
        .upstream("b1", Upstream::echo())
        .start()
}

fn routed(routing: &str) -> Gateway {
    gateway()
        .routing(routing)
        .upstream("b1", Upstream::echo())
        .start()
}

fn ask(gateway: &Gateway, target: &str) -> Response {
    gateway
        .client("web")
        .ask(&format!("GET {target} HTTP/1.1\r\nHost: a.test\r\n\r\n"))
}

/// One router with one middleware in front of the echo.
fn behind(middleware: &str) -> Gateway {
    routed(&format!(
        "
http:
  routers: {{all: {{rule: 'PathPrefix(`/`)', service: s, middlewares: [m]}}}}
  middlewares: {{m: {{{middleware}}}}}
  services: {{s: {{loadBalancer: {{servers: [{{url: 'http://127.0.0.1:@b1@'}}]}}}}}}
"
    ))
}

/// The status, and the target that the server saw.
#[track_caller]
fn check_target(gateway: &Gateway, target: &str, want: Result<&str, u16>) {
    let requests = gateway.upstream("b1").requests();
    let answer = ask(gateway, target);
    match want {
        Ok(want) => assert_eq!(
            (answer.status, &answer.json()["target"]),
            (200, &want.into()),
            "{target}"
        ),
        Err(status) => {
            assert_eq!(answer.status, status, "{target}");
            assert_eq!(
                gateway.upstream("b1").requests(),
                requests,
                "{target}: the upstream saw it"
            );
        }
    }
}

#[test]
fn d01_paths_have_one_form() {
    let gateway = guarded();
    // What was sent, what it is, and whether it is the guarded part.
    let table = [
        ("/admin/x", "/admin/x", true),
        ("/public/../admin/x", "/admin/x", true),
        ("/./admin", "/admin", true),
        ("//admin/x", "/admin/x", true),
        ("///admin//x/", "/admin/x/", true),
        ("/../../admin", "/admin", true),
        ("/%61dmin", "/admin", true),
        ("/%61%64%6d%69%6E", "/admin", true),
        ("/public/%2e%2e/admin", "/admin", true),
        ("/public/%2E%2e/admin/", "/admin/", true),
        ("/public/.%2e/admin", "/admin", true),
        ("/%2e/admin", "/admin", true),
        ("/public/..", "/", false),
        ("/%252e%252e/admin", "/%252e%252e/admin", false),
        ("/%2561dmin", "/%2561dmin", false),
        ("/ADMIN", "/ADMIN", false),
        ("/x/..%2Fadmin", "/x/..%2Fadmin", false),
        ("/x/..;/admin", "/x/..;/admin", false),
        ("/x/.../admin", "/x/.../admin", false),
        ("/x?/../admin", "/x?/../admin", false),
    ];
    for (sent, path, admin) in table {
        let logged = format!("\"RequestPath\":\"{path}\"");
        let lines = || gateway.folder().read("access.log").matches(&logged).count();
        let before = lines();
        check_target(&gateway, sent, if admin { Err(403) } else { Ok(path) });
        eventually(&format!("`{sent}` is logged as `{path}`"), || {
            lines() == before + 1
        });
    }
    for sent in ["/%", "/%2", "/%zz", "/a%g0"] {
        refused_target(&gateway, sent, "bad-path-escape");
    }
}

#[track_caller]
fn refused_target(gateway: &Gateway, target: &str, reason: &str) {
    let head = format!("GET {target} HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n");
    refused(gateway, head, 400, reason);
}

#[test]
fn d02_encoded_characters() {
    const TABLE: [(&str, &str); 7] = [
        ("%2F", "allowEncodedSlash"),
        ("%5C", "allowEncodedBackSlash"),
        ("%00", "allowEncodedNullCharacter"),
        ("%3B", "allowEncodedSemicolon"),
        ("%25", "allowEncodedPercent"),
        ("%3F", "allowEncodedQuestionMark"),
        ("%23", "allowEncodedHash"),
    ];
    // By default they pass, and none is decoded for a rule.
    let gateway = routed(
        "
http:
  routers:
    all: {rule: 'PathPrefix(`/`)', service: s, priority: 1}
    decoded: {rule: 'PathPrefix(`/a/`) || PathPrefix(`/a;`) || PathPrefix(`/a?`) || PathPrefix(`/a#`) || Path(`/a%b`)', service: none}
  services:
    s: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@b1@'}]}}
    none: {loadBalancer: {servers: []}}
",
    );
    for (escape, _) in TABLE {
        check_target(&gateway, &format!("/a{escape}b"), Ok(&format!("/a{escape}b")));
        check_target(
            &gateway,
            &format!("/a{}b", escape.to_lowercase()),
            Ok(&format!("/a{escape}b")),
        );
    }
    drop(gateway);
    // Each may be forbidden for an entry point, whatever the case of its digits.
    for (escape, option) in TABLE {
        let install = INSTALL.replace(
            "'127.0.0.1:@web@'}",
            &format!("'127.0.0.1:@web@', http: {{encodedCharacters: {{{option}: false}}}}}}"),
        );
        let gateway = world::gateway()
            .install(&install)
            .routing(ROUTING)
            .upstream("b1", Upstream::echo())
            .start();
        for (other, _) in TABLE {
            let want = format!("/a{other}b");
            check_target(
                &gateway,
                &want,
                if other == escape { Err(400) } else { Ok(&want) },
            );
        }
        check_target(&gateway, &format!("/a{}b", escape.to_lowercase()), Err(400));
        check_target(&gateway, &format!("/a?b={escape}"), Ok(&format!("/a?b={escape}")));
    }
}

/// Taking a prefix off must not make a path that climbs.
#[test]
fn d03_prefixes_that_end_inside_a_segment() {
    for middleware in [
        "stripPrefix: {prefixes: [/api]}",
        "stripPrefixRegex: {regex: ['^/api']}",
    ] {
        let gateway = behind(middleware);
        check_target(&gateway, "/api/x", Ok("/x"));
        check_target(&gateway, "/api", Ok("/"));
        check_target(&gateway, "/api/../api/x", Ok("/x"));
        for target in ["/api./x", "/api../x", "/api%2e%2e/x", "/api%2E/x", "/api.."] {
            check_target(&gateway, target, Err(400));
        }
        // The dots are part of a name here, and the climb after them is settled before the prefix is looked for.
        check_target(&gateway, "/api../../x", Ok("/x"));
    }
}

/// A prefix is found and taken off in the same representation.
#[test]
fn d04_prefixes_and_escapes() {
    let gateway = behind("stripPrefix: {prefixes: ['/a b', '/é', /api]}");
    check_target(&gateway, "/a%20b/c%2Fd", Ok("/c%2Fd"));
    check_target(&gateway, "/%C3%A9/x", Ok("/x"));
    check_target(&gateway, "/%c3%a9/x", Ok("/x"));
    check_target(&gateway, "/%61pi/x%2Fy", Ok("/x%2Fy"));
    check_target(&gateway, "/%C3%A8/x", Ok("/%C3%A8/x"));
    check_target(&gateway, "/api/%61pi/%2e%2e/x", Ok("/x"));
}

/// What comes out of a rewrite is text of the path, and nothing of the request is expanded a second time.
#[test]
fn d05_rewrites() {
    let gateway = behind("replacePathRegex: {regex: '^/r/(.*)', replacement: '/x/$1'}");
    check_target(&gateway, "/r/a", Ok("/x/a"));
    for kept in [
        "$1",
        "$$1",
        "a%3Fb",
        "a%23b",
        "a%0D%0AX-Evil:%201",
        "a%00",
        "a%2F..%2Fb",
        "a%20b",
    ] {
        check_target(&gateway, &format!("/r/{kept}"), Ok(&format!("/x/{kept}")));
    }
    check_target(&gateway, "/r/%2e%2e/y", Ok("/y"));
    check_target(&gateway, "/r/a?b=/r/c", Ok("/x/a?b=/r/c"));
    let gateway = behind("replacePathRegex: {regex: '^/up/(.*)', replacement: '/$1/../$1'}");
    check_target(&gateway, "/up/x", Err(400));
    let gateway = behind("replacePath: {path: '/a?b#c'}");
    check_target(&gateway, "/x", Ok("/a%3Fb%23c"));
    let gateway = behind("addPrefix: {prefix: /v1}");
    check_target(&gateway, "/../x", Ok("/v1/x"));
}

#[test]
fn d06_parameters_of_segments() {
    let gateway = guarded();
    for target in ["/admin;x", "/admin;x=1/y", "/admin/;/y"] {
        check_target(&gateway, target, Err(403));
    }
    for target in ["/;/admin", "/x;/admin", "/;admin", "/x/;a=b/c"] {
        check_target(&gateway, target, Ok(target));
    }
    let gateway = routed(&ROUTING.replace("PathPrefix(`/`)", "Path(`/exact`)"));
    check_target(&gateway, "/exact", Ok("/exact"));
    for target in ["/exact;", "/exact;x", "/exact;x=1", "/exact%3Bx"] {
        check_target(&gateway, target, Err(404));
    }
}

/// The index for many hosts finds what the rule says, in whatever case it was written or asked for.
#[test]
fn d07_case() {
    let many: String = (0..150)
        .map(|n| format!("    h{n}: {{rule: 'Host(`Host{n}.Test`)', service: s}}\n"))
        .collect();
    let gateway = routed(&format!(
        "
http:
  routers:
{many}
    method: {{rule: 'Host(`m.test`) && Method(`GET`)', service: s}}
    path: {{rule: 'Host(`p.test`) && Path(`/é/Ü`)', service: s}}
  services: {{s: {{loadBalancer: {{servers: [{{url: 'http://127.0.0.1:@b1@'}}]}}}}}}
"
    ));
    let status = |method: &str, host: &str, path: &str| gateway.ask("web", method, host, path, &[]).status;
    for n in [0, 7, 99, 100, 149] {
        for host in [
            format!("host{n}.test"),
            format!("HOST{n}.TEST"),
            format!("hOsT{n}.tEsT:80"),
            format!("host{n}.test."),
        ] {
            assert_eq!(status("GET", &host, "/"), 200, "{host}");
        }
    }
    assert_eq!(status("GET", "host150.test", "/"), 404);
    assert_eq!(status("GET", "m.test", "/"), 200);
    for method in ["get", "Get", "GETS", "HEAD"] {
        assert_eq!(status(method, "m.test", "/"), 404, "{method}");
    }
    for path in ["/%C3%A9/%C3%9C", "/%c3%a9/%c3%9c", "/é/Ü"] {
        assert_eq!(status("GET", "p.test", path), 200, "{path}");
    }
    for path in ["/%C3%A9/%C3%BC", "/%C3%89/%C3%9C", "/e%CC%81/%C3%9C"] {
        assert_eq!(status("GET", "p.test", path), 404, "{path}");
    }
}

/// Only ASCII letters have two cases; what merely looks like a slash or a dot is none.
#[test]
fn d08_unicode() {
    let gateway = guarded();
    for target in [
        "/%EF%BC%8E%EF%BC%8E/admin",   // full-width dots
        "/x%EF%BC%8F..%EF%BC%8Fadmin", // full-width slashes
        "/%C0%AE%C0%AE/admin",         // overlong dots
        "/x%C0%AF..%C0%AFadmin",       // overlong slashes
        "/adm%C4%B0n",                 // a capital i with a dot
        "/%EF%BD%81dmin",              // a full-width a
    ] {
        check_target(&gateway, target, Ok(target));
    }
    for host in ["\u{212a}.test", "a\u{17f}.test", "\u{ff41}.test", "a\u{3002}test"] {
        refused(
            &gateway,
            format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"),
            400,
            "bad-host",
        );
    }
}

/// A server may take a backslash for a slash; so it is never more than an escaped character in a name.
#[test]
fn d09_backslashes_and_trailing_dots() {
    let gateway = guarded();
    check_target(&gateway, "/x/..%5Cadmin", Ok("/x/..%5Cadmin"));
    check_target(&gateway, "/%5Cadmin", Ok("/%5Cadmin"));
    for target in ["/admin.", "/admin%20", "/admin::$DATA", "/admin%5C..%5Cx"] {
        check_target(&gateway, target, Err(403));
    }
    for target in ["/x\\..\\admin", "/\\admin"] {
        let answer = ask(&gateway, target);
        let seen = answer.json()["target"].as_str().unwrap_or_default().to_owned();
        assert_eq!(
            (answer.status, &*seen),
            (200, &*target.replace('\\', "%5C")),
            "{target}"
        );
    }
}

/// An argument of a rule is text: nothing in it is a pattern or another rule.
#[test]
fn d10_arguments_are_text() {
    let gateway = routed(
        "
http:
  routers:
    host: {rule: 'Host(`a.b.test`)', service: s}
    path: {rule: 'Host(`p.test`) && Path(`/a.b*(c)[d]{e}|$`)', service: s}
    header: {rule: 'Host(`h.test`) && Header(`X-A`, \"`) || PathPrefix(`/\")', service: s}
    query: {rule: 'Host(`q.test`) && Query(`a`, `b.*`)', service: s}
  services: {s: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@b1@'}]}}}
",
    );
    let status = |host: &str, path: &str, lines: &[&str]| gateway.ask("web", "GET", host, path, lines).status;
    assert_eq!(
        (status("a.b.test", "/", &[]), status("aXb.test", "/", &[])),
        (200, 404)
    );
    assert_eq!(
        status("p.test", "/a.b*(c)%5Bd%5D%7Be%7D%7C$", &[]),
        404,
        "escapes of reserved characters stay"
    );
    assert_eq!(
        (
            status("p.test", "/a.b*(c)[d]%7Be%7D%7C$", &[]),
            status("p.test", "/axbbc", &[])
        ),
        (200, 404)
    );
    assert_eq!(
        (
            status("h.test", "/", &["X-A: `) || PathPrefix(`/"]),
            status("h.test", "/", &[])
        ),
        (200, 404)
    );
    assert_eq!(
        (status("q.test", "/?a=b.*", &[]), status("q.test", "/?a=bcd", &[])),
        (200, 404)
    );
}

/// Values that are no UTF-8 are matched as the bytes they are; a negation cannot be passed by breaking the matcher.
#[test]
fn d11_values_that_are_no_text() {
    let gateway = routed(
        "
http:
  routers:
    ok: {rule: 'Host(`ok.test`) && HeaderRegexp(`X-A`, `^ok$`)', service: s}
    not: {rule: 'Host(`not.test`) && !HeaderRegexp(`X-A`, `evil`)', service: s}
    equal: {rule: 'Host(`equal.test`) && !Header(`X-A`, `evil`)', service: s}
  services: {s: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@b1@'}]}}}
",
    );
    let status = |host: &str, value: &[u8]| {
        let head = [
            format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nX-A: ").as_bytes(),
            value,
            b"\r\n\r\n",
        ]
        .concat();
        gateway.client("web").send(head).response().status
    };
    assert_eq!(
        (
            status("ok.test", b"ok"),
            status("ok.test", b"\xffok"),
            status("ok.test", b"ok\xc3")
        ),
        (200, 404, 404)
    );
    for value in [&b"evil"[..], b"\xffevil", b"\xc3\x28evil\xff", b"evil\xe2\x82"] {
        assert_eq!(status("not.test", value), 404, "{value:?}");
    }
    assert_eq!(
        (status("not.test", b"\xff\xfe"), status("not.test", b"fine")),
        (200, 200)
    );
    assert_eq!(
        (status("equal.test", b"evil"), status("equal.test", b"evil\xff")),
        (404, 200)
    );
}

/// Each line of a header counts for itself, and all lines reach the server as they came.
#[test]
fn d12_several_lines_of_a_header() {
    let gateway = routed(
        "
http:
  routers:
    any: {rule: 'Host(`any.test`) && Header(`X-A`, `b`)', service: s}
    none: {rule: 'Host(`none.test`) && !Header(`X-A`, `b`)', service: s}
    joined: {rule: 'Host(`joined.test`) && Header(`X-A`, `a, b`)', service: s}
  services: {s: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@b1@'}]}}}
",
    );
    let status = |host: &str, lines: &[&str]| gateway.ask("web", "GET", host, "/", lines).status;
    let (two, one) = (["X-A: a", "x-a: b"], ["X-A: a, b"]);
    assert_eq!((status("any.test", &two), status("any.test", &one)), (200, 404));
    assert_eq!((status("none.test", &two), status("none.test", &one)), (404, 200));
    assert_eq!(
        (status("joined.test", &two), status("joined.test", &one)),
        (404, 200)
    );
    status("any.test", &two);
    assert_eq!(
        gateway
            .upstream("b1")
            .last()
            .headers
            .all("x-a")
            .collect::<Vec<_>>(),
        ["a", "b"]
    );
}

/// Every character that a path may have (RFC 3986 §3.3) goes through, and can be matched.
#[test]
fn d13_characters_of_a_path() {
    let allowed = "-._~!$&'()*+,;=:@abcXYZ019";
    let rule = format!("Path(\"/{allowed}\") || Path(`/[x]`) || PathPrefix(`/each`)");
    let gateway = routed(&format!(
        "
http:
  routers: {{all: {{rule: '{}', service: s}}}}
  services: {{s: {{loadBalancer: {{servers: [{{url: 'http://127.0.0.1:@b1@'}}]}}}}}}
",
        rule.replace('\'', "''")
    ));
    check_target(&gateway, &format!("/{allowed}"), Ok(&format!("/{allowed}")));
    for character in allowed.chars() {
        let target = format!("/each{character}/x{character}");
        check_target(&gateway, &target, Ok(&target));
    }
}

/// Whoever is first by priority is first, however many routers there are and whatever they are called.
#[test]
fn d14_priorities() {
    let gateway = routed(
        "
http:
  routers:
    low: {rule: 'PathPrefix(`/`) && Host(`a.test`) && Method(`GET`)', service: none, priority: 2}
    high: {rule: 'PathPrefix(`/`)', service: s, priority: 3}
    long: {rule: 'Host(`b.test`) && PathPrefix(`/`) && PathPrefix(`/`)', service: none}
  services:
    s: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@b1@'}]}}
    none: {loadBalancer: {servers: []}}
",
    );
    assert_eq!(
        (
            gateway.get("a.test", "/").status,
            gateway.get("b.test", "/").status
        ),
        (200, 503)
    );
}

/// The same characters in HTTP/1 and HTTP/2 are the same request.
#[test]
fn d01_paths_in_http2() {
    let gateway = guarded();
    crate::client2::run(async {
        let mut client = crate::client2::connect(&gateway, "web").await;
        for (path, status) in [
            ("/public/../admin/x", 403),
            ("/%61dmin", 403),
            ("//admin", 403),
            ("/x/..%2Fadmin", 200),
        ] {
            assert_eq!(
                crate::client2::get(&mut client, &format!("http://a.test{path}"))
                    .await
                    .status,
                status,
                "{path}"
            );
        }
    });
    assert_eq!(
        gateway
            .upstream("b1")
            .seen()
            .iter()
            .map(|s| s.target.clone())
            .collect::<Vec<_>>(),
        ["/x/..%2Fadmin"]
    );
}

/// Without `sanitizePath` the path stays as it came, for the rules and for the server.
#[test]
fn d01_paths_that_are_not_sanitized() {
    let install = INSTALL.replace(
        "'127.0.0.1:@web@'}",
        "'127.0.0.1:@web@', http: {sanitizePath: false}}",
    );
    let gateway = gateway()
        .install(&install)
        .routing(GUARDED)
        .upstream("b1", Upstream::echo())
        .start();
    for target in ["/x/../admin", "//admin", "/./admin"] {
        check_target(&gateway, target, Ok(target));
    }
    check_target(&gateway, "/%61dmin", Err(403));
}
