//! A request in the words of the other dialect.

use super::parameter::{Fate, fate};
use super::{to_chat, to_messages};
use crate::dialect::{Dialect, Invalid};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use trilithon_wire::json::tree;

/// A request that was translated.
#[derive(Clone, Debug, PartialEq)]
pub struct Translated {
    pub body: Vec<u8>,
    /// What was left out, by its name in the client's dialect; each once, in the order of the alphabet. Some of the names are
    /// the client's own: whoever shows them sees to what they hold.
    pub dropped: Vec<String>,
}

/// Translates a request of dialect `from`, which must be Chat Completions or Messages, into the other one.
///
/// # Errors
/// A parameter that the other dialect cannot hold and that the client counts on.
pub fn request(from: Dialect, body: &[u8]) -> Result<Translated, Invalid> {
    let body = tree(body).map_err(|e| refused("body", &format!("no JSON: {e}")))?;
    let Value::Object(asked) = body else {
        return Err(refused("body", "no JSON object"));
    };
    let mut out = Out::default();
    for (name, value) in asked.iter().filter(|(_, value)| !value.is_null()) {
        match fate(from, name) {
            Fate::Mapped(_) => {}
            Fate::Dropped => out.drop(name),
            Fate::Refused if asks_nothing(name, value) => {}
            Fate::Refused => return Err(refused(name, "the model's format has nothing like it")),
        }
    }
    match from {
        Dialect::Chat => to_messages::build(&asked, &mut out)?,
        Dialect::Messages => to_chat::build(&asked, &mut out)?,
        Dialect::Responses => return Err(refused("input", "requests of this format are not translated")),
    }
    Ok(Translated {
        body: Value::Object(out.body).to_string().into_bytes(),
        dropped: out.dropped.into_iter().collect(),
    })
}

/// What is being written.
#[derive(Default)]
pub(super) struct Out {
    pub body: Map<String, Value>,
    dropped: BTreeSet<String>,
}

impl Out {
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.body.insert(name.to_owned(), value.into());
    }

    /// Takes a parameter over as it is, under another name.
    pub fn copy(&mut self, asked: &Map<String, Value>, from: &str, to: &str) {
        if let Some(value) = asked.get(from).filter(|value| !value.is_null()) {
            self.set(to, value.clone());
        }
    }

    pub fn drop(&mut self, name: &str) {
        if !self.dropped.contains(name) {
            self.dropped.insert(name.to_owned());
        }
    }

    /// Says that of an object, whose place is told without indices, no other members than these are taken over.
    pub fn only(&mut self, object: &Value, place: &str, known: &[&str]) {
        let members = object.as_object().into_iter().flatten();
        for (name, value) in members {
            if !value.is_null() && !known.contains(&name.as_str()) {
                self.drop(&format!("{place}.{name}"));
            }
        }
    }
}

pub(super) fn refused(param: &str, why: &str) -> Invalid {
    Invalid {
        message: format!("`{param}` cannot be translated for this model: {why}"),
        param: Some(param.to_owned()),
    }
}

/// The items of an array that is a parameter; none of anything else.
pub(super) fn items<'v>(
    asked: &'v Map<String, Value>,
    name: &str,
) -> impl Iterator<Item = (usize, &'v Value)> {
    let items = asked.get(name).and_then(Value::as_array);
    items.into_iter().flatten().enumerate()
}

/// Whether a parameter that is refused asks for what happens anyway.
fn asks_nothing(name: &str, value: &Value) -> bool {
    match (name, value) {
        ("n", _) => value == 1,
        (_, Value::Bool(asked)) => !asked,
        ("top_logprobs", _) => value == 0,
        ("response_format", _) => value["type"] == "text",
        ("modalities", Value::Array(kinds)) => kinds.iter().all(|kind| kind == "text"),
        (_, Value::Array(list)) => list.is_empty(),
        ("logit_bias", Value::Object(members)) => members.is_empty(),
        _ => false,
    }
}
