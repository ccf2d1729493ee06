//! Entry point defaults laid over routers: middlewares, TLS, observability.

use std::collections::BTreeMap;
use trilithon_model::dynamic::http::{Observability, Router, RouterTls};
use trilithon_model::spanned::{Map, Spanned};

/// What an entry point says for every router on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    pub middlewares: Vec<String>,
    pub tls: Option<RouterTls>,
    pub observability: Observability,
}

/// Routers as they are served: default entry points filled in, models applied. A router on several entry points of which
/// one has a model becomes one router for each of those, named after the entry point.
pub fn apply(
    routers: &Map<Router>,
    models: &BTreeMap<String, Model>,
    default_entry_points: &[String],
) -> Map<Router> {
    let mut out = Map::new();
    for (name, router) in routers {
        if !router.parent_refs.is_empty() {
            out.insert(name.clone(), router.clone());
            continue;
        }
        let entry_points = if router.entry_points.is_empty() {
            default_entry_points.to_vec()
        } else {
            router.entry_points.clone()
        };
        let (with, without): (Vec<_>, Vec<_>) = entry_points.iter().partition(|ep| models.contains_key(*ep));
        for entry_point in with {
            let own = if entry_points.len() > 1 {
                format!("{entry_point}-{name}")
            } else {
                name.clone()
            };
            out.insert(own, with_model(router, entry_point, &models[entry_point]));
        }
        if !without.is_empty() || entry_points.is_empty() {
            let mut rest = router.clone();
            rest.entry_points = without.into_iter().cloned().collect();
            out.insert(name.clone(), rest);
        }
    }
    out
}

fn with_model(router: &Spanned<Router>, entry_point: &str, model: &Model) -> Spanned<Router> {
    let mut router = router.clone();
    router.entry_points = vec![entry_point.to_owned()];
    if router.tls.is_none() {
        router.tls.clone_from(&model.tls);
    }
    let own = std::mem::take(&mut router.middlewares);
    router.middlewares = model.middlewares.iter().cloned().chain(own).collect();
    let observability = router.observability.get_or_insert_default();
    let theirs = &model.observability;
    observability.access_logs = observability.access_logs.or(theirs.access_logs);
    observability.metrics = observability.metrics.or(theirs.metrics);
    observability.tracing = observability.tracing.or(theirs.tracing);
    observability.audit = observability.audit.or(theirs.audit);
    if observability.trace_verbosity.is_empty() {
        observability.trace_verbosity.clone_from(&theirs.trace_verbosity);
    }
    router
}
