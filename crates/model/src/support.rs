//! What of Traefik's configuration is accepted but not built yet: one table per configuration, one clear problem per
//! use. Building something means removing its line.
//!
//! Severity: a warning where the rest works without it; an error where going on would be less safe than asked for
//! (an identity that is not verified, a limit that is not shared) or where the object can do nothing. In a routing
//! file an error belongs to its object and disables that alone.

use crate::decode::suggest;
use crate::dynamic::http::Plugin;
use crate::node::{Node, Value};
use crate::problem::{Problem, Problems, Severity, code};

/// One thing that is not built: where it is written (`*` is any name or place, `<other>` any plugin but the gateway's
/// own), how bad that is, what it is.
struct Unbuilt(&'static str, Severity, &'static str);

use Severity::{Error, Warning};

const INSTALL: &[Unbuilt] = &[
    Unbuilt("providers.docker", Warning, "the Docker provider"),
    Unbuilt("providers.swarm", Warning, "the Swarm provider"),
    Unbuilt(
        "providers.kubernetesIngress",
        Warning,
        "the Kubernetes Ingress provider",
    ),
    Unbuilt(
        "providers.kubernetesIngressNGINX",
        Warning,
        "the Ingress-NGINX provider",
    ),
    Unbuilt("providers.kubernetesCRD", Warning, "the Kubernetes CRD provider"),
    Unbuilt("providers.kubernetesGateway", Warning, "the Gateway API provider"),
    Unbuilt("providers.knative", Warning, "the Knative provider"),
    Unbuilt("providers.rest", Warning, "the REST provider"),
    Unbuilt("providers.consulCatalog", Warning, "the Consul catalog provider"),
    Unbuilt("providers.nomad", Warning, "the Nomad provider"),
    Unbuilt("providers.ecs", Warning, "the ECS provider"),
    Unbuilt("providers.consul", Warning, "the Consul key-value provider"),
    Unbuilt("providers.etcd", Warning, "the etcd provider"),
    Unbuilt("providers.zooKeeper", Warning, "the ZooKeeper provider"),
    Unbuilt("providers.redis", Warning, "the Redis provider"),
    Unbuilt("providers.http", Warning, "the HTTP provider"),
    Unbuilt("providers.plugin", Warning, "provider plugins"),
    Unbuilt("entryPoints.*.http3", Warning, "HTTP/3"),
    Unbuilt("metrics.datadog", Warning, "metrics for Datadog"),
    Unbuilt("metrics.statsD", Warning, "metrics for StatsD"),
    Unbuilt("metrics.influxDB2", Warning, "metrics for InfluxDB"),
    Unbuilt("hostResolver", Warning, "resolving hosts"),
    Unbuilt("certificatesResolvers.*.acme", Warning, "certificates by ACME"),
    Unbuilt(
        "certificatesResolvers.*.tailscale",
        Warning,
        "certificates from Tailscale",
    ),
    Unbuilt("api.debug", Warning, "the pages below `/debug`"),
    Unbuilt("global.sendAnonymousUsage", Warning, "usage statistics"),
    Unbuilt(
        "entryPoints.*.http2.maxEncoderHeaderTableSize",
        Warning,
        "a limit of its own for the header table that is written",
    ),
    Unbuilt("experimental.plugins", Warning, "Traefik plugins"),
    Unbuilt("experimental.localPlugins", Warning, "Traefik plugins"),
    Unbuilt("ocsp", Warning, "OCSP stapling"),
    Unbuilt("spiffe", Warning, "SPIFFE"),
    Unbuilt("serversTransport.spiffe", Error, "SPIFFE towards servers"),
    Unbuilt("tcpServersTransport.tls.spiffe", Error, "SPIFFE towards servers"),
];

const ROUTING: &[Unbuilt] = &[
    Unbuilt(
        "http.middlewares.*.plugin.<other>",
        Error,
        "plugins that are not the gateway's own",
    ),
    Unbuilt(
        "http.middlewares.*.rateLimit.redis",
        Error,
        "rate limits shared through Redis",
    ),
    Unbuilt(
        "http.middlewares.*.ai-rate-limit.store.redis",
        Error,
        "token limits shared through Redis",
    ),
    Unbuilt(
        "http.middlewares.*.plugin.ai-rate-limit.store.redis",
        Error,
        "token limits shared through Redis",
    ),
    Unbuilt(
        "http.middlewares.*.ai-quota.store.redis",
        Error,
        "token budgets shared through Redis",
    ),
    Unbuilt(
        "http.middlewares.*.plugin.ai-quota.store.redis",
        Error,
        "token budgets shared through Redis",
    ),
    Unbuilt("http.serversTransports.*.spiffe", Error, "SPIFFE towards servers"),
    Unbuilt(
        "tcp.serversTransports.*.tls.spiffe",
        Error,
        "SPIFFE towards servers",
    ),
    Unbuilt(
        "tls.stores.*.defaultGeneratedCert",
        Warning,
        "default certificates from a resolver",
    ),
];

/// What an install configuration uses that is not built.
pub fn install(node: &Node) -> Problems {
    scan(node, INSTALL, false)
}

/// What a routing configuration uses that is not built; a problem of one object names it.
pub fn routing(node: &Node) -> Problems {
    scan(node, ROUTING, true)
}

fn scan(node: &Node, table: &[Unbuilt], objects: bool) -> Problems {
    let mut problems = Problems::new();
    for entry in table {
        let pattern: Vec<&str> = entry.0.split('.').collect();
        visit(node, &pattern, &mut Vec::new(), &mut |path, span| {
            let message = format!("`{}` is not built yet: {}", path.join("."), entry.2);
            let mut problem = match entry.1 {
                Error => Problem::error(code::NOT_BUILT, span.clone(), message),
                Warning => Problem::warning(code::NOT_BUILT, span.clone(), message),
            };
            problem = problem.help(help(entry, path));
            if let (true, [section, kind, name, ..]) = (objects, path) {
                problem = problem.of(&format!("{section}.{kind}"), name);
            }
            problems.push(problem);
        });
    }
    problems
}

fn help(entry: &Unbuilt, path: &[&str]) -> String {
    let near = match path {
        [.., name] if entry.0.ends_with(OTHER) => suggest::help(name, Plugin::known()),
        _ => None,
    };
    near.unwrap_or_else(|| match entry.1 {
        Error => "remove it".to_owned(),
        Warning => "it is accepted and ignored".to_owned(),
    })
}

/// Any plugin that is not one of the gateway's own kinds.
const OTHER: &str = "<other>";

/// Whether a word of a pattern stands for any name, and for this one.
fn is_any(word: &str, key: &str) -> bool {
    word == "*" || word == OTHER && !Plugin::known().any(|own| own.eq_ignore_ascii_case(key))
}

fn visit<'a>(
    node: &'a Node,
    pattern: &[&'a str],
    path: &mut Vec<&'a str>,
    found: &mut impl FnMut(&[&str], &crate::node::Span),
) {
    let Some((first, rest)) = pattern.split_first() else {
        return;
    };
    let entries = node.entries().unwrap_or_default();
    for entry in entries
        .iter()
        .filter(|e| is_any(first, &e.key) || first.eq_ignore_ascii_case(&e.key))
    {
        path.push(if is_any(first, &entry.key) {
            &entry.key
        } else {
            first
        });
        match rest {
            [] if is_used(&entry.node) => found(path, &entry.key_span),
            [] => {}
            _ => visit(&entry.node, rest, path, found),
        }
        path.pop();
    }
}

/// Absent, null and `false` do not use an object.
fn is_used(node: &Node) -> bool {
    match &node.value {
        Value::Null => false,
        Value::Scalar(scalar) => crate::decode::means_true(scalar),
        _ => true,
    }
}
