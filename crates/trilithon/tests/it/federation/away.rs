//! Servers that do not answer, or let nobody in: the others' answers do not wait for them, and clients learn what they can act on.

use super::client::{Client, said};
use super::routing;
use super::tools::Tools;
use crate::world::gateway;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use trilithon_testkit::{Answer, Gateway, Upstream, eventually};

/// What the gateway of these tests gives a server.
const LIMIT: Duration = Duration::from_secs(5);

fn start(a: &Tools, b: &Tools) -> Gateway {
    gateway()
        .routing(&routing().replace("timeout: 2s", "timeout: 5s"))
        .upstream("a", a.upstream())
        .upstream("b", b.upstream())
        .start()
}

fn names(client: &mut Client) -> Vec<String> {
    let list = client.ask("tools/list", &json!({}))["result"].clone();
    let tools = list["tools"].as_array().expect("a list");
    tools
        .iter()
        .map(|tool| tool["name"].as_str().expect("a name").to_owned())
        .collect()
}

fn is_up(gateway: &Gateway, server: &str) -> bool {
    let series = format!("trilithon_mcp_server_up{{server=\"{server}\",service=\"all@file\"}} ");
    let metrics = gateway.metrics();
    let value = metrics.lines().find_map(|line| line.strip_prefix(&*series));
    value.unwrap_or_else(|| panic!("{metrics}")) == "1"
}

fn log_says(gateway: &Gateway, what: &str) -> usize {
    gateway.log().matches(what).count()
}

/// Asks and opens sessions, none of which waits as long as a server may take.
#[track_caller]
fn check_that_nobody_waits(gateway: &Gateway, client: &mut Client) {
    let begun = Instant::now();
    assert_eq!(names(client), ["whoami", "ask"]);
    assert_eq!(
        client.ask("logging/setLevel", &json!({"level": "error"}))["result"],
        json!({})
    );
    let told = client.send(
        "POST",
        r#"{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}"#,
    );
    assert_eq!(told.status, 202);
    let hello = Client::new(gateway, "all.test", &[]).open("late")["result"].clone();
    assert_eq!(
        hello["instructions"], "a: I am a.\n\nb: I am b.",
        "what it said last counts"
    );
    assert!(begun.elapsed() < LIMIT, "{:?}", begun.elapsed());
}

const ALL: [&str; 4] = ["whoami", "ask", "b_whoami", "b_ask"];

#[test]
fn a_server_that_hangs_is_waited_for_once() {
    let (a, b) = (Tools::new("a"), Tools::new("b"));
    let gateway = start(&a, &b);
    let mut client = Client::new(&gateway, "all.test", &[]);
    client.open("ann");
    assert_eq!(names(&mut client), ALL);
    assert!(is_up(&gateway, "b"));

    b.hang(true);
    let begun = Instant::now();
    assert_eq!(names(&mut client), ["whoami", "ask"]);
    assert!(begun.elapsed() >= LIMIT, "it might have answered");
    assert!(is_up(&gateway, "a") && !is_up(&gateway, "b"));
    check_that_nobody_waits(&gateway, &mut client);

    b.hang(false);
    eventually("its tools are listed again", || names(&mut client) == ALL);
    assert!(is_up(&gateway, "b"));
    assert_eq!(said(&client.call("b_whoami", "1")), "b:\"whoami\":\"1\":ann");
    for what in [
        "a server of tools does not answer",
        "a server of tools answers again",
    ] {
        assert_eq!(log_says(&gateway, what), 1, "{what}");
    }
}

#[test]
fn a_server_that_is_down_comes_back_by_itself() {
    let (a, b) = (Tools::new("a"), Tools::new("b"));
    let gateway = start(&a, &b);
    let mut client = Client::new(&gateway, "all.test", &[]);
    client.open("ann");
    gateway.upstream("b").down();
    assert_eq!(names(&mut client), ["whoami", "ask"]);
    check_that_nobody_waits(&gateway, &mut client);
    let failed = client.call("b_whoami", "1")["error"]["message"].clone();
    assert!(
        failed.as_str().is_some_and(|m| m.contains("server `b`")),
        "{failed}"
    );
    gateway.upstream("b").back();
    eventually("its tools are listed again", || names(&mut client) == ALL);

    // A call that is answered says so at once.
    gateway.upstream("b").down();
    assert_eq!(names(&mut client), ["whoami", "ask"]);
    gateway.upstream("b").back();
    assert_eq!(said(&client.call("b_whoami", "2")), "b:\"whoami\":\"2\":ann");
    assert_eq!(names(&mut client), ALL);

    // Where nobody is there nobody is left out.
    gateway.upstream("a").down();
    gateway.upstream("b").down();
    assert_eq!(client.ask("tools/list", &json!({}))["error"]["code"], -32603);
    gateway.upstream("a").back();
    gateway.upstream("b").back();
    assert_eq!(names(&mut client), ALL);
}

const REFUSING: &str = "\
http:
  routers:
    theirs: {rule: 'Host(`theirs.test`)', service: theirs}
    ours: {rule: 'Host(`ours.test`)', service: ours}
  services:
    theirs: {mcpServers: {servers: [{name: a, service: a, passAuthorization: true}, {name: b, service: b}]}}
    ours: {mcpServers: {servers: [{name: a, service: a}, {name: b, service: b}]}}
    a: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@a@'}]}}
    b: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@b@'}]}}
";

/// Lets nobody in whose message is `closed`.
fn refusing(closed: &'static str) -> Upstream {
    let tools = Tools::new("a");
    Upstream::answering(move |seen| {
        let message: Value = serde_json::from_slice(&seen.body).unwrap_or_default();
        let method = message["method"].as_str().unwrap_or_default();
        match method == closed || closed.is_empty() {
            true => Answer::new(401, "who?").header("WWW-Authenticate", "Bearer scope=\"x\""),
            false => tools.answer(seen),
        }
    })
}

#[test]
fn clients_learn_that_nobody_lets_them_in() {
    let gateway = gateway()
        .routing(REFUSING)
        .upstream("a", refusing(""))
        .upstream("b", refusing(""))
        .start();
    let hello = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"ann","version":"1"}}}"#;
    let check = |host: &str, status: u16, challenge: &str| {
        let answer = Client::new(&gateway, host, &[]).send("POST", hello);
        assert_eq!(
            (answer.status, answer.header("www-authenticate")),
            (status, challenge),
            "{host}"
        );
        assert_eq!(answer.json()["error"]["code"], -32603);
    };
    check("theirs.test", 401, "Bearer scope=\"x\"");
    check("ours.test", 502, "");
    assert_eq!(log_says(&gateway, "it answered with status 401"), 4);
}

#[test]
fn a_call_that_a_server_refuses_is_told_to_who_can_better_it() {
    let gateway = gateway()
        .routing(REFUSING)
        .upstream("a", refusing("tools/call"))
        .upstream("b", Tools::new("b").upstream())
        .start();
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a_whoami"}}"#;
    let check = |host: &str, status: u16, challenge: &str| {
        let mut client = Client::new(&gateway, host, &[]);
        client.open("ann");
        let answer = client.send("POST", call);
        assert_eq!(
            (answer.status, answer.header("www-authenticate")),
            (status, challenge),
            "{host}"
        );
        let error = answer.json()["error"].clone();
        let message = error["message"].as_str().unwrap_or_default();
        assert!(
            message.contains("server `a`") && message.contains("401"),
            "{error}"
        );
    };
    check("theirs.test", 401, "Bearer scope=\"x\"");
    check("ours.test", 200, "");
}
