//! What is known of a route by its middlewares and services: whether it calls language models or tools, or can be undone, which is
//! audited where nothing else is said, and what its clients speak.

use super::services::ServiceTable;
use crate::merge::qualify;
use std::collections::HashSet;
use trilithon_flow::Step;
use trilithon_middleware::http::model_call::in_dialect;
use trilithon_model::dynamic::http::{MiddlewareKind, Router, ServiceKind};

impl ServiceTable<'_> {
    /// Whether requests through a router are calls of language models or of tools: so says a middleware of the router, or the service,
    /// or something that either leads to.
    pub fn is_called(&self, router: &Router, name: &str) -> bool {
        let walk = Walk {
            table: self,
            pick: &|kind| knows_calls(kind).then_some(()),
            of_calls: &|| Some(()),
        };
        walk.router(router, name).is_some()
    }

    /// The step that says the gateway's own refusals as the clients of a router expect them, where something that it leads to knows
    /// how.
    pub fn in_dialect(&self, router: &Router, name: &str) -> Option<Step> {
        let walk = Walk {
            table: self,
            pick: &in_dialect::step,
            of_calls: &|| None,
        };
        walk.router(router, name)
    }
}

/// A look at all that a router leads to, for the first thing that says something of it.
struct Walk<'w, T> {
    table: &'w ServiceTable<'w>,
    /// What a middleware says.
    pick: &'w dyn Fn(&MiddlewareKind<'_>) -> Option<T>,
    /// What a service of models or of tools says by itself.
    of_calls: &'w dyn Fn() -> Option<T>,
}

impl<T> Walk<'_, T> {
    fn router(&self, router: &Router, name: &str) -> Option<T> {
        let mut seen = HashSet::new();
        self.middlewares(&router.middlewares, name, &mut seen)
            .or_else(|| self.service(&qualify(&router.service, name), &mut seen))
    }

    fn middlewares(&self, names: &[String], owner: &str, seen: &mut HashSet<(bool, String)>) -> Option<T> {
        names.iter().find_map(|name| {
            let name = qualify(name, owner);
            // One that leads to itself is reported where it is built.
            if !seen.insert((false, name.clone())) {
                return None;
            }
            let report = self.table.report();
            let config = report.middlewares.get(&name).map(|e| e.config.value.clone())?;
            drop(report);
            match config.kind().ok()? {
                MiddlewareKind::Chain(chain) => self.middlewares(&chain.middlewares, &name, seen),
                kind => (self.pick)(&kind),
            }
        })
    }

    fn service(&self, name: &str, seen: &mut HashSet<(bool, String)>) -> Option<T> {
        if !seen.insert((true, name.to_owned())) {
            return None;
        }
        let config = self.table.merged.services.get(name)?;
        let kind = config.kind();
        let (said, below): (Option<T>, Vec<&String>) = match &kind {
            Ok(ServiceKind::Models(c)) => {
                let targets = c.targets.iter().map(|t| &t.service);
                ((self.of_calls)(), targets.collect())
            }
            Ok(ServiceKind::McpServers(_) | ServiceKind::OpenApi(_)) => ((self.of_calls)(), Vec::new()),
            Ok(ServiceKind::WeightedRoundRobin(c)) => (None, c.services.iter().map(|s| &s.name).collect()),
            Ok(ServiceKind::HighestRandomWeight(c)) => (None, c.services.iter().map(|s| &s.name).collect()),
            Ok(ServiceKind::Mirroring(c)) => {
                let copies = c.mirrors.iter().map(|m| &m.name);
                (None, std::iter::once(&c.service).chain(copies).collect())
            }
            Ok(ServiceKind::Failover(c)) => (None, vec![&c.service, &c.fallback]),
            Ok(ServiceKind::ServersLoadBalancer(_)) | Err(_) => (None, Vec::new()),
        };
        said.or_else(|| self.middlewares(&config.middlewares, name, seen))
            .or_else(|| {
                let mut below = below.into_iter();
                below.find_map(|child| self.service(&qualify(child, name), seen))
            })
    }
}

/// The kinds that know what follows for calls of language models or of tools, and for those that can be undone.
fn knows_calls(kind: &MiddlewareKind<'_>) -> bool {
    matches!(
        kind,
        MiddlewareKind::ChatCompletion(_)
            | MiddlewareKind::ResponsesApi(_)
            | MiddlewareKind::MessagesApi(_)
            | MiddlewareKind::Mcp(_)
            | MiddlewareKind::Undo(_)
    )
}
