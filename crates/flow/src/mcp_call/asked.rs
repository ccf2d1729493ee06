//! What a message to a server of tools asks for.

use crate::record::Name;
use bytes::Bytes;
use serde_json::{Map, Value};
use std::cell::OnceCell;

/// What a message asks for: the facts that policies look at.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// `tools/call`; empty for an answer to the server.
    pub method: Name,
    /// The parameters as they are written; empty where there are none.
    text: Bytes,
    /// What names the thing that is asked for: which parameter it is, and what it says. Most rules want no more.
    naming: Option<(&'static str, Name)>,
    /// The parameters, once somebody has asked for them.
    params: OnceCell<Map<String, Value>>,
}

impl Asked {
    /// With these parameters; of an item of a list its name or address.
    pub fn new(method: Name, params: Map<String, Value>) -> Asked {
        Asked {
            method,
            params: params.into(),
            ..Asked::default()
        }
    }

    /// With parameters that are read when somebody asks for them. `text` is an object that is the same to all readers, `naming` the
    /// parameter that names the thing that is asked for, and what it says.
    pub fn read_later(method: Name, text: Bytes, naming: Option<(&'static str, Name)>) -> Asked {
        Asked {
            method,
            text,
            naming,
            ..Asked::default()
        }
    }

    /// The parameters.
    pub fn params(&self) -> &Map<String, Value> {
        // What is the same to all readers can be read; without any there is an empty text.
        let read = || serde_json::from_slice(&self.text).unwrap_or_default();
        self.params.get_or_init(read)
    }

    /// A parameter that is a text, where it is at hand: none of the others has to be read for it.
    pub fn at_hand(&self, param: &str) -> Option<&str> {
        let (_, text) = self.naming.as_ref().filter(|(name, _)| *name == param)?;
        Some(text)
    }

    /// A parameter that is a text.
    pub fn text(&self, param: &str) -> Option<&str> {
        self.at_hand(param).or_else(|| self.params().get(param)?.as_str())
    }

    /// The tool that is called or listed.
    pub fn tool(&self) -> Option<&str> {
        self.method.starts_with("tools/").then(|| self.text("name"))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_tool_of_a_message() {
        let check = |method: &str, params: Value, want: Option<&str>| {
            let asked = Asked::new(method.into(), params.as_object().cloned().unwrap_or_default());
            assert_eq!(asked.tool(), want, "{method}");
        };
        check("tools/call", json!({"name": "add"}), Some("add"));
        check("tools/call", json!({"name": 7}), None);
        check("prompts/get", json!({"name": "add"}), None);
        check("", Value::Null, None);
    }

    #[test]
    fn parameters_are_read_when_they_are_asked_for() {
        let text = r#"{"name":"add","n":1}"#;
        let asked = Asked::read_later("tools/call".into(), text.into(), Some(("name", "add".into())));
        assert_eq!((asked.tool(), asked.at_hand("n")), (Some("add"), None));
        assert!(asked.params.get().is_none(), "they were read for the name");
        assert_eq!(asked.params()["n"], 1);
        assert_eq!(json!(asked.params()).to_string(), text);
        assert!(
            Asked::read_later("x".into(), Bytes::new(), None)
                .params()
                .is_empty()
        );
    }
}
