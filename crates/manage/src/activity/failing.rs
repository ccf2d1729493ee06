//! What does not work now: objects of the configuration, with the reason and where they are written; servers that are down.

use serde_json::{Value, json};
use trilithon_engine::report::{Complaint, Report, Status};
use trilithon_model::node::Span;

/// Rows that are told.
const MAX_ROWS: usize = 200;

/// All that fails, the worst first.
pub fn of(report: &Report) -> Value {
    let complaints = report.complaints();
    let (disabled, warned): (Vec<_>, Vec<_>) = complaints.iter().partition(|c| c.status == Status::Disabled);
    let disabled = disabled.into_iter().map(|c| complaint(c, "disabled"));
    let warned = warned.into_iter().map(|c| complaint(c, "warning"));
    let all = disabled.chain(down(report)).chain(warned);
    all.take(MAX_ROWS).collect()
}

fn complaint(complaint: &Complaint<'_>, status: &str) -> Value {
    let mut row = row(
        complaint.noun,
        complaint.name,
        status,
        complaint.text,
        complaint.span,
    );
    if let Some(help) = complaint.help {
        row["help"] = help.into();
    }
    row
}

/// Servers of HTTP services that are down.
fn down(report: &Report) -> impl Iterator<Item = Value> {
    let services = report.services.iter();
    let built =
        services.filter_map(|(name, entry)| Some((name, &entry.config.span, entry.backend.as_ref()?)));
    built.flat_map(|(name, span, backend)| {
        let down = backend.server_status().into_iter().filter(|(_, up)| !up);
        down.map(move |(url, _)| row("service", name, "down", &format!("server `{url}` is down"), span))
    })
}

fn row(noun: &str, name: &str, status: &str, reason: &str, span: &Span) -> Value {
    let mut row = json!({"noun": noun, "name": name, "status": status, "reason": reason});
    if span.source.is_some() {
        row["place"] = span.to_string().into();
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use trilithon_engine::report::Entry;
    use trilithon_flow::BuildError;
    use trilithon_model::Source;

    #[test]
    fn reasons_and_places() {
        let yaml = "http:\n  routers:\n    a: {rule: 'Path(`/`)', service: s}\n    b: {rule: 'Path(`/b`)', service: s}\n";
        let (configuration, _) = trilithon_model::routing_file(&Source::text("t.yml", yaml));
        let mut report = Report::default();
        for (name, router) in &configuration.http.routers {
            report
                .routers
                .insert(format!("{name}@file"), Entry::new(router.clone()));
        }
        let entry = |report: &mut Report, name: &str, fail: fn(&mut Entry<_>)| {
            fail(report.routers.get_mut(name).expect("a router"));
        };
        entry(&mut report, "a@file", |entry| entry.warn("slow"));
        entry(&mut report, "b@file", |entry| {
            entry.disable(BuildError::new("gone").help("write it"))
        });
        let want = json!([
            {"noun": "router", "name": "b@file", "status": "disabled", "reason": "gone", "help": "write it", "place": "t.yml:4:5"},
            {"noun": "router", "name": "a@file", "status": "warning", "reason": "slow", "place": "t.yml:3:5"},
        ]);
        assert_eq!(of(&report), want);
    }
}
