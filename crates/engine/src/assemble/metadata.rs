//! Routes that nobody wrote: where the metadata of protected servers are served (`resourceMetadata` of `mcp`). Clients ask for them
//! before they have a token, at a path beside that of the server, so that no router of its own takes them there.

use crate::merge::qualify;
use std::collections::BTreeSet;
use trilithon_middleware::http::mcp::well_known;
use trilithon_model::dynamic::http::{Middleware, MiddlewareKind, Observability, Router};
use trilithon_model::spanned::{Map, Spanned};
use trilithon_rule::MAX_USER_PRIORITY;

/// Chains in chains that are followed.
const MAX_DEPTH: usize = 16;

/// Adds a router for each one with such a middleware: where its requests come in, before whatever takes them there, with that
/// middleware alone. One below others has one for each root that leads to it, so that nothing which parents ask for stands before the
/// metadata.
pub fn serve(routers: &mut Map<Router>, middlewares: &Map<Middleware>) {
    let mut beside = Vec::new();
    for (name, router) in routers.iter() {
        let Some((local, provider)) = name.rsplit_once('@') else {
            continue;
        };
        let Some((middleware, rule)) = find(&router.middlewares, name, middlewares, MAX_DEPTH) else {
            continue;
        };
        let Some(service) = service(name, router, routers) else {
            continue;
        };
        for (root, at) in roots(name, router, routers) {
            let own = match root == name {
                true => format!("{local}-resource-metadata@{provider}"),
                false => format!("{local}-{}-resource-metadata@{provider}", local_name(root)),
            };
            beside.push((own, of_metadata(router, at, &middleware, &rule, &service)));
        }
    }
    for (name, router) in beside {
        routers.entry(name).or_insert(router);
    }
}

fn local_name(qualified: &str) -> &str {
    qualified.rsplit_once('@').map_or(qualified, |(local, _)| local)
}

/// What the router's chain ends in, for the chain of its metadata to end there too, which nothing reaches: its service, or that of a
/// router right below it.
fn service(name: &str, router: &Router, routers: &Map<Router>) -> Option<String> {
    let below = || {
        let is_child = |(child, of): &(&String, &Spanned<Router>)| {
            of.parent_refs.iter().any(|p| qualify(p, child) == name)
        };
        routers
            .iter()
            .filter(is_child)
            .find(|(_, of)| !of.service.is_empty())
    };
    match router.service.is_empty() {
        false => Some(qualify(&router.service, name)),
        true => below().map(|(child, of)| qualify(&of.service, child)),
    }
}

/// The routers without parents that lead to one, each once; itself, if it has none.
fn roots<'a>(
    name: &'a str,
    router: &'a Spanned<Router>,
    routers: &'a Map<Router>,
) -> Vec<(&'a str, &'a Spanned<Router>)> {
    let mut open = vec![(name, router)];
    let (mut seen, mut roots) = (BTreeSet::new(), Vec::new());
    while let Some((name, router)) = open.pop() {
        if !seen.insert(name) {
            continue;
        }
        if router.parent_refs.is_empty() {
            roots.push((name, router));
        }
        let parents = router.parent_refs.iter().map(|parent| qualify(parent, name));
        open.extend(
            parents
                .filter_map(|parent| routers.get_key_value(&parent))
                .map(|(name, router)| (&**name, router)),
        );
    }
    roots
}

/// The router for the metadata of `router`, where requests come in `at` another or at itself.
fn of_metadata(
    router: &Spanned<Router>,
    at: &Spanned<Router>,
    middleware: &str,
    rule: &str,
    service: &str,
) -> Spanned<Router> {
    let priority = match at.priority {
        0 => 0,
        given => given.saturating_add(1).min(MAX_USER_PRIORITY),
    };
    Spanned {
        value: Router {
            entry_points: at.entry_points.clone(),
            rule: rule.to_owned(),
            rule_syntax: "v3".to_owned(),
            priority,
            service: service.to_owned(),
            tls: at.tls.clone(),
            middlewares: vec![middleware.to_owned()],
            observability: Some(Observability {
                audit: Some(false),
                ..at.observability.clone().unwrap_or_default()
            }),
            ..Router::default()
        },
        span: router.span.clone(),
    }
}

/// The first middleware with metadata, and the rule for them.
fn find(
    names: &[String],
    owner: &str,
    middlewares: &Map<Middleware>,
    depth: usize,
) -> Option<(String, String)> {
    names.iter().find_map(|name| {
        let name = qualify(name, owner);
        match middlewares.get(&name)?.kind().ok()? {
            MiddlewareKind::Chain(chain) if depth > 0 => {
                find(&chain.middlewares, &name, middlewares, depth - 1)
            }
            MiddlewareKind::Mcp(config) => {
                let resource = well_known(config)?;
                let rule = format!("Host(`{}`) && Path(`{}`)", resource.host(), resource.path);
                Some((name, rule))
            }
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use trilithon_model::dynamic::http::{Chain, Mcp, McpResourceMetadata};

    fn middlewares(resource: Option<&str>) -> Map<Middleware> {
        let metadata = resource.map(|resource| McpResourceMetadata {
            resource: resource.to_owned(),
            ..McpResourceMetadata::default()
        });
        let mcp = Middleware {
            extra: trilithon_model::dynamic::http::Extra {
                mcp: Some(Box::new(Mcp {
                    resource_metadata: metadata,
                    ..Mcp::default()
                })),
                ..Default::default()
            },
            ..Middleware::default()
        };
        let chain = Middleware {
            chain: Some(Box::new(Chain {
                middlewares: vec!["tools".to_owned()],
            })),
            ..Middleware::default()
        };
        Map::from([
            ("tools@file".to_owned(), mcp.into()),
            ("all@file".to_owned(), chain.into()),
        ])
    }

    fn world(priority: i64, resource: Option<&str>) -> Map<Router> {
        let router = Router {
            entry_points: vec!["web".to_owned()],
            rule: "PathPrefix(`/mcp`)".to_owned(),
            service: "s".to_owned(),
            middlewares: vec!["all".to_owned()],
            priority,
            ..Router::default()
        };
        let mut routers = Map::from([("r@file".to_owned(), router.into())]);
        serve(&mut routers, &middlewares(resource));
        routers
    }

    #[test]
    fn a_route_beside_the_servers() {
        let routers = world(0, Some("https://mcp.test/mcp"));
        let own = &routers["r-resource-metadata@file"];
        assert_eq!(
            own.rule,
            "Host(`mcp.test`) && Path(`/.well-known/oauth-protected-resource/mcp`)"
        );
        assert_eq!(
            (own.middlewares.as_slice(), own.service.as_str()),
            (["tools@file".to_owned()].as_slice(), "s@file")
        );
        assert_eq!((own.priority, own.entry_points.len()), (0, 1));
        let routers = world(50, Some("https://mcp.test/mcp"));
        assert_eq!(
            routers["r-resource-metadata@file"].priority, 51,
            "before the server's own"
        );
    }

    #[test]
    fn one_for_each_root_of_a_router_below_others() {
        let routers = world(0, Some("https://mcp.test/mcp"));
        let mut below = routers["r@file"].value.clone();
        below.entry_points.clear();
        below.parent_refs = vec!["middle".to_owned(), "b".to_owned()];
        let above = |entry_point: &str, parents: &[&str]| Router {
            entry_points: (!entry_point.is_empty())
                .then(|| entry_point.to_owned())
                .into_iter()
                .collect(),
            parent_refs: parents.iter().map(|p| (*p).to_owned()).collect(),
            ..Router::default()
        };
        let mut routers = Map::from([
            ("a@file".to_owned(), above("web", &[]).into()),
            ("b@file".to_owned(), above("inner", &[]).into()),
            // A circle leads nowhere else.
            ("middle@file".to_owned(), above("", &["a", "middle"]).into()),
            ("r@file".to_owned(), below.into()),
        ]);
        serve(&mut routers, &middlewares(Some("https://mcp.test/mcp")));
        for (root, entry_point) in [("a", "web"), ("b", "inner")] {
            let own = &routers[&format!("r-{root}-resource-metadata@file")];
            assert_eq!(
                (&*own.entry_points, own.parent_refs.len()),
                (&[entry_point.to_owned()][..], 0)
            );
            assert_eq!(
                (&*own.service, &*own.middlewares),
                ("s@file", &["tools@file".to_owned()][..])
            );
        }
        assert_eq!(routers.len(), 6);
    }

    #[test]
    fn one_for_a_router_that_leads_to_others() {
        let routers = world(0, Some("https://mcp.test/mcp"));
        let mut above = routers["r@file"].value.clone();
        above.service.clear();
        let below = Router {
            parent_refs: vec!["r".to_owned()],
            service: "t".to_owned(),
            ..Router::default()
        };
        let mut routers = Map::from([
            ("r@file".to_owned(), above.into()),
            ("c@file".to_owned(), below.into()),
        ]);
        serve(&mut routers, &middlewares(Some("https://mcp.test/mcp")));
        assert_eq!(routers["r-resource-metadata@file"].service, "t@file");
        assert_eq!(routers.len(), 3);
    }

    #[test]
    fn none_without_metadata_that_can_be_served() {
        assert_eq!(world(0, None).len(), 1);
        assert_eq!(world(0, Some("http://mcp.test")).len(), 1);
    }
}
