//! The end: the doors stay open for a while, what is under way ends, and the process says that it went well.

use crate::client2;
use crate::world::{INSTALL, ROUTING, gateway};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};
use trilithon_testkit::{Ended, Gateway, PATIENCE, Upstream, eventually};

/// A gateway with these grace times, asked for `/ping` on `web`.
fn graceful(times: &str) -> Gateway {
    let install = INSTALL.replace(
        "'127.0.0.1:@web@'}",
        &format!("'127.0.0.1:@web@', transport: {{lifeCycle: {{{times}}}}}}}"),
    ) + "ping: {entryPoint: web}\n";
    gateway()
        .install(&install)
        .routing(ROUTING)
        .upstream("b1", Upstream::echo())
        .start()
}

fn accepts(gateway: &Gateway) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, gateway.port("web"))).is_ok()
}

#[track_caller]
fn assert_ended_well(gateway: &Gateway, within: Duration) {
    let status = gateway.exit(within).expect("the process ends in time");
    assert_eq!(status.code(), Some(0), "{status}");
}

const SLOW: &str = "GET /slow HTTP/1.1\r\nHost: a.test\r\nX-Do: delay=2500\r\n\r\n";
const GET: &str = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";

#[test]
fn the_doors_close_in_order() {
    let gateway = graceful("requestAcceptGraceTimeout: 1500ms, graceTimeOut: 8s");
    let ping = || gateway.get("a.test", "/ping");
    assert_eq!((ping().status, &*ping().text()), (200, "OK"));
    let mut idle = gateway.client("web");
    assert_eq!(idle.ask(GET).status, 200);
    let mut slow = gateway.client("web");
    slow.send(SLOW);
    eventually("the slow request is under way", || {
        gateway.upstream("b1").requests() == 2
    });
    let told = Instant::now();
    gateway.terminate();
    // Balancers are told to go elsewhere, but whoever still comes is served.
    eventually("ping says that the end is near", || ping().status == 503);
    assert_eq!(ping().text().trim_end(), "Service Unavailable");
    assert_eq!(gateway.get("a.test", "/").status, 200);
    assert_eq!(idle.ask(GET).status, 200, "an open connection is served too");
    // Then the doors close, and idle connections end.
    eventually("nobody is let in", || !accepts(&gateway));
    assert!(
        told.elapsed() >= Duration::from_millis(1400),
        "too early: {:?}",
        told.elapsed()
    );
    assert!(idle.closes(), "an idle connection ends");
    let answer = slow.response();
    assert_eq!(
        (answer.status, answer.header("connection")),
        (200, "close"),
        "what is under way ends well"
    );
    assert!(slow.closes());
    assert_ended_well(&gateway, Duration::from_secs(3));
}

#[test]
fn an_idle_gateway_ends_at_once() {
    let gateway = graceful("graceTimeOut: 30s");
    let mut idle = gateway.client("web");
    assert_eq!(idle.ask(GET).status, 200);
    let fresh = gateway.client("web");
    gateway.terminate();
    assert!(idle.closes());
    assert_ended_well(&gateway, Duration::from_secs(3));
    drop(fresh);
}

/// What does not end in time is cut, and the process ends all the same.
#[test]
fn grace_has_an_end() {
    let gateway = graceful("graceTimeOut: 500ms");
    let mut slow = gateway.client("web");
    slow.send("GET / HTTP/1.1\r\nHost: a.test\r\nX-Do: delay=20000\r\n\r\n");
    let mut upgraded = gateway.client("web");
    upgraded.send("GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    assert_eq!(upgraded.response().status, 101);
    eventually("both are under way", || gateway.upstream("b1").requests() == 2);
    let told = Instant::now();
    gateway.terminate();
    assert_ended_well(&gateway, PATIENCE);
    assert!(
        (Duration::from_millis(450)..Duration::from_secs(4)).contains(&told.elapsed()),
        "{:?}",
        told.elapsed()
    );
    let (bytes, ended) = slow.read_to_end(PATIENCE);
    assert!(bytes.is_empty() && ended != Ended::Open);
}

#[test]
fn streams_under_way_end_well() {
    let gateway = graceful("graceTimeOut: 8s");
    client2::run(async {
        let mut client = client2::connect(&gateway, "web").await;
        let request = http::Request::get("http://a.test/slow")
            .header("x-do", "delay=1000")
            .body(())
            .expect("a request");
        let (answer, _) = client.send_request(request, true).expect("an open connection");
        let mut waited = 0;
        while gateway.upstream("b1").requests() == 0 && waited < 1000 {
            tokio::time::sleep(Duration::from_millis(5)).await;
            waited += 1;
        }
        gateway.terminate();
        assert_eq!(client2::whole(answer.await.expect("an answer")).await.status, 200);
        let ended = tokio::time::timeout(PATIENCE, async {
            while client.clone().ready().await.is_ok() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        ended.await.expect("the connection takes no more requests");
    });
    assert_ended_well(&gateway, Duration::from_secs(5));
}

/// A large answer that is being read goes to its end.
#[test]
fn an_answer_in_pieces_is_not_cut_short() {
    let gateway = graceful("graceTimeOut: 8s");
    let mut client = gateway.client("web");
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\nX-Do: size=20000000\r\n\r\n");
    let head = client.read_until(b"\r\n\r\n");
    assert!(String::from_utf8_lossy(&head).contains("20000000"));
    gateway.terminate();
    eventually("nobody is let in", || !accepts(&gateway));
    assert_eq!(client.read(20_000_000).len(), 20_000_000);
    assert!(client.closes());
    assert_ended_well(&gateway, Duration::from_secs(3));
}
