//! Undoing what a request or a tool did: by whom, through what, once, and only by a log that is as it was signed.

use crate::audit::entries;
use crate::world::gateway;
use serde_json::{Value, json};
use std::process::{Command, Output};
use trilithon_testkit::{Answer, Certs, Gateway, PATIENCE, Response, Seen, TlsOffer, Upstream, until};

const INSTALL: &str = "\
entryPoints: {web: {address: '127.0.0.1:@web@'}}
providers: {file: {filename: '@DIR@/routing.yml'}}
audit: {checkpointInterval: 20ms}
store: {directory: '@DIR@/store'}
";

/// A shop and a server of tools. Everybody who has a key may do everything, but only Ann may undo.
const ROUTING: &str = "\
http:
  routers:
    shop: {rule: 'Host(`shop.test`) && PathPrefix(`/orders`)', service: s, middlewares: [who, rules, undo]}
    plain: {rule: 'Host(`shop.test`) && PathPrefix(`/plain`)', service: s, observability: {audit: true}}
    tools: {rule: 'Host(`mcp.test`)', service: t, middlewares: [who, tools]}
  middlewares:
    who: {basicAuth: {users: ['ann:{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M=', 'bob:{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M=']}}
    rules: {policy: {rules: [{name: undo, effect: allow, expression: 'http.method != \"DELETE\" || identity.subject == \"ann\"'}]}}
    undo: {undo: {methods: [POST], request: {path: '${request.path}/${response.body.id}', headers: {X-May: undo, X-Was: '${request.body.item}'}}}}
    tools:
      mcp:
        policies:
          - {name: cancel, expression: 'mcp.params.name == \"cancel\" && identity.subject != \"ann\"', action: deny}
        defaultAction: allow
        undo:
          - {tool: book, call: {tool: cancel, arguments: {id: '${result.id}', what: '${arguments.what}'}}}
  services:
    s: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@b1@'}]}}
    t: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@b2@'}]}}
";

fn shop() -> Upstream {
    Upstream::answering(|seen: &Seen| match seen.method.as_str() {
        "DELETE" if seen.target.ends_with("/broken") => Answer::new(500, "broken"),
        "DELETE" => Answer::new(204, ""),
        _ if seen.body.windows(6).any(|w| w == b"broken") => Answer::new(201, r#"{"id":"broken"}"#),
        _ => Answer::new(201, r#"{"id":7}"#),
    })
}

/// A server of the first era with sessions.
fn tools() -> Upstream {
    Upstream::answering(|seen: &Seen| {
        let message: Value = serde_json::from_slice(&seen.body).unwrap_or_default();
        let answer = |result: Value| {
            let text = json!({"jsonrpc": "2.0", "id": message["id"], "result": result}).to_string();
            Answer::new(200, text).header("Content-Type", "application/json")
        };
        match message["method"].as_str() {
            Some("initialize") => answer(json!({"protocolVersion": "2025-11-25", "capabilities": {},
                "serverInfo": {"name": "s", "version": "1"}}))
            .header("Mcp-Session-Id", "s1"),
            Some("tools/call") if seen.headers.get("Mcp-Session-Id") != "s1" => {
                Answer::new(400, "no session")
            }
            Some("tools/call") => answer(json!({"content": [], "structuredContent": {"id": 42}})),
            _ => Answer::new(202, ""),
        }
    })
}

fn start() -> Gateway {
    gateway()
        .install(INSTALL)
        .routing(ROUTING)
        .upstream("b1", shop())
        .upstream("b2", tools())
        .start()
}

/// `ann:test` and `bob:test`.
const ANN: &str = "Authorization: Basic YW5uOnRlc3Q=";
const BOB: &str = "Authorization: Basic Ym9iOnRlc3Q=";

fn post(gateway: &Gateway, host: &str, path: &str, lines: &str, body: &str) -> Response {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n{lines}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    gateway.client("web").ask(&head)
}

fn order(gateway: &Gateway, item: &str) -> String {
    let body = json!({ "item": item }).to_string();
    let answer = post(gateway, "shop.test", "/orders?key=secret", BOB, &body);
    assert_eq!(answer.status, 201, "{}", answer.text());
    last(gateway, |entry| entry["request"]["method"] == "POST")
}

/// The id of the last entry of a kind, once there is one.
fn last(gateway: &Gateway, is: impl Fn(&Value) -> bool) -> String {
    let find = || {
        let all = entries(gateway.folder(), "request", 1).into_iter();
        all.filter(|(_, entry)| is(entry)).map(|(id, _)| id).next_back()
    };
    until(PATIENCE, find).expect("an entry")
}

fn entry(gateway: &Gateway, id: &str) -> Value {
    let all = entries(gateway.folder(), "request", 1).into_iter();
    all.filter(|(known, _)| known == id)
        .map(|(_, entry)| entry)
        .next()
        .expect("it is there")
}

fn undo(gateway: &Gateway, arguments: &[&str]) -> (bool, String) {
    let output: Output = Command::new(env!("CARGO_BIN_EXE_trilithon"))
        .arg("undo")
        .args(arguments)
        .arg(format!(
            "--store={}",
            gateway.folder().path().join("store").display()
        ))
        .env_clear()
        .output()
        .expect("the binary runs");
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text)
}

#[test]
fn a_request_is_undone_once_by_who_may() {
    let gateway = start();
    let id = order(&gateway, "hat");
    let told = entry(&gateway, &id);
    let want = json!({"contract": "undo@file", "call": {"method": "DELETE", "path": "/orders/7",
        "headers": {"X-May": "undo", "X-Was": "hat"}}});
    assert_eq!(told["undo"], want);
    let before = gateway.upstream("b1").requests();

    let (good, said) = undo(&gateway, &[&id, "--dry-run"]);
    assert!(
        good && said.contains("DELETE /orders/7") && said.contains("dry run"),
        "{said}"
    );
    // Who brings no credentials is nobody.
    let (good, said) = undo(&gateway, &[&id]);
    assert!(!good && said.contains("not undone: 401"), "{said}");
    assert_eq!(
        gateway.upstream("b1").requests(),
        before,
        "the server saw none of it"
    );

    let (good, said) = undo(&gateway, &[&id, "-H", ANN]);
    assert!(good && said.contains("undone: 204"), "{said}");
    let seen = gateway.upstream("b1").last();
    assert_eq!(
        (seen.method.as_str(), seen.target.as_str()),
        ("DELETE", "/orders/7")
    );
    assert_eq!(seen.headers.get("X-Was"), "hat");
    assert!(!seen.headers.has("Trilithon-Undo"), "no server sees the ticket");
    let by = last(&gateway, |entry| {
        entry["undoes"] == *id && entry["outcome"]["status"] == 204
    });
    assert!(said.contains(&format!("entry {by}")), "{said}");
    let told = entry(&gateway, &by);
    assert_eq!(told["actor"]["subject"], "ann");
    let decision = &told["outcome"]["decisions"][0];
    assert_eq!(
        (&decision["policy"], &decision["allowed"]),
        (&json!("rules@file"), &json!(true))
    );

    let sent = gateway.upstream("b1").requests();
    let (good, said) = undo(&gateway, &[&id, "-H", ANN]);
    assert!(
        !good && said.contains(&format!("entry {by} has undone it")),
        "{said}"
    );
    assert_eq!(gateway.upstream("b1").requests(), sent);
}

#[test]
fn an_undo_that_is_refused_can_be_tried_again_and_one_that_broke_only_on_demand() {
    let gateway = start();
    let id = order(&gateway, "broken");
    let (good, said) = undo(&gateway, &[&id, "-H", ANN]);
    assert!(!good && said.contains("not undone: 500"), "{said}");
    let (good, said) = undo(&gateway, &[&id, "-H", ANN]);
    assert!(!good && said.contains("nothing says how that ended"), "{said}");
    let (good, said) = undo(&gateway, &[&id, "-H", ANN, "--again"]);
    assert!(!good && said.contains("not undone: 500"), "{said}");
}

#[test]
fn what_cannot_be_undone_says_why() {
    let gateway = start();
    post(&gateway, "shop.test", "/plain", ANN, "{}");
    let id = last(&gateway, |entry| entry["request"]["path"] == "/plain");
    let (good, said) = undo(&gateway, &[&id]);
    assert!(!good && said.contains("had no contract"), "{said}");
    post(&gateway, "shop.test", "/orders", "X-A: b", "{}");
    let id = last(&gateway, |entry| entry["outcome"]["status"] == 401);
    let (good, said) = undo(&gateway, &[&id]);
    assert!(!good && said.contains("status 401"), "{said}");
    let (good, said) = undo(&gateway, &["77/1"]);
    assert!(!good && said.contains("no such entry"), "{said}");
    let (good, said) = undo(&gateway, &[]);
    assert!(!good && said.contains("needs the entry"), "{said}");
}

#[test]
fn a_client_cannot_say_that_it_undoes_something() {
    let gateway = start();
    let id = order(&gateway, "hat");
    let line = format!("{ANN}\r\nTrilithon-Undo: {id}");
    post(&gateway, "shop.test", "/orders", &line, r#"{"item": "cap"}"#);
    let (good, said) = undo(&gateway, &[&id, "-H", ANN]);
    assert!(good, "{said}");
}

#[test]
fn an_entry_that_was_changed_is_not_undone() {
    let gateway = start();
    let id = order(&gateway, "hat");
    let before = gateway.upstream("b1").requests();
    // Signed by now: then the file is changed.
    assert!(undo(&gateway, &[&id, "--dry-run"]).0);
    let mut files = vec![gateway.folder().path().join("store/audit/000001/tile/entries")];
    let mut changed = 0;
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(
                std::fs::read_dir(&path)
                    .expect("a folder")
                    .map(|e| e.expect("a file").path()),
            );
            continue;
        }
        let mut bytes = std::fs::read(&path).expect("entries");
        if let Some(at) = bytes.windows(9).position(|w| w == b"/orders/7") {
            bytes[at + 8] = b'8';
            std::fs::write(&path, bytes).expect("written");
            changed += 1;
        }
    }
    assert!(changed > 0, "there is such an entry");
    let (good, said) = undo(&gateway, &[&id, "-H", ANN]);
    assert!(!good && said.contains("is not what was signed"), "{said}");
    assert_eq!(gateway.upstream("b1").requests(), before);
}

#[test]
fn a_call_of_a_tool_is_undone_by_a_call_of_a_tool() {
    let gateway = start();
    let call = |tool: &str| {
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": {"name": tool, "arguments": {"what": "room"}}})
        .to_string()
    };
    let lines = format!("{BOB}\r\nMcp-Session-Id: s1");
    assert_eq!(
        post(&gateway, "mcp.test", "/mcp", &lines, &call("book")).status,
        200
    );
    let id = last(&gateway, |entry| entry["mcp"]["tool"] == "book");
    let want = json!({"contract": "tools@file",
        "call": {"tool": "cancel", "arguments": {"id": 42, "what": "room"}, "path": "/mcp"}});
    assert_eq!(entry(&gateway, &id)["undo"], want);

    let (good, said) = undo(&gateway, &[&id, "-H", BOB]);
    assert!(!good && said.contains("not undone: 403"), "{said}");
    let (good, said) = undo(&gateway, &[&id, "-H", ANN]);
    assert!(good && said.contains("undone: 200"), "{said}");
    let seen = gateway.upstream("b2").seen();
    let cancel = seen.iter().find_map(|seen| {
        let message: Value = serde_json::from_slice(&seen.body).ok()?;
        (message["params"]["name"] == "cancel").then_some(message)
    });
    assert_eq!(
        cancel.expect("it was called")["params"]["arguments"],
        json!({"id": 42, "what": "room"})
    );
    assert!(
        seen.iter().any(|seen| seen.method == "DELETE"),
        "the session is closed"
    );
    let by = last(&gateway, |entry| entry["undoes"] == *id);
    assert_eq!(entry(&gateway, &by)["mcp"]["tool"], "cancel");
    let (good, said) = undo(&gateway, &[&id, "-H", ANN]);
    assert!(!good && said.contains("has undone it"), "{said}");
    // The call that undoes has no contract of its own.
    let (good, said) = undo(&gateway, &[&by]);
    assert!(!good && said.contains("had no contract"), "{said}");
}

#[test]
fn an_entry_point_with_tls_is_believed_by_its_certificate() {
    let certs = Certs::generate();
    certs.host("shop.test", &["shop.test"]);
    let authority = certs.file("ca.crt").display().to_string();
    let tls =
        "tls: {certificates: [{certFile: '@CERTS@/shop.test.crt', keyFile: '@CERTS@/shop.test.key'}]}\n";
    let routing = ROUTING.replace(
        "service: s, middlewares: [who, rules, undo]",
        "service: s, tls: {}, middlewares: [undo]",
    );
    let gateway = gateway()
        .install(INSTALL)
        .routing(&format!("{routing}{tls}"))
        .upstream("b1", shop())
        .upstream("b2", tools())
        .certs(certs)
        .wait_only_for(&["web"])
        .start();
    let body = r#"{"item": "hat"}"#;
    let offer = TlsOffer {
        name: Some("shop.test"),
        verify: true,
        ..TlsOffer::default()
    };
    let head = format!(
        "POST /orders HTTP/1.1\r\nHost: shop.test\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut client = gateway.tls_client("web", offer).expect("a connection");
    assert_eq!(client.ask(&head).status, 201);
    let id = last(&gateway, |entry| entry["request"]["method"] == "POST");
    // The system knows no such authority: nothing is sent.
    let (good, said) = undo(&gateway, &[&id]);
    assert!(!good && said.contains("the call that undoes it failed"), "{said}");
    let (good, said) = undo(&gateway, &[&id, "--cacert", &authority, "--again"]);
    assert!(good && said.contains("undone: 204"), "{said}");
    assert_eq!(gateway.upstream("b1").last().method, "DELETE");
}
