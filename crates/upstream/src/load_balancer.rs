//! `loadBalancer`: spreads requests over servers.
//!
//! Everything that counts or remembers is in [`State`] and belongs to the service, not to the snapshot: a reload that does
//! not change the service leaves turns, counts and health as they are. What is known of a server's health outlives even a
//! reload that adds or removes other servers.

use crate::balancer::{LeastTime, Samples, Wrr, hrw, p2c};
use crate::health::passive::{Rule, Verdict};
use crate::health::{self, Ask, Probe, Server, Times};
use crate::service::{Backend, Status, add_cookie, no_server, share};
use crate::sticky::Sticky;
use crate::tail::{Attached, attach};
use crate::{Forward, Origin, Transport};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use trilithon_flow::record::Name;
use trilithon_flow::{BuildError, Exchange, Keep, Reply, Request, Response, Service, Task};
use trilithon_model::dynamic::http::{HealthCheck, ServersLoadBalancer};

/// A load balancer of servers.
pub struct LoadBalancer {
    name: Name,
    /// One per configured server, in the configuration's order.
    forwards: Vec<Box<dyn Service>>,
    state: Arc<State>,
    sticky: Option<Sticky>,
    passive: Option<Rule>,
    has_active_check: bool,
    /// Whether answers are looked at: for load, times, or failures.
    attends: bool,
}

/// What outlives a reload.
struct State {
    strategy: Strategy,
    /// Those that can be chosen, in the order of the strategy.
    members: Vec<Member>,
    /// All servers, each URL once, in the configuration's order.
    servers: Vec<Arc<Server>>,
    status: Arc<Status>,
    _checks: Option<Task>,
}

enum Strategy {
    Wrr(Wrr),
    P2c,
    Hrw,
    LeastTime(LeastTime),
}

struct Member {
    /// Its place in the configuration.
    at: usize,
    weight: f64,
    server: Arc<Server>,
    load: Arc<Load>,
}

/// Requests under way and times of one member.
#[derive(Default)]
struct Load {
    under_way: AtomicU64,
    samples: Samples,
}

/// A request under way.
struct UnderWay(Arc<Load>);

impl UnderWay {
    fn new(load: &Arc<Load>) -> UnderWay {
        load.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay(load.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Attached for UnderWay {}

impl LoadBalancer {
    /// The service with the qualified name `name`; its servers are reached through `transport`.
    ///
    /// # Errors
    /// An unknown strategy, or a server URL that is none.
    pub fn build(
        name: &str,
        config: &ServersLoadBalancer,
        transport: Arc<Transport>,
        keep: &Keep,
    ) -> Result<LoadBalancer, BuildError> {
        let mut forwards: Vec<Box<dyn Service>> = Vec::with_capacity(config.servers.len());
        for server in &config.servers {
            let origin = Origin::parse(&server.url).map_err(|error| {
                BuildError::new(format!(
                    "error parsing server URL {}: {}",
                    server.url, error.message
                ))
                .help("a server URL is written `http://host:port`, `https://host:port` or `h2c://host:port`")
            })?;
            forwards.push(Box::new(Forward {
                transport: transport.clone(),
                origin,
                pass_host_header: config.pass_host_header.unwrap_or(true),
                preserve_path: server.preserve_path,
            }));
        }
        LoadBalancer::with_servers(name, config, forwards, &transport, keep)
    }

    /// The same with the servers themselves given, in the configuration's order.
    fn with_servers(
        name: &str,
        config: &ServersLoadBalancer,
        forwards: Vec<Box<dyn Service>>,
        transport: &Arc<Transport>,
        keep: &Keep,
    ) -> Result<LoadBalancer, BuildError> {
        check_strategy(&config.strategy)?;
        let identity = (config, transport.identity);
        let servers = known_servers(name, config, transport, keep);
        let state = keep.get(name, &identity, || State::new(config, servers, transport));
        let cookie = config.sticky.as_ref().and_then(|sticky| sticky.cookie.as_ref());
        let names = || state.members.iter().map(|member| member.server.url());
        let sticky = match state.strategy {
            Strategy::Hrw => None,
            _ => cookie.map(|cookie| Sticky::new(cookie, name, names())),
        };
        let passive = config.passive_health_check.as_ref().map(Rule::of);
        Ok(LoadBalancer {
            name: name.into(),
            forwards,
            attends: passive.is_some() || state.counts(),
            sticky,
            passive,
            has_active_check: config.health_check.is_some(),
            state,
        })
    }

    /// The member for this request, and the cookie that is to name it.
    fn choose(&self, req: &Request, cx: &Exchange) -> Option<(usize, Option<String>)> {
        let Some(sticky) = &self.sticky else {
            return Some((self.state.pick(cx)?, None));
        };
        if let Some(wish) = sticky.wish(&req.headers)
            && self.state.members[wish.index].server.is_up()
        {
            return Some((wish.index, wish.outdated.then(|| sticky.set_cookie(wish.index))));
        }
        let index = self.state.pick(cx)?;
        Some((index, Some(sticky.set_cookie(index))))
    }

    /// The exchange with a member, looked at.
    async fn attend(
        &self,
        member: &Member,
        cookie: Option<String>,
        req: Request,
        cx: &mut Exchange,
    ) -> Response {
        let under_way = self.state.counts().then(|| UnderWay::new(&member.load));
        let started = Instant::now();
        let mut res = self.forwards[member.at].call(req, cx).await;
        if let Some(under_way) = under_way {
            if res.fault.is_none() {
                member.load.samples.add(started.elapsed());
            }
            attach(&mut res, under_way);
        }
        if let Some(rule) = self.passive {
            self.judge(rule, &member.server, &res);
        }
        if let Some(cookie) = cookie {
            add_cookie(&mut res, &cookie);
        }
        res
    }

    fn judge(&self, rule: Rule, server: &Arc<Server>, res: &Response) {
        match Verdict::of(res) {
            Verdict::Fine => server.failures.fine(),
            Verdict::Failed if server.failures.failed(rule, Instant::now()) => {
                server.take_out(rule.window, self.has_active_check);
            }
            Verdict::Failed | Verdict::Nothing => {}
        }
    }
}

impl Service for LoadBalancer {
    fn call<'a>(&'a self, req: Request, cx: &'a mut Exchange) -> Reply<'a> {
        let Some((index, cookie)) = self.choose(&req, cx) else {
            return no_server();
        };
        // Compared first: the count of a shared name is no place for all workers to meet at each request.
        if cx.record.service.as_ref() != Some(&self.name) {
            cx.record.balancer = Some(self.name.clone());
        }
        let member = &self.state.members[index];
        if self.attends || cookie.is_some() {
            Box::pin(self.attend(member, cookie, req, cx))
        } else {
            self.forwards[member.at].call(req, cx)
        }
    }
}

impl Backend for LoadBalancer {
    fn status(&self) -> Option<Arc<Status>> {
        self.has_active_check.then(|| self.state.status.clone())
    }

    fn status_refusal(&self) -> String {
        let kind = match self.state.strategy {
            Strategy::Wrr(_) => "WRR",
            Strategy::P2c => "P2C",
            Strategy::Hrw => "HRW",
            Strategy::LeastTime(_) => "LeastTime",
        };
        format!("healthCheck not enabled in config for this {kind} service")
    }

    fn server_status(&self) -> Vec<(String, bool)> {
        self.state
            .servers
            .iter()
            .map(|server| (server.url().to_owned(), server.is_well()))
            .collect()
    }
}

fn check_strategy(strategy: &str) -> Result<(), BuildError> {
    match strategy {
        "" | "wrr" | "p2c" | "hrw" | "leasttime" => Ok(()),
        other => Err(
            BuildError::new(format!("unsupported load-balancer strategy {other:?}"))
                .help("strategies are `wrr`, `p2c`, `hrw` and `leasttime`"),
        ),
    }
}

/// The servers by URL, each once, in the configuration's order.
fn known_servers(
    name: &str,
    config: &ServersLoadBalancer,
    transport: &Arc<Transport>,
    keep: &Keep,
) -> Vec<Arc<Server>> {
    let checks = (
        &config.health_check,
        &config.passive_health_check,
        transport.identity,
    );
    let mut seen = HashSet::new();
    let new = config.servers.iter().filter(|server| seen.insert(&server.url));
    new.map(|server| {
        keep.get(&format!("{name} {}", server.url), &checks, || {
            Server::new(name, &server.url)
        })
    })
    .collect()
}

impl State {
    fn new(config: &ServersLoadBalancer, servers: Vec<Arc<Server>>, transport: &Arc<Transport>) -> State {
        let by_url: HashMap<&str, &Arc<Server>> =
            servers.iter().map(|server| (server.url(), server)).collect();
        let weighs = config.strategy != "p2c";
        let mut members: Vec<Member> = Vec::new();
        for (at, server) in config.servers.iter().enumerate() {
            let Some(weight) = (if weighs { share(server.weight) } else { Some(1.0) }) else {
                continue;
            };
            members.push(Member {
                at,
                weight,
                server: by_url[&*server.url].clone(),
                load: Arc::default(),
            });
        }
        // Several gateways with the same configuration must not all begin with the same server.
        fastrand::shuffle(&mut members);
        let weights = members.iter().map(|member| member.weight);
        let strategy = match config.strategy.as_str() {
            "p2c" => Strategy::P2c,
            "hrw" => Strategy::Hrw,
            "leasttime" => Strategy::LeastTime(LeastTime::new(weights)),
            _ => Strategy::Wrr(Wrr::new(weights)),
        };
        let status = Status::any(members.iter().map(|member| member.server.status().clone()));
        let checks = config
            .health_check
            .as_ref()
            .map(|check| start_checks(check, &servers, transport));
        State {
            strategy,
            members,
            servers,
            status,
            _checks: checks,
        }
    }

    /// Whether the strategy wants to know of requests under way.
    fn counts(&self) -> bool {
        self.members.len() > 1 && matches!(self.strategy, Strategy::P2c | Strategy::LeastTime(_))
    }

    fn pick(&self, cx: &Exchange) -> Option<usize> {
        let members = &self.members;
        if let [only] = &members[..] {
            return only.server.is_up().then_some(0);
        }
        let up = |i: usize| members[i].server.is_up();
        let under_way = |i: usize| members[i].load.under_way.load(Ordering::Relaxed);
        match &self.strategy {
            Strategy::Wrr(wrr) => wrr.pick(up),
            Strategy::P2c => p2c::pick(members.len(), up, under_way, |n| fastrand::usize(..n)),
            Strategy::Hrw => {
                let candidates = members.iter().map(|member| (member.server.url(), member.weight));
                hrw::pick(cx.connection.peer_ip.as_bytes(), candidates, up)
            }
            Strategy::LeastTime(strategy) => strategy.pick(up, |i| {
                members[i].load.samples.average() * (1.0 + under_way(i) as f64)
            }),
        }
    }
}

fn start_checks(config: &HealthCheck, servers: &[Arc<Server>], transport: &Arc<Transport>) -> Task {
    let probe = |server: &Arc<Server>| {
        let ask = if config.mode == "grpc" {
            health::grpc::Ask::new(config, server.url(), transport).map(Ask::Grpc)
        } else {
            health::http::Ask::new(config, server.url(), transport).map(Ask::Http)
        };
        Probe {
            server: server.clone(),
            ask: ask.unwrap_or_else(|error| Ask::Never(error.message)),
        }
    };
    health::start(servers.iter().map(probe).collect(), Times::of(config))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::waiting::until;
    use crate::service::fake::{Fake, ask, run};
    use std::collections::BTreeMap;
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
        let lb = LoadBalancer::with_servers("dead@file", &config, servers, &transport(), &Keep::default())
            .unwrap();
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
}

#[cfg(test)]
mod loopback {
    //! With real servers of this machine.

    use super::*;
    use crate::Settings;
    use crate::testing::{self, Move, REQUEST, run};
    use trilithon_model::Duration;
    use trilithon_model::dynamic::http as model;

    fn script(name: &str) -> Vec<Move> {
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{name}", name.len());
        (0..9)
            .flat_map(|_| [REQUEST, Move::Send(answer.clone())])
            .collect()
    }

    fn build(urls: &[String], strategy: &str, check: Option<HealthCheck>) -> LoadBalancer {
        let servers = urls
            .iter()
            .map(|url| model::Server {
                url: url.clone(),
                ..Default::default()
            })
            .collect();
        let config = ServersLoadBalancer {
            servers,
            strategy: strategy.into(),
            health_check: check,
            ..ServersLoadBalancer::default()
        };
        let transport = Arc::new(Transport::new("test", Settings::default()));
        LoadBalancer::build("real@file", &config, transport, &Keep::default()).unwrap()
    }

    async fn ask(lb: &LoadBalancer, cx: &mut Exchange) -> String {
        testing::tell(lb.call(testing::get(), cx).await).await
    }

    #[test]
    fn servers_answer_in_turn_and_are_recorded() {
        run(async {
            let (a, b) = (
                testing::Server::start(vec![script("a")]).await,
                testing::Server::start(vec![script("b")]).await,
            );
            for strategy in ["wrr", "p2c", "leasttime"] {
                let lb = build(&[a.url(), b.url()], strategy, None);
                let mut cx = testing::exchange();
                for _ in 0..3 {
                    let answer = ask(&lb, &mut cx).await;
                    let server = if answer == "200 a" { &a } else { &b };
                    assert_eq!(cx.record.server_url.as_deref(), Some(&*server.url()), "{answer}");
                    assert_eq!(cx.record.balancer.as_deref(), Some("real@file"));
                }
                let under_way = |m: &Member| m.load.under_way.load(Ordering::Relaxed);
                assert_eq!(
                    lb.state.members.iter().map(under_way).sum::<u64>(),
                    0,
                    "{strategy}"
                );
            }
        });
    }

    #[test]
    fn a_server_that_a_check_finds_dead_gets_nothing() {
        run(async {
            let alive = testing::Server::start(vec![script("a")]).await;
            let dead = "http://127.0.0.1:1".to_owned();
            let check = HealthCheck {
                path: "/h".into(),
                interval: Duration::from_millis(5),
                ..Default::default()
            };
            let check = HealthCheck {
                unhealthy_interval: Some(Duration::from_secs(60)),
                ..check
            };
            let lb = build(&[alive.url(), dead.clone()], "wrr", Some(check));
            while lb.state.servers[1].is_up() {
                tokio::task::yield_now().await;
            }
            assert_eq!(lb.server_status()[1], (dead, false));
            let mut cx = testing::exchange();
            assert_eq!(
                [ask(&lb, &mut cx).await, ask(&lb, &mut cx).await],
                ["200 a", "200 a"]
            );
            assert!(lb.status().unwrap().is_up());
        });
    }
}
