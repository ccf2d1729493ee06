//! Schemas of a document as JSON Schema 2020-12, which tools have. A reference stays one: what it leads to comes along in `$defs`, once,
//! so that circles do no harm. Each is converted once for all tools that need it.

use super::circle::{About, MAX_STEPS, closes};
use super::dialect::{modern, or_null, put};
use super::document::Document;
use super::keyword::{Kind, is_bytes, types};
use serde_json::{Map, Value, json};
use std::collections::{BTreeSet, HashMap, HashSet};

/// Levels of one schema.
const MAX_DEPTH: usize = 48;
/// Schemas in one definition, all levels of it.
const MAX_NODES: usize = 20_000;
/// Characters of a definition's name.
const MAX_NAME: usize = 100;

/// What schemas are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// What a caller writes: all that the document asks for. Properties that only answers have are left out.
    Request,
    /// What the API answers: how it is built, nothing that is more than that, and `null` wherever it likes.
    Answer,
}

impl Side {
    /// Whether only the other side has a property.
    fn hides(self, schema: &Value) -> bool {
        let word = match self {
            Side::Request => "readOnly",
            Side::Answer => "writeOnly",
        };
        schema[word] == true
    }
}

/// The schemas of a document, for one side of its tools.
pub struct Schemas<'d> {
    document: &'d Document<'d>,
    side: Side,
    /// Without what explains: for tools that would be too large with it.
    is_brief: bool,
    /// The dialect of OpenAPI 3.0, which has some words of its own.
    is_old: bool,
    by_reference: HashMap<String, usize>,
    taken: HashSet<String>,
    definitions: Vec<Definition>,
    /// What is left for looking for circles.
    steps: usize,
}

/// What a reference leads to.
struct Definition {
    reference: String,
    name: String,
    made: Option<Result<Made, String>>,
}

#[derive(Clone)]
struct Made {
    /// The schema as JSON.
    text: String,
    needs: Vec<usize>,
}

/// A schema, and the definitions that it needs.
#[derive(Default)]
pub struct Converted {
    pub schema: Value,
    pub needs: Vec<usize>,
}

/// One schema on the way.
struct Walk {
    /// The definition that it is.
    of: Option<usize>,
    needs: Vec<usize>,
    nodes: usize,
}

impl<'d> Schemas<'d> {
    pub fn new(document: &'d Document<'d>, side: Side, is_brief: bool) -> Schemas<'d> {
        let version = document.member("openapi").as_str();
        Schemas {
            document,
            side,
            is_brief,
            is_old: version.is_some_and(|version| version.starts_with("3.0")),
            by_reference: HashMap::new(),
            taken: HashSet::new(),
            definitions: Vec::new(),
            steps: MAX_STEPS,
        }
    }

    /// Whether what explains is left out.
    pub fn is_brief(&self) -> bool {
        self.is_brief
    }

    /// A schema as 2020-12.
    ///
    /// # Errors
    /// A reference that leads out of the document; schemas that are too deep or too many.
    pub fn convert(&mut self, schema: &Value) -> Result<Converted, String> {
        self.walk(schema, None)
    }

    fn walk(&mut self, schema: &Value, of: Option<usize>) -> Result<Converted, String> {
        let mut walk = Walk {
            of,
            needs: Vec::new(),
            nodes: 0,
        };
        let schema = self.one(schema, About::Itself, MAX_DEPTH, &mut walk)?;
        Ok(Converted {
            schema,
            needs: walk.needs,
        })
    }

    /// The definitions that are needed, with those that they need: a JSON object, empty for none.
    ///
    /// # Errors
    /// They have more bytes than that; a reference that leads nowhere.
    pub fn definitions(&mut self, needs: &[usize], most: usize) -> Result<String, String> {
        let (mut found, mut waiting, mut length) = (BTreeSet::new(), needs.to_vec(), 0);
        while let Some(at) = waiting.pop() {
            if !found.insert(at) {
                continue;
            }
            let made = self.made(at)?;
            length += made.text.len();
            if length > most {
                return Err(format!("its schemas have more than {most} bytes"));
            }
            waiting.extend(&made.needs);
        }
        let mut all = String::new();
        for at in found {
            let definition = &self.definitions[at];
            let Some(Ok(made)) = &definition.made else {
                continue;
            };
            let between = if all.is_empty() { "" } else { "," };
            all.push_str(&format!("{between}\"{}\":{}", definition.name, made.text));
        }
        Ok(format!("{{{all}}}"))
    }

    fn made(&mut self, at: usize) -> Result<&Made, String> {
        if self.definitions[at].made.is_none() {
            let reference = &self.definitions[at].reference;
            let made = match self.document.find(reference) {
                None => Err(format!("`$ref` `{reference}` leads nowhere in this document")),
                Some(target) => self.walk(target, Some(at)).map(|converted| Made {
                    text: converted.schema.to_string(),
                    needs: converted.needs,
                }),
            };
            self.definitions[at].made = Some(made);
        }
        match &self.definitions[at].made {
            Some(Ok(made)) => Ok(made),
            Some(Err(why)) => Err(why.clone()),
            None => Err("a schema was not made".to_owned()),
        }
    }

    fn one(&mut self, schema: &Value, about: About, depth: usize, walk: &mut Walk) -> Result<Value, String> {
        walk.nodes += 1;
        if depth == 0 || walk.nodes > MAX_NODES {
            return Err("its schemas are too deep or too many".to_owned());
        }
        let Some(members) = schema.as_object() else {
            // `true` and `false` are schemas; what is none says nothing.
            let is_kept = schema.is_boolean() && self.side == Side::Request;
            return Ok(if is_kept { schema.clone() } else { json!({}) });
        };
        let mut out = Map::new();
        if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
            if let Some(to) = self.reference(reference, about, walk)? {
                out.insert("$ref".to_owned(), to.into());
            }
            // Until 3.1 nothing may stand beside a reference.
            if self.is_old {
                return Ok(Value::Object(out));
            }
        }
        for (word, value) in members {
            if let Some(value) = self.behind(word, value, members, about, depth, walk)? {
                put(&mut out, word, value);
            }
        }
        if let Some(example) = members.get("example")
            && !self.is_brief
            && self.side == Side::Request
        {
            out.entry("examples").or_insert_with(|| json!([example]));
        }
        if is_bytes(members) {
            out.remove("format");
            if self.side == Side::Request {
                out.insert("contentEncoding".to_owned(), "base64".into());
            }
        }
        if self.is_old {
            out = modern(members, out);
        }
        if self.side == Side::Answer {
            or_null(&mut out);
        }
        Ok(Value::Object(out))
    }

    /// What stands behind a word; `None` for a word that is left out.
    fn behind(
        &mut self,
        word: &str,
        value: &Value,
        members: &Map<String, Value>,
        about: About,
        depth: usize,
        walk: &mut Walk,
    ) -> Result<Option<Value>, String> {
        let is_answer = self.side == Side::Answer;
        if (self.is_brief && Kind::explains(word)) || (is_answer && !Kind::builds(word)) {
            return Ok(None);
        }
        let below = about.below(word);
        Ok(match (Kind::of(word), value) {
            (Some(Kind::Schema), Value::Bool(false)) if is_answer => None,
            (Some(Kind::Schema), Value::Object(_) | Value::Bool(_)) => {
                Some(self.one(value, below, depth - 1, walk)?)
            }
            (Some(Kind::Schemas), Value::Array(all)) if !all.is_empty() => {
                let all = all.iter().map(|one| self.one(one, below, depth - 1, walk));
                Some(Value::Array(all.collect::<Result<_, _>>()?))
            }
            (Some(Kind::Named), Value::Object(all)) => {
                let mut out = Map::new();
                let side = self.side;
                for (name, schema) in all.iter().filter(|(_, schema)| !side.hides(schema)) {
                    out.insert(name.clone(), self.one(schema, below, depth - 1, walk)?);
                }
                Some(Value::Object(out))
            }
            (Some(Kind::Names), Value::Array(names)) => {
                let properties = members.get("properties");
                let hidden = |name: &str| {
                    properties
                        .and_then(|all| all.get(name))
                        .is_some_and(|schema| self.side.hides(schema))
                };
                let names = names
                    .iter()
                    .filter_map(Value::as_str)
                    .filter(|name| !hidden(name));
                let names: BTreeSet<&str> = names.collect();
                (!names.is_empty()).then(|| json!(names))
            }
            (Some(Kind::Type), value) => types(value),
            (Some(Kind::Plain(shape)), value) => shape.fits(value).then(|| value.clone()),
            _ => None,
        })
    }

    /// A reference as tools have it; `None` for one that closes a circle.
    fn reference(
        &mut self,
        reference: &str,
        about: About,
        walk: &mut Walk,
    ) -> Result<Option<String>, String> {
        if !reference.starts_with('#') {
            return Err(format!(
                "`$ref` `{reference}` leads out of the document, and nothing is fetched"
            ));
        }
        let from = walk.of.map(|at| &*self.definitions[at].reference);
        if from.is_some_and(|from| closes(self.document, from, reference, about, &mut self.steps)) {
            return Ok(None);
        }
        let at = match self.by_reference.get(reference) {
            Some(at) => *at,
            None => self.define(reference),
        };
        walk.needs.push(at);
        Ok(Some(format!("#/$defs/{}", self.definitions[at].name)))
    }

    /// A place for what a reference leads to, under a name of its own.
    fn define(&mut self, reference: &str) -> usize {
        let last = reference.rsplit('/').next().unwrap_or_default();
        let plain = |c: char| match c {
            c if c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.') => c,
            _ => '_',
        };
        let wanted: String = last.chars().map(plain).take(MAX_NAME).collect();
        let mut name = wanted.clone();
        let mut number = 1;
        while !self.taken.insert(name.clone()) {
            number += 1;
            name = format!("{wanted}_{number}");
        }
        self.by_reference
            .insert(reference.to_owned(), self.definitions.len());
        self.definitions.push(Definition {
            reference: reference.to_owned(),
            name,
            made: None,
        });
        self.definitions.len() - 1
    }
}

#[cfg(test)]
mod tests;
