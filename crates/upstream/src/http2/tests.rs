//! Servers that speak HTTP/2 for real, and misbehave on purpose.

use crate::testing::*;
use crate::tls::TlsSettings;
use crate::{Forward, Settings};
use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use trilithon_flow::{Body, Fault, FaultKind, Request, Service};
use trilithon_testkit::Certs;

type Asked = http::Request<RecvStream>;
type Answering = SendResponse<Bytes>;

/// What a server saw.
#[derive(Default)]
struct Seen {
    connections: Cell<usize>,
    requests: RefCell<Vec<http::request::Parts>>,
}

/// A clear-text server; `answer` is given each request with its number.
async fn serve<F, R>(max_streams: u32, answer: F) -> (Forward, Rc<Seen>)
where
    F: Fn(usize, Asked, Answering) -> R + 'static,
    R: Future<Output = ()> + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Rc::new(Seen::default());
    let (noted, answer) = (seen.clone(), Rc::new(answer));
    tokio::task::spawn_local(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            noted.connections.set(noted.connections.get() + 1);
            tokio::task::spawn_local(converse(tcp, max_streams, noted.clone(), answer.clone()));
        }
    });
    (forward(&format!("h2c://127.0.0.1:{port}")), seen)
}

async fn converse<F, R>(
    io: impl AsyncRead + AsyncWrite + Unpin,
    max_streams: u32,
    seen: Rc<Seen>,
    answer: Rc<F>,
) where
    F: Fn(usize, Asked, Answering) -> R + 'static,
    R: Future<Output = ()> + 'static,
{
    let mut builder = h2::server::Builder::new();
    builder.max_concurrent_streams(max_streams);
    let Ok(mut connection) = builder.handshake::<_, Bytes>(io).await else {
        return;
    };
    while let Some(Ok((request, respond))) = connection.accept().await {
        let (parts, body) = request.into_parts();
        let number = seen.requests.borrow().len();
        seen.requests.borrow_mut().push(parts);
        tokio::task::spawn_local(answer(number, http::Request::new(body), respond));
    }
}

fn head(status: u16) -> http::Response<()> {
    http::Response::builder().status(status).body(()).unwrap()
}

async fn say(mut respond: Answering, text: &'static str) {
    if let Ok(mut stream) = respond.send_response(head(200), text.is_empty())
        && !text.is_empty()
    {
        let _ = stream.send_data(Bytes::from_static(text.as_bytes()), true);
    }
}

fn post(body: Body) -> Request {
    Request {
        body,
        ..request("POST", "/", &[("Host", "a.test")])
    }
}

#[test]
fn a_request_as_the_server_sees_it() {
    run(async {
        let (forward, seen) = serve(100, |_, _, respond| say(respond, "hello")).await;
        let fields = [
            ("Host", "a.test:81"),
            ("X-A", "1"),
            ("Te", "gzip, trailers"),
            ("Connection", "x-b"),
            ("X-B", "2"),
        ];
        assert_eq!(
            ask(&forward, request("GET", "/p%2F?q;r", &fields)).await,
            "200 hello"
        );
        assert_eq!(ask(&forward, post(Body::empty())).await, "200 hello");
        assert_eq!(ask(&forward, post(Body::from("abc"))).await, "200 hello");
        let requests = seen.requests.borrow();
        assert_eq!(requests[0].uri, "http://a.test:81/p%2F?q&r");
        let names: Vec<_> = requests[0]
            .headers
            .iter()
            .map(|(n, v)| format!("{n}={}", v.to_str().unwrap()))
            .collect();
        assert_eq!(names, ["x-a=1", "x-forwarded-for=192.0.2.7", "te=trailers"]);
        let lengths: Vec<_> = requests
            .iter()
            .map(|r| r.headers.get("content-length")?.to_str().ok())
            .collect();
        assert_eq!(lengths, [None, Some("0"), Some("3")]);
        assert_eq!(seen.connections.get(), 1);
    });
}

/// Sends everything back, trailers included.
async fn echo(_: usize, request: Asked, mut respond: Answering) {
    let mut body = request.into_body();
    let mut stream = respond.send_response(head(200), false).unwrap();
    while let Some(Ok(data)) = body.data().await {
        let _ = body.flow_control().release_capacity(data.len());
        stream.send_data(data, false).unwrap();
    }
    match body.trailers().await {
        Ok(Some(trailers)) => stream.send_trailers(trailers).unwrap(),
        _ => stream.send_data(Bytes::new(), true).unwrap(),
    }
}

#[test]
fn bodies_and_trailers_both_ways() {
    run(async {
        let (forward, _) = serve(100, echo).await;
        let (feed, body) = Feed::new(None);
        let mut cx = exchange();
        feed.piece("one");
        let mut response = forward.call(post(body), &mut cx).await;
        assert_eq!(response.body.chunk().await.unwrap().unwrap(), "one");
        feed.piece("two");
        assert_eq!(response.body.chunk().await.unwrap().unwrap(), "two");
        feed.end(&[("Grpc-Status", "0"), ("X-Sum", "1"), ("Authorization", "evil")]);
        assert!(response.body.chunk().await.is_none());
        assert_eq!(
            format!("{:?}", response.body.trailers().unwrap()),
            r#"{"Grpc-Status": "0", "X-Sum": "1"}"#
        );
        assert_eq!(cx.origin_streamed.unwrap().get(), 6);
    });
}

#[test]
fn large_bodies_pass_through_small_windows() {
    run(async {
        let (forward, _) = serve(100, echo).await;
        let text: String = (0..300_000).map(|n| char::from(b'a' + (n % 26) as u8)).collect();
        let mut cx = exchange();
        let mut response = forward.call(post(Body::from(text.clone())), &mut cx).await;
        let mut got = Vec::new();
        while let Some(chunk) = response.body.chunk().await {
            got.extend_from_slice(&chunk.unwrap());
        }
        assert!(got == text.as_bytes());
    });
}

#[test]
fn a_hundred_at_once_share_connections() {
    let check = |max_streams: u32, connections: std::ops::RangeInclusive<usize>| {
        run(async {
            let (forward, seen) = serve(max_streams, |_, _, respond| async {
                tokio::task::yield_now().await;
                say(respond, "ok").await;
            })
            .await;
            let forward = Rc::new(forward);
            // The first request learns what the server allows.
            assert_eq!(ask(&forward, get()).await, "200 ok");
            let ask_one =
                |forward: Rc<Forward>| tokio::task::spawn_local(async move { ask(&forward, get()).await });
            let asked: Vec<_> = (0..100).map(|_| ask_one(forward.clone())).collect();
            for answer in asked {
                assert_eq!(answer.await.unwrap(), "200 ok");
            }
            let made = seen.connections.get();
            assert!(
                connections.contains(&made),
                "{made} connections for {max_streams} streams"
            );
        });
    };
    check(200, 1..=1);
    check(10, 2..=11);
}

#[test]
fn first_requests_wait_for_one_dial() {
    run(async {
        let (forward, seen) = serve(200, |_, _, respond| say(respond, "ok")).await;
        let forward = Rc::new(forward);
        let ask_one =
            |forward: Rc<Forward>| tokio::task::spawn_local(async move { ask(&forward, get()).await });
        let asked: Vec<_> = (0..50).map(|_| ask_one(forward.clone())).collect();
        for answer in asked {
            assert_eq!(answer.await.unwrap(), "200 ok");
        }
        assert_eq!(seen.connections.get(), 1);
    });
    run(async {
        let forward = Rc::new(forward("h2c://127.0.0.1:1"));
        let ask_one =
            |forward: Rc<Forward>| tokio::task::spawn_local(async move { ask(&forward, get()).await });
        let asked: Vec<_> = (0..5).map(|_| ask_one(forward.clone())).collect();
        for answer in asked {
            assert_eq!(answer.await.unwrap(), "502 Connect unsent");
        }
    });
}

#[test]
fn refusals_and_resets() {
    let check = |first: fn(&mut Answering), body: fn() -> Body, want: &str, requests: usize| {
        run(async {
            let (forward, seen) = serve(100, move |number, _, mut respond| async move {
                match number {
                    0 => first(&mut respond),
                    _ => say(respond, "ok").await,
                }
            })
            .await;
            assert_eq!(ask(&forward, post(body())).await, want);
            assert_eq!(seen.requests.borrow().len(), requests);
        });
    };
    let refuse: fn(&mut Answering) = |r| r.send_reset(Reason::REFUSED_STREAM);
    check(refuse, Body::empty, "200 ok", 2);
    check(
        |r| r.send_reset(Reason::INTERNAL_ERROR),
        Body::empty,
        "500 Malformed",
        1,
    );
    check(|r| r.send_reset(Reason::CANCEL), Body::empty, "500 Malformed", 1);
}

#[test]
fn a_server_that_speaks_something_else() {
    let check = |says: &'static [u8]| {
        run(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            tokio::task::spawn_local(async move {
                while let Ok((mut tcp, _)) = listener.accept().await {
                    tokio::task::spawn_local(async move {
                        let _ = tcp.read(&mut [0; 4096]).await;
                        tcp.write_all(says).await.unwrap();
                        // It hears us out: bytes left unread would turn its close into a reset.
                        let _ = tcp.read_to_end(&mut Vec::new()).await;
                    });
                }
            });
            let forward = forward(&format!("h2c://127.0.0.1:{port}"));
            assert_eq!(ask(&forward, post(Body::empty())).await, "500 Malformed");
        });
    };
    check(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    // Its settings, then the end of the connection for a fault of ours that is none.
    let settings = b"\0\0\0\x04\0\0\0\0\0";
    let goaway = b"\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\x01";
    check([&settings[..], goaway].concat().leak());
}

#[test]
fn a_reset_inside_the_answer() {
    run(async {
        let (forward, _) = serve(100, |_, request, mut respond: Answering| async move {
            let mut stream = respond.send_response(head(200), false).unwrap();
            stream.send_data(Bytes::from_static(b"half"), false).unwrap();
            let _ = request.into_body().data().await;
            stream.send_reset(Reason::INTERNAL_ERROR);
        })
        .await;
        let (feed, body) = Feed::new(None);
        let mut cx = exchange();
        let mut response = forward.call(post(body), &mut cx).await;
        assert_eq!(response.body.chunk().await.unwrap().unwrap(), "half");
        feed.piece("go on");
        assert_eq!(
            response.body.chunk().await.unwrap().unwrap_err().kind,
            FaultKind::Broken
        );
    });
}

#[test]
fn an_answer_of_trailers_alone() {
    run(async {
        let (forward, _) = serve(100, |_, _, mut respond: Answering| async move {
            let mut head = head(200);
            head.headers_mut().insert("grpc-status", "12".parse().unwrap());
            respond.send_response(head, true).unwrap();
        })
        .await;
        let mut cx = exchange();
        let response = forward.call(post(Body::from("x")), &mut cx).await;
        assert_eq!(response.headers.get_str("grpc-status"), Some("12"));
        assert!(response.body.is_empty());
    });
}

#[test]
fn a_request_body_that_breaks_resets_the_stream() {
    run(async {
        let reset = Rc::new(Cell::new(None));
        let noted = reset.clone();
        let (forward, _) = serve(100, move |_, request, _respond| {
            let noted = noted.clone();
            async move {
                let mut body = request.into_body();
                while let Some(data) = body.data().await {
                    if let Err(error) = data {
                        return noted.set(error.reason());
                    }
                }
            }
        })
        .await;
        let (feed, body) = Feed::new(Some(9));
        feed.piece("part");
        feed.fail(Fault::new(FaultKind::ClientGone, "cut"));
        assert_eq!(ask(&forward, post(body)).await, "499 ClientGone");
        while reset.get().is_none() {
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn whoever_goes_away_resets_the_stream() {
    run(async {
        let reset = Rc::new(Cell::new(None));
        let noted = reset.clone();
        let (forward, seen) = serve(100, move |_, _, mut respond: Answering| {
            let noted = noted.clone();
            async move {
                let reason = std::future::poll_fn(|cx| respond.poll_reset(cx)).await;
                noted.set(reason.ok());
            }
        })
        .await;
        let mut cx = exchange();
        let asked = async {
            while seen.requests.borrow().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            _ = forward.call(get(), &mut cx) => panic!("there is no answer"),
            () = asked => {}
        }
        while reset.get().is_none() {
            tokio::task::yield_now().await;
        }
        assert_eq!(reset.get(), Some(Reason::CANCEL));
    });
}

#[test]
fn silence_is_found_out() {
    run(async {
        // Takes the connection, and never reads from it.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("h2c://{}", listener.local_addr().unwrap());
        let settings = Settings {
            read_idle_timeout: Some(Duration::from_millis(20)),
            ping_timeout: Some(Duration::from_millis(20)),
            ..Settings::default()
        };
        let told = ask(&forward_with(&url, settings), get()).await;
        assert!(
            told.starts_with("502 Closed") || told.starts_with("500 Malformed"),
            "{told}"
        );
    });
}

#[test]
fn an_upgrade_goes_over_http1() {
    run(async {
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        let server = Server::start(vec![vec![REQUEST, send(answer)]]).await;
        let req = Request {
            upgrade: Some("websocket".into()),
            ..get()
        };
        assert_eq!(
            ask(&forward(&format!("h2c://127.0.0.1:{}", server.port)), req).await,
            "200 ok"
        );
        assert!(server.heard(0).starts_with("GET / HTTP/1.1\r\n"));
    });
}

#[test]
fn alpn_decides() {
    let certs = Certs::generate();
    let check = |offers: &[&[u8]], http1_only: bool, upgrade: bool, want: &str| {
        run(async {
            let mut config = certs.server_config("backend", None);
            config.alpn_protocols = offers.iter().map(|p| p.to_vec()).collect();
            let acceptor = TlsAcceptor::from(Arc::new(config));
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("https://{}", listener.local_addr().unwrap());
            tokio::task::spawn_local(async move {
                while let Ok((tcp, _)) = listener.accept().await {
                    let Ok(mut tls) = acceptor.accept(tcp).await else {
                        continue;
                    };
                    if tls.get_ref().1.alpn_protocol() == Some(b"h2") {
                        let answer = |_, _, respond| say(respond, "h2");
                        tokio::task::spawn_local(converse(tls, 10, Rc::default(), Rc::new(answer)));
                        continue;
                    }
                    tokio::task::spawn_local(async move {
                        use tokio::io::{AsyncReadExt, AsyncWriteExt};
                        let mut seen = Vec::new();
                        while let Ok(1..) = tls.read_buf(&mut seen).await {
                            if seen.ends_with(b"\r\n\r\n") {
                                let _ = tls
                                    .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh1")
                                    .await;
                            }
                        }
                    });
                }
            });
            let tls = TlsSettings {
                insecure_skip_verify: true,
                http1_only,
                ..TlsSettings::default()
            };
            let forward = forward_with(
                &url,
                Settings {
                    tls,
                    ..Settings::default()
                },
            );
            let mut got = Vec::new();
            for _ in 0..3 {
                let upgrade = upgrade.then(|| "websocket".into());
                got.push(ask(&forward, Request { upgrade, ..get() }).await);
            }
            assert!(got.iter().all(|g| g == want), "{offers:?}: {got:?}");
        });
    };
    check(&[b"h2", b"http/1.1"], false, false, "200 h2");
    check(&[b"http/1.1"], false, false, "200 h1");
    check(&[], false, false, "200 h1");
    check(&[b"h2", b"http/1.1"], true, false, "200 h1");
    check(&[b"h2", b"http/1.1"], false, true, "200 h1");
}
