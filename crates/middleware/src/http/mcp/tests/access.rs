//! Who may call what: task, tool and transaction.

use super::*;

#[test]
fn tasks_tools_and_transactions() {
    let config = layered();
    for open in ["initialize", "ping", "tools/list"] {
        allowed(&config, ann(), &method(open));
    }
    denied(&config, ann(), &method("prompts/list"));
    // Tool: only what the token names.
    allowed(&config, ann(), &call("search", json!({})));
    denied(&config, ann(), &call("drop", json!({})));
    denied(&config, ann(), &call("Search", json!({})));
    denied(&config, json!({"sub": "bob"}), &call("search", json!({})));
    // Task: the same tool, for those who do that work.
    allowed(&config, ann(), &call("pay", json!({"amount": 500})));
    let mut idle = ann();
    idle["authorized_tasks"] = json!(["support"]);
    denied(&config, idle, &call("pay", json!({"amount": 1})));
    // Transaction: values against numbers and against claims.
    denied(&config, ann(), &call("pay", json!({"amount": 500.01})));
    let mut rich = ann();
    rich["limit"] = json!(1_000_000);
    allowed(&config, rich.clone(), &call("pay", json!({"amount": 10000})));
    denied(&config, rich.clone(), &call("pay", json!({"amount": 10001})));
    denied(&config, rich.clone(), &call("pay", json!({"amount": "10001"})));
    denied(&config, rich, &call("pay", json!({})));
    allowed(
        &config,
        ann(),
        &call("read_repo", json!({"repoName": "acme/docs"})),
    );
    denied(
        &config,
        ann(),
        &call("read_repo", json!({"repoName": "acme/secrets"})),
    );
    let read = |uri: &str| {
        json!({"jsonrpc": "2.0", "id": 7, "method": "resources/read", "params": {"uri": uri}}).to_string()
    };
    allowed(&config, ann(), &read("docs://ann/a"));
    denied(&config, ann(), &read("docs://bob/a"));
}

#[test]
fn the_same_in_cel() {
    let config = Config {
        policies: vec![McpPolicy {
            name: "small payments".to_owned(),
            expression:
                "mcp.tool == \"pay\" && \"invoicing\" in jwt.authorized_tasks && mcp.params.arguments.amount <= jwt.limit"
                    .to_owned(),
            action: Some(Effect::Allow),
            ..McpPolicy::default()
        }],
        ..Config::default()
    };
    allowed(&config, ann(), &call("pay", json!({"amount": 500})));
    denied(&config, ann(), &call("pay", json!({"amount": 501})));
    denied(&config, ann(), &call("pay", json!({"amount": "500"})));
    denied(&config, ann(), &call("search", json!({})));
}

#[test]
fn the_first_rule_that_applies_decides() {
    let tool = "Equals(`mcp.params.name`, `a`)";
    let mut config = Config {
        policies: rules(&[(tool, Effect::Allow), (tool, Effect::Deny)]),
        default_action: Some(Effect::Allow),
        ..Config::default()
    };
    allowed(&config, ann(), &call("a", json!({})));
    allowed(&config, ann(), &call("b", json!({})));
    config.policies.reverse();
    denied(&config, ann(), &call("a", json!({})));
    config.policies.clear();
    config.default_action = Some(Effect::Deny);
    denied(&config, ann(), &call("b", json!({})));
}

#[test]
fn the_record_says_what_was_decided() {
    let (outcome, _) = run(
        &layered(),
        Some(ann()),
        post(&call("pay", json!({"amount": 900, "token": "t0p"})), &[]),
    );
    let decision = &outcome.record.decisions[0];
    assert_eq!(
        (&*decision.policy, &*decision.rule, decision.allowed),
        ("m@file", "default", false)
    );
    let facts: Vec<String> = decision.facts.iter().map(|(n, v)| format!("{n}={v}")).collect();
    assert!(
        facts.contains(&"mcp.params.arguments.amount=900".to_owned()),
        "{facts:?}"
    );
    assert!(!facts.iter().any(|f| f.contains("t0p")), "{facts:?}");
}

#[test]
fn answers_to_the_server_pass() {
    let answer = r#"{"jsonrpc":"2.0","id":1,"result":{"action":"accept"}}"#;
    allowed(&layered(), ann(), answer);
}
