//! Calls of tools through the middleware, a file for each thing that is looked at. Here is what they share: who asks, which rules
//! there are, and a server that says yes.

mod access;
mod around;
mod batch;
mod denial;
mod hosts;
mod listing;
mod metadata;
mod mistakes;
mod shadow;
mod shapes;

use super::*;
use crate::http::kit::{Act, Asked as Seen, Bench, Outcome, Script};
use crate::http::testing::{build_error, request};
use serde_json::{Value, json};
use trilithon_flow::limits::MAX_MCP_ANSWER;
use trilithon_flow::{Body, Chain, Credential, Edit, Identity, Response};
use trilithon_model::dynamic::http::{Effect, McpListPolicy, McpPolicy, McpResourceMetadata, Visibility};
use trilithon_model::rollout;

/// What a call with id 7 is answered.
const DONE: &str = r#"{"jsonrpc":"2.0","id":7,"result":{"content":[]}}"#;
const FORBIDDEN: &str = r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32003,"message":"Forbidden"}}"#;

/// Stands for the middleware that makes out who is asking.
struct Caller(Arc<Identity>);

impl Edit for Caller {
    fn request(&self, _: &mut Request, cx: &mut Exchange) -> Result<(), Response> {
        cx.identify(self.0.clone());
        Ok(())
    }
}

fn caller(claims: &Value) -> Step {
    let subject = claims["sub"].as_str().unwrap_or_default();
    let mut identity = Identity::new(Credential::Jwt, subject);
    identity.claims = claims.as_object().cloned().unwrap_or_default();
    Step::edit(Caller(Arc::new(identity)))
}

fn rules(rules: &[(&str, Effect)]) -> Vec<McpPolicy> {
    let rule = |(matches, action): &(&str, Effect)| McpPolicy {
        matches: (*matches).to_owned(),
        action: Some(*action),
        ..McpPolicy::default()
    };
    rules.iter().map(rule).collect()
}

/// Everything may be called but `drop`.
fn all_but_drop() -> Config {
    Config {
        policies: rules(&[("Equals(`mcp.params.name`, `drop`)", Effect::Deny)]),
        default_action: Some(Effect::Allow),
        ..Config::default()
    }
}

/// The three layers in one: who may do what kind of thing, with which tool, with which values.
fn layered() -> Config {
    use Effect::{Allow, Deny};
    Config {
        policies: rules(&[
            (
                "OneOf(`mcp.method`, `initialize`, `notifications/initialized`, `ping`, `tools/list`)",
                Allow,
            ),
            (
                "Equals(`mcp.params.name`, `pay`) && Gt(`mcp.params.arguments.amount`, `10000`)",
                Deny,
            ),
            (
                "Equals(`mcp.params.name`, `pay`) && Contains(`jwt.authorized_tasks`, `invoicing`) && Lte(`mcp.params.arguments.amount`, `${jwt.limit}`)",
                Allow,
            ),
            (
                "Equals(`mcp.params.name`, `read_repo`) && Equals(`mcp.params.arguments.repoName`, `${jwt.org}/docs`)",
                Allow,
            ),
            (
                "Equals(`mcp.method`, `tools/call`) && !Equals(`mcp.params.name`, `pay`) && Contains(`jwt.allowed_tools`, `${mcp.params.name}`)",
                Allow,
            ),
            (
                "Equals(`mcp.method`, `resources/read`) && Prefix(`mcp.params.uri`, `docs://${jwt.sub}/`)",
                Allow,
            ),
        ]),
        ..Config::default()
    }
}

fn ann() -> Value {
    json!({"sub": "ann", "authorized_tasks": ["invoicing"], "limit": 500, "org": "acme", "allowed_tools": ["search"]})
}

fn call(tool: &str, arguments: Value) -> String {
    json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": tool, "arguments": arguments}})
        .to_string()
}

fn method(method: &str) -> String {
    json!({"jsonrpc": "2.0", "id": 7, "method": method}).to_string()
}

fn post(body: &str, headers: &[(&str, &str)]) -> Request {
    let mut req = request("POST", "/mcp", headers);
    req.headers.set("Content-Type", "application/json");
    req.body = Body::from(body.to_owned());
    req
}

fn backend(answer: &'static str, kind: &'static str) -> Bench {
    Bench::new(move |_: &Seen| {
        let mut res = Response::bare(200, answer);
        res.headers.set("Content-Type", kind);
        res
    })
}

fn chain(bench: &mut Bench, config: &Config, claims: Option<Value>) -> Chain {
    let step = bench
        .build(|cx| build(config, cx))
        .unwrap_or_else(|e| panic!("cannot be built: {e}"));
    bench.chain(claims.as_ref().map(caller).into_iter().chain([step]).collect())
}

/// What becomes of one message, and whether the server saw it.
fn run(config: &Config, claims: Option<Value>, req: Request) -> (Outcome, usize) {
    let mut bench = backend(DONE, "application/json");
    let chain = chain(&mut bench, config, claims);
    let outcome = bench.send(&chain, req);
    (outcome, bench.asked())
}

#[track_caller]
fn allowed(config: &Config, claims: Value, body: &str) {
    let (outcome, asked) = run(config, Some(claims), post(body, &[]));
    assert_eq!(
        (outcome.status, outcome.text().as_str(), asked),
        (200, DONE, 1),
        "{body}"
    );
}

#[track_caller]
fn denied(config: &Config, claims: Value, body: &str) {
    let (outcome, asked) = run(config, Some(claims), post(body, &[]));
    assert_eq!(
        (outcome.status, outcome.text().as_str(), asked),
        (403, FORBIDDEN, 0),
        "{body}"
    );
    assert_eq!(outcome.header("Content-Type"), Some("application/json"));
    assert_eq!(outcome.header("WWW-Authenticate"), None);
}
