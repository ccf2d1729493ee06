//! What a server's lists say that calls of its tools look like, by the tools' names: bounded, and forgotten with the process.

use crate::definition::MAX_NAME;
use crate::mirror::{BadMirror, Mirror};
use crate::pins::MAX_PINS;
use std::collections::HashMap;
use std::sync::Arc;
use trilithon_wire::json::{self, Kind, Value};

/// One tool, as a list names it.
#[derive(Debug)]
pub struct Listed {
    pub name: String,
    pub mirror: Result<Mirror, BadMirror>,
}

/// Reads the lists of tools in an answer. One that cannot be read lists nothing; what is too much to be remembered is left out.
pub fn listed(doc: &[u8]) -> Vec<Listed> {
    let Ok(root) = json::parse(doc) else {
        return Vec::new();
    };
    let lists: Vec<Value<'_>> = match root.kind() {
        Kind::Array => root.items().filter_map(tools).collect(),
        _ => tools(root).into_iter().collect(),
    };
    let all = lists.iter().flat_map(Value::items).filter_map(|tool| one(&tool));
    all.take(MAX_PINS).collect()
}

fn tools(message: Value<'_>) -> Option<Value<'_>> {
    message.get("result")?.get("tools")
}

fn one(tool: &Value<'_>) -> Option<Listed> {
    let name = tool.get("name")?.text()?.to_str().into_owned();
    let schema = tool.get("inputSchema");
    let schema = schema.and_then(|schema| json::tree(schema.raw().as_bytes()).ok());
    let mirror = schema
        .as_ref()
        .map_or_else(|| Ok(Mirror::default()), Mirror::read);
    (name.len() <= MAX_NAME).then_some(Listed { name, mirror })
}

/// The tools of one server of which there is something to know.
#[derive(Debug, Default)]
pub struct Shapes(HashMap<String, Result<Arc<Mirror>, BadMirror>>);

impl Shapes {
    /// What is known of a tool.
    pub fn of(&self, tool: &str) -> Option<Arc<Mirror>> {
        self.0.get(tool)?.as_ref().ok().cloned()
    }

    /// Takes in what a list names, in the place of what was known of it. Gives what is wrong with it, if that is news.
    pub fn learn(&mut self, listed: Listed) -> Option<BadMirror> {
        let Listed { name, mirror } = listed;
        let known = self.0.get(&name);
        let is_known = matches!((known, &mirror), (Some(Err(known)), Err(bad)) if known == bad);
        let news = mirror.as_ref().err().filter(|_| !is_known).copied();
        if mirror.as_ref().is_ok_and(Mirror::is_empty) {
            self.0.remove(&name);
        } else if known.is_some() || self.0.len() < MAX_PINS {
            self.0.insert(name, mirror.map(Arc::new));
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{"properties":{"r":{"type":"string","x-mcp-header":"R"}}}"#;
    const BAD: &str = r#"{"properties":{"r":{"type":"number","x-mcp-header":"R"}}}"#;

    fn list(tools: &[(&str, &str)]) -> String {
        let tools = tools
            .iter()
            .map(|(name, schema)| format!(r#"{{"name":"{name}","inputSchema":{schema}}}"#));
        let tools: Vec<String> = tools.collect();
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"result":{{"tools":[{}]}}}}"#,
            tools.join(",")
        )
    }

    /// The tools of a list that are news of a bad kind.
    fn learn(shapes: &mut Shapes, doc: &str) -> Vec<String> {
        let listed = listed(doc.as_bytes()).into_iter();
        let news = listed.filter_map(|listed| {
            let name = listed.name.clone();
            shapes.learn(listed).map(|_| name)
        });
        news.collect()
    }

    #[test]
    fn the_last_list_counts() {
        let mut shapes = Shapes::default();
        assert!(learn(&mut shapes, &list(&[("a", TEXT), ("b", "{}")])).is_empty());
        assert!(shapes.of("a").is_some() && shapes.of("b").is_none());
        learn(&mut shapes, &format!("[{}]", list(&[("b", TEXT)])));
        assert!(shapes.of("b").is_some());
        learn(&mut shapes, &list(&[("a", "{}")]));
        assert!(shapes.of("a").is_none() && shapes.of("b").is_some());
    }

    #[test]
    fn what_does_not_hold_is_told_once_and_not_used() {
        let mut shapes = Shapes::default();
        learn(&mut shapes, &list(&[("a", TEXT)]));
        let turned = list(&[("a", BAD), ("b", TEXT)]);
        assert_eq!(learn(&mut shapes, &turned), ["a"]);
        assert!(learn(&mut shapes, &turned).is_empty());
        assert!(shapes.of("a").is_none() && shapes.of("b").is_some());
        for strange in ["no JSON", r#"{"result":{"tools":[{"inputSchema":1},7]}}"#] {
            assert!(listed(strange.as_bytes()).is_empty(), "{strange}");
        }
    }

    #[test]
    fn no_server_fills_the_memory() {
        let mut shapes = Shapes::default();
        for page in 0..3 {
            let names: Vec<String> = (0..2000).map(|n| format!("t{page}-{n}")).collect();
            let tools: Vec<(&str, &str)> = names.iter().map(|name| (&**name, TEXT)).collect();
            learn(&mut shapes, &list(&tools));
        }
        learn(&mut shapes, &list(&[(&"n".repeat(MAX_NAME + 1), TEXT)]));
        assert_eq!(shapes.0.len(), MAX_PINS);
    }
}
