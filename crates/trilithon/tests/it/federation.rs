//! Several servers of tools as one: what is listed, who is asked, whose session it is, and that nothing is lost or crossed when
//! servers restart and the gateway reloads.

use crate::world::INSTALL;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use trilithon_testkit::{Answer, Gateway, PATIENCE, RawClient, Response, Seen, Upstream, until};

/// A server of tools: it keeps sessions, knows each one's client by name, and forgets them all when it is told to.
#[derive(Clone)]
struct Tools {
    name: &'static str,
    speaks: Speaks,
    sessions: Arc<Mutex<HashMap<String, String>>>,
    opened: Arc<AtomicUsize>,
}

#[derive(Clone, Copy, PartialEq)]
enum Speaks {
    Legacy,
    Modern,
    Both,
}

impl Tools {
    fn new(name: &'static str) -> Tools {
        Tools::that(name, Speaks::Both)
    }

    fn that(name: &'static str, speaks: Speaks) -> Tools {
        Tools {
            name,
            speaks,
            sessions: Arc::default(),
            opened: Arc::default(),
        }
    }

    fn upstream(&self) -> Upstream {
        let tools = self.clone();
        Upstream::answering(move |seen| tools.answer(seen))
    }

    fn forget(&self) {
        self.sessions.lock().unwrap().clear();
    }

    fn count(&self) -> usize {
        self.sessions.lock().unwrap().len()
    }

    fn answer(&self, seen: &Seen) -> Answer {
        let session = seen.headers.get("Mcp-Session-Id").to_owned();
        if seen.method == "DELETE" {
            self.sessions.lock().unwrap().remove(&session);
            return Answer::new(200, "");
        }
        let message: Value = serde_json::from_slice(&seen.body).unwrap_or_default();
        let (id, method) = (&message["id"], message["method"].as_str().unwrap_or_default());
        let meta = &message["params"]["_meta"];
        let modern = meta["io.modelcontextprotocol/protocolVersion"] == "2026-07-28";
        let no = |status: u16, code: i64| {
            let error = json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": "no"}});
            Answer::new(status, error.to_string()).header("Content-Type", "application/json")
        };
        match (self.speaks, method) {
            (Speaks::Modern, _) if !modern => return no(400, -32602),
            // Who names itself does so whole.
            _ if meta["io.modelcontextprotocol/clientInfo"].is_object()
                && meta["io.modelcontextprotocol/clientInfo"]["version"].is_null() =>
            {
                return no(400, -32602);
            }
            (Speaks::Legacy, _) if modern && session.is_empty() => return no(400, -32600),
            (_, "initialize") => return self.open(&message),
            (_, "server/discover") => {
                let result = json!({"resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}},
                    "ttlMs": 7, "cacheScope": "public"});
                return answer(&json!({"jsonrpc": "2.0", "id": id, "result": result}));
            }
            _ => {}
        }
        let client = self.sessions.lock().unwrap().get(&session).cloned();
        let client = match client {
            Some(client) => client,
            None if modern => {
                assert_eq!(seen.headers.get("Mcp-Method"), method);
                let name = &meta["io.modelcontextprotocol/clientInfo"]["name"];
                name.as_str().unwrap_or("nobody").to_owned()
            }
            None => return no(404, -32001),
        };
        if id.is_null() {
            return Answer::new(202, "");
        }
        let params = &message["params"];
        let result = match method {
            "tools/list" if params["cursor"] == "more" => json!({"tools": [{"name": "third"}], "ttlMs": 5}),
            "tools/list" => {
                json!({"tools": [{"name": "whoami"}, {"name": "ask"}], "nextCursor": "more", "ttlMs": 9, "cacheScope": "public"})
            }
            "tools/call" if params["name"] == "ask" && modern => match &params["inputResponses"]["q"] {
                Value::Null => json!({"resultType": "input_required", "requestState": "s",
                    "inputRequests": {"q": {"method": "sampling/createMessage", "params": {}}}}),
                given => {
                    json!({"resultType": "complete", "content": [{"type": "text", "text": format!("{given} {}", params["requestState"])}]})
                }
            },
            "tools/call" if params["name"] == "ask" => return self.question(seen, id),
            "tools/call" if params["name"] == "slow" => {
                return answer(&json!({"jsonrpc": "2.0", "id": id, "result": {"content": []}}))
                    .after(Duration::from_secs(3));
            }
            "tools/call" => {
                let said = format!(
                    "{}:{}:{}:{client}",
                    self.name, params["name"], params["arguments"]["nonce"]
                );
                json!({"content": [{"type": "text", "text": said}, {"type": "resource_link", "uri": "note:1", "name": "n"}]})
            }
            "resources/read" => json!({"contents": [{"uri": params["uri"], "text": self.name}]}),
            _ => {
                let error = json!({"jsonrpc": "2.0", "id": id, "error": {"code": -32601, "message": "no"}});
                return answer(&error);
            }
        };
        answer(&json!({"jsonrpc": "2.0", "id": id, "result": result}))
    }

    fn open(&self, message: &Value) -> Answer {
        let number = self.opened.fetch_add(1, Ordering::Relaxed);
        let session = format!("{}-{number}", self.name);
        let client = message["params"]["clientInfo"]["name"]
            .as_str()
            .unwrap_or_default();
        self.sessions
            .lock()
            .unwrap()
            .insert(session.clone(), client.to_owned());
        let result = json!({"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {"name": self.name, "version": "1"},
            "instructions": format!("I am {}.", self.name)});
        answer(&json!({"jsonrpc": "2.0", "id": message["id"], "result": result}))
            .header("Mcp-Session-Id", &session)
    }

    /// A stream: the server asks, then answers.
    fn question(&self, _: &Seen, id: &Value) -> Answer {
        let asked = json!({"jsonrpc": "2.0", "id": 7, "method": "sampling/createMessage", "params": {}});
        let done = json!({"jsonrpc": "2.0", "id": id, "result": {"content": []}});
        let stream = format!("id: e1\ndata: {asked}\n\nevent: message\ndata: {done}\n\n");
        Answer::new(200, stream).header("Content-Type", "text/event-stream")
    }
}

fn answer(message: &Value) -> Answer {
    Answer::new(200, message.to_string()).header("Content-Type", "application/json")
}

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

/// A client of one session.
struct Client {
    http: RawClient,
    host: String,
    lines: Vec<String>,
}

impl Client {
    fn new(gateway: &Gateway, host: &str, lines: &[&str]) -> Client {
        Client {
            http: gateway.client("web"),
            host: host.to_owned(),
            lines: lines.iter().map(|line| (*line).to_owned()).collect(),
        }
    }

    fn send(&mut self, method: &str, body: &str) -> Response {
        let lines: String = self.lines.iter().map(|line| format!("{line}\r\n")).collect();
        self.http.ask(&format!(
            "{method} /mcp HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n{lines}Content-Length: {}\r\n\r\n{body}",
            self.host,
            body.len()
        ))
    }

    fn ask(&mut self, method: &str, params: &Value) -> Value {
        let message = json!({"jsonrpc": "2.0", "id": "q", "method": method, "params": params});
        let answer = self.send("POST", &message.to_string());
        assert_eq!(answer.status, 200, "{method} {params}: {}", answer.text());
        assert_eq!(
            !answer.header("mcp-session-id").is_empty(),
            method == "initialize"
        );
        let answer = answer.json();
        assert_eq!(answer["id"], "q", "{answer}");
        answer
    }

    fn call(&mut self, tool: &str, nonce: &str) -> Value {
        self.ask(
            "tools/call",
            &json!({"name": tool, "arguments": {"nonce": nonce}}),
        )
    }

    /// Opens the session.
    fn open(&mut self, name: &str) -> Value {
        let params = json!({"protocolVersion": "2025-11-25", "capabilities": {"sampling": {}}, "clientInfo": {"name": name, "version": "1"}});
        let message = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params});
        let answer = self.send("POST", &message.to_string());
        assert_eq!(answer.status, 200, "{}", answer.text());
        let session = answer.header("mcp-session-id");
        assert!(session.starts_with("v1."), "{}", answer.text());
        self.lines.push(format!("Mcp-Session-Id: {session}"));
        answer.json()
    }
}

fn said(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"]
        .as_str()
        .unwrap_or_default()
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
fn a_session_is_its_owners() {
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
    let message =
        json!({"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": {"name": "b_ask"}}).to_string();
    let session = old.lines[0].clone();
    old.http.send(format!(
        "POST /mcp HTTP/1.1\r\nHost: all.test\r\nContent-Type: application/json\r\n{session}\r\nContent-Length: {}\r\n\r\n{message}",
        message.len()
    ));
    let asked = String::from_utf8(old.http.read_until(b"}\n\n")).unwrap();
    let question = asked.split("data: ").nth(1).unwrap_or_else(|| panic!("{asked}"));
    let question: Value = serde_json::from_str(question.trim()).unwrap();
    assert_eq!(question["method"], "sampling/createMessage");
    let given = json!({"jsonrpc": "2.0", "id": question["id"], "result": {"text": "yes"}});
    assert_eq!(beside.send("POST", &given.to_string()).status, 202);
    let answer = String::from_utf8(old.http.read_until(b"}\n\n")).unwrap();
    let answer = answer
        .split("data: ")
        .nth(1)
        .unwrap_or_else(|| panic!("{answer}"));
    let answer: Value = serde_json::from_str(answer.trim()).unwrap();
    assert_eq!(
        (&answer["id"], said(&answer)),
        (&json!(5), r#"{"text":"yes"} "s""#)
    );
}

const SERVERS: [&str; 5] = ["s1", "s2", "s3", "s4", "s5"];
const THREADS: usize = 8;
const SESSIONS: usize = 200;
/// Calls in each session.
const CALLS: usize = 15;

/// Five servers as one; `turn` changes something that has nothing to do with them.
fn five(turn: usize) -> String {
    let servers: String = SERVERS
        .iter()
        .map(|s| format!("{{name: {s}, service: {s}}}, "))
        .collect();
    let services: String = SERVERS
        .iter()
        .map(|s| format!("    {s}: {{loadBalancer: {{servers: [{{url: 'http://127.0.0.1:@{s}@'}}]}}}}\n"))
        .collect();
    format!(
        "http:\n  routers:\n    all: {{rule: 'Host(`all.test`)', service: all}}\n    turn: {{rule: 'Host(`turn-{turn}.test`)', service: all}}\n  services:\n    all: {{mcpServers: {{servers: [{servers}]}}}}\n{services}"
    )
}

#[test]
fn no_answer_is_lost_and_no_session_crossed() {
    let tools = SERVERS.map(Tools::new);
    let mut gateway = Gateway::new(env!("CARGO_BIN_EXE_trilithon"))
        .install(INSTALL)
        .routing(&five(0));
    for (name, tools) in SERVERS.iter().zip(&tools) {
        gateway = gateway.upstream(name, tools.upstream());
    }
    let gateway = gateway.start();
    let over = AtomicBool::new(false);
    let (answered, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (gateway, answered, failed) = (&gateway, &answered, &failed);
                scope.spawn(move || {
                    let mut sessions: Vec<(String, Client)> = (0..SESSIONS / THREADS)
                        .map(|n| {
                            let name = format!("client-{thread}-{n}");
                            let mut client = Client::new(gateway, "all.test", &[]);
                            client.open(&name);
                            (name, client)
                        })
                        .collect();
                    for turn in 0..CALLS {
                        for (name, client) in &mut sessions {
                            let server = SERVERS[(turn + name.len() + thread) % SERVERS.len()];
                            let nonce = format!("{name}/{turn}");
                            let want = format!("{server}:\"whoami\":\"{nonce}\":{name}");
                            // A server that restarts is an error that names it, at once, and then an answer.
                            let answer = until(PATIENCE, || {
                                let answer = client.call(&format!("{server}_whoami"), &nonce);
                                let is_error = answer["error"]["code"] == -32603;
                                failed.fetch_add(usize::from(is_error), Ordering::Relaxed);
                                (!is_error).then_some(answer)
                            });
                            assert_eq!(said(&answer.expect("an answer")), want);
                            answered.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                })
            })
            .collect();
        let unrest = scope.spawn(|| {
            let mut turn = 0;
            while !over.load(Ordering::Relaxed) {
                let at = turn % SERVERS.len();
                gateway.upstream(SERVERS[at]).down();
                tools[at].forget();
                gateway.upstream(SERVERS[at]).back();
                turn += 1;
                gateway.rewrite_routing(&five(turn));
                let host = format!("turn-{turn}.test");
                until(PATIENCE, || {
                    (gateway.get(&host, "/mcp").status != 404).then_some(())
                });
            }
            turn
        });
        let ended: Vec<_> = workers.into_iter().map(thread::ScopedJoinHandle::join).collect();
        over.store(true, Ordering::Relaxed);
        let turns = unrest.join().expect("servers restart and the gateway reloads");
        assert!(ended.iter().all(Result::is_ok), "a worker failed");
        assert!(turns >= SERVERS.len(), "{turns} restarts");
    });
    assert_eq!(answered.load(Ordering::Relaxed), SESSIONS * CALLS);
    let opened: usize = tools.iter().map(|t| t.opened.load(Ordering::Relaxed)).sum();
    assert!(
        opened > SESSIONS * SERVERS.len(),
        "sessions were opened anew: {opened}"
    );
}
