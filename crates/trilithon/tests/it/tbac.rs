//! Task, tool and transaction based access control as Traefik Hub documents it, in Hub's spelling: what is refused, with exactly which
//! status, body and headers, and what goes on to the server untouched.

use crate::auth::Signer;
use crate::world::{INSTALL, gateway};
use serde_json::{Value, json};
use trilithon_testkit::{Answer, Gateway, Response, Seen, Upstream};

/// The same rules with each way of refusing; the host is the way's name.
const ROUTING: &str = "\
http:
  routers:
    plain: {rule: 'Host(`plain`)', service: s, middlewares: [who, plain]}
    ok: {rule: 'Host(`ok`)', service: s, middlewares: [who, ok]}
    graceful: {rule: 'Host(`graceful`)', service: s, middlewares: [who, graceful]}
  middlewares:
    who: {plugin: {jwt: {jwksFile: '@KEYS@'}}}
    plain: {plugin: {mcp: {@RULES@}}}
    ok: {plugin: {mcp: {statusCodeOnDeny: 200, @RULES@}}}
    graceful: {plugin: {mcp: {gracefulErrors: true, @RULES@}}}
  services: {s: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@b1@'}]}}}
";

const RULES: &str = "\
resourceMetadata: {resource: 'https://mcp.test/mcp', authorizationServers: ['https://auth.test'], resourceDocumentation: 'https://docs.test/mcp'}, \
policies: [\
{match: 'OneOf(`mcp.method`, `initialize`, `notifications/initialized`, `ping`, `tools/list`, `prompts/list`, `resources/list`)', action: allow}, \
{match: 'Equals(`mcp.params.name`, `pay`) && Gt(`mcp.params.arguments.amount`, `10000`)', action: deny}, \
{match: 'Equals(`mcp.params.name`, `pay`) && Contains(`jwt.authorized_tasks`, `invoicing`) && Lte(`mcp.params.arguments.amount`, `${jwt.limit}`)', action: allow}, \
{match: 'Equals(`mcp.method`, `tools/call`) && Contains(`jwt.allowed_tools`, `${mcp.params.name}`)', action: allow}, \
{match: 'Equals(`mcp.params.name`, `read_wiki`) && Prefix(`mcp.params.arguments.repoName`, `${jwt.org}/`)', action: allow}, \
{match: 'Equals(`mcp.method`, `resources/read`) && Prefix(`mcp.params.uri`, `docs://${jwt.sub}/`)', action: allow}, \
{match: 'Equals(`mcp.method`, `prompts/get`) && SplitContains(`jwt.scope`, ` `, `prompts`)', action: allow}], \
defaultAction: deny, \
listPolicies: [\
{match: 'Contains(`jwt.allowed_tools`, `${mcp.params.name}`)', action: show}, \
{match: 'Prefix(`mcp.params.uri`, `docs://${jwt.sub}/`)', action: show}], \
listDefaultAction: hide";

/// Lists what it has, and does whatever is asked.
fn server() -> Upstream {
    Upstream::answering(|seen: &Seen| {
        let asked: Value = serde_json::from_slice(&seen.body).unwrap_or_default();
        let result = match asked["method"].as_str().unwrap_or_default() {
            "tools/list" => json!({"tools": [{"name": "search"}, {"name": "pay"}]}),
            "prompts/list" => json!({"prompts": [{"name": "search"}, {"name": "secret"}]}),
            "resources/list" => {
                json!({"resources": [{"uri": "docs://ann/a", "name": "a"}, {"uri": "docs://bob/b", "name": "b"}]})
            }
            _ => json!({"content": []}),
        };
        let answer = json!({"jsonrpc": "2.0", "id": asked["id"], "result": result});
        Answer::new(200, answer.to_string()).header("Content-Type", "application/json")
    })
}

fn start(signer: &Signer) -> Gateway {
    let keys = json!({"keys": [signer.jwk()]}).to_string();
    gateway()
        .install(INSTALL)
        .routing(&ROUTING.replace("@RULES@", RULES).replace("@KEYS@", &keys))
        .upstream("b1", server())
        .start()
}

fn ask(gateway: &Gateway, host: &str, lines: &[&str], body: &Value) -> Response {
    let lines = [lines, &["Content-Type: application/json"]].concat();
    gateway.post_with(host, "/mcp", &lines, &body.to_string())
}

fn message(method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params})
}

fn call(tool: &str, arguments: Value) -> Value {
    message("tools/call", json!({"name": tool, "arguments": arguments}))
}

fn ann() -> Value {
    json!({"sub": "ann", "org": "acme", "authorized_tasks": ["invoicing"], "limit": 500, "allowed_tools": ["search"], "scope": "read prompts"})
}

/// The claims that differ from Ann's, the message, and whether it passes.
fn cases() -> Vec<(Value, Value, bool)> {
    let same = json!({});
    let list = [
        // Task: what the token says that its bearer is there for.
        (same.clone(), call("pay", json!({"amount": 1})), true),
        (
            json!({"authorized_tasks": ["support"]}),
            call("pay", json!({"amount": 1})),
            false,
        ),
        (
            json!({"authorized_tasks": null}),
            call("pay", json!({"amount": 1})),
            false,
        ),
        // Tool: what it names.
        (same.clone(), call("search", json!({})), true),
        (same.clone(), call("drop", json!({})), false),
        (json!({"allowed_tools": []}), call("search", json!({})), false),
        // Transaction: values against numbers and claims.
        (same.clone(), call("pay", json!({"amount": 500})), true),
        (same.clone(), call("pay", json!({"amount": 501})), false),
        (
            json!({"limit": 100_000}),
            call("pay", json!({"amount": 10_000})),
            true,
        ),
        (
            json!({"limit": 100_000}),
            call("pay", json!({"amount": 10_001})),
            false,
        ),
        (same.clone(), call("pay", json!({"amount": "1"})), false),
        (same.clone(), call("pay", json!({})), false),
        (
            same.clone(),
            call("read_wiki", json!({"repoName": "acme/docs"})),
            true,
        ),
        (
            same.clone(),
            call("read_wiki", json!({"repoName": "acmeevil/docs"})),
            false,
        ),
        (
            json!({"org": ""}),
            call("read_wiki", json!({"repoName": "/docs"})),
            false,
        ),
        // What is no tool.
        (
            same.clone(),
            message("resources/read", json!({"uri": "docs://ann/a"})),
            true,
        ),
        (
            same.clone(),
            message("resources/read", json!({"uri": "docs://bob/b"})),
            false,
        ),
        (same.clone(), message("prompts/get", json!({"name": "p"})), true),
        (
            json!({"scope": "read prompting"}),
            message("prompts/get", json!({"name": "p"})),
            false,
        ),
        (same.clone(), message("ping", json!({})), true),
        (same, message("logging/setLevel", json!({"level": "info"})), false),
    ];
    list.into()
}

#[test]
fn tasks_tools_and_transactions() {
    let signer = Signer::new("k1");
    let gateway = start(&signer);
    for (differs, message, passes) in cases() {
        let mut claims = ann();
        for (name, value) in differs.as_object().expect("claims") {
            claims[name] = value.clone();
        }
        let bearer = signer.bearer(&claims);
        let is_call = message["method"] == "tools/call";
        for (host, status) in [
            ("plain", 403),
            ("ok", 200),
            ("graceful", if is_call { 200 } else { 403 }),
        ] {
            let before = gateway.upstream("b1").requests();
            let answer = ask(&gateway, host, &[&bearer], &message);
            let seen = gateway.upstream("b1").requests() - before;
            assert_eq!(answer.header("www-authenticate"), "");
            assert_eq!(answer.header("content-type"), "application/json");
            if passes {
                assert_eq!(
                    (answer.status, seen),
                    (200, 1),
                    "{host} {differs} {message}: {}",
                    answer.text()
                );
                assert_eq!(gateway.upstream("b1").last().body, message.to_string().as_bytes());
                continue;
            }
            assert_eq!((answer.status, seen), (status, 0), "{host} {differs} {message}");
            let want = match host == "graceful" && is_call {
                true => {
                    r#"{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"Forbidden: the gateway does not allow this call."}],"isError":true}}"#
                }
                false => r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32003,"message":"Forbidden"}}"#,
            };
            assert_eq!(answer.text(), want, "{host}");
        }
    }
}

#[test]
fn lists_show_what_rules_show() {
    let signer = Signer::new("k1");
    let gateway = start(&signer);
    let bearer = signer.bearer(&ann());
    for (method, member, want) in [
        ("tools/list", "tools", json!([{"name": "search"}])),
        ("prompts/list", "prompts", json!([{"name": "search"}])),
        (
            "resources/list",
            "resources",
            json!([{"uri": "docs://ann/a", "name": "a"}]),
        ),
    ] {
        let answer = ask(&gateway, "plain", &[&bearer], &message(method, json!({})));
        assert_eq!(
            (answer.status, &answer.json()["result"][member]),
            (200, &want),
            "{method}"
        );
    }
}

/// Without a token, or with one of somebody else, clients are told where to get one; a session's id goes on as it came.
#[test]
fn who_is_asked_for_a_token() {
    let (signer, other) = (Signer::new("k1"), Signer::new("k1"));
    let gateway = start(&signer);
    let at = "https://mcp.test/.well-known/oauth-protected-resource/mcp";
    for line in ["X-Nothing: here".to_owned(), other.bearer(&ann())] {
        let answer = ask(&gateway, "plain", &[&line], &call("search", json!({})));
        let challenge = answer.header("www-authenticate");
        assert!(challenge.starts_with("Bearer "), "{challenge}");
        assert!(
            challenge.ends_with(&format!("resource_metadata=\"{at}\"")),
            "{challenge}"
        );
        assert_eq!(answer.status, 401);
    }
    let document = gateway.get("mcp.test", "/.well-known/oauth-protected-resource/mcp");
    let want = json!({"resource": "https://mcp.test/mcp", "authorization_servers": ["https://auth.test"],
        "bearer_methods_supported": ["header"], "resource_documentation": "https://docs.test/mcp"});
    assert_eq!((document.status, document.json()), (200, want));
    let lines = [
        &*signer.bearer(&ann()),
        "Mcp-Session-Id: s1",
        "MCP-Protocol-Version: 2025-06-18",
    ];
    assert_eq!(
        ask(&gateway, "plain", &lines, &call("search", json!({}))).status,
        200
    );
    let seen = gateway.upstream("b1").last();
    assert_eq!(seen.headers.get("Mcp-Session-Id"), "s1");
    assert_eq!(seen.headers.get("MCP-Protocol-Version"), "2025-06-18");
}
