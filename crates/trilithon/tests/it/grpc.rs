//! gRPC: HTTP/2 on both sides, the status in the trailers; and servers of HTTP/2 that misbehave (B11).

use crate::client2;
use crate::frames::{self, *};
use crate::server2::Server;
use crate::world::{INSTALL, gateway};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use trilithon_testkit::{Gateway, eventually};

const ROUTING: &str = "\
http:
  routers: {all: {rule: 'PathPrefix(`/`)', service: s}}
  services: {s: {loadBalancer: {servers: [{url: 'h2c://127.0.0.1:@b1@'}]}}}
";

fn to(port: u16) -> Gateway {
    let install = INSTALL.replace(
        "{addEntryPointsLabels: true}",
        "{addEntryPointsLabels: true, addServicesLabels: true}",
    );
    gateway()
        .install(&install)
        .routing(ROUTING)
        .at_port("b1", port)
        .start()
}

fn call(path: &str) -> Request<()> {
    let request = Request::post(format!("http://a.test{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    request.body(()).expect("a request")
}

#[test]
fn a_call_and_its_status() {
    let server = Server::start();
    let gateway = to(server.port());
    client2::run(async {
        let mut client = client2::connect(&gateway, "web").await;
        let (answer, mut stream) = client2::begin(&mut client, call("/echo"));
        client2::send(&mut stream, Bytes::from_static(b"\0\0\0\0\x05hello"), true).await;
        let answer = client2::whole(answer.await.expect("an answer")).await;
        assert_eq!(
            (answer.status, answer.header("content-type"), &*answer.text()),
            (200, "application/grpc", "\0\0\0\0\x05hello")
        );
        assert_eq!(
            (answer.trailer("grpc-status"), answer.trailer("grpc-message")),
            ("0", "fine")
        );
    });
    let seen = server.seen();
    assert_eq!(
        (seen[0].method.as_str(), seen[0].version),
        ("POST", http::Version::HTTP_2)
    );
    assert_eq!(
        seen[0].headers.get("te"),
        Some(&HeaderValue::from_static("trailers")),
        "the server may send trailers"
    );
    assert_eq!(seen[0].uri.authority().map(|a| a.as_str()), Some("a.test"));
    // The code of a call is its own, not that of HTTP.
    eventually("the call is counted", || {
        let metrics = gateway.metrics();
        metrics.lines().any(|l| {
            l.starts_with("traefik_entrypoint_requests_total{code=\"0\"")
                && l.contains("protocol=\"grpc\"")
                && l.ends_with(" 1")
        })
    });
}

/// An answer that is all head.
#[test]
fn a_status_without_a_message() {
    let server = Server::start();
    let gateway = to(server.port());
    client2::run(async {
        let mut client = client2::connect(&gateway, "web").await;
        let (answer, mut stream) = client2::begin(&mut client, call("/only"));
        client2::send(&mut stream, Bytes::new(), true).await;
        let answer = client2::whole(answer.await.expect("an answer")).await;
        assert_eq!(
            (
                answer.status,
                answer.header("grpc-status"),
                answer.header("grpc-message")
            ),
            (200, "7", "no")
        );
        assert!(answer.body.is_empty() && answer.trailers.is_empty());
    });
}

/// Messages go both ways while the call is open, many calls at once on one connection, trailers of the client included.
#[test]
fn calls_that_stay_open() {
    let server = Server::start();
    let gateway = to(server.port());
    client2::run(async {
        let mut client = client2::connect(&gateway, "web").await;
        let mut calls = Vec::new();
        for _ in 0..20 {
            client = client.ready().await.expect("an open connection");
            let (answer, stream) = client2::begin(&mut client, call("/echo"));
            calls.push((answer, stream));
        }
        let mut open = Vec::new();
        for (answer, stream) in calls {
            open.push((
                answer.await.expect("a head before the first message").into_body(),
                stream,
            ));
        }
        for round in 0..3 {
            for (body, stream) in &mut open {
                let message = Bytes::from(format!("message {round}"));
                client2::send(stream, message.clone(), false).await;
                assert_eq!(client2::next(body).await, Some(message));
            }
        }
        for (mut body, mut stream) in open {
            let mut trailers = HeaderMap::new();
            trailers.insert("x-sum", HeaderValue::from_static("3"));
            stream.send_trailers(trailers).expect("an open stream");
            assert_eq!(client2::next(&mut body).await, None);
            let trailers = body.trailers().await.expect("an end").expect("trailers");
            assert_eq!(
                (trailers["x-sum"].as_bytes(), trailers["grpc-status"].as_bytes()),
                (&b"3"[..], &b"0"[..])
            );
        }
    });
    assert_eq!(server.seen().len(), 20);
}

#[test]
fn large_messages() {
    let server = Server::start();
    let gateway = to(server.port());
    client2::run(async {
        let mut client = client2::connect(&gateway, "web").await;
        let (answer, mut stream) = client2::begin(&mut client, call("/echo"));
        let message = Bytes::from((0..750_000u32).flat_map(u32::to_le_bytes).collect::<Vec<u8>>());
        let (_, answer) = tokio::join!(client2::send(&mut stream, message.clone(), true), async {
            client2::whole(answer.await.expect("an answer")).await
        });
        assert!(
            answer.body == message,
            "{} of {} bytes",
            answer.body.len(),
            message.len()
        );
        assert_eq!(answer.trailer("grpc-status"), "0");
    });
}

/// A server's reset before the head is an answer of the gateway's; after it, a reset.
#[test]
fn servers_that_reset() {
    let server = Server::start();
    let gateway = to(server.port());
    client2::run(async {
        let mut client = client2::connect(&gateway, "web").await;
        let (answer, mut stream) = client2::begin(&mut client, call("/refused"));
        client2::send(&mut stream, Bytes::new(), true).await;
        let status = answer.await.expect("an answer").status();
        assert!(status.is_server_error(), "{status}");
        let (answer, mut stream) = client2::begin(&mut client, call("/broken"));
        client2::send(&mut stream, Bytes::new(), true).await;
        let mut body = answer.await.expect("a head").into_body();
        assert_eq!(
            body.data()
                .await
                .expect("half a message")
                .expect("half a message"),
            Bytes::from_static(b"half")
        );
        assert!(
            matches!(body.data().await, Some(Err(error)) if error.is_reset()),
            "no end is made up"
        );
        let (answer, mut stream) = client2::begin(&mut client, call("/echo"));
        client2::send(&mut stream, Bytes::from_static(b"x"), true).await;
        assert_eq!(
            client2::whole(answer.await.expect("an answer")).await.text(),
            "x",
            "the connection goes on"
        );
    });
}

/// The client gives a call up: the server learns it.
#[test]
fn clients_that_reset() {
    let server = Server::start();
    let gateway = to(server.port());
    client2::run(async {
        let mut client = client2::connect(&gateway, "web").await;
        let (answer, mut stream) = client2::begin(&mut client, call("/silent"));
        client2::send(&mut stream, Bytes::from_static(b"x"), false).await;
        while server.seen().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        stream.send_reset(h2::Reason::CANCEL);
        assert!(answer.await.is_err());
        let (answer, mut stream) = client2::begin(&mut client, call("/echo"));
        client2::send(&mut stream, Bytes::from_static(b"x"), true).await;
        assert_eq!(client2::whole(answer.await.expect("an answer")).await.text(), "x");
    });
}

/// A server that sends these frames once it has read a request, on stream 1.
fn hostile(frames: Vec<u8>) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = listener
        .local_addr()
        .expect("a bound listener has an address")
        .port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut bytes = [0; 24];
            if stream.read_exact(&mut bytes).is_err() {
                continue;
            }
            let _ = stream.write_all(&[frame(SETTINGS, 0, 0, []), frame(SETTINGS, ACK, 0, [])].concat());
            let mut head = [0; 9];
            while stream.read_exact(&mut head).is_ok() {
                let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
                if stream.read_exact(&mut payload).is_err() {
                    break;
                }
                if head[3] == HEADERS && stream.write_all(&frames).is_err() {
                    break;
                }
            }
        }
    });
    port
}

/// Header lists of a server are no better than those of a client.
#[test]
fn b11_hostile_servers() {
    let ok = [0x88];
    let field = |name: &str, value: &str| frames::literals(&[(name, value)]);
    let answer = |block: &[u8], flags: u8| frame(HEADERS, flags | END_HEADERS, 1, block);
    let with = |more: Vec<u8>| answer(&[&ok[..], &more].concat(), END_STREAM);
    let large: Vec<u8> = (0..40)
        .flat_map(|n| {
            frame(
                CONTINUATION,
                if n == 39 { END_HEADERS } else { 0 },
                1,
                field("x", &"y".repeat(16_000)),
            )
        })
        .collect();
    let table = [
        (
            "a window opened by nothing",
            frame(WINDOW_UPDATE, 0, 1, 0u32.to_be_bytes()),
        ),
        (
            "a connection's window opened by nothing",
            frame(WINDOW_UPDATE, 0, 0, 0u32.to_be_bytes()),
        ),
        (
            "a window opened too far",
            frame(WINDOW_UPDATE, 0, 0, 0x7fff_ffffu32.to_be_bytes()).repeat(2),
        ),
        ("a head without status", answer(&field("x-a", "1"), END_STREAM)),
        ("two statuses", with(ok.to_vec())),
        (
            "a status that is none",
            answer(&field(":status", "abc"), END_STREAM),
        ),
        (
            "a status of four digits",
            answer(&field(":status", "2000"), END_STREAM),
        ),
        ("an upper-case name", with(field("X-A", "1"))),
        (
            "a line end in a value",
            with(field("x-a", "1\r\nset-cookie: evil=1")),
        ),
        ("a connection header", with(field("connection", "close"))),
        (
            "a head of 640 KB",
            [frame(HEADERS, END_STREAM, 1, ok), large].concat(),
        ),
        ("data before the head", frame(DATA, END_STREAM, 1, "evil")),
        (
            "a promise",
            frame(5, END_HEADERS, 1, [&2u32.to_be_bytes()[..], &ok].concat()),
        ),
        (
            "a stream that nobody opened",
            frame(HEADERS, END_STREAM | END_HEADERS, 2, ok),
        ),
        ("a compression error", answer(&[0xff, 0xff, 0x7f], END_STREAM)),
        ("a frame larger than allowed", frame(DATA, 0, 1, vec![0; 20_000])),
        ("a goodbye", frame(GOAWAY, 0, 0, [0; 8])),
    ];
    for (what, frames) in table {
        let gateway = to(hostile(frames));
        let mut client = gateway.client("web");
        let answer = client
            .send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
            .response_to("GET");
        let answer = answer
            .unwrap_or_else(|error| panic!("{what}: {error}"))
            .unwrap_or_else(|| panic!("{what}: closed"));
        assert!(matches!(answer.status, 500 | 502), "{what}: {}", answer.status);
        assert!(
            !answer.text().contains("evil") && !answer.headers.has("set-cookie"),
            "{what}"
        );
        let answer = gateway.ask("traefik", "GET", "localhost", "/api/version", &[]);
        assert_eq!(answer.status, 200, "{what}: the gateway goes on");
    }
}

/// A length that was said and not kept is not made to look right.
#[test]
fn b11_answers_of_another_length() {
    for (what, length, data) in [("shorter", "9", "hello"), ("longer", "2", "hello")] {
        let head = [&[0x88][..], &frames::literals(&[("content-length", length)])].concat();
        let frames = [
            frame(HEADERS, END_HEADERS, 1, head),
            frame(DATA, END_STREAM, 1, data),
        ]
        .concat();
        let gateway = to(hostile(frames));
        let mut client = gateway.client("web");
        client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
        let whole = client.response_to("GET");
        let fine = matches!(&whole, Ok(Some(answer)) if answer.status == 200);
        assert!(!fine, "{what}: {whole:?}");
    }
}
