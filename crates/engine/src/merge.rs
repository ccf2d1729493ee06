//! All providers' configurations as one: names become `x@provider`, references stay as they were written and are resolved
//! in the provider of the object that holds them.

use std::collections::BTreeMap;
use std::sync::Arc;
use trilithon_model::dynamic::{Configuration, http, tcp, tls, udp};
use trilithon_model::node::Source;
use trilithon_model::spanned::{Map, Spanned};

/// What one provider says.
#[derive(Clone, Debug)]
pub struct Message {
    /// `file`, `docker`, `internal` …
    pub provider: String,
    pub configuration: Configuration,
    /// The texts that it was read from; none for what follows from the install configuration.
    pub sources: Vec<Arc<Source>>,
}

/// The configurations of all providers by qualified name.
#[derive(Clone, Debug, Default)]
pub struct Merged {
    pub routers: Map<http::Router>,
    pub services: Map<http::Service>,
    pub middlewares: Map<http::Middleware>,
    pub servers_transports: Map<http::ServersTransport>,
    pub tcp_routers: Map<tcp::Router>,
    pub tcp_services: Map<tcp::Service>,
    pub tcp_middlewares: Map<tcp::Middleware>,
    pub tcp_servers_transports: Map<tcp::ServersTransport>,
    pub udp_routers: Map<udp::Router>,
    pub udp_services: Map<udp::Service>,
    pub tls_options: Map<tls::Options>,
    pub tls_stores: Map<tls::Store>,
    pub certificates: Vec<Spanned<tls::CertAndStores>>,
    /// Names of `default` objects that several providers define: all of them are dropped.
    pub clashes: Vec<String>,
}

/// Merges the latest message of each provider.
pub fn merge(messages: &BTreeMap<String, Configuration>) -> Merged {
    let mut merged = Merged::default();
    for (provider, configuration) in messages {
        let http = &configuration.http;
        add(&mut merged.routers, &http.routers, provider);
        add(&mut merged.services, &http.services, provider);
        add(&mut merged.middlewares, &http.middlewares, provider);
        add(&mut merged.servers_transports, &http.servers_transports, provider);
        let tcp = &configuration.tcp;
        add(&mut merged.tcp_routers, &tcp.routers, provider);
        add(&mut merged.tcp_services, &tcp.services, provider);
        add(&mut merged.tcp_middlewares, &tcp.middlewares, provider);
        add(
            &mut merged.tcp_servers_transports,
            &tcp.servers_transports,
            provider,
        );
        add(&mut merged.udp_routers, &configuration.udp.routers, provider);
        add(&mut merged.udp_services, &configuration.udp.services, provider);
        merged
            .certificates
            .extend(configuration.tls.certificates.iter().cloned());
    }
    merged.tls_options = defaults_apart(messages, "TLS options", |c| &c.tls.options, &mut merged.clashes);
    merged.tls_stores = defaults_apart(messages, "TLS store", |c| &c.tls.stores, &mut merged.clashes);
    merged
}

fn add<T: Clone>(all: &mut Map<T>, some: &Map<T>, provider: &str) {
    all.extend(
        some.iter()
            .map(|(name, object)| (format!("{name}@{provider}"), object.clone())),
    );
}

/// TLS options and stores: `default` keeps its bare name, and only one provider may define it.
fn defaults_apart<T: Clone>(
    messages: &BTreeMap<String, Configuration>,
    noun: &str,
    of: impl Fn(&Configuration) -> &Map<T>,
    clashes: &mut Vec<String>,
) -> Map<T> {
    let mut all = Map::new();
    let definers: Vec<&String> = messages
        .iter()
        .filter(|(_, c)| of(c).contains_key("default"))
        .map(|(p, _)| p)
        .collect();
    if definers.len() > 1 {
        let providers = definers
            .iter()
            .map(|p| format!("`{p}`"))
            .collect::<Vec<_>>()
            .join(", ");
        clashes.push(format!(
            "the default {noun} is defined by several providers ({providers}): all of them are ignored"
        ));
    }
    for (provider, configuration) in messages {
        for (name, object) in of(configuration) {
            if name == "default" {
                if definers.len() == 1 {
                    all.insert(name.clone(), object.clone());
                }
            } else {
                all.insert(format!("{name}@{provider}"), object.clone());
            }
        }
    }
    all
}

/// `name` as seen from the provider of `owner` (itself a qualified name).
pub fn qualify(name: &str, owner: &str) -> String {
    if name.contains('@') {
        return name.to_owned();
    }
    format!("{name}@{}", provider_of(owner))
}

/// The provider in a qualified name; empty without one.
pub fn provider_of(qualified: &str) -> &str {
    qualified.rsplit_once('@').map_or("", |(_, provider)| provider)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(qualify("s", "r@file"), "s@file");
        assert_eq!(qualify("s@docker", "r@file"), "s@docker");
        assert_eq!(provider_of("a@b@c"), "c");
    }

    #[test]
    fn a_default_of_two_providers_is_nobodys() {
        let with = |names: &[&str]| {
            let mut c = Configuration::default();
            for name in names {
                c.tls
                    .options
                    .insert((*name).into(), Spanned::unplaced(tls::Options::default()));
            }
            c
        };
        let check = |a: &[&str], b: &[&str], want: &[&str], clashes: usize| {
            let merged = merge(&[("a".into(), with(a)), ("b".into(), with(b))].into());
            assert_eq!(
                merged.tls_options.keys().map(String::as_str).collect::<Vec<_>>(),
                want
            );
            assert_eq!(merged.clashes.len(), clashes);
        };
        check(&["default", "x"], &["x"], &["default", "x@a", "x@b"], 0);
        check(&["default"], &["default", "y"], &["y@b"], 1);
    }
}
