//! What an operation answers, as the schema of a tool's structured result. A tool that has one must always give such a result, so there
//! is one only where every good answer is a JSON object; what an answer is not, against its document, stays in the text alone.

use super::body::{is_json, kind};
use super::document::Document;
use super::reference::follow;
use super::schema::Schemas;
use crate::validate::validate;
use serde_json::{Map, Value, json};

/// Levels of schemas that are looked at to know whether they are of objects.
const MAX_DEPTH: usize = 8;

/// The schemas of an operation's good answers; `None` when one is no JSON object.
fn answers<'d>(document: &'d Document<'_>, operation: &'d Value) -> Option<Vec<&'d Value>> {
    let all = operation["responses"].as_object()?;
    let mut good: Vec<&Value> = all
        .iter()
        .filter(|(status, _)| status.starts_with('2'))
        .map(|(_, answer)| answer)
        .collect();
    if good.is_empty() {
        good.extend(all.get("default"));
    }
    let mut schemas: Vec<&Value> = Vec::new();
    for answer in good {
        let content = follow(document, answer)?["content"].as_object()?;
        let (_, media) = content.iter().find(|(name, _)| is_json(&kind(name)))?;
        let schema = follow(document, &media["schema"])?;
        if !is_object(document, schema, MAX_DEPTH) {
            return None;
        }
        if !schemas.contains(&schema) {
            schemas.push(schema);
        }
    }
    (!schemas.is_empty()).then_some(schemas)
}

/// Whether a schema is of objects and nothing else.
fn is_object(document: &Document<'_>, schema: &Value, depth: usize) -> bool {
    let Some(schema) = follow(document, schema).filter(|_| depth > 0) else {
        return false;
    };
    let below = |schema: &Value| is_object(document, schema, depth - 1);
    let list = |word: &str| schema[word].as_array().filter(|all| !all.is_empty());
    match &schema["type"] {
        Value::String(kind) => return kind == "object",
        Value::Array(kinds) => {
            return kinds
                .iter()
                .all(|kind| matches!(kind.as_str(), Some("object" | "null")));
        }
        _ => {}
    }
    schema.get("properties").is_some()
        || list("allOf").is_some_and(|all| all.iter().any(below))
        || ["anyOf", "oneOf"]
            .iter()
            .any(|word| list(word).is_some_and(|all| all.iter().all(below)))
}

/// The schema of an operation's results as JSON; `None` where there is none of at most `most` bytes.
pub fn schema(
    schemas: &mut Schemas<'_>,
    document: &Document<'_>,
    operation: &Value,
    most: usize,
) -> Option<String> {
    let mut forms: Vec<Value> = Vec::new();
    let mut needs = Vec::new();
    for schema in answers(document, operation)? {
        let converted = schemas.convert(schema).ok()?;
        needs.extend(converted.needs);
        forms.push(converted.schema);
    }
    let mut root = match <[Value; 1]>::try_from(forms) {
        Ok([Value::Object(form)]) => form,
        Ok(_) => return None,
        Err(forms) => Map::from_iter([("anyOf".to_owned(), Value::Array(forms))]),
    };
    // Clients take no other type at the root.
    root.insert("type".to_owned(), json!("object"));
    let definitions = schemas.definitions(&needs, most).ok()?;
    let text = with_definitions(&Value::Object(root), &definitions);
    (text.len() <= most).then_some(text)
}

/// A schema with its definitions, both as JSON.
pub fn with_definitions(schema: &Value, definitions: &str) -> String {
    let text = schema.to_string();
    match text.strip_suffix('}') {
        Some(open) if definitions != "{}" => format!("{open},\"$defs\":{definitions}}}"),
        _ => text,
    }
}

/// What of an object fits a schema of ours, which asks for no member: all of it, or the members that fit.
pub fn fitting(schema: &Value, object: Value) -> Value {
    if validate(schema, &object).is_ok() {
        return object;
    }
    let Value::Object(members) = object else {
        return json!({});
    };
    let fits = |(name, value): (String, Value)| {
        let alone = json!({ name: value });
        match (validate(schema, &alone), alone) {
            (Ok(()), Value::Object(alone)) => alone.into_iter().next(),
            _ => None,
        }
    };
    let kept = Value::Object(members.into_iter().filter_map(fits).collect());
    match validate(schema, &kept) {
        Ok(()) => kept,
        Err(_) => json!({}),
    }
}

#[cfg(test)]
mod tests {
    use super::super::schema::Side;
    use super::*;

    fn check(responses: Value, want: Option<Value>) {
        let text = json!({"openapi": "3.1.0", "components": {
            "schemas": {"Pet": {"properties": {"id": {"type": "integer"}, "mother": {"$ref": "#/components/schemas/Pet"}},
                "required": ["id"]}},
            "responses": {"Pet": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}}}}}})
        .to_string();
        let document = Document::read(&text).expect("JSON");
        let mut schemas = Schemas::new(&document, Side::Answer, false);
        let got = schema(&mut schemas, &document, &json!({"responses": responses}), 1_000);
        let got = got.map(|text| serde_json::from_str::<Value>(&text).expect("JSON"));
        assert_eq!(got, want, "{responses}");
    }

    #[test]
    fn schemas_of_results() {
        let json_of = |schema: Value| json!({"content": {"application/json": {"schema": schema}}});
        let pet =
            json!({"properties": {"id": {"type": ["integer", "null"]}, "mother": {"$ref": "#/$defs/Pet"}}});
        let mut whole = pet.clone();
        whole["type"] = json!("object");
        whole["$defs"] = json!({"Pet": pet});
        check(
            json!({"200": {"$ref": "#/components/responses/Pet"}, "404": {}}),
            Some(whole),
        );
        let object = json!({"type": "object"});
        check(json!({"default": json_of(object.clone())}), Some(object.clone()));
        check(
            json!({"200": json_of(object.clone()), "201": json_of(object.clone())}),
            Some(object.clone()),
        );
        let other = json!({"type": "object", "properties": {"a": {}}});
        check(
            json!({"200": json_of(object.clone()), "202": json_of(other)}),
            Some(json!({"type": "object", "anyOf": [{"type": ["object", "null"]},
                {"type": ["object", "null"], "properties": {"a": {}}}]})),
        );
        check(
            json!({"200": json_of(object.clone()), "204": {"description": "nothing"}}),
            None,
        );
        check(json!({"200": json_of(json!({"type": "array"}))}), None);
        check(json!({"200": {"content": {"text/csv": {}}}}), None);
        check(json!({"404": json_of(object)}), None);
        check(json!({}), None);
    }

    #[test]
    fn what_fits() {
        let schema = json!({"type": "object", "properties": {"id": {"type": ["integer", "null"]},
            "tags": {"type": ["array", "null"], "items": {"type": ["string", "null"]}}}});
        let check =
            |object: Value, want: Value| assert_eq!(fitting(&schema, object.clone()), want, "{object}");
        check(json!({"id": 7, "more": {}}), json!({"id": 7, "more": {}}));
        check(json!({"id": null}), json!({"id": null}));
        check(
            json!({"id": "7", "tags": ["a"], "more": 1}),
            json!({"tags": ["a"], "more": 1}),
        );
        check(json!({"tags": [7]}), json!({}));
        check(json!([]), json!({}));
    }
}
