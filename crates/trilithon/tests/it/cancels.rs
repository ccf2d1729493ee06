//! The limit book under clients that leave, servers that are cut and an end of the process, over real connections: every
//! exchange that was let in is settled exactly once, every place comes back, and no limit is exceeded.

use crate::reckless::{Dice, http1, http2};
use serde_json::Value;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;
use trilithon_testkit::{Act, Answer, Folder, Gateway, PATIENCE, Upstream, eventually, until};

const INSTALL: &str = "\
entryPoints:
  web: {address: '127.0.0.1:@web@', transport: {lifeCycle: {graceTimeOut: 300ms}}}
  traefik: {address: '127.0.0.1:@traefik@'}
api: {insecure: true}
accessLog: {filePath: '@DIR@/access.log', format: json}
log: {level: INFO}
store: {directory: '@STORE@'}
providers: {file: {filename: '@DIR@/routing.yml'}}
";

/// One router has all that counts; the routers below it have a server each.
const ROUTING: &str = "\
http:
  routers:
    all: {rule: 'PathPrefix(`/`)', middlewares: [units, many, places, cost]}
    good: {rule: 'Path(`/good`) || Path(`/free`)', service: good, parentRefs: [all]}
    slow: {rule: 'Path(`/slow`)', service: slow, parentRefs: [all]}
    head: {rule: 'Path(`/head`)', service: head, parentRefs: [all]}
    body: {rule: 'Path(`/body`)', service: body, parentRefs: [all]}
    reset: {rule: 'Path(`/reset`)', service: reset, parentRefs: [all]}
    silent: {rule: 'Path(`/silent`)', service: silent, parentRefs: [all]}
    down: {rule: 'Path(`/down`)', service: down, parentRefs: [all]}
  services:
    good: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@good@'}]}}
    slow: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@slow@'}]}}
    head: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@head@'}]}}
    body: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@body@'}]}}
    reset: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@reset@'}]}}
    silent: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@silent@'}]}}
    down: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@down@'}]}}
  middlewares:
    units:
      limit:
        headers: x-ratelimit
        rules: [{name: units, algorithm: fixedWindow, limit: @UNITS@, period: 87648h, durable: true}]
    many: {rateLimit: {average: 1000000, burst: 1000000}}
    places: {inFlightReq: {amount: 15, sourceCriterion: {requestHost: true}}}
    cost:
      limit:
        headers: ietf
        cost: {units: 10, header: X-Cost}
        rules:
          - {name: cost, algorithm: fixedWindow, limit: 1000000, period: 87648h, durable: true}
          - {name: slots, algorithm: inFlight, limit: 12}
";

/// What every answer of a server says that it cost, but one.
const COST: u64 = 3;
/// What is reserved, and stands when nobody can say.
const RESERVED: u64 = 10;

fn start(store: &Folder, units: u64) -> Gateway {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\nX-Cost: {COST}\r\n\r\n");
    let send = |n: usize| Act::Send(vec![b'x'; n]);
    let pause = |ms: u64| Act::Pause(Duration::from_millis(ms));
    let begin = || Act::Send(head.clone().into_bytes());
    Gateway::new(env!("CARGO_BIN_EXE_trilithon"))
        .install(&INSTALL.replace("@STORE@", &store.path().display().to_string()))
        .routing(&ROUTING.replace("@UNITS@", &units.to_string()))
        .upstream(
            "good",
            Upstream::answering(|seen| {
                let cost = if seen.target == "/free" { 0 } else { COST };
                Answer::new(200, [b'x'; 5000]).header("X-Cost", &cost.to_string())
            }),
        )
        .upstream(
            "slow",
            Upstream::script([Act::Request, pause(5), begin(), send(1000), pause(10), send(4000)]),
        )
        .upstream(
            "head",
            Upstream::script([
                Act::Request,
                Act::Send(b"HTTP/1.1 200 OK\r\nX-Co".to_vec()),
                Act::Close,
            ]),
        )
        .upstream(
            "body",
            Upstream::script([Act::Request, begin(), send(1500), pause(5), Act::Close]),
        )
        .upstream("reset", Upstream::script([Act::Request, Act::Reset]))
        .upstream("silent", Upstream::silent())
        .start()
}

/// Reckless clients from several sides until each made `each` connections or the gateway is gone.
fn storm(gateway: &Gateway, seed: u64, each: usize, made: &AtomicUsize) {
    std::thread::scope(|scope| {
        for side in 0..8 {
            scope.spawn(move || {
                let mut dice = Dice::new(seed * 100 + side);
                for _ in 0..each {
                    let client = if side % 2 == 0 { http1 } else { http2 };
                    if client(gateway, &mut dice).is_none() {
                        return;
                    }
                    made.fetch_add(1, SeqCst);
                }
            });
        }
    });
}

/// What the access log says was let in: exchanges that `units` counted, and what those that `cost` counted come to.
fn owed(gateway: &Gateway) -> (u64, u64) {
    let log = gateway.folder().read("access.log");
    let lines = log
        .lines()
        .map(|l| serde_json::from_str::<Value>(l).expect("a line of JSON"));
    let (mut units, mut cost) = (0, 0);
    for line in lines {
        let allowed = |policy: &str| {
            let decisions = line["Decisions"].as_array().into_iter().flatten();
            decisions
                .clone()
                .any(|d| d["policy"] == policy && d["decision"] == "allow")
        };
        units += u64::from(allowed("units@file"));
        if allowed("cost@file") && line["RequestPath"] != "/free" {
            cost += match (line["OriginStatus"].as_u64(), line["DownstreamStatus"].as_u64()) {
                (Some(200), _) => COST,
                // The client was gone before anybody could tell.
                (Some(499), _) | (Some(0), Some(499)) => RESERVED,
                // No server answered.
                _ => 0,
            };
        }
    }
    (units, cost)
}

/// How the limits stand.
#[derive(Debug, PartialEq)]
struct Standing {
    units: u64,
    cost: u64,
    slots: u64,
}

/// Asks once more, for nothing, and reads how it stands beside that question. `None` when it is refused.
fn standing(gateway: &Gateway, limit: u64) -> Option<Standing> {
    let answer = gateway.get("a.test", "/free");
    if answer.status != 200 {
        return None;
    }
    let field = answer.header("ratelimit");
    let left = |name: &str| -> u64 {
        let at = field.find(&format!("\"{name}\";r=")).expect("the rule") + name.len() + 5;
        let digits: String = field[at..].chars().take_while(char::is_ascii_digit).collect();
        digits.parse().expect("a number")
    };
    let units: u64 = answer.header("x-ratelimit-remaining").parse().expect("a number");
    Some(Standing {
        units: limit - units,
        cost: 1_000_000 - left("cost") - RESERVED,
        slots: 12 - left("slots") - 1,
    })
}

/// How long a line of the access log may be on its way.
const LOG_LAG: Duration = Duration::from_millis(500);

/// Waits until what is counted is what the log says, and no place is taken.
#[track_caller]
fn assert_settled(gateway: &Gateway, limit: u64, seed: u64) {
    let mut last = None;
    let settled = until(PATIENCE, || {
        let stands = standing(gateway, limit)?;
        // The line of that last question comes a moment later.
        until(LOG_LAG, || {
            let (units, cost) = owed(gateway);
            let want = Standing {
                units,
                cost,
                slots: 0,
            };
            let equal = stands == want;
            last = Some(format!("{stands:?}, and should stand {want:?}"));
            equal.then_some(())
        })
    });
    assert!(settled.is_some(), "seed {seed}: stands {last:?}");
}

/// `places` takes as many as it may, all at once, and no more.
#[track_caller]
fn assert_places_free(gateway: &Gateway, seed: u64) {
    let silent = gateway.upstream("silent");
    let before = silent.requests();
    // `slots` is the narrower one: 12 pass both, three more are refused by it and leave no place behind.
    let mut held: Vec<_> = (0..12).map(|_| gateway.client("web")).collect();
    for client in &mut held {
        client.send("GET /silent HTTP/1.1\r\nHost: a.test\r\n\r\n");
    }
    eventually(&format!("seed {seed}: twelve are under way"), || {
        silent.requests() == before + 12
    });
    for _ in 0..3 {
        let refused = gateway.get("a.test", "/good");
        assert_eq!(
            (refused.status, refused.json()["violated-policies"][0].as_str()),
            (429, Some("slots")),
            "seed {seed}"
        );
    }
    drop(held);
}

#[test]
fn whoever_leaves_is_settled_once() {
    for seed in [1, 2, 3] {
        let store = Folder::new("cancels");
        let gateway = start(&store, 1_000_000);
        storm(&gateway, seed, 20, &AtomicUsize::new(0));
        assert_settled(&gateway, 1_000_000, seed);
        assert_places_free(&gateway, seed);
        assert_settled(&gateway, 1_000_000, seed);
    }
}

/// A limit that is reached in the middle of it lets in exactly as many as it may.
#[test]
fn whoever_leaves_takes_nobody_elses_units() {
    for seed in [4, 5] {
        let store = Folder::new("cancels");
        let gateway = start(&store, 100);
        storm(&gateway, seed, 20, &AtomicUsize::new(0));
        let last = until(PATIENCE, || {
            (gateway.get("a.test", "/free").status == 429).then_some(())
        });
        assert!(last.is_some(), "seed {seed}: there were more than it lets in");
        eventually(&format!("seed {seed}: a hundred were let in"), || {
            owed(&gateway).0 >= 100
        });
        assert_eq!(owed(&gateway).0, 100, "seed {seed}");
    }
}

/// The process ends while they are at it; what was let in is spent for the next one.
#[test]
fn an_end_in_the_middle_is_settled_once() {
    for seed in [6, 7] {
        let store = Folder::new("cancels");
        let gateway = start(&store, 1_000_000);
        let made = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| storm(&gateway, seed, 1000, &made));
            eventually("they are at it", || made.load(SeqCst) >= 30 + 10 * seed as usize);
            gateway.terminate();
            assert!(gateway.exit(PATIENCE).expect("an end").success(), "seed {seed}");
        });
        let (units, cost) = owed(&gateway);
        let next = start(&store, 1_000_000);
        let stands = standing(&next, 1_000_000).expect("an answer");
        assert_eq!(
            (stands.units - 1, stands.cost, stands.slots),
            (units, cost, 0),
            "seed {seed}"
        );
    }
}

/// A gateway whose servers hold every request until the gate is opened, behind middleware `m`.
fn gated(middleware: &str, open: &'static AtomicBool) -> Gateway {
    let routing = format!(
        "
http:
  routers: {{all: {{rule: 'PathPrefix(`/`)', service: s, middlewares: [m]}}}}
  middlewares: {{m: {{{middleware}}}}}
  services: {{s: {{loadBalancer: {{servers: [{{url: 'http://127.0.0.1:@b1@'}}]}}}}}}
"
    );
    let holding = Upstream::answering(move |_| {
        until(PATIENCE, || open.load(SeqCst).then_some(()));
        Answer::new(200, "ok")
    });
    crate::world::gateway()
        .routing(&routing)
        .upstream("b1", holding)
        .start()
}

/// Five hundred at once: as many as may be under way are, all others are refused, and then the places are free again.
#[test]
fn five_hundred_callers_share_the_places() {
    for middleware in [
        "inFlightReq: {amount: 40}",
        "limit: {rules: [{algorithm: inFlight, limit: 40}]}",
        "limit: {rules: [{name: a, algorithm: inFlight, limit: 60}, {name: b, algorithm: inFlight, limit: 40}]}",
    ] {
        static OPEN: AtomicBool = AtomicBool::new(false);
        OPEN.store(false, SeqCst);
        let gateway = gated(middleware, &OPEN);
        for round in 0..2 {
            OPEN.store(false, SeqCst);
            let mut clients: Vec<_> = (0..500).map(|_| gateway.client("web")).collect();
            for client in &mut clients {
                client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
            }
            // Those who are let in wait for the gate, which opens when all others have their answer.
            let (served, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
            std::thread::scope(|scope| {
                for client in &mut clients {
                    let (served, refused) = (&served, &refused);
                    scope.spawn(move || match client.response().status {
                        200 => served.fetch_add(1, SeqCst),
                        429 => refused.fetch_add(1, SeqCst),
                        other => panic!("status {other}"),
                    });
                }
                let all = until(PATIENCE, || (refused.load(SeqCst) == 460).then_some(()));
                OPEN.store(true, SeqCst);
                assert!(
                    all.is_some(),
                    "{middleware}, round {round}: {} refused",
                    refused.load(SeqCst)
                );
            });
            assert_eq!(
                (served.into_inner(), refused.into_inner()),
                (40, 460),
                "{middleware}, round {round}"
            );
        }
    }
}

/// A bucket that does not fill while the test runs.
#[test]
fn five_hundred_callers_share_a_bucket() {
    static OPEN: AtomicBool = AtomicBool::new(true);
    let gateway = gated("rateLimit: {average: 1, period: 87648h, burst: 70}", &OPEN);
    let mut clients: Vec<_> = (0..500).map(|_| gateway.client("web")).collect();
    for client in &mut clients {
        client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    }
    let statuses: Vec<_> = clients
        .iter_mut()
        .map(|client| client.response().status)
        .collect();
    let of = |status| statuses.iter().filter(|s| **s == status).count();
    assert_eq!((of(200), of(429)), (70, 430));
    assert_eq!(gateway.upstream("b1").requests(), 70);
}
