//! Another configuration while serving: what does not change does not notice, and what is broken is not taken.

use crate::world::{INSTALL, ROUTING, gateway};
use std::os::unix::fs::symlink;
use std::time::Duration;
use trilithon_testkit::{Certs, Folder, Gateway, RawClient, TlsOffer, Upstream, eventually, until};

const HEAD: &str = "http:\n  routers:\n";
const TAIL: &str = "  services: {s: {loadBalancer: {servers: [{url: 'http://127.0.0.1:@b1@'}]}}}\n";

/// Routing with these routers, one a line.
fn routers(lines: &[&str]) -> String {
    let lines: String = lines.iter().map(|line| format!("    {line}\n")).collect();
    format!("{HEAD}{lines}{TAIL}")
}

fn serves(gateway: &Gateway, host: &str) -> bool {
    gateway.get(host, "/").status == 200
}

const A: &str = "a: {rule: 'Host(`a.test`)', service: s}";
const B: &str = "b: {rule: 'Host(`b.test`)', service: s}";

fn start(routing: &str) -> Gateway {
    gateway()
        .routing(routing)
        .upstream("b1", Upstream::echo())
        .start()
}

/// How many configurations were applied.
fn reloads(gateway: &Gateway) -> u64 {
    let metrics = gateway.metrics();
    let value = metrics
        .lines()
        .find_map(|line| line.strip_prefix("traefik_config_reloads_total "));
    value.expect("reloads are counted").parse().expect("a number")
}

#[test]
fn a_changed_file_is_applied() {
    let gateway = start(&routers(&[A]));
    let before = reloads(&gateway);
    gateway.rewrite_routing(&routers(&[A, B]));
    eventually("`b.test` is served", || serves(&gateway, "b.test"));
    assert!(serves(&gateway, "a.test"));
    assert!(reloads(&gateway) > before);
    gateway.rewrite_routing(&routers(&[B]));
    eventually("`a.test` is gone", || gateway.get("a.test", "/").status == 404);
}

#[test]
fn a_file_that_appears_is_served() {
    let gateway = gateway()
        .upstream("b1", Upstream::echo())
        .wait_only_for(&["web", "traefik"])
        .start();
    assert_eq!(gateway.get("a.test", "/").status, 404);
    gateway.rewrite_routing(&routers(&[A]));
    eventually("`a.test` is served", || serves(&gateway, "a.test"));
    gateway.rewrite_routing(&routers(&[B]));
    eventually("`b.test` is served", || serves(&gateway, "b.test"));
}

#[test]
fn a_broken_file_keeps_the_last_good_state() {
    let gateway = start(&routers(&[A]));
    for broken in [
        "http: {routers: [",
        "http:\n  routers:\n    a: {rule: 'Host(`a.test`)', servic: s}\n",
        "http: {}\n",
    ] {
        let said = |gateway: &Gateway| gateway.log().matches("the last good state stays").count();
        let before = said(&gateway);
        gateway.rewrite_routing(broken);
        eventually("the log says that the file is not applied", || {
            said(&gateway) > before
        });
        assert!(serves(&gateway, "a.test"), "{broken}");
    }
    std::fs::remove_file(gateway.folder().path().join("routing.yml")).expect("the file is there");
    assert!(serves(&gateway, "a.test"), "a removed file takes nothing away");
    gateway.rewrite_routing(&routers(&[B]));
    eventually("the next good file is applied", || {
        serves(&gateway, "b.test") && !serves(&gateway, "a.test")
    });
}

#[test]
fn a_broken_object_disables_only_itself() {
    let gateway = start(&routers(&[A]));
    let broken = "broken: {rule: 'Host(`broken.test`', service: s}";
    let lost = "lost: {rule: 'Host(`lost.test`)', service: nowhere}";
    let odd = "odd: {rule: 'Host(`odd.test`)', service: s, middlewares: [nowhere]}";
    gateway.rewrite_routing(&routers(&[A, broken, lost, odd, B]));
    eventually("`b.test` is served", || serves(&gateway, "b.test"));
    assert!(serves(&gateway, "a.test"));
    for name in ["broken", "lost", "odd"] {
        assert_eq!(gateway.get(&format!("{name}.test"), "/").status, 404, "{name}");
        assert_eq!(
            gateway.api(&format!("/api/http/routers/{name}@file"))["status"],
            "disabled",
            "{name}"
        );
        assert!(
            gateway
                .log()
                .contains(&format!("router `{name}@file` is disabled")),
            "{name}"
        );
    }
    assert_eq!(gateway.api("/api/http/routers/a@file")["status"], "enabled");
}

const LIMITED: &str = "limited: {rule: 'Host(`limited.test`)', service: s, middlewares: [limit]}";

fn limit(burst: u32) -> String {
    format!("  middlewares: {{limit: {{rateLimit: {{average: 1, period: 1h, burst: {burst}}}}}}}\n")
}

#[test]
fn a_rate_limit_survives() {
    let gateway = start(&(routers(&[LIMITED]) + &limit(3)));
    let ask = || gateway.get("limited.test", "/").status;
    assert_eq!([ask(), ask(), ask(), ask()], [200, 200, 200, 429]);
    gateway.rewrite_routing(&(routers(&[LIMITED, B]) + &limit(3)));
    eventually("`b.test` is served", || serves(&gateway, "b.test"));
    assert_eq!(ask(), 429, "the bucket is as empty as before");
    gateway.rewrite_routing(&(routers(&[LIMITED, A]) + &limit(5)));
    eventually("`a.test` is served", || serves(&gateway, "a.test"));
    assert_eq!(
        [ask(), ask(), ask(), ask(), ask(), ask()],
        [200, 200, 200, 200, 200, 429],
        "another limit is another bucket"
    );
}

#[test]
fn sticky_sessions_survive() {
    let sticky = |servers: &str, router: &str| {
        format!(
            "{HEAD}    all: {{rule: 'Host(`all.test`)', service: s}}\n{router}  services: {{s: {{loadBalancer: {{sticky: {{cookie: {{name: who}}}}, servers: [{servers}]}}}}}}\n"
        )
    };
    let (one, two, three) = (
        "{url: 'http://127.0.0.1:@b1@'}",
        "{url: 'http://127.0.0.1:@b2@'}",
        "{url: 'http://127.0.0.1:@b3@'}",
    );
    let gateway = gateway()
        .routing(&sticky(&[one, two].join(", "), ""))
        .upstream("b1", Upstream::echo())
        .upstream("b2", Upstream::echo())
        .upstream("b3", Upstream::echo())
        .start();
    let first = gateway.get("all.test", "/");
    let cookie = first
        .header("set-cookie")
        .split(';')
        .next()
        .unwrap_or_default()
        .to_owned();
    assert!(cookie.starts_with("who="), "{cookie}");
    let line = format!("Cookie: {cookie}");
    let again = || gateway.get_with("all.test", "/", &[&line]).backend();
    assert_eq!(
        [again(), again(), again()],
        [first.backend(), first.backend(), first.backend()]
    );
    gateway.rewrite_routing(&sticky(&[three, two, one].join(", "), &format!("    {B}\n")));
    eventually("`b.test` is served", || serves(&gateway, "b.test"));
    assert_eq!(
        [again(), again(), again()],
        [first.backend(), first.backend(), first.backend()]
    );
}

/// Connections to servers are kept too, and requests under way end on the routing that they began with.
#[test]
fn connections_and_requests_survive() {
    let gateway = start(&routers(&[A]));
    let mut client = gateway.client("web");
    let get = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";
    assert_eq!(client.ask(get).status, 200);
    let mut slow = gateway.client("web");
    slow.send("GET /slow HTTP/1.1\r\nHost: a.test\r\nX-Do: delay=600\r\n\r\n");
    eventually("the slow request is under way", || {
        gateway.upstream("b1").requests() >= 2
    });
    gateway.rewrite_routing(&routers(&[B]));
    eventually("`a.test` is gone", || gateway.get("a.test", "/").status == 404);
    assert_eq!(slow.response().status, 200, "what is under way is not cut");
    assert_eq!(client.ask(get).status, 404, "the client's connection goes on");
    assert_eq!(client.ask("GET / HTTP/1.1\r\nHost: b.test\r\n\r\n").status, 200);
}

#[test]
fn a_storm_of_changes_fails_no_request() {
    let gateway = start(&routers(&[A]));
    let failed = std::thread::scope(|scope| {
        let storm = scope.spawn(|| {
            for n in 0..60 {
                gateway.rewrite_routing(&routers(&[
                    A,
                    &format!("n: {{rule: 'Host(`n{n}.test`)', service: s}}"),
                ]));
                until(Duration::from_millis(15), || None::<()>);
            }
        });
        let mut client = gateway.client("web");
        let mut failed = 0;
        while !storm.is_finished() {
            failed += usize::from(client.ask("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").status != 200);
            failed += usize::from(!serves(&gateway, "a.test"));
        }
        failed
    });
    assert_eq!(failed, 0);
    eventually("the last state is served", || serves(&gateway, "n59.test"));
}

#[test]
fn changed_certificates_are_served() {
    let install = INSTALL.replace(
        "  traefik:",
        "  websecure: {address: '127.0.0.1:@websecure@'}\n  traefik:",
    );
    let routing = ROUTING.replace("service: s}", "service: s, entryPoints: [websecure], tls: {}}")
        + "tls: {certificates: [{certFile: '@CERTS@/mine.crt', keyFile: '@CERTS@/mine.key'}]}\n";
    let certs = Certs::generate();
    certs.host("mine", &["mine.test"]);
    let gateway = gateway()
        .install(&install)
        .routing(&routing)
        .upstream("b1", Upstream::echo())
        .certs(certs)
        .start();
    let offer = TlsOffer {
        name: Some("mine.test"),
        verify: true,
        ..TlsOffer::default()
    };
    let shown = || {
        gateway
            .tls_client("websecure", offer)
            .map(|client: RawClient| client.certificate().to_vec())
            .unwrap_or_default()
    };
    let old = shown();
    assert!(!old.is_empty());
    let mut open = gateway.tls_client("websecure", offer).expect("a handshake");
    gateway.certs().host("mine", &["mine.test"]);
    eventually("the new certificate is shown", || {
        let now = shown();
        !now.is_empty() && now != old
    });
    assert_eq!(
        open.ask("GET / HTTP/1.1\r\nHost: mine.test\r\n\r\n").status,
        200,
        "connections go on"
    );
}

/// With the upstream's port in it.
fn filled(routing: &str, upstream: &Upstream) -> String {
    routing.replace("@b1@", &upstream.port().to_string())
}

/// As Kubernetes mounts a ConfigMap: files are links into a folder that is swapped as a whole.
#[test]
fn a_swapped_link_is_noticed() {
    let upstream = Upstream::echo();
    for (option, name) in [("directory", ""), ("filename", "routing.yml")] {
        let folder = Folder::new("conf");
        folder.write("..one/routing.yml", filled(&routers(&[A]), &upstream));
        folder.write("..two/routing.yml", filled(&routers(&[B]), &upstream));
        let conf = folder.path();
        symlink("..one", conf.join("..data")).expect("a link");
        symlink("..data/routing.yml", conf.join("routing.yml")).expect("a link");
        let place = format!("{}'", conf.join(name).display());
        let install = INSTALL.replace("filename: '@DIR@/routing.yml'", &format!("{option}: '{place}"));
        let gateway = gateway().install(&install).upstream("b1", &upstream).start();
        eventually("the first version is served", || serves(&gateway, "a.test"));
        symlink("..two", conf.join("..data_tmp")).expect("a link");
        std::fs::rename(conf.join("..data_tmp"), conf.join("..data")).expect("the link can be swapped");
        eventually("the second version is served", || {
            serves(&gateway, "b.test") && !serves(&gateway, "a.test")
        });
    }
}

#[test]
fn a_hangup_reads_the_files_again() {
    let install = INSTALL.replace("watch: true", "watch: false");
    let gateway = gateway()
        .install(&install)
        .routing(&routers(&[A]))
        .upstream("b1", Upstream::echo())
        .start();
    gateway.rewrite_routing(&routers(&[B]));
    until(Duration::from_millis(300), || None::<()>);
    assert!(
        serves(&gateway, "a.test") && !serves(&gateway, "b.test"),
        "nobody watches"
    );
    gateway.hangup();
    eventually("the new file is served", || {
        serves(&gateway, "b.test") && !serves(&gateway, "a.test")
    });
    gateway.hangup();
    assert!(serves(&gateway, "b.test"));
}

#[test]
fn a_template_is_rendered_at_each_reading_and_a_broken_one_changes_nothing() {
    let template = |hosts: &str| {
        let routers = "{{- range $i, $h := splitList \",\" $hosts }}\n    r{{ $i }}: {rule: 'Host(`{{ $h }}.test`)', service: s}{{ end }}";
        format!("{{{{ $hosts := \"{hosts}\" -}}}}\n{HEAD}{routers}\n{TAIL}")
    };
    let gateway = start(&template("a,b"));
    assert!(serves(&gateway, "a.test") && serves(&gateway, "b.test"));
    gateway.rewrite_routing(&template("b,c"));
    eventually("`c.test` is served", || serves(&gateway, "c.test"));
    assert!(!serves(&gateway, "a.test"));
    let before = reloads(&gateway);
    gateway.rewrite_routing(&template("d\" | nope \""));
    gateway.rewrite_routing(&template("{{ fail \\\"no\\\" }}"));
    gateway.rewrite_routing(&template("e"));
    eventually("`e.test` is served", || serves(&gateway, "e.test"));
    assert_eq!(reloads(&gateway), before + 1, "the broken ones were not applied");
}
