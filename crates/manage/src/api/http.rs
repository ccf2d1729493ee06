//! HTTP routers, services and middlewares.

use super::list::{Item, Route};
use super::object::{Object, add_state, config, inside, put_list};
use serde_json::{Value, json};
use trilithon_engine::merge::qualify;
use trilithon_engine::report::{Entry, Report};
use trilithon_model::dynamic::http::{Middleware, Router, Service};

/// All routers, by name.
pub fn routers(report: &Report) -> Vec<Item<'_>> {
    report
        .routers
        .iter()
        .map(|(name, entry)| router(name, entry))
        .collect()
}

fn router<'a>(name: &'a str, entry: &'a Entry<Router>) -> Item<'a> {
    let mut item = Item::new(name, entry.status.as_str(), move || router_json(name, entry));
    item.rule = &entry.config.rule;
    item.route = Some(Route {
        service: &entry.config.service,
        middlewares: qualified(&entry.config.middlewares, name),
        priority: priority(entry),
        entry_points: entry.config.entry_points.len(),
    });
    item.extra
        .insert("priorityStr".into(), priority(entry).to_string().into());
    item
}

fn router_json(name: &str, entry: &Entry<Router>) -> Object {
    let router = &entry.config.value;
    let mut object = config(router);
    put_list(&mut object, "middlewares", &qualified(&router.middlewares, name));
    put_list(&mut object, "parentRefs", &qualified(&router.parent_refs, name));
    if priority(entry) != 0 {
        object.insert("priority".into(), priority(entry).into());
    }
    if let Some(tls) = inside(&mut object, &["tls"]) {
        tls.entry("options").or_insert_with(|| "default".into());
    }
    if router.parent_refs.is_empty() {
        object.insert("observability".into(), observability(router));
    }
    add_state(&mut object, entry);
    object
}

/// The priority; where a router is served nowhere, only what it was given.
fn priority(entry: &Entry<Router>) -> i64 {
    let served = !entry.using.is_empty() || !entry.config.parent_refs.is_empty();
    if served {
        entry.priority
    } else {
        entry.config.priority
    }
}

/// What is observed, with what holds where nothing is said.
fn observability(router: &Router) -> Value {
    let said = router.observability.clone().unwrap_or_default();
    let verbosity = if said.trace_verbosity.is_empty() {
        "minimal"
    } else {
        &said.trace_verbosity
    };
    json!({
        "accessLogs": said.access_logs.unwrap_or(true),
        "metrics": said.metrics.unwrap_or(true),
        "tracing": said.tracing.unwrap_or(true),
        "traceVerbosity": verbosity,
    })
}

/// All services, by name.
pub fn services(report: &Report) -> Vec<Item<'_>> {
    report
        .services
        .iter()
        .map(|(name, entry)| service(name, entry))
        .collect()
}

fn service<'a>(name: &'a str, entry: &'a Entry<Service>) -> Item<'a> {
    let mut item = Item::new(name, entry.status.as_str(), move || service_json(name, entry));
    item.kind = kind(&entry.config.kind_names());
    item.servers = entry
        .config
        .load_balancer
        .as_ref()
        .map_or(0, |lb| lb.servers.len());
    item
}

fn service_json(name: &str, entry: &Entry<Service>) -> Object {
    let mut object = config(&entry.config.value);
    add_state(&mut object, entry);
    let Some(backend) = &entry.backend else {
        return object;
    };
    if let Some(balancer) = inside(&mut object, &["loadBalancer"])
        && let Some(Value::String(transport)) = balancer.get_mut("serversTransport")
    {
        *transport = qualify(transport, name);
    }
    let word = |up: bool| if up { "UP" } else { "DOWN" };
    let servers: Object = backend
        .server_status()
        .into_iter()
        .map(|(url, up)| (url, word(up).into()))
        .collect();
    if !servers.is_empty() {
        object.insert("serverStatus".into(), servers.into());
    }
    object
}

/// All middlewares, by name.
pub fn middlewares(report: &Report) -> Vec<Item<'_>> {
    report
        .middlewares
        .iter()
        .map(|(name, entry)| middleware(name, entry))
        .collect()
}

fn middleware<'a>(name: &'a str, entry: &'a Entry<Middleware>) -> Item<'a> {
    let mut item = Item::new(name, entry.status.as_str(), move || middleware_json(name, entry));
    item.kind = match &entry.config.plugin {
        Some(plugin) => plugin.name().unwrap_or_default().to_owned(),
        None => kind(&entry.config.kind_names()),
    };
    item
}

fn middleware_json(name: &str, entry: &Entry<Middleware>) -> Object {
    let mut object = config(&entry.config.value);
    let basic = entry.config.basic_auth.as_ref().map(|c| ("basicAuth", &c.users));
    let digest = entry
        .config
        .digest_auth
        .as_ref()
        .map(|c| ("digestAuth", &c.users));
    for (kind, users) in basic.into_iter().chain(digest) {
        // Whose, but not with which password: Traefik shows the hashes too.
        if let Some(shown) = inside(&mut object, &[kind]) {
            let users: Vec<String> = users.iter().map(|u| without_hash(u.expose())).collect();
            put_list(shown, "users", &users);
        }
    }
    if !entry.used_by.is_empty()
        && let Some(chain) = &entry.config.chain
        && let Some(shown) = inside(&mut object, &["chain"])
    {
        put_list(shown, "middlewares", &qualified(&chain.middlewares, name));
    }
    add_state(&mut object, entry);
    object
}

/// `name:hash` or `name:realm:hash` with the hash taken out.
fn without_hash(user: &str) -> String {
    user.rsplit_once(':')
        .map_or_else(|| "xxxx".to_owned(), |(name, _)| format!("{name}:xxxx"))
}

/// The type in the API: the first kind, in lower case.
pub fn kind(names: &[&str]) -> String {
    names.first().map(|n| n.to_ascii_lowercase()).unwrap_or_default()
}

/// Names as seen from the provider of `owner`.
pub fn qualified(names: &[String], owner: &str) -> Vec<String> {
    names.iter().map(|n| qualify(n, owner)).collect()
}
