//! A: one message never leaks into the next, on either side, whoever ends it early.

use crate::world::{
    Before, ROUTING, assert_ends, assert_goes_on, before, echoing, gateway, refused, rejections,
};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;
use trilithon_testkit::{Act, Certs, Ended, Gateway, PATIENCE, RawClient, Upstream, eventually, until};

const GET: &str = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";
/// A request that must never be one: it travels as the body of another.
const EVIL: &str = "GET /evil HTTP/1.1\r\nHost: a.test\r\nX-Evil: yes\r\n\r\n";

/// A gateway that answers `/denied` with 401, `/limited` with 403 and `/moved` with 307 by itself.
fn denying(upstream: &Upstream) -> Gateway {
    let routing = "
http:
  routers:
    all: {rule: 'PathPrefix(`/`)', service: s}
    denied: {rule: 'PathPrefix(`/denied`)', service: s, middlewares: [login]}
    limited: {rule: 'PathPrefix(`/limited`)', service: s, middlewares: [nobody]}
    moved: {rule: 'PathPrefix(`/moved`)', service: s, middlewares: [away]}
  middlewares:
    login: {basicAuth: {users: ['a:$apr1$x$HgLIf6vGRAjzKDAyJ1PbG/']}}
    nobody: {ipAllowList: {sourceRange: [10.0.0.1]}}
    away: {redirectRegex: {regex: '.*', replacement: 'http://b.test/'}}
  services: {s: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@b1@'}]}}}
";
    gateway().routing(routing).upstream("b1", upstream).start()
}

#[test]
fn a08_bytes_beyond_the_content_length() {
    let upstream = Upstream::echo();
    let gateway = before(&upstream);
    let mut client = gateway.client("web");
    client.send(format!(
        "POST /one HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\nabc{GET}"
    ));
    let (one, two) = (client.response(), client.response());
    assert_eq!(
        (&one.json()["target"], &one.json()["body"]),
        (&"/one".into(), &"abc".into())
    );
    assert_eq!(
        (&two.json()["target"], &two.json()["body"]),
        (&"/".into(), &"".into())
    );
    assert_eq!(
        upstream.connections(),
        1,
        "the connection upstream is as good as before"
    );
    client.send("POST /three HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\nabc def ghi jkl\r\n\r\n");
    assert_eq!(client.response().json()["body"], "abc");
    assert_eq!(client.response().status, 400);
    assert_ends(&mut client, "garbage behind a body");
    assert_eq!(upstream.requests(), 3);
    assert_eq!(rejections(&gateway, "web", "bad-request-line"), 1);
}

/// An answer that is longer than it says costs the server its connection, and nobody else anything.
#[test]
fn a08_bytes_beyond_the_answer() {
    let upstream = Upstream::bytes(
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    );
    let gateway = before(&upstream);
    let mut client = gateway.client("web");
    for _ in 0..3 {
        assert_eq!(client.ask(GET).text(), "ok");
    }
    assert_eq!(upstream.connections(), 3);
}

#[test]
fn a09_early_answers_with_the_body_unread() {
    let upstream = Upstream::echo();
    let gateway = denying(&upstream);
    let check = |path: &str, status: u16| {
        let what = format!("{path}, counted body");
        let mut client = gateway.client("web");
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: a.test\r\nContent-Length: {}\r\n\r\n{EVIL}",
            EVIL.len()
        );
        assert_eq!(client.ask(&head).status, status, "{what}");
        assert_goes_on(&mut client, &what);
        let what = format!("{path}, chunked body");
        let chunk = format!("{:x}\r\n{EVIL}\r\n0\r\n\r\n", EVIL.len());
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}");
        assert_eq!(client.ask(&head).status, status, "{what}");
        assert_goes_on(&mut client, &what);
    };
    check("/denied", 401);
    check("/limited", 403);
    check("/moved", 307);
    assert!(
        upstream
            .seen()
            .iter()
            .all(|seen| seen.target == "/after" && !seen.headers.has("x-evil"))
    );
}

/// What is too much to be read and thrown away ends the connection instead.
#[test]
fn a09_early_answers_with_a_large_body_unread() {
    let upstream = Upstream::echo();
    let gateway = denying(&upstream);
    let mut client = gateway.client("web");
    let head = "POST /denied HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10000000\r\n\r\n";
    assert_eq!(client.ask(head).status, 401);
    // The gateway reads a while, then closes; the client may not even get to send it all.
    let evil = EVIL.repeat(10_000_000 / EVIL.len());
    let _ = client.try_send(&evil);
    let (rest, ended) = client.read_to_end(PATIENCE);
    assert!(rest.is_empty() && ended != Ended::Open, "{ended:?}");
    assert_eq!(upstream.requests(), 0);
}

/// A chunked body that breaks while it is being thrown away ends the connection: where the next request begins is not
/// known.
#[test]
fn a09_unread_bodies_are_checked_too() {
    let gateway = denying(&Upstream::echo());
    let looked = Before::look(&gateway, "web", "bad-chunk-size");
    let mut client = gateway.client("web");
    let head =
        format!("POST /denied HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n{EVIL}");
    assert_eq!(client.ask(&head).status, 401);
    assert_ends(&mut client, "a bad chunk size in an unread body");
    looked.refused_once("a bad chunk size in an unread body");
}

#[test]
fn a10_upgrade_that_is_not_granted() {
    let upgrade = "GET /socket HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    // The upstream says 200 and never switches; what the client sent ahead is an ordinary next request.
    let upstream = Upstream::bytes("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno");
    let gateway = before(&upstream);
    let mut client = gateway.client("web");
    client.send(format!("{upgrade}GET /next HTTP/1.1\r\nHost: a.test\r\n\r\n"));
    for _ in 0..2 {
        let answer = client.response();
        assert_eq!((answer.status, &*answer.text()), (200, "no"));
    }
    let seen = upstream.seen();
    assert_eq!(
        seen.iter().map(|s| &*s.target).collect::<Vec<_>>(),
        ["/socket", "/next"]
    );
    assert!(
        !seen[1].headers.has("upgrade"),
        "the second request asks for no upgrade"
    );
    // What is no request is refused, not passed on as a stream.
    let mut client = gateway.client("web");
    client.send(format!("{upgrade}\x01\x02\x03\x04\r\n\r\n"));
    assert_eq!((client.response().status, client.response().status), (200, 400));
    assert_ends(&mut client, "bytes of a protocol that was not agreed on");
    assert_eq!(upstream.requests(), 3);
}

/// 101 for what was not asked, or for another protocol, is no answer.
#[test]
fn a10_upgrade_that_was_not_asked_for() {
    let check = |request: &str, answer: &str| {
        let upstream = Upstream::bytes(answer);
        let gateway = before(&upstream);
        let response = gateway.client("web").ask(request);
        assert_eq!(response.status, 500, "{answer}");
        assert_eq!(upstream.requests(), 1);
    };
    check(
        GET,
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    );
    let websocket = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    check(
        websocket,
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n",
    );
    check(websocket, "HTTP/1.1 101 Switching Protocols\r\n\r\n");
}

#[test]
fn a11_h2c_goes_no_further() {
    let upstream = Upstream::echo();
    let gateway = before(&upstream);
    let ask = |fields: &str| {
        let answer = gateway
            .client("web")
            .ask(&format!("GET / HTTP/1.1\r\nHost: a.test\r\n{fields}\r\n\r\n"));
        let last = upstream.last();
        assert!(!last.headers.has("http2-settings"), "{fields}");
        (
            answer.status,
            last.headers.get("upgrade").to_owned(),
            last.headers.get("connection").to_owned(),
        )
    };
    let none = (200, String::new(), String::new());
    assert_eq!(
        ask("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__"),
        none
    );
    assert_eq!(ask("Connection: Upgrade\r\nUpgrade: h2c"), none);
    assert_eq!(ask("Connection: Upgrade\r\nUpgrade: H2C, h2c"), none);
    assert_eq!(ask("Upgrade: h2c"), none);
    let mixed = ask(
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c, websocket\r\nHTTP2-Settings: AAMAAABkAAQAAP__",
    );
    assert_eq!(mixed, (101, "websocket".into(), "Upgrade".into()));
}

#[test]
fn a12_connect() {
    let gateway = echoing();
    for head in [
        "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n",
        "CONNECT a.test HTTP/1.1\r\nHost: a.test\r\n\r\n",
        "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\nContent-Length: 2\r\n\r\nhi",
    ] {
        // What follows is the client's talk to somebody else; it is never looked at as a request.
        refused(&gateway, format!("{head}{EVIL}"), 501, "connect");
    }
    for target in ["u@a.test:443", "/", "http://a.test/", "a.test:443/x", "a.test:0"] {
        let head = format!("CONNECT {target} HTTP/1.1\r\nHost: a.test\r\n\r\n");
        let answer = gateway.client("web").ask(&head);
        assert!(matches!(answer.status, 400 | 501), "{target}: {}", answer.status);
    }
    assert_eq!(gateway.upstream("b1").connections(), 0);
}

#[test]
fn a13_expectations() {
    let gateway = denying(&Upstream::echo());
    for value in [
        "100-continues",
        "x 100-continue",
        "100-continue, 100-continue",
        "\"100-continue\"",
        "200-ok",
    ] {
        let head =
            format!("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\nExpect: {value}\r\n\r\nhello");
        refused(&gateway, head, 417, "unknown-expectation");
    }
    // Only when somebody wants the body is the client told to send it; whatever the case.
    let mut client = gateway.client("web");
    client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\nExpect: 100-Continue\r\n\r\n");
    assert_eq!(client.read_until(b"\r\n\r\n"), b"HTTP/1.1 100 Continue\r\n\r\n");
    let answer = client.send("hello").response();
    assert_eq!((answer.status, &answer.json()["body"]), (200, &"hello".into()));
    assert_goes_on(&mut client, "after 100-continue");
    // There is nothing to wait for without a body.
    let answer = client.ask("GET / HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!((answer.status, answer.interim.len()), (200, 0));
    // The answer comes first: no 100, and since nobody knows whether the body still comes, the connection ends.
    let head = "POST /denied HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    let answer = client.ask(head);
    assert_eq!((answer.status, answer.interim.len()), (401, 0));
    assert_ends(&mut client, "an expectation that was not met");
}

/// A server that answers before it was told to go on, and never reads the body, is not asked again on that connection.
#[test]
fn a13_early_answers_of_the_server() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = listener
        .local_addr()
        .expect("a bound listener has an address")
        .port();
    let served = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("a head");
            head.push(byte[0]);
        }
        stream
            .write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
            .expect("an open connection");
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        (String::from_utf8_lossy(&head).into_owned(), rest)
    });
    let gateway = gateway().routing(ROUTING).at_port("b1", port).start();
    let mut client = gateway.client("web");
    let answer =
        client.ask("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(
        (answer.status, &*answer.text(), answer.interim.len()),
        (403, "no", 0)
    );
    let (head, rest) = served.join().expect("the server thread ends");
    assert!(head.contains("Expect: 100-continue"), "{head}");
    assert!(
        rest.is_empty(),
        "the connection closes without another byte: {rest:?}"
    );
    assert_ends(&mut client, "an expectation that was not met");
}

/// An answer that can be read in two ways is none.
#[test]
fn a14_malformed_answers() {
    let upstream = Upstream::echo();
    let gateway = before(&upstream);
    let check = |answer: &str| {
        let upstream = Upstream::bytes(answer);
        gateway.rewrite_routing(&ROUTING.replace("@b1@", &upstream.port().to_string()));
        eventually("the routing goes to this upstream", || {
            gateway.get("a.test", "/").status != 200 && upstream.connections() > 0
        });
        let connections = upstream.connections();
        let response = gateway.client("web").ask(GET);
        assert_eq!(
            (response.status, &*response.text()),
            (500, "Internal Server Error"),
            "{answer:?}"
        );
        assert_eq!(
            upstream.connections(),
            connections + 1,
            "the connection is not used again: {answer:?}"
        );
    };
    check("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    for length in [
        "x",
        "-1",
        "+2",
        "2, 2",
        "2\r\nContent-Length: 3",
        "99999999999999999999",
    ] {
        check(&format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\nok"));
    }
    check("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n");
    check("HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n");
    check("HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n");
    check("HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n");
    check("HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n");
    check("HTTP/1.1 200 OK\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    check("HTTP/1.1 200 OK\r\nX A: 1\r\nContent-Length: 0\r\n\r\n");
    check("HTTP/1.1 200 OK\r\nX-A: 1\r\n 2\r\nContent-Length: 0\r\n\r\n");
    check("HTTP/1.1 200 OK\r\nX-A: a\0b\r\nContent-Length: 0\r\n\r\n");
    check(
        "HTTP/1.1 103 Early Hints\r\nContent-Length: 4\r\n\r\nbodyHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    );
    check("<html>no HTTP at all</html>\r\n\r\n");
}

/// What may not have a body has none, and what follows belongs to nobody.
#[test]
fn a14_bodies_where_none_may_be() {
    let check = |request: &str, answer: &str, status: u16| {
        let upstream = Upstream::bytes(answer);
        let gateway = before(&upstream);
        let method = request.split(' ').next().unwrap_or_default();
        let mut client = gateway.client("web");
        for round in 1..=2 {
            let response = client
                .send(request)
                .response_to(method)
                .expect("an answer")
                .expect("an answer");
            assert_eq!((response.status, response.body.len()), (status, 0), "{answer:?}");
            assert_eq!(
                upstream.connections(),
                round,
                "the connection is not used again: {answer:?}"
            );
        }
        assert!(
            !client.send(GET).response().head.is_empty(),
            "the client's connection goes on: {answer:?}"
        );
    };
    check(GET, "HTTP/1.1 204 No Content\r\n\r\nbody", 204);
    check(
        GET,
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nbody",
        304,
    );
    let head = "HEAD / HTTP/1.1\r\nHost: a.test\r\n\r\n";
    check(head, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody", 200);
    check(
        head,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
        200,
    );
}

/// A kept connection on which the server speaks unasked is not used again: its words are nobody's answer.
#[test]
fn a15_bytes_before_the_request() {
    let acts = [
        Act::Request,
        Act::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec()),
        Act::Pause(Duration::from_millis(30)),
        Act::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil".to_vec()),
    ];
    let upstream = Upstream::script(acts);
    let gateway = before(&upstream);
    assert_eq!(gateway.get("a.test", "/").text(), "ok");
    assert_eq!(upstream.connections(), 1);
    until(Duration::from_millis(200), || None::<()>);
    assert_eq!(gateway.get("a.test", "/").text(), "ok");
    assert_eq!(upstream.connections(), 2);
}

/// Clear bytes where TLS should begin are no answer either.
#[test]
fn a15_bytes_before_the_handshake() {
    let certs = Certs::generate();
    let upstream = Upstream::script([
        Act::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil".to_vec()),
        Act::Request,
    ]);
    let gateway = gateway()
        .routing(&ROUTING.replace("http://", "https://"))
        .upstream("b1", &upstream)
        .certs(certs)
        .start();
    let answer = gateway.get("a.test", "/");
    assert_eq!((answer.status, &*answer.text()), (500, "Internal Server Error"));
    assert_eq!(upstream.requests(), 0, "nothing goes out in the clear");
}

#[test]
fn a16_host_and_target() {
    let upstream = Upstream::echo();
    let gateway = before(&upstream);
    let host = |fields: &str, reason: &str| {
        refused(
            &gateway,
            format!("GET / HTTP/1.1\r\n{fields}\r\n\r\n"),
            400,
            reason,
        )
    };
    host("X-A: 1", "no-host");
    host("Host: a.test\r\nHost: a.test", "repeated-host");
    host("Host: a.test\r\nhost: b.test", "repeated-host");
    for bad in [
        "a.test,b.test",
        "a.test, b.test",
        "u@a.test",
        "a.test/x",
        "a.test:0",
        "a.test:70000",
        "a.test:x",
        "a test",
        "[::1",
        "a.test:80:80",
        "a\\b",
    ] {
        host(&format!("Host: {bad}"), "bad-host");
    }
    let target = |target: &str, reason: &str| {
        refused(
            &gateway,
            format!("GET {target} HTTP/1.1\r\nHost: a.test\r\n\r\n"),
            400,
            reason,
        );
    };
    target("http://u@b.test/", "bad-host");
    target("http:///x", "bad-host");
    target("http://b.test:0/", "bad-host");
    target("http://b.test,c.test/", "bad-host");
    target("ftp://b.test/", "bad-target");
    target("b.test/", "bad-target");
    target("*", "bad-target");
    target("/a#b", "fragment");
    target("http://b.test/#x", "fragment");
    assert_eq!(upstream.connections(), 0);
    // The target's authority is the host (RFC 9112 §3.2.2): for rules, for the server, for what is told of it.
    let routed = "
http:
  routers:
    b: {rule: 'Host(`b.test`)', service: s}
    other: {rule: 'PathPrefix(`/`)', service: none, priority: 1}
  services:
    s: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@b1@'}]}}
    none: {loadBalancer: {servers: []}}
";
    let gateway = gateway_with(routed, &upstream);
    let answer = gateway
        .client("web")
        .ask("GET http://B.test:81/x?y HTTP/1.1\r\nHost: a.test\r\n\r\n");
    assert_eq!((answer.status, &answer.json()["target"]), (200, &"/x?y".into()));
    assert_eq!(
        (&*answer.saw("host"), &*answer.saw("x-forwarded-host")),
        ("B.test:81", "B.test:81")
    );
    assert_eq!(
        gateway
            .client("web")
            .ask("GET http://a.test/ HTTP/1.1\r\nHost: b.test\r\n\r\n")
            .status,
        503
    );
    // An empty host is one: the server is told its own name then.
    let answer = gateway.client("web").ask("GET / HTTP/1.1\r\nHost:\r\n\r\n");
    assert_eq!(answer.status, 503);
}

fn gateway_with(routing: &str, upstream: &Upstream) -> Gateway {
    gateway().routing(routing).upstream("b1", upstream).start()
}

#[test]
fn a18_trailers() {
    let upstream = Upstream::echo();
    let gateway = before(&upstream);
    let forbidden = [
        "Host",
        "Content-Length",
        "Transfer-Encoding",
        "Connection",
        "Authorization",
        "Proxy-Authorization",
        "Cookie",
        "Te",
        "Upgrade",
        "X-Forwarded-For",
        "X-Forwarded-Proto",
        "X-Forwarded-Host",
        "X-Forwarded-User",
        "X-Real-Ip",
        "Content-Type",
        "Content-Encoding",
        "Range",
    ];
    let lines: String = forbidden.iter().map(|name| format!("{name}: evil\r\n")).collect();
    let mut client = gateway.client("web");
    let head = "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n";
    let answer = client.ask(&format!(
        "{head}2\r\nok\r\n0\r\nX-Sum: 1\r\n{lines}X-Last: 2\r\n\r\n"
    ));
    assert_eq!(answer.status, 200);
    let trailers: Vec<_> = upstream.last().trailers.0;
    assert_eq!(
        trailers,
        [
            ("X-Sum".to_owned(), "1".to_owned()),
            ("X-Last".to_owned(), "2".to_owned())
        ]
    );
    assert!(upstream.last().headers.0.iter().all(|(_, value)| value != "evil"));
    assert_goes_on(&mut client, "after trailers");
    let body = format!("{head}0\r\n{}\r\n", "X-A: 1\r\n".repeat(101));
    refused(&gateway, body, 400, "too-many-headers");
}

/// The server's trailers are filtered the same way.
#[test]
fn a18_trailers_of_answers() {
    let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\nContent-Length: 9\r\nSet-Cookie: a=b\r\nLocation: /\r\n\r\n";
    let gateway = before(&Upstream::bytes(answer));
    let mut client = gateway.client("web");
    let answer = client.ask(GET);
    assert_eq!(
        (&*answer.text(), answer.trailers.0),
        ("ok", vec![("X-Sum".to_owned(), "1".to_owned())])
    );
    assert_eq!(client.ask(GET).text(), "ok");
}

#[test]
fn a19_replaced_bodies_are_framed_anew() {
    let page =
        Upstream::bytes("HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Type: text/plain\r\n\r\npage");
    let upstream = Upstream::echo();
    let routing = "
http:
  routers:
    page: {rule: 'PathPrefix(`/page`)', service: s, middlewares: [page]}
    small: {rule: 'PathPrefix(`/small`)', service: s, middlewares: [small]}
    whole: {rule: 'PathPrefix(`/`)', service: s, middlewares: [whole]}
  middlewares:
    page: {errors: {status: ['500-599'], service: page, query: '/{status}'}}
    small: {compress: {minResponseBodyBytes: 1}}
    whole: {buffering: {memRequestBodyBytes: 100}}
  services:
    s: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@b1@'}]}}
    page: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@page@'}]}}
";
    let gateway = gateway()
        .routing(routing)
        .upstream("b1", &upstream)
        .upstream("page", page)
        .start();
    let mut client = gateway.client("web");
    let answer = client.ask("GET /page HTTP/1.1\r\nHost: a.test\r\nX-Do: status=503; size=5000\r\n\r\n");
    assert_eq!(
        (answer.status, &*answer.text(), answer.header("content-length")),
        (503, "page", "4")
    );
    assert!(!answer.headers.has("transfer-encoding"));
    let answer = client.ask("GET /small HTTP/1.1\r\nHost: a.test\r\nAccept-Encoding: gzip\r\nX-Do: size=5000; header=content-type:text/plain\r\n\r\n");
    assert_eq!((answer.status, answer.header("content-encoding")), (200, "gzip"));
    let length =
        answer.headers.all("content-length").count() + answer.headers.all("transfer-encoding").count();
    assert!(length == 1 && answer.body.len() < 500, "{:?}", answer.headers);
    let answer = client.ask(
        "POST /whole HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    );
    let seen = upstream.last();
    assert_eq!((answer.status, &*seen.body), (200, &b"ok"[..]));
    assert_eq!(
        seen.headers.all("content-length").count() + seen.headers.all("transfer-encoding").count(),
        1
    );
    assert_goes_on(&mut client, "after bodies that were replaced");
}

#[test]
fn a20_names_and_limits() {
    let upstream = Upstream::echo();
    let gateway = before(&upstream);
    let check = |fields: &str, status: u16, reason: &str| {
        refused(
            &gateway,
            format!("GET / HTTP/1.1\r\nHost: a.test\r\n{fields}\r\n\r\n"),
            status,
            reason,
        );
    };
    check(": value", 400, "bad-header-name");
    check("no colon", 400, "bad-header-name");
    check("X(A: 1", 400, "bad-header-name");
    check(&"X-A: 1\r\n".repeat(8192), 431, "too-many-headers");
    check(
        &format!("X-A: {}", "a".repeat((1 << 20) + 4096)),
        431,
        "head-too-large",
    );
    assert_eq!(upstream.connections(), 0);
    // Up to the limit nothing is cut off, least of all silently.
    let many: String = (0..1000).map(|n| format!("X-{n}: {n}\r\n")).collect();
    let answer = gateway.client("web").ask(&format!(
        "GET / HTTP/1.1\r\nHost: a.test\r\n{many}X-Last: here\r\n\r\n"
    ));
    assert_eq!(
        (answer.status, &*answer.saw("x-999"), &*answer.saw("x-last")),
        (200, "999", "here")
    );
}

#[test]
fn a20_the_limit_of_an_entry_point() {
    let install = crate::world::INSTALL.replace(
        "'127.0.0.1:@web@'}",
        "'127.0.0.1:@web@', http: {maxHeaderBytes: 2048}}",
    );
    let gateway = crate::world::gateway()
        .install(&install)
        .routing(ROUTING)
        .upstream("b1", Upstream::echo())
        .start();
    let head = |len: usize| {
        format!(
            "GET / HTTP/1.1\r\nHost: a.test\r\nX-A: {}\r\n\r\n",
            "a".repeat(len)
        )
    };
    assert_eq!(gateway.client("web").ask(&head(1900)).status, 200);
    let mut client: RawClient = gateway.client("web");
    // As in Go, 4 KiB beyond it are still read.
    let answer = client.ask(&head(7000));
    assert_eq!((answer.status, answer.header("connection")), (431, "close"));
    assert_ends(&mut client, "a head beyond the limit");
    assert_eq!(gateway.upstream("b1").requests(), 1);
}
