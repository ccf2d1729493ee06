//! Routers into routes.

use super::Settings;
use super::layers::Layers;
use super::services::ServiceTable;
use super::tls::options_of;
use crate::merge::qualify;
use crate::route::{DeniedCharacters, Layer, Muxer, Observe, Route};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use trilithon_flow::model_call::BodyLimit;
use trilithon_flow::trace::Verbosity;
use trilithon_flow::{BuildError, Chain, Service};
use trilithon_middleware::http::mcp::{Resource, challenge_of};
use trilithon_model::dynamic::http::Router;
use trilithon_model::spanned::Map;
use trilithon_rule::{MAX_USER_PRIORITY, Protocol, Rule, Syntax};
use trilithon_tls::Tls;

/// Routes by router, ready for the muxers of the entry points.
pub struct RouterBuilder<'a> {
    pub settings: &'a Settings,
    pub routers: &'a Map<Router>,
    pub services: &'a ServiceTable<'a>,
    pub layers: &'a Layers,
    pub tls: &'a Tls,
    pub built: BTreeMap<String, Option<Candidate>>,
}

/// What a router's chain ends in.
struct Target {
    service: Arc<dyn Service>,
    /// Its name, for the record.
    label: Option<Arc<str>>,
    /// It is one of the gateway's own.
    internal: bool,
}

/// A route with what orders it among others.
#[derive(Clone)]
pub struct Candidate {
    pub rule: Rule,
    pub priority: i64,
    pub tie: u32,
    pub route: Arc<Route>,
}

impl RouterBuilder<'_> {
    /// The route of a router, built once; `None` when it cannot be, which the report then says.
    pub fn candidate(&mut self, name: &str) -> Option<Candidate> {
        if let Some(done) = self.built.get(name) {
            return done.clone();
        }
        // While it is being built it leads nowhere: a circle ends here.
        self.built.insert(name.to_owned(), None);
        let router = self.routers.get(name)?;
        let built = self.build(name, router);
        let mut report = self.services.report();
        let entry = report.routers.get_mut(name);
        let candidate = match built {
            Ok(candidate) => Some(candidate),
            Err(error) => {
                if let Some(entry) = entry {
                    entry.disable(error.clone());
                }
                None
            }
        };
        drop(report);
        self.built.insert(name.to_owned(), candidate.clone());
        candidate
    }

    fn build(&mut self, name: &str, router: &Router) -> Result<Candidate, BuildError> {
        let internal = name.ends_with("@internal");
        if router.priority > MAX_USER_PRIORITY && !internal {
            return Err(BuildError::new(format!(
                "the router priority {} exceeds the max user-defined priority {MAX_USER_PRIORITY}",
                router.priority
            )));
        }
        self.check_tls(name, router)?;
        let mut steps = self.services.steps(&router.middlewares, name)?;
        let challenge = self.services.challenge(&router.middlewares, name);
        if let Some(challenge) = challenge.or_else(|| challenge_of(self.protected_below(name))) {
            steps.insert(0, challenge);
        }
        steps.splice(..0, self.services.in_dialect(router, name));
        let target = self.target(name, router)?;
        let rule = parse(router, self.settings.default_syntax)?;
        let priority = if router.priority == 0 {
            rule.default_priority()
        } else {
            router.priority
        };
        let route = Route {
            name: name.into(),
            service: target.label,
            rule: router.rule.as_str().into(),
            chain: Chain::new(steps, target.service),
            internal: target.internal,
            observe: self.observe(name, router, target.internal),
            tls_options: options_of(router, name).into(),
            denied: if router.parent_refs.is_empty() {
                self.denied(router)
            } else {
                DeniedCharacters::default()
            },
        };
        Ok(Candidate {
            rule,
            priority,
            tie: self.settings.tie(name),
            route: Arc::new(route),
        })
    }

    /// The resources that the routers below protect.
    fn protected_below(&self, name: &str) -> Vec<Resource> {
        let (mut seen, mut found) = (BTreeSet::new(), Vec::new());
        let mut open: Vec<&String> = self.layers.children(name).iter().collect();
        while let Some(child) = open.pop() {
            if let Some(router) = self.routers.get(child).filter(|_| seen.insert(child)) {
                found.extend(self.services.protected(&router.middlewares, child));
                open.extend(self.layers.children(child));
            }
        }
        found
    }

    fn check_tls(&self, name: &str, router: &Router) -> Result<(), BuildError> {
        if router.tls.is_none() {
            return Ok(());
        }
        let options = options_of(router, name);
        let written = router.tls.as_ref().map(|t| t.options.clone()).unwrap_or_default();
        match self.tls.options_error(&options) {
            None => Ok(()),
            Some(why) => Err(BuildError::new(format!("building router handler: {why}")).at(written, 0)),
        }
    }

    /// What the chain ends in: a service, or the routers below.
    fn target(&mut self, name: &str, router: &Router) -> Result<Target, BuildError> {
        let children = self.layers.children(name).to_vec();
        if !children.is_empty() {
            let below: Vec<Candidate> = children
                .iter()
                .filter_map(|child| self.candidate(child))
                .collect();
            let label: Arc<str> = format!("{name}-muxer").into();
            return Ok(Target {
                service: Arc::new(Layer {
                    muxer: muxer(below),
                    body_limit: BodyLimit::of(self.services.keep).models,
                }),
                label: Some(label),
                internal: false,
            });
        }
        if router.service.is_empty() {
            return Err(BuildError::new("the service is missing on the router").help(
                "set `service` to the name of a service, or let other routers name this one in `parentRefs`",
            ));
        }
        let service = qualify(&router.service, name);
        let backend = self
            .services
            .get(&service)
            .map_err(|e| e.at(&router.service, 0))?;
        let own = service.ends_with("@internal");
        Ok(Target {
            service: backend,
            label: Some(service.into()),
            internal: own,
        })
    }

    fn observe(&self, name: &str, router: &Router, internal: bool) -> Observe {
        let said = router.observability.as_ref();
        let traced = !internal || self.settings.tracing.internals;
        let detailed = said.is_some_and(|o| o.trace_verbosity == "detailed");
        Observe {
            access_log: said.and_then(|o| o.access_logs).unwrap_or(true),
            metrics: said.and_then(|o| o.metrics).unwrap_or(true),
            audit: said
                .and_then(|o| o.audit)
                .unwrap_or_else(|| self.services.is_called(router, name)),
            tracing: traced && said.and_then(|o| o.tracing).unwrap_or(true),
            verbosity: if detailed {
                Verbosity::Detailed
            } else {
                Verbosity::Minimal
            },
        }
    }

    fn denied(&self, router: &Router) -> DeniedCharacters {
        let of = |ep: &String| self.settings.denied.get(ep).cloned().unwrap_or_default();
        DeniedCharacters(router.entry_points.iter().flat_map(of).collect())
    }
}

/// The syntax a router's rule is written in.
pub fn syntax(router: &Router, default: Syntax) -> Syntax {
    match router.rule_syntax.as_str() {
        "v2" => Syntax::V2,
        "v3" => Syntax::V3,
        _ => default,
    }
}

/// A router's rule.
pub fn parse(router: &Router, default: Syntax) -> Result<Rule, BuildError> {
    Rule::http(&router.rule, syntax(router, default)).map_err(|error| {
        let message = error.api_text(Protocol::Http, &router.rule);
        let built = BuildError::new(message).at(&router.rule, error.span().start);
        match error.help() {
            Some(help) => built.help(help),
            None => built,
        }
    })
}

/// The index of some candidates.
pub fn muxer(candidates: Vec<Candidate>) -> Muxer {
    Muxer::new(
        candidates
            .into_iter()
            .map(|c| (c.rule, c.priority, c.tie, c.route))
            .collect(),
    )
}
