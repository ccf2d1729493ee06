//! Where nothing is enforced, nothing changes.

use super::listing::{TOOLS, listed};
use super::*;

#[test]
fn without_rules_every_byte_passes() {
    for body in [
        "[1, 2]",
        "no JSON",
        r#"{"jsonrpc":"2.0","id":1,"method":"x","method":"y"}"#,
    ] {
        let mut bench = backend(DONE, "application/json");
        let chain = chain(&mut bench, &Config::default(), None);
        let outcome = bench.send(
            &chain,
            post(body, &[("Accept-Encoding", "gzip"), ("Mcp-Name", "z")]),
        );
        assert_eq!((outcome.status, outcome.text().as_str()), (200, DONE));
        let seen = bench.last();
        assert_eq!(
            (seen.body.as_str(), seen.header("Accept-Encoding")),
            (body, Some("gzip"))
        );
    }
}

#[test]
fn in_shadow_no_answer_changes() {
    let mut config = layered();
    config.mode = rollout::Mode::Shadow;
    config.list_policies = listed();
    config.list_default_action = Visibility::Hide;
    let (outcome, asked) = run(&config, Some(ann()), post(&call("drop", json!({})), &[]));
    assert_eq!((outcome.status, asked), (200, 1));
    let decision = &outcome.record.decisions[0];
    assert_eq!((decision.allowed, decision.mode), (false, Mode::Shadow));
    allowed(&config, ann(), "[]");
    let mut bench = backend(TOOLS, "application/json");
    let chain = chain(&mut bench, &config, Some(ann()));
    let outcome = bench.send(
        &chain,
        post(&method("tools/list"), &[("Accept-Encoding", "gzip")]),
    );
    assert_eq!(outcome.text(), TOOLS);
    assert_eq!(bench.last().header("Accept-Encoding"), Some("gzip"));
}

/// A list that is too large to be read is refused where something could be hidden in it, and passes where nothing is.
#[test]
fn a_list_that_is_too_large_passes_in_shadow_alone() {
    let text = "x".repeat(MAX_MCP_ANSWER);
    let large: &str = format!(r#"{{"id":7,"result":{{"tools":[],"x":"{text}"}}}}"#).leak();
    let check = |mode: rollout::Mode, want: u16| {
        let config = Config {
            mode,
            list_default_action: Visibility::Hide,
            ..Config::default()
        };
        let mut bench = backend(large, "application/json");
        let chain = chain(&mut bench, &config, None);
        let outcome = bench.send(&chain, post(&method("tools/list"), &[]));
        assert_eq!((outcome.status, outcome.text() == large), (want, want == 200));
    };
    check(rollout::Mode::Enforce, 502);
    check(rollout::Mode::Shadow, 200);
}
