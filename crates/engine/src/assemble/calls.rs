//! Whether a route calls language models or tools, or can be undone: those are audited where nothing else is said.

use super::services::ServiceTable;
use crate::merge::qualify;
use std::collections::HashSet;
use trilithon_model::dynamic::http::{MiddlewareKind, Router, ServiceKind};

impl ServiceTable<'_> {
    /// Whether requests through a router are calls of language models or of tools: so says a middleware of the router, or the service,
    /// or something that either leads to.
    pub fn is_called(&self, router: &Router, name: &str) -> bool {
        let mut seen = HashSet::new();
        self.any_middleware(&router.middlewares, name, &mut seen)
            || self.service(&qualify(&router.service, name), &mut seen)
    }

    fn any_middleware(&self, names: &[String], owner: &str, seen: &mut HashSet<(bool, String)>) -> bool {
        names.iter().any(|name| {
            let name = qualify(name, owner);
            // One that leads to itself is reported where it is built.
            if !seen.insert((false, name.clone())) {
                return false;
            }
            let report = self.report();
            let config = report.middlewares.get(&name).map(|e| e.config.value.clone());
            drop(report);
            match config.as_ref().map(|c| c.kind()) {
                Some(Ok(MiddlewareKind::Chain(chain))) => {
                    self.any_middleware(&chain.middlewares, &name, seen)
                }
                Some(Ok(kind)) => knows_calls(&kind),
                _ => false,
            }
        })
    }

    fn service(&self, name: &str, seen: &mut HashSet<(bool, String)>) -> bool {
        if !seen.insert((true, name.to_owned())) {
            return false;
        }
        let Some(config) = self.merged.services.get(name) else {
            return false;
        };
        let below: Vec<&String> = match config.kind() {
            Ok(ServiceKind::Models(_) | ServiceKind::McpServers(_)) => return true,
            Ok(ServiceKind::WeightedRoundRobin(c)) => c.services.iter().map(|s| &s.name).collect(),
            Ok(ServiceKind::HighestRandomWeight(c)) => c.services.iter().map(|s| &s.name).collect(),
            Ok(ServiceKind::Mirroring(c)) => {
                let copies = c.mirrors.iter().map(|m| &m.name);
                std::iter::once(&c.service).chain(copies).collect()
            }
            Ok(ServiceKind::Failover(c)) => vec![&c.service, &c.fallback],
            Ok(ServiceKind::ServersLoadBalancer(_)) | Err(_) => Vec::new(),
        };
        self.any_middleware(&config.middlewares, name, seen)
            || below
                .into_iter()
                .any(|child| self.service(&qualify(child, name), seen))
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
