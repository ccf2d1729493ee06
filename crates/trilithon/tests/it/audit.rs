//! The audit log from the outside: what is recorded, what is proved, what a killed process leaves.

use crate::world::gateway;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::process::{Command, Output};
use trilithon_testkit::{Folder, Gateway, PATIENCE, Upstream, eventually};

const INSTALL: &str = "\
entryPoints:
  web: {address: '127.0.0.1:@web@'}
  traefik: {address: '127.0.0.1:@traefik@'}
api: {insecure: true}
metrics: {prometheus: {}}
providers: {providersThrottleDuration: 50ms, file: {filename: '@DIR@/routing.yml', watch: true}}
audit: {checkpointInterval: 20ms, headers: [X-Ticket], query: [page]}
store: {directory: '@DIR@/store'}
";

const ROUTING: &str = "\
http:
  routers:
    audited: {rule: 'Host(`a.test`)', service: s, observability: {audit: true}}
    other: {rule: 'Host(`b.test`)', service: s}
  services: {s: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@b1@'}]}}}
";

fn start() -> Gateway {
    gateway()
        .install(INSTALL)
        .routing(ROUTING)
        .upstream("b1", Upstream::echo())
        .start()
}

fn trilithon(folder: &Folder, arguments: &[&str]) -> Output {
    let store = format!("--store={}", folder.path().join("store").display());
    Command::new(env!("CARGO_BIN_EXE_trilithon"))
        .args(arguments)
        .arg(store)
        .env_clear()
        .output()
        .expect("the binary runs")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// The entries of a kind with their ids, once there are `count`.
#[track_caller]
pub fn entries(folder: &Folder, kind: &str, count: usize) -> Vec<(String, Value)> {
    let read = || {
        let output = trilithon(folder, &["audit", "show", "-o", "json", "--kind", kind]);
        let lines = text(&output);
        let entries = lines
            .lines()
            .filter_map(|l| serde_json::from_str::<Value>(l).ok());
        entries
            .map(|e| {
                (
                    e["id"].as_str().unwrap_or_default().to_owned(),
                    e["entry"].clone(),
                )
            })
            .collect::<Vec<_>>()
    };
    eventually(&format!("{count} entries of kind `{kind}`"), || {
        read().len() >= count
    });
    read()
}

/// Every entry is what was written, and none is missing.
#[track_caller]
pub fn verifies(folder: &Folder) {
    let output = trilithon(folder, &["audit", "verify"]);
    assert!(output.status.success(), "{}", text(&output));
}

#[test]
fn requests_of_routers_that_opt_in_are_recorded_without_secrets() {
    let gateway = start();
    gateway.get_with(
        "a.test",
        "/x?page=2&token=s3cret",
        &["X-Ticket: T-1", "X-Other: o"],
    );
    gateway.get("b.test", "/not-audited");
    gateway.post("a.test", "/y", "body");
    let recorded = entries(gateway.folder(), "request", 2);
    assert_eq!(recorded.len(), 2, "{recorded:?}");
    let request = &recorded[0].1["request"];
    assert_eq!(request["path"], "/x");
    assert_eq!(request["query"], "page=2&token=xxxx");
    assert_eq!(request["headers"], serde_json::json!([["X-Ticket", "T-1"]]));
    assert_eq!(request["router"], "audited@file");
    assert_eq!(recorded[0].1["outcome"]["status"], 200);
    assert_eq!(recorded[1].1["sizes"]["request"], 4);
    let all = text(&trilithon(gateway.folder(), &["audit", "show"]));
    assert!(all.contains("process event=started"), "{all}");
    assert!(!all.contains("s3cret"), "{all}");
    verifies(gateway.folder());
}

#[test]
fn an_entry_is_proved_and_a_changed_one_is_found() {
    let gateway = start();
    gateway.get("a.test", "/proved");
    let (id, entry) = entries(gateway.folder(), "request", 1).remove(0);
    let mut proof = Value::Null;
    eventually("the entry is signed", || {
        let output = trilithon(gateway.folder(), &["audit", "prove", &id]);
        proof = serde_json::from_str(&text(&output)).unwrap_or_default();
        output.status.success()
    });
    let proved: Value = serde_json::from_str(proof["entry"].as_str().expect("text")).expect("JSON");
    assert_eq!(proved, entry);
    gateway.terminate();
    assert!(gateway.exit(PATIENCE).is_some(), "it ends");
    verifies(gateway.folder());
    let bundle = find(gateway.folder(), "tile/entries");
    let mut bytes = std::fs::read(&bundle).expect("there");
    let at = bytes
        .windows(7)
        .position(|w| w == b"/proved")
        .expect("it is recorded");
    bytes[at] = b'|';
    std::fs::write(&bundle, bytes).expect("written");
    let output = trilithon(gateway.folder(), &["audit", "verify"]);
    let index = id.rsplit('/').next().expect("an index");
    assert!(!output.status.success());
    let want = format!("BAD: entry {index} is not what was signed");
    assert!(text(&output).contains(&want), "{}", text(&output));
}

/// The longest partial bundle of log 1.
fn find(folder: &Folder, below: &str) -> std::path::PathBuf {
    let partial = folder.path().join("store/audit/000001").join(below).join("000.p");
    let widths = std::fs::read_dir(&partial).expect("a partial bundle");
    let widest = widths
        .filter_map(|e| e.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .max();
    partial.join(widest.expect("one at least").to_string())
}

#[test]
fn a_killed_process_leaves_a_log_that_goes_on() {
    let folder = Folder::new("killed");
    let install = INSTALL.replace("@DIR@/store", &format!("{}/store", folder.path().display()));
    let start = || {
        gateway()
            .install(&install.replace("checkpointInterval: 20ms", "checkpointInterval: 1h"))
            .routing(ROUTING)
            .upstream("b1", Upstream::echo())
            .start()
    };
    let first = start();
    for _ in 0..5 {
        first.get("a.test", "/");
    }
    entries(&folder, "request", 5);
    let pid = Pid::from_raw(first.pid() as i32).expect("a child has an id");
    kill_process(pid, Signal::KILL).expect("a child takes signals");
    assert!(first.exit(PATIENCE).is_some());
    let second = start();
    second.get("a.test", "/");
    assert_eq!(entries(&folder, "request", 6).len(), 6);
    let log = text(&trilithon(&folder, &["audit", "show", "--kind", "log"]));
    assert!(log.contains("event=recovered"), "{log}");
    second.terminate();
    assert!(second.exit(PATIENCE).is_some());
    verifies(&folder);
}

#[test]
fn a_second_gateway_does_not_take_the_store() {
    let first = start();
    let install = INSTALL.replace("@DIR@", &first.folder().path().display().to_string());
    let refused = gateway()
        .install(
            &install
                .replace("@web@", "@web2@")
                .replace("@traefik@", "@traefik2@"),
        )
        .spawn();
    let status = refused.exit(PATIENCE).expect("it ends");
    assert!(!status.success());
    assert!(
        refused.log().contains("belongs to another gateway"),
        "{}",
        refused.log()
    );
    let without = install.replace("audit: {", "log: {level: INFO} #");
    let goes_on = gateway()
        .install(&without)
        .routing(ROUTING)
        .upstream("b1", Upstream::echo())
        .wait_only_for(&["web"])
        .at_port("traefik", trilithon_testkit::free_port())
        .at_port("web", trilithon_testkit::free_port())
        .start();
    eventually("it serves", || goes_on.get("a.test", "/").status != 502);
    assert!(
        goes_on.log().contains("there is no audit log"),
        "{}",
        goes_on.log()
    );
}

#[test]
fn the_proof_verifies_without_the_gateway() {
    let gateway = start();
    gateway.get("a.test", "/");
    let (id, _) = entries(gateway.folder(), "request", 1).remove(0);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../compat/audit/verify_proof.py");
    let verify = |proof: &str| {
        let file = gateway.folder().write("proof.json", proof);
        let output = Command::new("python3")
            .arg(script)
            .arg(file)
            .output()
            .expect("there is Python");
        (output.status.success(), text(&output))
    };
    let mut proof = String::new();
    eventually("the entry is signed", || {
        let output = trilithon(gateway.folder(), &["audit", "prove", &id]);
        proof = text(&output);
        output.status.success()
    });
    let (good, said) = verify(&proof);
    assert!(good, "{said}");
    for (from, to) in [
        ("a.test", "b.test"),
        ("\"index\": ", "\"index\": 1"),
        ("/audit/1", "/audit/2"),
    ] {
        let (good, said) = verify(&proof.replacen(from, to, 1));
        assert!(!good, "{from}: {said}");
    }
}
