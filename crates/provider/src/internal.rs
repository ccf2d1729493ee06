//! What the gateway itself routes: its API, ping, metrics, and the redirections of entry points. The provider `internal`.

use std::collections::BTreeSet;
use trilithon_model::dynamic::http::{
    Middleware, RedirectRegex, RedirectScheme, Router, Service, StripPrefix,
};
use trilithon_model::dynamic::{Configuration, http::Http};
use trilithon_model::install::{Address, RedirectEntryPoint, Static};

/// The entry point of the API and its neighbours where nothing else is said.
const TRAEFIK: &str = "traefik";
/// Above every priority that a user may give.
const TOP: i64 = i64::MAX;

/// The routing configuration that follows from the install configuration.
pub fn configuration(install: &Static) -> Configuration {
    let mut http = Http::default();
    service(&mut http, "noop");
    api(&mut http, install);
    if let Some(ping) = &install.ping {
        service(&mut http, "ping");
        if !ping.manual_routing {
            router(
                &mut http,
                "ping",
                "PathPrefix(`/ping`)",
                "ping@internal",
                TOP,
                &ping.entry_point,
                &[],
            );
        }
    }
    if let Some(prometheus) = install.metrics.as_ref().and_then(|m| m.prometheus.as_ref()) {
        service(&mut http, "prometheus");
        if !prometheus.manual_routing {
            router(
                &mut http,
                "prometheus",
                "PathPrefix(`/metrics`)",
                "prometheus@internal",
                TOP,
                &prometheus.entry_point,
                &[],
            );
        }
    }
    if let Some(rest) = install.providers.as_ref().and_then(|p| p.rest.as_ref()) {
        service(&mut http, "rest");
        if rest.insecure {
            router(
                &mut http,
                "rest",
                "PathPrefix(`/api/providers`)",
                "rest@internal",
                TOP,
                TRAEFIK,
                &[],
            );
        }
    }
    for (name, entry_point) in &install.entry_points {
        let redirection = entry_point
            .http
            .redirections
            .as_ref()
            .and_then(|r| r.entry_point.as_ref());
        if let Some(redirection) = redirection {
            redirect(&mut http, install, name, redirection);
        }
    }
    challenges(&mut http, install);
    Configuration {
        http,
        ..Configuration::default()
    }
}

fn api(http: &mut Http, install: &Static) {
    let Some(api) = &install.api else { return };
    service(http, "api");
    if api.dashboard {
        service(http, "dashboard");
    }
    if !api.insecure {
        return;
    }
    router(
        http,
        "api",
        "PathPrefix(`/api`)",
        "api@internal",
        TOP - 1,
        TRAEFIK,
        &[],
    );
    if api.debug {
        router(
            http,
            "debug",
            "PathPrefix(`/debug`)",
            "api@internal",
            TOP - 1,
            TRAEFIK,
            &[],
        );
    }
    if api.dashboard {
        let middlewares = ["dashboard_redirect@internal", "dashboard_stripprefix@internal"];
        router(
            http,
            "dashboard",
            "PathPrefix(`/`)",
            "dashboard@internal",
            TOP - 2,
            TRAEFIK,
            &middlewares,
        );
        let to_dashboard = RedirectRegex {
            regex: r"^(http:\/\/(\[[\w:.]+\]|[\w\._-]+)(:\d+)?)\/$".into(),
            replacement: "${1}/dashboard/".into(),
            permanent: true,
        };
        let strip = StripPrefix {
            prefixes: vec!["/dashboard/".into(), "/dashboard".into()],
            ..StripPrefix::default()
        };
        middleware(
            http,
            "dashboard_redirect",
            Middleware {
                redirect_regex: Some(to_dashboard.into()),
                ..Middleware::default()
            },
        );
        middleware(
            http,
            "dashboard_stripprefix",
            Middleware {
                strip_prefix: Some(strip.into()),
                ..Middleware::default()
            },
        );
    }
}

/// An entry point that sends everybody to another one. A target that does not exist is left out: the start goes on, and
/// the check of the install configuration has said so.
fn redirect(http: &mut Http, install: &Static, name: &str, redirection: &RedirectEntryPoint) {
    let Some(port) = target_port(install, &redirection.to) else {
        return;
    };
    let target = normalize(&format!("{name}-to-{}", redirection.to));
    let to_target = RedirectScheme {
        scheme: redirection.scheme.clone(),
        port,
        permanent: redirection.permanent,
    };
    let redirect = format!("redirect-{target}");
    middleware(
        http,
        &redirect,
        Middleware {
            redirect_scheme: Some(to_target.into()),
            ..Middleware::default()
        },
    );
    let middlewares = [format!("{redirect}@internal")];
    let middlewares: Vec<&str> = middlewares.iter().map(String::as_str).collect();
    let rule = if allows_by_pass(install, name) {
        format!("HostRegexp(`^.+$`) && !PathPrefix(`{CHALLENGES}`)")
    } else {
        "HostRegexp(`^.+$`)".to_owned()
    };
    router(
        http,
        &target,
        &rule,
        "noop@internal",
        redirection.priority,
        name,
        &middlewares,
    );
}

/// Where ACME servers ask for the answers to HTTP challenges.
const CHALLENGES: &str = "/.well-known/acme-challenge/";

fn allows_by_pass(install: &Static, entry_point: &str) -> bool {
    install
        .entry_points
        .get(entry_point)
        .is_some_and(|e| e.allow_acme_by_pass)
}

/// The routers of HTTP challenges: above all others, or for an entry point with `allowACMEByPass` among them.
fn challenges(http: &mut Http, install: &Static) {
    let resolvers = install.certificates_resolvers.values();
    let named = resolvers.filter_map(|r| Some(&r.acme.as_ref()?.http_challenge.as_ref()?.entry_point));
    let entry_points: BTreeSet<&String> = named.filter(|name| !name.is_empty()).collect();
    let (by_pass, own): (Vec<&String>, Vec<&String>) = entry_points
        .into_iter()
        .partition(|name| allows_by_pass(install, name));
    for (name, entry_points, priority) in [("acme-http", own, TOP), ("acme-http-bypass", by_pass, 0)] {
        if entry_points.is_empty() {
            continue;
        }
        service(http, "acme-http");
        let router = Router {
            entry_points: entry_points.into_iter().cloned().collect(),
            service: "acme-http@internal".to_owned(),
            rule: format!("PathPrefix(`{CHALLENGES}`)"),
            rule_syntax: if priority == 0 {
                String::new()
            } else {
                "default".to_owned()
            },
            priority,
            ..Router::default()
        };
        http.routers.insert(name.to_owned(), router.into());
    }
}

/// The port of an entry point by name, or the port in `:443`.
fn target_port(install: &Static, to: &str) -> Option<String> {
    if let Some(port) = to.strip_prefix(':') {
        return port.parse::<u16>().is_ok().then(|| port.to_owned());
    }
    let target = install.entry_points.get(to)?;
    Address::parse(&target.address).ok().map(|a| a.port.to_string())
}

/// Runs of anything but letters and digits become `-`.
fn normalize(name: &str) -> String {
    name.split(|c: char| !c.is_alphanumeric())
        .filter(|s| !s.is_empty())
        .collect::<Vec<_>>()
        .join("-")
}

fn service(http: &mut Http, name: &str) {
    http.services.insert(name.to_owned(), Service::default().into());
}

fn middleware(http: &mut Http, name: &str, middleware: Middleware) {
    http.middlewares.insert(name.to_owned(), middleware.into());
}

fn router(
    http: &mut Http,
    name: &str,
    rule: &str,
    service: &str,
    priority: i64,
    entry_point: &str,
    middlewares: &[&str],
) {
    let router = Router {
        entry_points: vec![entry_point.to_owned()],
        middlewares: middlewares.iter().map(|m| (*m).to_owned()).collect(),
        service: service.to_owned(),
        rule: rule.to_owned(),
        rule_syntax: "default".to_owned(),
        priority,
        ..Router::default()
    };
    http.routers.insert(name.to_owned(), router.into());
}

#[cfg(test)]
mod tests {
    use super::*;
    use trilithon_model::install::{
        Acme, Api, CertificateResolver, EntryPoint, HttpChallenge, HttpConfig, Redirections,
    };

    #[test]
    fn names_are_normalized() {
        assert_eq!(normalize("web-to-:443"), "web-to-443");
        assert_eq!(normalize("a.b_c"), "a-b-c");
    }

    #[test]
    fn a_redirection_is_a_router_and_a_middleware() {
        let to = |to: &str| {
            let redirection = RedirectEntryPoint {
                to: to.into(),
                ..RedirectEntryPoint::default()
            };
            let http = HttpConfig {
                redirections: Some(Redirections {
                    entry_point: Some(redirection),
                }),
                ..HttpConfig::default()
            };
            let mut install = Static::default();
            install.entry_points.insert(
                "web".into(),
                EntryPoint {
                    address: ":80".into(),
                    http,
                    ..EntryPoint::default()
                }
                .into(),
            );
            install.entry_points.insert(
                "websecure".into(),
                EntryPoint {
                    address: ":443".into(),
                    ..EntryPoint::default()
                }
                .into(),
            );
            let http = configuration(&install).http;
            http.middlewares
                .values()
                .map(|m| m.redirect_scheme.as_ref().map(|r| r.port.clone()))
                .collect::<Vec<_>>()
        };
        assert_eq!(to("websecure"), [Some("443".to_owned())]);
        assert_eq!(to(":8443"), [Some("8443".to_owned())]);
        assert_eq!(to("nowhere"), []);
    }

    #[test]
    fn challenges_are_routed() {
        let check = |by_pass: bool, want: &str| {
            let mut install = Static::default();
            let web = EntryPoint {
                address: ":80".into(),
                allow_acme_by_pass: by_pass,
                ..EntryPoint::default()
            };
            install.entry_points.insert("web".into(), web.into());
            let acme = Acme {
                http_challenge: Some(HttpChallenge {
                    entry_point: "web".into(),
                    ..HttpChallenge::default()
                }),
                ..Acme::default()
            };
            let resolver = CertificateResolver {
                acme: Some(acme.into()),
                ..CertificateResolver::default()
            };
            install
                .certificates_resolvers
                .insert("le".into(), resolver.into());
            let http = configuration(&install).http;
            let routers = http
                .routers
                .iter()
                .map(|(name, r)| format!("{name} {}", r.priority));
            assert_eq!(routers.collect::<Vec<_>>(), [want]);
        };
        check(false, "acme-http 9223372036854775807");
        check(true, "acme-http-bypass 0");
    }

    #[test]
    fn the_insecure_api_brings_its_routers() {
        let install = Static {
            api: Some(Api {
                insecure: true,
                ..Api::default()
            }),
            ..Static::default()
        };
        let http = configuration(&install).http;
        assert_eq!(http.routers.keys().collect::<Vec<_>>(), ["api", "dashboard"]);
        assert_eq!(
            http.services.keys().collect::<Vec<_>>(),
            ["api", "dashboard", "noop"]
        );
    }
}
