//! What a message says beside its parameters (`_meta`): the place in a trace (SEP-414), and the tool call that it is made for.

use trilithon_flow::mcp_call::Asked;
use trilithon_flow::trace::baggage;
use trilithon_wire::json::{self, Kind, Splice, quote};

pub const TRACE_PARENT: &str = "traceparent";
pub const TRACE_STATE: &str = "tracestate";
pub const BAGGAGE: &str = "baggage";

/// Members that name the tool call, by the id that a model gave it: OpenTelemetry's name for it, and what Claude Code sends.
const TOOL_CALL: [&str; 2] = [baggage::TOOL_CALL, "claudecode/toolUseId"];

/// A text that `_meta` holds.
pub fn text<'a>(asked: &'a Asked, name: &str) -> Option<&'a str> {
    asked.params.get("_meta")?.get(name)?.as_str()
}

/// The id of the tool call, as a member of its own names it.
pub fn tool_call(asked: &Asked) -> Option<&str> {
    let named = TOOL_CALL.into_iter().filter_map(|name| text(asked, name));
    named.into_iter().find(|id| !id.is_empty())
}

/// The message with these texts in its `_meta`, and otherwise byte for byte; `None` for one without parameters, or with a `_meta`
/// that is no object.
pub fn with(message: &[u8], members: &[(&str, &str)]) -> Option<Vec<u8>> {
    let root = json::parse(message).ok()?;
    let params = root
        .get("params")
        .filter(|params| params.kind() == Kind::Object)?;
    let mut splice = Splice::new();
    let value = |text: &str| String::from_utf8(quote(text)).unwrap_or_default();
    match params.get("_meta") {
        Some(meta) => {
            for (name, text) in members {
                splice.set(&meta, name, &value(text)).ok()?;
            }
        }
        None => {
            let all = members
                .iter()
                .map(|(name, text)| format!("{}:{}", value(name), value(text)));
            let all = all.collect::<Vec<_>>().join(",");
            splice.set(&params, "_meta", &format!("{{{all}}}")).ok()?;
        }
    }
    Some(splice.apply(message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Message;

    #[test]
    fn texts_are_put_in() {
        let check = |message: &str, want: Option<&str>| {
            let with = with(message.as_bytes(), &[("a", "1"), ("b", "\"")]);
            let with = with.map(|m| String::from_utf8(m).unwrap());
            assert_eq!(with.as_deref(), want, "{message}");
        };
        check(
            r#"{"params": {"name":"x"} }"#,
            Some(r#"{"params": {"_meta":{"a":"1","b":"\""},"name":"x"} }"#),
        );
        check(
            r#"{"params":{}}"#,
            Some(r#"{"params":{"_meta":{"a":"1","b":"\""}}}"#),
        );
        check(
            r#"{"params":{"_meta":{"a" : "old","z":1e400}}}"#,
            Some(r#"{"params":{"_meta":{"b":"\"","a" : "1","z":1e400}}}"#),
        );
        check(
            r#"{"params":{"_meta":{}}}"#,
            Some(r#"{"params":{"_meta":{"a":"1","b":"\""}}}"#),
        );
        for none in [
            r#"{"method":"x"}"#,
            r#"{"params":[]}"#,
            r#"{"params":{"_meta":7}}"#,
            "no",
        ] {
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
            assert_eq!(tool_call(&message.asked().unwrap()), want, "{meta}");
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
                    super::text(&same.asked().unwrap(), TRACE_PARENT),
                    Some("t"),
                    "{text}"
                );
            }
        }
    }
}
