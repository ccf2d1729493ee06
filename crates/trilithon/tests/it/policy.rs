//! Policies from the outside: who is let in, what is recorded, and that a policy in shadow changes nothing.

use crate::world::{INSTALL, gateway};
use serde_json::Value;
use trilithon_testkit::{Answer, Gateway, Upstream, eventually};

const RULES: &str = "        rules:
          - {name: no-admin, effect: deny, expression: 'http.path.startsWith(\"/admin\")', message: not for you}
          - {name: no-twins, effect: deny, expression: '\"x-user\" in http.header && http.header[\"x-user\"] != \"ann\"'}
          - {name: readers, effect: allow, expression: 'http.method in [\"GET\", \"HEAD\"] && http.query.key != \"bad\"'}
          - {name: writers, effect: allow, expression: 'http.header[\"x-env\"] == \"test\"'}
";

/// One router without a policy and, by host, one with it in each mode.
fn routing() -> String {
    let mut text = "http:\n  routers:\n    bare: {rule: 'Host(`bare.test`)', service: s}\n".to_owned();
    let kinds = [
        ("enforce", "mode: enforce"),
        ("shadow", "mode: shadow"),
        ("off", "mode: off"),
        ("none", "percent: 0"),
    ];
    for (name, _) in kinds {
        let router =
            format!("    {name}: {{rule: 'Host(`{name}.test`)', service: s, middlewares: [{name}]}}\n");
        text.push_str(&router);
    }
    text.push_str("  middlewares:\n");
    for (name, mode) in kinds {
        text.push_str(&format!("    {name}:\n      policy:\n        {mode}\n{RULES}"));
    }
    text + "  services: {s: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@b1@'}]}}}\n"
}

#[track_caller]
fn start(upstream: Upstream) -> Gateway {
    let install = format!("{INSTALL}accessLog: {{filePath: '@DIR@/access.log', format: json}}\n");
    gateway()
        .install(&install)
        .routing(&routing())
        .upstream("b1", upstream)
        .start()
}

/// Request heads without their host, and the status that the policy gives them.
const REQUESTS: &[(&str, &str, &[&str], u16)] = &[
    ("GET", "/?key=good", &[], 200),
    ("HEAD", "/?key=good", &[], 200),
    ("GET", "/admin?key=good", &[], 403),
    ("GET", "/%61dmin/x?key=good", &[], 403),
    ("GET", "/x/../admin?key=good", &[], 403),
    ("GET", "/?key=bad", &[], 403),
    ("GET", "/?key=good&key=bad", &[], 403),
    ("GET", "/?k%65y=good&key=bad", &[], 403),
    ("GET", "/", &[], 403),
    ("POST", "/", &["X-Env: test"], 200),
    ("POST", "/", &["x-ENV: test"], 200),
    ("POST", "/", &["X-Env: test", "X-Env: other"], 403),
    ("POST", "/", &["X_Env: test"], 403),
    ("GET", "/?key=good", &["X-User: ann"], 200),
    ("GET", "/?key=good", &["X-User: ann", "X-User: bob"], 403),
    ("POST", "/", &[], 403),
    ("DELETE", "/admin", &["X-Env: test"], 403),
];

/// e02, e03: repeated and misspelt headers, repeated parameters and other spellings of a path get nobody in.
#[test]
fn who_is_let_in() {
    let gateway = start(Upstream::echo());
    for (method, target, headers, want) in REQUESTS {
        let answer = gateway.ask("web", method, "enforce.test", target, headers);
        assert_eq!(answer.status, *want, "{method} {target} {headers:?}");
    }
    let answer = gateway.get("enforce.test", "/admin");
    assert_eq!(answer.text(), "not for you\n");
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(
        gateway.ask("web", "POST", "enforce.test", "/", &[]).text(),
        "Forbidden\n"
    );
}

/// All bytes of an answer but the date.
fn bytes(gateway: &Gateway, host: &str, (method, target, headers, _): &(&str, &str, &[&str], u16)) -> String {
    let mut client = gateway.client("web");
    let lines: String = headers.iter().map(|h| format!("{h}\r\n")).collect();
    let close = "Connection: close\r\nContent-Length: 0\r\n";
    client.send(format!(
        "{method} {target} HTTP/1.1\r\nHost: {host}\r\n{lines}{close}\r\n"
    ));
    let (bytes, _) = client.read_to_end(trilithon_testkit::PATIENCE);
    let text = String::from_utf8(bytes).expect("text");
    let kept = text.split_inclusive("\r\n").filter(|l| !l.starts_with("Date:"));
    kept.collect()
}

#[test]
fn a_shadow_changes_no_byte() {
    // What the upstream saw is a part of its answer, but for the host.
    let upstream = Upstream::answering(|seen| {
        let text = format!("{} {} {:?}", seen.method, seen.target, seen.headers);
        let text = text.replace("bare.test", "H").replace("shadow.test", "H");
        Answer::new(200, text.replace("off.test", "H").replace("none.test", "H")).header("X-From", "b1")
    });
    let gateway = start(upstream);
    for request in REQUESTS {
        let bare = bytes(&gateway, "bare.test", request);
        assert!(bare.starts_with("HTTP/1.1 200"), "{request:?}: {bare}");
        for host in ["shadow.test", "off.test", "none.test"] {
            assert_eq!(bytes(&gateway, host, request), bare, "{host} {request:?}");
        }
    }
}

/// The decisions in the last line of the access log for `host`.
fn logged(gateway: &Gateway, host: &str) -> Option<Value> {
    let log = gateway.folder().read("access.log");
    let lines = log.lines().rev();
    let mut lines = lines.filter_map(|l| serde_json::from_str::<Value>(l).ok());
    let line = lines.find(|l| l["RequestHost"] == host)?;
    Some(line["Decisions"].clone())
}

#[test]
fn decisions_are_recorded() {
    let gateway = start(Upstream::echo());
    let check = |host: &str, target: &str, headers: &[&str], want: Value| {
        gateway.get_with(host, target, headers);
        eventually(&format!("{host}{target} is logged with {want}"), || {
            logged(&gateway, host) == Some(want.clone())
        });
    };
    let decision = |policy: &str, rule: &str, decision: &str, mode: &str| serde_json::json!({"policy": policy, "rule": rule, "decision": decision, "mode": mode});
    check(
        "enforce.test",
        "/?key=good",
        &[],
        serde_json::json!([decision("enforce@file", "readers", "allow", "enforce")]),
    );
    let mut denied = decision("shadow@file", "no-admin", "deny", "shadow");
    denied["facts"] = serde_json::json!({"http.path": "/admin"});
    check("shadow.test", "/admin", &[], serde_json::json!([denied]));
    check("off.test", "/admin", &[], Value::Null);
    let mut failed = decision("enforce@file", "readers", "deny", "enforce");
    failed["facts"] = serde_json::json!({
        "http.path": "/", "http.header[\"x-user\"]": "absent", "http.method": "GET",
        "http.query[\"key\"]": "REDACTED", "http.header[\"x-env\"]": "absent",
        "error": "`http.query[\"key\"]` comes more than once",
    });
    failed["facts"]["http.query[\"key\"]"] = "`http.query[\"key\"]` comes more than once".into();
    check("enforce.test", "/?key=a&key=b", &[], serde_json::json!([failed]));

    let metrics = gateway.metrics();
    for series in [
        "policy=\"enforce@file\",rule=\"readers\",decision=\"allow\",mode=\"enforce\"",
        "policy=\"shadow@file\",rule=\"no-admin\",decision=\"deny\",mode=\"shadow\"",
    ] {
        let mut labels: Vec<&str> = series.split(',').collect();
        labels.sort_unstable();
        let line = format!("trilithon_decisions_total{{{}}} 1", labels.join(","));
        assert!(
            metrics.lines().any(|l| l == line),
            "`{line}` is not in\n{metrics}"
        );
    }
}

/// A policy that does not compile takes its router away instead of leaving it open.
#[test]
fn a_broken_policy_leaves_nothing_open() {
    let broken = routing().replace("http.path.startsWith", "http.pth.startsWith");
    let gateway = gateway()
        .routing(&broken)
        .upstream("b1", Upstream::echo())
        .start();
    assert_eq!(gateway.get("bare.test", "/").status, 200);
    for host in ["enforce.test", "shadow.test", "off.test"] {
        assert_eq!(gateway.get(host, "/?key=good").status, 404, "{host}");
    }
}
