//! TCP services by name, each built once, with what it leads to.

use crate::merge::{Merged, qualify};
use crate::report::Report;
use std::collections::BTreeMap;
use std::sync::Arc;
use trilithon_flow::{BuildError, Keep};
use trilithon_model::dynamic::tcp::{ServersLoadBalancer, ServiceKind};
use trilithon_upstream::tcp::{Backend, Child, LoadBalancer, Transport, Weighted};

type Built = Result<Arc<dyn Backend>, BuildError>;

/// Builds TCP services as they are asked for.
pub struct TcpServices<'a> {
    merged: &'a Merged,
    default_transport: &'a Arc<Transport>,
    keep: &'a Keep,
    built: BTreeMap<String, Built>,
    trail: Vec<String>,
}

impl<'a> TcpServices<'a> {
    pub fn new(merged: &'a Merged, default_transport: &'a Arc<Transport>, keep: &'a Keep) -> Self {
        TcpServices {
            merged,
            default_transport,
            keep,
            built: BTreeMap::new(),
            trail: Vec::new(),
        }
    }

    /// The service of this qualified name.
    ///
    /// # Errors
    /// It does not exist, or it or something it needs cannot be built.
    pub fn get(&mut self, name: &str) -> Built {
        if let Some(done) = self.built.get(name) {
            return done.clone();
        }
        if self.trail.iter().any(|n| n == name) {
            let trail = self.trail.join("->");
            return Err(BuildError::new(format!(
                "could not instantiate service {name}: recursion detected in {trail}->{name}"
            )));
        }
        self.trail.push(name.to_owned());
        let built = self.build(name);
        self.trail.pop();
        self.built.insert(name.to_owned(), built.clone());
        built
    }

    fn build(&mut self, name: &str) -> Built {
        let Some(config) = self.merged.tcp_services.get(name) else {
            let (local, _) = name.split_once('@').unwrap_or((name, ""));
            return Err(BuildError::new(format!("the service \"{name}\" does not exist"))
                .help(format!("define `tcp.services.{local}` or name another service")));
        };
        match config.kind().map_err(|e| BuildError::new(e.of(name)))? {
            ServiceKind::ServersLoadBalancer(c) => {
                let transport = self.transport(c, name)?;
                Ok(Arc::new(LoadBalancer::build(name, c, transport, self.keep)?))
            }
            ServiceKind::WeightedRoundRobin(c) => {
                let child = |s: &trilithon_model::dynamic::tcp::WrrService| {
                    Ok(Child {
                        name: s.name.clone(),
                        weight: s.weight,
                        backend: self.get(&qualify(&s.name, name))?,
                    })
                };
                let children = c.services.iter().map(child).collect::<Result<_, BuildError>>()?;
                Ok(Arc::new(Weighted::build(name, c, children)?))
            }
        }
    }

    fn transport(&self, config: &ServersLoadBalancer, owner: &str) -> Result<Arc<Transport>, BuildError> {
        if config.servers_transport.is_empty() {
            return Ok(Arc::new(self.default_transport.for_service(config)?));
        }
        if config.servers_transport == "default@internal" {
            return Ok(self.default_transport.clone());
        }
        let name = qualify(&config.servers_transport, owner);
        match self.merged.tcp_servers_transports.get(&name) {
            Some(config) => Ok(Arc::new(Transport::build(config)?)),
            None => Err(BuildError::new(format!(
                "no transport configuration found for \"{name}\""
            ))),
        }
    }

    /// Tells the report what became of the services.
    pub fn finish(self, report: &mut Report) {
        for (name, built) in self.built {
            let Some(entry) = report.tcp_services.get_mut(&name) else {
                continue;
            };
            match built {
                Ok(backend) => drop(report.tcp_backends.insert(name, backend)),
                Err(error) => entry.disable(error),
            }
        }
    }
}
