//! Which TLS options each host name of an entry point asks for, and what to do when routers disagree.

use crate::merge::qualify;
use crate::route::HostOptions;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use trilithon_model::dynamic::http::Router;
use trilithon_model::spanned::Map;
use trilithon_rule::{Rule, Syntax};

/// The options used where nothing else is asked for.
pub const DEFAULT: &str = "default";

/// The qualified name of the options a router asks for.
pub fn options_of(router: &Router, name: &str) -> String {
    match router.tls.as_ref().map(|t| t.options.as_str()) {
        None | Some("" | DEFAULT) => DEFAULT.to_owned(),
        Some(options) => qualify(options, name),
    }
}

/// What the routers of all entry points ask for.
#[derive(Default)]
pub struct Resolved {
    /// By entry point.
    pub options: BTreeMap<String, HostOptions>,
    /// Routers that are served with the default options instead of their own, with the reason.
    pub warnings: Vec<(String, String)>,
}

/// Settles the options of every host, entry point by entry point.
///
/// Routers that disagree about a host all get the default options, and so does one that names options and no host. As in
/// Traefik such a router leaves that entry point and comes back as `<entry point>-conflicted-<name>`.
pub fn resolve(routers: &mut Map<Router>, syntax: &dyn Fn(&Router) -> Syntax) -> Resolved {
    let mut resolved = Resolved::default();
    for (entry_point, wishes) in wishes(routers, syntax) {
        let table = resolved.options.entry(entry_point.clone()).or_default();
        for (host, by_options) in &wishes.hosts {
            match by_options.keys().next() {
                Some(options) if by_options.len() == 1 => {
                    if options != DEFAULT {
                        table.insert(host, Arc::from(options.as_str()));
                    }
                }
                _ => {
                    let own = by_options.iter().filter(|(options, _)| *options != DEFAULT);
                    for name in own.flat_map(|(_, names)| names) {
                        let renamed = fall_back(routers, &entry_point, name);
                        resolved
                            .warnings
                            .extend(renamed.map(|n| (n, CONFLICT.to_owned())));
                    }
                }
            }
        }
        for (name, options) in &wishes.hostless {
            let rule = routers.get(name).map(|r| r.rule.clone()).unwrap_or_default();
            let why = format!("no domain found in rule {rule}, the TLS option {options} cannot be applied");
            resolved
                .warnings
                .extend(fall_back(routers, &entry_point, name).map(|n| (n, why)));
        }
    }
    resolved
}

const CONFLICT: &str = "router's TLSOptions configuration is conflicting with other routers on the same entrypoint and host, \
                        default TLS options will be used instead";

/// What the routers of one entry point ask for.
#[derive(Default)]
struct Wishes {
    /// Host → options → routers.
    hosts: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
    /// Routers that ask for options without naming a host.
    hostless: Vec<(String, String)>,
}

fn wishes(routers: &Map<Router>, syntax: &dyn Fn(&Router) -> Syntax) -> BTreeMap<String, Wishes> {
    let mut all: BTreeMap<String, Wishes> = BTreeMap::new();
    for (name, router) in routers
        .iter()
        .filter(|(_, r)| r.tls.is_some() && r.parent_refs.is_empty())
    {
        // A rule that does not parse is reported where the router is built.
        let Ok(rule) = Rule::http(&router.rule, syntax(router)) else {
            continue;
        };
        let options = options_of(router, name);
        let domains = rule.domains();
        for entry_point in &router.entry_points {
            let wishes = all.entry(entry_point.clone()).or_default();
            if domains.is_empty() && options != DEFAULT {
                wishes.hostless.push((name.clone(), options.clone()));
            }
            for domain in domains.iter().filter(|d| *d != "*") {
                let by_options = wishes.hosts.entry(domain.clone()).or_default();
                by_options
                    .entry(options.clone())
                    .or_default()
                    .insert(name.clone());
            }
        }
    }
    all
}

/// Moves a router on one entry point to the default options, under another name.
fn fall_back(routers: &mut Map<Router>, entry_point: &str, name: &str) -> Option<String> {
    let original = routers.get_mut(name)?;
    if !original.entry_points.iter().any(|e| e == entry_point) {
        return None;
    }
    let mut copy = original.clone();
    original.entry_points.retain(|e| e != entry_point);
    if original.entry_points.is_empty() {
        routers.remove(name);
    }
    copy.entry_points = vec![entry_point.to_owned()];
    if let Some(tls) = &mut copy.tls {
        tls.options = DEFAULT.to_owned();
    }
    let renamed = format!("{entry_point}-conflicted-{name}");
    routers.insert(renamed.clone(), copy);
    Some(renamed)
}
