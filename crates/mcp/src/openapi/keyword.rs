//! The words of JSON Schema 2020-12 that tools have, and what may stand behind each. Everything else is left out: clients that check
//! schemas refuse the whole tool for one word that is wrong, and real documents have many.

use serde_json::{Map, Value};

/// What stands behind a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Schema,
    /// Schemas in a list.
    Schemas,
    /// Schemas by names.
    Named,
    /// One type or several.
    Type,
    /// Names of properties.
    Names,
    /// A value that is taken as it is.
    Plain(Shape),
}

/// What a plain value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Any,
    Text,
    /// An expression that has one meaning to all who read schemas.
    Pattern,
    Number,
    Count,
    Flag,
    List,
}

const TYPES: [&str; 7] = [
    "null", "boolean", "integer", "number", "string", "array", "object",
];

impl Kind {
    /// What stands behind a word; `None` for one that is left out.
    pub fn of(word: &str) -> Option<Kind> {
        Some(match word {
            "items"
            | "additionalProperties"
            | "not"
            | "if"
            | "then"
            | "else"
            | "contains"
            | "propertyNames" => Kind::Schema,
            "allOf" | "anyOf" | "oneOf" | "prefixItems" => Kind::Schemas,
            "properties" | "patternProperties" | "dependentSchemas" => Kind::Named,
            "type" => Kind::Type,
            "required" => Kind::Names,
            "const" | "default" => Kind::Plain(Shape::Any),
            "title" | "description" | "format" | "contentEncoding" | "contentMediaType" => {
                Kind::Plain(Shape::Text)
            }
            "pattern" => Kind::Plain(Shape::Pattern),
            "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf" => {
                Kind::Plain(Shape::Number)
            }
            "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties" | "maxProperties" => {
                Kind::Plain(Shape::Count)
            }
            "uniqueItems" | "deprecated" | "readOnly" | "writeOnly" => Kind::Plain(Shape::Flag),
            "enum" | "examples" => Kind::Plain(Shape::List),
            _ => return None,
        })
    }

    /// Whether a word is for readers, not for checks.
    pub fn explains(word: &str) -> bool {
        matches!(word, "title" | "description" | "examples")
    }

    /// Whether a word says how a value is built, and no more. Answers are described by these alone: documents are often wrong about
    /// what is always there and what is never, and clients refuse an answer that does not fit.
    pub fn builds(word: &str) -> bool {
        matches!(
            word,
            "items"
                | "additionalProperties"
                | "allOf"
                | "anyOf"
                | "oneOf"
                | "properties"
                | "type"
                | "title"
                | "description"
                | "deprecated"
        )
    }
}

impl Shape {
    pub fn fits(self, value: &Value) -> bool {
        match self {
            Shape::Any => true,
            Shape::Text => value.is_string(),
            Shape::Pattern => value.as_str().is_some_and(is_plain_pattern),
            Shape::Number => value.is_number(),
            Shape::Count => value.is_u64(),
            Shape::Flag => value.is_boolean(),
            Shape::List => value.as_array().is_some_and(|items| !items.is_empty()),
        }
    }
}

/// Whether an expression has none of the words that only some engines have: classes of Unicode and POSIX, anchors of Perl, flags.
fn is_plain_pattern(pattern: &str) -> bool {
    let words = [
        "\\p", "\\P", "\\A", "\\Z", "\\z", "\\h", "[:", "(?i", "(?s", "(?m", "(?x", "(?P",
    ];
    !words.iter().any(|word| pattern.contains(word))
}

/// The types that are types; `None` when there is none.
pub fn types(value: &Value) -> Option<Value> {
    let is_one = |kind: &Value| kind.as_str().is_some_and(|kind| TYPES.contains(&kind));
    match value {
        Value::Array(kinds) => {
            let mut known: Vec<Value> = Vec::new();
            for kind in kinds.iter().filter(|kind| is_one(kind)) {
                if !known.contains(kind) {
                    known.push(kind.clone());
                }
            }
            (!known.is_empty()).then_some(Value::Array(known))
        }
        kind => is_one(kind).then(|| kind.clone()),
    }
}

/// Whether a text stands for bytes, which JSON writes in base64.
pub fn is_bytes(schema: &Map<String, Value>) -> bool {
    let text = |word: &str| schema.get(word).and_then(Value::as_str);
    let is_text = |kind: &str| kind.starts_with("text/") || kind.ends_with("json");
    match text("contentMediaType") {
        Some(kind) => !is_text(kind) && !schema.contains_key("contentEncoding"),
        None => text("format") == Some("binary"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_types_are() {
        let check = |value: Value, want: Option<Value>| assert_eq!(types(&value), want, "{value}");
        check(json!("string"), Some(json!("string")));
        check(json!("date"), None);
        check(
            json!(["string", "null", "string", 7]),
            Some(json!(["string", "null"])),
        );
        check(json!(["date"]), None);
        check(json!({}), None);
    }

    #[test]
    fn patterns() {
        let check = |pattern: &str, want: bool| {
            assert_eq!(Shape::Pattern.fits(&json!(pattern)), want, "{pattern}");
        };
        check("^[a-z]{2}(?:-[A-Z]{2})?$", true);
        check(r"^\p{L}+$", false);
        check("(?i)^abc$", false);
        check(r"\A[[:alpha:]]+\z", false);
    }

    #[test]
    fn what_stands_for_bytes() {
        let check = |schema: Value, want: bool| {
            assert_eq!(schema.as_object().map(is_bytes), Some(want), "{schema}");
        };
        check(json!({"type": "string", "format": "binary"}), true);
        check(json!({"type": "string", "format": "byte"}), false);
        check(json!({"contentMediaType": "image/png"}), true);
        check(
            json!({"contentMediaType": "image/png", "contentEncoding": "base64"}),
            false,
        );
        check(json!({"contentMediaType": "application/json"}), false);
    }
}
