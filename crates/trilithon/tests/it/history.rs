//! The history of configurations: what was applied comes back without any provider, stays, and is let go of again.

use crate::world::gateway;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::process::{Command, Output};
use trilithon_testkit::{Folder, Gateway, PATIENCE, eventually, free_port};

const INSTALL: &str = "\
entryPoints:
  web: {address: '127.0.0.1:@web@'}
  traefik: {address: '127.0.0.1:@traefik@'}
api: {insecure: true}
metrics: {prometheus: {}}
log: {level: INFO}
providers: {providersThrottleDuration: 20ms, file: {filename: '@STORE@/routing.yml', watch: true}}
store: {directory: '@STORE@/store'}
";

/// A store, a routing file beside it, and ports, that outlive a gateway.
struct World(Folder, [u16; 2]);

impl World {
    fn new(hosts: &[&str]) -> World {
        let world = World(Folder::new("history"), [free_port(), free_port()]);
        world.say(hosts);
        world
    }

    /// Writes a routing file with a router for each host; nobody need answer.
    fn say(&self, hosts: &[&str]) {
        let router = |host: &&str| format!("    {host}: {{rule: 'Host(`{host}.test`)', service: s}}\n");
        let routers: String = hosts.iter().map(router).collect();
        let services = "  services: {s: {loadBalancer: {servers: [{url: 'http://127.0.0.1:1'}]}}}\n";
        self.0
            .write("routing.yml", format!("http:\n  routers:\n{routers}{services}"));
    }

    fn start(&self) -> Gateway {
        let folder = self.0.path().display().to_string();
        gateway()
            .install(&INSTALL.replace("@STORE@", &folder))
            .at_port("web", self.1[0])
            .at_port("traefik", self.1[1])
            .wait_only_for(&["web", "traefik"])
            .start()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_trilithon"))
            .args(arguments)
            .arg(format!("--store={}", self.0.path().join("store").display()))
            .env_clear()
            .output()
            .expect("the binary runs")
    }

    #[track_caller]
    fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let said = text(&output);
        assert!(output.status.success(), "{arguments:?}: {said}");
        said
    }

    fn history(&self) -> Value {
        serde_json::from_str(&self.ok(&["history", "-o", "json"])).expect("JSON")
    }

    /// Waits until there are that many versions: one is kept after it is served.
    #[track_caller]
    fn keeps(&self, count: usize) {
        eventually(&format!("{count} versions"), || self.actions().len() == count);
    }

    /// What the versions are, oldest first.
    fn actions(&self) -> Vec<String> {
        let history = self.history();
        let versions = history["versions"].as_array().cloned().unwrap_or_default();
        let action = |v: &Value| v["action"].as_str().unwrap_or_default().to_owned();
        versions.iter().map(action).collect()
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Whether requests for the host find a router: there is no server behind it.
fn routes(gateway: &Gateway, host: &str) -> bool {
    gateway.get(&format!("{host}.test"), "/").status == 502
}

fn gauge(gateway: &Gateway, name: &str) -> u64 {
    let metrics = gateway.metrics();
    let value = metrics
        .lines()
        .find_map(|l| l.strip_prefix(name)?.strip_prefix(' '));
    value.expect("it is shown").parse().expect("a number")
}

#[test]
fn a_rollback_stays_until_it_is_released() {
    let world = World::new(&["a"]);
    let gateway = world.start();
    world.say(&["a", "b"]);
    eventually("`b` is routed", || routes(&gateway, "b"));
    world.keeps(2);
    assert_eq!(world.actions(), ["applied", "applied"]);
    eventually("the version is shown", || {
        gauge(&gateway, "trilithon_config_version") == 2
    });

    let said = world.ok(&["rollback", "1", "-m", "b was wrong"]);
    assert!(said.contains("as version 3"), "{said}");
    assert!(!routes(&gateway, "b") && routes(&gateway, "a"), "at once");
    world.say(&["a", "b", "c"]);
    eventually("the provider is held back", || {
        world.actions().last().is_some_and(|a| a == "held")
    });
    assert!(!routes(&gateway, "c") && !routes(&gateway, "b"));
    assert!(gateway.log().contains("held back"), "{}", gateway.log());
    assert_eq!(gauge(&gateway, "trilithon_config_pinned"), 1);
    let listed = world.ok(&["history"]);
    assert!(listed.contains("version 1 is pinned"), "{listed}");
    assert!(listed.contains("rollback to 1 by uid"), "{listed}");
    assert!(listed.contains("b was wrong"), "{listed}");

    world.ok(&["rollback", "--release"]);
    assert!(routes(&gateway, "b") && routes(&gateway, "c"));
    assert_eq!(
        world.actions(),
        ["applied", "applied", "rollback", "held", "released"]
    );
    assert_eq!(gauge(&gateway, "trilithon_config_pinned"), 0);
    let audit = world.ok(&["audit", "show", "--kind", "configuration"]);
    for event in ["event=applied", "event=rollback", "event=held", "event=released"] {
        assert!(audit.contains(event), "{event}: {audit}");
    }
    let again = world.run(&["rollback", "--release"]);
    assert!(
        !again.status.success() && text(&again).contains("no version is pinned"),
        "{}",
        text(&again)
    );
    let none = world.run(&["rollback", "99"]);
    assert!(
        !none.status.success() && text(&none).contains("no version 99"),
        "{}",
        text(&none)
    );
}

#[test]
fn what_is_pinned_survives_the_process() {
    let world = World::new(&["a"]);
    let first = world.start();
    world.say(&["b"]);
    eventually("`b` is routed", || routes(&first, "b"));
    world.ok(&["rollback", "1"]);
    let pid = Pid::from_raw(first.pid() as i32).expect("a child has an id");
    kill_process(pid, Signal::KILL).expect("a child takes signals");
    assert!(first.exit(PATIENCE).is_some());
    let second = world.start();
    assert!(routes(&second, "a") && !routes(&second, "b"));
    world.keeps(4);
    assert_eq!(world.actions(), ["applied", "applied", "rollback", "held"]);
    world.ok(&["rollback", "--release"]);
    assert!(routes(&second, "b") && !routes(&second, "a"));
}

#[test]
fn without_a_gateway_the_next_start_does_it() {
    let world = World::new(&["a"]);
    let first = world.start();
    world.say(&["b"]);
    eventually("`b` is routed", || routes(&first, "b"));
    first.terminate();
    assert!(first.exit(PATIENCE).is_some());
    let said = world.ok(&["rollback", "1"]);
    assert!(said.contains("from the next start on"), "{said}");
    let second = world.start();
    assert!(routes(&second, "a") && !routes(&second, "b"));
    assert_eq!(world.history()["versions"][2]["of"], 1);
}

#[test]
fn an_unchanged_configuration_is_no_new_version() {
    let world = World::new(&["a"]);
    for _ in 0..2 {
        let gateway = world.start();
        assert!(routes(&gateway, "a"));
        assert_eq!(gauge(&gateway, "trilithon_config_version"), 1);
        gateway.terminate();
        assert!(gateway.exit(PATIENCE).is_some());
    }
    assert_eq!(world.actions(), ["applied"]);
}

#[test]
fn diff_says_what_changed_and_where() {
    let world = World::new(&["a"]);
    let gateway = world.start();
    world.say(&["a", "b"]);
    eventually("`b` is routed", || routes(&gateway, "b"));
    world.keeps(2);
    let output = world.run(&["diff", "1", "2"]);
    let file = world.0.path().join("routing.yml");
    assert_eq!(
        text(&output),
        format!("+ http.routers.b@file ({}:4:5)\n", file.display())
    );
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        world.ok(&["diff", "2"]),
        "",
        "nothing is different from what is in force"
    );
}
