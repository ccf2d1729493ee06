//! Routes that nobody wrote: where the metadata of protected servers are served (`resourceMetadata` of `mcp`). Clients ask for them
//! before they have a token, at a path beside that of the server, so that no router of its own takes them there.

use crate::merge::qualify;
use trilithon_middleware::http::mcp::well_known;
use trilithon_model::dynamic::http::{Middleware, MiddlewareKind, Observability, Router};
use trilithon_model::spanned::{Map, Spanned};
use trilithon_rule::MAX_USER_PRIORITY;

/// Chains in chains that are followed.
const MAX_DEPTH: usize = 16;

/// Adds a router beside each one with such a middleware: on the same entry points, before it, with that middleware alone. A router
/// below another has no entry points of its own and gets none.
pub fn serve(routers: &mut Map<Router>, middlewares: &Map<Middleware>) {
    let beside: Vec<(String, Spanned<Router>)> = routers
        .iter()
        .filter(|(_, router)| router.parent_refs.is_empty() && !router.service.is_empty())
        .filter_map(|(name, router)| {
            let (local, provider) = name.rsplit_once('@')?;
            let own = format!("{local}-resource-metadata@{provider}");
            Some((own, of_metadata(name, router, middlewares)?))
        })
        .collect();
    for (name, router) in beside {
        routers.entry(name).or_insert(router);
    }
}

fn of_metadata(
    name: &str,
    router: &Spanned<Router>,
    middlewares: &Map<Middleware>,
) -> Option<Spanned<Router>> {
    let (middleware, rule) = find(&router.middlewares, name, middlewares, MAX_DEPTH)?;
    let priority = match router.priority {
        0 => 0,
        given => given.saturating_add(1).min(MAX_USER_PRIORITY),
    };
    Some(Spanned {
        value: Router {
            entry_points: router.entry_points.clone(),
            rule,
            rule_syntax: "v3".to_owned(),
            priority,
            service: qualify(&router.service, name),
            tls: router.tls.clone(),
            middlewares: vec![middleware],
            observability: Some(Observability {
                audit: Some(false),
                ..router.observability.clone().unwrap_or_default()
            }),
            ..Router::default()
        },
        span: router.span.clone(),
    })
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

    fn world(priority: i64, resource: Option<&str>) -> Map<Router> {
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
        let middlewares = [
            ("tools@file".to_owned(), mcp.into()),
            ("all@file".to_owned(), chain.into()),
        ];
        let router = Router {
            entry_points: vec!["web".to_owned()],
            rule: "PathPrefix(`/mcp`)".to_owned(),
            service: "s".to_owned(),
            middlewares: vec!["all".to_owned()],
            priority,
            ..Router::default()
        };
        let mut routers = Map::from([("r@file".to_owned(), router.into())]);
        serve(&mut routers, &middlewares.into());
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
    fn none_without_metadata_that_can_be_served() {
        assert_eq!(world(0, None).len(), 1);
        assert_eq!(world(0, Some("http://mcp.test")).len(), 1);
    }
}
