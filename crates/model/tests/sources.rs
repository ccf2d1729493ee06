//! Which source of the install configuration wins, where files are looked for, what is added at the end.

use trilithon_model::source::{Inputs, Origin, base_names, load};
use trilithon_model::{Encode, Severity};

struct Start<'a> {
    args: &'a [&'a str],
    env: &'a [(&'a str, &'a str)],
    files: &'a [(&'a str, &'a str)],
}

/// Origin, names of entry points with their addresses, codes of problems.
fn check(start: &Start<'_>, want: &str) {
    let args: Vec<String> = start.args.iter().map(|a| (*a).to_owned()).collect();
    let env: Vec<_> = start
        .env
        .iter()
        .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
        .collect();
    let read = |path: &str| {
        start
            .files
            .iter()
            .find(|(p, _)| *p == path)
            .map(|(_, text)| Ok((*text).to_owned()))
    };
    let loaded = load(&Inputs {
        args: &args,
        env: &env,
        read: &read,
    });
    let origin = match loaded.origin {
        Origin::File(path) => path,
        other => format!("{other:?}"),
    };
    let points = loaded
        .config
        .entry_points
        .iter()
        .map(|(name, e)| format!("{name}={}", e.address));
    let codes = loaded
        .problems
        .iter()
        .map(|p| format!("{}{}", if p.is_error() { "!" } else { "" }, p.code));
    let words: Vec<String> = std::iter::once(origin).chain(points).chain(codes).collect();
    assert_eq!(words.join(" "), want);
}

const WEB: &str = "entryPoints: {web: {address: ':1'}}";
const TOML: &str = "[entryPoints.web]\naddress = ':2'";
const FLAG: &[&str] = &["--entryPoints.Flag.address=:3"];
const VAR: &[(&str, &str)] = &[("TRAEFIK_ENTRYPOINTS_VAR_ADDRESS", ":4")];
const NO_ENV: &[(&str, &str)] = &[];

#[test]
fn a_file_beats_flags_and_flags_beat_the_environment() {
    check(
        &Start {
            args: &[],
            env: &[],
            files: &[],
        },
        "Defaults http=:80",
    );
    check(
        &Start {
            args: &[],
            env: &[("PATH", "/bin")],
            files: &[],
        },
        "Defaults http=:80",
    );
    check(
        &Start {
            args: &[],
            env: VAR,
            files: &[],
        },
        "Environment var=:4",
    );
    check(
        &Start {
            args: FLAG,
            env: VAR,
            files: &[],
        },
        "Flags Flag=:3",
    );
    check(
        &Start {
            args: &["--ping"],
            env: VAR,
            files: &[],
        },
        "Flags http=:80 traefik=:8080",
    );
    let files = &[("./traefik.yml", WEB)];
    check(
        &Start {
            args: &[],
            env: VAR,
            files,
        },
        "./traefik.yml web=:1 TRI0007",
    );
    check(
        &Start {
            args: FLAG,
            env: NO_ENV,
            files,
        },
        "./traefik.yml web=:1 TRI0007",
    );
    check(
        &Start {
            args: &["--configFile=/c.yml"],
            env: &[],
            files: &[("/c.yml", WEB)],
        },
        "/c.yml web=:1",
    );
    check(
        &Start {
            args: &["--configfile", "/c.json"],
            env: &[],
            files: &[("/c.json", r#"{"ping": {}}"#)],
        },
        "/c.json http=:80 traefik=:8080",
    );
    check(
        &Start {
            args: &["--configFile=/c.yml"],
            env: &[],
            files,
        },
        "./traefik.yml web=:1 TRI0005",
    );
    check(
        &Start {
            args: &["--configFile=/c.yml"],
            env: VAR,
            files: &[],
        },
        "Flags http=:80 TRI0005",
    );
    check(
        &Start {
            args: &["--configFile=/c.ini"],
            env: &[],
            files: &[("/c.ini", WEB)],
        },
        "/c.ini !TRI0004",
    );
}

#[test]
fn files_are_looked_for_in_order() {
    let home = &[("HOME", "/h")];
    let files = &[("./traefik.toml", TOML), ("/h/.config/traefik.yml", WEB)];
    check(
        &Start {
            args: &[],
            env: home,
            files,
        },
        "/h/.config/traefik.yml web=:1",
    );
    let files = &[
        ("./traefik.yaml", WEB),
        ("./traefik.toml", TOML),
        ("./trilithon.yml", WEB),
    ];
    check(
        &Start {
            args: &[],
            env: home,
            files,
        },
        "./traefik.toml web=:2",
    );
    let files = &[("./trilithon.yml", WEB)];
    check(
        &Start {
            args: &[],
            env: home,
            files,
        },
        "./trilithon.yml web=:1",
    );
    let env = [("HOME", "/h"), ("XDG_CONFIG_HOME", "/x")].map(|(n, v)| (n.to_owned(), v.to_owned()));
    let want = "/etc/traefik/traefik /x/traefik /h/.config/traefik ./traefik \
                /etc/trilithon/trilithon /x/trilithon /h/.config/trilithon ./trilithon";
    assert_eq!(base_names(&env).join(" "), want);
}

#[test]
fn an_unreadable_file_is_an_error() {
    let args = ["--configFile=/c.yml".to_owned()];
    let loaded = load(&Inputs {
        args: &args,
        env: &[],
        read: &|_| Some(Err("permission denied".to_owned())),
    });
    assert_eq!(
        loaded.problems.to_string(),
        "error[TRI0005]: cannot read `/c.yml`: permission denied"
    );
}

#[test]
fn entry_points_are_added_where_something_needs_them() {
    let start = |text: &'static str, want: &str| {
        check(
            &Start {
                args: &["--configFile=c.yml"],
                env: &[],
                files: &[("c.yml", text)],
            },
            want,
        );
    };
    start("log: {}", "c.yml http=:80");
    start("api: {}", "c.yml http=:80");
    start("api: {insecure: true}", "c.yml http=:80 traefik=:8080");
    start("ping: {manualRouting: true}", "c.yml http=:80");
    start("ping: {entryPoint: http}", "c.yml http=:80");
    start("metrics: {prometheus: {}}", "c.yml http=:80 traefik=:8080");
    start("metrics: {prometheus: {manualRouting: true}}", "c.yml http=:80");
    start(
        "providers: {rest: {insecure: true}}",
        "c.yml http=:80 traefik=:8080 TRI0301",
    );
    start(
        "entryPoints: {traefik: {address: ':9'}}\nping: {}",
        "c.yml traefik=:9",
    );
}

#[test]
fn default_entry_points_are_all_but_udp_and_internal_or_those_marked() {
    let names = |text: &str| {
        let read = |_: &str| Some(Ok(text.to_owned()));
        let loaded = load(&Inputs {
            args: &["--configFile=c.yml".to_owned()],
            env: &[],
            read: &read,
        });
        loaded.config.default_entry_points().join(" ")
    };
    let plain = "b: {address: ':1'}, a: {address: ':2'}, u: {address: ':3/udp'}, traefik: {address: ':4'}";
    assert_eq!(names(&format!("entryPoints: {{{plain}}}")), "a b");
    assert_eq!(
        names(&format!(
            "entryPoints: {{{plain}, c: {{address: ':5', asDefault: true}}}}"
        )),
        "c"
    );
    assert_eq!(
        names("entryPoints: {u: {address: ':3/udp', asDefault: true}, w: {address: ':1'}}"),
        ""
    );
}

#[test]
fn secrets_are_not_shown() {
    let text = "providers: {redis: {password: hunter2, sentinel: {masterName: m, password: hunter3}}}";
    let read = |_: &str| Some(Ok(text.to_owned()));
    let loaded = load(&Inputs {
        args: &["--configFile=c.yml".to_owned()],
        env: &[],
        read: &read,
    });
    let config = &loaded.config;
    let redis = config.providers.as_ref().and_then(|p| p.redis.as_ref()).unwrap();
    assert_eq!(redis.password.expose(), "hunter2");
    assert!(!format!("{config:?}").contains("hunter"));
    assert!(!config.to_json().to_string().contains("hunter"));
    assert!(config.to_json().to_string().contains(r#""password":"xxxx""#));
    assert!(loaded.problems.iter().all(|p| p.severity == Severity::Warning));
}

/// Whether ping is on.
fn check_ping(args: &[&str], env: &[(&str, &str)], want: bool) {
    let args: Vec<String> = args.iter().map(|a| (*a).to_owned()).collect();
    let env: Vec<_> = env
        .iter()
        .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
        .collect();
    let loaded = load(&Inputs {
        args: &args,
        env: &env,
        read: &|_| None,
    });
    assert_eq!(loaded.config.ping.is_some(), want, "{args:?} {env:?}");
}

#[test]
fn an_object_switched_off_stays_off_whatever_is_said_of_it() {
    check_ping(&["--ping"], &[], true);
    check_ping(&["--ping=false"], &[], false);
    check_ping(&["--ping=false", "--ping.entryPoint=web"], &[], false);
    check_ping(&["--ping.entryPoint=web", "--PING=false"], &[], false);
    check_ping(&["--ping=false", "--ping", "--ping.entryPoint=web"], &[], true);
    check_ping(&["--ping=", "--ping.entryPoint=web"], &[], true);
    let entry_point = ("TRAEFIK_PING_ENTRYPOINT", "web");
    check_ping(&[], &[("TRAEFIK_PING", "false"), entry_point], false);
    check_ping(&[], &[("TRAEFIK_PING", "true"), entry_point], true);
}
