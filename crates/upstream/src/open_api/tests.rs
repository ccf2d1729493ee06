//! Calls of tools at an API that notes what it is asked.

use super::*;
use crate::service::fake::{exchange, run};
use serde_json::{Value, json};
use std::sync::Mutex;
use trilithon_flow::{Body, Keep};
use trilithon_model::dynamic::http::{OpenApiCriteria, OpenApiOperations};
use trilithon_testkit::Folder;

const DOCUMENT: &str = "
openapi: 3.1.0
info: {title: Pets, version: '1'}
servers: [{url: https://pets.test/v1}]
paths:
  /pets/{id}:
    get:
      operationId: getPet
      parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
    delete:
      operationId: deletePet
      parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
";

/// What the API saw: the request line, and its headers.
#[derive(Default)]
struct Pets {
    seen: Mutex<Vec<String>>,
}

impl Service for Pets {
    fn call<'a>(&'a self, req: Request, _: &'a mut Exchange) -> Reply<'a> {
        Box::pin(async move {
            let header = |(name, value): (&[u8], &[u8])| {
                format!(
                    "{}: {}",
                    String::from_utf8_lossy(name).to_lowercase(),
                    String::from_utf8_lossy(value)
                )
            };
            let headers: Vec<String> = req.headers.iter().map(header).collect();
            let told = format!("{} {} {}", req.method, req.target, headers.join(" | "));
            self.seen.lock().unwrap().push(told);
            match req.target.as_str() {
                "/v1/pets/7" => {
                    let mut res = Response::bare(200, r#"{"id":7}"#);
                    res.headers.set_known(Known::ContentType, "application/json");
                    res
                }
                "/v1/pets/8" => Response::bare(200, "x".repeat(100)),
                _ => Response::bare(404, "no such pet"),
            }
        })
    }
}

impl Backend for Pets {}

fn config() -> Config {
    Config {
        document: DOCUMENT.to_owned(),
        service: "pets".to_owned(),
        max_answer_size: 50,
        headers: [("X-Api-Key".to_owned(), Secret::new("s3cret"))].into(),
        ..Config::default()
    }
}

fn build(config: &Config) -> Result<(OpenApi, Arc<Pets>), BuildError> {
    let pets = Arc::<Pets>::default();
    let child = Child {
        name: "pets".to_owned(),
        weight: None,
        backend: pets.clone(),
    };
    OpenApi::build("tools@file", config, child, &Keep::default()).map(|service| (service, pets))
}

fn ask(service: &OpenApi, body: &str, more: &[(&str, &str)]) -> (u16, Value) {
    let mut req = Request {
        method: Method::Post,
        body: Body::from(body.to_owned()),
        ..Request::default()
    };
    req.headers.append("Host", "mcp.test");
    req.headers.append("Authorization", "Bearer of-the-caller");
    req.headers.append("Accept-Encoding", "gzip");
    more.iter()
        .for_each(|(name, value)| req.headers.append(name, value));
    run(async {
        let mut cx = exchange(1);
        let mut res = service.call(req, &mut cx).await;
        let body = res.body.collect(1 << 20).await.unwrap();
        (res.status, serde_json::from_slice(&body).unwrap_or_default())
    })
}

fn call(tool: &str, arguments: Value) -> String {
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}})
        .to_string()
}

#[test]
fn a_call_becomes_a_request() {
    let (service, pets) = build(&config()).unwrap();
    let (status, answer) = ask(&service, &call("getPet", json!({"id": 7})), &[]);
    assert_eq!(
        (status, &answer["result"]["structuredContent"]),
        (200, &json!({"id": 7}))
    );
    let want = "GET /v1/pets/7 host: mcp.test | accept: application/json, */*;q=0.5 | x-api-key: s3cret";
    assert_eq!(
        *pets.seen.lock().unwrap(),
        [want],
        "and no credentials of the caller"
    );
    let passing = Config {
        pass_headers: vec!["Authorization".to_owned()],
        ..config()
    };
    let (service, pets) = build(&passing).unwrap();
    ask(&service, &call("getPet", json!({"id": 7})), &[]);
    assert!(pets.seen.lock().unwrap()[0].contains("authorization: Bearer of-the-caller"));
}

#[test]
fn no_argument_takes_the_place_of_a_header_of_the_gateway() {
    let with_key = DOCUMENT.replace(
        "    delete:",
        "    put:\n      operationId: putPet\n      parameters: [{name: id, in: path}, {name: x-api-key, in: header}, {name: X-Other, in: header}]\n    delete:",
    );
    let config = Config {
        document: with_key,
        ..config()
    };
    let (service, pets) = build(&config).unwrap();
    let (_, answer) = ask(
        &service,
        &call("putPet", json!({"id": 7, "x-api-key": "mine"})),
        &[],
    );
    assert_eq!(answer["result"]["content"][0]["text"], "`x-api-key` is not known");
    ask(
        &service,
        &call("putPet", json!({"id": 7, "X-Other": "mine"})),
        &[],
    );
    let seen = pets.seen.lock().unwrap();
    assert!(seen[0].ends_with("x-other: mine | x-api-key: s3cret"), "{seen:?}");
}

#[test]
fn what_goes_wrong_is_a_result() {
    let (service, pets) = build(&config()).unwrap();
    let check = |tool: &str, arguments: Value, want: &str| {
        let (status, answer) = ask(&service, &call(tool, arguments), &[]);
        let result = &answer["result"];
        assert_eq!((status, &result["isError"]), (200, &json!(true)), "{answer}");
        assert_eq!(result["content"][0]["text"], want);
    };
    check("getPet", json!({"id": 9}), "404 Not Found\nno such pet");
    check(
        "getPet",
        json!({"id": 8}),
        "the answer of the API is larger than 50 bytes",
    );
    let asked = pets.seen.lock().unwrap().len();
    check("getPet", json!({"id": "7"}), "`id` is no integer");
    check("deletePet", json!({}), "`id` is missing");
    assert_eq!(pets.seen.lock().unwrap().len(), asked, "the API was not asked");
}

#[test]
fn what_is_no_message() {
    let (service, _) = build(&config()).unwrap();
    assert_eq!(ask(&service, "[]", &[]).0, 400);
    assert_eq!(ask(&service, "no JSON", &[]).0, 400);
    let get = Request::default();
    let status = run(async { service.call(get, &mut exchange(1)).await.status });
    assert_eq!(status, 405);
    let long = format!("\"{}\"", "x".repeat(2 << 20));
    assert_eq!(ask(&service, &long, &[]).0, 413);
}

#[test]
fn mistakes_have_their_place() {
    let check = |config: Config, want: &str| {
        let error = build(&config).err().expect("it is none");
        assert!(error.message.contains(want), "{error}");
    };
    let with = |document: &str| Config {
        document: document.to_owned(),
        ..config()
    };
    check(with(""), "has no `document`");
    check(with("/nowhere/api.yml"), "cannot read `/nowhere/api.yml`");
    check(
        with("openapi: 3.1.0\npaths:\n  /a: {get: 7}\n"),
        "document:3:13: an operation is an object",
    );
    check(with("openapi: 3.1.0\npaths: [\n"), "document:");
    check(with("{\n \"openapi\": 3.1.0\n}"), "document:2:");
    check(
        with("openapi: '2.0'\npaths: {}\n"),
        "document:1:10: OpenAPI `2.0` is not known",
    );
    let folder = Folder::new("open-api");
    let path = folder.write("api.yml", "openapi: 3.1.0\npaths: {}\n");
    let named = Config {
        document: path.display().to_string(),
        ..config()
    };
    check(named.clone(), "api.yml:2:1: no operation becomes a tool");
    let small = Config {
        max_document_size: 10,
        ..named
    };
    check(small, "is larger than `maxDocumentSize`, 10 bytes");
    let without = OpenApiOperations {
        exclude: vec![OpenApiCriteria::default()],
        ..OpenApiOperations::default()
    };
    let nothing = Config {
        operations: Some(without),
        ..config()
    };
    check(nothing, "no operation becomes a tool");
    let header = Config {
        pass_headers: vec!["a b".to_owned()],
        ..config()
    };
    check(header, "`a b` is no name of a header");
    for wrong in ["v1", "/v1?x", "/{v}", "/a b"] {
        let base = Config {
            base_path: Some(wrong.to_owned()),
            ..config()
        };
        check(base, &format!("`basePath` `{wrong}` is no path"));
    }
}
