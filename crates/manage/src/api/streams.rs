//! TCP and UDP objects.

use super::http::{kind, qualified};
use super::list::{Item, Route};
use super::object::{Object, add_state, config, inside, put_list};
use serde_json::Value;
use trilithon_engine::merge::qualify;
use trilithon_engine::report::{Entry, Report};
use trilithon_model::Encode;
use trilithon_model::dynamic::{tcp, udp};

pub fn tcp_routers(report: &Report) -> Vec<Item<'_>> {
    report
        .tcp_routers
        .iter()
        .map(|(name, entry)| tcp_router(name, entry))
        .collect()
}

pub fn tcp_services(report: &Report) -> Vec<Item<'_>> {
    let all = report.tcp_services.iter();
    all.map(|(name, entry)| tcp_service(name, entry, report))
        .collect()
}

pub fn tcp_middlewares(report: &Report) -> Vec<Item<'_>> {
    report
        .tcp_middlewares
        .iter()
        .map(|(name, entry)| tcp_middleware(name, entry))
        .collect()
}

pub fn udp_routers(report: &Report) -> Vec<Item<'_>> {
    report
        .udp_routers
        .iter()
        .map(|(name, entry)| udp_router(name, entry))
        .collect()
}

pub fn udp_services(report: &Report) -> Vec<Item<'_>> {
    report
        .udp_services
        .iter()
        .map(|(name, entry)| udp_service(name, entry))
        .collect()
}

fn tcp_router<'a>(name: &'a str, entry: &'a Entry<tcp::Router>) -> Item<'a> {
    let router = &entry.config.value;
    let middlewares = qualified(&router.middlewares, name);
    let shown = middlewares.clone();
    let mut item = Item::new(name, entry.status.as_str(), move || {
        let mut object = config(router);
        if let Some(tls) = inside(&mut object, &["tls"]) {
            // Printed even when it is not set.
            tls.entry("passthrough").or_insert(false.into());
        }
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

fn tcp_service<'a>(name: &'a str, entry: &'a Entry<tcp::Service>, report: &Report) -> Item<'a> {
    let servers = entry
        .config
        .load_balancer
        .as_ref()
        .map_or(0, |lb| lb.servers.len());
    let state = report
        .tcp_backends
        .get(name)
        .map(|b| b.server_status())
        .unwrap_or_default();
    service(name, entry, entry.config.kind_names(), servers, state)
}

fn udp_service<'a>(name: &'a str, entry: &'a Entry<udp::Service>) -> Item<'a> {
    let servers = entry
        .config
        .load_balancer
        .as_ref()
        .map_or(0, |lb| lb.servers.len());
    service(name, entry, entry.config.kind_names(), servers, Vec::new())
}

/// A service of either protocol; `state`: its servers, and whether they are well.
fn service<'a, T: Encode>(
    name: &'a str,
    entry: &'a Entry<T>,
    kinds: Vec<&'static str>,
    servers: usize,
    state: Vec<(String, bool)>,
) -> Item<'a> {
    let mut item = Item::new(name, entry.status.as_str(), move || {
        let mut object = config(&entry.config.value);
        if let Some(balancer) = inside(&mut object, &["loadBalancer"])
            && let Some(Value::String(transport)) = balancer.get_mut("serversTransport")
        {
            *transport = qualify(transport, name);
        }
        add_state(&mut object, entry);
        if !state.is_empty() {
            let word = |well: bool| if well { "UP" } else { "DOWN" };
            let all: Object = state
                .iter()
                .map(|(server, well)| (server.clone(), word(*well).into()))
                .collect();
            object.insert("serverStatus".into(), all.into());
        }
        object
    });
    item.kind = kind(&kinds);
    item.servers = servers;
    item
}
