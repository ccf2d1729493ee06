//! A document like those that APIs have, from its tools to what their calls ask.

use super::*;
use crate::{Era, Message, header};
use trilithon_wire::Headers;

fn document() -> Value {
    json!({
        "openapi": "3.0.3",
        "info": {"title": "Pets", "version": "1.2", "description": "A shop."},
        "servers": [{"url": "https://{region}.pets.test/v1/", "variables": {"region": {"default": "eu"}}}],
        "paths": {
            "/pets": {
                "get": {"operationId": "listPets", "summary": "List pets", "tags": ["pets"], "deprecated": true, "parameters": [
                    {"name": "limit", "in": "query", "description": "How many.", "schema": {"type": "integer", "maximum": 100}},
                    {"name": "tags", "in": "query", "schema": {"type": "array", "items": {"type": "string"}}},
                    {"name": "X-Trace", "in": "header", "schema": {"type": "string"}},
                    {"name": "x-API-key", "in": "header", "required": true, "schema": {"type": "string"}},
                    {"name": "token", "in": "query", "schema": {"type": "string"}},
                    {"name": "session", "in": "cookie", "schema": {"type": "string"}}]},
                "post": {"operationId": "createPet", "description": "Adds one.",
                    "requestBody": {"$ref": "#/components/requestBodies/Pet"}},
            },
            "/pets/{id}": {
                "parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "string"}}],
                "get": {"parameters": [{"name": "id", "in": "query", "schema": {"type": "string"}}], "responses": {
                    "200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}}}}},
                "delete": {"operationId": "deletePet", "tags": ["admin"]},
            },
            "/login": {"post": {"operationId": "login", "requestBody": {"required": true, "content": {
                "application/x-www-form-urlencoded": {"schema": {"type": "object", "properties": {"user": {"type": "string"}}}}}}}},
            "/upload": {"post": {"operationId": "upload", "servers": [{"url": "https://uploads.test"}]}},
        },
        "components": {
            "securitySchemes": {"query": {"type": "apiKey", "in": "query", "name": "token"}},
            "requestBodies": {"Pet": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}}}},
            "schemas": {"Pet": {"type": "object", "required": ["id", "name"], "properties": {
                "id": {"type": "integer", "readOnly": true}, "name": {"type": "string"},
                "mother": {"$ref": "#/components/schemas/Pet"}}}},
        },
    })
}

fn read(document: &Value, options: &Options) -> Result<Api, Mistake> {
    let text = document.to_string();
    Api::of(&Document::read(&text).expect("JSON"), options)
}

fn api() -> Api {
    let options = Options {
        headers: vec!["X-Api-Key".to_owned()],
        ..Options::default()
    };
    read(&document(), &options).expect("a document")
}

#[test]
fn operations_become_tools() {
    let api = api();
    let names: Vec<&str> = api.tools().iter().map(Tool::name).collect();
    assert_eq!(
        names,
        ["listPets", "createPet", "get_pets_by_id", "deletePet", "login"]
    );
    assert_eq!(
        api.left_out(),
        [
            "POST /upload becomes no tool: it is at `uploads.test`, which is another server than the document's first"
        ]
    );
    let tool =
        |name: &str| -> Value { serde_json::from_str(api.tool(name).expect(name).listed()).expect("JSON") };
    let list = tool("listPets");
    assert_eq!(
        (&list["title"], &list["description"]),
        (&json!("List pets"), &json!("Deprecated. List pets"))
    );
    assert_eq!(
        list["annotations"],
        json!({"readOnlyHint": true, "destructiveHint": false, "idempotentHint": true})
    );
    assert_eq!(
        list["inputSchema"]["properties"]["limit"]["description"],
        "How many."
    );
    assert_eq!(list["inputSchema"]["required"], Value::Null);
    let arguments = list["inputSchema"]["properties"].as_object().expect("arguments");
    let names: Vec<&String> = arguments.keys().collect();
    assert_eq!(
        names,
        ["limit", "tags", "X-Trace", "session"],
        "no credentials among them"
    );
    assert_eq!(list["outputSchema"], Value::Null);
    let create = tool("createPet");
    assert_eq!(create["inputSchema"]["required"], json!(["body"]));
    assert_eq!(
        create["inputSchema"]["properties"]["body"],
        json!({"$ref": "#/$defs/Pet"})
    );
    assert_eq!(create["inputSchema"]["$defs"]["Pet"]["required"], json!(["name"]));
    let delete = tool("deletePet");
    assert_eq!(delete["description"], "DELETE /pets/{id}");
    assert_eq!(
        delete["annotations"],
        json!({"readOnlyHint": false, "destructiveHint": true, "idempotentHint": true})
    );
    let read = tool("get_pets_by_id");
    assert!(
        read["inputSchema"]["properties"]["id_query"].is_object(),
        "{read}"
    );
    assert_eq!(
        read["outputSchema"],
        json!({"type": "object", "properties": {"id": {"type": ["integer", "null"]}, "name": {"type": ["string", "null"]},
            "mother": {"$ref": "#/$defs/Pet"}}, "$defs": {"Pet": {"type": ["object", "null"], "properties": {
            "id": {"type": ["integer", "null"]}, "name": {"type": ["string", "null"]}, "mother": {"$ref": "#/$defs/Pet"}}}}})
    );
}

#[test]
fn calls_become_requests() {
    let api = api();
    let check = |name: &str, arguments: Value, want: Result<(&str, &str, Option<&str>), &str>| {
        let tool = api.tool(name).expect(name);
        let arguments = arguments.as_object().cloned().unwrap_or_default();
        let got = tool.request(&arguments);
        let got = got.as_ref().map(|asked| {
            let body = asked
                .body
                .as_ref()
                .map(|(_, bytes)| std::str::from_utf8(bytes).expect("text"));
            (asked.method.as_str(), asked.target.as_str(), body)
        });
        assert_eq!(got.map_err(String::as_str), want, "{name}");
    };
    check(
        "listPets",
        json!({"limit": 5, "tags": ["a b", "c&d"]}),
        Ok(("GET", "/v1/pets?limit=5&tags=a%20b&tags=c%26d", None)),
    );
    check(
        "get_pets_by_id",
        json!({"id": "a/b?c", "id_query": "x"}),
        Ok(("GET", "/v1/pets/a%2Fb%3Fc?id=x", None)),
    );
    check(
        "createPet",
        json!({"body": {"name": "Rex"}}),
        Ok(("POST", "/v1/pets", Some(r#"{"name":"Rex"}"#))),
    );
    check(
        "login",
        json!({"body": {"user": "a b"}}),
        Ok(("POST", "/v1/login", Some("user=a%20b"))),
    );
    check(
        "deletePet",
        json!({"id": ".."}),
        Err("`id` has no place in a path"),
    );
    check("deletePet", json!({"id": ""}), Err("`id` has no place in a path"));
    check("deletePet", json!({}), Err("`id` is missing"));
    check(
        "deletePet",
        json!({"id": "7", "force": true}),
        Err("`force` is not known"),
    );
    check("listPets", json!({"limit": "5"}), Err("`limit` is no integer"));
    check(
        "listPets",
        json!({"limit": 500}),
        Err("`limit` does not fit `maximum: 100`"),
    );
    check(
        "listPets",
        json!({"X-Trace": "a\r\nX: y"}),
        Err("`X-Trace` holds characters that no header can have"),
    );
    check("createPet", json!({"body": {}}), Err("`body.name` is missing"));
    let asked = api
        .tool("listPets")
        .expect("it")
        .request(json!({"X-Trace": "t", "session": "a;b"}).as_object().expect("it"));
    let want = [
        ("X-Trace".to_owned(), "t".to_owned()),
        ("Cookie".to_owned(), "session=a%3Bb".to_owned()),
    ];
    assert_eq!(asked.expect("a request").headers, want);
}

#[test]
fn no_value_leads_to_another_path() {
    let api = api();
    let tool = api.tool("deletePet").expect("it is there");
    for value in [
        "/", "a/b", "..", ".", "", "%2e%2e", "../..", "?x=1", "#top", "\\", "\0", "\r\n", "é", "a;b", "//x",
        "{id}",
    ] {
        let arguments = json!({ "id": value });
        let Ok(asked) = tool.request(arguments.as_object().expect("an object")) else {
            continue;
        };
        let segments: Vec<&str> = asked.target.split('/').collect();
        assert_eq!(segments[..3], ["", "v1", "pets"], "{value:?}");
        assert_eq!(segments.len(), 4, "{value:?}: {}", asked.target);
        assert!(
            !asked.target.contains(['?', '#', '\\']) && asked.target.is_ascii(),
            "{}",
            asked.target
        );
        assert!(!matches!(segments[3], "" | "." | ".."), "{}", asked.target);
    }
}

#[test]
fn what_is_no_document() {
    let check = |document: Value, want: &str| {
        let error = read(&document, &Options::default()).err().expect("it is none");
        assert!(error.message.contains(want), "{error:?}");
    };
    check(json!({}), "this is no OpenAPI document");
    check(json!({"swagger": "2.0"}), "this is Swagger 2.0");
    check(json!({"openapi": "4.0"}), "3.0 and 3.1 are");
    check(json!({"openapi": "3.1.0"}), "`paths` is missing");
    check(
        json!({"openapi": "3.1.0", "paths": {}}),
        "no operation becomes a tool",
    );
    check(
        json!({"openapi": "3.1.0", "paths": {"/a": {"get": 7}}}),
        "an operation is an object",
    );
    let missing = json!({"openapi": "3.1.0", "paths": {"/a/{b}": {"get": {}}}});
    check(missing, "`{b}` in its path is no parameter");
    let many: serde_json::Map<String, Value> = (0..=MAX_TOOLS)
        .map(|i| (format!("/{i}"), json!({"get": {}})))
        .collect();
    check(
        json!({"openapi": "3.1.0", "paths": many}),
        "more than 10000 operations",
    );
}

#[test]
fn a_long_list_has_pages() {
    let text = "x".repeat(4_000);
    let paths: serde_json::Map<String, Value> = (0..600)
        .map(|i| {
            (
                format!("/{i}"),
                json!({"get": {"operationId": format!("t{i}"), "description": text}}),
            )
        })
        .collect();
    let api = read(&json!({"openapi": "3.1.0", "paths": paths}), &Options::default()).expect("a document");
    let ask = |cursor: Option<&Value>| {
        let mut body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}});
        if let Some(cursor) = cursor {
            body["params"]["cursor"] = cursor.clone();
        }
        let body = body.to_string();
        match reply(
            &api,
            &Message::read(body.as_bytes()).expect("a message"),
            &Headers::new(),
        ) {
            Reply::Message(_, body) => serde_json::from_slice::<Value>(&body).expect("JSON"),
            _ => panic!("no answer"),
        }
    };
    let (mut names, mut cursor, mut pages) = (Vec::new(), None, 0);
    loop {
        let answer = ask(cursor.as_ref());
        let tools = answer["result"]["tools"].as_array().expect("tools").clone();
        names.extend(
            tools
                .iter()
                .map(|tool| tool["name"].as_str().expect("a name").to_owned()),
        );
        pages += 1;
        match answer["result"].get("nextCursor") {
            Some(next) => cursor = Some(next.clone()),
            None => break,
        }
    }
    let want: Vec<String> = (0..600).map(|i| format!("t{i}")).collect();
    assert_eq!((pages, names), (3, want));
    assert_eq!(ask(Some(&json!("x")))["error"]["code"], -32602);
}

/// The status and the message, or `None` for a call.
fn said(body: Value, headers: &[(&str, &str)]) -> Option<(u16, Value)> {
    let (api, body) = (api(), body.to_string());
    let message = Message::read(body.as_bytes()).expect("a message");
    let headers: Headers = headers.iter().copied().collect();
    match reply(&api, &message, &headers) {
        Reply::Taken => Some((202, Value::Null)),
        Reply::Message(status, body) => Some((status, serde_json::from_slice(&body).expect("JSON"))),
        Reply::Call(_) => None,
    }
}

fn legacy(method: &str, params: Value) -> Option<(u16, Value)> {
    said(
        json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}),
        &[],
    )
}

fn modern(method: &str, more: Value, headers: &[(&str, &str)]) -> Option<(u16, Value)> {
    let mut params = json!({"_meta": {"io.modelcontextprotocol/protocolVersion": Era::FIRST_MODERN,
        "io.modelcontextprotocol/clientCapabilities": {}}});
    for (name, value) in more.as_object().into_iter().flatten() {
        params[name] = value.clone();
    }
    let name = params["name"].as_str().unwrap_or_default().to_owned();
    let mut all = headers.to_vec();
    if !headers.is_empty() {
        all.push((header::METHOD, method));
    }
    if !name.is_empty() && !headers.iter().any(|(known, _)| *known == header::NAME) {
        all.push((header::NAME, &name));
    }
    said(
        json!({"jsonrpc": "2.0", "id": "a", "method": method, "params": params}),
        &all,
    )
}

#[test]
fn the_first_era() {
    let (status, answer) = legacy("initialize", json!({"protocolVersion": "2025-06-18"})).expect("an answer");
    assert_eq!(
        (status, &answer["result"]["protocolVersion"]),
        (200, &json!("2025-06-18"))
    );
    assert_eq!(
        answer["result"]["serverInfo"],
        json!({"name": "Pets", "version": "1.2"})
    );
    assert_eq!(answer["result"]["instructions"], "A shop.");
    let (_, answer) = legacy("initialize", json!({"protocolVersion": "2026-07-28"})).expect("an answer");
    assert_eq!(answer["result"]["protocolVersion"], "2025-11-25");
    assert_eq!(
        legacy("ping", json!({})).expect("an answer").1["result"],
        json!({})
    );
    let (_, answer) = legacy("tools/list", json!({})).expect("an answer");
    assert_eq!(answer["result"]["tools"].as_array().map(Vec::len), Some(5));
    assert!(answer["result"]["ttlMs"].is_null());
    assert!(
        legacy("tools/call", json!({"name": "listPets"})).is_none(),
        "a call"
    );
    let code =
        |method: &str, params: Value| legacy(method, params).map(|(s, a)| (s, a["error"]["code"].as_i64()));
    assert_eq!(
        code("tools/call", json!({"name": "nope"})),
        Some((200, Some(-32602)))
    );
    assert_eq!(
        code("tools/call", json!({"name": "listPets", "arguments": []})),
        Some((200, Some(-32600)))
    );
    assert_eq!(
        code("tools/list", json!({"cursor": "x"})),
        Some((200, Some(-32602)))
    );
    assert_eq!(code("server/discover", json!({})), Some((200, Some(-32601))));
    let note = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    assert_eq!(said(note, &[]), Some((202, Value::Null)));
}

#[test]
fn the_second_era() {
    let version = (header::PROTOCOL_VERSION, Era::FIRST_MODERN);
    let (status, answer) = modern("server/discover", json!({}), &[version]).expect("an answer");
    let result = &answer["result"];
    assert_eq!(
        (status, &result["supportedVersions"]),
        (200, &json!([Era::FIRST_MODERN]))
    );
    assert_eq!(
        (&result["resultType"], &result["cacheScope"]),
        (&json!("complete"), &json!("public"))
    );
    let (_, answer) = modern("tools/list", json!({}), &[version]).expect("an answer");
    assert!(answer["result"]["ttlMs"].is_u64(), "{answer}");
    assert!(modern("tools/call", json!({"name": "listPets"}), &[version]).is_none());
    let code = |got: Option<(u16, Value)>| got.map(|(s, a)| (s, a["error"]["code"].as_i64()));
    assert_eq!(
        code(modern("ping", json!({}), &[version])),
        Some((404, Some(-32601)))
    );
    assert_eq!(
        code(modern("tools/list", json!({}), &[])),
        Some((400, Some(-32020)))
    );
    let name = ("Mcp-Name", "deletePet");
    assert_eq!(
        code(modern(
            "tools/call",
            json!({"name": "listPets"}),
            &[version, name]
        )),
        Some((400, Some(-32020)))
    );
    let later = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list",
        "params": {"_meta": {"io.modelcontextprotocol/protocolVersion": "2031-01-01"}}});
    let (status, answer) = said(later, &[]).expect("an answer");
    assert_eq!(
        (status, &answer["error"]["code"], &answer["id"]),
        (400, &json!(-32022), &json!(1))
    );
    let bare = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list",
        "params": {"_meta": {"io.modelcontextprotocol/protocolVersion": Era::FIRST_MODERN}}});
    assert_eq!(code(said(bare, &[version])), Some((400, Some(-32602))));
}
