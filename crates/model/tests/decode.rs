//! What the decoder makes of values: weak types, lists, names in any case, merges.

use trilithon_model::dynamic::Configuration;
use trilithon_model::node::Source;
use trilithon_model::{Duration, routing_file};

fn read(text: &str) -> Configuration {
    let (config, problems) = routing_file(&Source::text("test.yml", text));
    assert!(!problems.void_file(), "{problems}\n{text}");
    config
}

/// A header's value as written in YAML, and as read.
fn text(written: &str, want: &str) {
    let config = read(&format!(
        "http: {{middlewares: {{m: {{headers: {{customRequestHeaders: {{H: {written}}}}}}}}}}}"
    ));
    let headers = config.http.middlewares["m"].headers.as_ref().unwrap();
    assert_eq!(headers.custom_request_headers["H"], want, "{written}");
}

#[test]
fn scalars_become_text() {
    text("plain", "plain");
    text("'it''s'", "it's");
    text(r#""tab\t""#, "tab\t");
    text("''", "");
    text("True", "true");
    text("'True'", "True");
    text("yes", "yes");
    text("12", "12");
    text("0x10", "16");
    text("1_000", "1000");
    text("007", "007");
    text("1.50", "1.50");
    text("1.2.3.4", "1.2.3.4");
    text("2020-01-01", "2020-01-01");
    text("!!str true", "true");
    text("'~'", "~");
}

/// A router's priority as written, and as read.
fn number(written: &str, want: i64) {
    let config = read(&format!("http: {{routers: {{r: {{priority: {written}}}}}}}"));
    assert_eq!(config.http.routers["r"].priority, want, "{written}");
}

#[test]
fn scalars_become_numbers() {
    number("5", 5);
    number("'5'", 5);
    number("-5", -5);
    number("+5", 5);
    number("0x1F", 31);
    number("9223372036854775807", i64::MAX);
    number("~", 0);
}

/// A list of entry points as written, and as read.
fn list(written: &str, want: &[&str]) {
    let config = read(&format!(
        "http: {{routers: {{r: {{rule: r, entryPoints: {written}}}}}}}"
    ));
    assert_eq!(config.http.routers["r"].entry_points, want, "{written}");
}

#[test]
fn lists() {
    list("[a, b]", &["a", "b"]);
    list("a", &["a"]);
    list("'a, b'", &["a", "b"]);
    list("[' a ', 'b,c']", &["a", "b,c"]);
    list("[]", &[]);
    list("''", &[]);
    list("~", &[]);
    list("[1, true]", &["1", "true"]);
}

#[test]
fn an_empty_list_leaves_the_default() {
    let config = read(
        "http: {middlewares: {m: {compress: {encodings: []}}}}\ntls: {options: {o: {alpnProtocols: []}}}",
    );
    let compress = config.http.middlewares["m"].compress.as_ref().unwrap();
    assert_eq!(compress.encodings, ["gzip", "br", "zstd"]);
    assert_eq!(
        config.tls.options["o"].alpn_protocols,
        ["h2", "http/1.1", "acme-tls/1"]
    );
}

#[test]
fn options_in_any_case_and_names_as_written() {
    let config = read("HTTP: {ROUTERS: {Big: {RULE: r, Service: s, TLS: {}}}}");
    let router = &config.http.routers["Big"];
    assert_eq!(
        (
            router.rule.as_str(),
            router.service.as_str(),
            router.tls.is_some()
        ),
        ("r", "s", true)
    );
}

#[test]
fn anchors_and_merges() {
    let config = read(
        "x-svc: &svc {loadBalancer: {servers: [{url: 'http://a'}]}}\n\
         http:\n  routers:\n    y: &r {rule: y, service: y, priority: 3}\n    z: {<<: *r, rule: z}\n    \
         w: {<<: [{priority: 9}, *r]}\n  services: {y: *svc}\n",
    );
    let routers = &config.http.routers;
    assert_eq!((routers["z"].rule.as_str(), routers["z"].priority), ("z", 3));
    assert_eq!((routers["w"].rule.as_str(), routers["w"].priority), ("y", 9));
    let balancer = config.http.services["y"].load_balancer.as_ref().unwrap();
    assert_eq!(balancer.servers[0].url, "http://a");
}

#[test]
fn defaults_of_created_objects() {
    let config = read("http: {serversTransports: {t: {forwardingTimeouts: {dialTimeout: 2s}}}}");
    let timeouts = config.http.servers_transports["t"]
        .forwarding_timeouts
        .as_ref()
        .unwrap();
    assert_eq!(timeouts.dial_timeout, Duration::from_secs(2));
    assert_eq!(timeouts.idle_conn_timeout, Duration::from_secs(90));
    assert_eq!(timeouts.ping_timeout, Duration::from_secs(15));
}

#[test]
fn objects_know_their_place_and_are_equal_without_it() {
    let a = read("http:\n  routers:\n    r: {rule: x}\n");
    let b = read("http: {routers: {r: {rule: x}}}");
    assert_eq!(a.http.routers["r"].span.to_string(), "test.yml:3:5");
    assert_eq!(b.http.routers["r"].span.to_string(), "test.yml:1:18");
    assert_eq!(a, b);
}

#[test]
fn empty_files_are_empty_configurations() {
    for text in ["", "# nothing\n", "nope: {a: 1}\n", "http:\n", "---\n", "null"] {
        assert!(read(text).is_empty(), "{text:?}");
    }
}

#[test]
fn hostile_text_is_refused_without_panic() {
    let deep = "[".repeat(100_000);
    let maps = "{a: ".repeat(50_000);
    for text in [
        "\0",
        "\u{feff}http: {}",
        "%YAML 9.9\n---\n",
        "a: !!binary x",
        "? ",
        ": :",
        "- - -",
        "&a *a",
        &deep,
        &maps,
    ] {
        for name in ["x.yml", "x.toml", "x.json"] {
            let _ = routing_file(&Source::text(name, text));
        }
    }
}

/// What a middleware holds, or the kinds found when that is not one.
fn kind(written: &str, want: Result<&str, &[&str]>) {
    let config = read(&format!("http: {{middlewares: {{m: {{{written}}}}}}}"));
    let kind = config.http.middlewares["m"].kind();
    let got = kind.map(|kind| kind.name()).map_err(|error| error.kinds);
    assert_eq!(got, want.map_err(<[&str]>::to_vec), "{written}");
}

#[test]
fn a_plugin_that_is_a_kind_of_ours_is_that_kind() {
    kind("jwt: {signingSecret: x}", Ok("jwt"));
    kind("plugin: {jwt: {signingSecret: x}}", Ok("jwt"));
    kind("Plugin: {JWT: {SigningSecret: x}}", Ok("jwt"));
    kind("plugin: {demo: {a: 1}}", Ok("plugin"));
    kind(
        "plugin: {jwt: {signingSecret: x}, demo: {a: 1}}",
        Err(&["plugin", "jwt"]),
    );
    kind(
        "plugin: {jwt: {signingSecret: x}}, jwt: {signingSecret: x}",
        Err(&["jwt", "jwt"]),
    );
    kind(
        "plugin: {jwt: {signingSecret: x}}, addPrefix: {prefix: /x}",
        Err(&["addPrefix", "jwt"]),
    );
}
