//! Requests that leave HTTP: WebSocket over HTTP/1.1, and over HTTP/2 as an extended CONNECT (RFC 8441).

use crate::client2;
use crate::world::{before, echoing};
use bytes::Bytes;
use h2::ext::Protocol;
use http::{Method, Request};
use trilithon_testkit::{Act, Answer, Ended, Gateway, PATIENCE, RawClient, Upstream, eventually};

const UPGRADE: &str = "GET /chat HTTP/1.1\r\nHost: a.test\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: chat\r\n\r\n";

fn upgraded(gateway: &Gateway) -> RawClient {
    let mut client = gateway.client("web");
    let answer = client.send(UPGRADE).response();
    assert_eq!((answer.status, answer.header("upgrade")), (101, "websocket"));
    assert!(answer.header("connection").eq_ignore_ascii_case("upgrade"));
    client
}

#[test]
fn bytes_go_both_ways() {
    let upstream = Upstream::echo();
    let gateway = before(&upstream);
    let mut client = upgraded(&gateway);
    for text in ["a", "hello", "\0\u{1}\u{2} no text"] {
        assert_eq!(client.send(text).read(text.len()), text.as_bytes());
    }
    let large: Vec<u8> = (0..1_000_000u32).flat_map(u32::to_le_bytes).collect();
    for piece in large.chunks(100_000) {
        assert!(client.send(piece).read(piece.len()) == piece);
    }
    let seen = upstream.last();
    assert_eq!((&*seen.method, &*seen.target), ("GET", "/chat"));
    assert_eq!(
        (seen.headers.get("upgrade"), seen.headers.get("connection")),
        ("websocket", "Upgrade")
    );
    assert_eq!(seen.headers.get("x-forwarded-proto"), "ws");
    assert_eq!(seen.headers.get("sec-websocket-key"), "dGhlIHNhbXBsZSBub25jZQ==");
}

/// What either side sends with its head belongs to the stream.
#[test]
fn early_bytes_are_not_lost() {
    let gateway = echoing();
    let mut client = gateway.client("web");
    client.send(format!("{UPGRADE}early"));
    assert_eq!(client.response().status, 101);
    assert_eq!(client.read(5), b"early");
    let eager = Upstream::bytes(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nwelcome",
    );
    let gateway = before(&eager);
    assert_eq!(upgraded(&gateway).read(7), b"welcome");
}

#[test]
fn the_end_of_one_side_ends_the_other() {
    let upstream = Upstream::echo();
    let gateway = before(&upstream);
    let mut client = upgraded(&gateway);
    client.send("last words").finish();
    let (bytes, ended) = client.read_to_end(PATIENCE);
    assert_eq!(
        (&*bytes, ended),
        (&b"last words"[..], Ended::Closed),
        "the client said that it is done"
    );
    let mut client = upgraded(&gateway);
    upstream.cut();
    assert!(client.closes(), "the server left");
}

#[test]
fn a_refusal_is_an_answer() {
    for status in [200, 400, 403, 426, 503] {
        let gateway = before(&Upstream::answering(move |_| Answer::new(status, "no")));
        let mut client = gateway.client("web");
        let answer = client.send(UPGRADE).response();
        assert_eq!((answer.status, &*answer.text()), (status, "no"));
        let answer = client.ask("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
        assert_eq!(answer.status, status, "the connection goes on as HTTP");
    }
}

/// A connection that was a tunnel is not used for anybody else.
#[test]
fn tunnels_are_not_pooled() {
    let upstream = Upstream::echo();
    let gateway = before(&upstream);
    let client = upgraded(&gateway);
    drop(client);
    assert_eq!(gateway.get("a.test", "/").status, 200);
    assert_eq!(upstream.connections(), 2);
}

#[test]
fn the_first_answer_may_be_early_hints() {
    let upstream = Upstream::script([
        Act::Request,
        Act::Send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhi".to_vec()),
        Act::Drain,
    ]);
    let gateway = before(&upstream);
    let mut client = gateway.client("web");
    let answer = client.send(UPGRADE).response();
    assert_eq!((answer.status, answer.interim.len()), (101, 1));
    assert_eq!(client.read(2), b"hi");
}

fn extended_connect(protocol: &'static str) -> Request<()> {
    let mut request = Request::builder()
        .method(Method::CONNECT)
        .uri("http://a.test/chat?x=y")
        .header("sec-websocket-protocol", "chat")
        .body(())
        .expect("a request");
    request.extensions_mut().insert(Protocol::from_static(protocol));
    request
}

/// A client that knows that the gateway takes extended CONNECT.
async fn connect(gateway: &Gateway) -> h2::client::SendRequest<Bytes> {
    let mut client = client2::connect(gateway, "web").await;
    // The gateway's settings say so; an answer comes behind them.
    assert!(client2::get(&mut client, "http://a.test/first").await.status > 0);
    assert!(client.is_extended_connect_protocol_enabled());
    client
}

#[test]
fn extended_connect_becomes_an_upgrade() {
    let upstream = Upstream::echo();
    let gateway = before(&upstream);
    client2::run(async {
        let mut client = connect(&gateway).await;
        let (answer, mut stream) = client2::begin(&mut client, extended_connect("websocket"));
        let answer = answer.await.expect("an answer");
        assert_eq!(answer.status(), 200);
        let mut body = answer.into_body();
        for text in ["hello", "again"] {
            client2::send(&mut stream, Bytes::from(text), false).await;
            assert_eq!(client2::next(&mut body).await, Some(Bytes::from(text)));
        }
        let large = Bytes::from(vec![b'x'; 2_000_000]);
        let reader = async {
            let mut got = 0;
            while got < large.len() {
                got += client2::next(&mut body).await.expect("all of it").len();
            }
        };
        tokio::join!(client2::send(&mut stream, large.clone(), false), reader);
        client2::send(&mut stream, Bytes::new(), true).await;
        assert_eq!(client2::next(&mut body).await, None, "the end goes round");
        assert_eq!(
            client2::get(&mut client, "http://a.test/after").await.status,
            200,
            "other streams go on"
        );
    });
    let seen = upstream
        .seen()
        .into_iter()
        .find(|seen| seen.headers.has("upgrade"))
        .expect("an upgrade");
    assert_eq!((&*seen.method, &*seen.target), ("GET", "/chat?x=y"));
    assert_eq!(
        (seen.headers.get("upgrade"), seen.headers.get("connection")),
        ("websocket", "Upgrade")
    );
    assert_eq!(
        (
            seen.headers.get("sec-websocket-version"),
            seen.headers.get("sec-websocket-protocol")
        ),
        ("13", "chat")
    );
    assert_eq!(
        seen.headers.get("sec-websocket-key").len(),
        24,
        "a key of sixteen bytes"
    );
    assert_eq!(seen.headers.get("x-forwarded-proto"), "ws");
}

/// 2xx would tell the client that the tunnel stands; a server that answers 200 to an upgrade has not agreed to one.
#[test]
fn a_refused_extended_connect_is_no_tunnel() {
    let check = |upstream: Upstream, status: u16| {
        let gateway = before(&upstream);
        client2::run(async {
            let mut client = connect(&gateway).await;
            let (answer, mut stream) = client2::begin(&mut client, extended_connect("websocket"));
            let answer = answer.await.expect("an answer");
            assert_eq!(answer.status(), status);
            let _ = stream.send_data(Bytes::from("GET /evil HTTP/1.1\r\nHost: a.test\r\n\r\n"), true);
            client2::whole(answer).await;
            assert!(
                client2::get(&mut client, "http://a.test/after").await.status > 0,
                "other streams go on"
            );
        });
        assert!(upstream.seen().iter().all(|seen| seen.target != "/evil"));
    };
    check(Upstream::answering(|_| Answer::new(200, "no")), 502);
    check(Upstream::answering(|_| Answer::new(204, "")), 502);
    check(Upstream::answering(|_| Answer::new(403, "no")), 403);
    check(Upstream::answering(|_| Answer::new(503, "no")), 503);
}

/// The server leaves, or the client resets: the other side learns it.
#[test]
fn the_end_of_a_tunnel_in_http2() {
    let upstream = Upstream::echo();
    let gateway = before(&upstream);
    client2::run(async {
        let mut client = connect(&gateway).await;
        let (answer, _stream) = client2::begin(&mut client, extended_connect("websocket"));
        let mut body = answer.await.expect("an answer").into_body();
        upstream.cut();
        let end = body.data().await;
        assert!(
            !matches!(end, Some(Ok(bytes)) if !bytes.is_empty()),
            "no byte comes from nowhere"
        );
    });
    eventually("nothing is left open", || {
        let open = "traefik_open_connections{entrypoint=\"web\",protocol=\"TCP\"} 0";
        gateway.metrics().contains(open)
    });
}
