//! Every way with a guard and a limit, in front of the middleware of its format and behind it.

use super::ways::{HIDDEN, SECRET, Way, way};
use crate::audit::entries;
use crate::world::gateway;
use serde_json::Value;
use std::collections::HashMap;
use trilithon_flow::Format;
use trilithon_flow::model_call::{Operation, Phase};
use trilithon_testkit::{Answer, Gateway, PATIENCE, Response, Seen, Upstream, until};

/// One cell of the census.
struct Cell {
    number: usize,
    format: Format,
    operation: Operation,
    stream: bool,
    phase: Phase,
    way: Result<Way, &'static str>,
}

/// All cells, by the lists of the code.
fn cells() -> Vec<Cell> {
    let mut cells = Vec::new();
    for format in Format::ALL {
        for operation in Operation::ALL {
            for stream in [false, true] {
                for phase in Phase::ALL {
                    cells.push(Cell {
                        number: cells.len(),
                        format,
                        operation,
                        stream,
                        phase,
                        way: way(format, operation, stream, phase),
                    });
                }
            }
        }
    }
    cells
}

impl Cell {
    fn name(&self) -> String {
        let stream = if self.stream { "stream" } else { "whole" };
        format!(
            "{:<13}{:<14}{stream:<8}{:<10}",
            self.format.as_str(),
            self.operation.as_str(),
            self.phase.as_str()
        )
    }
}

/// Where the guard and the limit stand.
const ORDERS: [&str; 2] = ["before", "behind"];

fn kind(format: Format) -> Option<&'static str> {
    match format {
        Format::Ccr => Some("chat-completion"),
        Format::ResponsesApi => Some("responses-api"),
        Format::MessagesApi => Some("messages-api"),
        Format::Custom => None,
    }
}

/// A router for each format and order. Of those, the ones behind say nothing of the format, and nothing asks for the audit log.
fn routing() -> String {
    let (mut routers, mut kinds) = (String::new(), String::new());
    for format in Format::ALL {
        let name = format.as_str();
        let queries = match format {
            Format::Custom => ", jsonQueries: ['.text']",
            _ => "",
        };
        for order in ORDERS {
            let list = match (kind(format), order) {
                (None, _) => format!("key, guard-{name}-{order}"),
                (Some(kind), "before") => format!("key, limit-{name}, guard-{name}-{order}, {kind}"),
                (Some(kind), _) => format!("key, {kind}, limit-{name}, guard-{name}-{order}"),
            };
            routers += &format!(
                "    {name}-{order}: {{rule: 'Host(`{order}.test`) && PathRegexp(`^/[0-9]+/{name}`)', service: s, middlewares: [{list}]}}\n"
            );
            let said = if order == "before" { name } else { "custom" };
            let phase = format!("{{rules: [{{entities: ['SECRET-[0-9]+'], mask: {{}}{queries}}}]}}");
            kinds += &format!(
                "    guard-{name}-{order}: {{content-guard: {{engine: {{regex: {{}}}}, clientRequestFormat: {said}, request: {phase}, response: {phase}}}}}\n"
            );
        }
        if let Some(kind) = kind(format) {
            kinds += &format!("    {kind}: {{plugin: {{{kind}: {{token: sk-upstream}}}}}}\n");
            kinds += &format!(
                "    limit-{name}: {{ai-rate-limit: {{clientRequestFormat: {name}, totalTokenLimit: {{limit: 1000000, period: 1h}}}}}}\n"
            );
        }
    }
    format!(
        "http:\n  routers:\n{routers}  middlewares:\n{kinds}{}  services: {{s: {{loadBalancer: {{servers: [{{url: 'http://127.0.0.1:@b1@'}}]}}}}}}\n",
        super::KEY
    )
}

/// Answers each cell as it is to be answered.
fn server(cells: &[Cell]) -> Upstream {
    let answers: HashMap<usize, (String, bool)> = cells
        .iter()
        .filter_map(|cell| {
            Some((
                cell.number,
                (cell.way.as_ref().ok()?.answered.clone(), cell.stream),
            ))
        })
        .collect();
    Upstream::answering(move |seen: &Seen| {
        let number = seen.target.split('/').nth(1).and_then(|n| n.parse().ok());
        match number.and_then(|n: usize| answers.get(&n)) {
            Some((body, true)) => Answer::new(200, body.clone()).header("Content-Type", "text/event-stream"),
            Some((body, false)) => Answer::new(200, body.clone()).header("Content-Type", "application/json"),
            None => Answer::new(404, ""),
        }
    })
}

fn ask(gateway: &Gateway, order: &str, cell: &Cell, way: &Way, key: &str) -> Response {
    let head = format!(
        "{} /{}/{}{} HTTP/1.1\r\nHost: {order}.test\r\nX-Key: {key}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
        way.method,
        cell.number,
        cell.format.as_str(),
        way.path,
        way.asked.len(),
        way.asked
    );
    gateway.client("web").ask(&head)
}

/// The text of a whole or streamed body, pieces joined.
fn joined(body: &str) -> String {
    let pieces = body
        .split("data: ")
        .filter_map(|d| serde_json::from_str::<Value>(d.trim()).ok());
    let deltas = pieces.filter_map(|event| {
        let paths = [
            "/choices/0/delta/content",
            "/choices/0/delta/tool_calls/0/function/arguments",
            "/delta",
            "/delta/text",
            "/delta/partial_json",
            "/text",
        ];
        paths
            .iter()
            .find_map(|p| event.pointer(p)?.as_str().map(str::to_owned))
    });
    let deltas: String = deltas.collect();
    format!("{body}{deltas}")
}

/// What the log tells of the answered call of this cell.
fn line(gateway: &Gateway, order: &str, cell: &Cell) -> Value {
    let begins = format!("/{}/", cell.number);
    let read = || {
        let text = std::fs::read_to_string(gateway.folder().path().join("access.log")).ok()?;
        let mut lines = text.lines().filter_map(|l| serde_json::from_str::<Value>(l).ok());
        lines.find(|l| {
            let is_here = l["RequestPath"].as_str().is_some_and(|p| p.starts_with(&begins));
            is_here && l["RequestHost"] == format!("{order}.test") && l["DownstreamStatus"] == 200
        })
    };
    until(PATIENCE, read).unwrap_or_else(|| panic!("no line about {}", cell.name()))
}

/// Nothing of the secret came through in the phase in question, and the record proves that a guard saw it.
fn is_judged(cell: &Cell, sent: &str, answer: &Response, call: &Value) -> bool {
    let text = joined(&answer.text());
    let (seen, phases): (&str, &[&str]) = match cell.phase {
        Phase::Request => (sent, &["request"]),
        Phase::Response => (&text, &["response"]),
        Phase::Tool => (&text, &["response", "tool"]),
    };
    let coverage = call["coverage"].as_array().cloned().unwrap_or_default();
    let proof = coverage.iter().any(|c| {
        let is_phase = phases.iter().any(|phase| c["phase"] == *phase);
        is_phase && c["verdict"] == "mask" && c["judged"].as_u64().is_some_and(|n| n >= SECRET.len() as u64)
    });
    answer.status == 200 && !seen.contains(SECRET) && seen.contains(HIDDEN) && proof
}

#[test]
fn every_way_is_guarded_limited_and_audited() {
    let cells = cells();
    let gateway = gateway()
        .install(super::INSTALL)
        .routing(&routing())
        .upstream("b1", server(&cells))
        .start();
    let upstream = gateway.upstream("b1");
    let mut failed = Vec::new();
    println!("{:<45}guard   authenticated judged limited metered recorded", "");
    let mut audited = Vec::new();
    for cell in &cells {
        let way = match &cell.way {
            Ok(way) => way,
            Err(why) => {
                println!("{}-       {why}", cell.name());
                continue;
            }
        };
        for order in ORDERS {
            let before = upstream.requests();
            let refused = ask(&gateway, order, cell, way, "other").status;
            let is_authenticated = refused == 401 && upstream.requests() == before;
            let answer = ask(&gateway, order, cell, way, "key");
            let sent = String::from_utf8_lossy(&upstream.last().body).into_owned();
            let line = line(&gateway, order, cell);
            let call = &line["ModelCall"];
            let has_model = cell.format != Format::Custom;
            let is_limited = !answer.header("X-Ratelimit-Remaining-Tokens-Total").is_empty();
            let facts = [
                Some(is_authenticated),
                Some(is_judged(cell, &sent, &answer, call)),
                (has_model && way.method == "POST").then_some(is_limited),
                way.spends
                    .then(|| call["usage"]["input"] == 3 && call["usage"]["output"] == 4),
                Some(call["format"] == cell.format.as_str() && call["operation"] == cell.operation.as_str()),
            ];
            let words = facts.map(|fact| match fact {
                Some(true) => "yes",
                Some(false) => "NO",
                None => "-",
            });
            let [a, j, l, m, r] = words;
            println!("{}{order:<8}{a:<14}{j:<7}{l:<8}{m:<8}{r}", cell.name());
            if facts.contains(&Some(false)) {
                failed.push(format!(
                    "{} {order}: {}\n{sent}\n{}",
                    cell.name(),
                    line,
                    answer.text()
                ));
            }
            if has_model {
                audited.push((cell, order));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    // Refused ones are audited as well.
    let entries = entries(gateway.folder(), "request", 2 * audited.len());
    for (cell, order) in audited {
        let begins = format!("/{}/", cell.number);
        let is_there = entries.iter().any(|(_, entry)| {
            let request = &entry["request"];
            request["host"] == format!("{order}.test")
                && request["path"].as_str().is_some_and(|p| p.starts_with(&begins))
                && entry["model"]["format"] == cell.format.as_str()
        });
        assert!(is_there, "{} {order} is not audited", cell.name());
    }
}
