//! The commands beside serving: what they print, word for word, and how they end.

use crate::world::{INSTALL, ROUTING, gateway};
use serde_json::Value;
use std::process::{Command, Output};
use trilithon_testkit::{Folder, Upstream, eventually, free_port};

fn trilithon(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trilithon"));
    command
        .args(arguments)
        .env_clear()
        .output()
        .expect("the binary runs")
}

/// Exit code, standard output, standard error.
fn run(arguments: &[&str]) -> (i32, String, String) {
    let output = trilithon(arguments);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (
        output.status.code().expect("no signal ends it"),
        text(output.stdout),
        text(output.stderr),
    )
}

/// `check`, `explain` and the like on this routing, with `@FILE@` in what is expected for its path.
struct Bench {
    folder: Folder,
}

impl Bench {
    fn new(routing: &str) -> Bench {
        let folder = Folder::new("commands");
        folder.write("routing.yml", routing);
        Bench { folder }
    }

    fn file(&self) -> String {
        self.folder.path().join("routing.yml").display().to_string()
    }

    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let file = format!("--providers.file.filename={}", self.file());
        let mut all = arguments.to_vec();
        all.extend(["--entryPoints.web.address=127.0.0.1:18080", &file]);
        run(&all)
    }

    #[track_caller]
    fn check(&self, arguments: &[&str], code: i32, want: &str) {
        let (got, out, err) = self.run(arguments);
        assert_eq!(out, want.replace("@FILE@", &self.file()), "{err}");
        assert_eq!(got, code);
    }
}

const GOOD: &str = "\
http:
  routers:
    shop: {rule: 'Host(`shop.test`) && PathPrefix(`/cart`)', service: s, middlewares: [strip]}
    rest: {rule: 'Host(`shop.test`)', service: s}
  middlewares: {strip: {stripPrefix: {prefixes: [/cart]}}}
  services: {s: {loadBalancer: {servers: [{url: 'http://127.0.0.1:1'}]}}}
";

const BAD: &str = "\
http:
  routers:
    a: {rule: 'Host(`a.test`)', service: s, middlewares: [nope]}
    b: {rule: 'Hosst(`b.test`)', service: s}
    c: {rule: 'Host(`c.test`)', service: missing}
  services: {s: {loadBalancer: {servers: [{url: 'http://127.0.0.1:1'}]}}}
";

#[test]
fn check_finds_nothing() {
    Bench::new(GOOD).check(&["check"], 0, "2 routers, 1 service: 0 errors, 0 warnings\n");
    let bench = Bench::new(GOOD);
    bench.check(&["check", "-o", "json"], 0, "[]\n");
    bench.check(
        &["check", "--output=text"],
        0,
        "2 routers, 1 service: 0 errors, 0 warnings\n",
    );
}

#[test]
fn check_as_text() {
    Bench::new(BAD).check(
        &["check"],
        1,
        "\
@FILE@:3:59: error[TRI0401]: router `a@file` cannot be served: middleware \"nope@file\" does not exist
  3 |     a: {rule: 'Host(`a.test`)', service: s, middlewares: [nope]}
    |                                                           ^^^^
  help: define `http.middlewares.nope` or remove the name
@FILE@:4:16: error[TRI0401]: router `b@file` cannot be served: error while parsing rule Hosst(`b.test`): unsupported function: Hosst
  4 |     b: {rule: 'Hosst(`b.test`)', service: s}
    |                ^^^^^^^^^^^^^^^
  help: did you mean `Host`?
@FILE@:5:42: error[TRI0401]: router `c@file` cannot be served: the service \"missing@file\" does not exist
  5 |     c: {rule: 'Host(`c.test`)', service: missing}
    |                                          ^^^^^^^
  help: define `http.services.missing` or name another service
3 routers, 1 service: 3 errors, 0 warnings
",
    );
}

/// A broken file does not hide what else can be found.
#[test]
fn check_finds_more_than_the_first() {
    let bench = Bench::new(
        "http:\n  routers:\n    a: {rule: 'Host(`a.test`)', servic: s}\n    b: {rule: 'Host(`b.test`)', service: nowhere}\n",
    );
    let (code, out, _) = bench.run(&["check"]);
    assert_eq!(code, 1, "{out}");
    for part in [
        ":3:33: error[TRI0101]: unknown option `servic` in `http.routers.a`",
        "help: did you mean `service`?",
        ":4:42: error[TRI0401]",
    ] {
        assert!(out.contains(part), "`{part}` is not in\n{out}");
    }
}

#[test]
fn check_as_json() {
    let bench = Bench::new(BAD);
    let (code, out, err) = bench.run(&["check", "-o", "json"]);
    let all: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((code, &*err, all.as_array().map(Vec::len)), (1, "", Some(3)));
    let want = serde_json::json!({
        "severity": "error", "code": "TRI0401", "message": "router `a@file` cannot be served: middleware \"nope@file\" does not exist",
        "place": format!("{}:3:59", bench.file()), "file": bench.file(), "line": 3, "column": 59, "endLine": 3, "endColumn": 63,
        "object": "http.routers.a", "help": "define `http.middlewares.nope` or remove the name",
    });
    assert_eq!(all[0], want);
}

#[test]
fn check_as_sarif() {
    let bench = Bench::new(BAD);
    let (code, out, _) = bench.run(&["check", "--output=sarif"]);
    let sarif: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((code, &sarif["version"]), (1, &"2.1.0".into()));
    let run = &sarif["runs"][0];
    assert_eq!(
        (&run["tool"]["driver"]["name"], &run["tool"]["driver"]["rules"]),
        (&"trilithon".into(), &serde_json::json!([{"id": "TRI0401"}]))
    );
    let result = &run["results"][1];
    assert_eq!(
        (&result["ruleId"], &result["level"]),
        (&"TRI0401".into(), &"error".into())
    );
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], bench.file());
    assert_eq!(
        place["region"],
        serde_json::json!({"startLine": 4, "startColumn": 16, "endLine": 4, "endColumn": 31})
    );
    assert!(
        result["message"]["text"]
            .as_str()
            .is_some_and(|text| text.ends_with("did you mean `Host`?"))
    );
}

#[test]
fn check_of_the_install_configuration() {
    let (code, out, _) = run(&["check", "--entryPoints.web.addres=:80"]);
    assert_eq!(code, 1);
    assert!(
        out.contains("addres") && out.contains("did you mean `address`?"),
        "{out}"
    );
    let folder = Folder::new("commands");
    let file = folder.write(
        "install.yml",
        "entryPoints:\n  web: {address: ':80'}\nlog: {levl: DEBUG}\n",
    );
    let (code, out, _) = run(&["check", &format!("--configFile={}", file.display())]);
    assert_eq!(code, 1);
    let want = format!(
        "{}:3:7: error[TRI0101]: unknown option `levl` in `log`\n  3 | log: {{levl: DEBUG}}\n    |       ^^^^\n  help: did you mean `level`?\n",
        file.display()
    );
    assert!(out.starts_with(&want), "{out}");
}

#[test]
fn check_starts_nothing() {
    let taken = Upstream::echo();
    let (code, out, err) = run(&[
        "check",
        &format!("--entryPoints.web.address=127.0.0.1:{}", taken.port()),
    ]);
    assert_eq!((code, &*err), (0, ""), "{out}");
    assert_eq!(taken.connections(), 0);
}

#[test]
fn explain_a_request_that_is_taken() {
    let bench = Bench::new(GOOD);
    bench.check(
        &["explain", "GET http://shop.test/cart/../cart/1"],
        0,
        "\
entry point web:
  asks for host `shop.test`, path `/cart/1`
  taken by router `shop@file` (@FILE@:3:5), priority 40, rule Host(`shop.test`) && PathPrefix(`/cart`)
    through middleware `strip@file` (stripPrefix, @FILE@:5:17)
    to service `s@file` (loadBalancer, @FILE@:6:14)
      http://127.0.0.1:1 up
  not `rest@file` (@FILE@:4:5), priority 17, rule Host(`shop.test`): matches too, but comes later
",
    );
}

#[test]
fn explain_a_request_that_is_not() {
    let bench = Bench::new(GOOD);
    let (code, out, _) = bench.run(&["explain", "http://other.test/"]);
    assert_eq!(code, 1);
    for line in [
        "  asks for host `other.test`, path `/`\n",
        "  no router matches: 404\n",
        "`shop@file`",
        "wants",
    ] {
        assert!(out.contains(line), "`{line}` is not in\n{out}");
    }
    let (code, out, _) = bench.run(&["explain", "http://shop.test/%zz"]);
    assert_eq!(code, 1);
    assert!(
        out.contains("refused before routing with 400 (bad-path-escape)"),
        "{out}"
    );
    for wrong in [
        &["explain"][..],
        &["explain", "shop.test"],
        &["explain", "ftp://shop.test/"],
        &["explain", "http://a/", "-H", "no colon"],
    ] {
        let (code, _, err) = bench.run(wrong);
        assert!(code != 0 && err.starts_with("error: "), "{wrong:?}: {code} {err}");
    }
}

#[test]
fn explain_a_connection() {
    let bench = Bench::new(
        "\
tcp:
  routers:
    db: {rule: HostSNI(`db.test`), service: s, tls: {passthrough: true}}
    rest: {rule: HostSNI(`*`), service: s, tls: {}, middlewares: [near]}
  middlewares: {near: {ipAllowList: {sourceRange: [127.0.0.0/8]}}}
  services: {s: {loadBalancer: {servers: [{address: '127.0.0.1:1'}]}}}
",
    );
    bench.check(
        &["explain", "tls://DB.test"],
        0,
        "\
entry point web:
  asks for the name `db.test` by TLS
  taken by TCP router `db@file` (@FILE@:3:5), priority 18, rule HostSNI(`db.test`)
    to service `s@file` (@FILE@:6:14)
      127.0.0.1:1 up
  not `rest@file` (@FILE@:4:5), priority -1, rule HostSNI(`*`): matches too, but comes later
",
    );
    let (code, out, _) = bench.run(&["explain", "tls://other.test"]);
    assert_eq!(code, 0);
    let through = format!("    through middleware `near@file` ({}:5:17)\n", bench.file());
    assert!(
        out.contains("taken by TCP router `rest@file`") && out.contains(&through),
        "{out}"
    );
    let (code, out, _) = bench.run(&["explain", "tcp://"]);
    assert_eq!((code, out.contains("HTTP gets it")), (1, true), "{out}");
}

#[test]
fn healthcheck_of_a_running_gateway() {
    let install = INSTALL.to_owned() + "ping: {}\n".replace("{}", "{entryPoint: traefik}").as_str();
    let gateway = gateway()
        .install(&install)
        .routing(ROUTING)
        .upstream("b1", Upstream::echo())
        .start();
    let file = format!(
        "--configFile={}",
        gateway.folder().path().join("install.yml").display()
    );
    let url = format!("http://127.0.0.1:{}/ping", gateway.port("traefik"));
    assert_eq!(
        run(&["healthcheck", &file]),
        (0, format!("OK: {url}\n"), String::new())
    );
    gateway.terminate();
    eventually("the gateway is gone", || {
        gateway.exit(std::time::Duration::ZERO).is_some()
    });
    let (code, out, _) = run(&["healthcheck", &file]);
    assert_eq!(code, 1);
    assert!(out.starts_with("Error calling healthcheck: "), "{out}");
}

#[test]
fn healthcheck_without_ping() {
    let (code, out, err) = run(&[
        "healthcheck",
        &format!("--entryPoints.web.address=127.0.0.1:{}", free_port()),
    ]);
    assert_eq!(code, 1);
    assert!(
        format!("{out}{err}").contains("please enable `ping` to use health check"),
        "{out}{err}"
    );
}

#[test]
fn version() {
    let (code, out, err) = run(&["version"]);
    let lines: Vec<_> = out
        .lines()
        .map(|line| line.split_once(':').map(|(name, value)| (name, value.trim())))
        .collect();
    assert_eq!((code, &*err), (0, ""));
    assert_eq!(lines[0], Some(("Version", env!("CARGO_PKG_VERSION"))));
    assert!(lines.contains(&Some(("Compatible", "Traefik v3.7"))), "{out}");
}

#[test]
fn completion() {
    for (shell, part) in [
        ("bash", "complete -F _trilithon trilithon"),
        ("zsh", "#compdef trilithon"),
        ("fish", "complete -c trilithon"),
    ] {
        let (code, out, err) = run(&["completion", shell]);
        assert_eq!((code, &*err), (0, ""), "{shell}");
        for word in [part, "healthcheck", "providers.file.filename"] {
            assert!(out.contains(word), "{shell}: `{word}` is missing");
        }
    }
    let (code, _, err) = run(&["completion", "cmd"]);
    assert_eq!(
        (code, &*err),
        (
            1,
            "error: `cmd` is no shell that completion is made for; choose bash, zsh or fish\n"
        )
    );
}

/// The shell itself finds no fault with the script, and completes with it.
#[test]
fn completion_in_a_shell() {
    let script = run(&["completion", "bash"]).1;
    let ask = "COMP_WORDS=(trilithon he); COMP_CWORD=1; _trilithon; echo \"${COMPREPLY[@]}\"";
    let output = Command::new("bash")
        .args(["-euc", &format!("{script}\n{ask}")])
        .output()
        .expect("bash runs");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "healthcheck help\n",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn schemas() {
    for (which, option) in [("install", "entryPoints"), ("routing", "http")] {
        let (code, out, err) = run(&["schema", which]);
        let schema: Value = serde_json::from_str(&out).expect("JSON");
        assert_eq!((code, &*err), (0, ""));
        assert!(
            schema["$schema"].is_string() && schema["properties"][option].is_object(),
            "{which}"
        );
    }
    let (code, _, err) = run(&["schema", "other"]);
    assert_eq!(
        (code, &*err),
        (1, "error: `other` is no schema; choose install or routing\n")
    );
}

#[test]
fn help_and_unknown_commands() {
    for arguments in [&["help"][..], &["--help"], &["-h"]] {
        let (code, out, err) = run(arguments);
        assert_eq!((code, &*err), (0, ""), "{arguments:?}");
        assert!(
            out.starts_with("Usage: trilithon [command] [flags]\n")
                && out.contains("  --entryPoints.<name>.address\n"),
            "{arguments:?}"
        );
    }
    let (code, out, err) = run(&["serve"]);
    assert_eq!((code, &*out), (1, ""));
    assert!(
        err.starts_with("error: there is no command `serve`; the commands are run, check, explain, audit, "),
        "{err}"
    );
}

/// Output into a pipe that nobody reads any more is no reason to panic.
#[test]
fn closed_pipes() {
    for command in ["help", "schema install", "completion fish"] {
        let line = format!(
            "'{}' {command} | true; echo ${{PIPESTATUS[0]}}",
            env!("CARGO_BIN_EXE_trilithon")
        );
        let output = Command::new("bash")
            .args(["-c", &line])
            .output()
            .expect("bash runs");
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(!err.contains("panicked"), "{command}: {err}");
    }
}

const POLICY: &str = "\
http:
  routers:
    api: {rule: 'Host(`api.test`)', service: s, middlewares: [strip, gate]}
  middlewares:
    strip: {stripPrefix: {prefixes: [/v1]}}
    gate: {chain: {middlewares: [staff]}}
    staff:
      policy:
        rules:
          - {name: staff, effect: allow, expression: '\"staff\" in identity.groups && http.path == \"/orders\"'}
          - {name: own, effect: allow, expression: 'jwt.tier == \"gold\" && http.header[\"authorization\"] != \"\"'}
  services: {s: {loadBalancer: {servers: [{url: 'http://127.0.0.1:1'}]}}}
";

/// The same decision as when serving, with the facts as the policy sees them: behind the prefix that is stripped.
#[test]
fn explain_shows_decisions() {
    let bench = Bench::new(POLICY);
    let check = |more: &[&str], want: &str| {
        let mut arguments = vec!["explain", "GET http://api.test/v1/orders"];
        arguments.extend(more);
        let (code, out, err) = bench.run(&arguments);
        assert_eq!(code, 0, "{err}");
        assert!(out.contains(want), "{want} is not in\n{out}");
    };
    let group = ["--subject", "ann", "--group", "staff"];
    check(
        &group,
        "\
      `staff@file` allows by `staff`
        identity.groups = [\"staff\"]
        http.path = /orders
",
    );
    check(
        &[
            "--jwt-claims",
            r#"{"sub":"bob","tier":"gold"}"#,
            "-H",
            "Authorization: Bearer t0p-secret",
        ],
        "\
      `staff@file` allows by `own`
        identity.groups = []
        http.path = /orders
        jwt.tier = gold
        http.header[\"authorization\"] = REDACTED
",
    );
    check(
        &[],
        "\
      `staff@file` denies by `own`
        identity.groups = []
        http.path = /orders
        jwt.tier = absent
        http.header[\"authorization\"] = absent
        error = there is no `jwt.tier`
",
    );
}

#[test]
fn explain_as_json() {
    let bench = Bench::new(POLICY);
    let arguments = [
        "explain",
        "http://api.test/v1/orders",
        "-o",
        "json",
        "--group",
        "staff",
    ];
    let (code, out, err) = bench.run(&arguments);
    assert_eq!(code, 0, "{err}");
    let answer: Value = serde_json::from_str(&out).expect("JSON");
    let way = &answer["entryPoints"][0];
    assert_eq!(way["router"]["name"], "api@file");
    assert_eq!(way["middlewares"], serde_json::json!(["strip@file", "gate@file"]));
    let decision = &way["decisions"][0];
    assert_eq!(decision["policy"], "staff@file");
    assert_eq!(decision["decision"], "allow");
    assert_eq!(decision["facts"]["http.path"], "/orders");
    let (code, out, _) = bench.run(&["explain", "http://other.test/", "-o", "json"]);
    assert_eq!(code, 1);
    let answer: Value = serde_json::from_str(&out).expect("JSON");
    assert!(answer["entryPoints"][0]["router"].is_null());
}

const CALLS: &str = "\
http:
  routers:
    chat: {rule: 'PathPrefix(`/v1`)', service: vendors, middlewares: [gate]}
    small: {rule: 'PathPrefix(`/v1`) && Model(`small`)', service: first, priority: 100}
  middlewares:
    gate: {chain: {middlewares: [private, judge, budget]}}
    private: {content-guard: {engine: {builtin: {}}, clientRequestFormat: ccr, mode: shadow, request: {rules: [{entities: [EMAIL_ADDRESS, JWT], mask: {}}]}}}
    judge:
      llm-guard:
        endpoint: 'http://me:secret@judge.test/guard?key=secret'
        clientRequestFormat: ccr
        format: {custom: {}}
        request: {template: '{}', blockConditions: [{condition: 'Contains(\"no\")', reason: unsafe}]}
    budget: {ai-quota: {clientRequestFormat: ccr, costLimit: {limit: '25', calendar: month}, sourceCriterion: {identity: application}}}
    as-first: {chat-completion: {token: sk, provider: first, model: gpt-4o}}
    as-second: {chat-completion: {provider: second}}
  services:
    vendors: {models: {targets: [{service: second}, {service: first, priority: 1, weight: 3}]}}
    first: {middlewares: [as-first], loadBalancer: {servers: [{url: 'http://127.0.0.1:1'}]}}
    second: {middlewares: [as-second], loadBalancer: {servers: [{url: 'http://127.0.0.1:2'}]}}
";

#[test]
fn explain_a_call_of_a_model() {
    let bench = Bench::new(CALLS);
    let url = "https://host.test/v1/chat/completions".replace("https", "http");
    bench.check(
        &["explain", &url, "--model", "own"],
        0,
        "\
entry point web:
  asks for host `host.test`, path `/v1/chat/completions`
  taken by router `chat@file` (@FILE@:3:5), priority 17, rule PathPrefix(`/v1`)
    through middleware `gate@file` (chain, @FILE@:6:5)
      `private@file` in requests masks EMAIL_ADDRESS, JWT, in shadow: nothing changes
      `judge@file` asks http://judge.test/guard about requests and refuses on Contains(\"no\") (unsafe)
      `budget@file` lets through 25 US dollars each month for each application; `own` has no price, so it refuses this call
    to service `vendors@file` (models, @FILE@:18:5)
      priority 1, weight 3:
        through middleware `as-first@file` (chat-completion, @FILE@:15:5)
          `as-first@file` asks `gpt-4o` of first, with the gateway's key
        to service `first@file` (loadBalancer, @FILE@:19:5)
          http://127.0.0.1:1 up
      priority 0, weight 1:
        through middleware `as-second@file` (chat-completion, @FILE@:16:5)
          `as-second@file` asks `own` of second, with the client's key
        to service `second@file` (loadBalancer, @FILE@:20:5)
          http://127.0.0.1:2 up
  not `small@file` (@FILE@:4:5), priority 100, rule PathPrefix(`/v1`) && Model(`small`): Model(`small`) wants model `small`, got model `own`
",
    );
    bench
        .folder
        .write("body.json", r#"{"messages":[],"model":"small"}"#);
    let body = format!("@{}", bench.folder.path().join("body.json").display());
    let (code, out, err) = bench.run(&["explain", &url, "-d", &body]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("taken by router `small@file`"), "{out}");
    let (_, out, _) = bench.run(&["explain", &format!("POST {url}")]);
    assert!(out.contains("say it with `--model` or `--body`"), "{out}");
    assert!(
        out.contains("asks the model that the client names of second"),
        "{out}"
    );
}

#[test]
fn explain_a_call_as_json() {
    let bench = Bench::new(CALLS);
    let (code, out, err) = bench.run(&["explain", "http://host.test/v1/x", "--model", "own", "-o", "json"]);
    assert_eq!(code, 0, "{err}");
    let answer: Value = serde_json::from_str(&out).expect("JSON");
    let call = &answer["entryPoints"][0]["call"];
    assert_eq!(call["model"], "own");
    let kinds: Vec<&Value> = call["does"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|d| &d["kind"])
        .collect();
    assert_eq!(
        kinds,
        [
            "content-guard",
            "llm-guard",
            "ai-quota",
            "chat-completion",
            "chat-completion"
        ]
    );
    assert_eq!(
        call["targets"],
        serde_json::json!([{"service": "first@file", "model": "gpt-4o"}, {"service": "second@file", "model": "own"}])
    );
}
