//! Every matcher against requests, and every argument that does not stand.

use crate::{Conn, Protocol, Rule, Sample, Syntax};

/// `yes` and `no` are requests: host and target, split at the first `/`; `-` stands for no host.
#[track_caller]
fn check(rule: &str, syntax: Syntax, yes: &[&str], no: &[&str]) {
    let compiled = Rule::http(rule, syntax).unwrap_or_else(|e| panic!("{rule}: {e}"));
    for (list, expected) in [(yes, true), (no, false)] {
        for request in list {
            let at = request.find('/').unwrap_or(request.len());
            let (host, target) = request.split_at(at);
            let facts = Sample::get(host, if target.is_empty() { "/" } else { target });
            assert_eq!(compiled.matches(&facts), expected, "{rule}: {request}");
        }
    }
}

#[track_caller]
fn v3(rule: &str, yes: &[&str], no: &[&str]) {
    check(rule, Syntax::V3, yes, no);
}

#[track_caller]
fn v2(rule: &str, yes: &[&str], no: &[&str]) {
    check(rule, Syntax::V2, yes, no);
}

#[test]
fn host() {
    let host = "Host(`a.test`)";
    v3(
        host,
        &["a.test", "A.Test", "a.test:80", "a.test.", "a.test.:81"],
        &["", "x.a.test", "a.test.x", "xa.test", "a.test.."],
    );
    v3(
        "Host(`UPPER.Test`)",
        &["upper.test", "UPPER.TEST", "Upper.Test:1"],
        &[],
    );
    v3("Host(`*`)", &["", "a.test", "x", "127.0.0.1:5", "[::1]"], &[]);
    v3(
        "Host(`*.w.test`)",
        &["x.w.test", "X.W.TEST:80", "x.w.test.", "*.w.test"],
        &["w.test", "y.x.w.test", "xw.test", ".w.test", ""],
    );
    v3("Host(`a*.w.test`)", &["a*.w.test"], &["ab.w.test"]);
    v3("Host(`dot.test.`)", &["dot.test", "dot.test."], &["x.dot.test"]);
    v3(
        "Host(`*.dot.test.`)",
        &["x.dot.test", "x.dot.test."],
        &["dot.test"],
    );
    v3("Host(`a.test:8080`)", &[], &["a.test:8080", "a.test"]);
    v3("Host(`::1`)", &["[::1]", "[::1]:80"], &[]);
    v3("Host(`[::1]`)", &[], &["[::1]", "[::1]:80"]);
    v3("Host(`.`)", &[".", ".."], &["", "a."]);
}

#[test]
fn host_regexp() {
    let re = r"HostRegexp(`^[a-z]+\.re\.test$`)";
    v3(
        re,
        &["ab.re.test", "AB.RE.TEST", "ab.re.test:90"],
        &["a1.re.test", "x.ab.re.test", "ab.re.test."],
    );
    v3("HostRegexp(`mid`)", &["a.mid.test", "midx"], &["a.test"]);
    v3("HostRegexp(`^UP`)", &[], &["UP.test", "up.test"]);
    v3("HostRegexp(`(?i)^UP`)", &["UP.test", "up.test"], &[]);
    v3("HostRegexp(`^.+$`)", &["x"], &[""]);
    v3("HostRegexp(`^$`)", &[""], &["x"]);
    v3(r#"HostRegexp("^a\\.test$")"#, &["a.test"], &["axtest"]);
}

#[test]
fn a_flattened_host_counts_too() {
    let mut facts = Sample::get("a.test", "/");
    facts.flattened_host = Some(b"b.test".to_vec());
    for (rule, expected) in [
        ("Host(`a.test`)", true),
        ("Host(`b.test`)", true),
        ("Host(`*.test`)", true),
        ("HostRegexp(`^b`)", true),
        ("!Host(`b.test`)", false),
        ("Host(`c.test`)", false),
    ] {
        assert_eq!(
            Rule::http(rule, Syntax::V3).unwrap().matches(&facts),
            expected,
            "{rule}"
        );
    }
}

#[test]
fn path() {
    v3(
        "Path(`/p`)",
        &["a/p", "a/p?x=1", "a/p?", "a/%70"],
        &["a/p/", "a/P", "a/p/x", "a/"],
    );
    v3(
        "Path(`/foo bar`)",
        &["a/foo%20bar"],
        &["a/foo+bar", "a/foo%2520bar"],
    );
    v3("Path(`/foo%20bar`)", &[], &["a/foo%20bar"]);
    v3("Path(`/a%2Fb`)", &["a/a%2Fb", "a/a%2fb"], &["a/a/b"]);
    v3("Path(`/a%2fb`)", &[], &["a/a%2Fb", "a/a%2fb", "a/a/b"]);
    v3(
        "Path(`/caf\u{e9}`)",
        &["a/caf%C3%A9", "a/caf%c3%a9", "a/caf\u{e9}"],
        &["a/cafe"],
    );
    v3("Path(`/a:b`)", &["a/a:b"], &["a/a%3Ab"]);
    v3("Path(`/s/*`)", &["a/s/*"], &["a/s/x"]);
    v3("Path(`/{id}`)", &["a/{id}", "a/%7Bid%7D"], &["a/5"]);
    v3("Path(`/100%25`)", &["a/100%25"], &["a/100%2525"]);
    v3(r#"Path("/\x41")"#, &["a/A"], &["a/a"]);
    v3(r#"Path("/\xff")"#, &["a/%FF"], &["a/x"]);
    v3(
        "PathPrefix(`/api`)",
        &["a/api", "a/api/", "a/apix"],
        &["a/API", "a/ap", "a/x/api"],
    );
    v3(
        "PathPrefix(`/api/`)",
        &["a/api/", "a/api/v1"],
        &["a/api", "a/apix"],
    );
    v3("PathPrefix(`/`)", &["a/", "a/%2F"], &[]);
    v3(
        "PathRegexp(`^/v[0-9]+/`)",
        &["a/v1/x", "a/v12/"],
        &["a/v1", "a/x/v1/"],
    );
    v3("PathRegexp(`(?i)^/ci$`)", &["a/CI", "a/ci"], &["a/cix"]);
    v3(
        r"PathRegexp(`\.(jpeg|jpg)$`)",
        &["a/a.jpg", "a/b/c.jpeg", "a/a.jpg?x"],
        &["a/a.png"],
    );
    v3("PathRegexp(`^/a b$`)", &["a/a%20b"], &["a/a+b"]);
}

#[test]
fn query() {
    let one = "Query(`a`, `1`)";
    v3(
        one,
        &["a/?a=1", "a/?b=2&a=1", "a/?a=2&a=1", "a/?a=1;b"],
        &["a/?a=2", "a/?a", "a/", "a/?A=1", "a/?a=1%3Bb"],
    );
    v3(one, &["a/?%zz=1&a=1", "a/?a=1&b=%zz"], &["a/?a=%zz"]);
    v3(
        "Query(`flag`)",
        &["a/?flag", "a/?flag=", "a/?flag=1&flag"],
        &["a/?flag=1", "a/?flags", "a/"],
    );
    v3(
        "Query(`q`, `a b`)",
        &["a/?q=a+b", "a/?q=a%20b", "a/?%71=a%20b"],
        &["a/?q=a%2Bb"],
    );
    v3(
        "QueryRegexp(`a`, `^[0-9]+$`)",
        &["a/?a=12", "a/?a=%31", "a/?a=x&a=3"],
        &["a/?a=x", "a/?a", "a/"],
    );
    v3("QueryRegexp(`flag`)", &["a/?flag"], &["a/?flag=1", "a/"]);
    v3("QueryRegexp(`a`, `.*`)", &["a/?a", "a/?a=x"], &["a/"]);
}

#[test]
fn operators() {
    v3(
        "Host(`a`) || Host(`b`) && PathPrefix(`/x`)",
        &["a/", "b/x"],
        &["b/"],
    );
    v3("!(Host(`a`) || PathPrefix(`/x`))", &["b/"], &["a/", "a/x", "b/x"]);
    v3("!(Host(`a`) && PathPrefix(`/x`))", &["a/", "b/x"], &["a/x"]);
    v3("!Host(`a`) && PathPrefix(`/x`)", &["b/x"], &["a/x", "b/"]);
    v3(
        "((Host(`a`)) && ((PathPrefix(`/x`) || !(Method(`GET`)))))",
        &["a/x"],
        &["a/", "b/x"],
    );
}

#[test]
fn method_headers_and_address() {
    let rule = |text: &str, facts: &Sample| Rule::http(text, Syntax::V3).unwrap().matches(facts);
    let mut facts = Sample::get("a", "/")
        .header("X-FOO", "Bar")
        .header("x-foo", "")
        .header("X_FOO", "1");
    assert!(rule("Method(`get`)", &facts));
    assert!(!rule("Method(`POST`)", &facts));
    assert!(rule("Header(`x-foo`, `Bar`)", &facts));
    assert!(!rule("Header(`x-foo`, `bar`)", &facts));
    assert!(rule("Header(`x_foo`, `1`)", &facts));
    assert!(rule("HeaderRegexp(`X-Foo`, `^$`)", &facts));
    assert!(rule("HeaderRegexp(`X-Foo`, `^B[ae]r$`)", &facts));
    assert!(!rule("HeaderRegexp(`X-Bar`, `^$`)", &facts));
    assert!(!rule("Header(`Host`, `a`)", &facts));
    assert!(rule("ClientIP(`127.0.0.0/8`)", &facts));
    assert!(!rule("ClientIP(`::/0`)", &facts));
    facts.method = b"get".to_vec();
    assert!(!rule("Method(`get`)", &facts));
}

#[test]
fn v2_matchers() {
    v2(
        "Host(`a.test`, `B.test`)",
        &["a.test", "b.test."],
        &["c.test", ""],
    );
    v2("HostHeader(`*`)", &["*"], &["a"]);
    v2(
        "HostRegexp(`a.test`, `{sub:[a-z]+}.re.test`)",
        &["A.test", "x.re.test"],
        &["axtest", "1.re.test"],
    );
    v2(
        "Path(`/a`, `/u/{id:[0-9]+}`)",
        &["h/a", "h/u/12"],
        &["h/a/", "h/u/x", "h/u/12/x"],
    );
    v2(
        "PathPrefix(`/u/{id}/`)",
        &["h/u/1/", "h/u/1/x"],
        &["h/u/1", "h/u//x"],
    );
    v2("Path(`/{a:(x|y)}`)", &["h/x"], &["h/z"]);
    v2("Method(`POST`, `get`)", &["h/"], &[]);
    v2("Query(`a=1`)", &["h/?a=1", "h/?a=1&a=2"], &["h/?a=2&a=1", "h/"]);
    v2(
        "Query(`a=1`, `b={x:[0-9]+}`)",
        &["h/?b=22&a=1"],
        &["h/?a=1", "h/?b=22", "h/?a=1&b=x"],
    );
    v2("Query(`a=`)", &["h/?a=7", "h/?a"], &["h/?b"]);
    v2("ClientIP(`10.0.0.1`, `127.0.0.0/8`)", &["h/"], &[]);
    v2("!Host(`a`, `b`)", &["c"], &["a", "b"]);
    let rule = Rule::http("Headers(`X-A`, `1`) && HeadersRegexp(`X-B`, `^b`)", Syntax::V2).unwrap();
    assert!(
        rule.matches(
            &Sample::get("h", "/")
                .header("x-a", "0")
                .header("x-a", "1")
                .header("x-b", "bb")
        )
    );
    assert!(!rule.matches(&Sample::get("h", "/").header("x-a", "1")));
}

#[test]
fn tcp_matchers() {
    let check = |rule: &str, syntax, name: &str, alpn: &[&[u8]], expected: bool| {
        let rule = Rule::tcp(rule, syntax).unwrap();
        let conn = Conn {
            server_name: name.as_bytes(),
            protocols: alpn,
            client_ip: [127, 0, 0, 7].into(),
        };
        assert_eq!(rule.matches(&conn), expected, "{rule} {name}");
    };
    check("HostSNI(`*`)", Syntax::V3, "", &[], true);
    check("HostSNI(`Upper.Test`)", Syntax::V3, "upper.test", &[], true);
    check("HostSNI(`dot.test.`)", Syntax::V3, "dot.test", &[], true);
    check("HostSNI(`*.wild.test`)", Syntax::V3, "x.wild.test", &[], true);
    check("HostSNI(`*.wild.test`)", Syntax::V3, "x.y.wild.test", &[], false);
    check("HostSNI(`a`)", Syntax::V3, "", &[], false);
    check("HostSNIRegexp(`^UQ|^uz`)", Syntax::V3, "uq.test", &[], false);
    check("HostSNIRegexp(`^UQ|^uz`)", Syntax::V3, "uz.test", &[], true);
    check("ALPN(`foo`)", Syntax::V3, "a", &[b"http/1.1", b"foo"], true);
    check("HostSNI(`a`) && !ALPN(`h2`)", Syntax::V3, "a", &[b"h2"], false);
    check("ClientIP(`127.0.0.7`)", Syntax::V3, "", &[], true);
    check(
        "HostSNI(`one.test`, `two.test`)",
        Syntax::V2,
        "two.test",
        &[],
        true,
    );
    check("HostSNI(`*.wild.test`)", Syntax::V2, "x.wild.test", &[], false);
    check(
        "HostSNIRegexp(`{sub:[a-z]+}.re.test`)",
        Syntax::V2,
        "x.abc.re.test",
        &[],
        false,
    );
    check("ALPN(`foo`, `bar`)", Syntax::V2, "a", &[b"bar"], true);
}

#[track_caller]
fn bad(rule: &str, protocol: Protocol, syntax: Syntax, expected: &str) {
    let error = Rule::new(rule, protocol, syntax).expect_err(rule);
    assert_eq!(format!("{:?} {error}", error.span()), expected, "{rule}");
}

#[test]
fn broken_arguments() {
    let v3 = |rule: &str, expected: &str| bad(rule, Protocol::Http, Syntax::V3, expected);
    v3("Host()", "0..6 `Host` takes 1 argument, got 0");
    v3("Host(``)", "5..7 `Host` has an empty argument");
    v3("Header(`X-Foo`, ``)", "16..18 `Header` has an empty argument");
    v3(
        "Host(`a`) && Host(`a`, `b`)",
        "13..27 `Host` takes 1 argument, got 2",
    );
    v3(
        "Query(`a`, `b`, `c`)",
        "0..20 `Query` takes 1 or 2 arguments, got 3",
    );
    v3("Header(`a`)", "0..11 `Header` takes 2 arguments, got 1");
    v3(
        "Path(`x`)",
        "5..8 invalid value `x` of `Path`: it does not start with `/`",
    );
    let ascii = "only ASCII characters are allowed";
    v3(
        "Host(`caf\u{e9}.test`)",
        &format!("5..17 invalid value `caf\u{e9}.test` of `Host`: {ascii}"),
    );
    v3(
        "HostRegexp(`caf\u{e9}`)",
        &format!("11..18 invalid value `caf\u{e9}` of `HostRegexp`: {ascii}"),
    );
    let regexp = "invalid regular expression";
    v3(
        "PathRegexp(`(`)",
        &format!("11..14 invalid value `(` of `PathRegexp`: {regexp}: missing closing `)`"),
    );
    let range = "it is neither an address nor a range such as `10.0.0.0/8`";
    v3(
        "ClientIP(`x`)",
        &format!("9..12 invalid value `x` of `ClientIP`: {range}"),
    );
    v3("Headers(`a`, `b`)", "0..7 unknown matcher `Headers`");

    let v2 = |rule: &str, expected: &str| bad(rule, Protocol::Http, Syntax::V2, expected);
    v2("Query(`a`)", "0..10 `Query` takes pairs of arguments");
    v2("Headers(`a`)", "0..12 `Headers` takes pairs of arguments");
    v2(
        "Path(`/{a`)",
        &format!("5..10 invalid value `/{{a` of `Path`: {regexp}: unbalanced braces"),
    );
    v2("PathRegexp(`a`)", "0..10 unknown matcher `PathRegexp`");

    let tcp = |rule: &str, expected: &str| bad(rule, Protocol::Tcp, Syntax::V3, expected);
    tcp(
        "HostSNI(`a b`)",
        "8..13 invalid value `a b` of `HostSNI`: it is no host name",
    );
    tcp(
        "HostSNI(`n\u{e4}me`)",
        &format!("8..15 invalid value `n\u{e4}me` of `HostSNI`: {ascii}"),
    );
    let alpn = "this protocol is kept for certificate challenges";
    tcp(
        "ALPN(`acme-tls/1`)",
        &format!("5..17 invalid value `acme-tls/1` of `ALPN`: {alpn}"),
    );
    tcp("Host(`named.test`)", "0..4 unknown matcher `Host`");
}

#[test]
fn words_of_the_api() {
    let text = |rule, protocol| {
        Rule::new(rule, protocol, Syntax::V3)
            .expect_err(rule)
            .api_text(protocol, rule)
    };
    assert_eq!(
        text("Host(`named.test`)", Protocol::Tcp),
        "invalid rule: \"Host(`named.test`)\" , unsupported function: Host"
    );
    assert_eq!(
        text("HostSNI(`a`, `b`)", Protocol::Tcp),
        "error while adding rule HostSNI(`a`, `b`): unexpected number of parameters; got 2, expected 1"
    );
    assert_eq!(
        text("Nope(`x`)", Protocol::Http),
        "error while parsing rule Nope(`x`): unsupported function: Nope"
    );
}

#[test]
fn domains() {
    let rule = Rule::http(
        "!Host(`A.test`) || (Host(`b.test`) && HostRegexp(`c`))",
        Syntax::V3,
    )
    .unwrap();
    assert_eq!(rule.domains(), ["a.test", "b.test"]);
    let rule = Rule::http("Host(`a`, `b`) || HostHeader(`c`)", Syntax::V2).unwrap();
    assert_eq!(rule.domains(), ["a", "b"]);
    let rule = Rule::tcp("HostSNI(`*`)", Syntax::V3).unwrap();
    assert!(rule.is_catch_all());
    assert_eq!(
        (rule.domains(), rule.default_priority()),
        (vec!["*".to_owned()], -1)
    );
}

#[test]
fn rules_that_do_not_stand() {
    let v3 = [
        "",
        "   ",
        "Host",
        "Host()",
        "Host(``)",
        "Foo(`x`)",
        "Host(`a.test`",
        "Host(`a.test`) &&",
        "Host('a.test')",
        "Host(`a.test`, `b.test`)",
        "Path(`x`)",
        "PathPrefix(`x`)",
        "PathRegexp(`(`)",
        "HeaderRegexp(`a`, `[`)",
        "QueryRegexp(`a`, `[`)",
        "HostRegexp(`[`)",
        "Header(`a`)",
        "Query(`a`, `b`, `c`)",
        "Method(`GET`, `POST`)",
        "ClientIP(`x`)",
        "ClientIP(`10.0.0.0/33`)",
        "Host(1)",
        "Host(`a.test`) & Host(`b.test`)",
        "Host(`a.test`) == Host(`b.test`)",
        "Host(`caf\u{e9}.test`)",
        "HostRegexp(`caf\u{e9}`)",
        "pathPrefix(`/x`)",
        "Headers(`a`, `b`)",
        "HostHeader(`a.test`)",
        "PathRegexp(`^/(?!x)`)",
        r"PathRegexp(`(a)\1`)",
        "Host(`a.test`) AND Path(`/`)",
        "Host(`a.test`) x",
        "!",
        "Header(`X-Foo`, ``)",
        "Host(`a.test`) || Path(`x`)",
        "Query(`a`, ``)",
        r#"Host("a\.test")"#,
        "Host(Path(`/x`))",
        "true",
        "Host(`a.test`) + Host(`b.test`)",
    ];
    v3.iter()
        .for_each(|rule| assert!(Rule::http(rule, Syntax::V3).is_err(), "{rule}"));
    let tcp = [
        "Host(`named.test`)",
        "ALPN(`acme-tls/1`)",
        "HostSNI(`a`, `b`)",
        "ClientIP(`nonsense`)",
        "HostSNIRegexp(`(`)",
        "HostSNI(`n\u{e4}me.test`)",
        "HostSNI(`a b`)",
        "",
    ];
    tcp.iter()
        .for_each(|rule| assert!(Rule::tcp(rule, Syntax::V3).is_err(), "{rule}"));
}
