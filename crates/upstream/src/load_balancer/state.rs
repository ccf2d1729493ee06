//! What a load balancer keeps over a reload: its members, their turns, and the checks of its servers.

use super::load::Load;
use crate::Transport;
use crate::balancer::{LeastTime, Wrr, hrw, p2c};
use crate::health::{self, Ask, Probe, Server, Times};
use crate::service::{Status, share};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use trilithon_flow::{BuildError, Exchange, Keep, Task};
use trilithon_model::dynamic::http::{HealthCheck, ServersLoadBalancer};

/// What outlives a reload.
pub struct State {
    pub strategy: Strategy,
    /// Those that can be chosen, in the order of the strategy.
    pub members: Vec<Member>,
    /// All servers, each URL once, in the configuration's order.
    pub servers: Vec<Arc<Server>>,
    pub status: Arc<Status>,
    _checks: Option<Task>,
}

pub enum Strategy {
    Wrr(Wrr),
    P2c,
    Hrw,
    LeastTime(LeastTime),
}

pub struct Member {
    /// Its place in the configuration.
    pub at: usize,
    pub weight: f64,
    pub server: Arc<Server>,
    pub load: Arc<Load>,
}

impl State {
    pub fn new(config: &ServersLoadBalancer, servers: Vec<Arc<Server>>, transport: &Arc<Transport>) -> State {
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
    pub fn counts(&self) -> bool {
        self.members.len() > 1 && matches!(self.strategy, Strategy::P2c | Strategy::LeastTime(_))
    }

    pub fn pick(&self, cx: &Exchange) -> Option<usize> {
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

pub fn check_strategy(strategy: &str) -> Result<(), BuildError> {
    match strategy {
        "" | "wrr" | "p2c" | "hrw" | "leasttime" => Ok(()),
        other => Err(
            BuildError::new(format!("unsupported load-balancer strategy {other:?}"))
                .help("strategies are `wrr`, `p2c`, `hrw` and `leasttime`"),
        ),
    }
}

/// The servers by URL, each once, in the configuration's order.
pub fn known_servers(
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
