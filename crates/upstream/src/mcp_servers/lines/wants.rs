//! What a client that listens wants to hear of, and what a server can tell.

use serde_json::{Map, Value, json};
use trilithon_mcp::Message;
use trilithon_wire::json::{self as wire, Kind};

/// Resources of one subscription, at most: each is a message to the server.
const MOST_URIS: usize = 256;

/// What a client wants to hear of, as the server names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wants {
    pub tools: bool,
    pub prompts: bool,
    pub resources: bool,
    pub uris: Vec<Box<str>>,
}

/// That something changed.
#[derive(Debug, PartialEq, Eq)]
pub enum News {
    Tools,
    Prompts,
    Resources,
    Updated(Box<str>),
}

impl News {
    /// Reads a notification; `None` for one of another kind.
    pub fn read(doc: &[u8]) -> Option<News> {
        let root = wire::parse(doc).ok()?;
        let method = root.get("method")?.text()?;
        Some(match &*method.to_str() {
            "notifications/tools/list_changed" => News::Tools,
            "notifications/prompts/list_changed" => News::Prompts,
            "notifications/resources/list_changed" => News::Resources,
            "notifications/resources/updated" => {
                News::Updated(root.get("params")?.get("uri")?.text()?.to_str().into())
            }
            _ => return None,
        })
    }
}

impl Wants {
    /// Reads `subscriptions/listen`, of which `own` knows the addresses that are this server's.
    pub fn read(message: &Message<'_>, own: impl Fn(&str) -> Option<String>) -> Wants {
        let wanted = message.params().and_then(|params| params.get("notifications"));
        let is_wanted = |name: &str| {
            let value = wanted.as_ref().and_then(|wanted| wanted.get(name));
            value.and_then(|value| value.as_bool()) == Some(true)
        };
        let uris = wanted.as_ref().and_then(|w| w.get("resourceSubscriptions"));
        let uris = uris.filter(|uris| uris.kind() == Kind::Array);
        let mut known: Vec<Box<str>> = Vec::new();
        for uri in uris.iter().flat_map(|uris| uris.items()) {
            let inner = uri.text().and_then(|uri| own(&uri.to_str()));
            if let Some(inner) = inner.filter(|_| known.len() < MOST_URIS)
                && !known.iter().any(|other| **other == *inner)
            {
                known.push(inner.into());
            }
        }
        Wants {
            tools: is_wanted("toolsListChanged"),
            prompts: is_wanted("promptsListChanged"),
            resources: is_wanted("resourcesListChanged"),
            uris: known,
        }
    }

    /// Of this what a server can tell that said `hello`: its answer to `initialize`.
    pub fn told_by(self, hello: &[u8]) -> Wants {
        let hello: Value = serde_json::from_slice(hello).unwrap_or_default();
        let can =
            |what: &str| hello.pointer(&format!("/result/capabilities/{what}")) == Some(&Value::Bool(true));
        Wants {
            tools: self.tools && can("tools/listChanged"),
            prompts: self.prompts && can("prompts/listChanged"),
            resources: self.resources && can("resources/listChanged"),
            uris: match can("resources/subscribe") {
                true => self.uris,
                false => Vec::new(),
            },
        }
    }

    /// Whether there is nothing to hear of.
    pub fn are_none(&self) -> bool {
        *self == Wants::default()
    }

    pub fn hear(&self, news: &News) -> bool {
        match news {
            News::Tools => self.tools,
            News::Prompts => self.prompts,
            News::Resources => self.resources,
            News::Updated(uri) => self.uris.contains(uri),
        }
    }

    /// As a server of the second era would agree to it.
    pub fn acknowledged(&self) -> Vec<u8> {
        let mut agreed = Map::new();
        for (name, is_wanted) in [
            ("toolsListChanged", self.tools),
            ("promptsListChanged", self.prompts),
            ("resourcesListChanged", self.resources),
        ] {
            if is_wanted {
                agreed.insert(name.to_owned(), true.into());
            }
        }
        if !self.uris.is_empty() {
            let uris = self.uris.iter().map(|uri| Value::from(&**uri));
            agreed.insert("resourceSubscriptions".to_owned(), uris.collect());
        }
        let method = "notifications/subscriptions/acknowledged";
        json!({"jsonrpc": "2.0", "method": method, "params": {"notifications": agreed}})
            .to_string()
            .into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wants_are_read_and_agreed_to() {
        let doc = br#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true,"promptsListChanged":true,"resourcesListChanged":1,"resourceSubscriptions":["f+a:1","b:1","f+a:1",7]}}}"#;
        let own = |uri: &str| uri.strip_prefix("f+").map(str::to_owned);
        let wants = Wants::read(&Message::read(doc).unwrap(), own);
        let want = Wants {
            tools: true,
            prompts: true,
            resources: false,
            uris: vec!["a:1".into()],
        };
        assert_eq!(wants, want);
        let check = |capabilities: Value, agreed: Value| {
            let hello = json!({"result": {"capabilities": capabilities}}).to_string();
            let told = wants.clone().told_by(hello.as_bytes()).acknowledged();
            let told: Value = serde_json::from_slice(&told).unwrap();
            assert_eq!(told["params"]["notifications"], agreed, "{capabilities}");
        };
        check(json!({}), json!({}));
        check(
            json!({"tools": {"listChanged": true}, "prompts": {"listChanged": false}, "resources": {"subscribe": true}}),
            json!({"toolsListChanged": true, "resourceSubscriptions": ["a:1"]}),
        );
        check(
            json!({"prompts": {"listChanged": true}, "resources": {"listChanged": true}}),
            json!({"promptsListChanged": true}),
        );
        assert!(wants.told_by(b"{").are_none());
    }

    #[test]
    fn news_are_read() {
        let check = |doc: &str, want: Option<News>| assert_eq!(News::read(doc.as_bytes()), want, "{doc}");
        check(
            r#"{"method":"notifications/tools/list_changed"}"#,
            Some(News::Tools),
        );
        check(
            r#"{"method":"notifications/resources/updated","params":{"uri":"a:1"}}"#,
            Some(News::Updated("a:1".into())),
        );
        check(r#"{"method":"notifications/resources/updated"}"#, None);
        check(r#"{"method":"notifications/progress"}"#, None);
        check(r#"{"id":1,"result":{}}"#, None);
    }
}
