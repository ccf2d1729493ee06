//! UDP routers: one per entry point.

use super::Settings;
use crate::merge::{Merged, qualify};
use crate::report::Report;
use crate::udp::Route;
use std::collections::BTreeMap;
use std::sync::Arc;
use trilithon_flow::BuildError;
use trilithon_model::dynamic::udp::ServiceKind;
use trilithon_upstream::udp::Service;

type Built = Result<Arc<Service>, BuildError>;

/// Writes all UDP objects into the report, not built yet.
pub fn start_report(merged: &Merged, settings: &Settings, report: &mut Report) {
    report.udp_services = super::entries(&merged.udp_services);
    report.udp_routers = super::entries(&merged.udp_routers);
    for (name, entry) in &mut report.udp_routers {
        // The API shows the list as it was written, even if empty.
        let names = match entry.config.entry_points.as_slice() {
            [] => settings.udp_entry_points.clone(),
            given => given.to_vec(),
        };
        super::use_entry_points(entry, &names, &settings.udp_entry_points);
        let service = qualify(&entry.config.service, name);
        if let Some(used) = report.udp_services.get_mut(&service) {
            used.used_by.push(name.clone());
        }
    }
}

/// Builds the routers, and gives each entry point the last of its own by name. As there is no rule, only one can serve.
pub fn routes(merged: &Merged, settings: &Settings, report: &mut Report) -> Vec<Option<Arc<Route>>> {
    let mut services = Services {
        merged,
        built: BTreeMap::new(),
        trail: Vec::new(),
    };
    let mut chosen: Vec<Option<Arc<Route>>> = vec![None; settings.udp_entry_points.len()];
    for (name, entry) in report.udp_routers.iter_mut().rev() {
        if entry.using.is_empty() {
            continue;
        }
        let route = match services.of_router(name, &entry.config.service) {
            Ok(service) => Arc::new(Route {
                name: name.as_str().into(),
                service,
            }),
            Err(error) => {
                entry.disable(error);
                continue;
            }
        };
        for (at, entry_point) in settings.udp_entry_points.iter().enumerate() {
            if !entry.using.contains(entry_point) {
                continue;
            }
            match &chosen[at] {
                None => chosen[at] = Some(route.clone()),
                Some(other) => tracing::error!(
                    entryPointName = %entry_point,
                    routerName = %name,
                    "a UDP entry point takes one router only: it is `{}`", other.name
                ),
            }
        }
    }
    if settings.thorough {
        merged
            .udp_services
            .keys()
            .for_each(|name| drop(services.get(name)));
    }
    services.finish(report);
    chosen
}

struct Services<'a> {
    merged: &'a Merged,
    built: BTreeMap<String, Built>,
    trail: Vec<String>,
}

impl Services<'_> {
    fn of_router(&mut self, router: &str, service: &str) -> Built {
        if service.is_empty() {
            return Err(BuildError::new("the service is missing on the udp router"));
        }
        self.get(&qualify(service, router))
    }

    fn get(&mut self, name: &str) -> Built {
        if let Some(done) = self.built.get(name) {
            return done.clone();
        }
        if self.trail.iter().any(|n| n == name) {
            let trail = self.trail.join("->");
            return Err(BuildError::new(format!(
                "could not instantiate service {name}: recursion detected in {trail}->{name}"
            )));
        }
        self.trail.push(name.to_owned());
        let built = self.build(name).map(Arc::new);
        self.trail.pop();
        self.built.insert(name.to_owned(), built.clone());
        built
    }

    fn build(&mut self, name: &str) -> Result<Service, BuildError> {
        let Some(config) = self.merged.udp_services.get(name) else {
            return Err(BuildError::new(format!(
                "the UDP service \"{name}\" does not exist"
            )));
        };
        match config.kind().map_err(|e| BuildError::new(e.of(name)))? {
            ServiceKind::ServersLoadBalancer(c) => Ok(Service::servers(
                name,
                c.servers.iter().map(|s| s.address.as_str()),
            )),
            ServiceKind::WeightedRoundRobin(c) => {
                let child = |s: &trilithon_model::dynamic::udp::WrrService| {
                    Ok((self.get(&qualify(&s.name, name))?, s.weight))
                };
                Ok(Service::weighted(c.services.iter().map(child).collect::<Result<
                    Vec<_>,
                    BuildError,
                >>(
                )?))
            }
        }
    }

    fn finish(self, report: &mut Report) {
        for (name, built) in self.built {
            if let (Some(entry), Err(error)) = (report.udp_services.get_mut(&name), built) {
                entry.disable(error);
            }
        }
    }
}
