//! Who may call what: task, tool and transaction, what is listed to whom, how refusals look, and what gets around none of it.

use super::super::kit::{Act, Asked as Seen, Bench, Outcome, Script};
use super::super::testing::{build_error, request};
use super::*;
use serde_json::{Value, json};
use std::sync::Arc;
use trilithon_flow::limits::MAX_MCP_ANSWER;
use trilithon_flow::{Body, Chain, Credential, Edit, Identity, Response};
use trilithon_model::dynamic::http::{Effect, McpListPolicy, McpPolicy, McpResourceMetadata, Visibility};
use trilithon_model::rollout;

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

const DONE: &str = r#"{"jsonrpc":"2.0","id":7,"result":{"content":[]}}"#;

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
    let error = r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32003,"message":"Forbidden"}}"#;
    assert_eq!(
        (outcome.status, outcome.text().as_str(), asked),
        (403, error, 0),
        "{body}"
    );
    assert_eq!(outcome.header("Content-Type"), Some("application/json"));
    assert_eq!(outcome.header("WWW-Authenticate"), None);
}

#[test]
fn tasks_tools_and_transactions() {
    let config = layered();
    for open in ["initialize", "ping", "tools/list"] {
        allowed(&config, ann(), &method(open));
    }
    denied(&config, ann(), &method("prompts/list"));
    // Tool: only what the token names.
    allowed(&config, ann(), &call("search", json!({})));
    denied(&config, ann(), &call("drop", json!({})));
    denied(&config, ann(), &call("Search", json!({})));
    denied(&config, json!({"sub": "bob"}), &call("search", json!({})));
    // Task: the same tool, for those who do that work.
    allowed(&config, ann(), &call("pay", json!({"amount": 500})));
    let mut idle = ann();
    idle["authorized_tasks"] = json!(["support"]);
    denied(&config, idle, &call("pay", json!({"amount": 1})));
    // Transaction: values against numbers and against claims.
    denied(&config, ann(), &call("pay", json!({"amount": 500.01})));
    let mut rich = ann();
    rich["limit"] = json!(1_000_000);
    allowed(&config, rich.clone(), &call("pay", json!({"amount": 10000})));
    denied(&config, rich.clone(), &call("pay", json!({"amount": 10001})));
    denied(&config, rich.clone(), &call("pay", json!({"amount": "10001"})));
    denied(&config, rich, &call("pay", json!({})));
    allowed(
        &config,
        ann(),
        &call("read_repo", json!({"repoName": "acme/docs"})),
    );
    denied(
        &config,
        ann(),
        &call("read_repo", json!({"repoName": "acme/secrets"})),
    );
    let read = |uri: &str| {
        json!({"jsonrpc": "2.0", "id": 7, "method": "resources/read", "params": {"uri": uri}}).to_string()
    };
    allowed(&config, ann(), &read("docs://ann/a"));
    denied(&config, ann(), &read("docs://bob/a"));
}

#[test]
fn the_same_in_cel() {
    let config = Config {
        policies: vec![McpPolicy {
            name: "small payments".to_owned(),
            expression:
                "mcp.tool == \"pay\" && \"invoicing\" in jwt.authorized_tasks && mcp.params.arguments.amount <= jwt.limit"
                    .to_owned(),
            action: Some(Effect::Allow),
            ..McpPolicy::default()
        }],
        ..Config::default()
    };
    allowed(&config, ann(), &call("pay", json!({"amount": 500})));
    denied(&config, ann(), &call("pay", json!({"amount": 501})));
    denied(&config, ann(), &call("pay", json!({"amount": "500"})));
    denied(&config, ann(), &call("search", json!({})));
}

#[test]
fn the_first_rule_that_applies_decides() {
    let tool = "Equals(`mcp.params.name`, `a`)";
    let mut config = Config {
        policies: rules(&[(tool, Effect::Allow), (tool, Effect::Deny)]),
        default_action: Some(Effect::Allow),
        ..Config::default()
    };
    allowed(&config, ann(), &call("a", json!({})));
    allowed(&config, ann(), &call("b", json!({})));
    config.policies.reverse();
    denied(&config, ann(), &call("a", json!({})));
    config.policies.clear();
    config.default_action = Some(Effect::Deny);
    denied(&config, ann(), &call("b", json!({})));
}

#[test]
fn how_a_refusal_looks() {
    let text = |config: &Config, body: &str, headers: &[(&str, &str)]| {
        let (outcome, asked) = run(config, Some(ann()), post(body, headers));
        assert_eq!(asked, 0);
        (outcome.status, outcome.text())
    };
    let error = r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32003,"message":"Forbidden"}}"#;
    let mut config = layered();
    config.status_code_on_deny = 200;
    assert_eq!(
        text(&config, &call("drop", json!({})), &[]),
        (200, error.to_owned())
    );
    config.status_code_on_deny = 404;
    assert_eq!(text(&config, &call("drop", json!({})), &[]).0, 404);
    // A notification has no id, and none is made up.
    let silent = r#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#;
    let bare = r#"{"jsonrpc":"2.0","error":{"code":-32003,"message":"Forbidden"}}"#;
    assert_eq!(text(&config, silent, &[]), (404, bare.to_owned()));
    // The second era keeps JSON-RPC's codes to itself.
    let modern = json!({"jsonrpc": "2.0", "id": "x", "method": "tools/call", "params": {"name": "drop",
        "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}}});
    let (_, body) = text(&config, &modern.to_string(), &[]);
    assert_eq!(
        body,
        r#"{"jsonrpc":"2.0","id":"x","error":{"code":403,"message":"Forbidden"}}"#
    );
    let (_, body) = text(
        &config,
        &call("drop", json!({})),
        &[("MCP-Protocol-Version", "2026-07-28")],
    );
    assert!(body.contains("\"code\":403"), "{body}");
    // Agents go on; what is no call of a tool is refused as ever.
    config.graceful_errors = true;
    let (status, body) = text(&config, &call("drop", json!({})), &[]);
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (status, &body["id"], &body["result"]["isError"]),
        (200, &json!(7), &json!(true))
    );
    assert_eq!(
        text(&config, &method("prompts/list"), &[]),
        (404, error.to_owned())
    );
}

#[test]
fn the_record_says_what_was_decided() {
    let (outcome, _) = run(
        &layered(),
        Some(ann()),
        post(&call("pay", json!({"amount": 900, "token": "t0p"})), &[]),
    );
    let decision = &outcome.record.decisions[0];
    assert_eq!(
        (&*decision.policy, &*decision.rule, decision.allowed),
        ("m@file", "default", false)
    );
    let facts: Vec<String> = decision.facts.iter().map(|(n, v)| format!("{n}={v}")).collect();
    assert!(
        facts.contains(&"mcp.params.arguments.amount=900".to_owned()),
        "{facts:?}"
    );
    assert!(!facts.iter().any(|f| f.contains("t0p")), "{facts:?}");
}

/// What must not get a call of `drop` past rules that refuse it, and nothing else.
#[test]
fn nothing_gets_around_the_rules() {
    let config = Config {
        policies: rules(&[("Equals(`mcp.params.name`, `drop`)", Effect::Deny)]),
        default_action: Some(Effect::Allow),
        ..Config::default()
    };
    let check = |req: Request, want: u16, what: &str| {
        let (outcome, asked) = run(&config, Some(ann()), req);
        assert_eq!((outcome.status, asked), (want, 0), "{what}: {}", outcome.text());
        let body: Value = serde_json::from_str(&outcome.text()).expect("an error of JSON-RPC");
        assert!(body["error"]["code"].is_i64(), "{what}");
    };
    let drop = call("drop", json!({}));
    check(post(&drop, &[]), 403, "plainly");
    check(post(&drop.replace("drop", "dr\\u006fp"), &[]), 403, "in escapes");
    let late = [("MCP-Protocol-Version", "2025-06-18")];
    check(
        post(&format!("[{drop}]"), &late),
        400,
        "in a batch that is none any more",
    );
    check(post(&format!("[[{drop}]]"), &[]), 400, "in a batch in a batch");
    check(post(&format!("{drop}{drop}"), &[]), 400, "two in a row");
    check(
        post(
            &drop.replace("\"name\":\"drop\"", "\"name\":\"x\",\"name\":\"drop\""),
            &[],
        ),
        400,
        "named twice",
    );
    check(
        post(&drop.replace("\"name\"", "\"Name\""), &[]),
        400,
        "in another case",
    );
    check(
        post(&drop.replace("\"params\"", "\"params\":{},\"Params\""), &[]),
        400,
        "beside parameters",
    );
    check(
        post(&drop.replace("\"drop\"", "[\"drop\"]"), &[]),
        400,
        "in a list",
    );
    check(
        post(&drop.replace("\"2.0\"", "\"1.0\""), &[]),
        400,
        "in another version",
    );
    check(
        post(&format!("\u{feff}{drop}"), &[]),
        400,
        "behind a byte order mark",
    );
    check(post(&drop, &[("Content-Encoding", "gzip")]), 415, "compressed");
    let mut utf16 = post("", &[]);
    utf16.body = Body::from(bytes::Bytes::from(
        drop.encode_utf16()
            .flat_map(u16::to_be_bytes)
            .collect::<Vec<u8>>(),
    ));
    check(utf16, 400, "in UTF-16");
    check(post("", &[]), 400, "by saying nothing");
    let mut put = post(&drop, &[]);
    put.method = Method::Put;
    check(put, 405, "by another method");
    let mut get = post(&drop, &[]);
    get.method = Method::Get;
    check(get, 400, "in the body of a GET");
    let mut upgrade = post("", &[]);
    upgrade.upgrade = Some("websocket".into());
    check(upgrade, 501, "by leaving HTTP");
    let header = ("Mcp-Name", "add");
    check(post(&drop, &[header]), 400, "by a header that says otherwise");
    let (outcome, asked) = run(
        &config,
        Some(ann()),
        post(&call("add", json!({})), &[("Mcp-Name", "drop")]),
    );
    assert_eq!((outcome.status, asked), (400, 0));
    assert!(outcome.text().contains("\"code\":-32020"), "{}", outcome.text());
}

#[test]
fn arguments_in_another_spelling_are_no_way_around() {
    let config = Config {
        policies: rules(&[("Gt(`mcp.params.arguments.amount`, `100`)", Effect::Deny)]),
        default_action: Some(Effect::Allow),
        ..Config::default()
    };
    allowed(&config, ann(), &call("pay", json!({"amount": 100})));
    allowed(&config, ann(), &call("pay", json!({"sum": 5000})));
    denied(&config, ann(), &call("pay", json!({"amount": 5000})));
    denied(&config, ann(), &call("pay", json!({"Amount": 5000})));
    denied(&config, ann(), &call("pay", json!({"amount": "5000"})));
    denied(&config, ann(), &call("pay", json!({"amount": [5000]})));
}

#[test]
fn answers_to_the_server_pass() {
    let answer = r#"{"jsonrpc":"2.0","id":1,"result":{"action":"accept"}}"#;
    allowed(&layered(), ann(), answer);
}

#[test]
fn without_rules_every_byte_passes() {
    for body in [
        "[1, 2]",
        "no JSON",
        r#"{"jsonrpc":"2.0","id":1,"method":"x","method":"y"}"#,
    ] {
        let mut bench = backend(DONE, "application/json");
        let chain = chain(&mut bench, &Config::default(), None);
        let outcome = bench.send(
            &chain,
            post(body, &[("Accept-Encoding", "gzip"), ("Mcp-Name", "z")]),
        );
        assert_eq!((outcome.status, outcome.text().as_str()), (200, DONE));
        let seen = bench.last();
        assert_eq!(
            (seen.body.as_str(), seen.header("Accept-Encoding")),
            (body, Some("gzip"))
        );
    }
}

#[test]
fn in_shadow_no_answer_changes() {
    let mut config = layered();
    config.mode = rollout::Mode::Shadow;
    config.list_policies = listed();
    config.list_default_action = Visibility::Hide;
    let (outcome, asked) = run(&config, Some(ann()), post(&call("drop", json!({})), &[]));
    assert_eq!((outcome.status, asked), (200, 1));
    let decision = &outcome.record.decisions[0];
    assert_eq!((decision.allowed, decision.mode), (false, Mode::Shadow));
    allowed(&config, ann(), "[]");
    let mut bench = backend(TOOLS, "application/json");
    let chain = chain(&mut bench, &config, Some(ann()));
    let outcome = bench.send(
        &chain,
        post(&method("tools/list"), &[("Accept-Encoding", "gzip")]),
    );
    assert_eq!(outcome.text(), TOOLS);
    assert_eq!(bench.last().header("Accept-Encoding"), Some("gzip"));
}

/// A list that is too large to be read is refused where something could be hidden in it, and passes where nothing is.
#[test]
fn a_list_that_is_too_large_passes_in_shadow_alone() {
    let text = "x".repeat(MAX_MCP_ANSWER);
    let large: &str = format!(r#"{{"id":7,"result":{{"tools":[],"x":"{text}"}}}}"#).leak();
    let check = |mode: rollout::Mode, want: u16| {
        let config = Config {
            mode,
            list_default_action: Visibility::Hide,
            ..Config::default()
        };
        let mut bench = backend(large, "application/json");
        let chain = chain(&mut bench, &config, None);
        let outcome = bench.send(&chain, post(&method("tools/list"), &[]));
        assert_eq!((outcome.status, outcome.text() == large), (want, want == 200));
    };
    check(rollout::Mode::Enforce, 502);
    check(rollout::Mode::Shadow, 200);
}

#[test]
fn a_message_has_its_limit() {
    let config = Config {
        max_request_body_size: Some(40),
        ..Config::default()
    };
    let (outcome, asked) = run(&config, None, post(&call("add", json!({})), &[]));
    assert_eq!((outcome.status, asked), (413, 0));
    assert!(outcome.text().contains("larger than 40 bytes"));
}

const TOOLS: &str =
    r#"{"jsonrpc":"2.0","id":7,"result":{"tools":[{"name":"search"},{"name":"drop"},{"name":"read_a"}]}}"#;
const SHOWN: &str = r#"{"jsonrpc":"2.0","id":7,"result":{"tools":[{"name":"search"},{"name":"read_a"}]}}"#;

fn listed() -> Vec<McpListPolicy> {
    let rule = |matches: &str, action| McpListPolicy {
        matches: matches.to_owned(),
        action: Some(action),
        ..McpListPolicy::default()
    };
    vec![
        rule("Prefix(`mcp.params.name`, `read_`)", Visibility::Show),
        rule(
            "Contains(`jwt.allowed_tools`, `${mcp.params.name}`)",
            Visibility::Show,
        ),
    ]
}

fn hiding() -> Config {
    Config {
        list_policies: listed(),
        list_default_action: Visibility::Hide,
        ..Config::default()
    }
}

#[test]
fn lists_show_what_may_be_seen() {
    let mut bench = backend(TOOLS, "application/json");
    let chain = chain(&mut bench, &hiding(), Some(ann()));
    let outcome = bench.send(
        &chain,
        post(&method("tools/list"), &[("Accept-Encoding", "gzip")]),
    );
    assert_eq!((outcome.status, outcome.text().as_str()), (200, SHOWN));
    assert_eq!(outcome.length, Some(SHOWN.len() as u64));
    assert_eq!(bench.last().header("Accept-Encoding"), None);
    // Only lists are looked at.
    let outcome = bench.send(
        &chain,
        post(&call("search", json!({})), &[("Accept-Encoding", "gzip")]),
    );
    assert_eq!(
        (outcome.text().as_str(), bench.last().header("Accept-Encoding")),
        (TOOLS, Some("gzip"))
    );
}

#[test]
fn lists_in_streams_show_no_more() {
    let stream = format!(
        "id: 1\ndata: \n\nevent: message\nid: 2\ndata: {TOOLS}\n\n: ping\n\nevent: other\ndata: {TOOLS}\n\n"
    );
    let want = stream.replacen(TOOLS, SHOWN, 1);
    let stream: &'static str = Box::leak(stream.into_boxed_str());
    for at in 0..=stream.len() {
        for req in [
            post(&method("tools/list"), &[]),
            request("GET", "/mcp", &[("Last-Event-ID", "1")]),
        ] {
            let mut bench = Bench::raw(move |_| {
                let (first, rest) = stream.as_bytes().split_at(at);
                let pieces = [first, rest].into_iter().filter(|p| !p.is_empty()).map(Act::Data);
                let mut res = Response::new(200);
                res.headers.set("Content-Type", "text/event-stream");
                res.body = Script::new(pieces).body();
                res
            });
            let chain = chain(&mut bench, &hiding(), Some(ann()));
            assert_eq!(bench.send(&chain, req).text(), want, "cut at {at}");
        }
    }
}

#[test]
fn a_list_that_cannot_be_read_is_not_passed_on() {
    let check = |answer: &'static str, coding: Option<&'static str>| {
        let mut bench = Bench::new(move |_: &Seen| {
            let mut res = Response::bare(200, answer);
            res.headers.set("Content-Type", "application/json");
            if let Some(coding) = coding {
                res.headers.set("Content-Encoding", coding);
            }
            res
        });
        let chain = chain(&mut bench, &hiding(), Some(ann()));
        let outcome = bench.send(&chain, post(&method("tools/list"), &[]));
        assert_eq!(outcome.status, 502, "{answer}");
        assert!(!outcome.text().contains("drop"), "{}", outcome.text());
    };
    check(TOOLS, Some("gzip"));
    check(r#"{"result":{"tools":[],"tools":[{"name":"drop"}]}}"#, None);
    check(r#"{"result":{"tools":[{"name":"drop","x":NaN}]}}"#, None);
    let stream = "data: {\"result\":{\"tools\":[{\"name\":\"drop\",\"x\":NaN}]}}\n\ndata: {}\n\n";
    let mut bench = backend(stream, "text/event-stream");
    let chain = chain(&mut bench, &hiding(), Some(ann()));
    let outcome = bench.send(&chain, post(&method("tools/list"), &[]));
    assert_eq!(outcome.text(), "data: {}\n\n");
}

fn protected() -> Config {
    Config {
        resource_metadata: Some(McpResourceMetadata {
            resource: "https://mcp.test/mcp".to_owned(),
            authorization_servers: vec!["https://auth.test".to_owned()],
            ..McpResourceMetadata::default()
        }),
        ..layered()
    }
}

const CHALLENGE: &str =
    "Bearer resource_metadata=\"https://mcp.test/.well-known/oauth-protected-resource/mcp\"";

#[test]
fn metadata_are_there_for_everybody() {
    let path = "/.well-known/oauth-protected-resource/mcp";
    let (outcome, asked) = run(&protected(), None, request("GET", path, &[]));
    assert_eq!((outcome.status, asked), (200, 0));
    assert_eq!(outcome.header("Content-Type"), Some("application/json"));
    assert_eq!(outcome.header("Access-Control-Allow-Origin"), Some("*"));
    let document: Value = serde_json::from_str(&outcome.text()).unwrap();
    assert_eq!(document["resource"], "https://mcp.test/mcp");
    assert_eq!(
        run(&protected(), None, request("OPTIONS", path, &[])).0.status,
        204
    );
    assert_eq!(run(&protected(), None, request("POST", path, &[])).0.status, 405);
}

#[test]
fn who_is_nobody_is_told_where_to_get_a_token() {
    let (outcome, asked) = run(&protected(), None, post(&call("drop", json!({})), &[]));
    assert_eq!((outcome.status, asked), (401, 0));
    assert_eq!(outcome.header("WWW-Authenticate"), Some(CHALLENGE));
    let (outcome, _) = run(&protected(), Some(ann()), post(&call("drop", json!({})), &[]));
    assert_eq!((outcome.status, outcome.header("WWW-Authenticate")), (403, None));
}

#[test]
fn refusals_in_front_are_told_too() {
    let check = |status: u16, line: Option<&'static str>, want: Option<&str>| {
        let bench = Bench::new(move |_: &Seen| {
            let mut res = Response::new(status);
            if let Some(line) = line {
                res.headers.append("WWW-Authenticate", line);
            }
            res
        });
        let chain = bench.chain(vec![challenge(&protected()).expect("metadata")]);
        let outcome = bench.get(&chain, "/mcp");
        assert_eq!(outcome.header("WWW-Authenticate"), want, "{status} {line:?}");
    };
    check(401, None, Some(CHALLENGE));
    let with = format!(
        "{}, resource_metadata{}",
        "Bearer realm=\"x\"",
        CHALLENGE.trim_start_matches("Bearer resource_metadata")
    );
    check(401, Some("Bearer realm=\"x\""), Some(&with));
    check(403, Some("Bearer realm=\"x\""), Some(&with));
    check(401, Some("Basic realm=\"x\""), Some("Basic realm=\"x\""));
    check(403, None, None);
    check(200, None, None);
    assert!(challenge(&layered()).is_none());
}

#[test]
fn strange_origins_and_hosts_stay_out() {
    let config = Config {
        allowed_origins: vec!["https://App.test".to_owned()],
        allowed_hosts: vec!["mcp.test".to_owned()],
        ..Config::default()
    };
    let check = |headers: &[(&str, &str)], want: u16| {
        let (outcome, _) = run(&config, None, post(&method("ping"), headers));
        assert_eq!(outcome.status, want, "{headers:?}");
    };
    check(&[("Host", "mcp.test")], 200);
    check(&[("Host", "MCP.test:8080"), ("Origin", "https://app.test")], 200);
    check(&[("Host", "evil.test")], 403);
    check(&[("Host", "mcp.test"), ("Origin", "https://evil.test")], 403);
    check(&[("Host", "mcp.test"), ("Origin", "null")], 403);
    check(
        &[
            ("Host", "mcp.test"),
            ("Origin", "https://app.test"),
            ("Origin", "https://evil.test"),
        ],
        403,
    );
}

#[test]
fn mistakes() {
    let check = |config: Config, want: &str| assert_eq!(build_error(|cx| build(&config, cx)), want);
    let rule = |matches: &str, action| Config {
        policies: vec![McpPolicy {
            matches: matches.to_owned(),
            action,
            ..McpPolicy::default()
        }],
        ..Config::default()
    };
    check(
        rule("Equals(`mcp.method`, `x`)", None),
        "`policies`: rule `rule-1` has no `action`",
    );
    check(
        rule("", Some(Effect::Allow)),
        "`policies`: rule `rule-1` has neither `match` nor `expression`",
    );
    check(
        rule("Equals(`mcp.metod`, `x`)", Some(Effect::Allow)),
        "`policies`: `match` of rule `rule-1`: there is no fact `mcp.metod`; did you mean `mcp.method`?",
    );
    let hidden = Config {
        list_policies: vec![McpListPolicy::default()],
        ..Config::default()
    };
    check(hidden, "`listPolicies`: rule `rule-1` has no `action`");
    let status = |status| Config {
        status_code_on_deny: status,
        ..Config::default()
    };
    for bad in [0, 201, 302, 399, 999] {
        check(
            status(bad),
            &format!("`statusCodeOnDeny` {bad} is no status of a refusal"),
        );
    }
    let resource = |resource: &str, server: &str| Config {
        resource_metadata: Some(McpResourceMetadata {
            resource: resource.to_owned(),
            authorization_servers: vec![server.to_owned()],
            ..McpResourceMetadata::default()
        }),
        ..Config::default()
    };
    check(
        resource("http://mcp.test", "https://a.test"),
        "`resourceMetadata.resource` `http://mcp.test`: it does not begin with `https://`",
    );
    check(
        resource("https://mcp.test", "http://a.test"),
        "`resourceMetadata.authorizationServers` `http://a.test`: it does not begin with `https://`",
    );
    let size = Config {
        max_request_body_size: Some(0),
        ..Config::default()
    };
    check(size, "`maxRequestBodySize` 0 is no size");
    let origins = Config {
        allowed_origins: vec!["app.test".to_owned()],
        ..Config::default()
    };
    check(origins, "`allowedOrigins` holds `app.test`, which is none");
}
