//! Circles of schemas that all speak of one value: a parent that lists its kinds, each of which is "all of" the parent. Checkers that
//! follow them never come back, so they are opened; circles through properties and items end where a value ends.

use super::document::Document;
use serde_json::Value;
use std::collections::HashSet;

/// Schemas that are looked at for one document. Where that is not enough, every reference is taken to close a circle.
pub const MAX_STEPS: usize = 500_000;
/// Levels of one of them.
const MAX_DEPTH: usize = 16;

/// What value a schema speaks of, seen from the definition that it stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// A part of the definition's value.
    Part,
    /// The definition itself.
    Itself,
    /// The same value, as one of several ways to fit.
    OneWay,
    /// The same value, in any case.
    Same,
}

impl About {
    /// What the schemas behind a word speak of.
    pub fn below(self, word: &str) -> About {
        match (word, self) {
            (_, About::Part) => About::Part,
            ("anyOf" | "oneOf", About::Itself | About::OneWay) => About::OneWay,
            ("allOf" | "anyOf" | "oneOf" | "not" | "if" | "then" | "else" | "dependentSchemas", _) => {
                About::Same
            }
            _ => About::Part,
        }
    }
}

/// Whether a reference to `to` in the definition of `from` would close a circle, and is the one that is left out to open it: one that
/// holds in any case, or one way of a circle that has only such. `steps` are those that are left.
pub fn closes(document: &Document<'_>, from: &str, to: &str, about: About, steps: &mut usize) -> bool {
    let only_ways = match about {
        About::Part => return false,
        About::OneWay => true,
        About::Itself | About::Same => false,
    };
    let (mut seen, mut waiting) = (HashSet::new(), vec![to.to_owned()]);
    while let Some(reference) = waiting.pop() {
        if reference == from || *steps == 0 {
            return true;
        }
        *steps -= 1;
        if let Some(schema) = document.find(&reference)
            && seen.insert(reference)
        {
            leads_to(schema, About::Itself, only_ways, MAX_DEPTH, &mut waiting);
        }
    }
    false
}

/// The references of a schema that speak of the same value.
fn leads_to(schema: &Value, about: About, only_ways: bool, depth: usize, out: &mut Vec<String>) {
    let Some(members) = schema.as_object().filter(|_| depth > 0) else {
        return;
    };
    if let Some(reference) = members.get("$ref").and_then(Value::as_str)
        && (about == About::OneWay || !only_ways)
    {
        out.push(reference.to_owned());
    }
    for (word, value) in members {
        let below = match about.below(word) {
            About::Part => continue,
            below => below,
        };
        match value {
            Value::Array(all) => all
                .iter()
                .for_each(|one| leads_to(one, below, only_ways, depth - 1, out)),
            one => leads_to(one, below, only_ways, depth - 1, out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn circles() {
        let reference = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
        let text = json!({"components": {"schemas": {
            "Pet": {"oneOf": [reference("Cat"), {"type": "null"}]},
            "Cat": {"allOf": [reference("Pet"), {"properties": {"mother": reference("Cat")}}]},
            "Ping": {"anyOf": [reference("Pong")]}, "Pong": {"anyOf": [reference("Ping")]},
            "Tree": {"items": reference("Tree")}, "Self": reference("Self"),
        }}})
        .to_string();
        let document = Document::read(&text).expect("JSON");
        let check = |from: &str, to: &str, about: About, want: bool| {
            let at = |name: &str| format!("#/components/schemas/{name}");
            assert_eq!(
                closes(&document, &at(from), &at(to), about, &mut 100),
                want,
                "{from} {to} {about:?}"
            );
        };
        check("Pet", "Cat", About::OneWay, false);
        check("Cat", "Pet", About::Same, true);
        check("Ping", "Pong", About::OneWay, true);
        check("Self", "Self", About::Itself, true);
        check("Tree", "Tree", About::Part, false);
        check("Pet", "Tree", About::Same, false);
        assert!(
            closes(&document, "#/a", "#/b", About::Same, &mut 0),
            "no steps are left"
        );
    }
}
