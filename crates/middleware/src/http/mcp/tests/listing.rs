//! What is listed to whom.

use super::*;

pub(super) const TOOLS: &str =
    r#"{"jsonrpc":"2.0","id":7,"result":{"tools":[{"name":"search"},{"name":"drop"},{"name":"read_a"}]}}"#;
const SHOWN: &str = r#"{"jsonrpc":"2.0","id":7,"result":{"tools":[{"name":"search"},{"name":"read_a"}]}}"#;

pub(super) fn listed() -> Vec<McpListPolicy> {
    let rule = |matches: &str, action| McpListPolicy {
        matches: matches.to_owned(),
        action: Some(action),
        ..McpListPolicy::default()
    };
    vec![
        rule("Prefix(`mcp.params.name`, `read_`)", Visibility::Show),
        rule(
            "Contains(`jwt.allowed_tools`, `${mcp.params.name}`)",
            Visibility::Show,
        ),
    ]
}

fn hiding() -> Config {
    Config {
        list_policies: listed(),
        list_default_action: Visibility::Hide,
        ..Config::default()
    }
}

#[test]
fn lists_show_what_may_be_seen() {
    let mut bench = backend(TOOLS, "application/json");
    let chain = chain(&mut bench, &hiding(), Some(ann()));
    let outcome = bench.send(
        &chain,
        post(&method("tools/list"), &[("Accept-Encoding", "gzip")]),
    );
    assert_eq!((outcome.status, outcome.text().as_str()), (200, SHOWN));
    assert_eq!(outcome.length, Some(SHOWN.len() as u64));
    assert_eq!(bench.last().header("Accept-Encoding"), None);
    // Only lists are looked at.
    let outcome = bench.send(
        &chain,
        post(&call("search", json!({})), &[("Accept-Encoding", "gzip")]),
    );
    assert_eq!(
        (outcome.text().as_str(), bench.last().header("Accept-Encoding")),
        (TOOLS, Some("gzip"))
    );
}

#[test]
fn lists_in_streams_show_no_more() {
    let stream = format!(
        "id: 1\ndata: \n\nevent: message\nid: 2\ndata: {TOOLS}\n\n: ping\n\nevent: other\ndata: {TOOLS}\n\n"
    );
    let want = stream.replacen(TOOLS, SHOWN, 1);
    let stream: &'static str = Box::leak(stream.into_boxed_str());
    for at in 0..=stream.len() {
        for req in [
            post(&method("tools/list"), &[]),
            request("GET", "/mcp", &[("Last-Event-ID", "1")]),
        ] {
            let mut bench = Bench::raw(move |_| {
                let (first, rest) = stream.as_bytes().split_at(at);
                let pieces = [first, rest].into_iter().filter(|p| !p.is_empty()).map(Act::Data);
                let mut res = Response::new(200);
                res.headers.set("Content-Type", "text/event-stream");
                res.body = Script::new(pieces).body();
                res
            });
            let chain = chain(&mut bench, &hiding(), Some(ann()));
            assert_eq!(bench.send(&chain, req).text(), want, "cut at {at}");
        }
    }
}

#[test]
fn a_list_that_cannot_be_read_is_not_passed_on() {
    let check = |answer: &'static str, coding: Option<&'static str>| {
        let mut bench = Bench::new(move |_: &Seen| {
            let mut res = Response::bare(200, answer);
            res.headers.set("Content-Type", "application/json");
            if let Some(coding) = coding {
                res.headers.set("Content-Encoding", coding);
            }
            res
        });
        let chain = chain(&mut bench, &hiding(), Some(ann()));
        let outcome = bench.send(&chain, post(&method("tools/list"), &[]));
        assert_eq!(outcome.status, 502, "{answer}");
        assert!(!outcome.text().contains("drop"), "{}", outcome.text());
    };
    check(TOOLS, Some("gzip"));
    check(r#"{"result":{"tools":[],"tools":[{"name":"drop"}]}}"#, None);
    check(r#"{"result":{"tools":[{"name":"drop","x":NaN}]}}"#, None);
    let stream = "data: {\"result\":{\"tools\":[{\"name\":\"drop\",\"x\":NaN}]}}\n\ndata: {}\n\n";
    let mut bench = backend(stream, "text/event-stream");
    let chain = chain(&mut bench, &hiding(), Some(ann()));
    let outcome = bench.send(&chain, post(&method("tools/list"), &[]));
    assert_eq!(outcome.text(), "data: {}\n\n");
}
