//! `loadBalancer` of TCP: weighted turns over servers, one turn per connection.

use super::{Backend, Check, RoundRobin, Target, Transport, split};
use crate::Status;
use crate::health::{self, Ask, Probe, Times};
use std::sync::Arc;
use trilithon_flow::{BuildError, Keep, Task};
use trilithon_model::dynamic::tcp::{HealthCheck, ServersLoadBalancer};

/// One server.
pub struct Server {
    /// As it was written.
    pub address: String,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: bool,
    health: Arc<health::Server>,
}

/// Servers in turn.
pub struct LoadBalancer {
    kept: Arc<Kept>,
    transport: Arc<Transport>,
    checked: bool,
}

/// What outlives a reload that does not change the service.
struct Kept {
    servers: Vec<Arc<Server>>,
    turns: RoundRobin,
    _checks: Option<Task>,
}

impl LoadBalancer {
    /// Builds the service called `name`. A server whose address cannot be used is logged and left out.
    ///
    /// # Errors
    /// A server wants TLS that its transport cannot speak.
    pub fn build(
        name: &str,
        config: &ServersLoadBalancer,
        transport: Arc<Transport>,
        keep: &Keep,
    ) -> Result<LoadBalancer, BuildError> {
        if config.servers.iter().any(|s| s.tls)
            && let Some(error) = transport.tls_error()
        {
            return Err(error);
        }
        let state = (config, &transport.identity);
        let kept = keep.get(name, &state, || Kept::new(name, config, &transport));
        Ok(LoadBalancer {
            kept,
            transport,
            checked: config.health_check.is_some(),
        })
    }
}

impl Kept {
    fn new(name: &str, config: &ServersLoadBalancer, transport: &Arc<Transport>) -> Kept {
        let server = |s: &trilithon_model::dynamic::tcp::Server| {
            let Some((host, port)) = split(&s.address) else {
                tracing::error!(serviceName = name, address = %s.address, "the address of a server is no `host:port`");
                return None;
            };
            Some(Arc::new(Server {
                host: host.to_owned(),
                port,
                tls: s.tls,
                health: Arc::new(health::Server::new(name, &s.address)),
                address: s.address.clone(),
            }))
        };
        let servers: Vec<Arc<Server>> = config.servers.iter().filter_map(server).collect();
        let checks = config.health_check.as_ref();
        Kept {
            turns: RoundRobin::new(servers.iter().map(|_| 1)),
            _checks: checks.map(|check| start(check, &servers, transport)),
            servers,
        }
    }
}

fn start(config: &HealthCheck, servers: &[Arc<Server>], transport: &Arc<Transport>) -> Task {
    let probe = |server: &Arc<Server>| Probe {
        server: server.health.clone(),
        ask: Ask::Tcp(Check::new(
            config,
            Target {
                server: server.clone(),
                transport: transport.clone(),
            },
        )),
    };
    let times = Times::usable(config.interval, config.unhealthy_interval, config.timeout);
    health::start(servers.iter().map(probe).collect(), times)
}

impl Backend for LoadBalancer {
    fn pick(&self) -> Option<Target> {
        let Kept { servers, turns, .. } = &*self.kept;
        let chosen = turns.pick(|i| !self.checked || servers[i].health.is_up())?;
        Some(Target {
            server: servers.get(chosen)?.clone(),
            transport: self.transport.clone(),
        })
    }

    fn status(&self) -> Option<Arc<Status>> {
        let all = self.kept.servers.iter().map(|s| s.health.status().clone());
        self.checked.then(|| Status::any(all))
    }

    fn server_status(&self) -> Vec<(String, bool)> {
        let one = |s: &Arc<Server>| (s.address.clone(), s.health.is_well());
        self.kept.servers.iter().map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::waiting::until;
    use std::io::{Read, Write};
    use trilithon_model::Duration;
    use trilithon_model::dynamic::tcp;
    use trilithon_model::install::TcpServersTransport;

    fn build(config: &ServersLoadBalancer) -> LoadBalancer {
        let transport = Arc::new(Transport::default(&TcpServersTransport::default()));
        LoadBalancer::build("s@test", config, transport, &Keep::default()).unwrap()
    }

    fn servers(addresses: &[&str]) -> Vec<tcp::Server> {
        let one = |address: &&str| tcp::Server {
            address: (*address).into(),
            tls: false,
        };
        addresses.iter().map(one).collect()
    }

    #[test]
    fn servers_take_turns_and_bad_addresses_none() {
        let config = ServersLoadBalancer {
            servers: servers(&["a:1", "nonsense", "b:2"]),
            ..Default::default()
        };
        let balancer = build(&config);
        let got: Vec<_> = (0..4)
            .filter_map(|_| Some(balancer.pick()?.server.address.clone()))
            .collect();
        assert_eq!(got, ["a:1", "b:2", "a:1", "b:2"]);
        assert!(balancer.status().is_none(), "without checks it cannot report");
        assert!(build(&ServersLoadBalancer::default()).pick().is_none());
    }

    /// A server that answers `pong` to `ping`, and closes on anything else.
    fn pong() -> String {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut said = [0; 4];
                if stream.read_exact(&mut said).is_ok() && said == *b"ping" {
                    let _ = stream.write_all(b"pong");
                }
            }
        });
        address
    }

    #[test]
    fn checks_say_and_compare() {
        let address = pong();
        let check = |send: &str, expect: &str, up: bool| {
            let config = ServersLoadBalancer {
                servers: servers(&[&address]),
                health_check: Some(HealthCheck {
                    send: send.into(),
                    expect: expect.into(),
                    interval: Duration::from_millis(5),
                    timeout: Duration::from_secs(5),
                    ..Default::default()
                }),
                ..Default::default()
            };
            let balancer = build(&config);
            let status = balancer.status().unwrap();
            assert!(status.is_up() && balancer.pick().is_some(), "it starts up");
            if up {
                return until("the check passes", || balancer.kept.servers[0].health.is_known());
            }
            until("the server is found down", || !status.is_up());
            assert!(balancer.pick().is_none());
            assert_eq!(balancer.server_status(), [(address.clone(), false)]);
        };
        check("ping", "pong", true);
        check("", "", true);
        check("ping", "pang", false);
        check("pang", "pong", false);
    }
}
