//! TCP and UDP objects.
//!
//! The engine serves none of them yet. What the configuration holds is shown, checked as far as it goes without serving, and
//! its routers are disabled, with that as the reason.

use super::http::{kind, qualified};
use super::list::{Item, Route};
use super::object::{Object, add_state, config, inside, put_list};
use serde_json::Value;
use std::collections::BTreeMap;
use trilithon_engine::merge::qualify;
use trilithon_engine::report::{Entry, Status};
use trilithon_model::Encode;
use trilithon_model::dynamic::{Configuration, tcp, udp};
use trilithon_model::install::{Protocol, Static};
use trilithon_model::spanned::Map;
use trilithon_rule::{MAX_USER_PRIORITY, Rule, Syntax};

/// What became of each TCP and UDP object, by qualified name.
#[derive(Default)]
pub struct Streams {
    pub tcp_routers: BTreeMap<String, Entry<tcp::Router>>,
    pub tcp_services: BTreeMap<String, Entry<tcp::Service>>,
    pub tcp_middlewares: BTreeMap<String, Entry<tcp::Middleware>>,
    pub udp_routers: BTreeMap<String, Entry<udp::Router>>,
    pub udp_services: BTreeMap<String, Entry<udp::Service>>,
    /// They are served; otherwise all routers are disabled.
    pub served: bool,
}

impl Streams {
    /// Checks the objects of all providers. `served`: whether the engine runs them.
    pub fn of<'a>(
        messages: impl IntoIterator<Item = (&'a str, &'a Configuration)>,
        install: &Static,
        served: bool,
    ) -> Streams {
        let mut streams = Streams {
            served,
            ..Streams::default()
        };
        for (provider, configuration) in messages {
            add(&mut streams.tcp_routers, &configuration.tcp.routers, provider);
            add(&mut streams.tcp_services, &configuration.tcp.services, provider);
            add(
                &mut streams.tcp_middlewares,
                &configuration.tcp.middlewares,
                provider,
            );
            add(&mut streams.udp_routers, &configuration.udp.routers, provider);
            add(&mut streams.udp_services, &configuration.udp.services, provider);
        }
        streams.check_tcp(install);
        streams.check_udp(install);
        streams
    }

    fn check_tcp(&mut self, install: &Static) {
        let Streams {
            tcp_routers,
            tcp_services,
            tcp_middlewares,
            served,
            ..
        } = self;
        let defaults = install.default_entry_points();
        let syntax = Syntaxes {
            v2_by_default: install
                .core
                .as_ref()
                .is_some_and(|c| c.default_rule_syntax == "v2"),
        };
        for (name, entry) in tcp_routers {
            let rule = Rule::tcp(&entry.config.rule, syntax.of(&entry.config.rule_syntax));
            entry.priority = match (&rule, entry.config.priority) {
                (Ok(rule), 0) => rule.default_priority(),
                (Err(_), 0) => entry.config.rule.len() as i64,
                (_, given) => given,
            };
            use_entry_points(entry, |r| &mut r.entry_points, &defaults, install, Protocol::Tcp);
            let service = qualify(&entry.config.service, name);
            let fault = missing(&entry.config.middlewares, name, tcp_middlewares)
                .or_else(|| tcp_service(&service, tcp_services))
                .or_else(|| tcp_rule(&entry.config.value, rule));
            if let Some(used) = tcp_services.get_mut(&service) {
                used.used_by.push(name.clone());
            }
            settle(entry, fault, *served);
        }
    }

    fn check_udp(&mut self, install: &Static) {
        let Streams {
            udp_routers,
            udp_services,
            served,
            ..
        } = self;
        let all = install
            .entry_points
            .iter()
            .filter(|(_, e)| e.protocol() == Protocol::Udp);
        let defaults: Vec<String> = all.map(|(name, _)| name.clone()).collect();
        for (name, entry) in udp_routers {
            use_entry_points(entry, |r| &mut r.entry_points, &defaults, install, Protocol::Udp);
            let service = qualify(&entry.config.service, name);
            let fault = match udp_services.get_mut(&service) {
                Some(used) => {
                    used.used_by.push(name.clone());
                    used.config.kind().err().map(|e| e.to_string())
                }
                None => Some(format!("the UDP service \"{service}\" does not exist")),
            };
            settle(entry, fault, *served);
        }
    }
}

struct Syntaxes {
    v2_by_default: bool,
}

impl Syntaxes {
    fn of(&self, name: &str) -> Syntax {
        match name {
            "v2" => Syntax::V2,
            "v3" => Syntax::V3,
            _ if self.v2_by_default => Syntax::V2,
            _ => Syntax::V3,
        }
    }
}

fn add<T: Clone>(all: &mut BTreeMap<String, Entry<T>>, some: &Map<T>, provider: &str) {
    all.extend(
        some.iter()
            .map(|(name, object)| (format!("{name}@{provider}"), Entry::new(object.clone()))),
    );
}

/// Fills in the default entry points, and says which of them there are.
fn use_entry_points<T>(
    entry: &mut Entry<T>,
    list: impl Fn(&mut T) -> &mut Vec<String>,
    defaults: &[String],
    install: &Static,
    protocol: Protocol,
) {
    let names = list(&mut entry.config.value);
    if names.is_empty() {
        *names = defaults.to_vec();
    }
    for name in names.clone() {
        match install.entry_points.get(&name) {
            Some(e) if e.protocol() == protocol => entry.using.push(name),
            _ => entry.warn(format!("entryPoint \"{name}\" doesn't exist")),
        }
    }
    entry.using.sort();
    if entry.using.is_empty() {
        entry.disable("no valid entryPoint for this router");
    }
}

/// Ends the check of a router.
fn settle<T>(entry: &mut Entry<T>, fault: Option<String>, served: bool) {
    match fault {
        Some(fault) => entry.disable(fault),
        None if !served && entry.status != Status::Disabled => entry.disable(NOT_BUILT),
        None => {}
    }
}

/// Why routers that are as they should be are disabled.
const NOT_BUILT: &str = "not built yet";

fn missing<T>(names: &[String], owner: &str, all: &BTreeMap<String, T>) -> Option<String> {
    let missing = names
        .iter()
        .map(|n| qualify(n, owner))
        .find(|n| !all.contains_key(n))?;
    Some(format!("middleware \"{missing}\" does not exist"))
}

fn tcp_service(name: &str, all: &BTreeMap<String, Entry<tcp::Service>>) -> Option<String> {
    match all.get(name) {
        Some(entry) => entry.config.kind().err().map(|e| e.to_string()),
        None => Some(format!("the service \"{name}\" does not exist")),
    }
}

fn tcp_rule(router: &tcp::Router, rule: Result<Rule, trilithon_rule::Error>) -> Option<String> {
    if router.priority > MAX_USER_PRIORITY {
        let given = router.priority;
        return Some(format!(
            "the router priority {given} exceeds the max user-defined priority {MAX_USER_PRIORITY}"
        ));
    }
    match rule {
        Err(error) => Some(error.api_text(trilithon_rule::Protocol::Tcp, &router.rule)),
        Ok(rule) => {
            let named = rule.domains().first().is_some_and(|d| d != "*");
            let text = &router.rule;
            (named && router.tls.is_none())
                .then(|| format!("invalid rule: \"{text}\" , has HostSNI matcher, but no TLS on router"))
        }
    }
}

/// The lists of the API.
impl Streams {
    pub fn tcp_router_items(&self) -> Vec<Item<'_>> {
        self.tcp_routers
            .iter()
            .map(|(name, entry)| tcp_router(name, entry))
            .collect()
    }

    pub fn tcp_service_items(&self) -> Vec<Item<'_>> {
        let all = self.tcp_services.iter();
        all.map(|(name, entry)| {
            service_item(
                name,
                entry,
                entry.config.kind_names(),
                tcp_servers(&entry.config),
                self.served,
            )
        })
        .collect()
    }

    pub fn tcp_middleware_items(&self) -> Vec<Item<'_>> {
        self.tcp_middlewares
            .iter()
            .map(|(name, entry)| tcp_middleware(name, entry))
            .collect()
    }

    pub fn udp_router_items(&self) -> Vec<Item<'_>> {
        self.udp_routers
            .iter()
            .map(|(name, entry)| udp_router(name, entry))
            .collect()
    }

    pub fn udp_service_items(&self) -> Vec<Item<'_>> {
        let all = self.udp_services.iter();
        all.map(|(name, entry)| {
            service_item(
                name,
                entry,
                entry.config.kind_names(),
                udp_servers(&entry.config),
                false,
            )
        })
        .collect()
    }
}

fn tcp_router<'a>(name: &'a str, entry: &'a Entry<tcp::Router>) -> Item<'a> {
    let router = &entry.config.value;
    let middlewares = qualified(&router.middlewares, name);
    let shown = middlewares.clone();
    let mut item = Item::new(name, entry.status.as_str(), move || {
        let mut object = config(router);
        put_list(&mut object, "middlewares", &shown);
        object.insert("priority".into(), entry.priority.into());
        add_state(&mut object, entry);
        object
    });
    item.rule = &router.rule;
    let entry_points = router.entry_points.len();
    item.route = Some(Route {
        service: &router.service,
        middlewares,
        priority: entry.priority,
        entry_points,
    });
    item.extra
        .insert("priorityStr".into(), entry.priority.to_string().into());
    item
}

fn udp_router<'a>(name: &'a str, entry: &'a Entry<udp::Router>) -> Item<'a> {
    let router = &entry.config.value;
    let mut item = Item::new(name, entry.status.as_str(), move || {
        let mut object = config(router);
        add_state(&mut object, entry);
        object
    });
    let entry_points = router.entry_points.len();
    item.route = Some(Route {
        service: &router.service,
        middlewares: Vec::new(),
        priority: 0,
        entry_points,
    });
    item
}

fn tcp_middleware<'a>(name: &'a str, entry: &'a Entry<tcp::Middleware>) -> Item<'a> {
    let mut item = Item::new(name, entry.status.as_str(), move || {
        let mut object = config(&entry.config.value);
        add_state(&mut object, entry);
        object
    });
    item.kind = kind(&entry.config.kind_names());
    item
}

fn tcp_servers(service: &tcp::Service) -> Vec<String> {
    service
        .load_balancer
        .iter()
        .flat_map(|lb| &lb.servers)
        .map(|s| s.address.clone())
        .collect()
}

fn udp_servers(service: &udp::Service) -> Vec<String> {
    service
        .load_balancer
        .iter()
        .flat_map(|lb| &lb.servers)
        .map(|s| s.address.clone())
        .collect()
}

/// A service of either protocol; `show_servers`: with their state.
fn service_item<'a, T: Encode>(
    name: &'a str,
    entry: &'a Entry<T>,
    kinds: Vec<&'static str>,
    servers: Vec<String>,
    show_servers: bool,
) -> Item<'a> {
    let count = servers.len();
    let mut item = Item::new(name, entry.status.as_str(), move || {
        let mut object = config(&entry.config.value);
        if let Some(balancer) = inside(&mut object, &["loadBalancer"])
            && let Some(Value::String(transport)) = balancer.get_mut("serversTransport")
        {
            *transport = qualify(transport, name);
        }
        add_state(&mut object, entry);
        if show_servers && !servers.is_empty() {
            let status: Object = servers.iter().map(|s| (s.clone(), "UP".into())).collect();
            object.insert("serverStatus".into(), status.into());
        }
        object
    });
    item.kind = kind(&kinds);
    item.servers = count;
    item
}
