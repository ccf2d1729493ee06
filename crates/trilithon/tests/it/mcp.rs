//! Calls of tools from the outside: who may call what, how refusals look, what is listed, and what is told of it all.

use crate::audit::entries;
use crate::auth::Signer;
use crate::world::gateway;
use serde_json::{Value, json};
use std::process::Command;
use trilithon_testkit::{Answer, Gateway, PATIENCE, Response, Seen, Upstream, until};

const INSTALL: &str = "\
entryPoints:
  web: {address: '127.0.0.1:@web@'}
  traefik: {address: '127.0.0.1:@traefik@'}
api: {insecure: true}
metrics: {prometheus: {}}
providers: {file: {filename: '@DIR@/routing.yml'}}
accessLog: {filePath: '@DIR@/access.log', format: json}
audit: {checkpointInterval: 20ms}
store: {directory: '@DIR@/store'}
";

/// Rules for one tool by what the token names and by the amount, and the same server without any.
const ROUTING: &str = "\
http:
  routers:
    tools: {rule: 'Host(`mcp.test`) && PathPrefix(`/mcp`)', service: s, middlewares: [who, tools]}
    bare: {rule: 'Host(`bare.test`)', service: s, middlewares: [bare]}
  middlewares:
    who: {plugin: {jwt: {jwksFile: '@KEYS@'}}}
    bare: {plugin: {mcp: {}}}
    tools:
      plugin:
        mcp:
          resourceMetadata:
            resource: https://mcp.test/mcp
            authorizationServers: [https://auth.test]
            scopesSupported: [tools]
          policies:
            - {match: 'OneOf(`mcp.method`, `initialize`, `tools/list`)', action: allow}
            - {match: 'Equals(`mcp.params.name`, `pay`) && Lte(`mcp.params.arguments.amount`, `${jwt.limit}`)', action: allow}
            - {match: '!Equals(`mcp.params.name`, `pay`) && Contains(`jwt.tools`, `${mcp.params.name}`)', action: allow}
          defaultAction: deny
          listPolicies:
            - {match: 'Contains(`jwt.tools`, `${mcp.params.name}`)', action: show}
          listDefaultAction: hide
  services: {s: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@b1@'}]}}}
";

const TOOLS: &str =
    r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"pay"},{"name":"drop"},{"name":"search"}]}}"#;

/// A server of tools: lists in an event where that is asked for, everything else whole.
fn server() -> Upstream {
    Upstream::answering(|seen: &Seen| {
        let body = String::from_utf8_lossy(&seen.body).into_owned();
        if body.contains("tools/list") {
            return match seen.headers.get("Accept") {
                "text/event-stream" => Answer::new(200, format!("event: message\ndata: {TOOLS}\n\n"))
                    .header("Content-Type", "text/event-stream"),
                _ => Answer::new(200, TOOLS).header("Content-Type", "application/json"),
            };
        }
        let result = match body.contains("broken") {
            true => json!({"content": [], "isError": true}),
            false => json!({"content": [{"type": "text", "text": body}]}),
        };
        let answer = json!({"jsonrpc": "2.0", "id": 1, "result": result});
        Answer::new(200, answer.to_string()).header("Content-Type", "application/json")
    })
}

fn start(signer: &Signer) -> Gateway {
    let keys = json!({"keys": [signer.jwk()]}).to_string();
    gateway()
        .install(INSTALL)
        .routing(&ROUTING.replace("@KEYS@", &keys))
        .upstream("b1", server())
        .start()
}

fn ask(gateway: &Gateway, host: &str, lines: &[&str], body: &str) -> Response {
    let lines = [lines, &["Content-Type: application/json"]].concat();
    gateway.post_with(host, "/mcp", &lines, body)
}

fn call(tool: &str, arguments: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}})
        .to_string()
}

/// The line of the access log about one call. Workers write when they come to it, in no order.
fn line(gateway: &Gateway, is: impl Fn(&Value) -> bool) -> Value {
    let read = || {
        let text = std::fs::read_to_string(gateway.folder().path().join("access.log")).ok()?;
        let mut lines = text.lines().filter_map(|l| serde_json::from_str::<Value>(l).ok());
        lines.find(|line| is(line))
    };
    until(PATIENCE, read).expect("a line about the call")
}

#[test]
fn calls_are_decided_on_and_told() {
    let signer = Signer::new("k1");
    let gateway = start(&signer);
    let upstream = gateway.upstream("b1");
    let ann = signer.bearer(&json!({"sub": "ann", "tools": ["pay", "search"], "limit": 100}));

    let search = call("search", &json!({"q": "caf\u{e9}"}));
    let answer = ask(&gateway, "mcp.test", &[&ann, "Mcp-Session-Id: s1"], &search);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(
        String::from_utf8_lossy(&upstream.last().body),
        search,
        "not a byte changes"
    );
    assert_eq!(upstream.last().headers.get("Mcp-Session-Id"), "s1");
    assert_eq!(
        ask(
            &gateway,
            "mcp.test",
            &[&ann],
            &call("pay", &json!({"amount": 100}))
        )
        .status,
        200
    );

    let before = upstream.requests();
    for denied in [call("pay", &json!({"amount": 101})), call("drop", &json!({}))] {
        let answer = ask(&gateway, "mcp.test", &[&ann], &denied);
        assert_eq!(answer.status, 403);
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(answer.header("www-authenticate"), "");
        assert_eq!(
            answer.text(),
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32003,"message":"Forbidden"}}"#
        );
    }
    let batch = format!("[{}]", call("drop", &json!({})));
    let answer = ask(
        &gateway,
        "mcp.test",
        &[&ann, "MCP-Protocol-Version: 2025-06-18"],
        &batch,
    );
    assert_eq!(answer.status, 400);
    assert_eq!(upstream.requests(), before, "the server saw none of it");

    let told = line(&gateway, |l| l["McpCall"]["tool"] == "drop");
    assert_eq!(told["McpCall"]["deniedBy"], "tools@file");
    let decision = &told["Decisions"][0];
    assert_eq!(
        (&decision["rule"], &decision["decision"]),
        (&json!("default"), &json!("deny"))
    );
    let told = line(&gateway, |l| l["McpCall"]["tool"] == "search");
    assert_eq!(
        told["McpCall"],
        json!({"method": "tools/call", "tool": "search", "id": "1"})
    );

    // Nothing asked for the audit log: a route to tools has it.
    let entry = until(PATIENCE, || {
        let mut all = entries(gateway.folder(), "request", 4).into_iter();
        all.find(|(_, entry)| entry["mcp"]["tool"] == "search")
    });
    let (_, entry) = entry.expect("an entry");
    assert_eq!(
        (&entry["actor"]["subject"], &entry["mcp"]["method"]),
        (&json!("ann"), &json!("tools/call"))
    );

    ask(
        &gateway,
        "mcp.test",
        &[&ann],
        &call("search", &json!({"q": "broken"})),
    );
    line(&gateway, |l| l["McpCall"]["error"] == "tool_error");
    let metrics = gateway.metrics();
    for series in [
        r#"mcp_client_operation_duration_seconds_count{error_type="403",mcp_method_name="tools/call",mcp_tool_name="drop"} 1"#,
        r#"mcp_client_operation_duration_seconds_count{error_type="tool_error",mcp_method_name="tools/call",mcp_tool_name="search"} 1"#,
        r#"trilithon_decisions_total{decision="allow",mode="enforce",policy="tools@file",rule="rule-2"} 1"#,
    ] {
        assert!(metrics.contains(series), "{series} is not in\n{metrics}");
    }
}

/// Clients of the first revisions send several messages at once: one that is forbidden does not take the others with it.
#[test]
fn a_batch_is_decided_message_by_message() {
    let signer = Signer::new("k1");
    let gateway = start(&signer);
    let ann = signer.bearer(&json!({"sub": "ann", "tools": ["pay", "search"], "limit": 100}));
    let of = |id: u64, text: String| text.replace("\"id\":1", &format!("\"id\":{id}"));
    let messages = [
        of(1, call("drop", &json!({}))),
        of(2, call("search", &json!({"q": "a"}))),
        of(3, call("pay", &json!({"amount": 101}))),
        r#"{"jsonrpc":"2.0","id":4,"method":"tools/list"}"#.to_owned(),
    ];
    let answer = ask(
        &gateway,
        "mcp.test",
        &[&ann],
        &format!("[{}]", messages.join(",")),
    );
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, "application/json")
    );
    let answers = answer.json();
    let forbidden =
        |id: u64| json!({"jsonrpc": "2.0", "id": id, "error": {"code": -32003, "message": "Forbidden"}});
    assert_eq!((&answers[0], &answers[2]), (&forbidden(1), &forbidden(3)));
    assert!(
        answers[1]["result"]["content"][0]["text"]
            .as_str()
            .is_some_and(|text| text.contains("search"))
    );
    assert_eq!(
        answers[3]["result"]["tools"],
        json!([{"name": "pay"}, {"name": "search"}])
    );
    let seen = gateway.upstream("b1").seen();
    assert!(
        seen.iter().all(|seen| seen.body.starts_with(b"{")),
        "each goes alone"
    );
    assert_eq!(seen.len(), 2);

    let told = line(&gateway, |line| line["McpCall"]["batch"].is_array());
    let batch = &told["McpCall"]["batch"];
    assert_eq!(
        (&batch[0]["deniedBy"], &batch[1]["deniedBy"]),
        (&json!("tools@file"), &Value::Null)
    );
    assert_eq!(
        (&batch[3]["method"], &batch[3]["hidden"]),
        (&json!("tools/list"), &json!(1))
    );
    let entry = entries(gateway.folder(), "request", 1).remove(0).1;
    assert_eq!(entry["mcp"]["batch"][0]["tool"], "drop");
    let metrics = gateway.metrics();
    let denied = r#"mcp_client_operation_duration_seconds_count{error_type="denied",mcp_method_name="tools/call",mcp_tool_name="drop"} 1"#;
    assert!(metrics.contains(denied), "{metrics}");
}

#[test]
fn lists_are_shortened_whole_and_in_streams() {
    let signer = Signer::new("k1");
    let gateway = start(&signer);
    let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    let shown = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"pay"},{"name":"search"}]}}"#;
    let ann = signer.bearer(&json!({"sub": "ann", "tools": ["pay", "search"]}));
    assert_eq!(ask(&gateway, "mcp.test", &[&ann], list).text(), shown);
    let stream = ask(&gateway, "mcp.test", &[&ann, "Accept: text/event-stream"], list);
    assert_eq!(stream.text(), format!("event: message\ndata: {shown}\n\n"));
    let bob = signer.bearer(&json!({"sub": "bob"}));
    let nothing = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}"#;
    assert_eq!(ask(&gateway, "mcp.test", &[&bob], list).text(), nothing);
    line(&gateway, |l| l["McpCall"]["hidden"] == 3);
    assert_eq!(ask(&gateway, "bare.test", &[], list).text(), TOOLS);
    assert_eq!(
        ask(&gateway, "bare.test", &[], "no JSON").status,
        200,
        "no rules, no questions"
    );
}

/// `hub.mcpgateway.maxRequestBodySize` is for all that read messages and do not say otherwise.
#[test]
fn messages_are_as_large_as_the_install_option_says() {
    let routing = "\
http:
  routers:
    plain: {rule: 'Host(`plain.test`)', service: s, middlewares: [plain]}
    wide: {rule: 'Host(`wide.test`)', service: s, middlewares: [wide]}
    guard: {rule: 'Host(`guard.test`)', service: s, middlewares: [guard]}
  middlewares:
    plain: {mcp: {}}
    wide: {mcp: {maxRequestBodySize: 1000}}
    guard: {content-guard: {mcp: {}, engine: {builtin: {}}, request: {rules: [{entities: [JWT], block: true}]}}}
  services: {s: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@b1@'}]}}}
";
    let gateway = gateway()
        .install(&format!(
            "{INSTALL}hub: {{mcpgateway: {{maxRequestBodySize: 200}}}}\n"
        ))
        .routing(routing)
        .upstream("b1", server())
        .start();
    let large = call("t", &json!({"a": "x".repeat(200)}));
    let small = call("t", &json!({}));
    for (host, want) in [("plain.test", 413), ("guard.test", 413), ("wide.test", 200)] {
        assert_eq!(ask(&gateway, host, &[], &small).status, 200, "{host}");
        assert_eq!(ask(&gateway, host, &[], &large).status, want, "{host}");
    }
}

#[test]
fn who_has_no_token_is_told_where_to_get_one() {
    let signer = Signer::new("k1");
    let gateway = start(&signer);
    let at = "https://mcp.test/.well-known/oauth-protected-resource/mcp";
    let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    let answer = ask(&gateway, "mcp.test", &[], list);
    let challenge = format!("Bearer realm=\"trilithon\", resource_metadata=\"{at}\"");
    assert_eq!(
        (answer.status, answer.header("www-authenticate")),
        (401, challenge.as_str())
    );
    let answer = ask(&gateway, "mcp.test", &["Authorization: Bearer nonsense"], list);
    assert_eq!(answer.status, 401);
    assert!(
        answer
            .header("www-authenticate")
            .contains("error=\"invalid_token\"")
    );
    assert!(
        answer
            .header("www-authenticate")
            .ends_with(&format!("resource_metadata=\"{at}\""))
    );

    let path = "/.well-known/oauth-protected-resource/mcp";
    let document = gateway.get("mcp.test", path);
    assert_eq!(
        (document.status, document.header("content-type")),
        (200, "application/json")
    );
    let want = json!({
        "resource": "https://mcp.test/mcp",
        "authorization_servers": ["https://auth.test"],
        "bearer_methods_supported": ["header"],
        "scopes_supported": ["tools"],
    });
    assert_eq!(document.json(), want);
    assert_eq!(gateway.get("other.test", path).status, 404);
    assert_eq!(
        gateway.api("/api/http/routers/tools-resource-metadata@file")["status"],
        "enabled"
    );
}

/// The parent asks who is there, before it is known which of the routers below it leads to.
#[test]
fn so_is_who_asks_for_a_router_below_another() {
    let routing = "\
http:
  routers:
    front: {rule: 'Host(`mcp.test`)', middlewares: [who]}
    pay: {rule: 'PathPrefix(`/pay`)', service: s, middlewares: [pay], parentRefs: [front]}
    mail: {rule: 'PathPrefix(`/mail`)', service: s, middlewares: [mail], parentRefs: [front]}
    other: {rule: 'PathPrefix(`/other`)', service: s, parentRefs: [front]}
  middlewares:
    who: {plugin: {jwt: {jwksFile: '@KEYS@'}}}
    pay: {plugin: {mcp: {resourceMetadata: {resource: 'https://mcp.test/pay', authorizationServers: ['https://auth.test']}}}}
    mail: {plugin: {mcp: {resourceMetadata: {resource: 'https://mcp.test/mail', authorizationServers: ['https://auth.test']}}}}
  services: {s: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@b1@'}]}}}
";
    let signer = Signer::new("k1");
    let keys = json!({"keys": [signer.jwk()]}).to_string();
    let gateway = gateway()
        .install(INSTALL)
        .routing(&routing.replace("@KEYS@", &keys))
        .upstream("b1", server())
        .start();
    for (path, name) in [("/pay", "pay"), ("/mail/box", "mail")] {
        let refusal = gateway.post("mcp.test", path, &call("t", &json!({})));
        let at = format!("/.well-known/oauth-protected-resource/{name}");
        let challenge = format!("Bearer realm=\"trilithon\", resource_metadata=\"https://mcp.test{at}\"");
        assert_eq!(
            (refusal.status, refusal.header("www-authenticate")),
            (401, &*challenge)
        );
        let document = gateway.get("mcp.test", &at);
        assert_eq!(document.status, 200, "{}", document.text());
        assert_eq!(document.json()["resource"], format!("https://mcp.test/{name}"));
        let router = gateway.api(&format!("/api/http/routers/{name}-front-resource-metadata@file"));
        assert_eq!(router["status"], "enabled", "{router}");
    }
    let refusal = gateway.get("mcp.test", "/other");
    assert_eq!(
        (refusal.status, refusal.header("www-authenticate")),
        (401, "Bearer realm=\"trilithon\"")
    );
    assert_eq!(gateway.upstream("b1").requests(), 0);
}

#[test]
fn explain_decides_as_serving_does() {
    let signer = Signer::new("k1");
    let gateway = start(&signer);
    let explain = |body: &str, claims: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_trilithon"))
            .args([
                "explain",
                "POST http://mcp.test/mcp",
                "--entry-point",
                "web",
                "--body",
                body,
            ])
            .args(["--jwt-claims", claims])
            .arg(format!(
                "--configFile={}",
                gateway.folder().path().join("install.yml").display()
            ))
            .env_clear()
            .output()
            .expect("the binary runs");
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    };
    let claims = r#"{"sub":"ann","limit":100}"#;
    let told = explain(&call("pay", &json!({"amount": 50})), claims);
    assert!(told.contains("`tools@file` allows by `rule-2`"), "{told}");
    let told = explain(&call("pay", &json!({"amount": 500})), claims);
    assert!(told.contains("`tools@file` denies by `default`"), "{told}");
    assert!(told.contains("mcp.params.arguments.amount = 500"), "{told}");
    let told = explain("[]", claims);
    assert!(told.contains("several messages at once are not taken"), "{told}");
}

/// What guards and definitions would do with a call, from the configuration alone.
#[test]
fn explain_tells_of_guards_and_definitions() {
    let routing = r#"
http:
  routers: {tools: {rule: 'Host(`mcp.test`)', service: s, middlewares: [pinned, seen, poison]}}
  middlewares:
    pinned: {mcp: {definitions: {lock: '{"tools": {"pay": "sha256:00"}}', onNew: hide}}}
    seen: {mcp: {definitions: {onChange: hide}}}
    poison: {content-guard: {mcp: {parts: [descriptions, elicitation]}, engine: {builtin: {}}, response: {rules: [{entities: [HIDDEN_TEXT], block: true}]}}}
  services: {s: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@b1@'}]}}}
"#;
    let gateway = gateway()
        .install(INSTALL)
        .routing(routing)
        .upstream("b1", server())
        .start();
    let explain = |tool: &str| {
        let arguments = [
            "explain",
            "POST http://mcp.test/mcp",
            "--entry-point",
            "web",
            "--body",
            &call(tool, &json!({})),
        ];
        let install = gateway.folder().path().join("install.yml");
        let mut command = Command::new(env!("CARGO_BIN_EXE_trilithon"));
        let output = command
            .args(arguments)
            .arg(format!("--configFile={}", install.display()))
            .env_clear()
            .output();
        let output = output.expect("the binary runs");
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    };
    let told = explain("drop");
    for line in [
        "`pinned@file` denies by `definitions`",
        "mcp.definition = new",
        "`pinned@file` holds definitions against its lock: reports what changed, hides and refuses what is new",
        "`seen@file` holds definitions against what was seen first or approved (`trilithon tools list`): hides and refuses what changed, reports what is new",
        "`poison@file` in answers refuses HIDDEN_TEXT, of calls of tools descriptions, elicitation",
    ] {
        assert!(told.contains(line), "{line} is not in\n{told}");
    }
    assert!(!explain("pay").contains("denies"), "the lock names it");
}
