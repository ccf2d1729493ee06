//! A document of which only what is asked for becomes a tree. Most of a large one are operations, which are looked at one after the
//! other; what references lead to is kept while the document is read.

use super::reference::{names, under};
use serde_json::Value;
use std::cell::OnceCell;
use std::collections::HashMap;
use trilithon_wire::json::{self, Error, Kind};

/// A value that is not there.
static NOTHING: Value = Value::Null;

/// An OpenAPI document in JSON, checked.
pub struct Document<'t> {
    /// By the names that lead to them: `info`, but `paths` `/pets` and `components` `schemas` `Pet`.
    parts: HashMap<Vec<String>, Part<'t>>,
    /// The names below `paths`, in order; `None` where there is no such object.
    paths: Option<Vec<String>>,
}

/// One part of it.
struct Part<'t> {
    text: &'t str,
    tree: OnceCell<Value>,
}

impl Part<'_> {
    /// The part as a tree. What is nested deeper than trees are read is nothing.
    fn read(&self) -> Value {
        serde_json::from_str(self.text).unwrap_or_default()
    }
}

impl<'t> Document<'t> {
    /// Checks a text, and notes where its parts are.
    ///
    /// # Errors
    /// It is no JSON.
    pub fn read(text: &'t str) -> Result<Document<'t>, Error> {
        let root = json::parse(text.as_bytes())?;
        let mut document = Document {
            parts: HashMap::new(),
            paths: None,
        };
        document.add(&mut Vec::new(), &root);
        Ok(document)
    }

    fn add(&mut self, names: &mut Vec<String>, value: &json::Value<'t>) {
        if names.len() >= levels(names) || value.kind() != Kind::Object {
            let part = Part {
                text: value.raw(),
                tree: OnceCell::new(),
            };
            let is_new = self.parts.insert(names.clone(), part).is_none();
            if let ([first, path], Some(paths), true) = (&**names, &mut self.paths, is_new)
                && first == "paths"
            {
                paths.push(path.clone());
            }
            return;
        }
        if *names == ["paths"] {
            self.paths = Some(Vec::new());
        }
        for (name, member) in value.members() {
            names.push(name.to_str().into_owned());
            self.add(names, &member);
            names.pop();
        }
    }

    /// A member of the document that is no part of `paths` or `components`.
    pub fn member(&self, name: &str) -> &Value {
        self.part(&[name.to_owned()]).unwrap_or(&NOTHING)
    }

    /// The names of its paths, in order.
    pub fn paths(&self) -> Option<&[String]> {
        self.paths.as_deref()
    }

    /// What stands at a path. It is not kept.
    pub fn path(&self, name: &str) -> Value {
        let part = self.parts.get(&["paths".to_owned(), name.to_owned()][..]);
        part.map(Part::read).unwrap_or_default()
    }

    /// What stands in a section of `components`.
    pub fn components(&self, section: &str) -> impl Iterator<Item = &Value> {
        let is_there =
            move |names: &[String]| names.len() == 3 && names[0] == "components" && names[1] == section;
        let found = self.parts.iter().filter(move |(names, _)| is_there(names));
        found.map(|(_, part)| part.tree.get_or_init(|| part.read()))
    }

    fn part(&self, names: &[String]) -> Option<&Value> {
        let part = self.parts.get(names)?;
        Some(part.tree.get_or_init(|| part.read()))
    }

    /// What a reference leads to; `None` for nothing, what is outside, and the document as a whole.
    pub fn find(&self, reference: &str) -> Option<&Value> {
        let names = names(reference)?;
        let (part, rest) = names.split_at_checked(levels(&names))?;
        under(self.part(part)?, rest)
    }
}

/// How many names lead to a part.
fn levels(names: &[String]) -> usize {
    match names.first().map(String::as_str) {
        Some("components") => 3,
        Some("paths") => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const TEXT: &str = r#"{"info": {"title": "t"}, "paths": {"/b": {"get": 1}, "/a/{id}": {}, "/b": {"get": 2}},
        "components": {"schemas": {"Pet": {"type": "object", "allOf": [{"type": "x"}]}}, "odd": 7}}"#;

    #[test]
    fn parts() {
        let document = Document::read(TEXT).expect("JSON");
        assert_eq!(document.member("info"), &json!({"title": "t"}));
        assert_eq!(document.member("nope"), &Value::Null);
        assert_eq!(
            document.paths(),
            Some(&["/b".to_owned(), "/a/{id}".to_owned()][..])
        );
        assert_eq!(document.path("/b"), json!({"get": 2}));
        assert_eq!(document.components("schemas").count(), 1);
        let check = |reference: &str, want: Option<Value>| {
            assert_eq!(document.find(reference), want.as_ref(), "{reference}");
        };
        check("#/components/schemas/Pet/type", Some(json!("object")));
        check("#/components/schemas/Pet/allOf/0", Some(json!({"type": "x"})));
        check("#/components/schemas/Pet/allOf/7", None);
        check("#/paths/~1a~1%7Bid%7D", Some(json!({})));
        check("#/components/schemas", None);
        check("#/info/title", Some(json!("t")));
        check("#", None);
        check("other.json#/info", None);
    }

    #[test]
    fn what_is_no_json() {
        assert_eq!(Document::read("{\"a\": }").err().map(|error| error.at), Some(6));
        assert!(Document::read("{}").expect("JSON").paths().is_none());
        assert!(Document::read("[]").expect("JSON").paths().is_none());
    }
}
