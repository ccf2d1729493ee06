//! One server of literal bytes per row, and what is made of it.

use crate::testing::*;
use bytes::Bytes;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use trilithon_flow::{Body, Fault, FaultKind, Request, Response, Service};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// What becomes of an answer, and whether the connection is used for the next request.
fn check_with(req: fn() -> Request, answer: &str, then: Option<Move>, want: &str, kept: bool) {
    run(async {
        let mut script = vec![REQUEST, send(answer)];
        script.extend(then.clone());
        script.extend([REQUEST, send(OK)]);
        let server = Server::start(vec![script, vec![REQUEST, send(OK)]]).await;
        let forward = forward(&server.url());
        assert_eq!(ask(&forward, req()).await, want, "{answer:?}");
        assert_eq!(ask(&forward, get()).await, "200 ok", "{answer:?}");
        assert_eq!(server.connections() == 1, kept, "{answer:?} kept");
    });
}

fn check(answer: &str, want: &str, kept: bool) {
    check_with(get, answer, None, want, kept);
}

/// The same when the server closes after it.
fn check_closed(answer: &str, want: &str) {
    check_with(get, answer, Some(Move::Close), want, false);
}

#[test]
fn answers_and_their_connections() {
    check(
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "200 hello",
        true,
    );
    check("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", "200", true);
    check("HTTP/1.1 204 No Content\r\n\r\n", "204", true);
    check(
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
        "304",
        true,
    );
    check(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
        "200 abc de",
        true,
    );
    check(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n1\r\na\r\n0\r\nX-Sum: 42\r\nHost: evil\r\n\r\n",
        "200 a {\"X-Sum\": \"42\"}",
        true,
    );
    check(
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\na",
        "200 a",
        false,
    );
    check("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", "200 a", false);
    check(
        "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\na",
        "200 a",
        true,
    );
    check_closed("HTTP/1.1 200 OK\r\n\r\nup to the end", "200 up to the end");
    let large = "x".repeat(100_000);
    check(
        &format!("HTTP/1.1 200 OK\r\nX: {large}\r\nContent-Length: 2\r\n\r\nok"),
        "200 ok",
        true,
    );
}

#[test]
fn bytes_that_nobody_asked_for_end_the_connection() {
    check(
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\n\r\n",
        "200 a",
        false,
    );
    check("HTTP/1.1 204 No Content\r\n\r\nbody", "204", false);
    check(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\nmore",
        "200 a",
        false,
    );
    let head = || request("HEAD", "/", &[("Host", "a.test")]);
    check_with(
        head,
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n",
        None,
        "200",
        true,
    );
    check_with(
        head,
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody",
        None,
        "200",
        false,
    );
}

#[test]
fn bad_answers() {
    check("nonsense\r\n\r\n", "500 Malformed", false);
    check("HTTP/1.1 20 OK\r\n\r\n", "500 Malformed", false);
    check("HTTP/1.1 2000 OK\r\n\r\n", "500 Malformed", false);
    check("HTTP/2 200 OK\r\n\r\n", "500 Malformed", false);
    check("HTTP/1.1 200 OK\r\nbad header: x\r\n\r\n", "500 Malformed", false);
    check(
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "500 Malformed",
        false,
    );
    check(
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "500 Malformed",
        false,
    );
    check(
        "HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        "500 Malformed",
        false,
    );
    check(
        &format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(300_000)),
        "500 Malformed",
        false,
    );
    check(
        &format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: y\r\n".repeat(3000)),
        "500 Malformed",
        false,
    );
    check_closed("HTTP/1.1 200 OK\r\nContent-Le", "500 Malformed");
    check_closed("", "502 Closed");
    check(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\nzz\r\n",
        "200 a Broken",
        false,
    );
    check_closed(
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",
        "200 hel Broken",
    );
    check_closed(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        "200 hel Broken",
    );
}

#[test]
fn interim_answers() {
    let check = |answer: &str, want: &str, interims: &[u16]| {
        run(async {
            let server = Server::start(vec![vec![REQUEST, send(answer)]]).await;
            let (forward, mut cx) = (forward(&server.url()), exchange());
            assert_eq!(tell(forward.call(get(), &mut cx).await).await, want);
            let seen: Vec<u16> = cx.interim.take().into_iter().map(|(status, _)| status).collect();
            assert_eq!(seen, interims);
        });
    };
    let early = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    check(&format!("{early}{OK}"), "200 ok", &[103]);
    check(
        &format!("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n{early}{OK}"),
        "200 ok",
        &[102, 103],
    );
    check(&format!("{}{OK}", early.repeat(16)), "200 ok", &[103; 16]);
    check(&format!("{}{OK}", early.repeat(17)), "500 Malformed", &[103; 16]);
}

/// Cuts a text into pieces at random.
fn pieces(text: &str, random: &mut fastrand::Rng) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at(random.usize(1..=rest.len().min(24)));
        pieces.push(piece.to_owned());
        rest = behind;
    }
    pieces
}

#[test]
fn answers_read_the_same_however_they_are_cut() {
    let chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-T: 1\r\n\r\n";
    let early =
        "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde";
    for seed in 0..60 {
        let mut random = fastrand::Rng::with_seed(seed);
        let (answer, end) = if seed % 2 == 0 {
            (chunked, " {\"X-T\": \"1\"}")
        } else {
            (early, "")
        };
        run(async {
            let mut script = vec![REQUEST];
            script.extend(pieces(answer, &mut random).into_iter().map(send));
            script.extend([REQUEST, send(OK)]);
            let server = Server::start(vec![script]).await;
            let forward = forward(&server.url());
            let told = ask(&forward, get()).await;
            let told = told.replacen("200 ", "", 1).replace(end, "").replace(' ', "");
            assert_eq!(told, "abcde", "seed {seed}");
            assert_eq!(ask(&forward, get()).await, "200 ok", "seed {seed}");
            assert_eq!(server.connections(), 1, "seed {seed}");
        });
    }
}

#[test]
fn a_body_arrives_however_it_is_cut() {
    for seed in 0..40 {
        let mut random = fastrand::Rng::with_seed(seed);
        let text: String = (0..random.usize(1..200)).map(|_| random.alphanumeric()).collect();
        let length = random.bool().then_some(text.len() as u64);
        run(async {
            let server = Server::start(vec![vec![REQUEST]]).await;
            let (feed, body) = Feed::new(length);
            let (forward, mut cx) = (forward(&server.url()), exchange());
            let cuts = pieces(&text, &mut random);
            let feeding = async {
                for piece in &cuts {
                    feed.piece(piece);
                    tokio::task::yield_now().await;
                }
                feed.end(&[]);
                let end = if length.is_some() {
                    cuts.last().unwrap()
                } else {
                    "\r\n0\r\n\r\n"
                };
                while !server.heard(0).ends_with(end) {
                    tokio::task::yield_now().await;
                }
            };
            tokio::select! {
                _ = forward.call(post(&[], body), &mut cx) => panic!("there is no answer"),
                () = feeding => {}
            }
            let heard = server.heard(0);
            let heard = heard.split_once("\r\n\r\n").map_or("", |(_, body)| body);
            let want = match length {
                Some(_) => text.clone(),
                None => {
                    cuts.iter()
                        .map(|c| format!("{:x}\r\n{c}\r\n", c.len()))
                        .collect::<String>()
                        + "0\r\n\r\n"
                }
            };
            assert_eq!(heard, want, "seed {seed}");
        });
    }
}

#[test]
fn the_record_tells() {
    let check = |answer: &str, status: u16, bytes: u64| {
        run(async {
            let server = Server::start(vec![vec![REQUEST, send(answer), Move::Close]]).await;
            let (forward, mut cx) = (forward(&server.url()), exchange());
            let response = forward.call(get(), &mut cx).await;
            tell(response).await;
            let streamed = cx.origin_streamed.take().map_or(0, |n| n.get());
            assert_eq!(
                (cx.record.origin_status, cx.record.origin_bytes + streamed),
                (status, bytes),
                "{answer}"
            );
            assert_eq!(cx.record.server_addr.as_deref(), Some(&*forward.origin.authority));
            assert_eq!(cx.record.server_url.as_deref(), Some(&*server.url()));
            assert_eq!(cx.record.fault.is_some(), status == 502);
            assert!(cx.record.origin_duration > Duration::ZERO);
        });
    };
    check(OK, 200, 2);
    check(
        "HTTP/1.1 203 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        203,
        3,
    );
    check("HTTP/1.1 200 OK\r\n\r\nabcd", 200, 4);
    check("", 502, 11);
}

// ── requests ────────────────────────────────────────────────────────────────────────────────────────────────────────

fn post(headers: &[(&str, &str)], body: Body) -> Request {
    let mut req = request("POST", "/", &[("Host", "a.test")]);
    for (name, value) in headers {
        req.headers.append(name, value);
    }
    Request { body, ..req }
}

#[test]
fn a_body_is_framed_by_what_it_is() {
    let check = |method: &str, body: Body, headers: &[(&str, &str)], want: &str| {
        run(async {
            let server = Server::start(vec![vec![REQUEST, send(OK)]]).await;
            let mut req = request(method, "/", &[("Host", "a.test")]);
            headers.iter().for_each(|(n, v)| req.headers.append(n, v));
            req.body = body;
            assert_eq!(ask(&forward(&server.url()), req).await, "200 ok");
            let end = want.rsplit("\r\n").next().unwrap_or_default();
            server.hears(0, end).await;
            let heard = server.heard(0).replace("X-Forwarded-For: 192.0.2.7\r\n", "");
            assert_eq!(
                heard.split_once("Host: a.test\r\n").map(|(_, rest)| rest),
                Some(want)
            );
        });
    };
    check(
        "POST",
        Body::empty(),
        &[("Content-Length", "7")],
        "Content-Length: 0\r\n\r\n",
    );
    check("DELETE", Body::empty(), &[("Content-Length", "0")], "\r\n");
    check(
        "POST",
        Body::from("hello"),
        &[("Content-Length", "7"), ("Transfer-Encoding", "chunked")],
        "Content-Length: 5\r\n\r\nhello",
    );
    let with_trailers = Body::with_trailers(
        Bytes::from_static(b"abc"),
        Some([("X-Sum", "1")].into_iter().collect()),
    );
    check(
        "PUT",
        with_trailers,
        &[("Trailer", "X-Sum")],
        "Trailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n",
    );
}

#[test]
fn a_body_that_streams() {
    run(async {
        let chunks = vec![
            Move::Read("5\r\nhello\r\n"),
            Move::Read("0\r\nX-T: 1\r\n\r\n"),
            send(OK),
        ];
        let server = Server::start(vec![chunks]).await;
        let (feed, body) = Feed::new(None);
        let forward = forward(&server.url());
        let answer = tokio::task::spawn_local(async move { ask(&forward, post(&[], body)).await });
        feed.piece("hello");
        server.hears(0, "5\r\nhello").await;
        feed.piece(" world");
        server.hears(0, "\r\n6\r\n world").await;
        feed.end(&[("X-T", "1")]);
        assert_eq!(answer.await.unwrap(), "200 ok");
        assert!(
            server
                .heard(0)
                .ends_with("\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\nX-T: 1\r\n\r\n")
        );
        assert_eq!(idle(), 1);
    });
}

#[test]
fn both_directions_at_once() {
    run(async {
        let first = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n";
        let server = Server::start(vec![vec![
            Move::Read("one"),
            send(first),
            Move::Read("two"),
            send("1\r\nb\r\n0\r\n\r\n"),
        ]])
        .await;
        let (feed, body) = Feed::new(None);
        feed.piece("one");
        let (forward, mut cx) = (forward(&server.url()), exchange());
        let mut response = forward.call(post(&[], body), &mut cx).await;
        assert_eq!(response.body.chunk().await.unwrap().unwrap(), "a");
        feed.piece("two");
        assert_eq!(response.body.chunk().await.unwrap().unwrap(), "b");
        // The answer is complete, the request is not: this connection serves nobody else.
        assert!(response.body.chunk().await.is_none());
        assert_eq!(idle(), 0);
        server.gone(1).await;
    });
}

#[test]
fn a_broken_body_ends_the_connection() {
    let check = |length: Option<u64>, end: fn(&Feed), want: &str| {
        run(async {
            let server = Server::start(vec![vec![Move::Gone]]).await;
            let (feed, body) = Feed::new(length);
            feed.piece("hello");
            end(&feed);
            assert_eq!(ask(&forward(&server.url()), post(&[], body)).await, want);
            server.gone(1).await;
            assert!(
                !server.heard(0).contains("0\r\n\r\n"),
                "an end that was not there"
            );
        });
    };
    check(Some(9), |feed| feed.end(&[]), "499 ClientGone");
    check(
        Some(9),
        |feed| feed.fail(Fault::new(FaultKind::ClientTimeout, "slow")),
        "408 ClientTimeout",
    );
    check(
        None,
        |feed| feed.fail(Fault::new(FaultKind::ClientGone, "cut")),
        "499 ClientGone",
    );
}

#[test]
fn expect_continue() {
    let expecting = |body| post(&[("Expect", "100-continue")], body);
    // Said, the body follows.
    run(async {
        let script = vec![
            REQUEST,
            send("HTTP/1.1 100 Continue\r\n\r\n"),
            Move::Read("hello"),
            send(OK),
        ];
        let server = Server::start(vec![script]).await;
        assert_eq!(
            ask(&forward(&server.url()), expecting(Body::from("hello"))).await,
            "200 ok"
        );
        assert_eq!(idle(), 1);
    });
    // Refused, the body is not touched, and the connection is not used again.
    run(async {
        let refusal = "HTTP/1.1 417 No\r\nContent-Length: 2\r\n\r\nno";
        let server = Server::start(vec![vec![REQUEST, send(refusal)]]).await;
        let (feed, body) = Feed::new(Some(5));
        assert_eq!(ask(&forward(&server.url()), expecting(body)).await, "417 no");
        assert!(!feed.polled());
        server.gone(1).await;
    });
    // Not said within a second, the body follows all the same.
    run(async {
        let server = Server::start(vec![vec![Move::Read("hello"), send(OK)]]).await;
        assert_eq!(
            ask(&forward(&server.url()), expecting(Body::from("hello"))).await,
            "200 ok"
        );
    });
}

// ── connections ─────────────────────────────────────────────────────────────────────────────────────────────────────

#[test]
fn a_kept_connection_that_is_gone() {
    let check = |again: fn() -> Request, want: &str, connections: usize| {
        run(async {
            let dying = vec![REQUEST, send(OK), REQUEST, Move::Close];
            let server = Server::start(vec![dying, vec![REQUEST, send(OK)]]).await;
            let forward = forward(&server.url());
            assert_eq!(ask(&forward, get()).await, "200 ok");
            assert_eq!(ask(&forward, again()).await, want);
            assert_eq!(server.connections(), connections);
        });
    };
    check(get, "200 ok", 2);
    check(|| post(&[], Body::empty()), "502 Closed", 1);
    check(|| post(&[("Idempotency-Key", "1")], Body::empty()), "200 ok", 2);
    check(|| post(&[], Body::from("x")), "502 Closed", 1);
    check(
        || Request {
            body: Body::from("x"),
            ..get()
        },
        "502 Closed",
        1,
    );
}

#[test]
fn a_new_connection_that_is_gone_is_not_replaced() {
    run(async {
        let server = Server::start(vec![vec![REQUEST, Move::Close]]).await;
        assert_eq!(ask(&forward(&server.url()), get()).await, "502 Closed");
        assert_eq!(server.connections(), 1);
    });
}

#[test]
fn closed_or_talkative_idle_connections_are_not_used() {
    for then in [Move::Close, send("HTTP/1.1 408 Timeout\r\n\r\n")] {
        run(async {
            let server = Server::start(vec![vec![REQUEST, send(OK), then], vec![REQUEST, send(OK)]]).await;
            let forward = forward(&server.url());
            assert_eq!(ask(&forward, get()).await, "200 ok");
            // The sweeper sees it within two ticks, without any request.
            tokio::time::sleep(crate::pool::TICK * 2).await;
            assert_eq!(idle(), 0);
            assert_eq!(ask(&forward, post(&[], Body::empty())).await, "200 ok");
        });
    }
}

#[test]
fn idle_connections_have_limits() {
    run(async {
        let server = Server::start(vec![vec![REQUEST, send(OK)]]).await;
        let settings = || crate::Settings {
            idle_timeout: Some(Duration::from_millis(1)),
            ..Default::default()
        };
        let forward = forward_with(&server.url(), settings());
        let forward = std::rc::Rc::new(forward);
        let mut asked = Vec::new();
        for _ in 0..4 {
            let forward = forward.clone();
            asked.push(tokio::task::spawn_local(
                async move { ask(&forward, get()).await },
            ));
        }
        for answer in asked {
            assert_eq!(answer.await.unwrap(), "200 ok");
        }
        assert_eq!((server.connections(), idle()), (4, 2));
        server.gone(4).await;
        assert_eq!(idle(), 0);
    });
}

#[test]
fn whoever_goes_away_ends_the_exchange() {
    // Waiting for the head.
    run(async {
        let server = Server::start(vec![vec![REQUEST, Move::Gone]]).await;
        let (forward, mut cx) = (forward(&server.url()), exchange());
        tokio::select! {
            _ = forward.call(get(), &mut cx) => panic!("there is no answer"),
            () = server.hears(0, "\r\n\r\n") => {}
        }
        server.gone(1).await;
    });
    // In the middle of the body.
    run(async {
        let part = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart";
        let server = Server::start(vec![vec![REQUEST, send(part), Move::Gone]]).await;
        let (forward, mut cx) = (forward(&server.url()), exchange());
        let mut response = forward.call(get(), &mut cx).await;
        assert_eq!(response.body.chunk().await.unwrap().unwrap(), "part");
        drop(response);
        server.gone(1).await;
        assert_eq!(idle(), 0);
    });
}

#[test]
fn a_head_that_takes_too_long() {
    run(async {
        let server = Server::start(vec![vec![REQUEST, Move::Gone]]).await;
        let settings = crate::Settings {
            response_header_timeout: Some(Duration::from_millis(30)),
            ..Default::default()
        };
        assert_eq!(
            ask(&forward_with(&server.url(), settings), get()).await,
            "504 ResponseTimeout"
        );
        server.gone(1).await;
    });
}

#[test]
fn ntlm_gets_connections_of_its_own() {
    run(async {
        let challenge = "HTTP/1.1 401 No\r\nWWW-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n";
        let server = Server::start(vec![
            vec![REQUEST, send(challenge), REQUEST, send(OK)],
            vec![REQUEST, send(OK), REQUEST, send(OK), Move::Gone],
        ])
        .await;
        let forward = forward(&server.url());
        let (mut one, mut other) = (exchange(), exchange());
        assert_eq!(tell(forward.call(get(), &mut one).await).await, "401");
        assert_eq!(tell(forward.call(get(), &mut one).await).await, "200 ok");
        assert_eq!(tell(forward.call(get(), &mut one).await).await, "200 ok");
        assert_eq!(server.connections(), 2, "one connection for this client");
        assert_eq!(tell(forward.call(get(), &mut other).await).await, "200 ok");
        assert_eq!(server.connections(), 2, "the common one for others");
        drop(one);
        server.gone(1).await;
        assert_eq!(idle(), 1);
    });
}

// ── upgrades ────────────────────────────────────────────────────────────────────────────────────────────────────────

fn upgrading(to: &str) -> Request {
    Request {
        upgrade: Some(to.into()),
        ..request("GET", "/", &[("Host", "a.test"), ("Sec-Websocket-Key", "x")])
    }
}

#[test]
fn upgrades() {
    run(async {
        let switch = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\nX-A: 1\r\n\r\nearly";
        let server = Server::start(vec![vec![
            REQUEST,
            send(switch),
            Move::Read("ping"),
            send("pong"),
        ]])
        .await;
        let (forward, mut cx) = (forward(&server.url()), exchange());
        let mut response: Response = forward.call(upgrading("websocket"), &mut cx).await;
        assert_eq!(response.status, 101);
        let headers = format!("{:?}", response.headers);
        assert_eq!(headers, r#"{"X-A": "1", "Upgrade": "WebSocket"}"#);
        let mut upgraded = response.upgraded.take().unwrap();
        assert_eq!(upgraded.early, "early");
        upgraded.io.write_all(b"ping").await.unwrap();
        let mut pong = [0; 4];
        upgraded.io.read_exact(&mut pong).await.unwrap();
        assert_eq!(&pong, b"pong");
        let heard = server.heard(0);
        assert!(
            heard.contains("\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"),
            "{heard}"
        );
        assert!(heard.contains("\r\nSec-WebSocket-Key: x\r\n"), "{heard}");
    });
    let switch = "HTTP/1.1 101 Switching\r\nUpgrade: other\r\nConnection: Upgrade\r\n\r\n";
    check_with(|| upgrading("websocket"), switch, None, "500 Malformed", false);
    check_with(
        || upgrading("h2c"),
        "HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\n\r\n",
        None,
        "500 Malformed",
        false,
    );
    check_with(
        || upgrading("websocket"),
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno",
        None,
        "200 no",
        true,
    );
}
