//! From a request to the chain that serves it.

mod model;

use std::cell::Cell;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use trilithon_flow::record::Name;
use trilithon_flow::trace::{Verbosity, What};
use trilithon_flow::{Chain, Connection, Exchange, Reply, Request, Response, Service};
use trilithon_rule::{Facts, RouteIndex, canonical_host, routing_path};

pub use model::Model;

/// The routers of one entry point.
#[derive(Default)]
pub struct Routes {
    pub clear: Muxer,
    pub secure: Muxer,
    /// Which TLS options each host name asks for.
    pub tls_options: HostOptions,
    /// TCP routers, where there are any: they are asked before HTTP.
    pub tcp: Option<Arc<crate::tcp::Table>>,
    /// Bytes of the largest body that is read where a rule asks for the model.
    pub body_limit: u64,
}

/// Routers by rule and priority.
#[derive(Default)]
pub struct Muxer {
    index: RouteIndex<Arc<Route>>,
}

/// What a router leads to, compiled.
pub struct Route {
    pub name: Name,
    /// The service it names, for the record; empty for a parent of other routers.
    pub service: Option<Name>,
    /// Its rule as it is written, for traces.
    pub rule: Name,
    pub chain: Chain,
    /// The service is one of the gateway's own.
    pub internal: bool,
    pub observe: Observe,
    /// Name of the TLS options that a connection must have been made with.
    pub tls_options: Arc<str>,
    /// Characters that may not stand encoded in the path (entry point `http.encodedCharacters`).
    pub denied: DeniedCharacters,
}

/// Which observers see a router's exchanges.
#[derive(Clone, Copy, Debug)]
pub struct Observe {
    pub access_log: bool,
    pub metrics: bool,
    pub tracing: bool,
    pub audit: bool,
    pub verbosity: Verbosity,
}

/// Encoded characters that are refused, as upper-case escapes (`%2F`).
#[derive(Clone, Debug, Default)]
pub struct DeniedCharacters(pub Vec<&'static str>);

impl DeniedCharacters {
    /// Whether the escaped path holds none of them. Escapes are upper case by then.
    pub fn allow(&self, path: &str) -> bool {
        self.0.is_empty() || !path.contains('%') || !self.0.iter().any(|d| path.contains(d))
    }
}

/// TLS options by host name; a name that is not here uses `default`.
#[derive(Clone, Debug, Default)]
pub struct HostOptions {
    exact: HashMap<String, Arc<str>>,
    /// Keyed by what follows `*.`.
    wildcard: HashMap<String, Arc<str>>,
}

impl HostOptions {
    pub fn insert(&mut self, host: &str, options: Arc<str>) {
        match host.strip_prefix("*.") {
            Some(parent) => self.wildcard.insert(parent.to_owned(), options),
            None => self.exact.insert(host.to_owned(), options),
        };
    }

    /// Name of the options for a host, `default` when nothing asks for others.
    pub fn of(&self, host: &str) -> &str {
        let host = host.strip_suffix('.').unwrap_or(host);
        if let Some(options) = self.exact.get(host) {
            return options;
        }
        let parent = host.split_once('.').map(|(_, parent)| parent);
        parent.and_then(|p| self.wildcard.get(p)).map_or("default", |o| o)
    }
}

impl Muxer {
    pub fn new(routes: Vec<(trilithon_rule::Rule, i64, u32, Arc<Route>)>) -> Muxer {
        Muxer {
            index: RouteIndex::new(routes),
        }
    }

    /// The first router that matches, by priority.
    ///
    /// # Errors
    /// No path that can be matched; a rule asks for the model, and the body is still to be read.
    pub fn find(
        &self,
        req: &Request,
        connection: &Connection,
        model: &Model,
    ) -> Result<Option<&Arc<Route>>, Unmatched> {
        let path = routing_path(req.target.path().as_bytes()).map_err(|_| Unmatched::BadPath)?;
        let host = canonical_host(req.host());
        let facts = RequestFacts {
            req,
            path: &path,
            host: &host,
            ip: connection.ip(),
            model: model.name(),
            asked_model: Cell::new(false),
        };
        let route = self.index.find(&facts);
        if facts.asked_model.get() && matches!(model, Model::Unread) && !req.body.is_empty() {
            return Err(Unmatched::Unread);
        }
        Ok(route)
    }

    /// For `explain`: the index itself.
    pub fn index(&self) -> &RouteIndex<Arc<Route>> {
        &self.index
    }
}

/// Why it cannot be said which router matches.
pub enum Unmatched {
    /// The path cannot be brought into the form that rules are matched on.
    BadPath,
    /// A rule asks for the model, and the body is still to be read.
    Unread,
}

/// What rules may ask of a request.
pub struct RequestFacts<'a> {
    pub req: &'a Request,
    pub path: &'a [u8],
    pub host: &'a [u8],
    pub ip: IpAddr,
    /// The model that the body names, as far as it was read.
    pub model: Option<&'a str>,
    /// Set when a rule asks for the model.
    pub asked_model: Cell<bool>,
}

impl Facts for RequestFacts<'_> {
    fn host(&self) -> &[u8] {
        self.host
    }
    fn method(&self) -> &[u8] {
        self.req.method.as_str().as_bytes()
    }
    fn path(&self) -> &[u8] {
        self.path
    }
    fn any_header(&self, name: &str, see: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        // The host is no header here: it has matchers of its own.
        !name.eq_ignore_ascii_case("host") && self.req.headers.get_all(name.as_bytes()).any(see)
    }
    fn query(&self) -> &[u8] {
        self.req.target.query().unwrap_or_default().as_bytes()
    }
    fn client_ip(&self) -> IpAddr {
        self.ip
    }
    fn model(&self) -> Option<&[u8]> {
        self.asked_model.set(true);
        self.model.map(str::as_bytes)
    }
}

impl Routes {
    /// The router that a request belongs to.
    ///
    /// # Errors
    /// The gateway's own answer; `None` when a rule asks for the model, and the body is still to be read.
    pub fn find(&self, req: &Request, cx: &Exchange, model: &Model) -> Result<Arc<Route>, Option<Response>> {
        let tls = cx.connection.tls.as_ref();
        let muxer = if tls.is_some() { &self.secure } else { &self.clear };
        let route = match muxer.find(req, &cx.connection, model) {
            Ok(Some(route)) => route.clone(),
            Ok(None) => return Err(Some(not_found())),
            Err(Unmatched::BadPath) => return Err(Some(Response::status_text(400))),
            Err(Unmatched::Unread) => return Err(None),
        };
        if !route.denied.allow(req.target.path()) {
            return Err(Some(Response::new(400)));
        }
        if tls.is_some_and(|tls| tls.options != route.tls_options) {
            return Err(Some(Response::error(421, "Misdirected Request")));
        }
        Ok(route)
    }
}

/// What Traefik answers where no router matches.
pub fn not_found() -> Response {
    Response::error(404, "404 page not found")
}

impl Route {
    /// Runs the chain, with the record told which way the request went.
    pub fn run<'a>(&'a self, req: Request, cx: &'a mut Exchange) -> Reply<'a> {
        self.mark(cx);
        if cx.record.is_sampled() {
            return Box::pin(self.traced(req, cx));
        }
        self.chain.call(req, cx)
    }

    /// The chain as a span of its own.
    async fn traced(&self, req: Request, cx: &mut Exchange) -> Response {
        let router = cx.record.enter(|| What::Router {
            name: self.name.clone(),
            service: self.service.clone(),
            rule: self.rule.clone(),
        });
        let res = self.chain.call(req, cx).await;
        cx.record.leave(&router);
        res
    }

    fn mark(&self, cx: &mut Exchange) {
        let (record, observe) = (&mut cx.record, &self.observe);
        match record.router.take() {
            None => {
                record.router = Some(self.name.clone());
                record.access_log = observe.access_log;
                record.metrics = observe.metrics;
                record.tracing = observe.tracing;
                record.audit = observe.audit;
                record.set_verbosity(observe.verbosity);
            }
            // What is observed below a router is what the router says; one that a child wants audited is.
            Some(outer) => {
                record.router = Some(format!("{outer} -> {}", self.name).into());
                record.tracing &= observe.tracing;
                record.audit |= observe.audit;
            }
        }
        record.service.clone_from(&self.service);
        record.internal = self.internal;
        if !record.tracing {
            record.trace = None;
        }
    }
}

/// The routers below a parent router: the service of its chain.
pub struct Layer {
    pub muxer: Muxer,
    /// Bytes of the largest body that is read where a rule asks for the model.
    pub body_limit: u64,
}

impl Service for Layer {
    fn call<'a>(&'a self, mut req: Request, cx: &'a mut Exchange) -> Reply<'a> {
        Box::pin(async move {
            let mut found = self.muxer.find(&req, &cx.connection, &Model::Unread);
            if matches!(found, Err(Unmatched::Unread)) {
                let model;
                (req, model) = match Model::read(req, self.body_limit).await {
                    Ok(read) => read,
                    Err(fault) => return Response::from(fault),
                };
                found = self.muxer.find(&req, &cx.connection, &model);
            }
            match found {
                Ok(Some(route)) => route.run(req, cx).await,
                Ok(None) => not_found(),
                Err(_) => Response::status_text(400),
            }
        })
    }
}

/// Whether a request is one of the CONNECT method, which a reverse proxy does not serve.
pub fn is_plain_connect(req: &Request) -> bool {
    req.method == trilithon_flow::Method::Connect && req.upgrade.is_none()
}
