//! One trace from a model to a tool to an API, and the tool call that joins them.

use crate::traces::{collector, hex, value, wait_for};
use crate::world::{INSTALL, gateway};
use serde_json::{Value, json};
use std::process::Command;
use trilithon_testkit::{Answer, Gateway, PATIENCE, Response, Upstream, until};

const ROUTING: &str = "\
http:
  routers:
    model: {rule: 'PathPrefix(`/v1`)', service: model, middlewares: [chat]}
    tools: {rule: 'Path(`/mcp`)', service: tools, middlewares: [tools]}
    quiet: {rule: 'Path(`/quiet`)', service: tools, middlewares: [tools], observability: {tracing: false}}
    several: {rule: 'Path(`/several`)', service: tools, middlewares: [ruled]}
    api: {rule: 'PathPrefix(`/api`)', service: api, observability: {audit: true}}
  middlewares:
    chat: {plugin: {chat-completion: {}}}
    tools: {plugin: {mcp: {}}}
    ruled: {plugin: {mcp: {policies: [{match: 'Equals(`mcp.params.name`, `drop`)', action: deny}], defaultAction: allow}}}
  services:
    model: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@model@'}]}}
    tools: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@tools@'}]}}
    api: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@api@'}]}}
";

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALL: &str = "call_9";

fn json_server(body: &'static str) -> Upstream {
    Upstream::answering(move |_| Answer::new(200, body).header("Content-Type", "application/json"))
}

fn start(collector: &Upstream) -> Gateway {
    let more = "tracing: {otlp: {http: {endpoint: 'http://127.0.0.1:@collector@'}}}\n\
                audit: {checkpointInterval: 20ms}\nstore: {directory: '@DIR@/store'}\n";
    let wants = r#"{"id":"c","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"call_9","type":"function","function":{"name":"add","arguments":"{}"}}]},"finish_reason":"tool_calls"}]}"#;
    gateway()
        .install(&format!("{INSTALL}{more}"))
        .routing(ROUTING)
        .upstream("model", json_server(wants))
        .upstream(
            "tools",
            json_server(r#"{"jsonrpc":"2.0","id":1,"result":{"content":[]}}"#),
        )
        .upstream("api", Upstream::echo())
        .upstream("collector", collector)
        .start()
}

fn post(gateway: &Gateway, path: &str, lines: &[&str], body: &str) -> Response {
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: a.test\r\nContent-Type: application/json\r\n{lines}Content-Length: {length}\r\n\r\n{body}"
    );
    gateway.client("web").ask(&head)
}

fn message(meta: &Value) -> String {
    let params = json!({"name": "add", "arguments": {"a": 1}, "_meta": meta});
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).to_string()
}

#[test]
fn the_tool_call_joins_model_tool_and_api() {
    let collector = collector();
    let gateway = start(&collector);
    let parent = format!("00-{TRACE}-b7ad6b7169203331-01");
    let asked = post(
        &gateway,
        "/v1/chat/completions",
        &[&format!("traceparent: {parent}")],
        r#"{"model":"m","messages":[{"role":"user","content":"x"}]}"#,
    );
    assert_eq!(asked.json()["choices"][0]["message"]["tool_calls"][0]["id"], CALL);
    let meta =
        json!({"progressToken": 1, "traceparent": parent, "tracestate": "a=1", "gen_ai.tool.call.id": CALL});
    assert_eq!(post(&gateway, "/mcp", &[], &message(&meta)).status, 200);

    let seen = gateway.upstream("tools").last();
    let mut told: Value = serde_json::from_slice(&seen.body).expect("JSON");
    let meta = &mut told["params"]["_meta"];
    let place = meta["traceparent"].as_str().expect("a place").to_owned();
    assert_eq!((&place[3..35], &place[52..]), (TRACE, "-01"));
    assert_eq!(
        (&meta["tracestate"], &meta["baggage"]),
        (&json!("a=1"), &json!("gen_ai.tool.call.id=call_9"))
    );
    assert_eq!(seen.headers.get("baggage"), "gen_ai.tool.call.id=call_9");
    assert_eq!(&seen.headers.get("traceparent")[3..35], TRACE);

    let lines = [
        format!("traceparent: {place}"),
        "baggage: gen_ai.tool.call.id=call_9".to_owned(),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    assert_eq!(gateway.get_with("a.test", "/api/orders", &lines).status, 200);

    let spans = wait_for(&collector, 8);
    assert!(spans.iter().all(|span| hex(&span.trace_id) == TRACE));
    let tool = spans.iter().find(|span| span.name == "tools/call add");
    let tool = tool.expect("the span of the tool");
    assert_eq!(
        hex(&tool.span_id),
        place[36..52],
        "the server is told of this one"
    );
    assert_eq!(value(&tool.attributes, "gen_ai.tool.call.id"), CALL);
    let api = spans
        .iter()
        .find(|span| value(&span.attributes, "url.path") == "/api/orders");
    let api = api.expect("the span of the request to the API");
    assert_eq!(api.parent_span_id, tool.span_id);
    assert_eq!(value(&api.attributes, "gen_ai.tool.call.id"), CALL);
    let chat = spans
        .iter()
        .find(|span| span.name == "chat m")
        .expect("the model's");
    assert!(value(&chat.attributes, "trilithon.tool.call.ids").contains(CALL));

    let show = |option: &str, what: &str| {
        let store = gateway.folder().path().join("store");
        let done = Command::new(env!("CARGO_BIN_EXE_trilithon"))
            .args(["audit", "show", option, what, "--store"])
            .arg(store)
            .output();
        String::from_utf8(done.expect("it runs").stdout).expect("text")
    };
    for (option, what) in [("--call", CALL), ("--trace", TRACE)] {
        let shown = until(PATIENCE, || {
            Some(show(option, what)).filter(|text| text.lines().count() == 3)
        });
        let shown = shown.unwrap_or_else(|| panic!("{option}: {}", show(option, what)));
        for part in [
            "router=model@file model=m",
            "router=tools@file tool=add",
            "router=api@file",
        ] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
    }
    assert_eq!(show("--call", "call_8"), "");
}

#[test]
fn what_is_not_sampled_is_told_all_the_same() {
    let gateway = start(&collector());
    let parent = format!("00-{TRACE}-b7ad6b7169203331-00");
    post(&gateway, "/mcp", &[], &message(&json!({"traceparent": parent})));
    let told: Value = serde_json::from_slice(&gateway.upstream("tools").last().body).expect("JSON");
    let place = told["params"]["_meta"]["traceparent"].as_str().expect("a place");
    assert_eq!((&place[3..35], &place[52..]), (TRACE, "-00"));
    assert_ne!(place, parent);
}

#[test]
fn only_what_is_to_be_told_changes() {
    let gateway = start(&collector());
    let sent = |path: &str, lines: &[&str], body: &str| {
        post(&gateway, path, lines, body);
        String::from_utf8(gateway.upstream("tools").last().body).expect("text")
    };
    let odd = r#"{ "jsonrpc":"2.0", "id":7,"method":"tools/call","params" : {"name":"a\u0064d","_meta":{"x":1e2}} }"#;
    let told = sent("/mcp", &[], odd);
    let (before, rest) = told.split_once(r#""traceparent":""#).expect("a place");
    assert_eq!(format!("{before}{}", &rest[57..]), odd);
    // Where it is not traced, and where there is no place for it.
    let plain = message(&json!({"traceparent": "00-x"}));
    assert_eq!(sent("/quiet", &[], &plain), plain);
    for body in [
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_meta":[]}}"#,
        "no message",
    ] {
        assert_eq!(sent("/mcp", &[], body), body);
    }
    // A trace that a header names is the one.
    let parent = format!("traceparent: 00-{TRACE}-b7ad6b7169203331-01");
    let other = message(&json!({"traceparent": format!("00-{}-b7ad6b7169203331-01", "1".repeat(32))}));
    let told = sent("/mcp", &[&parent], &other);
    assert!(told.contains(TRACE) && !told.contains(&"1".repeat(32)), "{told}");
}

/// Each message of a batch has its span, and tells its server of that; a place that it names itself is linked where the batch has another.
#[test]
fn each_message_of_a_batch_has_its_span() {
    let collector = collector();
    let gateway = start(&collector);
    let call = |id: u64, tool: &str, trace: &str| {
        let meta = json!({"traceparent": format!("00-{trace}-b7ad6b7169203331-01")});
        json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": tool, "_meta": meta}})
    };
    let other = "1".repeat(32);
    let batch = json!([
        call(1, "add", TRACE),
        call(2, "drop", TRACE),
        call(3, "subtract", &other)
    ]);
    assert_eq!(post(&gateway, "/several", &[], &batch.to_string()).status, 200);

    let spans = wait_for(&collector, 5);
    assert!(spans.iter().all(|span| hex(&span.trace_id) == TRACE));
    let one = |name: &str| {
        let found = spans.iter().find(|span| span.name == name);
        found.unwrap_or_else(|| panic!("the span {name}"))
    };
    let (post, add, subtract) = (one("POST"), one("tools/call add"), one("tools/call subtract"));
    assert_eq!(
        (&add.parent_span_id, &subtract.parent_span_id),
        (&post.span_id, &post.span_id)
    );
    assert_eq!(value(&add.attributes, "jsonrpc.request.id"), "1");
    assert_eq!(value(&subtract.attributes, "jsonrpc.request.id"), "3");
    assert!(
        add.end_time_unix_nano <= subtract.start_time_unix_nano,
        "one after the other"
    );
    let links: Vec<String> = subtract.links.iter().map(|link| hex(&link.trace_id)).collect();
    assert_eq!((links, add.links.len()), (vec![other], 0));
    let sent = spans.iter().filter(|span| span.name == "ReverseProxy");
    let parents: Vec<_> = sent.map(|span| &span.parent_span_id).collect();
    assert_eq!(parents, [&add.span_id, &subtract.span_id]);
    let seen = gateway.upstream("tools").seen();
    let told = seen.iter().map(|seen| -> String {
        let told: Value = serde_json::from_slice(&seen.body).expect("JSON");
        told["params"]["_meta"]["traceparent"]
            .as_str()
            .expect("a place")
            .to_owned()
    });
    let told: Vec<String> = told.collect();
    let want = [add, subtract].map(|span| format!("00-{TRACE}-{}-01", hex(&span.span_id)));
    assert_eq!(told, want);
}
