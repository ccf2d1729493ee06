//! Entry point defaults laid over routers: middlewares, TLS, observability.

use crate::merge::qualify;
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
    let mut split: BTreeMap<String, Vec<String>> = BTreeMap::new();
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
                let own = format!("{entry_point}-{name}");
                split.entry(name.clone()).or_default().push(own.clone());
                own
            } else {
                name.clone()
            };
            out.insert(own, with_model(router, entry_point, &models[entry_point]));
        }
        if !without.is_empty() || entry_points.is_empty() {
            let mut rest = router.clone();
            rest.entry_points = without.into_iter().cloned().collect();
            if let Some(parts) = split.get_mut(name) {
                parts.push(name.clone());
            }
            out.insert(name.clone(), rest);
        }
    }
    follow(&mut out, &split);
    out
}

/// Lets children of a router that was split name its parts.
fn follow(routers: &mut Map<Router>, split: &BTreeMap<String, Vec<String>>) {
    for (name, router) in routers.iter_mut() {
        if router
            .parent_refs
            .iter()
            .any(|p| split.contains_key(&qualify(p, name)))
        {
            let parents = std::mem::take(&mut router.parent_refs);
            router.parent_refs = parents
                .into_iter()
                .flat_map(|parent| {
                    split
                        .get(&qualify(&parent, name))
                        .cloned()
                        .unwrap_or(vec![parent])
                })
                .collect();
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A parent `p@file` on the given entry points, of which `m` and `n` have models, and its child: the routers that come
    /// of them, and whom the child names.
    #[track_caller]
    fn check(entry_points: &[&str], parent: &str, routers: &[&str], parents: &[&str]) {
        let models = ["m", "n"].map(|ep| (ep.to_owned(), Model::default())).into();
        let mut given = Map::new();
        let root = Router {
            entry_points: entry_points.iter().map(|ep| (*ep).to_owned()).collect(),
            ..Router::default()
        };
        let child = Router {
            parent_refs: vec![parent.to_owned()],
            ..Router::default()
        };
        given.insert("p@file".to_owned(), root.into());
        given.insert("c@file".to_owned(), child.into());
        let mut got = apply(&given, &models, &[]);
        let child = got.remove("c@file").expect("a child stays");
        assert_eq!(child.parent_refs, parents, "{entry_points:?}");
        assert_eq!(got.keys().collect::<Vec<_>>(), routers, "{entry_points:?}");
    }

    #[test]
    fn a_split_parent_keeps_its_children() {
        check(&["web"], "p", &["p@file"], &["p"]);
        check(&["m"], "p", &["p@file"], &["p"]);
        check(
            &["web", "m"],
            "p",
            &["m-p@file", "p@file"],
            &["m-p@file", "p@file"],
        );
        check(
            &["m", "n"],
            "p@file",
            &["m-p@file", "n-p@file"],
            &["m-p@file", "n-p@file"],
        );
        check(&["web", "m"], "other", &["m-p@file", "p@file"], &["other"]);
    }
}
