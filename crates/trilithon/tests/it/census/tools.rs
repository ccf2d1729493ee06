//! The census of calls of tools: every part of what the two sides say, on every way that it can come, in both eras, with the guard
//! in front of `mcp`, behind it, and without it. A new part does not compile here before it has a row.

use crate::audit::entries;
use crate::world::gateway;
use serde_json::{Value, json};
use std::collections::HashMap;
use trilithon_mcp::Era;
use trilithon_mcp::texts::Part;
use trilithon_testkit::{Answer, Gateway, PATIENCE, Response, Seen, Upstream, until};

const SECRET: &str = "SECRET-71";
const HIDDEN: &str = "*********";

/// How a message of a server comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// The answer to a POST, whole.
    Whole,
    /// An event of the answer to a POST.
    Stream,
    /// An event of a stream that is only listened to.
    Listened,
    /// The body of an HTTP error.
    Failed,
}

const WAYS: [Way; 4] = [Way::Whole, Way::Stream, Way::Listened, Way::Failed];

/// Where the guard stands; what `mcp` is in front of reads messages by being told so.
const PLACES: [(&str, &str); 3] = [
    ("alone", "told"),
    ("before", "told, gate"),
    ("behind", "gate, untold"),
];

/// One cell: what is asked and what is said, with the secret in one of them.
struct Cell {
    name: String,
    place: &'static str,
    asked: Value,
    said: Value,
    way: Way,
    in_request: bool,
    get: bool,
}

/// What each part consists of: the messages that carry it, with the secret in them.
fn messages(part: Part) -> Vec<Value> {
    let result = |result: Value| json!({"jsonrpc": "2.0", "id": 1, "result": result});
    let call =
        |method: &str, params: Value| json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    match part {
        Part::Arguments => vec![
            call(
                "tools/call",
                json!({"name": "t", "arguments": {"deep": [{"a": SECRET}]}}),
            ),
            call(
                "tools/call",
                json!({"name": "t", "inputResponses": {"q": {"action": "accept", "content": {"a": SECRET}}}}),
            ),
            call("prompts/get", json!({"name": "p", "arguments": {"a": SECRET}})),
            call("resources/read", json!({"uri": format!("file:///{SECRET}")})),
            call(
                "completion/complete",
                json!({"ref": {"type": "ref/prompt", "name": "p"}, "argument": {"name": "a", "value": SECRET}}),
            ),
            result(json!({"action": "accept", "content": {"a": SECRET}})),
            result(json!({"role": "assistant", "content": {"type": "text", "text": SECRET}, "model": "m"})),
        ],
        Part::Results => vec![
            result(json!({"content": [{"type": "text", "text": SECRET}]})),
            result(json!({"content": [{"type": "text", "text": SECRET}], "isError": true})),
            result(json!({"content": [], "structuredContent": {"a": [SECRET]}})),
            result(json!({"content": [{"type": "resource", "resource": {"uri": "u", "text": SECRET}}]})),
            result(json!({"contents": [{"uri": "u", "text": SECRET}]})),
            result(json!({"messages": [{"role": "user", "content": {"type": "text", "text": SECRET}}]})),
            result(json!({"completion": {"values": [SECRET]}})),
            json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": SECRET}}),
            json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": 1, "progress": 1, "message": SECRET}}),
        ],
        Part::Errors => vec![
            json!({"jsonrpc": "2.0", "id": 1, "error": {"code": -32000, "message": SECRET}}),
            json!({"jsonrpc": "2.0", "id": 1, "error": {"code": -32000, "message": "m", "data": {"a": SECRET}}}),
        ],
        Part::Descriptions => vec![
            result(json!({"tools": [{"name": "t", "description": SECRET}]})),
            result(json!({"tools": [{"name": "t", "title": SECRET}]})),
            result(
                json!({"tools": [{"name": "t", "inputSchema": {"properties": {"a": {"enum": [SECRET]}}}}]}),
            ),
            result(json!({"prompts": [{"name": "p", "arguments": [{"name": "a", "description": SECRET}]}]})),
            result(json!({"resources": [{"uri": "u", "name": "n", "description": SECRET}]})),
            result(json!({"resourceTemplates": [{"uriTemplate": "u", "name": "n", "description": SECRET}]})),
            result(json!({"serverInfo": {"name": "s"}, "instructions": SECRET})),
        ],
        Part::Questions => vec![
            json!({"jsonrpc": "2.0", "id": 5, "method": "of/a/later/revision", "params": {"message": SECRET}}),
        ],
        Part::Sampling => vec![
            json!({"jsonrpc": "2.0", "id": 5, "method": "sampling/createMessage", "params": {"messages": [{"role": "user", "content": {"type": "text", "text": SECRET}}]}}),
        ],
        Part::Elicitation => vec![
            json!({"jsonrpc": "2.0", "id": 5, "method": "elicitation/create", "params": {"message": SECRET, "requestedSchema": {}}}),
            result(
                json!({"resultType": "input_required", "inputRequests": {"q": {"method": "elicitation/create", "params": {"message": SECRET}}}}),
            ),
        ],
    }
}

/// A harmless question, as a client of the era asks it.
fn question(era: Era) -> Value {
    let meta = match era {
        Era::Legacy => json!({}),
        Era::Modern => json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28"}),
    };
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": meta}})
}

fn cells() -> Vec<Cell> {
    let done = json!({"jsonrpc": "2.0", "id": 1, "result": {"content": []}});
    let mut cells = Vec::new();
    for (place, _) in PLACES {
        for part in Part::ALL {
            for message in messages(part) {
                let in_request = part == Part::Arguments;
                for era in [Era::Legacy, Era::Modern] {
                    let ways = if in_request { &WAYS[..1] } else { &WAYS[..] };
                    for way in ways {
                        let (asked, said) = match in_request {
                            true => (message.clone(), done.clone()),
                            false => (question(era), message.clone()),
                        };
                        cells.push(Cell {
                            name: format!("{place} {part:?} {era:?} {way:?} {message}"),
                            place,
                            asked,
                            said,
                            way: *way,
                            in_request,
                            get: *way == Way::Listened,
                        });
                    }
                }
            }
        }
    }
    cells
}

fn routing() -> String {
    let phase = "{rules: [{entities: ['SECRET-[0-9]+'], mask: {}}]}";
    let guard = |mcp: &str| {
        format!("{{content-guard: {{engine: {{regex: {{}}}}, {mcp}request: {phase}, response: {phase}}}}}")
    };
    let routers: String = PLACES
        .iter()
        .map(|(place, list)| {
            format!("    {place}: {{rule: 'Host(`{place}.test`)', service: s, middlewares: [key, {list}]}}\n")
        })
        .collect();
    format!(
        "http:\n  routers:\n{routers}  middlewares:\n    gate: {{plugin: {{mcp: {{policies: [{{expression: 'true', action: allow}}]}}}}}}\n    told: {}\n    untold: {}\n{}  services: {{s: {{loadBalancer: {{servers: [{{url: 'http://127.0.0.1:@b1@'}}]}}}}}}\n",
        guard("mcp: {}, "),
        guard(""),
        super::KEY
    )
}

/// Answers each cell, by its number in the path.
fn server(cells: &[Cell]) -> Upstream {
    let answers: HashMap<String, (Value, Way)> = cells
        .iter()
        .enumerate()
        .map(|(number, cell)| (format!("/{number}"), (cell.said.clone(), cell.way)))
        .collect();
    Upstream::answering(move |seen: &Seen| match answers.get(&seen.target) {
        Some((said, Way::Whole)) => {
            Answer::new(200, said.to_string()).header("Content-Type", "application/json")
        }
        Some((said, Way::Failed)) => {
            Answer::new(400, said.to_string()).header("Content-Type", "application/json")
        }
        Some((said, Way::Stream | Way::Listened)) => {
            Answer::new(200, format!("event: message\ndata: {said}\n\n"))
                .header("Content-Type", "text/event-stream")
        }
        None => Answer::new(404, ""),
    })
}

fn ask(gateway: &Gateway, number: usize, cell: &Cell, key: &str) -> Response {
    let (method, body) = match cell.get {
        true => ("GET", String::new()),
        false => ("POST", cell.asked.to_string()),
    };
    gateway.client("web").ask(&format!(
        "{method} /{number} HTTP/1.1\r\nHost: {}.test\r\nX-Key: {key}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        cell.place,
        body.len()
    ))
}

/// What the log tells of each cell's call.
fn lines(gateway: &Gateway, count: usize) -> HashMap<String, Value> {
    let read = || {
        let text = std::fs::read_to_string(gateway.folder().path().join("access.log")).ok()?;
        let lines = text.lines().filter_map(|l| serde_json::from_str::<Value>(l).ok());
        let lines: HashMap<String, Value> = lines
            .map(|line| (line["RequestPath"].as_str().unwrap_or_default().to_owned(), line))
            .collect();
        (lines.len() == count).then_some(lines)
    };
    until(PATIENCE, read).expect("a line for each cell")
}

#[test]
fn every_part_is_judged_on_every_way() {
    let cells = cells();
    let gateway = gateway()
        .install(super::INSTALL)
        .routing(&routing())
        .upstream("b1", server(&cells))
        .start();
    let upstream = gateway.upstream("b1");
    let mut failed = Vec::new();
    assert_eq!(ask(&gateway, 0, &cells[0], "other").status, 401);
    assert_eq!(upstream.requests(), 0, "asked without a key");
    for (number, cell) in cells.iter().enumerate() {
        let answer = ask(&gateway, number, cell, "key").text();
        let sent = String::from_utf8_lossy(&upstream.last().body).into_owned();
        let seen = if cell.in_request { &sent } else { &answer };
        if seen.contains(SECRET) || !seen.contains(HIDDEN) {
            failed.push(format!("{}: {seen}", cell.name));
        }
    }
    let lines = lines(&gateway, cells.len());
    for (number, cell) in cells.iter().enumerate() {
        let line = &lines[&format!("/{number}")];
        let coverage = line["McpCall"]["coverage"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let phase = if cell.in_request { "request" } else { "response" };
        let proves = |c: &Value| {
            c["phase"] == phase
                && c["verdict"] == "mask"
                && c["judged"].as_u64().is_some_and(|n| n >= SECRET.len() as u64)
        };
        if !coverage.iter().any(proves) {
            failed.push(format!("{}: nothing proves it: {line}", cell.name));
        }
    }
    println!("{} cells", cells.len());
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    // Nothing asked for the audit log; routes to tools have it.
    let audited = entries(gateway.folder(), "request", 1);
    assert!(
        audited
            .iter()
            .any(|(_, entry)| entry["mcp"]["coverage"][0]["verdict"] == "mask")
    );
}
