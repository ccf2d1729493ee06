//! A merged configuration into a snapshot, with a report on every object. Pure: the same input gives the same result, at
//! the first start and at every reload.

mod calls;
mod layers;
mod metadata;
mod middlewares;
mod models;
mod routers;
mod services;
mod tcp;
mod tcp_services;
mod tls;
mod traced;
mod udp;

pub use models::Model;
pub use services::Internals;

use crate::live::Snapshot;
use crate::merge::{Merged, provider_of, qualify};
use crate::report::{Entry, Report};
use crate::route::Routes;
use layers::Layers;
use routers::{RouterBuilder, muxer, parse, syntax};
use services::ServiceTable;
use std::collections::BTreeMap;
use std::sync::Arc;
use trilithon_flow::model_call::BodyLimit;
use trilithon_flow::{BuildError, Keep};
use trilithon_model::spanned::Map;
use trilithon_rule::Syntax;
use trilithon_tls::Tls;
use trilithon_upstream::Transport;

/// What the install configuration says to the assembler; the same for every snapshot.
pub struct Settings {
    /// Names of the HTTP entry points in order; positions are [`EntryPoint::index`](crate::entry_point::EntryPoint::index).
    pub entry_points: Vec<String>,
    /// Names of the UDP entry points in order; positions are [their index](crate::udp::EntryPoint::index).
    pub udp_entry_points: Vec<String>,
    /// Where a router is served that names no entry point.
    pub default_entry_points: Vec<String>,
    pub models: BTreeMap<String, Model>,
    /// Characters that an entry point refuses in their encoded form.
    pub denied: BTreeMap<String, Vec<&'static str>>,
    pub default_syntax: Syntax,
    /// Providers in the order that breaks ties of priority; lower case.
    pub precedence: Vec<String>,
    pub default_transport: Arc<Transport>,
    pub default_tcp_transport: Arc<trilithon_upstream::tcp::Transport>,
    pub internals: Internals,
    /// Builds the TLS part, and reads the files it names.
    pub tls: trilithon_tls::Builder,
    /// What of the traces the install configuration decides.
    pub tracing: Tracing,
    /// Also builds what no router uses (`check`).
    pub thorough: bool,
}

/// What of the traces the install configuration decides.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tracing {
    /// There are traces.
    pub on: bool,
    /// Requests to the gateway's own services are traced, too.
    pub internals: bool,
}

impl Settings {
    /// The rank of a router among those of equal priority; lower is tried first.
    fn tie(&self, name: &str) -> u32 {
        let provider = provider_of(name).to_ascii_lowercase();
        let rank = self
            .precedence
            .iter()
            .position(|p| *p == provider)
            .unwrap_or(self.precedence.len());
        rank as u32
    }
}

/// Builds everything.
pub fn assemble(settings: &Settings, merged: &Merged, keep: &Keep) -> Snapshot {
    let mut routers = models::apply(&merged.routers, &settings.models, &settings.default_entry_points);
    metadata::serve(&mut routers, &merged.middlewares);
    let layers = Layers::of(&routers);
    layers.hidden.iter().for_each(|name| drop(routers.remove(name)));
    let resolved = tls::resolve(&mut routers, &|r| syntax(r, settings.default_syntax));
    let tls = settings
        .tls
        .build(&merged.certificates, &merged.tls_options, &merged.tls_stores);

    let mut report = start_report(merged, &routers, &layers, settings);
    for (name, fault) in &layers.faults {
        if let Some(entry) = report.routers.get_mut(name) {
            if fault.disables {
                entry.disable(fault.message.as_str())
            } else {
                entry.warn(fault.message.as_str())
            }
        }
    }
    for (name, warning) in resolved.warnings {
        if let Some(entry) = report.routers.get_mut(&name) {
            entry.warn(warning);
        }
    }
    let services = ServiceTable::new(
        merged,
        &settings.internals,
        &settings.default_transport,
        settings.tracing.on,
        keep,
        report,
    );
    let mut entry_points: Vec<Routes> = {
        let mut builder = RouterBuilder {
            settings,
            routers: &routers,
            services: &services,
            layers: &layers,
            tls: &tls,
            built: BTreeMap::new(),
        };
        settings
            .entry_points
            .iter()
            .map(|ep| routes(&mut builder, ep, resolved.options.get(ep).cloned()))
            .collect()
    };
    if settings.thorough {
        build_unused(&services, merged);
    }
    let mut report = services.into_report();
    finish_report(&mut report, &tls);
    let tables = tcp::tables(merged, settings, &routers, &tls, keep, &mut report);
    entry_points
        .iter_mut()
        .zip(tables)
        .for_each(|(routes, table)| routes.tcp = table);
    let udp = udp::routes(merged, settings, &mut report);
    Snapshot {
        entry_points,
        udp,
        tls,
        report: Arc::new(report),
    }
}

/// Builds what no router uses, so that its faults show. Traefik leaves such objects alone and calls them enabled.
fn build_unused(services: &ServiceTable<'_>, merged: &Merged) {
    for name in merged.services.keys() {
        // The report has the error.
        let _ = services.get(name);
    }
    for name in merged.middlewares.keys() {
        let _ = services.steps(std::slice::from_ref(name), name);
    }
}

/// The muxers of one entry point.
fn routes(
    builder: &mut RouterBuilder<'_>,
    entry_point: &str,
    options: Option<crate::route::HostOptions>,
) -> Routes {
    let mut clear = Vec::new();
    let mut secure = Vec::new();
    let mine = builder
        .routers
        .iter()
        .filter(|(_, r)| r.parent_refs.is_empty() && r.entry_points.iter().any(|e| e == entry_point));
    for (name, router) in mine {
        if let Some(candidate) = builder.candidate(name) {
            if router.tls.is_some() {
                secure.push(candidate)
            } else {
                clear.push(candidate)
            }
        }
    }
    Routes {
        clear: muxer(clear),
        secure: muxer(secure),
        tls_options: options.unwrap_or_default(),
        tcp: None,
        body_limit: BodyLimit::of(builder.services.keep).models,
    }
}

fn start_report(
    merged: &Merged,
    routers: &Map<trilithon_model::dynamic::http::Router>,
    layers: &Layers,
    settings: &Settings,
) -> Report {
    let mut report = Report {
        notes: merged.clashes.clone(),
        ..Report::default()
    };
    for (name, router) in routers {
        let mut entry = Entry::new(router.clone());
        entry.priority = match router.priority {
            0 => parse(router, settings.default_syntax)
                .map_or(router.rule.len() as i64, |r| r.default_priority()),
            given => given,
        };
        if router.parent_refs.is_empty() {
            let names = entry.config.entry_points.clone();
            use_entry_points(&mut entry, &names, &settings.entry_points);
            // Traefik says of a parent with a service that it is disabled, and sends its requests to the children all the same.
            match (router.service.is_empty(), layers.children(name).is_empty()) {
                (true, true) => entry.disable("router has neither a service nor child routers"),
                (false, false) => entry.disable(
                    BuildError::new("router has both a service and child routers")
                        .at(&router.service, 0)
                        .help("take `service` away: requests go to the children"),
                ),
                _ => {}
            }
        }
        report.routers.insert(name.clone(), entry);
    }
    report.services = entries(&merged.services);
    report.middlewares = entries(&merged.middlewares);
    tcp::start_report(merged, settings, &mut report);
    udp::start_report(merged, settings, &mut report);
    report
}

fn entries<T: Clone>(objects: &Map<T>) -> BTreeMap<String, Entry<T>> {
    objects
        .iter()
        .map(|(n, o)| (n.clone(), Entry::new(o.clone())))
        .collect()
}

/// Says which of the entry points that a router names there are.
fn use_entry_points<T>(entry: &mut Entry<T>, names: &[String], known: &[String]) {
    for name in names {
        if known.contains(name) {
            entry.using.push(name.clone());
        } else {
            let known = known.join("`, `");
            let error = BuildError::new(format!("entryPoint \"{name}\" doesn't exist"));
            entry.warn(error.at(name, 0).help(format!("the entry points are `{known}`")));
        }
    }
    entry.using.sort();
    if entry.using.is_empty() {
        entry.disable("no valid entryPoint for this router");
    }
}

fn finish_report(report: &mut Report, tls: &Tls) {
    for (name, entry) in &report.routers {
        let service = qualify(&entry.config.service, name);
        if let Some(used) = report.services.get_mut(&service) {
            used.used_by.push(name.clone());
        }
        for middleware in entry.config.middlewares.iter().map(|m| qualify(m, name)) {
            if let Some(used) = report.middlewares.get_mut(&middleware)
                && !used.used_by.contains(name)
            {
                used.used_by.push(name.clone());
            }
        }
    }
    report.certificates = tls.certificates();
}
