//! Services by name, each built once, with what it leads to.

use crate::merge::{Merged, qualify};
use crate::report::Report;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use trilithon_flow::{BuildError, Chain, Exchange, Keep, Reply, Request, Service, Services};
use trilithon_model::dynamic::http::{ServersLoadBalancer, ServiceKind};
use trilithon_upstream::{
    Backend, Child, Failover, HighestRandomWeight, LoadBalancer, McpServers, Mirroring, Models, OpenApi,
    Transport, Weighted,
};

/// The gateway's own services (`api@internal`), by name.
pub type Internals = BTreeMap<String, Arc<dyn Service>>;

/// What was built so far, or why it could not be, by qualified name.
type Built<T> = HashMap<String, Result<Arc<T>, BuildError>>;

/// Builds services as they are asked for.
pub struct ServiceTable<'a> {
    pub(super) merged: &'a Merged,
    internals: &'a Internals,
    default_transport: &'a Arc<Transport>,
    /// Middlewares are to be told of in traces.
    pub(super) traced: bool,
    pub(super) keep: &'a Keep,
    built: RefCell<Built<dyn Backend>>,
    transports: RefCell<Built<Transport>>,
    trail: RefCell<Vec<String>>,
    report: RefCell<Report>,
}

impl<'a> ServiceTable<'a> {
    pub fn new(
        merged: &'a Merged,
        internals: &'a Internals,
        default_transport: &'a Arc<Transport>,
        traced: bool,
        keep: &'a Keep,
        report: Report,
    ) -> Self {
        ServiceTable {
            merged,
            internals,
            default_transport,
            traced,
            keep,
            built: RefCell::default(),
            transports: RefCell::default(),
            trail: RefCell::default(),
            report: RefCell::new(report),
        }
    }

    /// The report so far; services and service middlewares write their complaints into it.
    pub fn report(&self) -> std::cell::RefMut<'_, Report> {
        self.report.borrow_mut()
    }

    /// The report, when nothing more is built.
    pub fn into_report(self) -> Report {
        self.report.into_inner()
    }

    /// The service of this qualified name.
    ///
    /// # Errors
    /// It does not exist, or it or something it needs cannot be built; the report says so too.
    pub fn get(&self, name: &str) -> Result<Arc<dyn Backend>, BuildError> {
        if let Some(done) = self.built.borrow().get(name) {
            return done.clone();
        }
        if self.trail.borrow().iter().any(|n| n == name) {
            let trail = self.trail.borrow().join("->");
            return Err(BuildError::new(format!(
                "could not instantiate service {name}: recursion detected in {trail}->{name}"
            )));
        }
        self.trail.borrow_mut().push(name.to_owned());
        let built = self.build(name);
        self.trail.borrow_mut().pop();
        if let Some(entry) = self.report.borrow_mut().services.get_mut(name) {
            match &built {
                Ok(backend) => {
                    backend.warnings().into_iter().for_each(|w| entry.warn(w));
                    entry.backend = Some(backend.clone());
                }
                Err(error) => entry.disable(error.clone()),
            }
        }
        self.built.borrow_mut().insert(name.to_owned(), built.clone());
        built
    }

    fn build(&self, name: &str) -> Result<Arc<dyn Backend>, BuildError> {
        if let Some(service) = self.internals.get(name) {
            return Ok(Arc::new(Plain(service.clone())));
        }
        let Some(config) = self.merged.services.get(name) else {
            return Err(
                BuildError::new(format!("the service \"{name}\" does not exist")).help(format!(
                    "define `http.services.{}` or name another service",
                    name.split('@').next().unwrap_or(name)
                )),
            );
        };
        let kind = config.kind().map_err(|e| BuildError::new(e.of(name)))?;
        let backend = self.kind(name, kind)?;
        if config.middlewares.is_empty() {
            return Ok(backend);
        }
        let steps = self.steps(&config.middlewares, name)?;
        Ok(Arc::new(Dressed {
            chain: Chain::new(steps, backend.clone()),
            backend,
        }))
    }

    fn kind(&self, name: &str, kind: ServiceKind<'_>) -> Result<Arc<dyn Backend>, BuildError> {
        Ok(match kind {
            ServiceKind::ServersLoadBalancer(c) => {
                Arc::new(LoadBalancer::build(name, c, self.transport(c, name)?, self.keep)?)
            }
            ServiceKind::WeightedRoundRobin(c) => {
                let children = c
                    .services
                    .iter()
                    .map(|s| {
                        let within = |e: BuildError| BuildError {
                            message: format!("building HTTP service \"{}\": {}", s.name, e.message),
                            ..e.at(&s.name, 0)
                        };
                        self.child(&s.name, s.weight, name).map_err(within)
                    })
                    .collect::<Result<_, _>>()?;
                Arc::new(Weighted::build(name, c, children, self.keep)?)
            }
            ServiceKind::HighestRandomWeight(c) => {
                let children = c
                    .services
                    .iter()
                    .map(|s| self.child(&s.name, s.weight, name))
                    .collect::<Result<_, _>>()?;
                Arc::new(HighestRandomWeight::build(name, c, children, self.keep)?)
            }
            ServiceKind::Mirroring(c) => {
                let main = self.child(&c.service, None, name)?;
                let mirrors = c
                    .mirrors
                    .iter()
                    .map(|m| self.child(&m.name, None, name))
                    .collect::<Result<_, _>>()?;
                Arc::new(Mirroring::build(name, c, main, mirrors, self.keep)?)
            }
            ServiceKind::Failover(c) => {
                let main = self.child(&c.service, None, name)?;
                let fallback = self.child(&c.fallback, None, name)?;
                Arc::new(Failover::build(name, c, main, fallback, self.keep)?)
            }
            ServiceKind::Models(c) => {
                let targets = c
                    .targets
                    .iter()
                    .map(|t| self.child(&t.service, t.weight, name))
                    .collect::<Result<_, _>>()?;
                Arc::new(Models::build(name, c, targets, self.keep)?)
            }
            ServiceKind::McpServers(c) => {
                let servers = c
                    .servers
                    .iter()
                    .map(|s| self.child(&s.service, None, name))
                    .collect::<Result<_, _>>()?;
                Arc::new(McpServers::build(name, c, servers, self.keep)?)
            }
            ServiceKind::OpenApi(c) => {
                let api = self.child(&c.service, None, name)?;
                Arc::new(OpenApi::build(name, c, api, self.keep)?)
            }
        })
    }

    fn child(&self, name: &str, weight: Option<i64>, parent: &str) -> Result<Child, BuildError> {
        let backend = self.get(&qualify(name, parent))?;
        Ok(Child {
            name: name.to_owned(),
            weight,
            backend,
        })
    }

    fn transport(&self, config: &ServersLoadBalancer, owner: &str) -> Result<Arc<Transport>, BuildError> {
        if matches!(config.servers_transport.as_str(), "" | "default@internal") {
            return Ok(self.default_transport.clone());
        }
        let name = qualify(&config.servers_transport, owner);
        if let Some(done) = self.transports.borrow().get(&name) {
            return done.clone();
        }
        let built = match self.merged.servers_transports.get(&name) {
            // Pools belong to the transport: one that did not change keeps its connections.
            Some(config) => Transport::build(&name, config).map(|t| {
                self.keep
                    .get(&name, &config.value, || KeptTransport(Arc::new(t)))
                    .0
                    .clone()
            }),
            None => {
                let url = config.servers.first().map(|s| s.url.as_str()).unwrap_or_default();
                let why = format!("getting RoundTripper: servers transport not found {name}");
                let error = BuildError::new(format!("error building proxy for server URL {url}: {why}"));
                Err(error.at(&config.servers_transport, 0))
            }
        };
        self.transports.borrow_mut().insert(name, built.clone());
        built
    }
}

struct KeptTransport(Arc<Transport>);

/// The table as an object of one provider sees it: names without `@` are that provider's.
pub(super) struct Scoped<'a> {
    pub table: &'a ServiceTable<'a>,
    pub owner: &'a str,
}

impl Services for Scoped<'_> {
    fn service(&self, name: &str) -> Result<Arc<dyn Service>, BuildError> {
        let backend = self.table.get(&qualify(name, self.owner))?;
        Ok(backend)
    }
}

/// One of the gateway's own services: always up, nothing to report.
struct Plain(Arc<dyn Service>);

impl Service for Plain {
    fn call<'a>(&'a self, req: Request, cx: &'a mut Exchange) -> Reply<'a> {
        self.0.call(req, cx)
    }
}

impl Backend for Plain {}

/// A service with middlewares of its own.
struct Dressed {
    chain: Chain,
    backend: Arc<dyn Backend>,
}

impl Service for Dressed {
    fn call<'a>(&'a self, req: Request, cx: &'a mut Exchange) -> Reply<'a> {
        self.chain.call(req, cx)
    }
}

impl Backend for Dressed {
    fn status(&self) -> Option<Arc<trilithon_upstream::Status>> {
        self.backend.status()
    }
    fn status_refusal(&self) -> String {
        self.backend.status_refusal()
    }
    fn server_status(&self) -> Vec<(String, bool)> {
        self.backend.server_status()
    }
    fn warnings(&self) -> Vec<BuildError> {
        self.backend.warnings()
    }
}
