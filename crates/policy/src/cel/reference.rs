//! Our evaluation against that of crate `cel`: the same expressions over the same facts have the same values, or none in both.

use super::Program;
use crate::testing::World;
use cel::Context;
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use std::collections::HashMap;

fn claims() -> Json {
    json!({
        "sub": "ann", "level": 3, "ratio": 2.5, "big": u64::MAX, "neg": -7, "admin": true, "none": null,
        "groups": ["staff", "admins", "x"], "numbers": [1, 2.0, 3, -4], "mixed": [1, "a", null, true],
        "empty": [], "realm": {"roles": ["dev", "ops"], "name": "r"},
    })
}

fn world() -> World {
    World::new("POST", "/api/items?page=2&q=a%20b")
        .header("x-env", "test")
        .header("x-none", "")
        .claims(claims())
}

/// The same facts as the crate's variables.
fn context() -> Context<'static, 'static> {
    let mut context = Context::default();
    let http = json!({
        "method": "POST", "path": "/api/items", "host": "shop.test", "client_ip": "192.0.2.7",
        "header": {"x-env": "test", "x-none": ""}, "query": {"page": "2", "q": "a b"},
    });
    let identity = json!({"subject": "ann", "groups": ["staff", "admins", "x"], "credential": "jwt"});
    let time = json!({"hour": 12, "weekday": 1, "unix": 1_796_042_096});
    for (name, value) in [
        ("http", http),
        ("identity", identity),
        ("time", time),
        ("jwt", claims()),
    ] {
        context.add_variable_from_value(name, value_of(&value));
    }
    context
}

fn value_of(json: &Json) -> cel::Value {
    match json {
        Json::Null => cel::Value::Null,
        Json::Bool(b) => cel::Value::Bool(*b),
        Json::Number(n) => match (n.as_i64(), n.as_u64()) {
            (Some(n), _) => cel::Value::Int(n),
            (_, Some(n)) => cel::Value::UInt(n),
            _ => cel::Value::Float(n.as_f64().unwrap()),
        },
        Json::String(text) => text.as_str().into(),
        Json::Array(items) => cel::Value::List(items.iter().map(value_of).collect::<Vec<_>>().into()),
        Json::Object(map) => {
            let map: HashMap<String, cel::Value> =
                map.iter().map(|(k, v)| (k.clone(), value_of(v))).collect();
            map.into()
        }
    }
}

/// Whether it is true by ours; `None` when it fails, and a message when it is not even compiled.
fn ours(text: &str) -> Result<Option<bool>, String> {
    let program = Program::compile(text).map_err(|m| m.to_string())?;
    Ok(program.holds(&world().facts()).ok())
}

fn theirs(text: &str) -> Option<bool> {
    let program = cel::Program::compile(text).expect("ours compiled it");
    match program.execute(&context()) {
        Ok(cel::Value::Bool(truth)) => Some(truth),
        _ => None,
    }
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("http.method".to_owned()),
        Just("http.path".to_owned()),
        Just("http.header[\"x-env\"]".to_owned()),
        Just("http.header[\"x-gone\"]".to_owned()),
        Just("http.query.page".to_owned()),
        Just("identity.subject".to_owned()),
        Just("jwt.sub".to_owned()),
        Just("jwt.gone".to_owned()),
        Just("jwt.realm.name".to_owned()),
        Just("jwt[\"level\"]".to_owned()),
        "[a-c/]{0,3}".prop_map(|t| format!("\"{t}\"")),
        Just("jwt.groups[0]".to_owned()),
        Just("jwt.groups[9]".to_owned()),
        Just("string(time.hour)".to_owned()),
        Just("(http.path + \"x\")".to_owned()),
    ]
}

fn number() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        (-9_i64..9).prop_map(|n| n.to_string()),
        Just("2.5".to_owned()),
        Just("7u".to_owned()),
        Just("jwt.level".to_owned()),
        Just("jwt.ratio".to_owned()),
        Just("jwt.big".to_owned()),
        Just("jwt.neg".to_owned()),
        Just("jwt.none".to_owned()),
        Just("time.hour".to_owned()),
        Just("size(jwt.groups)".to_owned()),
        Just("http.path.size()".to_owned()),
        Just("int(http.query[\"page\"])".to_owned()),
        Just("int(jwt.sub)".to_owned()),
        Just("double(jwt.level)".to_owned()),
        Just("9223372036854775807".to_owned()),
    ];
    leaf.prop_recursive(2, 6, 2, |inner| {
        (inner.clone(), "[-+*/%]", inner).prop_map(|(a, op, b)| format!("({a} {op} {b})"))
    })
}

fn list() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("identity.groups".to_owned()),
        Just("jwt.groups".to_owned()),
        Just("jwt.numbers".to_owned()),
        Just("jwt.mixed".to_owned()),
        Just("jwt.empty".to_owned()),
        Just("jwt.realm.roles".to_owned()),
        Just("jwt.realm".to_owned()),
        Just("[\"staff\", \"a\", http.method]".to_owned()),
        Just("[1, 2.0, 3u]".to_owned()),
        Just("jwt.groups.filter(g, g != \"x\")".to_owned()),
        Just("jwt.numbers.map(n, n > 1)".to_owned()),
        Just("jwt.groups.map(g, g.startsWith(\"a\"), g)".to_owned()),
        Just("(jwt.groups + [\"y\"])".to_owned()),
    ]
}

fn condition() -> impl Strategy<Value = String> {
    let compare = prop_oneof![
        Just("=="),
        Just("!="),
        Just("<"),
        Just("<="),
        Just(">"),
        Just(">=")
    ];
    let call = prop_oneof![
        Just("startsWith"),
        Just("endsWith"),
        Just("contains"),
        Just("matches")
    ];
    let leaf = prop_oneof![
        (text(), compare.clone(), text()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        (number(), compare.clone(), number()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        (list(), prop_oneof![Just("=="), Just("!=")], list()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        (text(), list()).prop_map(|(a, l)| format!("{a} in {l}")),
        (number(), list()).prop_map(|(a, l)| format!("{a} in {l}")),
        (text(), call, "[a-c/]{0,2}").prop_map(|(a, f, b)| format!("{a}.{f}(\"{b}\")")),
        Just("jwt.admin".to_owned()),
        Just("jwt.sub".to_owned()),
        Just("has(jwt.sub)".to_owned()),
        Just("has(jwt.gone)".to_owned()),
        Just("has(jwt.realm.roles)".to_owned()),
        Just("has(jwt.gone.roles)".to_owned()),
        Just("has(http.header.gone)".to_owned()),
        Just("\"x-env\" in http.header".to_owned()),
        Just("true".to_owned()),
        Just("jwt.groups.exists(g, jwt.numbers.all(n, n < size(g)))".to_owned()),
    ];
    leaf.prop_recursive(3, 24, 3, move |inner| {
        let quantifier = prop_oneof![Just("all"), Just("exists"), Just("exists_one")];
        let test = prop_oneof![
            Just("v == \"admins\"".to_owned()),
            Just("v > 1".to_owned()),
            Just("v.startsWith(\"a\")".to_owned()),
            Just("v in jwt.groups".to_owned()),
            inner.clone(),
        ];
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} && {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} || {b})")),
            inner.clone().prop_map(|a| format!("!({a})")),
            (inner.clone(), inner.clone(), inner).prop_map(|(a, b, c)| format!("({a} ? {b} : {c})")),
            (list(), quantifier, test).prop_map(|(l, q, t)| format!("{l}.{q}(v, {t})")),
        ]
    })
}

/// What ours refuses because the types can never fit has no value in theirs, or is plainly unequal.
fn is_refused_for_types(message: &str) -> bool {
    ["never the same", "this is a", "no members", "not true or false"]
        .iter()
        .any(|m| message.contains(m))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_same_value_or_none(text in condition()) {
        match ours(&text) {
            Ok(got) => prop_assert_eq!(got, theirs(&text), "{}", text),
            Err(message) => prop_assert!(is_refused_for_types(&message), "{}: {}", text, message),
        }
    }
}
