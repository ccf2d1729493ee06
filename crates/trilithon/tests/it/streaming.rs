//! Bodies that are still being made while they are read: nothing is held back, nothing piles up.

use crate::client2;
use crate::world::{ROUTING, before, gateway};
use bytes::Bytes;
use http::{HeaderMap, Request};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;
use trilithon_testkit::{Act, Gateway, PATIENCE, RawClient, Upstream};

/// A server of one connection, driven by the test.
fn server(serve: impl FnOnce(TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = listener
        .local_addr()
        .expect("a bound listener has an address")
        .port();
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a connection");
        stream.set_nodelay(true).expect("a connected socket");
        serve(stream);
    });
    port
}

fn read_head(stream: &mut impl BufRead) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && stream.read_line(&mut head).expect("a head") > 0 {}
    head
}

fn to(port: u16) -> Gateway {
    gateway()
        .routing(ROUTING)
        .at_port("b1", port)
        .wait_only_for(&["web", "traefik"])
        .start()
}

/// Sends each event only when it is told to, which is when the one before has arrived at the client.
fn events() -> (u16, Sender<()>) {
    let (go, told): (Sender<()>, Receiver<()>) = channel();
    let port = server(move |stream| {
        let mut stream = BufReader::new(stream);
        read_head(&mut stream);
        let out = stream.get_mut();
        out.write_all(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
        )
        .expect("an open connection");
        for n in 0.. {
            let event = format!("data: {n}\n\n");
            if told.recv().is_err() || write!(out, "{:x}\r\n{event}\r\n", event.len()).is_err() {
                break;
            }
        }
        let _ = out.write_all(b"0\r\n\r\n");
    });
    (port, go)
}

/// Routing through this middleware, if any.
fn through(middleware: &str) -> String {
    if middleware.is_empty() {
        return ROUTING.to_owned();
    }
    ROUTING.replace("service: s}", "service: s, middlewares: [m]}")
        + &format!("  middlewares: {{m: {{{middleware}}}}}\n")
}

fn chunk(client: &mut RawClient) -> Vec<u8> {
    let size = client.read_until(b"\r\n");
    let size = usize::from_str_radix(String::from_utf8_lossy(&size).trim(), 16).expect("a size");
    let data = client.read(size);
    assert_eq!(client.read(2), b"\r\n");
    data
}

#[test]
fn events_are_not_held_back() {
    for middleware in [
        "",
        "compress: {minResponseBodyBytes: 1}",
        "retry: {attempts: 2}",
        "headers: {customResponseHeaders: {X-A: b}}",
    ] {
        let (port, go) = events();
        let gateway = gateway()
            .routing(&through(middleware))
            .at_port("b1", port)
            .wait_only_for(&["web", "traefik"])
            .start();
        let mut client = gateway.client("web");
        client.send(
            "GET / HTTP/1.1\r\nHost: a.test\r\nAccept: text/event-stream\r\nAccept-Encoding: gzip\r\n\r\n",
        );
        let mut waiting = true;
        let mut head = String::new();
        let (mut text, mut zipped) = (Vec::new(), flate2::write::GzDecoder::new(Vec::new()));
        for n in 0..5 {
            go.send(()).expect("the server waits");
            if std::mem::take(&mut waiting) {
                head = String::from_utf8_lossy(&client.read_until(b"\r\n\r\n")).into_owned();
                assert!(head.starts_with("HTTP/1.1 200"), "{head}");
            }
            let event = format!("data: {n}\n\n");
            while !text.ends_with(event.as_bytes()) {
                let piece = chunk(&mut client);
                if head.contains("gzip") {
                    zipped
                        .write_all(&piece)
                        .and_then(|()| zipped.flush())
                        .expect("gzip");
                    text.clone_from(zipped.get_ref());
                } else {
                    text.extend(piece);
                }
            }
        }
        drop(go);
        client.read_until(b"0\r\n\r\n");
    }
}

#[test]
fn events_are_not_held_back_in_http2() {
    let (port, go) = events();
    let gateway = to(port);
    client2::run(async {
        let mut client = client2::connect(&gateway, "web").await;
        let request = Request::get("http://a.test/").body(()).expect("a request");
        let (answer, _) = client.send_request(request, true).expect("an open connection");
        let mut body = answer.await.expect("an answer").into_body();
        for n in 0..5 {
            go.send(()).expect("the server waits");
            assert_eq!(
                client2::next(&mut body).await,
                Some(Bytes::from(format!("data: {n}\n\n")))
            );
        }
        drop(go);
        assert_eq!(client2::next(&mut body).await, None);
    });
}

/// A server that sends back each chunk as it comes, with the trailers at the end.
fn duplex() -> u16 {
    server(|stream| {
        let mut stream = BufReader::new(stream);
        let head = read_head(&mut stream);
        assert!(
            head.to_ascii_lowercase().contains("transfer-encoding: chunked"),
            "{head}"
        );
        stream
            .get_mut()
            .write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n")
            .expect("an open connection");
        let mut line = String::new();
        while stream.read_line(&mut line).expect("a line") > 0 {
            // Size lines, data, trailers and the end: what comes goes back.
            stream
                .get_mut()
                .write_all(line.as_bytes())
                .expect("an open connection");
            line.clear();
        }
    })
}

#[test]
fn chunks_go_both_ways() {
    let gateway = to(duplex());
    let mut client = gateway.client("web");
    client.send("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert!(
        client.read_until(b"\r\n\r\n").starts_with(b"HTTP/1.1 200"),
        "the answer begins before the request ends"
    );
    for text in ["one\n", "three\n", "four\n"] {
        let chunk = format!("{:x}\r\n{text}\r\n", text.len());
        client.send(&chunk);
        client.read_until(text.as_bytes());
    }
    client.send("0\r\nX-Sum: 12\r\n\r\n");
    let end = client.read_until(b"\r\n\r\n");
    assert!(
        String::from_utf8_lossy(&end).contains("X-Sum: 12"),
        "{}",
        end.escape_ascii()
    );
}

#[test]
fn chunks_go_both_ways_in_http2() {
    let gateway = to(duplex());
    client2::run(async {
        let mut client = client2::connect(&gateway, "web").await;
        let (answer, mut stream) = client2::begin(
            &mut client,
            Request::post("http://a.test/").body(()).expect("a request"),
        );
        let mut body = answer
            .await
            .expect("an answer before the request ends")
            .into_body();
        for text in ["one\n", "three\n", "four\n"] {
            client2::send(&mut stream, Bytes::from(text), false).await;
            assert_eq!(client2::next(&mut body).await, Some(Bytes::from(text)));
        }
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", http::HeaderValue::from_static("12"));
        stream.send_trailers(trailers).expect("an open stream");
        assert_eq!(client2::next(&mut body).await, None);
        let trailers = body.trailers().await.expect("an end").expect("trailers");
        assert_eq!(
            trailers.get("x-sum").map(http::HeaderValue::as_bytes),
            Some(&b"12"[..])
        );
    });
}

#[test]
fn early_hints_are_passed_on() {
    let upstream = Upstream::bytes(
        "HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\nConnection: x\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </app.js>; rel=preload\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    );
    let gateway = before(&upstream);
    let mut client = gateway.client("web");
    for _ in 0..2 {
        let answer = client.ask("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
        let hints: Vec<_> = answer
            .interim
            .iter()
            .map(|hint| (hint.status, hint.header("link"), hint.header("connection")))
            .collect();
        assert_eq!(
            hints,
            [
                (103, "</style.css>; rel=preload", ""),
                (103, "</app.js>; rel=preload", "")
            ]
        );
        assert_eq!((answer.status, &*answer.text()), (200, "ok"));
    }
    // HTTP/1.0 knows no interim answers.
    let answer = gateway
        .client("web")
        .ask("GET / HTTP/1.0\r\nHost: a.test\r\n\r\n");
    assert_eq!((answer.status, answer.interim.len()), (200, 0));
}

/// Hints arrive while the server still thinks.
#[test]
fn early_hints_are_not_held_back() {
    let (go, told) = channel();
    let gateway = to(server(move |stream| {
        let mut stream = BufReader::new(stream);
        read_head(&mut stream);
        stream
            .get_mut()
            .write_all(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
            .expect("an open connection");
        told.recv().expect("the hint arrived");
        stream
            .get_mut()
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            .expect("an open connection");
    }));
    let mut client = gateway.client("web");
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    assert!(client.read_until(b"\r\n\r\n").starts_with(b"HTTP/1.1 103"));
    go.send(()).expect("the server waits");
    assert_eq!(client.response().status, 200);
}

/// The server decides whether it wants the body; the client is told when it is wanted.
#[test]
fn the_server_is_asked_before_the_body() {
    let gateway = to(server(|stream| {
        let mut stream = BufReader::new(stream);
        let head = read_head(&mut stream);
        assert!(head.contains("Expect: 100-continue"), "{head}");
        stream
            .get_ref()
            .set_read_timeout(Some(Duration::from_millis(200)))
            .expect("a connected socket");
        assert!(stream.fill_buf().is_err(), "the body waits");
        stream
            .get_ref()
            .set_read_timeout(Some(PATIENCE))
            .expect("a connected socket");
        stream
            .get_mut()
            .write_all(b"HTTP/1.1 100 Continue\r\n\r\n")
            .expect("an open connection");
        let mut body = [0; 5];
        stream.read_exact(&mut body).expect("a body");
        stream
            .get_mut()
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
            .expect("an open connection");
        stream.get_mut().write_all(&body).expect("an open connection");
    }));
    let mut client = gateway.client("web");
    client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(client.read_until(b"\r\n\r\n"), b"HTTP/1.1 100 Continue\r\n\r\n");
    let answer = client.send("hello").response();
    assert_eq!((answer.status, &*answer.text()), (200, "hello"));
}

const LARGE: usize = 10 << 20;

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n % 251) as u8).collect()
}

#[test]
fn large_bodies_arrive_whole() {
    let body = pattern(LARGE);
    let upstream = Upstream::echo();
    let gateway = before(&upstream);
    let mut client = gateway.client("web");
    client
        .send(format!(
            "POST / HTTP/1.1\r\nHost: a.test\r\nX-Do: body=ok\r\nContent-Length: {LARGE}\r\n\r\n"
        ))
        .send(&body);
    assert_eq!(client.response().text(), "ok");
    assert!(upstream.last().body == body, "counted");
    client.send("POST / HTTP/1.1\r\nHost: a.test\r\nX-Do: body=ok\r\nTransfer-Encoding: chunked\r\n\r\n");
    for chunk in body.chunks(300_007) {
        client
            .send(format!("{:x}\r\n", chunk.len()))
            .send(chunk)
            .send("\r\n");
    }
    client.send("0\r\n\r\n");
    assert_eq!(client.response().text(), "ok");
    assert!(upstream.last().body == body, "chunked");
    let answer = client.ask(&format!(
        "GET / HTTP/1.1\r\nHost: a.test\r\nX-Do: size={LARGE}\r\n\r\n"
    ));
    assert_eq!((answer.status, answer.body.len()), (200, LARGE));
    client2::run(async {
        let mut client = client2::connect(&gateway, "web").await;
        let request = Request::post("http://a.test/")
            .header("x-do", format!("size={LARGE}"))
            .body(())
            .expect("a request");
        let (answer, mut stream) = client2::begin(&mut client, request);
        client2::send(&mut stream, Bytes::from(body.clone()), true).await;
        assert_eq!(
            client2::whole(answer.await.expect("an answer")).await.body.len(),
            LARGE
        );
    });
    assert!(upstream.last().body == body, "HTTP/2");
}

/// Resident memory in KiB.
fn memory(gateway: &Gateway) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", gateway.pid())).expect("the process runs");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .expect("a process has memory");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// Larger than what the sockets of two hops may hold.
const HUGE: usize = 64 << 20;
/// What a gateway may need for one body under way, in KiB.
const LITTLE: u64 = 8 << 10;

/// A server that does not read holds the client back; nothing is collected between them.
#[test]
fn an_upload_waits_for_the_server() {
    let (go, told) = channel();
    let gateway = to(server(move |stream| {
        let mut stream = BufReader::new(stream);
        read_head(&mut stream);
        told.recv().expect("the test goes on");
        let read = std::io::copy(&mut (&mut stream).take(HUGE as u64), &mut std::io::sink()).expect("a body");
        let body = read.to_string();
        write!(
            stream.get_mut(),
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .expect("an open connection");
    }));
    let idle = memory(&gateway);
    let mut client = gateway.client("web");
    let (sent, progress) = channel();
    let answer = std::thread::scope(|scope| {
        let upload = scope.spawn(move || {
            client.send(format!(
                "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: {HUGE}\r\n\r\n"
            ));
            let piece = vec![b'x'; 1 << 20];
            for _ in 0..HUGE >> 20 {
                client.send(&piece);
                let _ = sent.send(());
            }
            client.response()
        });
        let mut megabytes = 0;
        while progress.recv_timeout(Duration::from_millis(400)).is_ok() {
            megabytes += 1;
        }
        assert!(megabytes < HUGE >> 20, "the client was never held back");
        let grown = memory(&gateway).saturating_sub(idle);
        assert!(grown < LITTLE, "{grown} KiB more for a body that nobody reads");
        go.send(()).expect("the server waits");
        upload.join().expect("the upload ends")
    });
    assert_eq!((answer.status, answer.text()), (200, HUGE.to_string()));
}

/// The same the other way: a client that does not read holds the server back.
#[test]
fn a_download_waits_for_the_client() {
    let (sent, progress) = channel();
    let gateway = to(server(move |stream| {
        let mut stream = BufReader::new(stream);
        read_head(&mut stream);
        write!(
            stream.get_mut(),
            "HTTP/1.1 200 OK\r\nContent-Length: {HUGE}\r\n\r\n"
        )
        .expect("an open connection");
        let piece = vec![b'x'; 1 << 20];
        for _ in 0..HUGE >> 20 {
            if stream.get_mut().write_all(&piece).is_err() {
                return;
            }
            let _ = sent.send(());
        }
        let _ = stream.read(&mut [0]);
    }));
    let idle = memory(&gateway);
    let mut client = gateway.client("web");
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    client.read_until(b"\r\n\r\n");
    let mut megabytes = 0;
    while progress.recv_timeout(Duration::from_millis(400)).is_ok() {
        megabytes += 1;
    }
    assert!(megabytes < HUGE >> 20, "the server was never held back");
    let grown = memory(&gateway).saturating_sub(idle);
    assert!(grown < LITTLE, "{grown} KiB more for a body that nobody reads");
    let mut left = HUGE;
    while left > 0 {
        let piece = left.min(1 << 20);
        client.read(piece);
        left -= piece;
    }
}

/// A server that breaks off in the middle is not made to look whole.
#[test]
fn broken_answers_stay_broken() {
    for (head, is_chunked) in [
        ("Content-Length: 10\r\n\r\nhello", false),
        ("Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", true),
    ] {
        let upstream = Upstream::script([
            Act::Send(format!("HTTP/1.1 200 OK\r\n{head}").into_bytes()),
            Act::Close,
        ]);
        let gateway = before(&upstream);
        let mut client = gateway.client("web");
        client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
        let (bytes, _) = client.read_to_end(PATIENCE);
        let text = String::from_utf8_lossy(&bytes);
        assert!(text.contains("hello"), "what came is passed on: {text}");
        assert!(
            !is_chunked || !text.ends_with("0\r\n\r\n"),
            "no end is made up: {text}"
        );
        assert_eq!(text.matches("HTTP/1.1").count(), 1, "{text}");
    }
}
