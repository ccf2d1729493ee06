//! How refusals look.

use super::*;

#[test]
fn how_a_refusal_looks() {
    let text = |config: &Config, body: &str, headers: &[(&str, &str)]| {
        let (outcome, asked) = run(config, Some(ann()), post(body, headers));
        assert_eq!(asked, 0);
        (outcome.status, outcome.text())
    };
    let mut config = layered();
    config.status_code_on_deny = 200;
    assert_eq!(
        text(&config, &call("drop", json!({})), &[]),
        (200, FORBIDDEN.to_owned())
    );
    config.status_code_on_deny = 404;
    assert_eq!(text(&config, &call("drop", json!({})), &[]).0, 404);
    // A notification has no id, and none is made up.
    let silent = r#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#;
    let bare = r#"{"jsonrpc":"2.0","error":{"code":-32003,"message":"Forbidden"}}"#;
    assert_eq!(text(&config, silent, &[]), (404, bare.to_owned()));
    // The second era keeps JSON-RPC's codes to itself.
    let modern = json!({"jsonrpc": "2.0", "id": "x", "method": "tools/call", "params": {"name": "drop",
        "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}}});
    let (_, body) = text(&config, &modern.to_string(), &[]);
    assert_eq!(
        body,
        r#"{"jsonrpc":"2.0","id":"x","error":{"code":403,"message":"Forbidden"}}"#
    );
    let (_, body) = text(
        &config,
        &call("drop", json!({})),
        &[("MCP-Protocol-Version", "2026-07-28")],
    );
    assert!(body.contains("\"code\":403"), "{body}");
    // Agents go on; what is no call of a tool is refused as ever.
    config.graceful_errors = true;
    let (status, body) = text(&config, &call("drop", json!({})), &[]);
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (status, &body["id"], &body["result"]["isError"]),
        (200, &json!(7), &json!(true))
    );
    assert_eq!(
        text(&config, &method("prompts/list"), &[]),
        (404, FORBIDDEN.to_owned())
    );
}
