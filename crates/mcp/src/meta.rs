//! What a message says beside its parameters (`_meta`): the place in a trace (SEP-414), and the tool call that it is made for.

use serde_json::{Map, Value as Tree};
use trilithon_flow::mcp_call::{Asked, Layout};
use trilithon_flow::trace::baggage;
use trilithon_wire::json::{self, Kind, Splice, Value, quote, quote_into};

pub const TRACE_PARENT: &str = "traceparent";
pub const TRACE_STATE: &str = "tracestate";
pub const BAGGAGE: &str = "baggage";

/// Members that name the tool call, by the id that a model gave it: OpenTelemetry's name for it, and what Claude Code sends.
const TOOL_CALL: [&str; 2] = [baggage::TOOL_CALL, "claudecode/toolUseId"];

/// The texts that `_meta` holds.
#[derive(Clone, Copy)]
pub struct Texts<'a>(Option<&'a Map<String, Tree>>);

impl<'a> Texts<'a> {
    pub fn of(asked: &'a Asked) -> Texts<'a> {
        Texts(asked.params.get("_meta").and_then(Tree::as_object))
    }

    pub fn get(self, name: &str) -> Option<&'a str> {
        self.0?.get(name)?.as_str()
    }

    /// The id of the tool call, as a member of its own names it.
    pub fn tool_call(self) -> Option<&'a str> {
        let named = TOOL_CALL.into_iter().filter_map(|name| self.get(name));
        named.into_iter().find(|id| !id.is_empty())
    }
}

/// How a new one begins.
const META: &[u8] = br#""_meta":"#;

/// The message with these texts in its `_meta`, and otherwise byte for byte; `None` for one without parameters, or with a `_meta`
/// that is no object.
pub fn with(message: &Layout, members: &[(&str, &str)]) -> Option<Layout> {
    let doc = std::str::from_utf8(&message.body).ok()?;
    let mut splice = Splice::new();
    let mut new_meta = None;
    match (&message.meta, &message.params) {
        (Some(at), _) => {
            let meta = Value::at(doc, at.clone());
            if meta.kind() != Kind::Object {
                return None;
            }
            let there = replace(&meta, members, &mut splice);
            let new = members.iter().zip(there).filter(|(_, there)| !there);
            let mut new = written(new.map(|(member, _)| member));
            if !new.is_empty() && meta.members().next().is_some() {
                new.push(b',');
            }
            splice.replace(at.start + 1..at.start + 1, new).ok()?;
        }
        (None, Some(at)) => {
            let is_empty = Value::at(doc, at.clone()).members().next().is_none();
            let meta = [b"{", &*written(members.iter()), b"}"].concat();
            let start = at.start + 1 + META.len();
            new_meta = Some(start..start + meta.len());
            let comma: &[u8] = if is_empty { b"" } else { b"," };
            let all = [META, &meta, comma].concat();
            splice.replace(at.start + 1..at.start + 1, all).ok()?;
        }
        (None, None) => return None,
    }
    let changed = message.changed(&splice);
    Some(Layout {
        meta: new_meta.or(changed.meta),
        ..changed
    })
}

/// Members with these texts, one behind the other.
fn written<'m>(members: impl Iterator<Item = &'m (&'m str, &'m str)>) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    for (name, text) in members {
        if !out.is_empty() {
            out.push(b',');
        }
        quote_into(name, &mut out);
        out.push(b':');
        quote_into(text, &mut out);
    }
    out
}

/// Replaces those members that are there; says which are.
fn replace(meta: &Value<'_>, members: &[(&str, &str)], splice: &mut Splice) -> Vec<bool> {
    let mut there = vec![false; members.len()];
    for (name, value) in meta.members() {
        // A second one in another spelling would make another message of it.
        let same = members.iter().position(|(n, _)| json::alike(&name.to_str(), n));
        if let Some(i) = same
            && splice.replace(value.range(), quote(members[i].1)).is_ok()
        {
            there[i] = true;
        }
    }
    there
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Message;
    use bytes::Bytes;

    fn with(message: &[u8], members: &[(&str, &str)]) -> Option<Vec<u8>> {
        let body = Bytes::copy_from_slice(message);
        let layout = Message::read(&body).ok()?.layout(body.clone());
        let changed = super::with(&layout, members)?;
        let again = Message::read(&changed.body).unwrap_or_else(|e| panic!("{changed:?}: {e}"));
        assert_eq!(changed, again.layout(changed.body.clone()));
        assert_eq!(format!("{again:?}"), format!("{:?}", Message::again(&changed)));
        Some(changed.body.into())
    }

    #[test]
    fn texts_are_put_in() {
        let check = |params: &str, want: Option<&str>| {
            let message = |params: &str| format!(r#"{{"jsonrpc":"2.0","method":"x"{params} }}"#);
            let with = with(message(params).as_bytes(), &[("a", "1"), ("b", "\"")]);
            let with = with.map(|m| String::from_utf8(m).unwrap());
            assert_eq!(with, want.map(message), "{params}");
        };
        check(
            r#","params": {"name":"x"}"#,
            Some(r#","params": {"_meta":{"a":"1","b":"\""},"name":"x"}"#),
        );
        check(
            r#","params":{}"#,
            Some(r#","params":{"_meta":{"a":"1","b":"\""}}"#),
        );
        check(
            r#","params":{"_meta":{"a" : "old","z":1e40}}"#,
            Some(r#","params":{"_meta":{"b":"\"","a" : "1","z":1e40}}"#),
        );
        check(
            r#","params":{"_meta":{"B":7,"a":{"a":8}}}"#,
            Some(r#","params":{"_meta":{"B":"\"","a":"1"}}"#),
        );
        check(
            r#","params":{"_meta":{ }}"#,
            Some(r#","params":{"_meta":{"a":"1","b":"\"" }}"#),
        );
        for none in ["", r#","params":{"_meta":7}"#, r#","params":7"#] {
            check(none, None);
        }
    }

    #[test]
    fn the_tool_call_is_named() {
        let check = |meta: &str, want: Option<&str>| {
            let body = format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"x","_meta":{meta}}}}}"#
            );
            let message = Message::read(body.as_bytes()).unwrap();
            assert_eq!(Texts::of(&message.asked().unwrap()).tool_call(), want, "{meta}");
        };
        check(r#"{"gen_ai.tool.call.id":"call_1"}"#, Some("call_1"));
        check(r#"{"claudecode/toolUseId":"toolu_1"}"#, Some("toolu_1"));
        check(
            r#"{"gen_ai.tool.call.id":"","claudecode/toolUseId":"b"}"#,
            Some("b"),
        );
        check(r#"{"gen_ai.tool.call.id":7}"#, None);
        check("{}", None);
    }

    /// With any byte another: what was a message is the same message with the text in it.
    #[test]
    fn no_message_breaks_it() {
        let whole =
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","_meta":{"a":{"b":[]}}}}"#;
        for at in 0..whole.len() {
            for byte in [0, b'"', b'\\', b'{', b'}', b'[', b',', b' ', b'9', 0xff] {
                let mut other = whole.as_bytes().to_vec();
                other[at] = byte;
                let Ok(message) = Message::read(&other) else {
                    continue;
                };
                let Some(told) = with(&other, &[(TRACE_PARENT, "t")]) else {
                    continue;
                };
                let text = String::from_utf8_lossy(&told);
                let same = Message::read(&told).unwrap_or_else(|e| panic!("{text}: {e}"));
                assert_eq!(
                    (same.method(), same.name()),
                    (message.method(), message.name()),
                    "{text}"
                );
                assert_eq!(
                    Texts::of(&same.asked().unwrap()).get(TRACE_PARENT),
                    Some("t"),
                    "{text}"
                );
            }
        }
    }
}
