//! The kit itself: upstream, client and certificates talk to each other without a gateway between them.

use std::net::TcpStream;
use std::time::Duration;

use trilithon_testkit::{Act, Answer, Certs, Ended, RawClient, TlsOffer, Upstream, eventually};

const GET: &str = "GET /a?b=c HTTP/1.1\r\nHost: a.test\r\nX-One: 1\r\n\r\n";

fn check(upstream: &Upstream, request: &str, status: u16, body: &str) {
    let answer = RawClient::connect(upstream.port()).ask(request);
    assert_eq!((answer.status, &*answer.text()), (status, body), "{request}");
}

#[test]
fn echo_says_what_it_saw() {
    let upstream = Upstream::echo().named("b1");
    let mut client = RawClient::connect(upstream.port());
    let answer = client.ask(GET);
    assert_eq!(
        (answer.status, &*answer.backend(), &*answer.saw("x-one")),
        (200, "b1", "1")
    );
    assert_eq!(answer.json()["target"], "/a?b=c");
    client.ask(
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX-T: 1\r\n\r\n",
    );
    assert_eq!(
        (&*upstream.last().body, upstream.last().trailers.get("x-t")),
        (&b"abcde"[..], "1")
    );
    assert_eq!(
        (
            upstream.requests(),
            upstream.connections(),
            upstream.last().connection
        ),
        (2, 1, 0)
    );
    assert_eq!(upstream.seen()[0].head, GET.as_bytes());
}

#[test]
fn answers_are_as_asked_for() {
    let echo = Upstream::echo();
    check(
        &echo,
        "GET / HTTP/1.1\r\nX-Do: status=503; body=no\r\n\r\n",
        503,
        "no",
    );
    check(&echo, "GET / HTTP/1.1\r\nX-Do: size=3\r\n\r\n", 200, "xxx");
    check(&echo, "HEAD / HTTP/1.1\r\nX-Do: size=3\r\n\r\n", 200, "");
    let made = Upstream::answering(|seen| Answer::new(201, seen.target.clone()).header("X-A", "b"));
    check(&made, GET, 201, "/a?b=c");
    check(
        &Upstream::bytes("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
        GET,
        200,
        "ok",
    );
}

#[test]
fn scripts_can_misbehave() {
    let cut = Upstream::script([Act::Send(b"HTTP/1.1 200 OK\r\nContent-Le".to_vec()), Act::Close]);
    assert!(
        RawClient::connect(cut.port())
            .send(GET)
            .response_to("GET")
            .is_err()
    );
    let mut client = RawClient::connect(Upstream::silent().port());
    assert_eq!(
        client.read_to_end(Duration::from_millis(50)).1,
        Ended::Closed,
        "its last handle is gone"
    );
    let silent = Upstream::silent();
    let mut client = RawClient::connect(silent.port());
    client.send(GET);
    assert_eq!(
        client.read_to_end(Duration::from_millis(50)),
        (Vec::new(), Ended::Open)
    );
    let reset = Upstream::script([Act::Reset]);
    let mut client = RawClient::connect(reset.port());
    client.send(GET);
    assert_eq!(client.read_to_end(Duration::from_secs(5)).1, Ended::Reset);
}

#[test]
fn upgrades_echo() {
    let upstream = Upstream::echo();
    let mut client = RawClient::connect(upstream.port());
    let answer = client.ask("GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
    assert_eq!(
        (answer.status, client.send("hello").read(5)),
        (101, b"hello".to_vec())
    );
}

#[test]
fn down_refuses_and_back_serves() {
    let upstream = Upstream::echo();
    let mut open = RawClient::connect(upstream.port());
    open.ask(GET);
    upstream.down();
    assert!(TcpStream::connect(("127.0.0.1", upstream.port())).is_err());
    assert!(open.closes());
    upstream.back();
    check(&upstream, "GET / HTTP/1.1\r\nX-Do: body=x\r\n\r\n", 200, "x");
    eventually("two connections", || upstream.connections() == 2);
}

#[test]
fn tls_upstreams_may_demand_a_certificate() {
    let certs = Certs::generate();
    let upstream = Upstream::echo().tls(&certs, Some("ca"));
    let shown = |client, verify| {
        let offer = TlsOffer {
            name: Some("backend.test"),
            alpn: &["http/1.1"],
            client,
            verify,
        };
        let mut client = RawClient::tls(upstream.port(), &certs, offer).ok()?;
        client.try_send(GET).ok()?;
        let answer = client.response_to("GET").ok()??;
        assert!(client.alpn() == b"http/1.1" && !client.certificate().is_empty());
        Some(answer.status)
    };
    assert_eq!(shown(Some("client"), true), Some(200));
    assert_eq!(shown(Some("other-client"), true), None);
    assert_eq!(shown(None, false), None);
}
