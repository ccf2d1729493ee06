//! What is a message, and what is refused because two readers could take it for two.

use super::*;
use serde_json::json;

fn refusal(body: &str) -> Option<(i64, String)> {
    Message::read(body.as_bytes()).err().map(|e| (e.code, e.message))
}

#[track_caller]
fn refused(body: &str, code: i64, message: &str) {
    assert_eq!(refusal(body), Some((code, message.to_owned())), "{body}");
}

/// What a log tells of a message.
fn told(message: &Message<'_>) -> String {
    let call = message.call();
    serde_json::to_string(&call.told(&std::borrow::Cow::Borrowed)).unwrap()
}

#[test]
fn messages() {
    let check = |body: &str, method: &str, id: Option<&str>, name: Option<&str>| {
        let message = Message::read(body.as_bytes()).unwrap_or_else(|e| panic!("{body}: {e}"));
        let got = (
            message.method(),
            message.id.as_ref().map(|v| v.raw()),
            message.name(),
        );
        assert_eq!(got, (method, id, name), "{body}");
    };
    check(
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#,
        "tools/list",
        Some("1"),
        None,
    );
    check(
        r#"{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"add","arguments":{"name":"x"}}}"#,
        "tools/call",
        Some("\"a\""),
        Some("add"),
    );
    check(
        r#"{"jsonrpc":"2.0","id":2,"method":"resources/read","params":{"uri":"file:\/\/a"}}"#,
        "resources/read",
        Some("2"),
        Some("file://a"),
    );
    check(
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        "notifications/initialized",
        None,
        None,
    );
    check(r#"{"jsonrpc":"2.0","id":3,"result":{}}"#, "", Some("3"), None);
    check(
        r#"{"jsonrpc":"2.0","error":{"code":-1,"message":"x"}}"#,
        "",
        None,
        None,
    );
}

#[test]
fn what_is_no_message() {
    refused("", -32700, "no JSON: it ends too early at byte 0");
    refused("{]", -32700, "no JSON: unexpected character at byte 1");
    refused("7", -32600, "a message is an object");
    refused("{}", -32600, "`jsonrpc` is not \"2.0\"");
    refused(
        r#"{"jsonrpc":2.0,"method":"ping"}"#,
        -32600,
        "`jsonrpc` is not \"2.0\"",
    );
    refused(
        r#"{"jsonrpc":"2.0","id":1}"#,
        -32600,
        "neither a request nor an answer: there is no `method`",
    );
    refused(
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}"#,
        -32600,
        "`method` stands beside `result` or `error`",
    );
    for id in ["null", "1.5", "[]", "true", "{}", "1e3"] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
        refused(&body, -32600, "`id` is neither text nor a whole number");
    }
    for method in ["7", "null", "\"\"", "[\"ping\"]"] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":{method}}}"#);
        refused(&body, -32600, "`method` is no text");
    }
    refused(
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":["x"]}"#,
        -32600,
        "`params` is no object",
    );
}

#[test]
fn nothing_gets_around_a_policy_by_how_it_is_written() {
    let batch = r#"[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x"}}]"#;
    refused(
        batch,
        -32600,
        "several messages at once are not taken: send each alone",
    );
    let alike = |body: &str, why: &str| {
        let (code, message) = refusal(body).unwrap_or_else(|| panic!("{body} is taken"));
        assert_eq!(code, -32600, "{body}");
        assert!(
            message.starts_with("not the same to all readers: ") && message.contains(why),
            "{message}"
        );
    };
    let twice = "a name is there twice";
    alike(
        r#"{"jsonrpc":"2.0","method":"ping","id":1,"method":"tools/call"}"#,
        twice,
    );
    alike(
        r#"{"jsonrpc":"2.0","Method":"tools/call","id":1,"method":"ping"}"#,
        twice,
    );
    alike(r#"{"jsonrpc":"2.0","id":1,"Method":"tools/call"}"#, twice);
    alike(
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"safe","n\u0061me":"drop"}}"#,
        twice,
    );
    alike(
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"safe","Arguments":{}}}"#,
        twice,
    );
    alike(
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"pay","arguments":{"amount":1,"amount":9}}}"#,
        twice,
    );
    alike(
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"pay","arguments":{"amount":1e999}}}"#,
        "a number that is not the same to all readers",
    );
    alike(
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"pay","arguments":{"id":9007199254740993}}}"#,
        "a number that is not the same to all readers",
    );
    alike(
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"\ud800"}}"#,
        "half of a surrogate pair",
    );
    let deep = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"x","params":{{"a":{}}}}}"#,
        "[".repeat(200)
    );
    assert_eq!(refusal(&deep).map(|r| r.0), Some(-32700));
    refused(
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":["x"]}}"#,
        -32602,
        "`params.name` is no text",
    );
    refused(
        r#"{"jsonrpc":"2.0","id":1,"method":"resources/read"}"#,
        -32602,
        "`params.uri` is no text",
    );
    assert_eq!(
        refusal(r#"{"jsonrpc":"2.0","id":1,"method":"resources/subscribe"}"#),
        None
    );
    assert!(refusal("\u{feff}{}").is_some(), "a byte order mark is no JSON");
}

/// Cut off anywhere, or with any byte another, it is read or refused, and never more than it was.
#[test]
fn no_text_breaks_it() {
    let whole = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a\u0064d","arguments":{"x":[1.5e3,{"y":null}]}}}"#;
    for at in 0..whole.len() {
        assert!(Message::read(&whole.as_bytes()[..at]).is_err(), "cut at {at}");
        for byte in [0, b'"', b'\\', b'{', b'}', b'[', b',', b'9', 0x80, 0xff] {
            let mut other = whole.as_bytes().to_vec();
            other[at] = byte;
            if let Ok(message) = Message::read(&other) {
                // Policies must not take what they cannot read for what is not there.
                let params = message.params().map(|params| params.raw());
                let read = serde_json::from_str::<serde_json::Value>(params.unwrap_or("{}"));
                assert!(read.is_ok(), "{}", String::from_utf8_lossy(&other));
                let _ = (told(&message), message.era(None));
            }
        }
    }
}

#[test]
fn a_refusal_has_the_id_that_could_be_read() {
    let error = Message::read(br#"{"jsonrpc":"1.0","id":"a\"b","method":"ping"}"#).unwrap_err();
    assert_eq!(error.id.as_deref(), Some(r#""a\"b""#));
}

#[test]
fn eras() {
    let check = |body: &str, header: Option<&str>, want: Era| {
        assert_eq!(
            Message::read(body.as_bytes()).unwrap().era(header),
            want,
            "{body}"
        );
    };
    let modern = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;
    check(modern, None, Era::Modern);
    let plain = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    check(plain, None, Era::Legacy);
    check(plain, Some("2025-06-18"), Era::Legacy);
    check(plain, Some("2026-07-28"), Era::Modern);
    let initialize =
        r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2026-07-28"}}"#;
    check(initialize, None, Era::Legacy);
}

#[test]
fn what_policies_and_the_record_are_told() {
    let check = |name: &str| {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"{name}","arguments":{{"a":1}}}}}}"#
        );
        let body = Bytes::from(body);
        let message = Message::read(&body).unwrap();
        let asked = message.asked(&body, &message.call());
        assert_eq!((asked.at_hand("name"), asked.tool()), (Some("add"), Some("add")));
        assert_eq!(&*asked.method, "tools/call");
        assert_eq!(
            json!(asked.params()),
            json!({"name": "add", "arguments": {"a": 1}})
        );
        assert_eq!(told(&message), r#"{"method":"tools/call","tool":"add","id":"7"}"#);
    };
    check("add");
    check("a\\u0064d");
    let long = "x".repeat(5000);
    let body = format!(r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"{long}"}}}}"#);
    let body = Bytes::from(body);
    let message = Message::read(&body).unwrap();
    let asked = message.asked(&body, &message.call());
    assert_eq!((asked.at_hand("name"), asked.tool()), (None, Some(&*long)));
}

#[test]
fn an_answer_has_no_parameters() {
    let body = br#"{"jsonrpc":"2.0","id":7,"result":{},"params":{"name":"x","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;
    let message = Message::read(body).unwrap();
    assert!(message.params().is_none() && message.value(part::VERSION).is_none());
    assert_eq!((message.version(), message.era(None)), (None, Era::Legacy));
}
