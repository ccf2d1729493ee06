//! The answer of `explain` as JSON, for programs.

use super::calls::Calls;
use super::policies::{self, Decided};
use super::{Caller, State, ask, misses};
use serde_json::{Value, json};
use trilithon_engine::entry_point::EntryPoint;
use trilithon_engine::live::Snapshot;
use trilithon_engine::merge::qualify;
use trilithon_engine::report::Report;
use trilithon_flow::{Exchange, Request};
use trilithon_rule::Explained;

/// One entry point's part; `router` is an object when one takes the request.
pub fn way(
    state: &State,
    snapshot: &Snapshot,
    entry_point: &EntryPoint,
    req: &mut Request,
    cx: &mut Exchange,
    caller: &Caller,
) -> Value {
    let name = &*entry_point.name;
    let mut asked = match ask(snapshot, entry_point, req, cx) {
        Ok(asked) => asked,
        Err(why) => return json!({ "name": name, "router": null, "refused": why }),
    };
    let all = asked.routers(req, cx);
    let winner = all.iter().position(Explained::matched);
    let others = all.iter().enumerate().filter(|(i, _)| Some(*i) != winner);
    let others: Vec<Value> = others
        .map(|(_, other)| {
            let why = if other.matched() {
                "comes later".to_owned()
            } else {
                misses(other)
            };
            json!({ "name": &*other.route.value.name, "priority": other.route.priority, "why": why })
        })
        .collect();
    let mut way = json!({
        "name": name,
        "host": String::from_utf8_lossy(&asked.host),
        "path": String::from_utf8_lossy(&asked.path),
        "router": null,
        "others": others,
    });
    if let Some(at) = winner {
        let router = &all[at].route.value.name;
        let decided = policies::decide(&snapshot.report, router, req, cx, caller);
        way["router"] = json!({
            "name": &**router,
            "priority": all[at].route.priority,
            "rule": all[at].route.rule.text(),
        });
        let middlewares = middlewares(&snapshot.report, router);
        let calls = Calls::new(state, &snapshot.report, asked.model.name());
        if let Some(call) = calls.json(&middlewares, service(&snapshot.report, router).as_str()) {
            way["call"] = call;
        }
        way["middlewares"] = middlewares.into();
        way["service"] = service(&snapshot.report, router);
        way["decisions"] = decided.iter().map(decision).collect();
    }
    way
}

fn middlewares(report: &Report, router: &str) -> Vec<String> {
    let names = report.routers.get(router).map(|e| &e.config.middlewares);
    names.into_iter().flatten().map(|m| qualify(m, router)).collect()
}

fn service(report: &Report, router: &str) -> Value {
    let service = report.routers.get(router).map(|e| e.config.service.as_str());
    match service {
        Some(name) if !name.is_empty() => qualify(name, router).into(),
        _ => Value::Null,
    }
}

fn decision(decided: &Decided) -> Value {
    let Some(made) = &decided.decision else {
        return json!({ "policy": decided.policy, "mode": "off" });
    };
    let facts: serde_json::Map<String, Value> = made
        .facts
        .iter()
        .map(|(name, value)| (name.to_string(), value.as_str().into()))
        .collect();
    json!({
        "policy": decided.policy,
        "rule": &*made.rule,
        "decision": if made.allowed { "allow" } else { "deny" },
        "mode": made.mode.as_str(),
        "refused": made.refuses(),
        "facts": facts,
    })
}
