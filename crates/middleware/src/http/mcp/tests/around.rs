//! What must not get a call past rules that refuse it: another spelling, another form, another size.

use super::*;

#[test]
fn nothing_gets_around_the_rules() {
    let config = all_but_drop();
    let check = |req: Request, want: u16, what: &str| {
        let (outcome, asked) = run(&config, Some(ann()), req);
        assert_eq!((outcome.status, asked), (want, 0), "{what}: {}", outcome.text());
        let body: Value = serde_json::from_str(&outcome.text()).expect("an error of JSON-RPC");
        assert!(body["error"]["code"].is_i64(), "{what}");
    };
    let drop = call("drop", json!({}));
    check(post(&drop, &[]), 403, "plainly");
    check(post(&drop.replace("drop", "dr\\u006fp"), &[]), 403, "in escapes");
    let late = [("MCP-Protocol-Version", "2025-06-18")];
    check(
        post(&format!("[{drop}]"), &late),
        400,
        "in a batch that is none any more",
    );
    check(post(&format!("[[{drop}]]"), &[]), 400, "in a batch in a batch");
    check(post(&format!("{drop}{drop}"), &[]), 400, "two in a row");
    check(
        post(
            &drop.replace("\"name\":\"drop\"", "\"name\":\"x\",\"name\":\"drop\""),
            &[],
        ),
        400,
        "named twice",
    );
    check(
        post(&drop.replace("\"name\"", "\"Name\""), &[]),
        400,
        "in another case",
    );
    check(
        post(&drop.replace("\"params\"", "\"params\":{},\"Params\""), &[]),
        400,
        "beside parameters",
    );
    check(
        post(&drop.replace("\"drop\"", "[\"drop\"]"), &[]),
        400,
        "in a list",
    );
    check(
        post(&drop.replace("\"2.0\"", "\"1.0\""), &[]),
        400,
        "in another version",
    );
    check(
        post(&format!("\u{feff}{drop}"), &[]),
        400,
        "behind a byte order mark",
    );
    check(post(&drop, &[("Content-Encoding", "gzip")]), 415, "compressed");
    let mut utf16 = post("", &[]);
    utf16.body = Body::from(bytes::Bytes::from(
        drop.encode_utf16()
            .flat_map(u16::to_be_bytes)
            .collect::<Vec<u8>>(),
    ));
    check(utf16, 400, "in UTF-16");
    check(post("", &[]), 400, "by saying nothing");
    let mut put = post(&drop, &[]);
    put.method = Method::Put;
    check(put, 405, "by another method");
    let mut get = post(&drop, &[]);
    get.method = Method::Get;
    check(get, 400, "in the body of a GET");
    let mut upgrade = post("", &[]);
    upgrade.upgrade = Some("websocket".into());
    check(upgrade, 501, "by leaving HTTP");
    let header = ("Mcp-Name", "add");
    check(post(&drop, &[header]), 400, "by a header that says otherwise");
    let (outcome, asked) = run(
        &config,
        Some(ann()),
        post(&call("add", json!({})), &[("Mcp-Name", "drop")]),
    );
    assert_eq!((outcome.status, asked), (400, 0));
    assert!(outcome.text().contains("\"code\":-32020"), "{}", outcome.text());
}

#[test]
fn arguments_in_another_spelling_are_no_way_around() {
    let config = Config {
        policies: rules(&[("Gt(`mcp.params.arguments.amount`, `100`)", Effect::Deny)]),
        default_action: Some(Effect::Allow),
        ..Config::default()
    };
    allowed(&config, ann(), &call("pay", json!({"amount": 100})));
    allowed(&config, ann(), &call("pay", json!({"sum": 5000})));
    denied(&config, ann(), &call("pay", json!({"amount": 5000})));
    denied(&config, ann(), &call("pay", json!({"Amount": 5000})));
    denied(&config, ann(), &call("pay", json!({"amount": "5000"})));
    denied(&config, ann(), &call("pay", json!({"amount": [5000]})));
}

#[test]
fn a_message_has_its_limit() {
    let config = Config {
        max_request_body_size: Some(40),
        ..Config::default()
    };
    let (outcome, asked) = run(&config, None, post(&call("add", json!({})), &[]));
    assert_eq!((outcome.status, asked), (413, 0));
    assert!(outcome.text().contains("larger than 40 bytes"));
}
