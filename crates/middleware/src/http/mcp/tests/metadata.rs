//! Metadata of a resource, and the challenge that leads to them.

use super::*;

fn protected() -> Config {
    Config {
        resource_metadata: Some(McpResourceMetadata {
            resource: "https://mcp.test/mcp".to_owned(),
            authorization_servers: vec!["https://auth.test".to_owned()],
            ..McpResourceMetadata::default()
        }),
        ..layered()
    }
}

const CHALLENGE: &str =
    "Bearer resource_metadata=\"https://mcp.test/.well-known/oauth-protected-resource/mcp\"";

#[test]
fn metadata_are_there_for_everybody() {
    let path = "/.well-known/oauth-protected-resource/mcp";
    let (outcome, asked) = run(&protected(), None, request("GET", path, &[]));
    assert_eq!((outcome.status, asked), (200, 0));
    assert_eq!(outcome.header("Content-Type"), Some("application/json"));
    assert_eq!(outcome.header("Access-Control-Allow-Origin"), Some("*"));
    let document: Value = serde_json::from_str(&outcome.text()).unwrap();
    assert_eq!(document["resource"], "https://mcp.test/mcp");
    assert_eq!(
        run(&protected(), None, request("OPTIONS", path, &[])).0.status,
        204
    );
    assert_eq!(run(&protected(), None, request("POST", path, &[])).0.status, 405);
}

#[test]
fn who_is_nobody_is_told_where_to_get_a_token() {
    let (outcome, asked) = run(&protected(), None, post(&call("drop", json!({})), &[]));
    assert_eq!((outcome.status, asked), (401, 0));
    assert_eq!(outcome.header("WWW-Authenticate"), Some(CHALLENGE));
    let (outcome, _) = run(&protected(), Some(ann()), post(&call("drop", json!({})), &[]));
    assert_eq!((outcome.status, outcome.header("WWW-Authenticate")), (403, None));
}

#[test]
fn refusals_in_front_are_told_too() {
    let check = |status: u16, line: Option<&'static str>, want: Option<&str>| {
        let bench = Bench::new(move |_: &Seen| {
            let mut res = Response::new(status);
            if let Some(line) = line {
                res.headers.append("WWW-Authenticate", line);
            }
            res
        });
        let chain = bench.chain(vec![challenge(&protected()).expect("metadata")]);
        let outcome = bench.get(&chain, "/mcp");
        assert_eq!(outcome.header("WWW-Authenticate"), want, "{status} {line:?}");
    };
    check(401, None, Some(CHALLENGE));
    let with = format!(
        "{}, resource_metadata{}",
        "Bearer realm=\"x\"",
        CHALLENGE.trim_start_matches("Bearer resource_metadata")
    );
    check(401, Some("Bearer realm=\"x\""), Some(&with));
    check(403, Some("Bearer realm=\"x\""), Some(&with));
    check(401, Some("Basic realm=\"x\""), Some("Basic realm=\"x\""));
    check(403, None, None);
    check(200, None, None);
    assert!(challenge(&layered()).is_none());
}
