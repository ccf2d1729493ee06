//! Schemas of a document as JSON Schema 2020-12, which tools have. A reference stays one: what it leads to comes along in `$defs`, once,
//! so that circles do no harm.

use super::reference::find;
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// Levels of one schema.
const MAX_DEPTH: usize = 48;
/// Schemas of one tool, all levels of all of them.
const MAX_NODES: usize = 20_000;

/// The schemas of one tool.
pub struct Schemas<'d> {
    document: &'d Value,
    /// The dialect of OpenAPI 3.0, which has some words of its own.
    is_old: bool,
    /// Without what explains: for tools that would be too large with it.
    is_brief: bool,
    /// References, by the name that they have in `$defs`.
    names: HashMap<&'d str, String>,
    waiting: Vec<&'d str>,
    defs: Map<String, Value>,
    nodes: usize,
}

impl<'d> Schemas<'d> {
    pub fn new(document: &'d Value, is_brief: bool) -> Schemas<'d> {
        Schemas {
            document,
            is_old: document["openapi"].as_str().is_some_and(|v| v.starts_with("3.0")),
            is_brief,
            names: HashMap::new(),
            waiting: Vec::new(),
            defs: Map::new(),
            nodes: 0,
        }
    }

    /// A schema as 2020-12.
    ///
    /// # Errors
    /// A reference that leads nowhere or out of the document; schemas that are too deep or too many.
    pub fn convert(&mut self, schema: &'d Value) -> Result<Value, String> {
        let converted = self.one(schema, MAX_DEPTH)?;
        while let Some(reference) = self.waiting.pop() {
            let target = find(self.document, reference)
                .ok_or_else(|| format!("`$ref` `{reference}` leads nowhere in this document"))?;
            let definition = self.one(target, MAX_DEPTH)?;
            if let Some(name) = self.names.get(reference) {
                self.defs.insert(name.clone(), definition);
            }
        }
        Ok(converted)
    }

    /// What references led to.
    pub fn into_defs(self) -> Map<String, Value> {
        self.defs
    }

    fn one(&mut self, schema: &'d Value, depth: usize) -> Result<Value, String> {
        self.nodes += 1;
        if depth == 0 || self.nodes > MAX_NODES {
            return Err("its schemas are too deep or too many".to_owned());
        }
        let Some(members) = schema.as_object() else {
            // `true` and `false` are schemas; what is none says nothing.
            return Ok(match schema {
                Value::Bool(_) => schema.clone(),
                _ => json!({}),
            });
        };
        if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
            return Ok(json!({"$ref": format!("#/$defs/{}", self.name(reference)?)}));
        }
        let mut out = Map::new();
        for (word, value) in members {
            let converted = match (word.as_str(), value) {
                ("xml" | "discriminator" | "externalDocs" | "nullable" | "$schema" | "$id" | "$defs", _) => {
                    continue;
                }
                ("description" | "title" | "example" | "examples", _) if self.is_brief => continue,
                (word, _) if word.starts_with("x-") => continue,
                ("example", value) => {
                    out.insert("examples".to_owned(), json!([value]));
                    continue;
                }
                ("properties", Value::Object(all)) => {
                    self.all(all.iter().filter(|(_, schema)| !is_answer_only(schema)), depth)?
                }
                ("patternProperties" | "dependentSchemas", Value::Object(all)) => {
                    self.all(all.iter(), depth)?
                }
                ("required", Value::Array(names)) => {
                    let properties = members.get("properties");
                    let asked = |name: &&Value| {
                        let schema = name.as_str().and_then(|name| properties?.get(name));
                        !schema.is_some_and(is_answer_only)
                    };
                    Value::Array(names.iter().filter(asked).cloned().collect())
                }
                ("allOf" | "anyOf" | "oneOf" | "prefixItems", Value::Array(items)) => {
                    let items = items.iter().map(|item| self.one(item, depth - 1));
                    Value::Array(items.collect::<Result<_, _>>()?)
                }
                (
                    "items"
                    | "additionalProperties"
                    | "not"
                    | "if"
                    | "then"
                    | "else"
                    | "contains"
                    | "propertyNames",
                    schema,
                ) => self.one(schema, depth - 1)?,
                (_, value) => value.clone(),
            };
            out.insert(word.clone(), converted);
        }
        if self.is_old {
            modern(members, &mut out);
        }
        Ok(Value::Object(out))
    }

    fn all(
        &mut self,
        schemas: impl Iterator<Item = (&'d String, &'d Value)>,
        depth: usize,
    ) -> Result<Value, String> {
        let mut out = Map::new();
        for (name, schema) in schemas {
            out.insert(name.clone(), self.one(schema, depth - 1)?);
        }
        Ok(Value::Object(out))
    }

    /// The name of what a reference leads to; met for the first time, it is waiting to be converted.
    fn name(&mut self, reference: &'d str) -> Result<String, String> {
        if let Some(name) = self.names.get(reference) {
            return Ok(name.clone());
        }
        if !reference.starts_with('#') {
            return Err(format!(
                "`$ref` `{reference}` leads out of the document, and nothing is fetched"
            ));
        }
        let last = reference.rsplit('/').next().unwrap_or_default();
        let plain = |c: char| {
            if c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.') {
                c
            } else {
                '_'
            }
        };
        let wanted: String = last.chars().map(plain).take(100).collect();
        let mut name = wanted.clone();
        let mut number = 1;
        while self.names.values().any(|taken| *taken == name) {
            number += 1;
            name = format!("{wanted}_{number}");
        }
        self.names.insert(reference, name.clone());
        self.waiting.push(reference);
        Ok(name)
    }
}

/// A property that only answers have.
fn is_answer_only(schema: &Value) -> bool {
    schema["readOnly"] == true
}

/// The words that 3.0 has for what 2020-12 says otherwise.
fn modern(members: &Map<String, Value>, out: &mut Map<String, Value>) {
    for (exclusive, bound) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")] {
        match members.get(exclusive) {
            Some(Value::Bool(true)) => {
                out.remove(exclusive);
                if let Some(limit) = out.remove(bound) {
                    out.insert(exclusive.to_owned(), limit);
                }
            }
            Some(Value::Bool(false)) => drop(out.remove(exclusive)),
            _ => {}
        }
    }
    if members.get("nullable") != Some(&Value::Bool(true)) {
        return;
    }
    if let Some(Value::String(kind)) = out.get("type").cloned() {
        out.insert("type".to_owned(), json!([kind, "null"]));
    }
    if let Some(Value::Array(values)) = out.get_mut("enum")
        && !values.contains(&Value::Null)
    {
        values.push(Value::Null);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(version: &str, schema: Value, want: Result<(Value, Value), &str>) {
        let document = json!({"openapi": version, "components": {"schemas": {
            "Pet": {"type": "object", "properties": {"id": {"type": "integer", "readOnly": true},
                "name": {"type": "string"}, "parent": {"$ref": "#/components/schemas/Pet"}}, "required": ["id", "name"]},
            "Old": {"$ref": "#/components/schemas/Nope"},
        }}, "s": schema});
        let mut schemas = Schemas::new(&document, false);
        let got = schemas.convert(&document["s"]);
        let got = got.map(|schema| (schema, Value::Object(schemas.into_defs())));
        match want {
            Ok(want) => assert_eq!(got, Ok(want)),
            Err(part) => assert!(got.clone().is_err_and(|e| e.contains(part)), "{got:?}"),
        }
    }

    #[test]
    fn circles_come_along_once() {
        let pet = json!({"type": "object", "properties": {"name": {"type": "string"},
            "parent": {"$ref": "#/$defs/Pet"}}, "required": ["name"]});
        let pets =
            json!({"type": "array", "items": {"$ref": "#/components/schemas/Pet"}, "xml": {"name": "p"}});
        check(
            "3.1.0",
            pets,
            Ok((
                json!({"type": "array", "items": {"$ref": "#/$defs/Pet"}}),
                json!({"Pet": pet}),
            )),
        );
    }

    #[test]
    fn words_of_3_0() {
        let none = json!({});
        check(
            "3.0.3",
            json!({"type": "string", "nullable": true, "enum": ["a"], "example": "a", "x-y": 1}),
            Ok((
                json!({"type": ["string", "null"], "enum": ["a", null], "examples": ["a"]}),
                none.clone(),
            )),
        );
        check(
            "3.0.3",
            json!({"minimum": 1, "exclusiveMinimum": true, "maximum": 9, "exclusiveMaximum": false}),
            Ok((json!({"exclusiveMinimum": 1, "maximum": 9}), none.clone())),
        );
        check(
            "3.1.0",
            json!({"exclusiveMinimum": 1}),
            Ok((json!({"exclusiveMinimum": 1}), none.clone())),
        );
        check("3.1.0", json!(true), Ok((json!(true), none)));
    }

    #[test]
    fn what_cannot_be_followed() {
        check(
            "3.1.0",
            json!({"$ref": "https://other.test/pet.json"}),
            Err("leads out of the document"),
        );
        check(
            "3.1.0",
            json!({"$ref": "#/components/schemas/Old"}),
            Err("leads nowhere"),
        );
        let mut deep = json!({});
        for _ in 0..60 {
            deep = json!({"items": deep});
        }
        check("3.1.0", deep, Err("too deep"));
    }
}
