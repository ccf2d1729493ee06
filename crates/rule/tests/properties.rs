//! The index against a plain scan, and rules against their own text.

use proptest::prelude::*;
use trilithon_rule::{Facts, Protocol, RouteIndex, Rule, Sample, Syntax, parse};

const HOSTS: &[&str] = &[
    "a.test",
    "b.test",
    "x.a.test",
    "y.x.a.test",
    "*.a.test",
    "*.test",
    "*",
    "a.test.",
    "*.x.a.test",
];
const PATHS: &[&str] = &["/", "/a", "/ab", "/a/", "/a/b", "/a/b/c", "/b", "/bc/d", "/a%2Fb"];
const REGEXPS: &[&str] = &[
    "^/a",
    "^/(a|b)/",
    "b",
    "(?i)^/A/B",
    "^/a/[a-z]$",
    "c$",
    "^/",
    "^/a/?b?",
];
const HOST_REGEXPS: &[&str] = &[
    "^a",
    "test$",
    "^x\\.",
    "^$",
    "^[a-z]+\\.a\\.test$",
    "\\.(a|b)?\\.?test\\.?$",
    "a\\.test\\.$",
    "[a-z]*\\.a\\.test$",
];

fn quoted(name: &'static str, values: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::select(values).prop_map(move |v| format!("{name}(`{v}`)"))
}

fn leaf() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => quoted("Host", HOSTS),
        1 => quoted("HostRegexp", HOST_REGEXPS),
        3 => quoted("Path", PATHS),
        4 => quoted("PathPrefix", PATHS),
        2 => quoted("PathRegexp", REGEXPS),
        1 => quoted("Method", &["GET", "post"]),
        1 => Just("Header(`X-A`, `1`)".to_owned()),
        1 => Just("HeaderRegexp(`X-A`, `^[0-9]$`)".to_owned()),
        1 => Just("Query(`q`, `1`)".to_owned()),
        1 => Just("QueryRegexp(`q`, `^.$`)".to_owned()),
        1 => quoted("Model", &["gpt", "claude"]),
        1 => Just("ModelRegexp(`^g`)".to_owned()),
        1 => quoted("ClientIP", &["127.0.0.1", "10.0.0.0/8"]),
    ]
}

fn v2_leaf() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => (prop::sample::select(HOSTS), prop::sample::select(HOSTS)).prop_map(|(a, b)| format!("Host(`{a}`, `{b}`)")),
        1 => quoted("HostRegexp", &["{s:[a-z]+}.a.test", "a.test"]),
        3 => (prop::sample::select(PATHS), prop::sample::select(PATHS))
            .prop_map(|(a, b)| format!("PathPrefix(`{a}`, `{b}`)")),
        2 => quoted("Path", &["/a", "/a/{x}", "/{x:a|b}/b"]),
        1 => Just("Headers(`X-A`, `1`)".to_owned()),
        1 => Just("Query(`q=1`)".to_owned()),
    ]
}

fn expr(leaf: BoxedStrategy<String>) -> BoxedStrategy<String> {
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(|l| format!("({})", l.join(" && "))),
            prop::collection::vec(inner.clone(), 1..4).prop_map(|l| format!("({})", l.join("||"))),
            prop::collection::vec(inner.clone(), 1..3).prop_map(|l| l.join("||")),
            inner.prop_map(|e| format!("!({e})")),
        ]
    })
    .boxed()
}

fn rule() -> impl Strategy<Value = Rule> {
    prop_oneof![
        4 => expr(leaf().boxed()).prop_map(|t| Rule::http(&t, Syntax::V3).expect("sound")),
        1 => expr(v2_leaf().boxed()).prop_map(|t| Rule::http(&t, Syntax::V2).expect("sound")),
    ]
}

fn request() -> impl Strategy<Value = Sample> {
    let hosts = &[
        "",
        "a.test",
        "A.test:80",
        "b.test.",
        "x.a.test",
        "y.x.a.test",
        "z.test",
        "q",
        "*.a.test",
        "a.test..",
    ];
    let paths = &[
        "/", "/a", "/ab", "/abc", "/a/", "/a/b", "/a/b/c", "/A/B", "/b/x", "/bc/d", "/a%2Fb", "/a%ffb", "/z",
    ];
    let query = prop::sample::select(&["", "?q=1", "?q=2&q=1", "?q"][..]);
    let header = prop::option::of(prop::sample::select(&["1", "x"][..]));
    let flat = prop::option::weighted(0.2, prop::sample::select(&["a.test", "x.a.test", "b.test"][..]));
    let address = prop::sample::select(&[[127, 0, 0, 1], [10, 1, 1, 1]][..]);
    let target = (prop::sample::select(&paths[..]), query).prop_map(|(p, q)| format!("{p}{q}"));
    (
        prop::sample::select(&hosts[..]),
        target,
        header,
        flat,
        address,
        any::<bool>(),
    )
        .prop_map(|(host, target, header, flat, address, post)| {
            let mut facts = Sample::get(host, &target);
            if let Some(value) = header {
                facts = facts.header("x-a", value);
            }
            facts.flattened_host = flat.map(|f| f.as_bytes().to_vec());
            facts.client_ip = address.into();
            if post {
                facts.method = b"POST".to_vec();
            }
            facts
        })
}

/// First match by priority, then tie, then place in the list: tried one by one.
fn scan<F: Facts>(routes: &[(Rule, i64, u32, usize)], facts: &F) -> Option<usize> {
    let mut order: Vec<_> = routes.iter().collect();
    order.sort_by_key(|(_, priority, tie, place)| (-priority, *tie, *place));
    order
        .into_iter()
        .find(|(rule, ..)| rule.matches(facts))
        .map(|(.., place)| *place)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn index_is_scan(
        rules in prop::collection::vec((rule(), prop::option::of(-2i64..3), 0u32..3), 0..24),
        requests in prop::collection::vec(request(), 24),
    ) {
        let routes: Vec<_> = rules
            .into_iter()
            .enumerate()
            .map(|(place, (rule, priority, tie))| {
                let priority = priority.unwrap_or(rule.default_priority());
                (rule, priority, tie, place)
            })
            .collect();
        let index = RouteIndex::new(routes.clone());
        for facts in &requests {
            let expected = scan(&routes, facts);
            prop_assert_eq!(index.find(facts).copied(), expected, "{:?} {:?}", facts, routes);
            let explained = index.explain(facts).find(|e| e.matched()).map(|e| e.route.value);
            prop_assert_eq!(explained, expected);
            prop_assert_eq!(index.find_all(facts).next().map(|r| r.value), expected);
        }
    }

    #[test]
    fn text_reads_back(text in expr(leaf().boxed()), raw in "[ -~\u{e9}\n\r]{0,12}", bytes in any::<Vec<u8>>()) {
        let mut odd: String = bytes.iter().map(|b| format!("\\x{b:02x}")).collect();
        odd.insert(0, '/');
        let text = format!("{text} || Header(`A`, `{}`) || Path(\"{odd}\")", raw.replace('`', ""));
        let first = parse(&text, Protocol::Http, Syntax::V3).unwrap();
        let shown = first.to_string();
        let second = parse(&shown, Protocol::Http, Syntax::V3).unwrap();
        prop_assert_eq!(second.to_string(), shown);
        let calls = |e: &trilithon_rule::Expr| {
            let args = |c: &trilithon_rule::Call| c.args.iter().map(|a| a.value.clone()).collect::<Vec<_>>();
            e.calls().into_iter().map(|c| (c.name, args(c))).collect::<Vec<_>>()
        };
        prop_assert_eq!(calls(&first), calls(&second));
    }

    #[test]
    fn junk_does_not_panic(text in "(Host|Path|PathRegexp|!|&&|\\|\\||[()`\"\\\\{}\\[\\]*+?^$:,/\n x0-9-]|\\PC){0,24}") {
        for protocol in [Protocol::Http, Protocol::Tcp] {
            for syntax in [Syntax::V2, Syntax::V3] {
                if let Err(error) = Rule::new(&text, protocol, syntax) {
                    prop_assert!(text.get(error.span()).is_some(), "{:?} of {:?}", error.span(), text);
                }
            }
        }
    }

    #[test]
    fn junk_expressions_do_not_panic(text in "(\\\\[a-zA-Z0-9]|\\(\\?|[()|\\[\\]{}*+?^$:,<>=!&~a-c0-9-]|\\PC){0,16}", path in any::<Vec<u8>>()) {
        let _ = trilithon_rule::translate(&text);
        if let Ok(regexp) = trilithon_rule::Regexp::new(&text) {
            regexp.is_match(&path);
        }
        let _ = trilithon_rule::routing_path(&path);
        let _ = trilithon_rule::canonical_host(&path);
    }
}

/// Large rules stay cheap to index, and their hosts are still found by key.
#[test]
fn hostile_sizes() {
    let any = |name: &str, n: usize, arg: fn(usize) -> String| {
        let list: Vec<_> = (0..n).map(|i| format!("{name}(`{}`)", arg(i))).collect();
        format!("({})", list.join("||"))
    };
    let hosts = any("Host", 5000, |i| format!("h{i}.test"));
    let paths = any("PathPrefix", 5000, |i| format!("/p{i}/"));
    let mut texts = vec![
        format!("{hosts} && {paths}"),
        format!("{paths} && {hosts} && {paths}"),
    ];
    texts.push(format!(
        "{}(Host(`a`) || Path(`/`)){}",
        "!(".repeat(100),
        ")".repeat(100)
    ));
    texts.push(vec!["(Host(`a`) || Path(`/a`))"; 2000].join(" && "));
    texts.push(
        (1..1000)
            .map(|n| format!("PathPrefix(`/{}`)", "a".repeat(n)))
            .collect::<Vec<_>>()
            .join("||"),
    );
    let routes: Vec<_> = texts
        .iter()
        .enumerate()
        .map(|(i, t)| (Rule::http(t, Syntax::V3).unwrap(), 10 - i as i64, 0, i))
        .collect();
    let index = RouteIndex::new(routes.clone());
    for (host, path) in [
        ("h4999.test", "/p4999/x"),
        ("h7.test", "/q"),
        ("a", "/"),
        ("b", "/a"),
        ("q", "/aaaa/b"),
        ("q", "/q"),
    ] {
        let facts = Sample::get(host, path);
        assert_eq!(index.find(&facts).copied(), scan(&routes, &facts), "{host}{path}");
    }
}
