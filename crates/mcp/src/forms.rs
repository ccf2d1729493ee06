//! Schemas that arguments of calls are held against, by the tools' names: bounded, and forgotten with the process.

use crate::pins::MAX_PINS;
use crate::validate::validate;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use trilithon_wire::json;

/// Bytes of one schema, as it is written.
const MAX_SCHEMA: usize = 64 * 1024;
/// Bytes of all schemas of one server.
const MAX_ALL: usize = 4 << 20;

/// Words of JSON Schema that ask for something which is not looked at: expressions have more than one meaning, and the others are
/// rare in what tools ask for.
const UNCHECKED: [&str; 17] = [
    "not",
    "if",
    "pattern",
    "patternProperties",
    "propertyNames",
    "prefixItems",
    "additionalItems",
    "contains",
    "uniqueItems",
    "multipleOf",
    "dependencies",
    "dependentRequired",
    "dependentSchemas",
    "unevaluatedProperties",
    "unevaluatedItems",
    "$dynamicRef",
    "$recursiveRef",
];

/// Why arguments are not held against a schema, or not against all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unchecked {
    /// It, or all of the server's together, are too large to be remembered.
    TooLarge,
    /// It is no schema.
    Unreadable,
    /// It has this word, which is not looked at.
    Word(&'static str),
    /// It refers to something outside itself.
    Reference,
}

impl fmt::Display for Unchecked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unchecked::TooLarge => f.write_str("`inputSchema` is too large to be remembered"),
            Unchecked::Unreadable => f.write_str("there is no `inputSchema`, or none that is an object"),
            Unchecked::Word(word) => write!(f, "`inputSchema` has `{word}`, which is not looked at"),
            Unchecked::Reference => f.write_str("`inputSchema` has a `$ref` to something outside itself"),
        }
    }
}

/// The arguments of one tool.
struct Form {
    /// As it is written; empty for one that is not remembered.
    raw: Box<str>,
    schema: Option<Arc<Value>>,
    unchecked: Option<Unchecked>,
}

/// The schemas of one server.
#[derive(Default)]
pub struct Forms {
    all: HashMap<String, Form>,
    /// Bytes of them.
    size: usize,
}

impl Forms {
    /// The schema of a tool, if there is one to hold its arguments against.
    pub fn of(&self, tool: &str) -> Option<Arc<Value>> {
        self.all.get(tool)?.schema.clone()
    }

    /// Takes in the schema of a tool, in the place of what was known of it: what is not looked at, and whether that is news.
    pub fn learn(&mut self, tool: &str, schema: Option<&json::Value<'_>>) -> Option<(Unchecked, bool)> {
        let raw = schema.map_or("", |schema| schema.raw());
        if let Some(known) = self.all.get(tool).filter(|known| *known.raw == *raw) {
            return known.unchecked.clone().map(|why| (why, false));
        }
        let before = self.all.remove(tool);
        self.size -= before.as_ref().map_or(0, |form| form.raw.len());
        if self.all.len() >= MAX_PINS {
            return Some((Unchecked::TooLarge, false));
        }
        let form = match raw.len() > MAX_SCHEMA || self.size + raw.len() > MAX_ALL {
            true => Form::without(Unchecked::TooLarge),
            false => Form::read(raw),
        };
        self.size += form.raw.len();
        let unchecked = form.unchecked.clone();
        self.all.insert(tool.to_owned(), form);
        let is_known = before.is_some_and(|before| before.unchecked == unchecked);
        unchecked.map(|why| (why, !is_known))
    }
}

impl Form {
    fn without(why: Unchecked) -> Form {
        Form {
            raw: "".into(),
            schema: None,
            unchecked: Some(why),
        }
    }

    fn read(raw: &str) -> Form {
        let schema = json::tree(raw.as_bytes()).ok().filter(Value::is_object);
        let Some(schema) = schema else {
            return Form::without(Unchecked::Unreadable);
        };
        Form {
            raw: raw.into(),
            unchecked: unchecked(&schema),
            schema: Some(Arc::new(schema)),
        }
    }
}

/// Holds arguments against a schema.
///
/// # Errors
/// What does not fit, for the model to read.
pub fn check(schema: &Value, arguments: Option<&Value>) -> Result<(), String> {
    validate(schema, arguments.unwrap_or(&Value::Object(Map::new())))
}

/// The first thing in a schema that is not looked at.
fn unchecked(schema: &Value) -> Option<Unchecked> {
    let Value::Object(words) = schema else {
        return None;
    };
    words.iter().find_map(|(word, value)| {
        if let Some(word) = UNCHECKED.iter().find(|known| *known == word) {
            return Some(Unchecked::Word(word));
        }
        match (&**word, value) {
            ("$ref", to) => (!to.as_str().is_some_and(|to| to == "#" || to.starts_with("#/")))
                .then_some(Unchecked::Reference),
            // One schema for each item, in revisions before 2020-12.
            ("items", Value::Array(_)) => Some(Unchecked::Word("items")),
            ("items" | "additionalProperties", one) => unchecked(one),
            ("allOf" | "anyOf" | "oneOf", Value::Array(all)) => all.iter().find_map(unchecked),
            ("properties" | "$defs" | "definitions", Value::Object(all)) => all.values().find_map(unchecked),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learn(forms: &mut Forms, tool: &str, schema: &str) -> Option<(Unchecked, bool)> {
        forms.learn(tool, json::parse(schema.as_bytes()).ok().as_ref())
    }

    #[test]
    fn arguments_are_held_against_what_was_learnt_last() {
        let mut forms = Forms::default();
        let amount = r#"{"type":"object","required":["amount"],"properties":{"amount":{"type":"integer"}}}"#;
        assert_eq!(learn(&mut forms, "pay", amount), None);
        let schema = forms.of("pay").unwrap();
        let check = |arguments: &str| {
            let arguments: Option<Value> = serde_json::from_str(arguments).ok();
            check(&schema, arguments.as_ref()).err()
        };
        assert_eq!(check(r#"{"amount":7}"#), None);
        assert_eq!(
            check(r#"{"amount":"7"}"#).as_deref(),
            Some("`amount` is no integer")
        );
        for none in ["", "{}"] {
            assert_eq!(check(none).as_deref(), Some("`amount` is missing"));
        }
        assert_eq!(learn(&mut forms, "pay", "{}"), None);
        assert_eq!(forms.of("pay").as_deref(), Some(&Value::Object(Map::new())));
        assert_eq!(forms.size, 2);
    }

    #[test]
    fn what_is_not_looked_at_is_told_once() {
        let mut forms = Forms::default();
        let mut check = |schema: &str, want: Unchecked| {
            assert_eq!(
                learn(&mut forms, schema, schema),
                Some((want.clone(), true)),
                "{schema}"
            );
            assert_eq!(learn(&mut forms, schema, schema), Some((want, false)), "{schema}");
        };
        check("7", Unchecked::Unreadable);
        check("", Unchecked::Unreadable);
        check(
            r#"{"properties":{"a":{"pattern":"^x"}}}"#,
            Unchecked::Word("pattern"),
        );
        check(
            r#"{"$defs":{"a":{"anyOf":[{},{"not":{}}]}}}"#,
            Unchecked::Word("not"),
        );
        check(r#"{"items":[{}]}"#, Unchecked::Word("items"));
        check(
            r#"{"additionalProperties":{"$ref":"https://a.test"}}"#,
            Unchecked::Reference,
        );
        let large = format!(r#"{{"description":"{}"}}"#, "x".repeat(MAX_SCHEMA));
        check(&large, Unchecked::TooLarge);
        // A property and a value may be called anything.
        let plain = r##"{"properties":{"not":{"$ref":"#/$defs/if"}},"default":{"if":1},"$defs":{"if":{"enum":[{"not":1}]}}}"##;
        assert_eq!(learn(&mut forms, "plain", plain), None);
        assert!(forms.of("plain").is_some() && forms.of("7").is_none());
    }

    #[test]
    fn no_server_fills_the_memory() {
        let mut forms = Forms::default();
        let large = format!(r#"{{"description":"{}"}}"#, "x".repeat(MAX_SCHEMA - 100));
        for n in 0..100 {
            learn(&mut forms, &n.to_string(), &large);
        }
        assert!(forms.size <= MAX_ALL && forms.size > MAX_ALL / 2);
        assert!(forms.of("0").is_some() && forms.of("99").is_none());
        for n in 0..MAX_PINS + 9 {
            learn(&mut forms, &n.to_string(), "{}");
        }
        assert_eq!(forms.all.len(), MAX_PINS);
        assert_eq!(forms.size, 2 * MAX_PINS);
    }
}
