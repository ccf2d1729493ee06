//! G: who is slow, or gone, does not hold anything.

use crate::client2;
use crate::world::{Before, INSTALL, ROUTING, gateway};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use trilithon_testkit::{Ended, Gateway, PATIENCE, Upstream, until};

/// A second is the aim; a machine that builds beside the tests needs more.
const AT_ONCE: Duration = Duration::from_secs(3);

/// An entry point with these time-outs.
fn timed(timeouts: &str, upstream: &Upstream) -> Gateway {
    let options = format!("'127.0.0.1:@web@', transport: {{respondingTimeouts: {{{timeouts}}}}}}}");
    let install = INSTALL.replace("'127.0.0.1:@web@'}", &options);
    gateway()
        .install(&install)
        .routing(ROUTING)
        .upstream("b1", upstream)
        .start()
}

/// The connection ends without an answer, not much before `time` and long before anybody would lose patience.
#[track_caller]
fn assert_cut(client: &mut trilithon_testkit::RawClient, began: Instant, time: Duration, what: &str) {
    let (bytes, ended) = client.read_to_end(PATIENCE);
    let took = began.elapsed();
    assert!(bytes.is_empty(), "{what}: {}", bytes.escape_ascii());
    assert_ne!(ended, Ended::Open, "{what}");
    assert!(
        took + Duration::from_millis(50) >= time,
        "{what}: cut after {took:?}"
    );
}

#[test]
fn g01_slow_heads() {
    let time = Duration::from_millis(400);
    let gateway = timed("readTimeout: 400ms", &Upstream::echo());
    let began = Instant::now();
    assert_cut(&mut gateway.client("web"), began, time, "nothing at all");
    let looked = Before::look(&gateway, "web", "slow-head");
    let (began, mut client) = (Instant::now(), gateway.client("web"));
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\nX-A: ");
    assert_cut(&mut client, began, time, "half a head");
    looked.refused_once("half a head");
    // Drops of a head do not buy time.
    let looked = Before::look(&gateway, "web", "slow-head");
    let (began, mut client) = (Instant::now(), gateway.client("web"));
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\n");
    let cut = until(PATIENCE, || {
        let sent = client.try_send("X-A: 1\r\n").is_err();
        let (bytes, ended) = client.read_to_end(Duration::from_millis(50));
        assert!(bytes.is_empty(), "{}", bytes.escape_ascii());
        (sent || ended != Ended::Open).then_some(())
    });
    assert!(cut.is_some() && began.elapsed() >= time, "drops");
    looked.refused_once("drops");
    // A head that is in time is served, also as the second of its connection.
    let mut client = gateway.client("web");
    assert_eq!(client.ask("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").status, 200);
    let began = Instant::now();
    client.send("GET / HT");
    assert_cut(&mut client, began, time, "half a second head");
}

#[test]
fn g01_slow_bodies() {
    let gateway = timed("readTimeout: 400ms", &Upstream::echo());
    for head in [
        "Content-Length: 5\r\n\r\nhe",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhe",
    ] {
        let looked = Before::look(&gateway, "web", "slow-body");
        let (began, mut client) = (Instant::now(), gateway.client("web"));
        client.send(format!("POST / HTTP/1.1\r\nHost: a.test\r\n{head}"));
        assert_cut(&mut client, began, Duration::from_millis(400), head);
        looked.refused_once(head);
    }
}

#[test]
fn g01_idle_connections() {
    let gateway = timed("idleTimeout: 300ms, readTimeout: 0s", &Upstream::echo());
    let mut client = gateway.client("web");
    assert_eq!(client.ask("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").status, 200);
    let began = Instant::now();
    assert_cut(&mut client, began, Duration::from_millis(300), "idle");
    // In HTTP/2 idle means that no stream is open.
    client2::run(async {
        let mut client = client2::connect(&gateway, "web").await;
        assert_eq!(client2::get(&mut client, "http://a.test/").await.status, 200);
        let request = http::Request::get("http://a.test/")
            .header("x-do", "delay=800")
            .body(())
            .expect("a request");
        let (answer, _) = client.send_request(request, true).expect("an open connection");
        assert_eq!(
            answer
                .await
                .expect("an answer after more than the idle time")
                .status(),
            200
        );
        let ended = tokio::time::timeout(PATIENCE, async {
            while client.clone().ready().await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        ended.await.expect("an idle connection ends");
    });
}

/// Who does not read the answer is given up.
#[test]
fn g01_slow_readers() {
    const LENGTH: usize = 30_000_000;
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n");
    let upstream = Upstream::bytes([head.as_bytes(), &vec![b'x'; LENGTH]].concat());
    let gateway = timed("writeTimeout: 2s", &upstream);
    let mut client = gateway.client("web");
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    client.read_until(b"\r\n\r\n");
    until(Duration::from_millis(3500), || None::<()>);
    let (bytes, ended) = client.read_to_end(PATIENCE);
    assert!(
        bytes.len() < LENGTH && ended != Ended::Open,
        "{} bytes, {ended:?}",
        bytes.len()
    );
}

/// A socket that left HTTP may be silent as long as it likes.
#[test]
fn g01_silent_upgraded_connections() {
    let gateway = timed(
        "readTimeout: 200ms, writeTimeout: 200ms, idleTimeout: 200ms",
        &Upstream::echo(),
    );
    let mut client = gateway.client("web");
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    assert_eq!(client.response().status, 101);
    until(Duration::from_millis(700), || None::<()>);
    assert_eq!(client.send("still there").read(11), b"still there");
}

/// A server that streams for ever, and tells when its connection ended.
fn endless() -> (u16, Receiver<Instant>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = listener
        .local_addr()
        .expect("a bound listener has an address")
        .port();
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let tell = tell.clone();
            std::thread::spawn(move || {
                let mut stream = stream;
                let mut head = [0; 4096];
                if stream.read(&mut head).unwrap_or(0) == 0 {
                    return;
                }
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
                while stream.write_all(b"5\r\ntoken\r\n").is_ok() {
                    // A server that goes on for as long as somebody takes it; the pace is no wait.
                    #[allow(clippy::disallowed_methods)]
                    std::thread::sleep(Duration::from_millis(20));
                }
                let _ = tell.send(Instant::now());
            });
        }
    });
    (port, told)
}

#[test]
fn g02_clients_that_leave() {
    let (port, told) = endless();
    let gateway = gateway()
        .routing(ROUTING)
        .at_port("b1", port)
        .wait_only_for(&["web", "traefik"])
        .start();
    let check = |what: &str, left: Instant| {
        let ended = told
            .recv_timeout(PATIENCE)
            .expect("the upstream's connection ends");
        let took = ended.saturating_duration_since(left);
        assert!(took < AT_ONCE, "{what}: called off after {took:?}");
    };
    let streaming = || {
        let mut client = gateway.client("web");
        client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
        client.read_until(b"token");
        client
    };
    let client = streaming();
    let left = Instant::now();
    drop(client);
    check("closed", left);
    let client = streaming();
    let left = Instant::now();
    client.reset();
    check("reset", left);
    client2::run(async {
        let mut client = client2::connect(&gateway, "web").await;
        let request = http::Request::get("http://a.test/").body(()).expect("a request");
        let (answer, mut stream) = client.send_request(request, true).expect("an open connection");
        let mut body = answer.await.expect("an answer").into_body();
        assert!(client2::next(&mut body).await.is_some());
        stream.send_reset(h2::Reason::CANCEL);
        drop(body);
    });
    check("HTTP/2 reset", Instant::now());
}

/// The same while the server is still thinking.
#[test]
fn g02_clients_that_leave_before_the_answer() {
    let (tell, told) = channel();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = listener
        .local_addr()
        .expect("a bound listener has an address")
        .port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = [0; 4096];
            let read = stream.read(&mut head).unwrap_or(0);
            let _ = tell.send(read > 0);
            let _ = stream.read(&mut head);
            let _ = tell.send(false);
        }
    });
    let gateway = gateway()
        .routing(ROUTING)
        .at_port("b1", port)
        .wait_only_for(&["web", "traefik"])
        .start();
    for request in [
        "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\n\r\nbody",
        "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
    ] {
        let mut client = gateway.client("web");
        client.send(request);
        assert_eq!(told.recv_timeout(PATIENCE), Ok(true), "{request}");
        let left = Instant::now();
        drop(client);
        assert_eq!(told.recv_timeout(PATIENCE), Ok(false), "{request}");
        assert!(left.elapsed() < AT_ONCE, "{request}");
    }
}
