//! `loadBalancer`: spreads requests over servers.
//!
//! Everything that counts or remembers is in [`State`] and belongs to the service, not to the snapshot: a reload that does
//! not change the service leaves turns, counts and health as they are. What is known of a server's health outlives even a
//! reload that adds or removes other servers.

mod load;
mod state;

use self::load::UnderWay;
use self::state::{Member, State, Strategy, check_strategy, known_servers};
use crate::health::Server;
use crate::health::passive::{Rule, Verdict};
use crate::service::{Backend, Status, add_cookie, no_server};
use crate::sticky::Sticky;
use crate::tail::attach;
use crate::{Forward, Origin, Transport};
use std::sync::Arc;
use std::time::Instant;
use trilithon_flow::record::Name;
use trilithon_flow::{BuildError, Exchange, Keep, Reply, Request, Response, Service};
use trilithon_model::dynamic::http::ServersLoadBalancer;

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

#[cfg(test)]
mod loopback;
#[cfg(test)]
mod tests;
