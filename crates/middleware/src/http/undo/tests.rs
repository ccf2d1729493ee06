//! What is kept of requests that can be undone, and what is not.

use super::super::kit::{Asked, Bench, Outcome};
use super::super::testing::{build_error, request};
use super::*;
use serde_json::{Value, json};
use trilithon_flow::Edit;
use trilithon_model::dynamic::http::{Mcp, McpUndo, McpUndoCall, UndoRequest};

fn config(path: &str) -> Config {
    Config {
        request: Some(UndoRequest {
            method: "DELETE".to_owned(),
            path: path.to_owned(),
            ..UndoRequest::default()
        }),
        ..Config::default()
    }
}

/// Stands for the intake, which describes the request.
struct Described;

impl Edit for Described {
    fn request(&self, req: &mut Request, cx: &mut Exchange) -> Result<(), Response> {
        cx.record.target = req.target.as_str().to_owned();
        cx.record.host = "a.test".to_owned();
        Ok(())
    }
}

fn send(
    config: &Config,
    req: Request,
    status: u16,
    answer: &'static str,
    headers: &'static [(&str, &str)],
) -> Outcome {
    let mut bench = Bench::new(move |_: &Asked| {
        let mut res = Response::bare(status, answer);
        headers
            .iter()
            .for_each(|(name, value)| res.headers.append(name, value));
        res
    });
    let step = bench
        .build(|cx| build(config, cx))
        .unwrap_or_else(|e| panic!("{e}"));
    let chain = bench.chain(vec![Step::edit(Described), step]);
    bench.send(&chain, req)
}

fn post(body: &str) -> Request {
    let mut req = request(
        "POST",
        "/v1/orders?tenant=a%20b",
        &[("X-Tenant", "acme"), ("Accept-Encoding", "gzip")],
    );
    req.body = Body::from(body.to_owned());
    req
}

/// What undoes it, or why nothing does; null where nothing was kept.
fn undo(outcome: &Outcome) -> Value {
    match &outcome.record.undo {
        None => Value::Null,
        Some(undo) => match &undo.call {
            Ok(call) => Value::Object(call.clone()),
            Err(why) => why.as_str().into(),
        },
    }
}

#[track_caller]
fn check(config: &Config, req: Request, status: u16, answer: &'static str, want: Value) {
    let outcome = send(config, req, status, answer, &[("Location", "/v1/orders/7")]);
    assert_eq!(undo(&outcome), want);
    assert_eq!(
        (outcome.status, outcome.text().as_str()),
        (status, answer),
        "no answer changes"
    );
}

#[test]
fn what_undoes_a_request_is_made_of_it_and_its_answer() {
    let answer = r#"{"order":{"id":7,"tags":["a"]}}"#;
    let by_id = config("/v1/orders/${response.body.order.id}");
    check(
        &by_id,
        post(""),
        201,
        answer,
        json!({"method": "DELETE", "path": "/v1/orders/7"}),
    );
    check(
        &config("${response.location}"),
        post(""),
        303,
        "",
        json!({"method": "DELETE", "path": "/v1/orders/7"}),
    );
    let mut all = config("/undo");
    let request = all.request.as_mut().expect("there is one");
    request.method = "post".to_owned();
    request.headers = [("X-Tenant".to_owned(), "${request.header.x-tenant}".to_owned())].into();
    request.body = Some(json!({
        "amount": "${request.body.amount}",
        "tags": "${response.body.order.tags}",
        "why": "tenant ${request.query.tenant} had ${response.status}",
    }));
    let want = json!({"method": "POST", "path": "/undo", "headers": {"X-Tenant": "acme"},
        "body": {"amount": 12.5, "tags": ["a"], "why": "tenant a b had 200"}});
    check(&all, post(r#"{"amount": 12.5}"#), 200, answer, want);
}

#[test]
fn what_failed_leaves_nothing_to_undo() {
    for status in [400, 403, 500, 503] {
        check(&config("/x"), post(""), status, "", Value::Null);
    }
    check(
        &config("/x"),
        request("GET", "/v1/orders", &[]),
        200,
        "",
        Value::Null,
    );
}

#[test]
fn what_cannot_be_made_says_why() {
    let by_id = config("/v1/orders/${response.body.order.id}");
    let absent = json!("there is no `response.body.order.id`");
    check(&by_id, post(""), 201, "{}", absent.clone());
    check(&by_id, post(""), 201, "no JSON", absent.clone());
    // Two readers could take it for two orders.
    check(
        &by_id,
        post(""),
        201,
        r#"{"order":{"id":7},"order":{"id":8}}"#,
        absent,
    );
    let coded = send(&by_id, post(""), 201, "{}", &[("Content-Encoding", "gzip")]);
    assert_eq!(undo(&coded), json!("its answer cannot be read"));
    let up = json!("`request.body.id` has no place in a path");
    check(
        &config("/v1/${request.body.id}"),
        post(r#"{"id": ".."}"#),
        201,
        "",
        up,
    );
    let long: &'static str =
        Box::leak(format!(r#"{{"order":{{"id":"{}"}}}}"#, "x".repeat(20_000)).into_boxed_str());
    check(
        &by_id,
        post(""),
        201,
        long,
        json!("the call that would undo it is larger than 16384 bytes"),
    );
}

#[test]
fn a_body_that_is_read_has_its_limit() {
    let mut small = config("/v1/${request.body.id}");
    small.max_request_body_size = 8;
    let outcome = send(&small, post(r#"{"id": "12345"}"#), 201, "", &[]);
    assert_eq!(outcome.status, 413);
    let outcome = send(&config("/x"), post(&"x".repeat(2 << 20)), 201, "", &[]);
    assert_eq!(outcome.status, 201, "what no template names is not read");
}

fn contract(tool: &str, by: &str, arguments: &[(&str, Value)]) -> McpUndo {
    let arguments = arguments
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()));
    McpUndo {
        tool: tool.to_owned(),
        call: Some(McpUndoCall {
            tool: by.to_owned(),
            arguments: arguments.collect(),
        }),
    }
}

/// What undoes a call of a tool that is answered like this.
fn tool(name: &str, answer: &'static str, kind: &'static str) -> Value {
    let config = Mcp {
        undo: vec![contract(
            "create",
            "cancel",
            &[
                ("id", json!("${result.id}")),
                ("why", json!("not ${arguments.what}")),
            ],
        )],
        ..Mcp::default()
    };
    let mut bench = Bench::new(move |_: &Asked| {
        let mut res = Response::bare(200, answer);
        res.headers.set("Content-Type", kind);
        res
    });
    let step = bench
        .build(|cx| super::super::mcp::build(&config, cx))
        .unwrap_or_else(|e| panic!("{e}"));
    let chain = bench.chain(vec![Step::edit(Described), step]);
    let mut req = request("POST", "/mcp?key=s", &[("Accept-Encoding", "gzip")]);
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": name, "arguments": {"what": "this"}}});
    req.body = Body::from(call.to_string());
    let outcome = bench.send(&chain, req);
    assert_eq!(outcome.text(), answer, "no answer changes");
    undo(&outcome)
}

#[test]
fn what_undoes_a_call_of_a_tool() {
    const DONE: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"content":[],"structuredContent":{"id":7}}}"#;
    let check = |answer: &'static str, want: Value| {
        assert_eq!(tool("create", answer, "application/json"), want, "{answer}");
    };
    let want = json!({"tool": "cancel", "arguments": {"id": 7, "why": "not this"}, "path": "/mcp"});
    check(DONE, want.clone());
    check(
        r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"{\"id\":7}"}]}}"#,
        want.clone(),
    );
    let stream: &'static str = Box::leak(
        format!("data: {{\"method\":\"notifications/progress\"}}\n\nevent: message\ndata: {DONE}\n\n")
            .into_boxed_str(),
    );
    assert_eq!(tool("create", stream, "text/event-stream"), want);
    check(
        r#"{"jsonrpc":"2.0","id":1,"result":{"content":[]}}"#,
        json!("there is no `result.id`"),
    );
    check("", json!("its result was not seen"));
    check(
        r#"{"jsonrpc":"2.0","id":1,"result":{"isError":true}}"#,
        Value::Null,
    );
    check(r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32602}}"#, Value::Null);
    assert_eq!(tool("read", DONE, "application/json"), Value::Null);
}

#[test]
fn mistakes_of_tools() {
    let check = |undo: Vec<McpUndo>, want: &str| {
        let config = Mcp {
            undo,
            ..Mcp::default()
        };
        let error = build_error(|cx| super::super::mcp::build(&config, cx));
        assert!(error.contains(want), "{error}");
    };
    check(vec![contract("", "b", &[])], "a contract has no `tool`");
    check(vec![contract("a", "", &[])], "a `call` has no `tool`");
    check(
        vec![contract("a", "b", &[]), contract("a", "c", &[])],
        "two contracts for `a`",
    );
    check(
        vec![McpUndo {
            tool: "a".to_owned(),
            call: None,
        }],
        "has no `call`",
    );
    check(
        vec![contract("a", "b", &[("x", json!(["${request.path}"]))])],
        "there is no `request.path`",
    );
}

#[test]
fn mistakes() {
    let check = |config: Config, want: &str| {
        let error = build_error(|cx| build(&config, cx));
        assert!(error.contains(want), "{error}");
    };
    check(Config::default(), "`undo` has no `request`");
    check(config("orders"), "does not begin with `/`");
    check(config(""), "does not begin with `/`");
    check(config("/${arguments.id}"), "there is no `arguments.id`");
    check(config("/${request.header.Cookie}"), "is a credential");
    let with = |change: fn(&mut UndoRequest)| {
        let mut config = config("/x");
        change(config.request.as_mut().expect("there is one"));
        config
    };
    check(with(|r| r.method = "DE LETE".to_owned()), "is no method");
    check(
        with(|r| r.headers = [("Authorization".to_owned(), String::new())].into()),
        "is a credential",
    );
    check(
        with(|r| r.headers = [("Host".to_owned(), String::new())].into()),
        "cannot be chosen",
    );
    check(
        with(|r| r.headers = [("a b".to_owned(), String::new())].into()),
        "is no name of a header",
    );
    let size = Config {
        max_request_body_size: 0,
        ..config("/x")
    };
    check(size, "is no size");
}
