//! Several servers of tools as one: what is listed, who is asked, and whose session it is.

mod away;
mod client;
mod counts;
mod eras;
mod lost;
mod replay;
mod stream;
mod tools;
mod unrest;
mod upward;

use crate::world::INSTALL;
use client::{Client, said};
use serde_json::{Value, json};
use tools::Tools;
use trilithon_testkit::Gateway;

/// Two servers, `a` without a prefix; and the same two for those who have a key.
const ROUTING: &str = "\
http:
  routers:
    all: {rule: 'Host(`all.test`)', service: all}
    keyed: {rule: 'Host(`keyed.test`)', service: all, middlewares: [who]}
  middlewares:
    who: {apiKey: {keySource: {header: X-Key}, secretNonBase64Encoded: true, secretValues: ['ann:@ANN@', 'bob:@BOB@']}}
  services:
    all:
      mcpServers:
        timeout: 2s
        servers:
          - {name: a, service: a, prefix: ''}
          - {name: b, service: b, path: /b}
    a: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@a@'}]}}
    b: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@b@'}]}}
";

fn routing() -> String {
    ROUTING
        .replace("@ANN@", "{SHA}cnX2N8QS/7IZaUcxC2eewQQOkjI=")
        .replace("@BOB@", "{SHA}sJbnm+Hc3NDQjXxJIbiaYDz+I/s=")
}

fn start(a: &Tools, b: &Tools) -> Gateway {
    Gateway::new(env!("CARGO_BIN_EXE_trilithon"))
        .install(INSTALL)
        .routing(&routing())
        .upstream("a", a.upstream())
        .upstream("b", b.upstream())
        .start()
}

#[test]
fn two_servers_are_one() {
    let (a, b) = (Tools::new("a"), Tools::new("b"));
    let gateway = start(&a, &b);
    let mut client = Client::new(&gateway, "all.test", &["Authorization: Bearer for-the-gateway"]);
    let hello = client.open("ann")["result"].clone();
    assert_eq!(hello["serverInfo"]["name"], "all");
    assert_eq!(hello["capabilities"], json!({"tools": {}}));
    assert_eq!(hello["instructions"], "a: I am a.\n\nb: I am b.");
    let told = gateway.upstream("b").last();
    assert_eq!(
        (told.target.as_str(), told.headers.get("MCP-Protocol-Version")),
        ("/b", "2025-11-25")
    );
    assert!(String::from_utf8_lossy(&told.body).contains("notifications/initialized"));
    assert_eq!(
        told.headers.get("Authorization"),
        "",
        "it was given to the gateway"
    );

    let list = client.ask("tools/list", &json!({}))["result"].clone();
    let names = |list: &Value| -> Vec<String> {
        let tools = list["tools"].as_array().unwrap();
        tools
            .iter()
            .map(|t| t["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(&list), ["whoami", "ask", "b_whoami", "b_ask"]);
    let rest = client.ask("tools/list", &json!({"cursor": list["nextCursor"]}))["result"].clone();
    assert_eq!(
        (names(&rest), &rest["nextCursor"]),
        (vec!["third".to_owned(), "b_third".to_owned()], &Value::Null)
    );
    assert_eq!(
        client.ask("tools/list", &json!({"cursor": "more"}))["error"]["code"],
        -32602
    );

    assert_eq!(said(&client.call("whoami", "1")), "a:\"whoami\":\"1\":ann");
    let answer = client.call("b_whoami", "2");
    assert_eq!(said(&answer), "b:\"whoami\":\"2\":ann");
    assert_eq!(answer["result"]["content"][1]["uri"], "b+note:1");
    let read = client.ask("resources/read", &json!({"uri": "b+note:1"}));
    assert_eq!(
        read["result"]["contents"][0],
        json!({"uri": "b+note:1", "text": "b"})
    );
    let read = client.ask("resources/read", &json!({"uri": "note:1"}));
    assert_eq!(
        read["result"]["contents"][0],
        json!({"uri": "note:1", "text": "a"})
    );
    assert_eq!(client.ask("ping", &json!({}))["result"], json!({}));
    assert_eq!(client.ask("tasks/list", &json!({}))["error"]["code"], -32601);

    // A question of a server names it, and the answer goes back to that one.
    let stream = client
        .send(
            "POST",
            r#"{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"b_ask"}}"#,
        )
        .text();
    assert!(
        stream.contains("id: aMw,b=ZTE\ndata: {\"jsonrpc\":\"2.0\",\"id\":\"b:7\""),
        "{stream}"
    );
    assert_eq!(
        client
            .send("POST", r#"{"jsonrpc":"2.0","id":"b:7","result":{}}"#)
            .status,
        202
    );
    let returned = gateway.upstream("b").last();
    assert_eq!(
        String::from_utf8_lossy(&returned.body),
        r#"{"jsonrpc":"2.0","id":7,"result":{}}"#
    );

    // One server is down: the other's part is there, and a call says who failed.
    gateway.upstream("b").down();
    assert_eq!(
        names(&client.ask("tools/list", &json!({}))["result"]),
        ["whoami", "ask"]
    );
    let failed = client.call("b_whoami", "3")["error"].clone();
    assert_eq!(failed["code"], -32603);
    assert!(
        failed["message"].as_str().unwrap().contains("server `b`"),
        "{failed}"
    );
    let mut late = Client::new(&gateway, "all.test", &[]);
    late.open("bob");
    gateway.upstream("b").back();
    assert_eq!(
        said(&late.call("b_whoami", "4")),
        "b:\"whoami\":\"4\":bob",
        "opened when it is needed"
    );

    assert_eq!(client.send("DELETE", "").status, 204);
    let gone = client.send("POST", r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#);
    assert_eq!(
        (gone.status, gone.json()["error"]["code"].clone()),
        (404, json!(-32001))
    );
    assert_eq!((a.count(), b.count()), (1, 1), "the other one goes on");
}

#[test]
fn session_hijack_a_session_is_its_owners() {
    let (a, b) = (Tools::new("a"), Tools::new("b"));
    let gateway = start(&a, &b);
    let mut ann = Client::new(&gateway, "keyed.test", &["X-Key: ann-key"]);
    ann.open("ann");
    assert_eq!(said(&ann.call("whoami", "1")), "a:\"whoami\":\"1\":ann");
    let session = ann.lines.last().unwrap().clone();
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    let check = |host: &str, lines: &[&str], want: u16| {
        let status = Client::new(&gateway, host, lines).send("POST", ping).status;
        assert_eq!(status, want, "{lines:?}");
    };
    check("keyed.test", &["X-Key: ann-key", &session], 200);
    check("keyed.test", &["X-Key: bob-key", &session], 404);
    check("all.test", &[&session], 404);
    let mut damaged = session.clone();
    damaged.replace_range(session.len() - 2.., "AA");
    check("keyed.test", &["X-Key: ann-key", &damaged], 404);
    check("keyed.test", &["X-Key: ann-key", "Mcp-Session-Id: a-0"], 404);
    check("keyed.test", &["X-Key: ann-key"], 400);
    check(
        "keyed.test",
        &["X-Key: ann-key", &session, "MCP-Protocol-Version: 1999-01-01"],
        400,
    );
}
