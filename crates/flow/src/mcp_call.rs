//! What is known of one message to a server of tools (Model Context Protocol), and what the record says of it.

use crate::record::Name;
use serde_json::{Map, Value, json};
use std::cell::RefCell;
use std::rc::Rc;

/// The call of an exchange, shared with the answer that is still under way.
pub type SharedMcpCall = Rc<RefCell<McpCall>>;

/// What a message asks for: the facts that policies look at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Asked {
    /// `tools/call`; empty for an answer to the server.
    pub method: Name,
    /// Its parameters; for an item of a list, its name or address.
    pub params: Map<String, Value>,
}

impl Asked {
    /// The tool that is called or listed.
    pub fn tool(&self) -> Option<&str> {
        let named = self
            .method
            .starts_with("tools/")
            .then(|| self.params.get("name"))?;
        named?.as_str()
    }
}

/// What a message is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Subject {
    #[default]
    None,
    Tool(Name),
    Prompt(Name),
    /// A resource, by its URI.
    Resource(Name),
}

impl Subject {
    /// Its name, whatever it is.
    pub fn name(&self) -> Option<&Name> {
        match self {
            Subject::None => None,
            Subject::Tool(name) | Subject::Prompt(name) | Subject::Resource(name) => Some(name),
        }
    }
}

/// One message, and what came of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct McpCall {
    /// The method; empty for an answer to the server, a stream that is only listened to, and what could not be read.
    pub method: Name,
    pub subject: Subject,
    /// The message's `id`, as it is written; `None` for a notification.
    pub id: Option<Name>,
    /// The revision of the protocol that the message says it follows.
    pub version: Option<Name>,
    /// The server that was asked, where one service stands for several.
    pub server: Option<Name>,
    /// Why there was no result: the code of an error, or `tool_error` where a tool says that it failed.
    pub error: Option<Name>,
    /// The message was refused by this middleware, and answered by the gateway.
    pub denied_by: Option<Name>,
    /// Items that were taken out of a list.
    pub hidden: u64,
    /// Items that rules in shadow would take out.
    pub would_hide: u64,
}

impl McpCall {
    /// Ready to be shared.
    pub fn shared(self) -> SharedMcpCall {
        Rc::new(RefCell::new(self))
    }

    /// What a log tells of it; what is not known is left out. Parameters are not told.
    pub fn told(&self) -> Value {
        let mut all = Map::new();
        let mut tell = |name: &str, text: Option<&str>| {
            if let Some(text) = text.filter(|t| !t.is_empty()) {
                all.insert(name.to_owned(), text.into());
            }
        };
        tell("method", Some(&self.method));
        match &self.subject {
            Subject::None => {}
            Subject::Tool(name) => tell("tool", Some(name)),
            Subject::Prompt(name) => tell("prompt", Some(name)),
            Subject::Resource(uri) => tell("resource", Some(uri)),
        }
        tell("id", self.id.as_deref());
        tell("protocolVersion", self.version.as_deref());
        tell("server", self.server.as_deref());
        tell("error", self.error.as_deref());
        tell("deniedBy", self.denied_by.as_deref());
        for (name, count) in [("hidden", self.hidden), ("wouldHide", self.would_hide)] {
            if count > 0 {
                all.insert(name.to_owned(), json!(count));
            }
        }
        Value::Object(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn told() {
        let call = McpCall {
            method: "tools/call".into(),
            subject: Subject::Tool("transfer".into()),
            id: Some("7".into()),
            server: Some("bank".into()),
            error: Some("-32603".into()),
            hidden: 2,
            ..McpCall::default()
        };
        let want = r#"{"method":"tools/call","tool":"transfer","id":"7","server":"bank","error":"-32603","hidden":2}"#;
        assert_eq!(call.told().to_string(), want);
        assert_eq!(McpCall::default().told().to_string(), "{}");
    }

    #[test]
    fn the_tool_of_a_message() {
        let check = |method: &str, params: Value, want: Option<&str>| {
            let asked = Asked {
                method: method.into(),
                params: params.as_object().cloned().unwrap_or_default(),
            };
            assert_eq!(asked.tool(), want, "{method}");
        };
        check("tools/call", json!({"name": "add"}), Some("add"));
        check("tools/call", json!({"name": 7}), None);
        check("prompts/get", json!({"name": "add"}), None);
        check("", Value::Null, None);
    }
}
