//! An API as tools, from the outside: what is listed and called, what stands in front of it unchanged, and a document that changes.

use crate::audit::entries;
use crate::world::gateway;
use serde_json::{Value, json};
use trilithon_testkit::{Answer, Gateway, PATIENCE, Response, Seen, Upstream, eventually, until};

const INSTALL: &str = "\
entryPoints:
  web: {address: '127.0.0.1:@web@'}
  traefik: {address: '127.0.0.1:@traefik@'}
api: {insecure: true}
providers: {file: {filename: '@DIR@/routing.yml', watch: true}}
tracing: {otlp: {http: {endpoint: 'http://127.0.0.1:@collector@'}}}
audit: {checkpointInterval: 20ms}
store: {directory: '@DIR@/store'}
";

const ROUTING: &str = "\
http:
  routers:
    tools: {rule: 'Host(`mcp.test`)', service: pets, middlewares: [rules]}
    slow: {rule: 'Host(`slow.test`)', service: pets, middlewares: [few, rules]}
    bare: {rule: 'Host(`bare.test`)', service: pets}
    all: {rule: 'Host(`all.test`)', service: all}
  middlewares:
    few: {rateLimit: {average: 1, period: 1h, burst: 1}}
    rules:
      mcp:
        policies: [{match: 'Equals(`mcp.params.name`, `deletePet`)', action: deny}]
        defaultAction: allow
        listPolicies: [{match: 'Equals(`mcp.params.name`, `deletePet`)', action: hide}]
        undo: [{tool: createPet, call: {tool: deletePet, arguments: {id: '${result.id}'}}}]
    key: {headers: {customRequestHeaders: {X-Api-Key: of-the-gateway}}}
  services:
    pets: {openApi: {document: '@DIR@/pets.yml', service: api}}
    all: {mcpServers: {servers: [{name: one, service: pets, path: /mcp}, {name: two, service: pets, path: /mcp}]}}
    api:
      loadBalancer: {servers: [{url: 'http://127.0.0.1:@b1@'}]}
      middlewares: [key]
";

const PETS: &str = "\
openapi: 3.0.3
info: {title: Pets, version: '1'}
servers: [{url: /v1}]
paths:
  /pets:
    post:
      operationId: createPet
      requestBody:
        required: true
        content:
          application/json:
            schema: {type: object, required: [name], properties: {name: {type: string}}}
  /pets/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
    get: {operationId: getPet, summary: Look at a pet}
    delete: {operationId: deletePet}
";

fn api() -> Upstream {
    Upstream::answering(|seen: &Seen| {
        let json = |status, body: &str| Answer::new(status, body).header("Content-Type", "application/json");
        match (seen.method.as_str(), seen.target.as_str()) {
            ("POST", _) => json(201, r#"{"id":7}"#),
            (_, "/v1/pets/7") => json(200, r#"{"id":7,"name":"Rex"}"#),
            _ => json(404, r#"{"title":"no such pet"}"#),
        }
    })
}

fn start() -> Gateway {
    gateway()
        .install(INSTALL)
        .routing(ROUTING)
        .file("pets.yml", PETS)
        .upstream("b1", api())
        .upstream("collector", Upstream::answering(|_| Answer::new(200, "")))
        .start()
}

fn ask(gateway: &Gateway, host: &str, lines: &str, body: &Value) -> Response {
    let body = body.to_string();
    let head = format!(
        "POST /mcp HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n{lines}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    gateway.client("web").ask(&head)
}

fn call(tool: &str, arguments: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}})
}

/// The names of the tools that are listed.
fn listed(gateway: &Gateway, host: &str) -> Vec<String> {
    let answer = ask(
        gateway,
        host,
        "",
        &json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}),
    );
    let tools = answer.json()["result"]["tools"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    tools
        .iter()
        .filter_map(|tool| Some(tool["name"].as_str()?.to_owned()))
        .collect()
}

#[test]
fn an_api_is_called_by_its_tools() {
    let gateway = start();
    let hello = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize",
        "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}});
    let answer = ask(&gateway, "bare.test", "", &hello);
    assert_eq!(answer.header("mcp-session-id"), "", "there are no sessions");
    assert_eq!(answer.json()["result"]["serverInfo"]["name"], "Pets");
    assert_eq!(
        listed(&gateway, "bare.test"),
        ["createPet", "getPet", "deletePet"]
    );

    let answer = ask(
        &gateway,
        "bare.test",
        "Authorization: Bearer mine\r\n",
        &call("getPet", json!({"id": 7})),
    );
    assert_eq!(
        answer.json()["result"]["structuredContent"],
        json!({"id": 7, "name": "Rex"})
    );
    let seen = gateway.upstream("b1").last();
    assert_eq!(
        (seen.method.as_str(), seen.target.as_str()),
        ("GET", "/v1/pets/7")
    );
    assert_eq!(seen.headers.get("X-Api-Key"), "of-the-gateway");
    assert!(
        !seen.headers.has("Authorization"),
        "the caller's credentials stay here"
    );

    let answer = ask(
        &gateway,
        "bare.test",
        "",
        &call("createPet", json!({"body": {"name": "Rex"}})),
    );
    assert_eq!(answer.json()["result"]["structuredContent"], json!({"id": 7}));
    let seen = gateway.upstream("b1").last();
    assert_eq!(seen.headers.get("Content-Type"), "application/json");
    assert_eq!(seen.body, br#"{"name":"Rex"}"#);

    let answer = ask(&gateway, "bare.test", "", &call("getPet", json!({"id": 8}))).json();
    assert_eq!(answer["result"]["isError"], true, "{answer}");
    let before = gateway.upstream("b1").requests();
    let answer = ask(
        &gateway,
        "bare.test",
        "",
        &call("getPet", json!({"id": "7/../8"})),
    )
    .json();
    assert_eq!(answer["result"]["content"][0]["text"], "`id` is no integer");
    assert_eq!(gateway.upstream("b1").requests(), before, "the API was not asked");
    assert_eq!(gateway.ask("web", "GET", "bare.test", "/mcp", &[]).status, 405);
}

#[test]
fn rules_limits_audit_and_traces_stand_in_front() {
    let gateway = start();
    assert_eq!(listed(&gateway, "mcp.test"), ["createPet", "getPet"]);
    let before = gateway.upstream("b1").requests();
    let denied = ask(&gateway, "mcp.test", "", &call("deletePet", json!({"id": 7})));
    assert_eq!(
        (denied.status, &denied.json()["error"]["code"]),
        (403, &json!(-32003))
    );
    assert_eq!(gateway.upstream("b1").requests(), before);

    let look = call("getPet", json!({"id": 7}));
    assert_eq!(ask(&gateway, "slow.test", "", &look).status, 200);
    assert_eq!(ask(&gateway, "slow.test", "", &look).status, 429);

    let trace = "0af7651916cd43dd8448eb211c80319c";
    let parent = format!("traceparent: 00-{trace}-00f067aa0ba902b7-01\r\n");
    assert_eq!(
        ask(
            &gateway,
            "mcp.test",
            &parent,
            &call("createPet", json!({"body": {"name": "Rex"}}))
        )
        .status,
        200
    );
    let seen = gateway.upstream("b1").last();
    let told = seen.headers.get("traceparent");
    assert!(told.starts_with(&format!("00-{trace}-")), "{told}");
    assert!(
        !told.contains("00f067aa0ba902b7"),
        "a span of the gateway's own: {told}"
    );
    let entry = until(PATIENCE, || {
        let all = entries(gateway.folder(), "request", 1).into_iter();
        all.map(|(_, entry)| entry)
            .find(|entry| entry["mcp"]["tool"] == "createPet")
    });
    let entry = entry.expect("an entry");
    assert_eq!(entry["trace"]["traceId"], trace);
    assert_eq!(
        entry["undo"]["call"],
        json!({"tool": "deletePet", "arguments": {"id": 7}, "path": "/mcp"})
    );
}

#[test]
fn a_document_that_changes_is_read_again() {
    let gateway = start();
    gateway.write(
        "pets.yml",
        &PETS.replace("operationId: getPet", "operationId: lookAtPet"),
    );
    eventually("the new name", || {
        listed(&gateway, "bare.test").contains(&"lookAtPet".to_owned())
    });
}

#[test]
fn a_document_that_breaks_leaves_the_tools_that_it_had() {
    let gateway = start();
    let state = || gateway.api("/api/http/services/pets@file").to_string();
    gateway.write("pets.yml", "openapi: 3.0.3\npaths:\n  /pets: {get: 7}\n");
    eventually("the mistake with its place", || {
        state().contains("pets.yml:3:16: an operation is an object; the tools of the last document")
    });
    assert!(state().contains(r#""status":"warning""#), "{}", state());
    assert_eq!(
        listed(&gateway, "bare.test"),
        ["createPet", "getPet", "deletePet"]
    );
    assert!(gateway.log().contains("the last document that made sense stay"));

    let others = ROUTING.replace(
        "document: '@DIR@/pets.yml'",
        "document: '@DIR@/pets.yml', operations: {exclude: [{methods: [DELETE]}]}",
    );
    gateway.rewrite_routing(&others);
    eventually("the choice of other tools, which no document has", || {
        state().contains(r#""status":"disabled""#)
    });
    gateway.write("pets.yml", PETS);
    eventually("the tools that are chosen", || {
        listed(&gateway, "bare.test") == ["createPet", "getPet"]
    });
}

const FILES: &str = "\
openapi: 3.1.0
info: {title: Files, version: '1'}
components: {securitySchemes: {key: {type: apiKey, in: header, name: X-Api-Key}}}
paths:
  /files:
    post:
      operationId: upload
      parameters: [{name: x-api-key, in: header, required: true, schema: {type: string}}]
      requestBody:
        content:
          multipart/form-data:
            schema: {type: object, properties: {file: {type: string, format: binary}, name: {type: string}}}
            encoding: {file: {contentType: image/png}}
      responses: {'200': {content: {application/json: {schema: {type: object, required: [x], properties: {id: {type: string}}}}}}}
  /elsewhere: {get: {operationId: elsewhere, servers: [{url: 'https://other.test'}]}}
servers: [{url: 'https://files.test/v2'}]
";

#[test]
fn files_go_to_the_api_and_answers_fit_what_is_said_of_them() {
    let gateway = gateway()
        .install(INSTALL)
        .routing(&ROUTING.replace("pets.yml", "files.yml"))
        .file("files.yml", FILES)
        .upstream(
            "b1",
            Upstream::answering(|_| {
                Answer::new(200, r#"{"id":7,"more":1}"#).header("Content-Type", "application/json")
            }),
        )
        .upstream("collector", Upstream::answering(|_| Answer::new(200, "")))
        .start();
    assert_eq!(
        listed(&gateway, "bare.test"),
        ["upload"],
        "what is elsewhere is no tool"
    );
    let body = json!({"body": {"file": "iVA=", "name": "Rex"}});
    let answer = ask(&gateway, "bare.test", "", &call("upload", body)).json();
    assert_eq!(
        answer["result"]["structuredContent"],
        json!({"more": 1}),
        "{answer}"
    );
    assert_eq!(answer["result"]["content"][0]["text"], r#"{"id":7,"more":1}"#);
    let seen = gateway.upstream("b1").last();
    assert_eq!(
        (seen.method.as_str(), seen.target.as_str()),
        ("POST", "/v2/files")
    );
    assert_eq!(seen.headers.get("X-Api-Key"), "of-the-gateway");
    let kind = seen.headers.get("Content-Type");
    let boundary = kind.strip_prefix("multipart/form-data; boundary=").expect(kind);
    let part = |head: &str, content: &[u8]| {
        [
            format!("--{boundary}\r\n{head}\r\n\r\n").as_bytes(),
            content,
            b"\r\n",
        ]
        .concat()
    };
    let file = part(
        "Content-Disposition: form-data; name=\"file\"; filename=\"file\"\r\nContent-Type: image/png",
        b"\x89P",
    );
    let name = part("Content-Disposition: form-data; name=\"name\"", b"Rex");
    let end = format!("--{boundary}--\r\n");
    assert_eq!(seen.body, [file, name, end.into_bytes()].concat());

    let wrong = json!({"body": {"file": "?"}});
    let answer = ask(&gateway, "bare.test", "", &call("upload", wrong)).json();
    assert_eq!(answer["result"]["content"][0]["text"], "`file` is no base64");
    let own = json!({"x-api-key": "mine"});
    let answer = ask(&gateway, "bare.test", "", &call("upload", own)).json();
    assert_eq!(answer["result"]["content"][0]["text"], "`x-api-key` is not known");
}

/// The names of all pages, and how many pages there were.
fn pages(gateway: &Gateway, host: &str) -> (Vec<String>, usize) {
    let (mut names, mut params, mut count) = (Vec::new(), json!({}), 0);
    loop {
        let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": params});
        let answer = ask(gateway, host, "", &list).json();
        let tools = answer["result"]["tools"].as_array().cloned().unwrap_or_default();
        names.extend(
            tools
                .iter()
                .filter_map(|tool| Some(tool["name"].as_str()?.to_owned())),
        );
        count += 1;
        match answer["result"].get("nextCursor") {
            Some(next) => params = json!({"cursor": next}),
            None => return (names, count),
        }
    }
}

#[test]
fn thousands_of_tools_come_in_pages() {
    let text = "x".repeat(1_000);
    let path = |i: usize| {
        (
            format!("/{i}"),
            json!({"get": {"operationId": format!("t{i}"), "description": text}}),
        )
    };
    let paths: serde_json::Map<String, Value> = (0..2_500).map(path).collect();
    let document = json!({"openapi": "3.1.0", "paths": paths}).to_string();
    let gateway = gateway()
        .install(INSTALL)
        .routing(ROUTING)
        .file("pets.yml", &document)
        .upstream("b1", api())
        .upstream("collector", Upstream::answering(|_| Answer::new(200, "")))
        .start();
    let want: Vec<String> = (0..2_500).map(|i| format!("t{i}")).collect();
    assert_eq!(pages(&gateway, "bare.test"), (want.clone(), 3));
    assert_eq!(pages(&gateway, "mcp.test").0, want, "rules look at every page");
    let answer = ask(&gateway, "bare.test", "", &call("t2499", json!({}))).json();
    assert_eq!(answer["result"]["isError"], true, "{answer}");
    assert_eq!(gateway.upstream("b1").last().target, "/2499");
}

#[test]
fn it_is_one_of_several_servers() {
    let gateway = start();
    let ask = |method: &str, name: &str, arguments: Value| {
        let params = json!({"name": name, "arguments": arguments, "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}});
        let named = if name.is_empty() {
            String::new()
        } else {
            format!("Mcp-Name: {name}\r\n")
        };
        let lines = format!(
            "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: {method}\r\n{named}Accept: application/json, text/event-stream\r\n"
        );
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        ask(&gateway, "all.test", &lines, &message).json()
    };
    let list = ask("tools/list", "", Value::Null);
    let tools = list["result"]["tools"].as_array().cloned().unwrap_or_default();
    let names: Vec<&str> = tools.iter().filter_map(|tool| tool["name"].as_str()).collect();
    assert!(
        names.contains(&"one_getPet") && names.contains(&"two_getPet"),
        "{list}"
    );
    let answer = ask("tools/call", "two_getPet", json!({"id": 7}));
    assert_eq!(answer["result"]["structuredContent"]["name"], "Rex", "{answer}");
}
