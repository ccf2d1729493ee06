//! JSON Schema (draft 2020-12) of both configurations, for editors and CI. Made of the same shapes as the decoder.

use serde_json::{Map, Value, json};

use crate::decode::Decode;
use crate::dynamic::Configuration;
use crate::install::Static;
use crate::shape::{FieldShape, ObjectShape, Shape};

/// Schema of the install configuration.
pub fn install() -> Value {
    document("Trilithon install configuration", Static::shape())
}

/// Schema of a routing file.
pub fn routing() -> Value {
    document("Trilithon routing configuration", Configuration::shape())
}

fn document(title: &str, shape: Shape) -> Value {
    let mut definitions = Definitions::default();
    let root = match &shape {
        Shape::Object(object) => definitions.object(object, true),
        other => definitions.schema(other),
    };
    let mut out = Map::new();
    out.insert(
        "$schema".into(),
        "https://json-schema.org/draft/2020-12/schema".into(),
    );
    out.insert("title".into(), title.into());
    if let Value::Object(root) = root {
        out.extend(root);
    }
    out.insert("$defs".into(), definitions.all.into());
    out.into()
}

/// Objects by name, each written once.
#[derive(Default)]
struct Definitions {
    all: Map<String, Value>,
    written: Vec<String>,
}

impl Definitions {
    fn schema(&mut self, shape: &Shape) -> Value {
        match shape {
            Shape::String | Shape::Secret => json!({"type": ["string", "number", "boolean"]}),
            Shape::Word(words) => json!({"enum": words}),
            Shape::FileOrContent => json!({"type": "string"}),
            Shape::Bool => json!({"type": ["boolean", "string"]}),
            Shape::Int => json!({"type": ["integer", "string"], "pattern": "^[+-]?[0-9]+$"}),
            Shape::Float => json!({"type": ["number", "string"]}),
            Shape::Duration => json!({"type": ["integer", "string"], "pattern": DURATION}),
            Shape::Any => json!({}),
            Shape::List(inner) => {
                let item = self.schema(inner);
                let list = json!({"type": "array", "items": item});
                match **inner {
                    Shape::Object(_) => list,
                    _ => json!({"anyOf": [list, {"type": ["string", "number"]}]}),
                }
            }
            Shape::Map(inner) => json!({"type": "object", "additionalProperties": self.schema(inner)}),
            Shape::Object(object) => self.reference(object),
        }
    }

    fn reference(&mut self, object: &ObjectShape) -> Value {
        let name = self.name(object);
        if !self.written.contains(&name) {
            self.written.push(name.clone());
            let schema = self.object(object, false);
            self.all.insert(name.clone(), schema);
        }
        json!({"$ref": format!("#/$defs/{name}")})
    }

    /// Two types of one name are told apart by their options.
    fn name(&self, object: &ObjectShape) -> String {
        let same = |name: &str| {
            self.all
                .get(name)
                .is_none_or(|other| other["description"] == object.doc && keys(other) == names(object))
        };
        let numbered = (2..).map(|n| format!("{}{n}", object.name));
        std::iter::once(object.name.to_owned())
            .chain(numbered)
            .find(|n| same(n))
            .unwrap_or_default()
    }

    fn object(&mut self, object: &ObjectShape, open: bool) -> Value {
        let mut properties = Map::new();
        for field in &object.fields {
            properties.insert(field.field.name.into(), self.field(field));
        }
        json!({
            "type": "object",
            "description": object.doc,
            "properties": properties,
            "additionalProperties": open,
        })
    }

    fn field(&mut self, field: &FieldShape) -> Value {
        let mut schema = self.schema(&field.shape);
        if field.field.allow_empty {
            schema = json!({"anyOf": [schema, {"type": "boolean"}]});
        }
        if !field.field.one_of.is_empty() {
            schema = words(&field.shape, field.field.one_of);
        }
        let Value::Object(out) = &mut schema else {
            return schema;
        };
        out.insert("description".into(), field.doc.into());
        if let Some(default) = field.default.as_ref().filter(|d| !d.is_object()) {
            out.insert("default".into(), default.clone());
        }
        if field.field.deprecated.is_some() {
            out.insert("deprecated".into(), true.into());
        }
        schema
    }
}

const DURATION: &str = "^[+-]?([0-9]+|([0-9]*\\.?[0-9]*(ns|us|µs|ms|s|m|h))+)$";

/// The accepted words, suggested by editors.
fn words(shape: &Shape, words: &[&str]) -> Value {
    let word = json!({"enum": words});
    match shape {
        Shape::Map(_) => json!({"type": "object", "additionalProperties": word}),
        Shape::List(_) => json!({"type": "array", "items": word}),
        _ => word,
    }
}

fn keys(schema: &Value) -> Vec<String> {
    schema["properties"]
        .as_object()
        .map(|p| p.keys().cloned().collect())
        .unwrap_or_default()
}

fn names(object: &ObjectShape) -> Vec<String> {
    object.fields.iter().map(|f| f.field.name.to_owned()).collect()
}
