//! A compensating call of a tool: as a client of the Model Context Protocol, in the era of the call that is undone.

use super::http::{Client, Outcome};
use crate::commands::ask::Answer;
use crate::undo::Plan;
use serde_json::{Value, json};
use trilithon_flow::undo::TICKET;
use trilithon_flow::{Headers, Known, Method};
use trilithon_mcp::answer::{self, failure};
use trilithon_mcp::{Era, header};
use trilithon_wire::sse::Frames;

/// The last revision of the first era.
const LEGACY: &str = "2025-11-25";
/// Bytes of one event.
const MAX_EVENT: usize = 8 << 20;

/// Calls the tool.
///
/// # Errors
/// It was not answered.
pub async fn call(client: &Client, plan: &Plan, ticket: &str) -> anyhow::Result<Outcome> {
    let of = |name: &str| plan.call.get(name).cloned().unwrap_or_default();
    let (path, tool, arguments) = (of("path"), of("tool"), of("arguments"));
    let path = path.as_str().unwrap_or("/");
    let version = plan.entry["mcp"]["protocolVersion"].as_str().unwrap_or(LEGACY);
    let mut params = json!({"name": tool, "arguments": arguments});
    let mut headers = said_headers(version);
    let mut session = None;
    match Era::of(version) {
        Era::Modern => {
            params["_meta"] = meta(version);
            headers.append(header::METHOD, "tools/call");
            let name = header::encode(tool.as_str().unwrap_or_default());
            headers.append(header::NAME, &*name);
        }
        Era::Legacy => session = open(client, path).await?,
    }
    if let Some(session) = &session {
        headers.append(header::SESSION_ID, session);
    }
    headers.append(TICKET, ticket);
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
    let said = client
        .send(Method::Post, path, headers, Some(message.to_string()))
        .await?;
    if let Some(session) = &session {
        let mut headers = said_headers(version);
        headers.append(header::SESSION_ID, session);
        // A server that keeps no sessions says no.
        let _ = client.send(Method::Delete, path, headers, None).await;
    }
    Ok(outcome(&said))
}

/// Opens a session where the server has such a thing. A server without says no, or gives none: then the call goes without.
async fn open(client: &Client, path: &str) -> anyhow::Result<Option<Vec<u8>>> {
    let info = json!({"name": "trilithon-undo", "version": env!("CARGO_PKG_VERSION")});
    let initialize = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize",
        "params": {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": info}});
    let mut headers = said_headers(LEGACY);
    headers.remove(header::PROTOCOL_VERSION);
    let said = client
        .send(Method::Post, path, headers, Some(initialize.to_string()))
        .await?;
    let Some(session) = said
        .headers
        .get(header::SESSION_ID)
        .filter(|_| said.status == 200)
    else {
        return Ok(None);
    };
    let session = session.to_vec();
    let mut headers = said_headers(LEGACY);
    headers.append(header::SESSION_ID, &session);
    let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    client
        .send(Method::Post, path, headers, Some(initialized.to_string()))
        .await?;
    Ok(Some(session))
}

fn said_headers(version: &str) -> Headers {
    let mut headers = Headers::new();
    headers.set_known(Known::ContentType, "application/json");
    headers.set_known(Known::Accept, "application/json, text/event-stream");
    headers.append(header::PROTOCOL_VERSION, version);
    headers
}

fn meta(version: &str) -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "trilithon-undo", "version": env!("CARGO_PKG_VERSION")},
    })
}

/// What the answer says, whole or as a stream.
fn outcome(said: &Answer) -> Outcome {
    let status = format!("{} {}", said.status, trilithon_flow::status::text(said.status));
    let mut messages = vec![said.body.to_vec()];
    let kind = said.headers.known(Known::ContentType).unwrap_or_default();
    if kind.starts_with(b"text/event-stream") {
        messages = events(&said.body);
    }
    for message in &messages {
        match answer::outcome(message) {
            answer::Outcome::Open => {}
            answer::Outcome::Done(result) if said.status == 200 => {
                return Ok(match result {
                    Value::Null => status,
                    result => format!("{status} {result}"),
                });
            }
            answer::Outcome::Done(_) | answer::Outcome::Failed => {
                let code = failure(message).unwrap_or_default();
                return Err(format!("{status}, error {code}{}", said.words()));
            }
        }
    }
    Err(format!("{status}, without a result{}", said.words()))
}

/// The data of a stream's events.
fn events(body: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = Frames::new(MAX_EVENT);
    let (mut all, mut rest) = (Vec::new(), body);
    while let Ok(Some(frame)) = frames.next(rest) {
        let (raw, after) = rest.split_at(frame.len.min(rest.len()));
        all.push(frame.data(raw).into_owned());
        rest = after;
    }
    all
}
