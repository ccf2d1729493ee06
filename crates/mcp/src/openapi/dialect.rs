//! What OpenAPI's schemas say otherwise than JSON Schema 2020-12.

use serde_json::{Map, Value, json};

/// Adds a word. `oneOf` becomes `anyOf`: forms of real documents overlap, and several models take no `oneOf`.
pub fn put(out: &mut Map<String, Value>, word: &str, value: Value) {
    let word = if word == "oneOf" { "anyOf" } else { word };
    if !out.contains_key(word) {
        out.insert(word.to_owned(), value);
        return;
    }
    if let Value::Array(all) = out.entry("allOf").or_insert_with(|| json!([])) {
        all.push(json!({ word: value }));
    }
}

/// The words that 3.0 has for what 2020-12 says otherwise.
pub fn modern(members: &Map<String, Value>, mut out: Map<String, Value>) -> Map<String, Value> {
    for (exclusive, bound) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")] {
        if members.get(exclusive) == Some(&Value::Bool(true))
            && let Some(limit) = out.remove(bound)
        {
            out.insert(exclusive.to_owned(), limit);
        }
    }
    if members.get("nullable") != Some(&Value::Bool(true)) {
        return out;
    }
    let is_open = !out.contains_key("type") && !out.is_empty();
    or_null(&mut out);
    match out.get_mut("enum") {
        Some(Value::Array(values)) if !values.contains(&Value::Null) => values.push(Value::Null),
        None if is_open => out = Map::from_iter([("anyOf".to_owned(), json!([out, {"type": "null"}]))]),
        _ => {}
    }
    out
}

/// Lets a value be `null` as well.
pub fn or_null(out: &mut Map<String, Value>) {
    match out.get_mut("type") {
        Some(Value::Array(kinds)) if !kinds.contains(&"null".into()) => kinds.push("null".into()),
        Some(kind @ Value::String(_)) if kind != "null" => *kind = json!([kind.clone(), "null"]),
        _ => {}
    }
}
