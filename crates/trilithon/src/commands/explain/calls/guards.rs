//! What guards do, in words.

use super::seriousness;
use trilithon_model::dynamic::http::{
    ContentEngine, ContentGuard, ContentPhase, ContentRule, GuardMcp, LlmGuard, LlmPhase, ParallelLlmGuard,
};

pub fn content(guard: &ContentGuard) -> String {
    let phases = [("requests", &guard.request), ("answers", &guard.response)];
    let said = phases.iter().filter_map(|(what, phase)| {
        let rules: Vec<String> = rules(phase.as_ref()?).collect();
        Some(format!("in {what} {}", rules.join(", ")))
    });
    let said: Vec<String> = said.collect();
    let engine = guard.engine.as_ref().map_or("", engine);
    format!(
        "{}{engine}{}{}",
        said.join("; "),
        of_tools(guard.mcp.as_ref()),
        seriousness(guard.mode, guard.percent)
    )
}

/// What of calls of tools is judged, where the guard says that it judges those.
fn of_tools(mcp: Option<&GuardMcp>) -> String {
    let Some(mcp) = mcp else {
        return String::new();
    };
    let parts: Vec<&str> = mcp.parts.iter().map(|part| part.as_str()).collect();
    match parts.is_empty() {
        true => ", of calls of tools all".to_owned(),
        false => format!(", of calls of tools {}", parts.join(", ")),
    }
}

fn rules(phase: &ContentPhase) -> impl Iterator<Item = String> {
    phase.rules.iter().map(|rule| {
        let does = if rule.block { "refuses" } else { "masks" };
        format!("{does} {}{}", rule.entities.join(", "), reason(rule))
    })
}

fn reason(rule: &ContentRule) -> String {
    in_brackets(&rule.reason)
}

fn in_brackets(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!(" ({text})")
    }
}

fn engine(engine: &ContentEngine) -> &'static str {
    match engine {
        ContentEngine {
            presidio: Some(_), ..
        } => ", as Presidio finds it",
        ContentEngine { regex: Some(_), .. } => ", as patterns find it",
        _ => "",
    }
}

pub fn llm(guard: &LlmGuard) -> String {
    let phases = [("requests", &guard.request), ("answers", &guard.response)];
    let said = phases.iter().filter_map(|(what, phase)| {
        let conditions = conditions(phase.as_ref()?);
        Some(format!("about {what} and refuses on {conditions}"))
    });
    let said: Vec<String> = said.collect();
    let who = place(&guard.endpoint);
    format!(
        "asks {who} {}{}{}",
        said.join("; "),
        of_tools(guard.mcp.as_ref()),
        seriousness(guard.mode, guard.percent)
    )
}

fn conditions(phase: &LlmPhase) -> String {
    let all = phase.block_conditions.iter();
    let all: Vec<String> = all
        .map(|c| format!("{}{}", c.condition, in_brackets(&c.reason)))
        .collect();
    if all.is_empty() {
        "nothing".to_owned()
    } else {
        all.join(", ")
    }
}

pub fn parallel(guards: &ParallelLlmGuard) -> String {
    let all: Vec<String> = guards
        .guards
        .iter()
        .filter_map(|g| g.guard.as_deref().map(llm))
        .collect();
    all.join("; and at once ")
}

/// A URL without what may be secret in it: who asks, and the query.
fn place(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_have_no_secrets() {
        let check = |url: &str, want: &str| assert_eq!(place(url), want);
        check("http://judge:8000/v1/x", "http://judge:8000/v1/x");
        check("https://me:secret@judge?key=secret", "https://judge");
        check("https://judge/p@th?key=secret#x", "https://judge/p@th");
        check("judge", "judge");
    }
}
