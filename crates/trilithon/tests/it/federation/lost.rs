//! What a client had servers remember in their sessions survives that they forget them.

use super::client::{Client, said};
use super::start;
use super::tools::Tools;
use serde_json::{Value, json};
use trilithon_testkit::Gateway;

/// What `server` was told since it had seen `before` messages, in order: session, method, and level or address.
fn told(gateway: &Gateway, server: &str, before: usize) -> Vec<(String, String, Value)> {
    let seen = gateway.upstream(server).seen().split_off(before);
    let told = seen.iter().map(|seen| {
        let message: Value = serde_json::from_slice(&seen.body).unwrap_or_default();
        let params = &message["params"];
        let about = ["level", "uri", "name"]
            .into_iter()
            .find(|name| params[name].is_string());
        let about = about.map_or(Value::Null, |name| params[name].clone());
        let method = message["method"].as_str().unwrap_or_default();
        (
            seen.headers.get("Mcp-Session-Id").to_owned(),
            method.to_owned(),
            about,
        )
    });
    told.collect()
}

#[test]
fn a_lost_session_comes_back_whole() {
    let (a, b) = (Tools::new("a"), Tools::new("b"));
    let gateway = start(&a, &b);
    let mut client = Client::new(&gateway, "all.test", &[]);
    client.open("ann");
    let mut ask = |method: &str, params: Value| {
        let answer = client.ask(method, &params);
        assert_eq!(answer["error"], Value::Null, "{method}: {answer}");
    };
    ask("logging/setLevel", json!({"level": "notice"}));
    for uri in ["b+note:1", "b+note:2", "b+note:3", "note:4"] {
        ask("resources/subscribe", json!({"uri": uri}));
    }
    ask("resources/unsubscribe", json!({"uri": "b+note:2"}));

    for turn in 1..3 {
        b.forget();
        let before = gateway.upstream("b").requests();
        assert_eq!(said(&client.call("b_whoami", "1")), "b:\"whoami\":\"1\":ann");
        let (old, new) = (format!("b-{}", turn - 1), format!("b-{turn}"));
        let want = [
            (&*old, "tools/call", json!("whoami")),
            ("", "initialize", Value::Null),
            (&new, "notifications/initialized", Value::Null),
            (&new, "logging/setLevel", json!("notice")),
            (&new, "resources/subscribe", json!("note:1")),
            (&new, "resources/subscribe", json!("note:3")),
            (&new, "tools/call", json!("whoami")),
        ];
        let want = want.map(|(session, method, about)| (session.to_owned(), method.to_owned(), about));
        assert_eq!(told(&gateway, "b", before), want);
    }
    assert_eq!(a.count(), 1, "nobody lost a session with the other one");
}

#[test]
fn a_server_that_is_opened_late_is_told_too() {
    let (a, b) = (Tools::new("a"), Tools::new("b"));
    let gateway = start(&a, &b);
    gateway.upstream("b").down();
    let mut client = Client::new(&gateway, "all.test", &[]);
    client.open("ann");
    assert_eq!(
        client.ask("logging/setLevel", &json!({"level": "error"}))["result"],
        json!({})
    );
    gateway.upstream("b").back();
    let before = gateway.upstream("b").requests();
    assert_eq!(said(&client.call("b_whoami", "1")), "b:\"whoami\":\"1\":ann");
    let methods: Vec<_> = told(&gateway, "b", before)
        .into_iter()
        .map(|(_, method, _)| method)
        .collect();
    assert_eq!(
        methods,
        [
            "initialize",
            "notifications/initialized",
            "logging/setLevel",
            "tools/call"
        ]
    );
}
