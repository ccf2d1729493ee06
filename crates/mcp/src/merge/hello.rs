//! What servers say of themselves when they are first asked, as one server would say it.

use crate::Era;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

/// What routing by names works for. The rest (tasks, experiments, extensions) is between a client and one server.
const SHARED: [&str; 5] = ["completions", "logging", "prompts", "resources", "tools"];
/// What has lists.
const LISTS: [&str; 3] = ["prompts", "resources", "tools"];
/// Where results of the second era name the server.
const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";

/// What one server says of itself: the result of `initialize` or of `server/discover`.
#[derive(Clone, Debug)]
pub struct Hello {
    /// The server's name in the configuration.
    pub server: Box<str>,
    result: Map<String, Value>,
}

impl Hello {
    /// Reads an answer of `server`; `None` for one without a result.
    pub fn read(server: &str, doc: &[u8]) -> Option<Hello> {
        let mut doc: Map<String, Value> = serde_json::from_slice(doc).ok()?;
        match doc.remove("result")? {
            Value::Object(result) => Some(Hello {
                server: server.into(),
                result,
            }),
            _ => None,
        }
    }

    /// The same as a client of `era` is told it, whichever the server spoke.
    pub fn of_era(mut self, era: Era) -> Hello {
        let result = &mut self.result;
        match era {
            Era::Legacy if !result.contains_key("protocolVersion") => {
                let version = Era::LEGACY.last().copied().unwrap_or_default();
                result.insert("protocolVersion".to_owned(), version.into());
                let meta = result.remove("_meta");
                let info = meta.as_ref().and_then(|meta| meta.get(SERVER_INFO));
                let unnamed = || json!({"name": &*self.server, "version": ""});
                result.insert("serverInfo".to_owned(), info.cloned().unwrap_or_else(unnamed));
                for name in ["resultType", "supportedVersions", "ttlMs", "cacheScope"] {
                    result.remove(name);
                }
            }
            Era::Modern => {
                result.remove("protocolVersion");
                result.entry("resultType").or_insert_with(|| "complete".into());
                if let Some(info) = result.remove("serverInfo") {
                    result.insert("_meta".to_owned(), json!({SERVER_INFO: info}));
                }
            }
            Era::Legacy => {}
        }
        self
    }

    /// Of which lists the server says when they change.
    pub fn changing_lists(&self) -> impl Iterator<Item = &str> {
        let all = self.result.get("capabilities").and_then(Value::as_object);
        let changes = |own: &Value| own.get("listChanged") == Some(&Value::Bool(true));
        let all = all.into_iter().flatten().filter(move |(_, own)| changes(own));
        all.map(|(name, _)| name.as_str())
            .filter(|name| LISTS.contains(name))
    }

    /// The revision that the server answers with.
    pub fn version(&self) -> Option<&str> {
        self.result.get("protocolVersion")?.as_str()
    }
}

/// Who speaks for several servers.
#[derive(Clone, Copy, Debug)]
pub struct Speaker<'s> {
    pub name: &'s str,
    pub version: &'s str,
    /// There is one server, and it speaks for itself.
    pub only: bool,
}

/// The answer to `initialize`: the oldest revision of all, what any of them can do, and the speaker's name. Of one server alone
/// nothing is changed.
pub fn initialize(id: &str, all: &[Hello], speaker: Speaker<'_>) -> Vec<u8> {
    let result = match all {
        [one] if speaker.only => one.result.clone(),
        several => {
            let mut result = Map::new();
            let oldest = several.iter().filter_map(Hello::version).min();
            result.insert("protocolVersion".to_owned(), oldest.unwrap_or_default().into());
            result.insert("capabilities".to_owned(), capabilities(several));
            result.insert("serverInfo".to_owned(), speaker.info());
            result.extend(instructions(several));
            result
        }
    };
    answer(id, result)
}

/// The answer to `server/discover`: the same in the second era, where the gateway speaks `versions`. Nobody may keep it
/// when it is not the `whole`.
pub fn discover(id: &str, all: &[Hello], versions: &[&str], speaker: Speaker<'_>, whole: bool) -> Vec<u8> {
    let mut result = match all {
        [one] if speaker.only => one.result.clone(),
        several => {
            let mut result = Map::new();
            result.insert("resultType".to_owned(), "complete".into());
            result.insert("capabilities".to_owned(), capabilities(several));
            result.extend(instructions(several));
            let info = json!({SERVER_INFO: speaker.info()});
            result.insert("_meta".to_owned(), info);
            result
        }
    };
    result.insert("supportedVersions".to_owned(), json!(versions));
    let ttl = |hello: &Hello| hello.result.get("ttlMs").and_then(Value::as_u64).unwrap_or(0);
    let ttl = all.iter().map(ttl).min().filter(|_| whole).unwrap_or(0);
    result.insert("ttlMs".to_owned(), ttl.into());
    let public = all
        .iter()
        .all(|h| h.result.get("cacheScope") == Some(&Value::from("public")));
    result.insert(
        "cacheScope".to_owned(),
        if public { "public" } else { "private" }.into(),
    );
    answer(id, result)
}

impl Speaker<'_> {
    fn info(&self) -> Value {
        json!({"name": self.name, "version": self.version})
    }
}

fn answer(id: &str, result: Map<String, Value>) -> Vec<u8> {
    let result = Value::Object(result);
    format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{result}}}").into_bytes()
}

fn capabilities(all: &[Hello]) -> Value {
    let mut union = Value::Object(Map::new());
    for hello in all {
        if let Some(Value::Object(own)) = hello.result.get("capabilities") {
            let shared = own.iter().filter(|(name, _)| SHARED.contains(&name.as_str()));
            let shared = shared
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            unite(&mut union, Value::Object(shared));
        }
    }
    union
}

/// What either can.
fn unite(one: &mut Value, other: Value) {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            for (name, value) in other {
                match one.get_mut(&name) {
                    Some(own) => unite(own, value),
                    None => {
                        one.insert(name, value);
                    }
                }
            }
        }
        (Value::Bool(one), Value::Bool(other)) => *one |= other,
        _ => {}
    }
}

/// What each says to the model, under its name.
fn instructions(all: &[Hello]) -> Option<(String, Value)> {
    let mut text = String::new();
    for hello in all {
        if let Some(own) = hello.result.get("instructions").and_then(Value::as_str) {
            let gap = if text.is_empty() { "" } else { "\n\n" };
            // Writing to a text does not fail.
            let _ = write!(text, "{gap}{}: {own}", hello.server);
        }
    }
    (!text.is_empty()).then(|| ("instructions".to_owned(), text.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(server: &str, result: &Value) -> Hello {
        Hello::read(server, json!({"id": 0, "result": result}).to_string().as_bytes()).unwrap()
    }

    const SPEAKER: Speaker<'static> = Speaker {
        name: "tools",
        version: "0.1",
        only: false,
    };
    const ONLY: Speaker<'static> = Speaker {
        only: true,
        ..SPEAKER
    };

    fn result(doc: &[u8]) -> Value {
        serde_json::from_slice::<Value>(doc).unwrap()["result"].clone()
    }

    #[test]
    fn several_say_what_any_of_them_can() {
        let a = json!({"protocolVersion": "2025-11-25", "serverInfo": {"name": "a", "version": "1"}, "instructions": "Be quick.",
            "capabilities": {"tools": {"listChanged": false}, "tasks": {}, "logging": {}}});
        let b = json!({"protocolVersion": "2025-06-18", "instructions": "Be kind.",
            "capabilities": {"tools": {"listChanged": true}, "resources": {"subscribe": true}}});
        let all = [hello("a", &a), hello("b", &b)];
        let want = json!({"protocolVersion": "2025-06-18", "serverInfo": {"name": "tools", "version": "0.1"},
            "capabilities": {"tools": {"listChanged": true}, "logging": {}, "resources": {"subscribe": true}},
            "instructions": "a: Be quick.\n\nb: Be kind."});
        assert_eq!(result(&initialize("\"i\"", &all, SPEAKER)), want);
        assert_eq!(
            result(&initialize("1", &all[..1], ONLY)),
            a,
            "one speaks for itself"
        );
    }

    #[test]
    fn what_several_say_is_kept_as_long_as_each_part() {
        let a = json!({"supportedVersions": ["2025-11-25", "2026-07-28"], "capabilities": {"tools": {}}, "ttlMs": 70, "cacheScope": "public"});
        let b = json!({"capabilities": {"prompts": {}}, "ttlMs": 30, "cacheScope": "private"});
        let all = [hello("a", &a), hello("b", &b)];
        let got = result(&discover("1", &all, &["2026-07-28"], SPEAKER, true));
        let want = json!({"resultType": "complete", "supportedVersions": ["2026-07-28"], "ttlMs": 30, "cacheScope": "private",
            "capabilities": {"tools": {}, "prompts": {}}, "_meta": {SERVER_INFO: {"name": "tools", "version": "0.1"}}});
        assert_eq!(got, want);
        let one = result(&discover("1", &all[..1], &["2026-07-28"], ONLY, false));
        assert_eq!((&one["ttlMs"], &one["cacheScope"]), (&json!(0), &json!("public")));
    }

    #[test]
    fn each_era_is_told_as_it_wants_it() {
        let old = json!({"protocolVersion": "2025-11-25", "capabilities": {"tools": {"listChanged": true}}, "serverInfo": {"name": "a"}});
        let new = json!({"resultType": "complete", "capabilities": {"tools": {"listChanged": true}}, "supportedVersions": ["2026-07-28"], "ttlMs": 1, "cacheScope": "public",
            "_meta": {SERVER_INFO: {"name": "a"}}});
        let told = |result: &Value, era| Value::Object(hello("a", result).of_era(era).result);
        assert_eq!(told(&new, Era::Legacy), old);
        assert_eq!(told(&old, Era::Legacy), old);
        assert_eq!(told(&new, Era::Modern), new);
        let want = json!({"resultType": "complete", "capabilities": {"tools": {"listChanged": true}}, "_meta": {SERVER_INFO: {"name": "a"}}});
        assert_eq!(told(&old, Era::Modern), want);
    }

    #[test]
    fn lists_that_change() {
        let can = json!({"capabilities": {"tools": {"listChanged": true}, "tasks": {"listChanged": true}, "prompts": {}, "resources": {"listChanged": false}}});
        assert_eq!(hello("a", &can).changing_lists().collect::<Vec<_>>(), ["tools"]);
        assert_eq!(hello("a", &json!({})).changing_lists().count(), 0);
    }

    #[test]
    fn what_is_no_answer() {
        for doc in ["{", "{}", r#"{"error":{}}"#, r#"{"result":7}"#] {
            assert!(Hello::read("s", doc.as_bytes()).is_none(), "{doc}");
        }
    }
}
