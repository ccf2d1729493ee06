//! The limit book: what is counted is counted once however an exchange ends, never too much under any concurrency, and what
//! is durable outlives the process, whichever way that ends.

use crate::client2;
use bytes::Bytes;
use http::Request;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use trilithon_testkit::{
    Act, Answer, Folder, Gateway, GatewayBuilder, PATIENCE, RawClient, Upstream, eventually,
};

fn install(store: &Folder) -> String {
    format!(
        "\
entryPoints:
  web: {{address: '127.0.0.1:@web@'}}
  traefik: {{address: '127.0.0.1:@traefik@'}}
api: {{insecure: true}}
log: {{level: DEBUG}}
store: {{directory: '{}'}}
providers: {{providersThrottleDuration: 50ms, file: {{filename: '@DIR@/routing.yml', watch: true}}}}
",
        store.path().display()
    )
}

/// Everything goes to `b1` through middleware `m`, which is `limit`.
fn routing(limit: &str) -> String {
    format!(
        "\
http:
  routers: {{all: {{rule: 'PathPrefix(`/`)', service: s, middlewares: [m]}}}}
  services: {{s: {{loadBalancer: {{servers: [{{url: 'http://127.0.0.1:@b1@'}}]}}}}}}
  middlewares: {{m: {{limit: {{{limit}}}}}}}
"
    )
}

fn gateway(store: &Folder, limit: &str) -> GatewayBuilder {
    Gateway::new(env!("CARGO_BIN_EXE_trilithon"))
        .install(&install(store))
        .routing(&routing(limit))
}

fn counted() -> Upstream {
    Upstream::answering(|_| Answer::new(200, "ok"))
}

/// A window that no test sees the end of.
const DURABLE: &str =
    "rules: [{name: quota, algorithm: fixedWindow, limit: 320, period: 87648h, durable: true}]";

/// Asks until the limit refuses, or `enough` is over; gives how often it did not.
fn spend(gateway: &Gateway, enough: usize) -> usize {
    let mut client = gateway.client("web");
    for n in 0..enough {
        match client.ask("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").status {
            200 => {}
            429 => return n,
            other => panic!("status {other}"),
        }
    }
    enough
}

#[test]
fn an_end_in_order_loses_no_unit() {
    let store = Folder::new("limits");
    let mut total = 0;
    for enough in [100, 70, 1000] {
        let gateway = gateway(&store, DURABLE).upstream("b1", counted()).start();
        total += spend(&gateway, enough);
        gateway.terminate();
        assert!(gateway.exit(PATIENCE).expect("an end").success());
    }
    assert_eq!(total, 320);
}

/// Callers at work when it is killed. What they were let in for and did not hear of is spent.
const CALLERS: usize = 8;
/// What is leased ahead of 320 units: one and a half blocks of a 32nd part.
const AHEAD: usize = 15;

/// Calls from several sides until `enough` answers have come, then kills; gives the answers.
fn spend_and_kill(gateway: Gateway, enough: usize) -> usize {
    let (served, end) = (AtomicUsize::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for _ in 0..CALLERS {
            let mut client = gateway.client("web");
            let (served, end) = (&served, &end);
            scope.spawn(move || {
                while !end.load(Ordering::SeqCst) {
                    let sent = client.try_send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
                    let answer = sent.and_then(|()| client.response_to("GET"));
                    match answer {
                        Ok(Some(answer)) if answer.status == 200 => served.fetch_add(1, Ordering::SeqCst),
                        _ => return,
                    };
                }
            });
        }
        eventually("callers are served", || served.load(Ordering::SeqCst) >= enough);
        // SIGKILL, while they are at it.
        drop(gateway);
        end.store(true, Ordering::SeqCst);
    });
    served.into_inner()
}

#[test]
fn killed_it_lets_never_too_many_through_and_few_too_few() {
    let store = Folder::new("limits");
    let mut total = 0;
    for enough in [20, 60, 40] {
        let gateway = gateway(&store, DURABLE).upstream("b1", counted()).start();
        total += spend_and_kill(gateway, enough);
        assert!(total <= 320, "{total}");
    }
    let gateway = gateway(&store, DURABLE).upstream("b1", counted()).start();
    total += spend(&gateway, 1000);
    assert!(total <= 320, "{total}");
    // Each kill loses what was leased ahead, the answers under way, and what those who waited had leased.
    let lost = 3 * (AHEAD + 2 * CALLERS);
    assert!(total + lost >= 320, "{total}");
}

#[test]
fn a_store_that_cannot_be_opened_is_said_and_counts_in_memory() {
    let store = Folder::new("limits");
    store.write("limits.redb", "this is no store");
    let gateway = gateway(&store, &DURABLE.replace("320", "5"))
        .upstream("b1", counted())
        .start();
    assert_eq!(spend(&gateway, 100), 5);
    assert!(gateway.log().contains("counts in memory"), "{}", gateway.log());
    assert_eq!(gateway.api("/api/http/middlewares/m@file")["status"], "enabled");
    assert_eq!(
        store.read("limits.redb"),
        "this is no store",
        "nothing is thrown away"
    );
}

/// As many callers at once; statuses as (served, refused).
fn at_once(gateway: &Gateway, callers: usize) -> (usize, usize) {
    let mut clients: Vec<_> = (0..callers).map(|_| gateway.client("web")).collect();
    for client in &mut clients {
        client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    }
    let statuses: Vec<_> = clients
        .iter_mut()
        .map(|client| client.response().status)
        .collect();
    let count = |status| statuses.iter().filter(|s| **s == status).count();
    (count(200), count(429))
}

#[test]
fn five_hundred_callers_at_once_never_exceed_it() {
    for rules in [
        "{name: a, algorithm: fixedWindow, limit: 100, period: 87648h}",
        "{name: a, algorithm: fixedWindow, limit: 100, period: 87648h, durable: true}",
        "{name: a, algorithm: slidingWindow, limit: 100, period: 87648h}",
        "{name: a, algorithm: gcra, limit: 100, period: 87648h}, {name: b, algorithm: fixedWindow, limit: 130, period: 87648h}",
    ] {
        let store = Folder::new("limits");
        let gateway = gateway(&store, &format!("rules: [{rules}]"))
            .upstream("b1", counted())
            .start();
        assert_eq!(at_once(&gateway, 500), (100, 400), "{rules}");
    }
}

/// One gateway, one limit over all its ways to end an exchange.
const WAYS: &str = "\
http:
  routers:
    whole: {rule: 'Path(`/whole`)', service: whole, middlewares: [m]}
    broken: {rule: 'Path(`/broken`)', service: broken, middlewares: [m]}
    silent: {rule: 'Path(`/silent`)', service: silent, middlewares: [m]}
    down: {rule: 'Path(`/down`)', service: down, middlewares: [m]}
    denied: {rule: 'Path(`/denied`)', service: whole, middlewares: [m, nobody]}
    upgrade: {rule: 'Path(`/upgrade`)', service: echo, middlewares: [m]}
    endless: {rule: 'Path(`/endless`)', service: endless, middlewares: [m]}
  services:
    whole: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@whole@'}]}}
    broken: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@broken@'}]}}
    silent: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@silent@'}]}}
    down: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@down@'}]}}
    echo: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@echo@'}]}}
    endless: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@endless@'}]}}
  middlewares:
    nobody: {ipAllowList: {sourceRange: ['192.0.2.1']}}
    m:
      limit:
        headers: ietf
        cost: {units: 1000, responseBytes: true}
        rules:
          - {name: bytes, algorithm: fixedWindow, limit: 100000000, period: 87648h}
          - {name: slots, algorithm: inFlight, limit: 100}
";

fn ways() -> Gateway {
    let broken = b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"
        .iter()
        .copied()
        .chain([b'x'; 3000]);
    let endless = b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n"
        .iter()
        .copied()
        .chain([b'x'; 2000]);
    Gateway::new(env!("CARGO_BIN_EXE_trilithon"))
        .routing(WAYS)
        .upstream("whole", Upstream::answering(|_| Answer::new(200, [b'x'; 5000])))
        .upstream(
            "broken",
            Upstream::script([Act::Request, Act::Send(broken.collect()), Act::Close]),
        )
        .upstream("silent", Upstream::silent())
        .upstream("echo", Upstream::echo())
        .upstream(
            "endless",
            Upstream::script([Act::Request, Act::Send(endless.collect()), Act::Drain, Act::Close]),
        )
        .start()
}

/// What is left of the limit: units, and slots beside the one of the question, which costs nothing.
fn left(gateway: &Gateway) -> (u64, u64) {
    let mut client = gateway.client("web");
    client.send("HEAD /whole HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n");
    let answer = client.response_to("HEAD").expect("an answer").expect("an answer");
    let field = answer.header("ratelimit");
    let number = |name: &str| -> u64 {
        let at = field.find(&format!("\"{name}\";r=")).expect("the rule") + name.len() + 5;
        let digits: String = field[at..].chars().take_while(char::is_ascii_digit).collect();
        digits.parse().expect("a number")
    };
    (100_000_000 - (number("bytes") + 1000), 99 - number("slots"))
}

fn begin(gateway: &Gateway, path: &str, more: &str) -> RawClient {
    let mut client = gateway.client("web");
    client.send(format!("GET {path} HTTP/1.1\r\nHost: a.test\r\n{more}\r\n"));
    client
}

const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";

/// One exchange that ends in its way; gives what it costs.
fn exchange(gateway: &Gateway, way: u8) -> u64 {
    match way {
        0 => {
            assert_eq!(begin(gateway, "/whole", "").response().body.len(), 5000);
            5000
        }
        1 => {
            // The upstream is cut.
            let (bytes, _) = begin(gateway, "/broken", "").read_to_end(PATIENCE);
            assert!(bytes.ends_with(&[b'x'; 3000]));
            3000
        }
        2 => {
            // The client is gone before the answer: what was reserved stands.
            static CALLS: AtomicUsize = AtomicUsize::new(0);
            let path = format!("/silent?{}", CALLS.fetch_add(1, Ordering::SeqCst));
            let client = begin(gateway, &path, "");
            let silent = gateway.upstream("silent");
            eventually("the server is asked", || {
                silent.seen().iter().any(|s| s.target == path)
            });
            client.reset();
            1000
        }
        3 => begin(gateway, "/down", "").response().body.len() as u64,
        4 => {
            let answer = begin(gateway, "/denied", "").response();
            assert_eq!(answer.status, 403);
            answer.body.len() as u64
        }
        5 => {
            let mut client = begin(gateway, "/upgrade", UPGRADE);
            assert_eq!(client.response().status, 101);
            assert_eq!(client.send("hello!").read(6), b"hello!");
            drop(client);
            6
        }
        _ => {
            // The client leaves in the middle of the answer.
            let mut client = begin(gateway, "/endless", "");
            client.read_until(b"\r\n\r\n");
            assert_eq!(client.read(2000), [b'x'; 2000]);
            client.reset();
            2000
        }
    }
}

/// Seven ways to end, in any order, many at a time: what is counted is the sum, and every slot comes back.
#[test]
fn every_exchange_is_settled_once() {
    let gateway = ways();
    let spent = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for thread in 0..6u8 {
            let (gateway, spent) = (&gateway, &spent);
            scope.spawn(move || {
                for n in 0..14u8 {
                    let cost = exchange(gateway, (n * (thread + 1) + thread) % 7);
                    spent.fetch_add(cost as usize, Ordering::SeqCst);
                }
            });
        }
    });
    let want = (spent.into_inner() as u64, 0);
    let mut last = (0, 0);
    eventually("everything is settled", || {
        last = left(&gateway);
        last == want
    });
    assert_eq!(last, want);
}

/// A stream that is reset gives its slot back and keeps what was sent of it.
#[test]
fn a_reset_stream_is_settled() {
    let gateway = ways();
    client2::run(async {
        let mut client = client2::connect(&gateway, "web").await;
        for _ in 0..20 {
            let request = Request::get("http://a.test/endless").body(()).expect("a request");
            let (answer, mut stream) = client2::begin(&mut client, request);
            client2::send(&mut stream, Bytes::new(), true).await;
            let mut body = answer.await.expect("an answer").into_body();
            assert!(client2::next(&mut body).await.is_some());
            stream.send_reset(h2::Reason::CANCEL);
        }
    });
    eventually("every slot is back", || left(&gateway).1 == 0);
    let spent = left(&gateway).0;
    assert!((20..=20 * 2000).contains(&spent), "{spent}");
}

/// What was let in and not answered when the process ends in order stays spent.
#[test]
fn what_is_under_way_at_the_end_stays_spent() {
    let store = Folder::new("limits");
    let silent = Upstream::silent();
    let build = |upstream: &Upstream| {
        let grace = install(&store).replace(
            "web: {address: '127.0.0.1:@web@'}",
            "web: {address: '127.0.0.1:@web@', transport: {lifeCycle: {graceTimeOut: 200ms}}}",
        );
        gateway(&store, &DURABLE.replace("320", "10"))
            .install(&grace)
            .upstream("b1", upstream)
            .start()
    };
    let first = build(&silent);
    let clients: Vec<_> = (0..3).map(|_| begin(&first, "/", "")).collect();
    eventually("three are under way", || silent.requests() == 3);
    first.terminate();
    assert!(first.exit(PATIENCE + Duration::from_secs(1)).is_some());
    drop(clients);
    assert_eq!(spend(&build(&counted()), 100), 7);
}
