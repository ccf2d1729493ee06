//! The middlewares and the service behind a router, with their places.

use super::calls::Calls;
use super::policies::Decided;
use trilithon_engine::merge::qualify;
use trilithon_engine::report::{Entry, Report};
use trilithon_model::Span;
use trilithon_model::dynamic::http::{Service, ServiceKind};

/// Services below services that are followed.
const MAX_DEPTH: usize = 16;

/// Tells what comes behind a router.
pub fn follow(report: &Report, router: &str, decided: &[Decided], mut calls: Calls<'_>) {
    let Some(entry) = report.routers.get(router) else {
        return;
    };
    let indent = "    ";
    for name in entry.config.middlewares.iter().map(|m| qualify(m, router)) {
        through(report, &name, indent, decided, &mut calls);
    }
    if entry.config.service.is_empty() {
        return say!("{indent}on to the routers that name it as parent");
    }
    to(report, &qualify(&entry.config.service, router), indent, &calls, 0);
}

fn through(report: &Report, name: &str, indent: &str, decided: &[Decided], calls: &mut Calls<'_>) {
    let Some(middleware) = report.middlewares.get(name) else {
        return;
    };
    let kinds = middleware.config.kind_names().join(", ");
    say!(
        "{indent}through middleware `{name}` ({kinds}{})",
        written_at(&middleware.config.span)
    );
    let decided = decided.iter().filter(|d| d.below == name);
    decided.for_each(|d| d.tell(indent));
    for note in calls.through(name) {
        say!("{indent}  `{}` {}", note.middleware, note.text);
    }
}

/// A service with its own middlewares, and who it asks.
fn to(report: &Report, name: &str, indent: &str, calls: &Calls<'_>, depth: usize) {
    let Some(service) = report.services.get(name) else {
        return say!("{indent}to service `{name}`");
    };
    let kinds = match service.config.kind_names() {
        kinds if kinds.is_empty() => "the gateway's own".to_owned(),
        kinds => kinds.join(", "),
    };
    let mut calls = calls.clone();
    for middleware in service.config.middlewares.iter().map(|m| qualify(m, name)) {
        through(report, &middleware, indent, &[], &mut calls);
    }
    say!(
        "{indent}to service `{name}` ({kinds}{})",
        written_at(&service.config.span)
    );
    if let Ok(ServiceKind::OpenApi(api)) = service.config.kind()
        && depth < MAX_DEPTH
    {
        say!("{indent}  calls of its tools go");
        to(
            report,
            &qualify(&api.service, name),
            &format!("{indent}    "),
            &calls,
            depth + 1,
        );
    }
    if let Ok(ServiceKind::Models(models)) = service.config.kind()
        && depth < MAX_DEPTH
    {
        let mut targets: Vec<_> = models.targets.iter().collect();
        targets.sort_by_key(|target| std::cmp::Reverse(target.priority));
        for target in targets {
            let (priority, weight) = (target.priority, target.weight.unwrap_or(1));
            say!("{indent}  priority {priority}, weight {weight}:");
            let child = qualify(&target.service, name);
            to(report, &child, &format!("{indent}    "), &calls, depth + 1);
        }
        return;
    }
    if let Ok(ServiceKind::McpServers(all)) = service.config.kind()
        && depth < MAX_DEPTH
    {
        for server in &all.servers {
            say!("{indent}  server {}:", server.name);
            let child = qualify(&server.service, name);
            to(report, &child, &format!("{indent}    "), &calls, depth + 1);
        }
        return;
    }
    servers(service, indent);
}

fn servers(service: &Entry<Service>, indent: &str) {
    for (url, up) in service.backend.iter().flat_map(|b| b.server_status()) {
        say!("{indent}  {url} {}", if up { "up" } else { "down" });
    }
}

/// Where something is written, behind a comma; nothing for what is the gateway's own.
pub fn written_at(span: &Span) -> String {
    if span.is_none() {
        String::new()
    } else {
        format!(", {span}")
    }
}
