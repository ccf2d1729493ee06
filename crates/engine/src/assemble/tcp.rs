//! TCP routers into tables, one per entry point.

use super::Settings;
use super::tcp_services::TcpServices;
use crate::merge::{Merged, qualify};
use crate::report::{Entry, Report};
use crate::tcp::{Candidate, Https, Mode, Route, Table};
use std::sync::Arc;
use trilithon_flow::{BuildError, Keep};
use trilithon_middleware::tcp::{Admit, in_flight_conn, ip_allow_list};
use trilithon_model::dynamic::http;
use trilithon_model::dynamic::tcp::{MiddlewareKind, Router};
use trilithon_model::spanned::Map;
use trilithon_rule::{MAX_USER_PRIORITY, Protocol, Rule, Syntax};
use trilithon_tls::Tls;

const DEFAULT: &str = "default";

/// Writes all TCP objects into the report, not built yet.
pub fn start_report(merged: &Merged, settings: &Settings, report: &mut Report) {
    report.tcp_services = super::entries(&merged.tcp_services);
    report.tcp_middlewares = super::entries(&merged.tcp_middlewares);
    report.tcp_routers = super::entries(&merged.tcp_routers);
    for (name, entry) in &mut report.tcp_routers {
        if entry.config.entry_points.is_empty() {
            entry
                .config
                .value
                .entry_points
                .clone_from(&settings.default_entry_points);
        }
        entry.priority = match (entry.config.priority, parse(&entry.config, settings)) {
            (0, Ok(rule)) => rule.default_priority(),
            (0, Err(_)) => entry.config.rule.len() as i64,
            (given, _) => given,
        };
        let names = entry.config.entry_points.clone();
        super::use_entry_points(entry, &names, &settings.entry_points);
        let service = qualify(&entry.config.service, name);
        if let Some(used) = report.tcp_services.get_mut(&service) {
            used.used_by.push(name.clone());
        }
    }
}

/// Builds the tables by entry point; `None` where there is no TCP router. `http`: the HTTP routers, whose TLS hosts come
/// before those of TCP.
pub fn tables(
    merged: &Merged,
    settings: &Settings,
    http: &Map<http::Router>,
    tls: &Tls,
    keep: &Keep,
    report: &mut Report,
) -> Vec<Option<Arc<Table>>> {
    let mut builder = Builder {
        services: TcpServices::new(merged, &settings.default_tcp_transport, keep),
        settings,
        tls,
        keep,
        report,
    };
    let built = builder.routers();
    if settings.thorough {
        builder.build_unused(merged);
    }
    let Builder { services, report, .. } = builder;
    services.finish(report);
    let table = |entry_point: &String| {
        let on = |secure: bool| {
            let here = built
                .iter()
                .filter(|b| b.secure == secure && b.entry_points.contains(entry_point));
            here.map(|b| b.candidate.clone()).collect()
        };
        Table::new(on(false), on(true), https(http, entry_point, settings)).map(Arc::new)
    };
    settings.entry_points.iter().map(table).collect()
}

/// The hosts of the HTTPS routers of an entry point.
fn https(routers: &Map<http::Router>, entry_point: &str, settings: &Settings) -> Https {
    let mut hosts = Https::default();
    let here = routers.values().filter(|r| {
        r.tls.is_some() && r.parent_refs.is_empty() && r.entry_points.iter().any(|e| e == entry_point)
    });
    for router in here {
        // A rule that does not parse is reported where the router is built.
        if let Ok(rule) = Rule::http(
            &router.rule,
            super::routers::syntax(router, settings.default_syntax),
        ) {
            hosts.add(&rule.domains());
        }
    }
    hosts
}

/// A built router.
struct Built {
    candidate: Candidate,
    secure: bool,
    entry_points: Vec<String>,
}

struct Builder<'a> {
    services: TcpServices<'a>,
    settings: &'a Settings,
    tls: &'a Tls,
    keep: &'a Keep,
    report: &'a mut Report,
}

impl Builder<'_> {
    fn routers(&mut self) -> Vec<Built> {
        let served = |e: &&mut Entry<Router>| !e.using.is_empty();
        let names: Vec<(String, Router)> = (self.report.tcp_routers.iter_mut())
            .filter_map(|(name, entry)| {
                Some(entry)
                    .filter(served)
                    .map(|e| (name.clone(), e.config.value.clone()))
            })
            .collect();
        let mut built = Vec::new();
        for (name, router) in names {
            match self.router(&name, &router) {
                Ok(one) => built.push(one),
                Err(error) => self.disable(&name, error),
            }
        }
        built
    }

    fn disable(&mut self, name: &str, error: impl Into<BuildError>) {
        if let Some(entry) = self.report.tcp_routers.get_mut(name) {
            entry.disable(error);
        }
    }

    fn router(&mut self, name: &str, router: &Router) -> Result<Built, BuildError> {
        check_priority(router.priority)?;
        if router.service.is_empty() {
            return Err(BuildError::new("the service is missing on the router")
                .help("set `service` to the name of a TCP service"));
        }
        let rule = self.rule(router)?;
        let service = self
            .services
            .get(&qualify(&router.service, name))
            .map_err(|e| e.at(&router.service, 0))?;
        let middlewares = self.middlewares(name, router)?;
        let priority = if router.priority == 0 {
            rule.default_priority()
        } else {
            router.priority
        };
        let mode = self.mode(name, router);
        let route = Route {
            name: name.into(),
            mode,
            middlewares,
            service,
        };
        Ok(Built {
            candidate: (rule, priority, self.settings.tie(name), Arc::new(route)),
            secure: router.tls.is_some(),
            entry_points: router.entry_points.clone(),
        })
    }

    fn rule(&self, router: &Router) -> Result<Rule, BuildError> {
        let text = &router.rule;
        if text.is_empty() {
            return Err(BuildError::new("router has no rule").help("``HostSNI(`*`)`` takes every connection"));
        }
        let rule = parse(router, self.settings)?;
        let names_host = rule.domains().first().is_some_and(|d| d != "*");
        if names_host && router.tls.is_none() {
            let why = format!("invalid rule: \"{text}\" , has HostSNI matcher, but no TLS on router");
            return Err(BuildError::new(why)
                .help("without TLS no client says a host: add `tls`, or match ``HostSNI(`*`)``"));
        }
        Ok(rule)
    }

    /// What happens to the router's TLS. With options that cannot be used it is disabled, but still takes its connections, to
    /// close them: they were not meant for anyone else.
    fn mode(&mut self, name: &str, router: &Router) -> Mode {
        let Some(tls) = router.tls.as_ref().filter(|tls| !tls.passthrough) else {
            return Mode::Untouched;
        };
        let options = match tls.options.as_str() {
            "" | DEFAULT => DEFAULT.to_owned(),
            given => qualify(given, name),
        };
        match self.tls.options_error(&options) {
            None => Mode::Terminate(options.into()),
            Some(why) => {
                self.disable(name, why);
                Mode::Broken
            }
        }
    }

    fn middlewares(&mut self, owner: &str, router: &Router) -> Result<Vec<Box<dyn Admit>>, BuildError> {
        router
            .middlewares
            .iter()
            .map(|m| self.middleware(&qualify(m, owner), owner).map_err(|e| e.at(m, 0)))
            .collect()
    }

    fn middleware(&mut self, name: &str, owner: &str) -> Result<Box<dyn Admit>, BuildError> {
        let Some(entry) = self.report.tcp_middlewares.get_mut(name) else {
            let (local, _) = name.split_once('@').unwrap_or((name, ""));
            return Err(BuildError::new(format!("middleware \"{name}\" does not exist"))
                .help(format!("define `tcp.middlewares.{local}` or remove the name")));
        };
        let built = match entry.config.kind() {
            Ok(MiddlewareKind::InFlightConn(c)) => {
                Ok(in_flight_conn::build(c, &format!("{owner} {name}"), self.keep))
            }
            Ok(MiddlewareKind::IpAllowList(c)) => ip_allow_list::build(&c.source_range, "IPAllowLister"),
            Ok(MiddlewareKind::IpWhiteList(c)) => ip_allow_list::build(&c.source_range, "IPWhiteLister"),
            Err(error) => Err(BuildError::new(error.of(name))),
        };
        if let Err(error) = &built {
            entry.disable(error.clone());
        }
        built
    }

    /// Builds what no router uses, so that its faults show.
    fn build_unused(&mut self, merged: &Merged) {
        // The report has the errors.
        for name in merged.tcp_services.keys() {
            let _ = self.services.get(name);
        }
        for name in merged.tcp_middlewares.keys() {
            let _ = self.middleware(name, name);
        }
    }
}

fn check_priority(priority: i64) -> Result<(), BuildError> {
    if priority <= MAX_USER_PRIORITY {
        return Ok(());
    }
    Err(BuildError::new(format!(
        "the router priority {priority} exceeds the max user-defined priority {MAX_USER_PRIORITY}"
    )))
}

fn parse(router: &Router, settings: &Settings) -> Result<Rule, BuildError> {
    let syntax = match router.rule_syntax.as_str() {
        "v2" => Syntax::V2,
        "v3" => Syntax::V3,
        _ => settings.default_syntax,
    };
    Rule::tcp(&router.rule, syntax).map_err(|error| {
        let message = error.api_text(Protocol::Tcp, &router.rule);
        match error.help() {
            Some(help) => BuildError::new(message).help(help),
            None => BuildError::new(message),
        }
    })
}
