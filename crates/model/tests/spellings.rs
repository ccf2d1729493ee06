//! Every option of the install configuration, written as YAML, TOML, flags and environment variables, reads the same;
//! and what is encoded decodes to itself. The options come from the shapes, so a new one is tested at once.

use serde_json::{Map, Value, json};
use trilithon_model::decode::Decode;
use trilithon_model::dialect::{Dialect, env, flags, parse_as};
use trilithon_model::dynamic::Configuration;
use trilithon_model::install::Static;
use trilithon_model::node::Source;
use trilithon_model::shape::{FieldShape, Shape};
use trilithon_model::{Encode, Node, Problems, Secrets, decode_dynamic, decode_static};

/// An option with a value that is not its default.
struct Case {
    path: Vec<String>,
    value: Value,
}

#[test]
fn every_option_reads_the_same_in_every_spelling() {
    let shape = Static::shape();
    let cases = cases(&shape);
    assert!(cases.len() > 400, "{}", cases.len());
    for case in &cases {
        let document = nested(&case.path, &case.value);
        let yaml = read(Dialect::Yaml, &document.to_string());
        let toml = read(Dialect::Toml, &toml_document(&document));
        let by_flag = by_flag(&shape, case);
        let name = case.path.join(".");
        assert_ne!(yaml, Static::default(), "{name} changes nothing");
        assert_eq!(yaml, toml, "{name} in TOML");
        assert_eq!(yaml, by_flag, "{name} by flag");
        assert_eq!(yaml, by_variable(&shape, case), "{name} in the environment");
    }
}

#[test]
fn all_options_together_read_the_same_in_yaml_and_toml() {
    let mut document = json!({});
    for case in cases(&Static::shape()) {
        merge(&mut document, nested(&case.path, &case.value));
    }
    let (yaml, toml) = (
        read(Dialect::Yaml, &document.to_string()),
        read(Dialect::Toml, &toml_document(&document)),
    );
    assert_eq!(yaml, toml);
}

#[test]
fn what_is_encoded_decodes_to_itself() {
    for case in cases(&Static::shape()) {
        let config = read(
            Dialect::Yaml,
            &nested(&case.path, &truthy(&case.value)).to_string(),
        );
        let again = read(Dialect::Yaml, &written(&config));
        assert_eq!(
            config.encode(Secrets::Shown),
            again.encode(Secrets::Shown),
            "{}",
            case.path.join(".")
        );
    }
    let cases = cases(&Configuration::shape());
    assert!(cases.len() > 300, "{}", cases.len());
    for case in cases {
        let config = read_routing(&nested(&case.path, &truthy(&case.value)).to_string());
        assert_eq!(config, read_routing(&written(&config)), "{}", case.path.join("."));
    }
}

/// The JSON of a configuration without the objects that say nothing, which may not be written.
fn written<T: Encode>(config: &T) -> String {
    let mut value = config.encode(Secrets::Shown);
    prune(&mut value, &["tls", "http", "tcp", "udp"]);
    value.to_string()
}

fn prune(value: &mut Value, silent: &[&str]) {
    if let Value::Object(members) = value {
        members
            .values_mut()
            .for_each(|v| prune(v, &["clientAuth", "forwardedHeaders", "settings"]));
        members.retain(|name, v| *v != json!({}) || !silent.contains(&name.as_str()));
    }
}

fn truthy(value: &Value) -> Value {
    if value == &json!(false) {
        json!(true)
    } else {
        value.clone()
    }
}

fn cases(shape: &Shape) -> Vec<Case> {
    let mut out = Vec::new();
    walk(shape, None, &mut Vec::new(), &mut out);
    out
}

fn walk(shape: &Shape, field: Option<&FieldShape>, path: &mut Vec<String>, out: &mut Vec<Case>) {
    let mut put = |value: Value| {
        out.push(Case {
            path: path.clone(),
            value,
        })
    };
    match shape {
        Shape::Object(object) => {
            if field.is_some_and(|f| f.field.allow_empty) {
                put(json!(true));
            }
            for child in &object.fields {
                path.push(child.field.name.to_owned());
                walk(&child.shape, Some(child), path, out);
                path.pop();
            }
        }
        Shape::Map(inner) => {
            path.push("name".to_owned());
            walk(inner, field, path, out);
            path.pop();
        }
        Shape::List(inner) if matches!(**inner, Shape::Object(_)) => {
            path.push("0".to_owned());
            walk(inner, None, path, out);
            path.pop();
        }
        Shape::List(inner) => put(json!([leaf(inner, None), leaf(inner, None)])),
        Shape::Any => {
            path.push("free".to_owned());
            out.push(Case {
                path: path.clone(),
                value: json!("text"),
            });
            path.pop();
        }
        leaf_shape => put(leaf(leaf_shape, field)),
    }
}

fn leaf(shape: &Shape, field: Option<&FieldShape>) -> Value {
    let default = field.and_then(|f| f.default.clone());
    match shape {
        Shape::Bool => json!(default != Some(json!(true))),
        Shape::Int => json!(7),
        Shape::Float => json!(0.25),
        Shape::Duration => json!("1m30s"),
        Shape::Word(words) => {
            let other = words.iter().map(|word| json!(word));
            other
                .into_iter()
                .find(|word| Some(word) != default.as_ref())
                .unwrap_or_default()
        }
        _ => json!("some text"),
    }
}

fn nested(path: &[String], value: &Value) -> Value {
    match path.split_first() {
        None => value.clone(),
        Some((first, rest)) if first == "0" => json!([nested(rest, value)]),
        Some((first, rest)) => {
            let mut map = Map::new();
            map.insert(first.clone(), nested(rest, value));
            Value::Object(map)
        }
    }
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (Value::Array(into), Value::Array(from)) if into.iter().chain(&from).all(Value::is_object) => {
            from.into_iter().for_each(|value| merge(&mut into[0], value));
        }
        (Value::Object(_), Value::Bool(true)) => {}
        (into, from) => *into = from,
    }
}

fn read(dialect: Dialect, text: &str) -> Static {
    let mut problems = Problems::new();
    let node = parse_as(dialect, &Source::text("test", text), &mut problems).unwrap_or_default();
    assert!(problems.is_empty(), "{problems}\n{text}");
    decoded(&node, text)
}

fn decoded(node: &Node, text: &str) -> Static {
    let (config, problems) = decode_static(node);
    assert!(!problems.has_errors(), "{problems}\n{text}");
    config
}

fn read_routing(text: &str) -> Configuration {
    let mut problems = Problems::new();
    let node = parse_as(Dialect::Yaml, &Source::text("test", text), &mut problems).unwrap_or_default();
    let (config, more) = decode_dynamic(&node);
    assert!(
        problems.is_empty() && !more.has_errors(),
        "{problems}{more}\n{text}"
    );
    config
}

fn by_flag(shape: &Shape, case: &Case) -> Static {
    let args = [format!(
        "--{}={}",
        joined(&case.path, ".", |i| format!("[{i}]")),
        plain(&case.value)
    )];
    let mut problems = Problems::new();
    let node = flags::split(&args, shape, &mut problems).tree(shape, &[], &mut problems);
    assert!(problems.is_empty(), "{problems}");
    decoded(&node, &args[0])
}

fn by_variable(shape: &Shape, case: &Case) -> Static {
    let name = format!(
        "TRAEFIK_{}",
        joined(&case.path, "_", |i| format!("_{i}")).to_uppercase()
    );
    let mut problems = Problems::new();
    let node = env::parse(&[(name.clone(), plain(&case.value))], shape, &mut problems);
    assert!(problems.is_empty(), "{problems}");
    decoded(&node, &name)
}

fn joined(path: &[String], separator: &str, place: impl Fn(&str) -> String) -> String {
    let mut out = String::new();
    for part in path {
        match part.as_str() {
            "0" => out.push_str(&place(part)),
            _ if out.is_empty() => out.push_str(part),
            _ => {
                out.push_str(separator);
                out.push_str(part);
            }
        }
    }
    out
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

fn toml_document(value: &Value) -> String {
    let Value::Object(members) = value else {
        return String::new();
    };
    members
        .iter()
        .map(|(name, value)| format!("{name} = {}\n", toml(value)))
        .collect()
}

fn toml(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let members: Vec<_> = members
                .iter()
                .map(|(name, v)| format!("{name} = {}", toml(v)))
                .collect();
            format!("{{ {} }}", members.join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(toml).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}
