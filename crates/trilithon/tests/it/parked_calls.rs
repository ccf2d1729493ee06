//! Clients of the second era and a server of the first that asks while it answers: the call is parked, the client is asked in the
//! place of a result, and the call goes on when it comes back; and nobody else gets into it.

mod asking;
mod client;
mod listening;

use crate::world::INSTALL;
use asking::Asking;
use client::{Client, again, named, text};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use std::thread;
use trilithon_testkit::{Gateway, GatewayBuilder, PATIENCE, until};

/// The server behind `tools`, asked by anybody (`all.test`) or by those who have a key (`keyed.test`).
const ROUTING: &str = "\
http:
  routers:
    all: {rule: 'Host(`all.test`)', service: tools, middlewares: [rules]}
    keyed: {rule: 'Host(`keyed.test`)', service: tools, middlewares: [who, rules]}
    turn: {rule: 'Host(`TURN.test`)', service: tools}
  middlewares:
    who: {apiKey: {keySource: {header: X-Key}, secretNonBase64Encoded: true, secretValues: ['ann:{SHA}cnX2N8QS/7IZaUcxC2eewQQOkjI=', 'bob:{SHA}sJbnm+Hc3NDQjXxJIbiaYDz+I/s=']}}
    rules: {mcp: {policies: [{match: 'Equals(`mcp.params.inputResponses.q1.content.name`, `Mallory`)', action: deny}], defaultAction: allow}}
  services:
    tools:
      mcpServers:
        timeout: 2s
        sessions: {secrets: ['0123456789012345678901234567890123456789']}
        parkedCalls: PARKED
        servers: [{name: a, service: a, path: /mcp, prefix: x}]
    a: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@a@'}]}}
";

fn routing(parked: &str, turn: usize) -> String {
    let turn = format!("turn-{turn}");
    ROUTING.replace("PARKED", parked).replace("TURN", &turn)
}

fn builder(parked: &str) -> GatewayBuilder {
    let install = format!("{INSTALL}accessLog: {{filePath: '@DIR@/access.log', format: json}}\n");
    Gateway::new(env!("CARGO_BIN_EXE_trilithon"))
        .install(&install)
        .routing(&routing(parked, 0))
}

fn start(server: &Asking, parked: &str) -> Gateway {
    builder(parked).upstream("a", server.upstream()).start()
}

const LAX: &str = "{maxAge: 1m}";

#[test]
fn a_server_asks_and_its_call_goes_on() {
    let server = Asking::default();
    let gateway = start(&server, LAX);
    let mut client = Client::new(&gateway, "ann-key");
    let (params, asked) = client.begin("x_greet");
    let question = json!({"method": "elicitation/create", "params": {"message": "name?", "requestedSchema": {"type": "object"}}});
    assert_eq!(asked["inputRequests"], json!({"q1": question}));
    let answer = client.call(&again(&params, &asked, &named("q1", "Zoe")));
    assert_eq!(
        (text(&answer), &answer["id"]),
        ("hello Zoe, \"x_greet\"", &json!("q"))
    );
    assert_eq!(answer["result"]["resultType"], "complete");

    // Two rounds; what the server tells in between is heard in the second.
    let (params, asked) = client.begin("x_twice");
    let (_, mut all) = client.send(&again(&params, &asked, &named("q1", "Zoe")), &json!({}));
    assert_eq!(all[0]["method"], "notifications/progress", "{all:?}");
    let asked = all.pop().unwrap()["result"].clone();
    assert_eq!(asked["inputRequests"]["q2"]["params"]["message"], "color?");
    let answer = client.call(&again(&params, &asked, &named("q2", "green")));
    assert_eq!(text(&answer), "Zoe likes green");

    // Two questions at once; what is not answered is asked once more, and the gateway says that it is there.
    let (params, asked) = client.begin("x_both");
    assert_eq!(
        asked["inputRequests"].as_object().map(|q| q.len()),
        Some(2),
        "{asked}"
    );
    let rest = client.call(&again(&params, &asked, &named("q1", "Zoe")));
    assert_eq!(
        rest["result"]["inputRequests"],
        json!({"q2": {"method": "roots/list", "params": {}}})
    );
    let roots = json!({"q2": {"roots": [{"uri": "file:///a"}]}, "other": {}});
    let answer = client.call(&again(&params, &rest["result"], &roots));
    assert_eq!(text(&answer), r#""Zoe" [{"uri":"file:///a"}] {}"#);

    // A server that asks beside its answer asks for the one call of that session.
    let (params, asked) = client.begin("x_beside");
    let (other, beside) = client.begin("x_beside");
    let answer = client.call(&again(&params, &asked, &named("q1", "Zoe")));
    assert_eq!(text(&answer), "\"Zoe\"");
    let answer = client.call(&again(&other, &beside, &named("q1", "Yan")));
    assert_eq!(text(&answer), "\"Yan\"");

    // Nobody is asked for what it cannot do, and servers know.
    assert_eq!(
        text(&client.call(&json!({"name": "x_can"}))),
        r#"{"elicitation":{"form":{}},"roots":{}}"#
    );
    assert_eq!(text(&client.call(&json!({"name": "x_sample"}))), "-32601");
    client.can = json!({});
    assert_eq!(text(&client.call(&json!({"name": "x_can"}))), "{}");

    // Remarks from a level on, and no news beside.
    let told = |level: Value| {
        let mut client = Client::new(&gateway, "ann-key");
        let meta = json!({"io.modelcontextprotocol/logLevel": level});
        client.send(&json!({"name": "x_talk"}), &meta).1.len()
    };
    assert_eq!(
        [told(Value::Null), told(json!("info")), told(json!("debug"))],
        [1, 2, 3]
    );

    let log = until(PATIENCE, || {
        let log = gateway.folder().read("access.log");
        let lines = log
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let rounds: Vec<Value> = lines
            .filter(|line| line["McpCall"]["tool"] == "x_twice")
            .collect();
        (rounds.len() == 3).then_some(rounds)
    });
    let rounds = log.expect("three rounds in the log");
    let told = |round: usize, name: &str| rounds[round]["McpCall"][name].clone();
    assert_eq!(
        [0, 1, 2].map(|n| told(n, "asked")),
        [json!(1), json!(1), Value::Null]
    );
    assert!(told(0, "parkedCall").is_string());
    assert!(
        (1..3).all(|n| told(n, "parkedCall") == told(0, "parkedCall")),
        "{rounds:?}"
    );
}

/// An error that a server of the first era has for it becomes a question, where the client can be asked.
#[test]
fn a_page_is_asked_for_where_the_server_says_an_error() {
    let server = Asking::default();
    let gateway = start(&server, LAX);
    let mut client = Client::new(&gateway, "ann-key");
    let needed = json!({"elicitation": {"url": {}}});
    let missing = client.send(&json!({"name": "x_page"}), &json!({}));
    assert_eq!((missing.0, &missing.1[0]["error"]["code"]), (400, &json!(-32021)));
    assert_eq!(missing.1[0]["error"]["data"]["requiredCapabilities"], needed);

    server.looked.store(0, Ordering::Relaxed);
    client.can = needed;
    let page = json!({"method": "elicitation/create", "params": {"mode": "url", "message": "Pay", "url": "https://pay.test/1"}});
    for tool in ["x_page_later", "x_page"] {
        let (_, asked) = client.begin(tool);
        assert_eq!(asked["inputRequests"], json!({"page1": page}), "{tool}");
    }
    let answered = |action: &str| json!({"name": "x_page", "arguments": {"nonce": "x_page"}, "inputResponses": {"page1": {"action": action}}});
    client.refused(&answered("decline"), -32603, "did not look at the page");
    assert_eq!(
        server.looked.load(Ordering::Relaxed),
        1,
        "the server was not asked again"
    );
    assert_eq!(text(&client.call(&answered("accept"))), "paid");
}

#[test]
fn a_state_is_for_its_owner_and_its_message_alone() {
    let server = Asking::default();
    let gateway = start(&server, LAX);
    let (mut ann, mut bob) = (Client::new(&gateway, "ann-key"), Client::new(&gateway, "bob-key"));
    let (params, asked) = ann.begin("x_greet");
    let good = again(&params, &asked, &named("q1", "Ann"));
    let with = |member: &str, value: Value| {
        let mut other = good.clone();
        other[member] = value;
        other
    };
    bob.refused(&good, -32602, "somebody else");
    ann.refused(
        &with("arguments", json!({"nonce": "other"})),
        -32602,
        "another message",
    );
    ann.refused(&with("name", json!("x_twice")), -32602, "another message");
    let state = asked["requestState"].as_str().unwrap();
    ann.refused(
        &with("requestState", json!(format!("{state}-TAMPERED"))),
        -32602,
        "damaged",
    );
    ann.refused(&with("requestState", json!(7)), -32602, "damaged");
    ann.refused(
        &with("inputResponses", json!({"q1": "Ann"})),
        -32602,
        "inputResponses",
    );
    // Rules see what the client answers.
    let (status, _) = ann.send(&with("inputResponses", named("q1", "Mallory")), &json!({}));
    assert_eq!(status, 403);
    assert_eq!(
        server.answers.lock().unwrap().len(),
        0,
        "the server heard none of it"
    );
    assert_eq!(text(&ann.call(&good)), "hello Ann, \"x_greet\"");
    ann.refused(&good, -32602, "does not wait any more");
}

#[test]
fn clients_are_never_crossed() {
    let server = Asking::default();
    let gateway = start(&server, LAX);
    thread::scope(|scope| {
        for key in ["ann-key", "bob-key", "", ""] {
            let gateway = &gateway;
            scope.spawn(move || {
                // What both of these ask is under way at once, over connections of several workers.
                let mut pair = [Client::new(gateway, key), Client::new(gateway, key)];
                for turn in 0..5 {
                    let begun = pair.each_mut().map(|client| client.begin("x_twice"));
                    let names = [format!("{key}-{turn}-0"), format!("{key}-{turn}-1")];
                    let mut asked = begun.clone().map(|(_, asked)| asked);
                    for (n, name) in names.iter().enumerate().rev() {
                        let mut other = Client::new(gateway, key);
                        let params = again(&begun[n].0, &asked[n], &named("q1", name));
                        asked[n] = other.call(&params)["result"].clone();
                    }
                    for (n, name) in names.iter().enumerate() {
                        let params = again(&begun[n].0, &asked[n], &named("q2", name));
                        assert_eq!(text(&pair[n].call(&params)), format!("{name} likes {name}"));
                    }
                }
            });
        }
    });
    assert_eq!(server.cancelled(), 0);
}

#[test]
fn who_does_not_come_back_in_time_is_waited_for_no_more() {
    let server = Asking::default();
    let gateway = start(&server, "{maxAge: 300ms}");
    let mut client = Client::new(&gateway, "ann-key");
    let (params, asked) = client.begin("x_greet");
    until(PATIENCE, || (server.cancelled() == 1).then_some(())).expect("the call is cancelled");
    client.refused(&again(&params, &asked, &named("q1", "Ann")), -32602, "");
    let metrics = gateway.metrics();
    let told = r#"trilithon_mcp_parked_calls_total{outcome="expired",service="tools@file"} 1"#;
    assert!(metrics.contains(told), "{metrics}");
    assert!(
        metrics.contains(r#"trilithon_mcp_parked_calls{service="tools@file"} 0"#),
        "{metrics}"
    );
}

#[test]
fn no_more_calls_wait_than_may() {
    let server = Asking::default();
    let gateway = start(&server, "{max: 2, maxPerCaller: 1}");
    let (mut ann, mut bob) = (Client::new(&gateway, "ann-key"), Client::new(&gateway, "bob-key"));
    let (params, first) = ann.begin("x_greet");
    let (_, second) = ann.begin("x_greet");
    until(PATIENCE, || (server.cancelled() == 1).then_some(())).expect("the first is cancelled");
    ann.refused(
        &again(&params, &first, &named("q1", "Ann")),
        -32602,
        "does not wait any more",
    );
    bob.begin("x_greet");
    let mut third = Client::new(&gateway, "");
    third.refused(&json!({"name": "x_greet"}), -32603, "too many calls wait");
    until(PATIENCE, || (server.cancelled() == 2).then_some(())).expect("the third one's is cancelled");
    let answer = ann.call(&again(&params, &second, &named("q1", "Ann")));
    assert_eq!(text(&answer), "hello Ann, \"x_greet\"");
}

#[test]
fn who_leaves_cancels_the_call() {
    let server = Asking::default();
    let gateway = start(&server, LAX);
    let mut client = Client::new(&gateway, "ann-key");
    let request = client.request(&json!({"name": "x_slow"}), &json!({}));
    client.http.send(request);
    client.http.read_until(b"notifications/progress");
    drop(client);
    until(PATIENCE, || (server.cancelled() == 1).then_some(())).expect("the call is cancelled");
}

#[test]
fn a_call_outlives_reloads_and_not_its_process() {
    let server = Asking::default();
    let upstream = server.upstream();
    let gateway = builder(LAX).upstream("a", &upstream).start();
    let mut client = Client::new(&gateway, "ann-key");
    let (params, asked) = client.begin("x_greet");
    gateway.rewrite_routing(&routing(LAX, 1));
    until(PATIENCE, || {
        (gateway.get("turn-1.test", "/mcp").status != 404).then_some(())
    })
    .expect("a reload");
    let answer = client.call(&again(&params, &asked, &named("q1", "Ann")));
    assert_eq!(text(&answer), "hello Ann, \"x_greet\"");

    // Other bounds are for calls to come, too.
    let (params, asked) = client.begin("x_greet");
    let (_, left) = client.begin("x_greet");
    gateway.rewrite_routing(&routing("{maxAge: 300ms, max: 3}", 2));
    until(PATIENCE, || {
        (gateway.get("turn-2.test", "/mcp").status != 404).then_some(())
    })
    .expect("a reload");
    client.begin("x_greet");
    until(PATIENCE, || (server.cancelled() == 1).then_some(())).expect("the new one is cancelled");
    let answer = client.call(&again(&params, &asked, &named("q1", "Ann")));
    assert_eq!(text(&answer), "hello Ann, \"x_greet\"");

    drop(gateway);
    let gateway = builder(LAX).upstream("a", &upstream).start();
    let mut client = Client::new(&gateway, "ann-key");
    let params = again(&params, &left, &named("q1", "Ann"));
    client.refused(&params, -32602, "another process");
}

#[test]
fn a_gateway_ends_while_calls_wait() {
    let server = Asking::default();
    let gateway = start(&server, LAX);
    let mut client = Client::new(&gateway, "ann-key");
    client.begin("x_greet");
    client.begin("x_beside");
    drop(client);
    gateway.terminate();
    let status = gateway.exit(PATIENCE).expect("it ends");
    let log = gateway.log();
    assert!(status.success() && !log.contains("panicked"), "{status}: {log}");
}
