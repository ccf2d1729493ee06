//! The three parts together, as a router runs them.

use super::*;
use crate::http::testing::{Bench, build, build_error, connection, get, lines, request, step, text};
use trilithon_flow::{Body, Keep, TlsInfo};

fn list(items: &[&str]) -> Vec<String> {
    items.iter().map(|i| i.to_string()).collect()
}

fn map(items: &[(&str, &str)]) -> std::collections::BTreeMap<String, String> {
    items
        .iter()
        .map(|(n, v)| (n.to_string(), v.to_string()))
        .collect()
}

fn built(change: impl Fn(&mut Config)) -> Step {
    let mut config = Config::default();
    change(&mut config);
    step(|cx| super::build(&config, cx))
}

/// The lines of the answer of a server that sends `server`, to a request with `asked`.
fn answer(
    change: impl Fn(&mut Config),
    asked: &[(&str, &str)],
    server: &'static [(&'static str, &'static str)],
) -> Vec<String> {
    let bench = Bench::answering(vec![built(change)], |_| Response {
        headers: server.iter().copied().collect(),
        ..Response::new(200)
    });
    lines(&bench.run(get("/", asked)).headers)
}

#[test]
fn request_headers() {
    let check =
        |custom: &[(&str, &str)], sent: &[(&str, &str)], want: &[&str], host: &str, forwarded_for: bool| {
            let bench = Bench::new(vec![built(|c| c.custom_request_headers = map(custom))]);
            bench.run(get("/", sent));
            let seen = bench.last().unwrap();
            assert_eq!(
                (lines(&seen.headers), seen.headers.get_str("Host")),
                (list(want), Some(host)),
                "{custom:?}"
            );
            assert_eq!(seen.forwarded_for, forwarded_for, "{custom:?}");
        };
    check(
        &[("X-New", "one"), ("x-lower", "low")],
        &[("X-Other", "o")],
        &["X-Other: o", "X-New: one", "X-Lower: low"],
        "a.test",
        true,
    );
    check(
        &[("X-Over", "g")],
        &[("X-Over", "a"), ("X-Over", "b")],
        &["X-Over: g"],
        "a.test",
        true,
    );
    check(
        &[("X-Gone", "")],
        &[("x-gone", "a"), ("X-Gone", "b")],
        &[],
        "a.test",
        true,
    );
    check(&[("host", "inner:99")], &[], &[], "inner:99", true);
    check(&[("Host", "")], &[], &[], "a.test", true);
    check(
        &[("X-Forwarded-For", "")],
        &[("X-Forwarded-For", "1.1.1.1")],
        &[],
        "a.test",
        false,
    );
    check(
        &[("X-Forwarded-For", "9.9.9.9")],
        &[("X-Forwarded-For", "1.1.1.1")],
        &["X-Forwarded-For: 9.9.9.9"],
        "a.test",
        true,
    );
    check(
        &[("X-Bad", "a\r\nEvil: 1")],
        &[],
        &["X-Bad: a  Evil: 1"],
        "a.test",
        true,
    );
}

#[test]
fn what_frames_a_message_is_left_alone() {
    for name in [
        "Content-Length",
        "transfer-encoding",
        "Connection",
        "Upgrade",
        "a b",
        "",
    ] {
        let config = Config {
            custom_request_headers: map(&[(name, "1")]),
            ..Config::default()
        };
        let (step, warnings) = build(&Keep::default(), |cx| {
            (super::build(&config, cx), cx.warnings.clone())
        });
        let bench = Bench::new(vec![step.unwrap_or_else(|e| panic!("{e}"))]);
        bench.run(get("/", &[]));
        assert_eq!(
            (lines(&bench.last().unwrap().headers), warnings.len()),
            (vec![], 1),
            "{name}"
        );
    }
}

#[test]
fn response_headers() {
    let server = &[
        ("X-Over", "back"),
        ("Set-Cookie", "x=y"),
        ("Set-Cookie", "z=w"),
        ("Server", "nginx"),
        ("X-Other", "o"),
    ];
    let custom = &[
        ("X-New", "one"),
        ("X-Over", "gate"),
        ("Server", ""),
        ("Set-Cookie", "a=b"),
    ];
    let got = answer(|c| c.custom_response_headers = map(custom), &[], server);
    assert_eq!(
        got,
        ["X-Over: gate", "Set-Cookie: a=b", "X-Other: o", "X-New: one"]
    );
}

#[test]
fn a_switched_protocol_gets_no_headers() {
    let steps = vec![built(|c| {
        (c.custom_response_headers, c.frame_deny) = (map(&[("X-B", "b")]), true)
    })];
    let bench = Bench::answering(steps, |_| Response::new(101));
    assert!(bench.run(get("/", &[])).headers.is_empty());
}

const ORIGIN: (&str, &str) = ("Origin", "https://a.example");

fn cors(c: &mut Config) {
    c.access_control_allow_methods = list(&["GET", "PUT"]);
    c.access_control_allow_headers = list(&["X-One", "Content-Type"]);
    c.access_control_allow_origin_list = list(&["https://a.example", "https://b.example:8443"]);
    c.access_control_expose_headers = list(&["X-E", "X-F"]);
    c.access_control_max_age = Some(100);
    c.add_vary_header = true;
    c.custom_response_headers = map(&[("X-Custom", "c")]);
    c.frame_deny = true;
}

fn preflight(change: impl Fn(&mut Config), asked: &[(&str, &str)]) -> Option<Vec<String>> {
    let bench = Bench::new(vec![built(change)]);
    let mut res = bench.run(request("OPTIONS", "/x", asked));
    if bench.last().is_some() {
        return None;
    }
    assert_eq!((res.status, text(&mut res)), (200, String::new()));
    let mut lines: Vec<_> = lines(&res.headers)
        .iter()
        .map(|l| l.replace("Access-Control-", ""))
        .collect();
    lines.sort();
    Some(lines)
}

#[test]
fn preflights() {
    let put = ("Access-Control-Request-Method", "PUT");
    let check = |change: &dyn Fn(&mut Config), asked: &[(&str, &str)], want: Option<&[&str]>| {
        assert_eq!(preflight(change, asked), want.map(list), "{asked:?}");
    };
    let named = [
        "Allow-Headers: X-One,Content-Type",
        "Allow-Methods: GET,PUT",
        "Expose-Headers: X-E,X-F",
        "Max-Age: 100",
    ];
    let mut all = named.to_vec();
    all.insert(2, "Allow-Origin: https://a.example");
    check(&cors, &[ORIGIN, put], Some(&all));
    check(&cors, &[("Origin", "HTTPS://a.example"), put], Some(&named));
    check(&cors, &[put], None);
    check(&cors, &[ORIGIN], None);
    check(&|c| c.frame_deny = true, &[ORIGIN, put], None);
    check(
        &|c| c.access_control_max_age = Some(0),
        &[ORIGIN, put],
        Some(&["Max-Age: 0"]),
    );
    check(
        &|c| c.access_control_max_age = Some(-1),
        &[ORIGIN, put],
        Some(&["Max-Age: -1"]),
    );
    check(&|c| c.add_vary_header = true, &[ORIGIN, put], Some(&[]));
    check(
        &|c| c.access_control_allow_credentials = true,
        &[ORIGIN, put],
        Some(&["Allow-Credentials: true"]),
    );
}

fn star(c: &mut Config) {
    c.access_control_allow_methods = list(&["*"]);
    c.access_control_allow_headers = list(&["X-One", "*"]);
    c.access_control_allow_origin_list = list(&["*"]);
    c.access_control_expose_headers = list(&["*"]);
}

fn star_with_credentials(c: &mut Config) {
    star(c);
    c.access_control_allow_credentials = true;
}

#[test]
fn stars() {
    let put = ("Access-Control-Request-Method", "PUT");
    let any = ("Access-Control-Request-Headers", "X-Any, X-More");
    let want = [
        "Allow-Headers: X-One,*",
        "Allow-Methods: *",
        "Allow-Origin: *",
        "Expose-Headers: *",
    ];
    assert_eq!(preflight(star, &[ORIGIN, put, any]).unwrap(), want);
    let mut want = vec![
        "Allow-Credentials: true",
        "Allow-Headers: X-Any, X-More",
        "Allow-Methods: PUT",
        "Allow-Origin: https://a.example",
    ];
    assert_eq!(
        preflight(star_with_credentials, &[ORIGIN, put, any]).unwrap(),
        want
    );
    want.remove(1);
    assert_eq!(preflight(star_with_credentials, &[ORIGIN, put]).unwrap(), want);
    assert_eq!(
        answer(star, &[], &[]),
        [
            "Access-Control-Allow-Origin: *",
            "Access-Control-Expose-Headers: *"
        ]
    );
    let got = answer(star_with_credentials, &[ORIGIN], &[]);
    assert_eq!(
        got,
        [
            "Access-Control-Allow-Origin: https://a.example",
            "Access-Control-Allow-Credentials: true"
        ]
    );
    assert_eq!(
        answer(star_with_credentials, &[], &[]),
        ["Access-Control-Allow-Credentials: true"]
    );
}

#[test]
fn origins() {
    let check = |names: &[&str], patterns: &[&str], origin: &str, want: Option<&str>| {
        let change = |c: &mut Config| {
            c.access_control_allow_origin_list = list(names);
            c.access_control_allow_origin_list_regex = list(patterns);
        };
        let got = answer(
            change,
            &[("Origin", origin)],
            &[("Access-Control-Allow-Origin", "back")],
        );
        assert_eq!(
            got,
            [format!("Access-Control-Allow-Origin: {}", want.unwrap_or("back"))],
            "{origin}"
        );
    };
    check(&["https://a"], &[], "https://a", Some("https://a"));
    check(&["https://a"], &[], "https://a/", None);
    check(&["https://a"], &[], "null", None);
    check(
        &[],
        &["^https://[a-z]+\\.x$", "part"],
        "https://abc.x",
        Some("https://abc.x"),
    );
    check(&[], &["^https://[a-z]+\\.x$", "part"], "https://a-b.x", None);
    check(
        &[],
        &["^https://[a-z]+\\.x$", "part"],
        "http://has.part.in",
        Some("http://has.part.in"),
    );
    check(&[], &[".*"], "", None);
    check(&["https://a", "*"], &[], "https://b", Some("*"));
}

#[test]
fn vary() {
    let check = |server: &'static [(&'static str, &'static str)], want: &str| {
        assert_eq!(
            answer(|c| c.add_vary_header = true, &[], server),
            [format!("Vary: {want}")]
        );
    };
    check(&[], "Origin");
    check(&[("Vary", "Origin")], "Origin");
    check(&[("Vary", "Accept-Encoding")], "Accept-Encoding,Origin");
    check(&[("Vary", "origin")], "origin,Origin");
    check(&[("Vary", "*")], "*,Origin");
    check(&[("Vary", "A, B"), ("Vary", "C")], "A, B,C,Origin");
}

#[test]
fn security_headers() {
    let check = |change: &dyn Fn(&mut Config), tls: bool, sent: &[(&str, &str)], want: &[&str]| {
        let bench = Bench::answering(vec![built(change)], |_| Response::new(200));
        let tls = tls.then(TlsInfo::default);
        assert_eq!(
            lines(
                &bench
                    .run_as(get("/", sent), connection("127.0.0.1:1", tls))
                    .headers
            ),
            list(want)
        );
    };
    let sts =
        |c: &mut Config| (c.sts_seconds, c.sts_include_subdomains, c.sts_preload) = (Some(10), true, true);
    let max = "Strict-Transport-Security: max-age=10; includeSubDomains; preload";
    check(&sts, true, &[], &[max]);
    check(&sts, false, &[], &[]);
    check(&|c| (sts(c), c.force_sts_header = true).0, false, &[], &[max]);
    check(&|c| (sts(c), c.is_development = true).0, true, &[], &[]);
    check(&|c| c.sts_seconds = Some(-1), true, &[], &[]);
    let told = |c: &mut Config| (sts(c), c.ssl_proxy_headers = map(&[("X-Proto", "https")])).0;
    check(&told, false, &[("X-Proto", "https")], &[max]);
    check(&told, false, &[("X-Proto", "http")], &[]);
    check(
        &|c| c.public_key = "pin".into(),
        true,
        &[],
        &["Public-Key-Pins: pin"],
    );
    check(&|c| c.frame_deny = true, false, &[], &["X-Frame-Options: DENY"]);
    let frame = |c: &mut Config| (c.frame_deny, c.custom_frame_options_value) = (true, "SAMEORIGIN".into());
    check(&frame, false, &[], &["X-Frame-Options: SAMEORIGIN"]);
    check(
        &|c| c.browser_xss_filter = true,
        false,
        &[],
        &["X-Xss-Protection: 1; mode=block"],
    );
    let many = |c: &mut Config| {
        c.content_type_nosniff = true;
        c.custom_browser_xss_value = "0".into();
        c.referrer_policy = "no-referrer".into();
        c.permissions_policy = "a=()".into();
        c.content_security_policy = "default-src 'self'".into();
        c.is_development = true;
    };
    let want = [
        "X-Content-Type-Options: nosniff",
        "X-Xss-Protection: 0",
        "Content-Security-Policy: default-src 'self'",
        "Referrer-Policy: no-referrer",
        "Permissions-Policy: a=()",
    ];
    check(&many, false, &[], &want);
    check(&|c| c.ssl_redirect = Some(true), false, &[], &[]);
}

#[test]
fn custom_headers_beat_security_headers() {
    let change = |c: &mut Config| {
        (c.frame_deny, c.custom_response_headers) = (true, map(&[("X-Frame-Options", "mine")]))
    };
    assert_eq!(
        answer(change, &[], &[("X-Frame-Options", "server")]),
        ["X-Frame-Options: mine"]
    );
}

#[test]
fn each_answer_has_its_own_nonce() {
    let change = |c: &mut Config| c.content_security_policy = "script-src $NONCE; style-src $NONCE".into();
    let value = || answer(change, &[], &[]).remove(0);
    let (one, two) = (value(), value());
    let nonces: Vec<_> = one
        .split("'nonce-")
        .skip(1)
        .map(|n| n.split('\'').next().unwrap())
        .collect();
    assert_eq!((nonces[0], nonces[0].len()), (nonces[1], 24));
    assert_ne!(one, two);
}

#[test]
fn hosts() {
    let check = |change: &dyn Fn(&mut Config), sent: &[(&str, &str)], status: u16| {
        let allow = |c: &mut Config| (change(c), c.allowed_hosts = list(&["A.test"])).0;
        assert_eq!(
            Bench::new(vec![built(allow)]).run(get("/", sent)).status,
            status,
            "{sent:?}"
        );
    };
    check(&|_| (), &[("Host", "a.test")], 200);
    check(&|_| (), &[("Host", "a.test:80")], 400);
    check(&|_| (), &[("Host", "b.test")], 400);
    check(&|c| c.is_development = true, &[("Host", "b.test")], 200);
    check(
        &|c| c.hosts_proxy_headers = list(&["X-Host"]),
        &[("Host", "b.test"), ("X-Host", "a.test")],
        200,
    );
    check(
        &|c| c.hosts_proxy_headers = list(&["X-Host"]),
        &[("Host", "a.test"), ("X-Host", "b.test")],
        400,
    );
    check(
        &|c| c.custom_request_headers = map(&[("Host", "a.test")]),
        &[("Host", "b.test")],
        200,
    );
}

#[test]
fn a_refused_host_still_gets_the_outer_headers() {
    let change = |c: &mut Config| {
        cors(c);
        c.allowed_hosts = list(&["b.test"]);
    };
    let mut res = Bench::new(vec![built(change)]).run(get("/", &[ORIGIN]));
    assert_eq!((res.status, text(&mut res).as_str()), (400, "Bad Host\n"));
    let of = |name: &str| res.headers.get_str(name);
    assert_eq!(
        (
            of("X-Custom"),
            of("Access-Control-Allow-Origin"),
            of("X-Frame-Options")
        ),
        (Some("c"), Some(ORIGIN.1), None)
    );
}

#[test]
fn answers_of_inner_middlewares_are_changed_too() {
    let refusal = |_: &mut Request| Response {
        body: Body::from("no"),
        ..Response::new(401)
    };
    let bench = Bench::answering(vec![built(cors)], refusal);
    let res = bench.run(get("/", &[ORIGIN]));
    assert_eq!(
        (
            res.status,
            res.headers.get_str("X-Custom"),
            res.headers.get_str("Vary")
        ),
        (401, Some("c"), Some("Origin"))
    );
}

#[test]
fn errors() {
    let error = |config: &Config| build_error(|cx| super::build(config, cx));
    assert_eq!(error(&Config::default()), "headers configuration not valid");
    let config = Config {
        access_control_allow_origin_list_regex: list(&["("]),
        ..Config::default()
    };
    assert!(error(&config).starts_with("error occurred during origin parsing: "));
}
