use super::*;
use crate::health::waiting::until;
use crate::service::fake::{Fake, ask, run};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use trilithon_flow::{Fault, FaultKind};
use trilithon_model::Duration;
use trilithon_model::dynamic::http as model;

fn config(servers: &[(&str, i64)]) -> ServersLoadBalancer {
    let server = |&(url, weight): &(&str, i64)| model::Server {
        url: url.into(),
        weight: Some(weight),
        preserve_path: false,
    };
    ServersLoadBalancer {
        servers: servers.iter().map(server).collect(),
        ..Default::default()
    }
}

fn sticky(mut config: ServersLoadBalancer) -> ServersLoadBalancer {
    let cookie = model::Cookie {
        name: "lb".into(),
        ..Default::default()
    };
    config.sticky = Some(model::Sticky { cookie: Some(cookie) });
    config
}

fn passive(mut config: ServersLoadBalancer, window: i64) -> ServersLoadBalancer {
    config.passive_health_check = Some(model::PassiveHealthCheck {
        failure_window: Duration::from_millis(window),
        max_failed_attempts: 1,
    });
    config
}

fn transport() -> Arc<Transport> {
    Arc::new(Transport::simple(Default::default(), None))
}

/// A balancer whose servers answer with their URLs; those called `bad` fail.
fn build(config: &ServersLoadBalancer, keep: &Keep) -> LoadBalancer {
    let fake = |server: &model::Server| -> Box<dyn Service> {
        let status = if server.url.contains("bad") { 500 } else { 200 };
        Box::new(Shared(Fake::new(&server.url, status, None)))
    };
    let forwards = config.servers.iter().map(fake).collect();
    LoadBalancer::with_servers("s@file", config, forwards, &transport(), keep).unwrap()
}

struct Shared(Arc<Fake>);
impl Service for Shared {
    fn call<'a>(&'a self, req: Request, cx: &'a mut Exchange) -> Reply<'a> {
        self.0.call(req, cx)
    }
}

fn counts(lb: &LoadBalancer, requests: usize) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for _ in 0..requests {
        *counts.entry(run(ask(lb, None)).1).or_default() += 1;
    }
    counts
}

fn check_counts(servers: &[(&str, i64)], requests: usize, want: &[(&str, usize)]) {
    let lb = build(&config(servers), &Keep::default());
    let want: BTreeMap<String, usize> = want.iter().map(|(url, n)| ((*url).to_owned(), *n)).collect();
    assert_eq!(counts(&lb, requests), want, "{servers:?}");
}

#[test]
fn turns_and_weights() {
    check_counts(
        &[("a", 1), ("b", 1), ("c", 1)],
        9,
        &[("a", 3), ("b", 3), ("c", 3)],
    );
    check_counts(
        &[("a", 5), ("b", 3), ("c", 2)],
        20,
        &[("a", 10), ("b", 6), ("c", 4)],
    );
    check_counts(&[("a", 0), ("b", 1)], 4, &[("b", 4)]);
    check_counts(&[("a", -1), ("b", 1)], 4, &[("b", 4)]);
    check_counts(&[("a", 1), ("a", 1), ("b", 1)], 9, &[("a", 6), ("b", 3)]);
    check_counts(&[("a", 0), ("a", 1), ("b", 1)], 4, &[("a", 2), ("b", 2)]);
    check_counts(&[("a", 0)], 2, &[("no available server\n", 2)]);
    check_counts(&[], 2, &[("no available server\n", 2)]);
}

#[test]
fn strategies() {
    for strategy in ["", "wrr", "p2c", "hrw", "leasttime"] {
        let config = ServersLoadBalancer {
            strategy: strategy.into(),
            ..config(&[("a", 1), ("b", 1)])
        };
        let lb = build(&config, &Keep::default());
        let used = counts(&lb, 40).len();
        assert_eq!(used, if strategy == "hrw" { 1 } else { 2 }, "{strategy}");
        let under_way = lb
            .state
            .members
            .iter()
            .map(|m| m.load.under_way.load(Ordering::Relaxed))
            .sum::<u64>();
        assert_eq!(under_way, 0, "{strategy}: nothing is under way any more");
    }
    let unknown = ServersLoadBalancer {
        strategy: "random".into(),
        ..config(&[])
    };
    let error = LoadBalancer::build("s@file", &unknown, transport(), &Keep::default())
        .err()
        .unwrap();
    assert_eq!(error.message, r#"unsupported load-balancer strategy "random""#);
}

#[test]
fn p2c_does_not_look_at_weights() {
    let config = ServersLoadBalancer {
        strategy: "p2c".into(),
        ..config(&[("a", 0), ("b", 9)])
    };
    assert_eq!(counts(&build(&config, &Keep::default()), 60).len(), 2);
}

#[test]
fn sticky_cookies() {
    let lb = build(
        &sticky(config(&[("a", 1), ("b", 1), ("zero", 0)])),
        &Keep::default(),
    );
    let (_, first, cookies) = run(ask(&lb, None));
    assert_eq!(cookies.len(), 1);
    let cookie = cookies[0].split(';').next().unwrap().to_owned();
    for _ in 0..4 {
        assert_eq!(run(ask(&lb, Some(&cookie))), (200, first.clone(), vec![]));
    }
    let (_, answered, cookies) = run(ask(&lb, Some("lb=b")));
    assert_eq!(
        (answered.as_str(), cookies.len()),
        ("b", 1),
        "an old form is understood and replaced"
    );
    let (_, _, cookies) = run(ask(&lb, Some("lb=zero")));
    assert_eq!(cookies.len(), 1, "a server that is never chosen is not known");
    lb.state
        .members
        .iter()
        .find(|m| m.server.url() == first)
        .unwrap()
        .server
        .checked(false);
    let (_, second, cookies) = run(ask(&lb, Some(&cookie)));
    assert!(
        second != first && cookies.len() == 1,
        "a server that is down loses its clients"
    );
    let hrw = ServersLoadBalancer {
        strategy: "hrw".into(),
        ..sticky(config(&[("a", 1), ("b", 1)]))
    };
    assert_eq!(
        run(ask(&build(&hrw, &Keep::default()), None)).2.len(),
        0,
        "none with hrw"
    );
}

#[test]
fn passive_checks_take_failing_servers_out_and_put_them_back() {
    let lb = build(
        &passive(config(&[("bad", 1), ("good", 1)]), 60_000),
        &Keep::default(),
    );
    let seen = counts(&lb, 10);
    assert_eq!(seen["bad"], 1, "{seen:?}");
    assert_eq!(
        lb.server_status(),
        [("bad".to_owned(), true), ("good".to_owned(), true)]
    );
    assert!(lb.status().is_none(), "passive checks alone do not report");
    let lb = build(&passive(config(&[("bad", 1)]), 20), &Keep::default());
    assert_eq!(run(ask(&lb, None)).0, 500);
    until("the window ends", || run(ask(&lb, None)).0 == 500);
}

#[test]
fn no_answer_is_a_failure() {
    struct Dead;
    impl Service for Dead {
        fn call<'a>(&'a self, _: Request, _: &'a mut Exchange) -> Reply<'a> {
            let fault = Fault::new(FaultKind::Connect, "refused");
            Box::pin(std::future::ready(Response::from(fault)))
        }
    }
    let config = passive(config(&[("a", 1)]), 60_000);
    let servers: Vec<Box<dyn Service>> = vec![Box::new(Dead)];
    let lb =
        LoadBalancer::with_servers("dead@file", &config, servers, &transport(), &Keep::default()).unwrap();
    assert_eq!([run(ask(&lb, None)).0, run(ask(&lb, None)).0], [502, 503]);
}

#[test]
fn health_and_turns_outlive_a_reload() {
    let keep = Keep::default();
    let two = config(&[("a", 1), ("b", 1)]);
    let old = build(&two, &keep);
    old.state.servers[0].checked(false);
    let same = build(&two, &keep);
    assert!(Arc::ptr_eq(&old.state, &same.state));
    let more = build(&config(&[("c", 1), ("a", 1), ("b", 1)]), &keep);
    assert!(!Arc::ptr_eq(&old.state, &more.state));
    let up: Vec<_> = more.server_status().into_iter().map(|(_, up)| up).collect();
    assert_eq!(up, [true, false, true], "the server that was down stays down");
}

#[test]
fn refusals_name_the_strategy() {
    for (strategy, kind) in [
        ("wrr", "WRR"),
        ("p2c", "P2C"),
        ("hrw", "HRW"),
        ("leasttime", "LeastTime"),
    ] {
        let lb = build(
            &ServersLoadBalancer {
                strategy: strategy.into(),
                ..config(&[("a", 1)])
            },
            &Keep::default(),
        );
        let want = format!("healthCheck not enabled in config for this {kind} service");
        assert_eq!(lb.status_refusal(), want);
    }
}

#[test]
fn a_url_that_is_none_is_refused() {
    let error = LoadBalancer::build(
        "s@file",
        &config(&[("127.0.0.1:80", 1)]),
        transport(),
        &Keep::default(),
    );
    let message = error.err().unwrap().message;
    assert!(
        message.starts_with("error parsing server URL 127.0.0.1:80: "),
        "{message}"
    );
}
