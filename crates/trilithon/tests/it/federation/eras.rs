//! Clients and servers of both eras, in any pairing.

use super::client::{Client, said};
use super::start;
use super::tools::{Speaks, Tools};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use trilithon_testkit::{PATIENCE, until};

#[test]
fn the_second_era_needs_no_session() {
    let (a, b) = (Tools::new("a"), Tools::new("b"));
    let gateway = start(&a, &b);
    let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}});
    let lines = ["MCP-Protocol-Version: 2026-07-28", "Mcp-Method: tools/list"];
    let list = Client::new(&gateway, "all.test", &lines).ask("tools/list", &json!({"_meta": meta}))["result"]
        .clone();
    assert_eq!(
        (&list["resultType"], &list["ttlMs"], &list["cacheScope"]),
        (&json!("complete"), &json!(9), &json!("public"))
    );
    let lines = [
        "MCP-Protocol-Version: 2026-07-28",
        "Mcp-Method: tools/call",
        "Mcp-Name: b_whoami",
    ];
    let answer = Client::new(&gateway, "all.test", &lines).ask(
        "tools/call",
        &json!({"name": "b_whoami", "arguments": {"nonce": "1"}, "_meta": meta}),
    );
    assert_eq!(said(&answer), "b:\"whoami\":\"1\":nobody");
    assert_eq!(gateway.upstream("b").last().headers.get("Mcp-Name"), "whoami");
    assert_eq!(
        a.opened.load(Ordering::Relaxed) + b.opened.load(Ordering::Relaxed),
        0
    );
    let check = |method: &str, version: &str, headers: bool, status: u16, code: i64| {
        let lines = [
            format!("MCP-Protocol-Version: {version}"),
            format!("Mcp-Method: {method}"),
        ];
        let lines: Vec<&str> = lines.iter().filter(|_| headers).map(|line| &**line).collect();
        let meta = json!({"io.modelcontextprotocol/protocolVersion": version, "io.modelcontextprotocol/clientCapabilities": {}});
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": {"_meta": meta}});
        let answer = Client::new(&gateway, "all.test", &lines).send("POST", &message.to_string());
        assert_eq!(
            (answer.status, answer.json()["error"]["code"].as_i64()),
            (status, Some(code)),
            "{method} {version}"
        );
    };
    check("tools/list", "2030-01-01", true, 400, -32022);
    check("tools/list", "2025-11-25", true, 400, -32022);
    check("tools/list", "2026-07-28", false, 400, -32020);
    check("ping", "2026-07-28", true, 404, -32601);
    check("initialize", "2026-07-28", true, 404, -32601);
    let answer = Client::new(&gateway, "all.test", &["MCP-Protocol-Version: 2026-07-28"]);
    assert_eq!({ answer }.send("GET", "").status, 405);
}

#[test]
fn clients_of_one_era_reach_servers_of_the_other() {
    let (a, b) = (Tools::that("a", Speaks::Legacy), Tools::that("b", Speaks::Modern));
    let gateway = start(&a, &b);
    let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "new", "version": "1"}});
    let modern = |method: &str, mut params: Value| {
        params["_meta"] = meta.clone();
        let named = params["name"].as_str().or(params["uri"].as_str());
        let name = named.map(|name| format!("Mcp-Name: {name}"));
        let method_line = format!("Mcp-Method: {method}");
        let lines = ["MCP-Protocol-Version: 2026-07-28", &method_line];
        let lines: Vec<&str> = lines.into_iter().chain(name.as_deref()).collect();
        Client::new(&gateway, "all.test", &lines).ask(method, &params)
    };
    let found = modern("server/discover", json!({}))["result"].clone();
    assert_eq!(
        (&found["capabilities"], &found["resultType"]),
        (&json!({"tools": {}}), &json!("complete"))
    );
    let list = modern("tools/list", json!({}))["result"].clone();
    assert_eq!(list["tools"].as_array().map(Vec::len), Some(4), "{list}");
    let answer = modern(
        "tools/call",
        json!({"name": "whoami", "arguments": {"nonce": "1"}}),
    );
    assert_eq!(
        said(&answer),
        "a:\"whoami\":\"1\":trilithon",
        "in a session of the gateway's"
    );
    assert_eq!(answer["result"]["resultType"], "complete");
    let read = modern("resources/read", json!({"uri": "note:1"}));
    assert_eq!(read["error"]["code"], Value::Null, "{read}");
    assert_eq!(read["result"]["cacheScope"], "private");
    assert_eq!(
        said(&modern(
            "tools/call",
            json!({"name": "b_whoami", "arguments": {"nonce": "2"}})
        )),
        "b:\"whoami\":\"2\":new"
    );
    assert_eq!(a.opened.load(Ordering::Relaxed), 1, "one session for all");
    let lines = [
        "MCP-Protocol-Version: 2026-07-28",
        "Mcp-Method: tools/call",
        "Mcp-Name: b_ask",
    ];
    let message = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "b_ask", "_meta": meta}});
    let beyond = Client::new(&gateway, "all.test", &lines).send("POST", &message.to_string());
    assert_eq!(
        (
            beyond.status,
            beyond.json()["error"]["code"].as_i64(),
            &beyond.json()["error"]["data"]
        ),
        (
            400,
            Some(-32021),
            &json!({"requiredCapabilities": {"sampling": {}}})
        ),
        "nobody is asked what it did not declare"
    );

    // Who leaves wants no answer: the server is told in its own way.
    let lines = [
        "MCP-Protocol-Version: 2026-07-28",
        "Mcp-Method: tools/call",
        "Mcp-Name: slow",
    ];
    let mut leaves = Client::new(&gateway, "all.test", &lines);
    let message =
        json!({"jsonrpc": "2.0", "id": 9, "method": "tools/call", "params": {"name": "slow", "_meta": meta}})
            .to_string();
    let lines = leaves.lines.join("\r\n");
    leaves.http.send(format!(
        "POST /mcp HTTP/1.1\r\nHost: all.test\r\nContent-Type: application/json\r\n{lines}\r\nContent-Length: {}\r\n\r\n{message}",
        message.len()
    ));
    let seen = |method: &str| {
        let all = gateway.upstream("a").seen().into_iter().rev();
        let mut all = all.filter_map(|seen| serde_json::from_slice::<Value>(&seen.body).ok());
        all.find(|message| message["method"] == method)
    };
    let called = until(PATIENCE, || {
        seen("tools/call").filter(|m| m["params"]["name"] == "slow")
    });
    drop(leaves);
    let cancelled = until(PATIENCE, || seen("notifications/cancelled")).expect("the call is cancelled");
    assert_eq!(cancelled["params"]["requestId"], called.expect("a call")["id"]);

    let mut old = Client::new(&gateway, "all.test", &[]);
    let hello = old.open("old")["result"].clone();
    assert_eq!(
        (&hello["protocolVersion"], &hello["capabilities"]),
        (&json!("2025-11-25"), &json!({"tools": {}}))
    );
    let list = old.ask("tools/list", &json!({}))["result"].clone();
    assert_eq!(list["tools"].as_array().map(Vec::len), Some(4), "{list}");
    assert_eq!(said(&old.call("whoami", "3")), "a:\"whoami\":\"3\":old");
    assert_eq!(said(&old.call("b_whoami", "4")), "b:\"whoami\":\"4\":old");
    assert_eq!(gateway.upstream("b").last().headers.get("Mcp-Name"), "whoami");

    // What the server wants to know is asked in the stream of the answer.
    let mut beside = Client::new(&gateway, "all.test", &[&old.lines[0]]);
    let mut converse = |arguments: Value, result: Value| {
        let params = json!({"name": "b_ask", "arguments": arguments});
        let message =
            json!({"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": params}).to_string();
        let session = old.lines[0].clone();
        old.http.send(format!(
            "POST /mcp HTTP/1.1\r\nHost: all.test\r\nContent-Type: application/json\r\n{session}\r\nContent-Length: {}\r\n\r\n{message}",
            message.len()
        ));
        let mut event = || {
            let read = String::from_utf8(old.http.read_until(b"}\n\n")).unwrap();
            let data = read.split("data: ").nth(1).unwrap_or_else(|| panic!("{read}"));
            serde_json::from_str::<Value>(data.trim()).unwrap()
        };
        let question = event();
        let given = json!({"jsonrpc": "2.0", "id": question["id"], "result": result});
        assert_eq!(beside.send("POST", &given.to_string()).status, 202);
        let answer = event();
        assert_eq!(
            (&answer["id"], said(&answer)),
            (&json!(5), &*format!("{result} \"s\""))
        );
        old.http = gateway.client("web");
        question
    };
    let question = converse(json!({}), json!({"text": "yes"}));
    assert_eq!(question["method"], "sampling/createMessage");
    // Pages have a number in the first era.
    let question = converse(json!({"page": "https://a.test"}), json!({"action": "accept"}));
    let (method, params) = (&question["method"], &question["params"]);
    assert_eq!(
        (method, &params["url"]),
        (&json!("elicitation/create"), &json!("https://a.test"))
    );
    assert!(params["elicitationId"].is_string(), "{question}");
}

#[test]
fn what_a_server_wants_to_have_back_is_its_owners() {
    let (a, b) = (Tools::new("a"), Tools::that("b", Speaks::Modern));
    let gateway = start(&a, &b);
    let ask = |key: &str, nonce: &str, responses: &Value, state: &Value| {
        let key = format!("X-Key: {key}");
        let lines = [
            &*key,
            "MCP-Protocol-Version: 2026-07-28",
            "Mcp-Method: tools/call",
            "Mcp-Name: b_ask",
        ];
        let mut params = json!({"name": "b_ask", "arguments": {"nonce": nonce}, "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {"sampling": {}}}});
        if !state.is_null() {
            (params["inputResponses"], params["requestState"]) = (responses.clone(), state.clone());
        }
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
        Client::new(&gateway, "keyed.test", &lines)
            .send("POST", &message.to_string())
            .json()
    };
    let asked = ask("ann-key", "1", &Value::Null, &Value::Null);
    let state = &asked["result"]["requestState"];
    assert!(
        state.as_str().is_some_and(|state| state.starts_with("v1.")),
        "{asked}"
    );
    let before = gateway.upstream("b").requests();
    let given = json!({"q": {"text": "yes"}});
    let damaged = json!(format!("{}-TAMPERED", state.as_str().unwrap()));
    for (key, nonce, state) in [
        ("bob-key", "1", state),
        ("ann-key", "2", state),
        ("ann-key", "1", &damaged),
        ("ann-key", "1", &json!("s")),
    ] {
        let refused = ask(key, nonce, &given, state);
        assert_eq!(refused["error"]["code"], -32602, "{key} {nonce}: {refused}");
    }
    assert_eq!(
        gateway.upstream("b").requests(),
        before,
        "nobody asked the server"
    );
    let answer = ask("ann-key", "1", &given, state);
    assert_eq!(said(&answer), r#"{"text":"yes"} "s""#);
}
